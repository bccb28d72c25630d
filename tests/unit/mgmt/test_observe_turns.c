/* SPDX-License-Identifier: BSD-2-Clause */
/* The observer's thread: how often it looks, what it says of processes, and that it holds nothing while it waits. */
#include "tests/unit/suite.h"
#include "this_node.h"

#include <time.h>

#include "ctl_server.h"
#include "mgmt/status/observer.h"
#include "weir/stats.h"

#define EVERY 500 /* ms; not the code's own */

static struct ctl_server dns;

static int setup(void **state)
{
	(void)node_setup(state);
	observe_end(&this_node); /* the observer has its own */
	this_node.started_ms = clock_mono_ms();
	assert_int_equal(stats_create(node_place.root, "mgmt", 64, &this_node.stats), 0);
	ctl_server_start(&dns, node_place.root, "dns");
	observer_open(&this_node);
	assert_int_equal(observer_start(&this_node), 0);
	return 0;
}

static int teardown(void **state)
{
	core_lock(&this_node);
	this_node.stopping = true;
	core_changed(&this_node);
	core_unlock(&this_node);
	observer_stop(&this_node);
	ctl_server_stop(&dns);
	stats_close(this_node.stats);
	return node_teardown(state);
}

/* Wait until weir-dns was asked @p n times more. */
static void wait_for_questions(unsigned n)
{
	unsigned before = __atomic_load_n(&dns.n_asked, __ATOMIC_ACQUIRE);

	while (__atomic_load_n(&dns.n_asked, __ATOMIC_ACQUIRE) - before < n)
		usleep(1000);
}

/* weir-dns does not answer: whoever wants the lock gets it meanwhile. */
static void it_looks_twice_a_second_and_waits_without_the_lock(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		struct timespec soon;

		wait_for_questions(1);
		clock_gettime(CLOCK_REALTIME, &soon);
		soon.tv_sec += soon.tv_nsec / 800000000; /* within 0.2 s */
		soon.tv_nsec = (soon.tv_nsec + 200000000) % 1000000000;
		assert_int_equal(pthread_mutex_timedlock(&this_node.lock, &soon), 0);
		pthread_mutex_unlock(&this_node.lock);
	}
	uint64_t least_ms = (__atomic_load_n(&dns.n_asked, __ATOMIC_ACQUIRE) - 1) * EVERY;

	assert_in_range(clock_mono_ms() - this_node.started_ms, least_ms, 40 * EVERY);
}

/* Each change of a process is recorded once. */
static unsigned count_events(const char *words)
{
	struct journal *j = intent_journal(this_node.intent);
	unsigned n = 0;

	core_lock(&this_node);
	for (uint64_t id = journal_oldest(j); id <= journal_last(j); id++) {
		const struct event *e = journal_find(j, id);

		n += !strcmp(e->kind, "process") && !strcmp(e->subject, "dns") &&
		     !strcmp(e->message, words);
	}
	core_unlock(&this_node);
	return n;
}

static void a_process_that_comes_and_goes_is_an_event(void **state)
{
	static const char runs[] = "weir-dns runs", is_gone[] = "weir-dns shows no sign of life";
	struct stats *stats;

	(void)state;
	wait_for_questions(2);
	assert_int_equal(count_events(is_gone), 0); /* it never ran */
	assert_int_equal(stats_create(node_place.root, "dns", 8, &stats), 0);
	stats_alive(stats, clock_mono_ms() + 60000);
	wait_for_questions(3);
	assert_int_equal(count_events(runs), 1);
	stats_alive(stats, clock_mono_ms() - 10000);
	wait_for_questions(3);
	assert_int_equal(count_events(runs), 1);
	assert_int_equal(count_events(is_gone), 1);
	stats_close(stats);
}

SUITE(observe_turns)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(it_looks_twice_a_second_and_waits_without_the_lock),
		T(a_process_that_comes_and_goes_is_an_event),
	};

	return cmocka_run_group_tests_name("turns of the observer's thread", tests, NULL, NULL);
}
