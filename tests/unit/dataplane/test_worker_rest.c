/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker that has nothing to do: how it waits, what wakes it, and how the control thread holds
 * and ends it.
 */
#include "tests/unit/suite.h"
#include "worker_scene.h"

static int make_event(uint64_t n)
{
	return eventfd((unsigned int)n, EFD_NONBLOCK | EFD_CLOEXEC);
}

static bool is_set(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0) == 1;
}

/* A sleep that lasts @p us, with the interrupts that are on then. */
static struct sleep {
	unsigned int us, round;
	int on[N_PORTS][QUEUES];
} sleeps[300];
static unsigned int n_sleeps;

static void note_sleep(unsigned int us)
{
	struct sleep *s = &sleeps[n_sleeps++];

	s->us = us;
	s->round = edge.round;
	for (uint32_t p = 0; p < N_PORTS; p++)
		memcpy(s->on[p], edge.interrupts_on[p + 1], sizeof(s->on[p]));
}

/* Idle rounds until sleeps get no longer, and three more of these. */
#define SPINS  (WORKER_IDLE_SPIN - 1)         /* rounds before the first sleep */
#define SHORT  (WORKER_SLEEP_US / 10 - 1)     /* sleeps before the longest ones */
#define ROUNDS (WORKER_IDLE_SPIN + SHORT + 2) /* where no round is made within a sleep */

static void rest_idle(void)
{
	n_sleeps = 0;
	edge.on_sleep = note_sleep;
	make_rounds(ROUNDS);
}

static void an_idle_worker_spins_then_sleeps_longer_and_longer(void **state)
{
	(void)state;
	rest_idle();
	assert_int_equal(n_sleeps, SHORT + 3);
	assert_int_equal(w.counts.sleeps, n_sleeps);
	assert_int_equal(w.counts.interrupts, 0);
	for (unsigned int i = 0; i < n_sleeps; i++) {
		assert_int_equal(sleeps[i].round, WORKER_IDLE_SPIN + i);
		assert_int_equal(sleeps[i].us, i < SHORT ? 10 * (i + 1) : WORKER_SLEEP_US);
	}
}

static void interrupts_are_waited_for_where_all_our_queues_have_them(void **state)
{
	static const struct {
		int interrupt[N_PORTS]; /* -1: none */
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

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct sleep *last = &sleeps[SHORT];

		assert_int_equal(teardown(state), 0);
		setup(state);
		w.shares = cases[i].shares;
		edge.interrupt_says = cases[i].says;
		for (uint32_t p = 0; p < N_PORTS; p++) {
			w.ports[p].rx = cases[i].rx[p];
			w.ports[p].interrupt = cases[i].interrupt[p];
		}
		rest_idle();
		assert_int_equal(last->us, cases[i].all ? WORKER_WAIT_MS * 1000 : WORKER_SLEEP_US);
		for (uint32_t p = 0; p < N_PORTS; p++) {
			if (cases[i].rx[p] >= 0)
				assert_int_equal(last->on[p][cases[i].rx[p]], cases[i].on[p]);
			for (uint32_t q = 0; q < QUEUES; q++) { /* else they are off */
				assert_int_equal(sleeps[0].on[p][q], 0);
				assert_int_equal(edge.interrupts_on[p + 1][q], 0);
			}
		}
	}
}

/* What comes while the worker waits for interrupts. */
static struct {
	bool wake, tap, interrupt;
} comes;

static void let_it_come(unsigned int us)
{
	const uint64_t one = 1;

	if (us != WORKER_WAIT_MS * 1000)
		return;
	w.stop = true;
	if (comes.wake)
		assert_int_equal(write(w.wake, &one, sizeof(one)), sizeof(one));
	if (comes.interrupt)
		assert_int_equal(write(w.ports[2].interrupt, &one, sizeof(one)), sizeof(one));
	if (comes.tap)
		assert_int_equal(write(edge.kernel[1], &one, sizeof(one)), sizeof(one));
}

/* What wakes a worker is taken off, but for a TAP's frames. */
static void a_rest_ends_by_what_is_waited_for(void **state)
{
	for (int i = 0; i < 8; i++) {
		assert_int_equal(teardown(state), 0);
		setup(state);
		comes.wake = i & 1;
		comes.tap = i & 2;
		comes.interrupt = i & 4;
		w.wake = make_event(0);
		open_tap(1, false);
		for (uint32_t p = 0; p < N_PORTS; p++)
			w.ports[p].interrupt = make_event(0);
		edge.on_sleep = let_it_come;
		make_rounds(1000);
		assert_int_equal(edge.n_ready, comes.wake + comes.tap + comes.interrupt);
		assert_int_equal(w.counts.interrupts, comes.interrupt);
		assert_false(is_set(w.wake));
		assert_false(is_set(w.ports[2].interrupt));
		assert_int_equal(is_set(w.ports[1].tap), comes.tap);
		for (uint32_t p = 0; p < N_PORTS; p++)
			close(w.ports[p].interrupt);
		close(w.wake);
	}
}

static void come_as_interrupts_go_on(unsigned int round)
{
	if (round == WORKER_IDLE_SPIN + SHORT)
		come_in(1, DROPPED, 0, 1);
}

/* It raises no interrupt. */
static void what_came_before_interrupts_were_on_is_looked_for(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < N_PORTS; i++)
		w.ports[i].interrupt = 4;
	edge.on_round = come_as_interrupts_go_on;
	rest_idle();
	assert_int_equal(w.counts.frames, 1);
	assert_int_equal(n_sleeps, SHORT); /* that was the round within a sleep: it spins again */
	assert_int_equal(w.counts.sleeps, SHORT + 1);
	assert_int_equal(edge.interrupts_on[1][0], 0);
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

SUITE(worker_rest)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_idle_worker_spins_then_sleeps_longer_and_longer),
		T(interrupts_are_waited_for_where_all_our_queues_have_them),
		T(a_rest_ends_by_what_is_waited_for),
		T(what_came_before_interrupts_were_on_is_looked_for),
		T(a_worker_parks_goes_on_and_ends),
	};

	answer_all();
	return cmocka_run_group_tests_name("worker rest", tests, NULL, NULL);
}
