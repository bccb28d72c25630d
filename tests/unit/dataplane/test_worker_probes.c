/* SPDX-License-Identifier: BSD-2-Clause */
/* Probe packets in a worker (dataplane/dpdk/worker.c): the stages run on them, and none leaves. */
#include "worker_scene.h"

static void add_probe(struct edge_head head)
{
	struct driver_probe *p = &w.probes.probes[w.probes.n++];

	w.probes.ifindex = 5;
	p->length = EDGE_LEN;
	memset(p->frame, 0, sizeof(p->frame));
	memcpy(p->frame, &head, sizeof(head));
}

/* The worker has them, and its next round. @return frames of that round */
static uint32_t run_probes(void)
{
	w.prove = true;
	return serve_all(&w, &r, false);
}

static void a_probe_goes_through_the_stages_and_comes_back(void **state)
{
	(void)state;
	add_probe((struct edge_head){ 11, FWD_REASON_FORWARDED, 6, 0, 0 });
	add_probe((struct edge_head){ 12, FWD_REASON_NO_BACKEND, 6, 0, 0 });
	add_probe((struct edge_head){ 13, FWD_REASON_NOT_OURS, 6, 0, 0 });
	assert_int_equal(run_probes(), 0);
	assert_false(w.prove);
	assert_int_equal(edge.n_sent, 0);
	assert_int_equal(edge.n_given, 0);
	assert_int_equal(edge.ingress[0], 5);
	assert_int_equal(w.probes.probes[0].result, DRIVER_PROBE_SENT);
	assert_int_equal(w.probes.probes[0].reason, FWD_REASON_FORWARDED);
	assert_int_equal(w.probes.probes[0].length, EDGE_LEN + EDGE_GROWS);
	assert_int_equal(w.probes.probes[0].frame[EDGE_GROWS],
	                 11); /* behind what was put in front */
	assert_int_equal(w.probes.probes[1].result, DRIVER_PROBE_KEPT);
	assert_int_equal(w.probes.probes[1].reason, FWD_REASON_NO_BACKEND);
	assert_int_equal(w.probes.probes[2].result, DRIVER_PROBE_KEPT);
	assert_int_equal(w.probes.probes[2].reason, FWD_REASON_NOT_OURS);
	assert_int_equal(w.counts.frames, 0); /* no queue had them */
	assert_int_equal(serve_all(&w, &r, false), 0);
	for (size_t i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++)
		assert_memory_equal(&cpus[i], &(struct fwd_cpu){ 0 }, sizeof(cpus[i]));
}

static void a_probe_without_a_port_to_leave_by_is_refused(void **state)
{
	(void)state;
	add_probe((struct edge_head){ 11, FWD_REASON_FORWARDED, 1, 0, 0 });
	add_probe((struct edge_head){ 12, FWD_REASON_FORWARDED, 0, 0, 0 }); /* back */
	run_probes();
	assert_int_equal(w.probes.probes[0].result, DRIVER_PROBE_KEPT);
	assert_int_equal(w.probes.probes[0].reason, FWD_REASON_NOT_SENT);
	assert_int_equal(w.probes.probes[1].result, DRIVER_PROBE_SENT);
	w.probes.n = 0;
	add_probe((struct edge_head){ 12, FWD_REASON_FORWARDED, 0, 0, 0 });
	w.probes.ifindex = 99; /* the port went meanwhile */
	run_probes();
	assert_int_equal(w.probes.probes[0].reason, FWD_REASON_NOT_SENT);
	assert_int_equal(cpus[1].reason[FWD_REASON_NOT_SENT], 0);
}

static void packets_of_the_same_round_go_their_way(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < DRIVER_PROBES_MAX; i++)
		add_probe((struct edge_head){ 1, FWD_REASON_FORWARDED, 6, 0, 0 });
	come_in(1, (struct edge_head){ 21, FWD_REASON_FORWARDED, 7, 0, 0 });
	assert_int_equal(run_probes(), 1);
	assert_int_equal(edge.n_sent, 1);
	assert_sent(0, 3, 21);
	for (uint32_t i = 0; i < DRIVER_PROBES_MAX; i++)
		assert_int_equal(w.probes.probes[i].result, DRIVER_PROBE_SENT);
	assert_int_equal(cpus[1].received, 1);
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
		add_probe((struct edge_head){ 11, FWD_REASON_FORWARDED, 6, 0, 0 });
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

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_probe_goes_through_the_stages_and_comes_back),
		T(a_probe_without_a_port_to_leave_by_is_refused),
		T(packets_of_the_same_round_go_their_way),
		T(an_idle_worker_answers_soon),
	};

	return cmocka_run_group_tests_name("worker probes", tests, NULL, NULL);
}
