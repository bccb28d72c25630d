/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The workers as a group: what each gets, that all are held and ended, and what is said when one cannot be had. DPDK's
 * start, threads and rings are the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/lcores.h"
#include "tests/unit/dataplane/buffers.h"
#include "tests/unit/dataplane/eal_fake.h"
#include "tests/unit/dataplane/lcores_fake.h"
#include "tests/unit/suite.h"

#define N 3u

static struct fwd_root root, other_root;
static const struct fwd_tables tables = { .root = &root, .n_cpus = 4, .cpu = 99 };

static struct lcores c;
static struct driver_reason why;

/* Of the first three CPUs, the second is near other memory. */
static int start_dpdk(void **state)
{
	const struct model_dpdk dpdk = { .hugepages = MODEL_HUGEPAGES_NO,
		                         .memory_mb = 512,
		                         .n_cores = N,
		                         .cores = { 2, 5, 3 } };
	uint32_t n_workers;

	(void)state;
	reset_eal();
	return eal_start(&dpdk, 1500, &n_workers, &why);
}

static int setup(void **state)
{
	(void)state;
	reset_lcores();
	reset_buffers();
	memset(&c, 0, sizeof(c));
	for (unsigned int i = 0; i < COUNT(eal_fake.socket_of_lcore); i++)
		eal_fake.socket_of_lcore[i] = i == 2;
	eal_fake.no_pool = false;
	return 0;
}

static void start_workers(uint32_t n)
{
	assert_int_equal(lcores_start(&c, n, &tables, &why), 0);
}

static int teardown(void **state)
{
	(void)state;
	lcores_stop(&c);
	lcores_free(&c);
	for (unsigned int i = 0; i < lcores_fake.n_rings; i++)
		assert_int_equal(lcores_fake.rings[i].n_freed, 1);
	return buffers.n_out != 0;
}

static void each_worker_has_its_own_of_all(void **state)
{
	static const uint32_t cpus[N] = { 2, 5, 3 };

	(void)state;
	start_workers(N);
	assert_int_equal(c.n_running, N);
	assert_int_equal(lcores_fake.n_launched, N);
	for (uint32_t i = 0; i < N; i++) {
		const struct worker *w = &c.workers[i];
		char name[32];

		assert_ptr_equal(lcores_fake.threads[i].worker, w);
		assert_int_equal(lcores_fake.threads[i].lcore, i + 1);
		assert_int_equal(w->index, i);
		assert_int_equal(w->n_workers, N);
		assert_int_equal(w->counts.cpu, cpus[i]);
		assert_ptr_equal(w->tables.root, &root);
		assert_int_equal(w->tables.cpu, i); /* its row of counters */
		assert_ptr_equal(w->pool, fake_pool(i == 1));
		assert_int_equal(w->tap_every, 100000);    /* 50 us */
		assert_int_equal(w->time_every, 2000000);  /* 1 ms */
		assert_int_equal(w->keep_every, 40000000); /* 20 ms */
		assert_true(fcntl(w->wake, F_GETFL) & O_NONBLOCK);
		for (uint32_t k = 0; k < N; k++)
			assert_ptr_equal(w->inboxes[k], lcores_fake.rings[k].ring);
		snprintf(name, sizeof(name), "inbox-%u", i);
		assert_string_equal(lcores_fake.rings[i].name, name);
		assert_int_equal(lcores_fake.rings[i].socket, i == 1);
	}
	lcores_stop(&c);
	assert_int_equal(lcores_fake.n_waited, N);
}

static uint64_t rounds_of(uint32_t i)
{
	return __atomic_load_n(&c.workers[i].rounds, __ATOMIC_ACQUIRE);
}

static void all_are_parked_and_graced_and_given_tables(void **state)
{
	const struct fwd_tables next = { .root = &other_root };
	uint64_t rounds[N];

	(void)state;
	start_workers(N);
	for (int turn = 0; turn < 2; turn++) {
		lcores_park(&c);
		for (uint32_t i = 0; i < N; i++)
			rounds[i] = rounds_of(i);
		lcores_set_tables(&c, &next);
		usleep(2000);
		for (uint32_t i = 0; i < N; i++) {
			assert_true(__atomic_load_n(&c.workers[i].parked, __ATOMIC_ACQUIRE));
			assert_int_equal(rounds_of(i), rounds[i]);
			assert_ptr_equal(c.workers[i].tables.root, &other_root);
			assert_int_equal(c.workers[i].tables.cpu, i);
		}
		lcores_unpark(&c);
		for (uint32_t i = 0; i < N; i++)
			assert_false(__atomic_load_n(&c.workers[i].parked, __ATOMIC_ACQUIRE));
		usleep(50000); /* until they sleep for long */
		for (uint32_t i = 0; i < N; i++)
			rounds[i] = rounds_of(i);
		lcores_wait_bursts(&c);
		for (uint32_t i = 0; i < N; i++)
			assert_true(rounds_of(i) >= rounds[i] + 2);
	}
	lcores_stop(&c);
	lcores_park(&c); /* nobody runs: nobody is waited for */
	lcores_wait_bursts(&c);
}

static void one_worker_alone_hands_nothing_over(void **state)
{
	(void)state;
	start_workers(1);
	assert_int_equal(lcores_fake.n_rings, 0);
	assert_null(c.workers[0].inboxes[0]);
}

static void workers_that_sleep_are_woken_to_end(void **state)
{
	(void)state;
	lcores_fake.still = true;
	start_workers(N);
	lcores_stop(&c);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(lcores_fake.woken[i], 1);
}

static void put_frames(uint32_t inbox, int n)
{
	for (; n; n--)
		assert_int_equal(rte_ring_enqueue(c.workers[0].inboxes[inbox],
		                                  rte_pktmbuf_alloc(&buffers.pool)),
		                 0);
}

static void frames_that_wait_go_with_their_ring(void **state)
{
	int wake[N];

	(void)state;
	lcores_fake.still = true;
	start_workers(N);
	put_frames(0, 2);
	put_frames(2, 5);
	for (uint32_t i = 0; i < N; i++)
		wake[i] = c.workers[i].wake;
	lcores_stop(&c);
	assert_int_equal(buffers.n_out, 7);
	lcores_free(&c);
	assert_int_equal(buffers.n_out, 0);
	assert_int_equal(lcores_fake.n_rings_freed, N);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(fcntl(wake[i], F_GETFD), -1);
	memset(&c, 0, sizeof(c));
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

	for (size_t i = 0; i < COUNT(cases); i++) {
		setup(state);
		eal_fake.no_pool = cases[i].no_pool;
		eal_fake.socket_of_lcore[1] = cases[i].no_pool ? 5 : 0; /* where no pool is yet */
		lcores_fake.rings_left = cases[i].rings;
		lcores_fake.launch_err = cases[i].launch_err;
		lcores_fake.launch_fails_at = cases[i].fails_at;
		assert_int_equal(lcores_start(&c, N, &tables, &why), cases[i].err);
		assert_string_equal(why.text, cases[i].why);
		assert_int_equal(c.n_running, cases[i].running);
		assert_int_equal(teardown(state), 0);
		assert_int_equal(lcores_fake.n_waited, cases[i].running);
	}
	memset(&c, 0, sizeof(c));
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
	struct driver_probes batch = { .number = 0, .n = 1 };

	(void)state;
	assert_int_equal(lcores_prove(&c, &batch), -ENODEV);
	lcores_fake.still = true;
	start_workers(N);
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
}

static void a_worker_that_stands_still_keeps_its_batch_and_its_turn(void **state)
{
	struct driver_probes batch = { .number = 7, .n = 1 };

	(void)state;
	lcores_fake.still = true;
	start_workers(N);
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
}

SUITE(lcores)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_worker_has_its_own_of_all),
		T(all_are_parked_and_graced_and_given_tables),
		T(one_worker_alone_hands_nothing_over),
		T(workers_that_sleep_are_woken_to_end),
		T(frames_that_wait_go_with_their_ring),
		T(what_a_worker_lacks_is_said_and_the_rest_ends),
		T(probe_packets_go_to_each_worker_in_turn),
		T(a_worker_that_stands_still_keeps_its_batch_and_its_turn),
	};

	answer_eal();
	answer_lcores();
	return cmocka_run_group_tests_name("lcores", tests, start_dpdk, NULL);
}
