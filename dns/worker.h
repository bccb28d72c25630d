/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The threads that answer: for each of dns.threads one for UDP and one for TCP, so that the kernel's scheduler keeps
 * TCP's work off UDP's queries. Each has a loop, sockets, clients and buffers of its own; what they share is
 * what they answer from (serving.h), which they only read, and the words that they count into
 * (tally.h). The main thread answers nothing: however long it takes over a document, a status or a
 * disk, no answer waits for it.
 *
 * worker.c is the thread's side; crew.c is the main thread's: it starts threads, hands them their
 * sockets, and joins those that have ended. A thread too many takes no new work, serves its TCP clients to
 * their end (WORKER_RETIRE_MS at most) and ends.
 */
#ifndef WEIR_DNS_WORKER_H
#define WEIR_DNS_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "dns/tally.h"
#include "weir/model.h"

/** Threads of each kind. */
#define WORKERS_MAX      MODEL_DNS_THREADS_MAX
#define WORKERS_ALL      (2 * WORKERS_MAX)
#define WORKER_RETIRE_MS 15000
#define WORKER_NAME_MAX  16

struct addr;
struct server;
struct serving;
struct tcp;
struct udp;

/** A descriptor of a socket, which a plan owns. */
struct worker_socket {
	int fd;
};

/** What a thread is to do from now on; made by the main thread, taken by the worker. */
struct worker_plan {
	enum { WORKER_SERVES, WORKER_RETIRES, WORKER_STOPS } what;
	uint32_t tcp_most; /**< TCP clients */
	size_t n;
	struct worker_socket sockets[];
};

struct worker {
	struct server *server;
	unsigned number; /**< of its kind */
	bool is_tcp;
	struct loop *loop;
	struct udp *udp; /**< NULL: it is of the other kind */
	struct tcp *tcp;
	struct tally tally;
	bool udp_waits; /**< more UDP waits than a turn takes; set by this thread, cleared by TCP's */
	uint64_t *queries;             /**< the word of its number, also the other kind's */
	const struct serving *serving; /**< between serving_enter() and serving_leave() */
	const struct serving *held;    /**< the same, for the main thread to see */
	struct worker_plan *plan;      /**< in force: this thread's */
	struct worker_plan *next;      /**< the next one: whoever exchanges it out has it */
	int wake;                      /**< an eventfd: there is a next plan */
	struct loop_timer retire;
	uint64_t retire_ms;
	/* the main thread's */
	pthread_t thread;
	bool running;
	bool ended; /**< set by the thread: it may be joined */
};

/** The thread's function: serve until a plan says otherwise. */
void *worker_run(void *worker);
/** What the thread is called: "dns-1", "dns-tcp-1". @return @p out */
const char *worker_name(const struct worker *w, char out[WORKER_NAME_MAX]);
/** Free @p plan and close its descriptors; NULL is fine. */
void worker_plan_free(struct worker_plan *plan);

/** Count one in @p word, NULL: nothing. */
static inline void worker_count(struct worker *w, uint64_t *word)
{
	tally_add(&w->tally, word, 1);
}
/** Answer one message, between serving_enter() and serving_leave(). @return the answer's length, 0 for none; counted */
size_t worker_answer(struct worker *w, const uint8_t *query, size_t length,
                     const struct addr *client, bool tcp, uint8_t *out, size_t out_size);

/** Room for a batch of messages. @return 0 or -ENOMEM */
int udp_open(struct worker *w);
void udp_close(struct worker *w);
/** Read and answer what waits on a UDP socket; a loop_fd_cb. */
void udp_ready(void *arg, int fd, uint32_t events);

/** Room for TCP clients. @return 0 or -errno */
int tcp_open(struct worker *w);
void tcp_close(struct worker *w);
/** Take connections from @p fd, a listening socket, which is borrowed until tcp_listen_remove(). @return 0 or -errno */
int tcp_listen_add(struct worker *w, int fd);
/** Take no more from @p fd; an unknown one is fine. */
void tcp_listen_remove(struct worker *w, int fd);
/** How many clients there may be from now on. */
void tcp_limit(struct worker *w, uint32_t most);
/** How many there are. */
uint32_t tcp_clients(const struct worker *w);

/* crew.c: the main thread's side. */

/** Have exactly @p n threads (1 to WORKERS_MAX) of each kind, and give them the sockets of s->listens. */
void crew_set(struct server *s, unsigned n);
/** Some thread may have ended by itself: join it; a loop_fd_cb on s->crew_event. */
void crew_ended(void *arg, int fd, uint32_t events);
/** End all threads and wait for them. */
void crew_stop(struct server *s);

#endif
