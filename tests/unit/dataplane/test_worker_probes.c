/* SPDX-License-Identifier: BSD-2-Clause */
/* Probe packets in a worker (dataplane/dpdk/worker.c): the stages run on them, and none leaves. */
#include "tests/unit/suite.h"
#include "worker_scene.h"

static void add_probe(enum kind kind, uint32_t egress, uint8_t mark)
{
	struct driver_probe *p = &w.probes.probes[w.probes.n++];

	w.probes.ifindex = 5;
	p->length = write_frame(p->frame, kind, 1, egress, mark);
}

/* The worker has them, and its next round. */
static void run_probes(void)
{
	w.prove = true;
	make_rounds(1);
	assert_false(w.prove);
}

static void a_probe_goes_through_the_stages_and_comes_back(void **state)
{
	struct world before;

	(void)state;
	world_init(&before, &world.sizes, 2);
	world_copy(&before, &world);
	open_tap(0, false);
	add_probe(FORWARDED, 6, 11);
	add_probe(DROPPED, 0, 12);
	add_probe(FOREIGN, 0, 13);
	run_probes();
	assert_int_equal(edge.n_sent, 0);
	assert_int_equal(recv(edge.kernel[0], &(uint8_t){ 0 }, 1, 0), -1);
	assert_int_equal(w.probes.probes[0].result, DRIVER_PROBE_SENT);
	assert_int_equal(w.probes.probes[0].reason, FWD_REASON_FORWARDED);
	assert_int_equal(w.probes.probes[0].length, LEN + GROWS);
	assert_int_equal(w.probes.probes[0].frame[LEN + GROWS - 1], 11);
	assert_int_equal(w.probes.probes[1].result, DRIVER_PROBE_KEPT);
	assert_int_equal(w.probes.probes[1].reason, FWD_REASON_NO_SERVICE);
	assert_int_equal(w.probes.probes[2].result, DRIVER_PROBE_KEPT);
	assert_int_equal(w.probes.probes[2].reason, FWD_REASON_NOT_OURS);
	assert_int_equal(w.counts.frames, 0); /* no queue had them */
	make_rounds(1);
	assert_null(world_difference(&before, &world)); /* nor does a counter */
	world_fini(&before);
}

static void a_probe_without_a_port_to_leave_by_is_refused(void **state)
{
	(void)state;
	add_probe(FORWARDED, 1, 11);
	add_probe(FORWARDED, 0, 12); /* back */
	run_probes();
	assert_int_equal(w.probes.probes[0].result, DRIVER_PROBE_KEPT);
	assert_int_equal(w.probes.probes[0].reason, FWD_REASON_NOT_SENT);
	assert_int_equal(w.probes.probes[1].result, DRIVER_PROBE_SENT);
	w.probes.n = 0;
	add_probe(FORWARDED, 0, 12);
	w.probes.ifindex = 99; /* the port went meanwhile */
	world_add_mac(&world, (uint8_t[6]){ 2, 0xaa, 0, 0, 0, 1 }, 99);
	run_probes();
	assert_int_equal(w.probes.probes[0].reason, FWD_REASON_NOT_SENT);
	assert_int_equal(count_of(FWD_REASON_NOT_SENT), 0);
}

/* The time of the round is the probes', too: one that is too big has an answer in each second. */
static void packets_of_the_same_round_go_their_way(void **state)
{
	(void)state;
	world.t.root->answers_per_s = 1;
	for (uint32_t i = 0; i < DRIVER_PROBES_MAX; i++)
		add_probe(i ? FORWARDED : TOO_BIG, 6, 1);
	come_in(1, FORWARDED, 7, 21);
	run_probes();
	assert_int_equal(edge.n_sent, 1);
	assert_sent(0, 3, 21);
	for (uint32_t i = 0; i < DRIVER_PROBES_MAX; i++)
		assert_int_equal(w.probes.probes[i].result, DRIVER_PROBE_SENT);
	assert_int_equal(world.t.cpus[1].received, 1);
	w.probes.n = 0;
	add_probe(TOO_BIG, 6, 1);
	edge.clock.tv_sec++;
	run_probes();
	assert_int_equal(w.probes.probes[0].reason, FWD_REASON_TOO_BIG_ANSWERED);
}

static void *run_worker(void *arg)
{
	return worker_main(arg) ? arg : NULL;
}

/* An idle worker sleeps, and is not woken for a probe. */
static void an_idle_worker_answers_soon(void **state)
{
	pthread_t thread;
	void *err;

	(void)state;
	w.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_int_equal(pthread_create(&thread, NULL, run_worker, &w), 0);
	for (int i = 0; i < 3; i++) {
		w.probes.n = 0;
		add_probe(FORWARDED, 6, 11);
		__atomic_store_n(&w.prove, true, __ATOMIC_RELEASE);
		for (int k = 0; k < 10000 && __atomic_load_n(&w.prove, __ATOMIC_ACQUIRE); k++)
			usleep(1000);
		assert_false(__atomic_load_n(&w.prove, __ATOMIC_ACQUIRE));
		assert_int_equal(w.probes.probes[0].result, DRIVER_PROBE_SENT);
	}
	__atomic_store_n(&w.stop, true, __ATOMIC_RELEASE);
	assert_int_equal(pthread_join(thread, &err), 0);
	assert_null(err);
	close(w.wake);
}

SUITE(worker_probes)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_probe_goes_through_the_stages_and_comes_back),
		T(a_probe_without_a_port_to_leave_by_is_refused),
		T(packets_of_the_same_round_go_their_way),
		T(an_idle_worker_answers_soon),
	};

	answer_all();
	return cmocka_run_group_tests_name("worker probes", tests, NULL, NULL);
}
