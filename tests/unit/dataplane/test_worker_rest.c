/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker that has nothing to do: how it waits, what wakes it, and how the control thread holds
 * and ends it.
 */
#include "worker_scene.h"

static void interrupts_are_waited_for_where_all_our_queues_have_them(void **state)
{
	static const struct {
		int interrupt[N_PORTS];
		int16_t rx[N_PORTS];
		bool shares;
		int says;
		bool all;
		int on[N_PORTS];
	} cases[] = {
		{ { 4, 5, 6 }, { 0, 1, 2 }, false, 0, true, { 1, 1, 1 } },
		{ { 4, -1, 6 }, { 0, 1, 2 }, false, 0, false, { 1, 0, 1 } },
		{ { 4, -1, 6 }, { 0, -1, 2 }, false, 0, true, { 1, 0, 1 } },
		{ { 0, 5, 6 }, { 0, 1, 2 }, false, 0, true, { 1, 1, 1 } },
		{ { 4, 5, 6 }, { 0, 1, 2 }, true, 0, false, { 1, 1, 1 } },
		{ { 4, 5, 6 }, { 0, 1, 2 }, false, -ENOTSUP, false, { 1, 1, 1 } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setup(state);
		w.shares = cases[i].shares;
		edge.interrupt_says = cases[i].says;
		for (uint32_t p = 0; p < N_PORTS; p++) {
			w.ports[p].rx = cases[i].rx[p];
			w.ports[p].interrupt = cases[i].interrupt[p];
		}
		assert_int_equal(set_interrupts(&w, true), cases[i].all);
		for (uint32_t p = 0; p < N_PORTS; p++)
			if (cases[i].rx[p] >= 0)
				assert_int_equal(edge.interrupts_on[p + 1][cases[i].rx[p]],
				                 cases[i].on[p]);
		(void)set_interrupts(&w, false);
		for (uint32_t p = 0; p < N_PORTS; p++)
			for (uint32_t q = 0; q < EDGE_QUEUES; q++)
				assert_int_equal(edge.interrupts_on[p + 1][q], 0);
	}
}

static int make_event(uint64_t n)
{
	return eventfd((unsigned int)n, EFD_NONBLOCK | EFD_CLOEXEC);
}

static bool is_set(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) == 1;
}

/* What wakes a worker is taken off, but for a TAP's frames. */
static void a_rest_ends_by_what_is_waited_for(void **state)
{
	static const struct {
		bool wake, tap, interrupt, interrupted;
	} cases[] = {
		{ false, false, false, false }, { true, false, false, false },
		{ false, true, false, false },  { false, false, true, true },
		{ true, true, true, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setup(state);
		w.wake = make_event(cases[i].wake);
		w.ports[1].tap = make_event(cases[i].tap);
		w.ports[2].interrupt = make_event(cases[i].interrupt);
		bool ends = cases[i].wake || cases[i].tap || cases[i].interrupt;
		time_t began = time(NULL);

		assert_int_equal(sleep_until_event(&w, ends ? 20000000000 : 1000),
		                 cases[i].interrupted);
		assert_true(time(NULL) - began < 15);
		assert_false(is_set(w.wake));
		assert_false(is_set(w.ports[2].interrupt));
		assert_int_equal(is_set(w.ports[1].tap), cases[i].tap);
		close(w.wake);
		close(w.ports[1].tap);
		close(w.ports[2].interrupt);
	}
}

static void an_idle_worker_spins_then_sleeps_then_waits_for_interrupts(void **state)
{
	uint32_t empty = WORKER_IDLE_SPIN - 1;

	(void)state;
	w.wake = make_event(1);
	for (uint32_t i = 0; i < N_PORTS; i++)
		w.ports[i].interrupt = w.wake; /* there at once, each time */
	sleep_idle(&w, &r, &empty);
	assert_int_equal(edge.n_pauses, 1);
	assert_int_equal(w.counts.sleeps, 0);
	empty = WORKER_IDLE_SPIN;
	sleep_idle(&w, &r, &empty);
	assert_int_equal(edge.n_pauses, 1);
	assert_int_equal(w.counts.sleeps, 1);
	assert_false(is_set(w.wake)); /* it was a rest */
	assert_int_equal(w.counts.interrupts, 0);
	(void)!write(w.wake, &(uint64_t){ 1 }, 8);
	empty = WORKER_IDLE_SPIN + WORKER_SLEEP_US / 10;
	sleep_idle(&w, &r, &empty);
	assert_int_equal(w.counts.interrupts, 1);
	assert_int_equal(w.counts.sleeps, 2);
	assert_int_equal(edge.interrupts_on[1][0], 0); /* off again */
	/* what came before they were on */
	come_in(1, (struct edge_head){ 1, FWD_REASON_MARTIAN, 0, 0, 0 });
	sleep_idle(&w, &r, &empty);
	assert_int_equal(empty, 0);
	assert_int_equal(w.counts.frames, 1);
	assert_int_equal(w.counts.interrupts, 1);
	assert_int_equal(edge.interrupts_on[1][0], 0);
	/* without interrupts: a sleep, and no second look */
	w.shares = true;
	(void)!write(w.wake, &(uint64_t){ 1 }, 8);
	empty = WORKER_IDLE_SPIN + WORKER_SLEEP_US;
	sleep_idle(&w, &r, &empty);
	assert_int_equal(w.counts.interrupts, 1);
	assert_int_equal(w.counts.sleeps, 4);
	assert_int_equal(empty, WORKER_IDLE_SPIN + WORKER_SLEEP_US);
	assert_int_equal(edge.interrupts_on[1][0], 0);
	close(w.wake);
}

static void *run_worker(void *arg)
{
	return (void *)(intptr_t)worker_main(arg);
}

/* Its tables and ports may be changed between park and unpark, and stop ends it in any state. */
static void a_worker_parks_goes_on_and_ends(void **state)
{
	static uint64_t beat;
	pthread_t thread;
	void *err;

	(void)state;
	w.n_ports = 0;
	w.wake = make_event(0);
	w.beat = &beat;
	for (int parked = 0; parked < 2; parked++) {
		uint64_t rounds;

		w.stop = false;
		assert_int_equal(pthread_create(&thread, NULL, run_worker, &w), 0);
		worker_grace(&w);
		assert_true(__atomic_load_n(&beat, __ATOMIC_RELAXED) >= 1);
		worker_park(&w);
		assert_true(__atomic_load_n(&w.parked, __ATOMIC_ACQUIRE));
		rounds = __atomic_load_n(&w.rounds, __ATOMIC_ACQUIRE);
		worker_grace(&w); /* does not wait for who is parked */
		usleep(1000);
		assert_int_equal(__atomic_load_n(&w.rounds, __ATOMIC_ACQUIRE), rounds);
		if (!parked) {
			worker_unpark(&w);
			assert_false(__atomic_load_n(&w.parked, __ATOMIC_ACQUIRE));
			worker_grace(&w);
			assert_true(__atomic_load_n(&w.rounds, __ATOMIC_ACQUIRE) >= rounds + 2);
		}
		__atomic_store_n(&w.stop, true, __ATOMIC_RELEASE);
		assert_int_equal(pthread_join(thread, &err), 0);
		assert_null(err);
		w.park = false;
	}
	assert_int_equal(beat, w.rounds);
	close(w.wake);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(interrupts_are_waited_for_where_all_our_queues_have_them),
		T(a_rest_ends_by_what_is_waited_for),
		T(an_idle_worker_spins_then_sleeps_then_waits_for_interrupts),
		T(a_worker_parks_goes_on_and_ends),
	};

	return cmocka_run_group_tests_name("worker rest", tests, NULL, NULL);
}
