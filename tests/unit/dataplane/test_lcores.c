/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The workers together (dataplane/dpdk/lcores.c): what each of them gets, that orders reach all of
 * them, and what is left when one cannot be made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fcntl.h>
#include <pthread.h>

#include <cmocka.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/dpdk/worker.h"

#define N 3

/* A ring that holds frames by number. */
struct fake_ring {
	char name[32];
	int socket;
	unsigned int n, n_freed;
};

static struct {
	struct fake_ring rings[8];
	unsigned int n_rings, n_frames_freed, rings_left;
	bool no_pool;
	int launch_err;
	unsigned int launch_fails_at, waited[8], n_waited;
	struct worker *launched[8];
	unsigned int lcores[8], n_launched;
	const struct worker *parked[8], *unparked[8], *waited_for[8];
	unsigned int n_parked, n_unparked, n_waited_for;
} edge;

static struct rte_ring *edge_ring(const char *name, unsigned int count, int socket,
                                  unsigned int flags)
{
	struct fake_ring *r = &edge.rings[edge.n_rings];

	assert_int_equal(count, 2048);
	assert_int_equal(flags, RING_F_SC_DEQ);
	if (!edge.rings_left--)
		return NULL;
	edge.n_rings++;
	snprintf(r->name, sizeof(r->name), "%s", name);
	r->socket = socket;
	return (struct rte_ring *)(void *)r;
}

static int edge_dequeue(struct rte_ring *ring, void **out)
{
	struct fake_ring *r = (struct fake_ring *)(void *)ring;

	if (!r->n)
		return -ENOENT;
	r->n--;
	*out = r;
	return 0;
}

static void edge_free_ring(struct rte_ring *ring)
{
	if (ring)
		((struct fake_ring *)(void *)ring)->n_freed++;
}

static void edge_free_frame(struct rte_mbuf *m)
{
	assert_non_null(m);
	edge.n_frames_freed++;
}

static int edge_launch(lcore_function_t *f, void *arg, unsigned int lcore)
{
	assert_ptr_equal(f, worker_main);
	if (edge.launch_err && edge.n_launched == edge.launch_fails_at)
		return edge.launch_err;
	edge.launched[edge.n_launched] = arg;
	edge.lcores[edge.n_launched++] = lcore;
	return 0;
}

static int edge_wait(unsigned int lcore)
{
	const struct worker *w = edge.launched[edge.n_waited];

	for (unsigned int i = 0; i < edge.n_launched;
	     i++) /* all are told before one is waited for */
		assert_true(edge.launched[i]->stop);
	assert_non_null(w);
	assert_int_equal(read(w->wake, &(uint64_t){ 0 }, 8), 8); /* one that sleeps is woken */
	edge.waited[edge.n_waited++] = lcore;
	return 0;
}

#define rte_ring_create           edge_ring
#define rte_ring_dequeue          edge_dequeue
#define rte_ring_free             edge_free_ring
#define rte_pktmbuf_free          edge_free_frame
#define rte_eal_remote_launch     edge_launch
#define rte_eal_wait_lcore        edge_wait
#define rte_get_tsc_hz()          (2000000000ull)
#define rte_lcore_to_socket_id(i) ((i) == 2 ? 1u : 0u)
#include "dataplane/dpdk/lcores.c"

int worker_main(void *arg)
{
	(void)arg;
	return 0;
}

void worker_park(struct worker *w)
{
	edge.parked[edge.n_parked++] = w;
}

void worker_unpark(struct worker *w)
{
	edge.unparked[edge.n_unparked++] = w;
}

void worker_grace(struct worker *w)
{
	edge.waited_for[edge.n_waited_for++] = w;
}

unsigned int eal_lcore(uint32_t i)
{
	return i + 1;
}

uint32_t eal_cpu(uint32_t i)
{
	return 40 + i;
}

struct rte_mempool *eal_pool(int socket)
{
	return edge.no_pool ? NULL : (struct rte_mempool *)(uintptr_t)(0x1000 + (unsigned)socket);
}

static struct fwd_root root, other_root;
static const struct fwd_tables tables = { .root = &root, .n_cpus = 4, .cpu = 99 };

static int setup(void **state)
{
	(void)state;
	memset(&edge, 0, sizeof(edge));
	edge.rings_left = 8;
	return 0;
}

static void each_worker_has_its_own_of_all(void **state)
{
	struct lcores c = { 0 };
	struct driver_reason why;

	(void)state;
	assert_int_equal(lcores_start(&c, N, &tables, &why), 0);
	assert_int_equal(c.n_running, N);
	assert_int_equal(edge.n_launched, N);
	for (uint32_t i = 0; i < N; i++) {
		const struct worker *w = &c.workers[i];
		char name[32];

		assert_ptr_equal(edge.launched[i], w);
		assert_int_equal(edge.lcores[i], i + 1);
		assert_int_equal(w->index, i);
		assert_int_equal(w->n_workers, N);
		assert_int_equal(w->counts.cpu, 40 + i);
		assert_ptr_equal(w->tables.root, &root);
		assert_int_equal(w->tables.cpu, i); /* its row of counters */
		assert_ptr_equal(w->pool, i == 1 ? 0x1001 : 0x1000);
		assert_int_equal(w->tap_every, 100000);    /* 50 us */
		assert_int_equal(w->time_every, 2000000);  /* 1 ms */
		assert_int_equal(w->keep_every, 40000000); /* 20 ms */
		assert_true(fcntl(w->wake, F_GETFL) & O_NONBLOCK);
		for (uint32_t k = 0; k < N; k++)
			assert_ptr_equal(w->inboxes[k], &edge.rings[k]);
		snprintf(name, sizeof(name), "inbox-%u", i);
		assert_string_equal(edge.rings[i].name, name);
		assert_int_equal(edge.rings[i].socket, i == 1);
	}
	lcores_stop(&c);
	assert_int_equal(edge.n_waited, N);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(edge.waited[i], i + 1);
	lcores_free(&c);
}

static void all_are_parked_and_graced_and_given_tables(void **state)
{
	const struct fwd_tables next = { .root = &other_root };
	struct lcores c = { 0 };
	struct driver_reason why;

	(void)state;
	assert_int_equal(lcores_start(&c, N, &tables, &why), 0);
	lcores_park(&c);
	lcores_set_tables(&c, &next);
	lcores_unpark(&c);
	lcores_wait_bursts(&c);
	assert_int_equal(edge.n_parked, N);
	assert_int_equal(edge.n_unparked, N);
	assert_int_equal(edge.n_waited_for, N);
	for (uint32_t i = 0; i < N; i++) {
		assert_ptr_equal(edge.parked[i], &c.workers[i]);
		assert_ptr_equal(edge.unparked[i], &c.workers[i]);
		assert_ptr_equal(edge.waited_for[i], &c.workers[i]);
		assert_ptr_equal(c.workers[i].tables.root, &other_root);
		assert_int_equal(c.workers[i].tables.cpu, i);
	}
	lcores_stop(&c);
	lcores_park(&c); /* nobody runs: nobody is waited for */
	lcores_wait_bursts(&c);
	assert_int_equal(edge.n_parked, N);
	assert_int_equal(edge.n_waited_for, N);
	lcores_free(&c);
}

static void one_worker_alone_hands_nothing_over(void **state)
{
	struct lcores c = { 0 };
	struct driver_reason why;

	(void)state;
	assert_int_equal(lcores_start(&c, 1, &tables, &why), 0);
	assert_int_equal(edge.n_rings, 0);
	assert_null(c.workers[0].inboxes[0]);
	lcores_stop(&c);
	lcores_free(&c);
}

static void frames_that_wait_go_with_their_ring(void **state)
{
	struct lcores c = { 0 };
	struct driver_reason why;
	int wake[N];

	(void)state;
	assert_int_equal(lcores_start(&c, N, &tables, &why), 0);
	edge.rings[0].n = 2;
	edge.rings[2].n = 5;
	for (uint32_t i = 0; i < N; i++)
		wake[i] = c.workers[i].wake;
	lcores_stop(&c);
	lcores_free(&c);
	assert_int_equal(edge.n_frames_freed, 7);
	for (uint32_t i = 0; i < N; i++) {
		assert_int_equal(edge.rings[i].n_freed, 1);
		assert_int_equal(fcntl(wake[i], F_GETFD), -1);
	}
	lcores_free_ring(NULL);
}

static void what_a_worker_lacks_is_said_and_the_rest_ends(void **state)
{
	static const struct {
		bool no_pool;
		unsigned int rings;
		int launch_err;
		unsigned int fails_at;
		int err;
		const char *why;
		unsigned int running;
	} cases[] = {
		{ true, 8, 0, 0, -ENOMEM, "no memory for packets: raise dpdk.memory", 0 },
		{ false, 1, 0, 0, -ENOMEM, "no memory for rings: raise dpdk.memory", 0 },
		{ false, 8, -EBUSY, 2, -EBUSY,
		  "worker 2 cannot be started: Device or resource busy", 2 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lcores c = { 0 };
		struct driver_reason why;

		setup(state);
		edge.no_pool = cases[i].no_pool;
		edge.rings_left = cases[i].rings;
		edge.launch_err = cases[i].launch_err;
		edge.launch_fails_at = cases[i].fails_at;
		assert_int_equal(lcores_start(&c, N, &tables, &why), cases[i].err);
		assert_string_equal(why.text, cases[i].why);
		assert_int_equal(c.n_running, cases[i].running);
		lcores_stop(&c);
		assert_int_equal(edge.n_waited, cases[i].running);
		lcores_free(&c);
		for (unsigned int k = 0; k < edge.n_rings; k++)
			assert_int_equal(edge.rings[k].n_freed, 1);
	}
}

/* What a worker does in a round with probes. */
static void answer_probes(struct worker *w)
{
	assert_true(w->prove);
	w->probes.probes[0].result = DRIVER_PROBE_SENT;
	w->prove = false;
}

static void probe_packets_go_to_each_worker_in_turn(void **state)
{
	struct lcores c = { 0 };
	struct driver_reason why;
	struct driver_probes batch = { .number = 0, .n = 1 };

	(void)state;
	assert_int_equal(lcores_prove(&c, &batch), -ENODEV);
	assert_int_equal(lcores_start(&c, N, &tables, &why), 0);
	for (uint32_t i = 0; i < 2 * N; i++) {
		batch.number++;
		batch.probes[0] = (struct driver_probe){ .length = (uint16_t)(60 + i) };
		assert_int_equal(lcores_prove(&c, &batch), -EAGAIN);
		for (uint32_t k = 0; k < N; k++)
			assert_int_equal(c.workers[k].prove, k == i % N);
		assert_int_equal(c.workers[i % N].probes.probes[0].length, 60 + i);
		assert_int_equal(lcores_prove(&c, &batch), -EAGAIN); /* it has not come to it */
		answer_probes(&c.workers[i % N]);
		assert_int_equal(lcores_prove(&c, &batch), 0);
		assert_int_equal(batch.probes[0].result, DRIVER_PROBE_SENT);
	}
	assert_int_equal(lcores_prove(&c, &batch), -EAGAIN); /* an answer is given once */
	lcores_stop(&c);
	lcores_free(&c);
}

static void a_worker_that_stands_still_keeps_its_batch_and_its_turn(void **state)
{
	struct lcores c = { 0 };
	struct driver_reason why;
	struct driver_probes batch = { .number = 7, .n = 1 };

	(void)state;
	assert_int_equal(lcores_start(&c, N, &tables, &why), 0);
	assert_int_equal(lcores_prove(&c, &batch), -EAGAIN);
	batch.number = 8; /* the first one was given up */
	batch.probes[0].length = 99;
	assert_int_equal(lcores_prove(&c, &batch), -EAGAIN);
	assert_int_equal(c.workers[0].probes.number, 7);
	answer_probes(&c.workers[0]);
	assert_int_equal(lcores_prove(&c, &batch), -EAGAIN); /* an answer to 7 is none to 8 */
	assert_int_equal(c.workers[0].probes.number, 8);
	assert_int_equal(c.workers[0].probes.probes[0].length, 99);
	answer_probes(&c.workers[0]);
	assert_int_equal(lcores_prove(&c, &batch), 0);
	assert_int_equal(batch.probes[0].result, DRIVER_PROBE_SENT);
	lcores_stop(&c);
	lcores_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(probe_packets_go_to_each_worker_in_turn, setup),
		cmocka_unit_test_setup(a_worker_that_stands_still_keeps_its_batch_and_its_turn,
		                       setup),
		cmocka_unit_test_setup(each_worker_has_its_own_of_all, setup),
		cmocka_unit_test_setup(all_are_parked_and_graced_and_given_tables, setup),
		cmocka_unit_test_setup(one_worker_alone_hands_nothing_over, setup),
		cmocka_unit_test_setup(frames_that_wait_go_with_their_ring, setup),
		cmocka_unit_test_setup(what_a_worker_lacks_is_said_and_the_rest_ends, setup),
	};

	return cmocka_run_group_tests_name("crew", tests, NULL, NULL);
}
