/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads and rings of DPDK's: threads of the test's run the workers, and rings lie in ordinary memory. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_LCORES_FAKE_H
#define WEIR_TESTS_UNIT_DATAPLANE_LCORES_FAKE_H

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_ring.h>

#include "dataplane/dpdk/lcores.h"
#include "tests/unit/dataplane/dpdk_answers.h"

#define THREADS_MAX 16 /* of all starts */

static struct {
	struct fake_ring {
		char name[32];
		int socket;
		struct rte_ring *ring;
		unsigned int n_freed;
	} rings[80];
	unsigned int n_rings, rings_left, n_rings_freed;
	int launch_err;
	unsigned int launch_fails_at, n_launched, n_waited, first; /* first: of those that run */
	bool still;                                                /* workers are not run */
	struct fake_thread {
		pthread_t id;
		lcore_function_t *run;
		struct worker *worker;
		unsigned int lcore;
	} threads[THREADS_MAX];
	unsigned int waited[THREADS_MAX];
	uint64_t woken[THREADS_MAX]; /* what ended the sleep of a worker that was not run */
} lcores_fake;

static struct rte_ring *own_rte_ring_create(const char *name, unsigned int n, int socket,
                                            unsigned int flags)
{
	struct fake_ring *r = &lcores_fake.rings[lcores_fake.n_rings];

	assert_int_equal(n, LCORES_RING_LEN);
	assert_int_equal(flags, RING_F_SC_DEQ);
	if (!lcores_fake.rings_left)
		return NULL;
	lcores_fake.rings_left--;
	lcores_fake.n_rings++;
	snprintf(r->name, sizeof(r->name), "%s", name);
	r->socket = socket;
	r->ring = aligned_alloc(RTE_CACHE_LINE_SIZE, (size_t)rte_ring_get_memsize(n));
	assert_int_equal(rte_ring_init(r->ring, name, n, flags), 0);
	return r->ring;
}

static void own_rte_ring_free(struct rte_ring *ring)
{
	if (!ring)
		return;
	for (unsigned int i = 0; i < lcores_fake.n_rings; i++)
		lcores_fake.rings[i].n_freed += lcores_fake.rings[i].ring == ring;
	assert_int_equal(rte_ring_count(ring), 0);
	lcores_fake.n_rings_freed++;
	free(ring);
}

static void *run_thread(void *arg)
{
	struct fake_thread *t = arg;

	return (void *)(intptr_t)t->run(t->worker);
}

static int own_rte_eal_remote_launch(lcore_function_t *run, void *arg, unsigned int lcore)
{
	struct fake_thread *t = &lcores_fake.threads[lcores_fake.n_launched];

	if (lcores_fake.launch_err && lcores_fake.n_launched == lcores_fake.launch_fails_at)
		return lcores_fake.launch_err;
	lcores_fake.n_launched++;
	*t = (struct fake_thread){ .run = run, .worker = arg, .lcore = lcore };
	if (!lcores_fake.still)
		assert_int_equal(pthread_create(&t->id, NULL, run_thread, t), 0);
	return 0;
}

/* All are told to stop before one is waited for. */
static int own_rte_eal_wait_lcore(unsigned int lcore)
{
	unsigned int i = lcores_fake.n_waited++;
	struct fake_thread *t = &lcores_fake.threads[i];
	void *end = NULL;

	assert_int_equal(t->lcore, lcore);
	for (unsigned int k = lcores_fake.first; k < lcores_fake.n_launched; k++)
		assert_true(
		        __atomic_load_n(&lcores_fake.threads[k].worker->stop, __ATOMIC_ACQUIRE));
	if (!lcores_fake.still)
		assert_int_equal(pthread_join(t->id, &end), 0);
	else if (read(t->worker->wake, &lcores_fake.woken[i], sizeof(uint64_t)) < 0)
		lcores_fake.woken[i] = 0;
	assert_null(end);
	if (lcores_fake.n_waited == lcores_fake.n_launched)
		lcores_fake.first = lcores_fake.n_launched;
	return 0;
}

static uint64_t own_rte_get_tsc_hz(void)
{
	return 2000000000;
}

/* Worker @p i of those that run. */
static inline struct worker *running_worker(unsigned int i)
{
	assert_true(lcores_fake.first + i < lcores_fake.n_launched);
	return lcores_fake.threads[lcores_fake.first + i].worker;
}

static inline void reset_lcores(void)
{
	memset(&lcores_fake, 0, sizeof(lcores_fake));
	lcores_fake.rings_left = sizeof(lcores_fake.rings) / sizeof(lcores_fake.rings[0]);
}

/* From now on these calls are answered here. */
static inline void answer_lcores(void)
{
	answer_rte_eal_remote_launch = own_rte_eal_remote_launch;
	answer_rte_eal_wait_lcore = own_rte_eal_wait_lcore;
	answer_rte_get_tsc_hz = own_rte_get_tsc_hz;
	answer_rte_ring_create = own_rte_ring_create;
	answer_rte_ring_free = own_rte_ring_free;
}

#endif
