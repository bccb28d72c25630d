/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The time for which the lock is held is measured as CPU time of the thread that holds it, so that
 * a busy host does not count. core_is_moving() tells a busy lock from a stuck one: the lock is
 * free now, or it was given up since the last look.
 */
#include "mgmt/core/core.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* ms: longer than a change holds the lock. */
#define STUCK_MS 10000u
/* ms: after a longer pause between two looks it is not known since when the lock is held. */
#define LOOKED_MS 3000u

/* CPU time of this thread: time that other threads use meanwhile does not count. */
static uint64_t worked_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void core_lock(struct core *c)
{
	pthread_mutex_lock(&c->lock);
	c->use.held_from_ns = worked_ns();
}

void core_unlock(struct core *c)
{
	uint64_t held_ns = worked_ns() - c->use.held_from_ns;

	if (held_ns > c->use.longest_held_ns)
		c->use.longest_held_ns = held_ns;
	__atomic_fetch_add(&c->use.n_given, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&c->lock);
}

bool core_wait(struct core *c, uint64_t until_ms)
{
	uint64_t now_ms = clock_mono_ms();
	struct timespec at;

	if (c->stopping || now_ms >= until_ms)
		return false;
	/* the condition's clock is CLOCK_MONOTONIC, ours counts sleep too: wait by difference */
	clock_gettime(CLOCK_MONOTONIC, &at);
	uint64_t ns = (uint64_t)at.tv_nsec + (until_ms - now_ms) * 1000000;
	at.tv_sec += (time_t)(ns / 1000000000);
	at.tv_nsec = (long)(ns % 1000000000);
	__atomic_fetch_add(&c->use.n_given, 1, __ATOMIC_RELAXED);
	pthread_cond_timedwait(&c->changed, &c->lock, &at);
	c->use.held_from_ns = worked_ns();
	return !c->stopping;
}

/* By this thread: a round that changes something each time must not make itself due. */
static _Thread_local uint64_t n_own_changes;

/* Wait until @p due_ms, or for a change after @p n_changes; then until @p soonest_ms. */
static void wait_for_round(struct core *c, uint64_t due_ms, uint64_t n_changes, uint64_t soonest_ms)
{
	uint64_t until_ms;

	do {
		until_ms = c->n_changes == n_changes || due_ms < soonest_ms ? due_ms : soonest_ms;
	} while (core_wait(c, until_ms));
}

void core_run_rounds(struct core *c, uint64_t (*round)(void *of), void *of, uint64_t pause_ms)
{
	core_lock(c);
	while (!c->stopping) {
		uint64_t soonest_ms = clock_mono_ms() + pause_ms;
		uint64_t n_before = c->n_changes, n_own = n_own_changes;
		uint64_t due_ms = round(of);

		wait_for_round(c, due_ms, n_before + (n_own_changes - n_own), soonest_ms);
	}
	core_unlock(c);
}

void core_changed(struct core *c)
{
	const uint64_t one = 1;

	c->n_changes++;
	n_own_changes++;
	pthread_cond_broadcast(&c->changed);
	if (c->exchange_fd)
		(void)!write(c->exchange_fd, &one, sizeof(one));
}

bool core_is_moving(struct core *c)
{
	uint64_t now_ms = clock_mono_ms();
	uint64_t n_given = __atomic_load_n(&c->use.n_given, __ATOMIC_RELAXED);

	/* one that takes the lock for each of ten thousand files has it at almost every look */
	if (!pthread_mutex_trylock(&c->lock)) {
		pthread_mutex_unlock(&c->lock);
		c->use.moving_ms = now_ms;
	} else if (n_given != c->use.given_before || now_ms > c->use.looked_ms + LOOKED_MS) {
		c->use.moving_ms = now_ms;
	}
	c->use.given_before = n_given;
	c->use.looked_ms = now_ms;
	return now_ms < c->use.moving_ms + STUCK_MS;
}

void core_attach(struct core *c, const struct http_request *r)
{
	if (r)
		intent_for(c->intent, r->identity, r->request);
}

void core_detach(struct core *c)
{
	intent_for(c->intent, NULL, NULL);
}

int core_find_file(void *arg, const char *name, const char *digest, uint64_t n_bytes,
                   struct files *out)
{
	struct core *c = arg;

	core_lock(c);
	int err = intent_find_file(c->intent, name, digest, n_bytes, out);
	core_unlock(c);
	return err;
}

const char *core_overrides_digest(struct core *c)
{
	return overrides_digest_at(intent_overrides(c->intent), clock_believed_ms(),
	                           &c->overrides_digest);
}
