/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The threads of all nodes in one process, one at a time, in virtual time. The product's threads run as they are; what they
 * wait with (mutexes, conditions, epoll, sleep: tests/cluster/libc.c; base/thread.h: tests/cluster/thread.c) gives the turn
 * to another thread, which the seed chooses. Where no thread can go on, time goes on to the next moment at which one can, or
 * at which something happens. So a seed's run is the same each time, and a minute costs what its work costs.
 *
 * A host has clocks of its own. Threads belong to the host of the thread that started them; the scene's thread has none, and
 * its clocks are right.
 *
 * Only the thread that has the turn may call these functions.
 */
#ifndef TESTS_CLUSTER_SCHED_H
#define TESTS_CLUSTER_SCHED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHED_MS    ((uint64_t)1000000) /* nanoseconds */
#define SCHED_NEVER UINT64_MAX

/* Of a host: its clocks, by virtual time. */
struct sched_host {
	int64_t boot_ns; /* when it was booted */
	unsigned n_boots;
	int64_t wall_off_ns; /* how far its wall clock is ahead of the right one */
	int64_t believed_ms; /* what it gave to clock_believe() last (base/clock.h); INT64_MIN: nothing */
};

/* Take the turn, as the scene's thread. */
void sched_begin(uint64_t seed);
/*
 * From now on nothing is by chance but what the scene itself chooses: of several threads the one that has waited longest goes
 * on, turns take no time, and messages take as long as each other. Then a change of the product that nobody is to see is not
 * seen by what a scene shows.
 */
void sched_be_steady(void);
bool sched_is_steady(void);
/* Whether the calling thread is one of these; else it is the process's own, before the beginning. */
bool sched_is_on(void);
/* The host of the thread that has the turn; NULL: the scene's. */
struct sched_host *sched_host(void);
uint64_t sched_now_ns(void);
/* Virtual time as a host has it, NULL: the right one; in nanoseconds. */
int64_t sched_boot_ns(const struct sched_host *h);
int64_t sched_wall_ns(const struct sched_host *h);

/* A number below @p n, by the seed. */
uint32_t sched_below(uint32_t n);
bool sched_chance(uint32_t per_mille);
/* A byte for who wants a name that nobody else has: it changes nothing of what is chosen otherwise. */
unsigned char sched_byte(void);

/* Start a thread at @p host. @param id  out: of the system's thread. @return false: it could not be started */
bool sched_start(struct sched_host *host, void *(*run)(void *arg), void *arg, pthread_t *id);
/* Start one that nobody joins. */
void sched_spawn(struct sched_host *host, void *(*run)(void *arg), void *arg);
/* Wait for the end of the thread with that id, and join it. */
void sched_join(pthread_t id);
/* Let the thread with that id look itself at what it waits for: a signal for it is seen by it alone. */
void sched_poke(pthread_t id);
/* No thread of @p host ever gets the turn again: the host is dead. */
void sched_abandon(struct sched_host *host);

/*
 * Give the turn up until @p is_ready says so, or the time has come. @param is_ready  called by any thread; NULL: by time alone
 * @return whether it is ready
 */
bool sched_wait(bool (*is_ready)(void *arg), void *arg, uint64_t until_ns);

/* Wait for what is signalled at @p key, until the time has come. @return whether it was */
bool sched_wait_signal(const void *key, uint64_t until_ns);
/* Signal those who wait at @p key: all, or one. */
void sched_signal(const void *key, bool all);

/* Call @p run at that time, by any thread; it does not wait. */
void sched_at(uint64_t at_ns, void (*run)(void *arg), void *arg);

#endif
