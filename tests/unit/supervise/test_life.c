/* SPDX-License-Identifier: BSD-2-Clause */
/* When the supervisor takes a process for hanging (supervise/watch.h). Time is passed in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "supervise/watch.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define LOOK_MS 500u

#define HANG_MS 10000u

static struct run_signs signs_of(uint64_t turns)
{
	struct run_signs s = { .n_threads = 1 };

	strcpy(s.threads[0].name, "main");
	s.threads[0].turns = turns;
	return s;
}

/* @return after how many looks of 500 ms the verdict is @p until, at most @p most */
static int count_looks(struct run_life *l, const struct run_signs *s, enum life until, int most)
{
	for (int i = 1; i <= most; i++)
		if (run_life_feed(l, s, 500, HANG_MS, 1000) == until)
			return i;
	return -1;
}

static void a_thread_that_makes_no_turn_hangs_after_the_whole_time(void **state)
{
	struct run_life l = { 0 };
	struct run_signs s = signs_of(7);

	(void)state;
	assert_int_equal(run_life_feed(&l, &s, 500, HANG_MS, 1000), LIFE_RUNNING);
	assert_string_equal(l.thread, ""); /* none is silent */
	assert_int_equal(count_looks(&l, &s, LIFE_HUNG, 100), 20);
	assert_int_equal(l.silent_ms, HANG_MS);
	assert_string_equal(l.thread, "main");
	s.threads[0].turns++;
	assert_int_equal(run_life_feed(&l, &s, 500, HANG_MS, 1000), LIFE_RUNNING);
	assert_int_equal(l.silent_ms, 0);
	assert_string_equal(l.thread, "");
}

/* What it waited, in all, is the second number of a process's schedstat. */
static void the_wait_for_a_processor_is_read(void **state)
{
	static const struct {
		const char *schedstat;
		uint64_t waited_ms;
	} cases[] = {
		{ "92591000000 7000000000 12\n", 7000 },
		{ "92991000000 7000000000 13\n", 0 },
		{ "92991000000 7120999999 14\n", 120 },
		{ "92991000000 7121000000 14\n", 1 },
		{ "", 0 },
		{ "92991000000", 0 },
		{ "92991000000 9620000000 15\n", 2499 },
	};
	uint64_t known_ms = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(run_waited_ms(&known_ms, cases[i].schedstat), cases[i].waited_ms);
}

/* Started again, it would have more to do, and no more time. The workers have processors of their own. */
static void a_thread_that_waits_for_a_processor_is_not_silent(void **state)
{
	struct run_life l = { 0 };
	struct run_signs s = signs_of(7);

	(void)state;
	s.has_workers = true;
	s.waited_ms = 2000; /* the first look learns what it waited before */
	assert_int_equal(count_looks(&l, &s, LIFE_HUNG, 200), -1);
	assert_int_equal(l.silent_ms, 0);
	assert_false(l.forwards);
	s.waited_ms = 400;
	assert_int_equal(count_looks(&l, &s, LIFE_HUNG, 200), 100);
}

/* The kernel adds a wait when it ends, which may be looks after it began. */
static void a_wait_of_several_looks_is_no_silence(void **state)
{
	struct run_life l = { 0 };
	struct run_signs s = signs_of(7);

	(void)state;
	for (int i = 0; i < 60; i++) {
		s.waited_ms = 0;
		assert_int_equal(count_looks(&l, &s, LIFE_HUNG, 4), -1);
		s.waited_ms = 2400;
		assert_int_equal(count_looks(&l, &s, LIFE_HUNG, 1), -1);
	}
	assert_in_range(l.silent_ms, 60 * 100 - 500, 60 * 100);
}

static void one_thread_of_many_is_enough(void **state)
{
	struct run_life l = { 0 };
	struct run_signs s = signs_of(7);

	(void)state;
	s.n_threads = 2;
	strcpy(s.threads[1].name, "dns-1");
	for (int i = 0; i < 20; i++) {
		assert_int_equal(run_life_feed(&l, &s, 500, HANG_MS, 1000), LIFE_RUNNING);
		s.threads[0].turns++;
	}
	assert_int_equal(run_life_feed(&l, &s, 500, HANG_MS, 1000), LIFE_HUNG);
	assert_string_equal(l.thread, "dns-1");
	s.n_threads = 1; /* it has ended: nothing is expected of it */
	s.threads[0].turns++;
	assert_int_equal(run_life_feed(&l, &s, 500, HANG_MS, 1000), LIFE_RUNNING);
}

/* Another thread that was silent for a moment does not hide the one that hangs, whichever comes first. */
static void the_longest_silence_counts(void **state)
{
	(void)state;
	for (int hung = 0; hung < 2; hung++) {
		struct run_life l = { 0 };
		struct run_signs s = signs_of(7);

		s.n_threads = 2;
		strcpy(s.threads[1].name, "dns-1");
		for (int i = 0; i < 20; i++) {
			assert_int_equal(run_life_feed(&l, &s, 500, HANG_MS, 1000), LIFE_RUNNING);
			s.threads[1 - hung].turns += i % 2 == 0;
		}
		assert_int_equal(run_life_feed(&l, &s, 500, HANG_MS, 1000), LIFE_HUNG);
		assert_int_equal(l.silent_ms, HANG_MS);
		assert_string_equal(l.thread, s.threads[hung].name);
	}
}

static void an_announced_job_is_waited_for_and_not_for_ever(void **state)
{
	struct run_life l = { 0 };
	struct run_signs s = signs_of(7);

	(void)state;
	s.job_until_s = 1060;
	for (int i = 0; i < 100; i++)
		assert_int_not_equal(run_life_feed(&l, &s, 500, HANG_MS, 1000), LIFE_HUNG);
	assert_int_equal(run_life_feed(&l, &s, 500, HANG_MS, 1059), LIFE_BUSY);
	assert_int_equal(run_life_feed(&l, &s, 500, HANG_MS, 1060), LIFE_HUNG);
	s.job_until_s = UINT64_MAX; /* whatever it announces */
	assert_int_equal(run_life_feed(&l, &s, 500, HANG_MS, 1000), LIFE_BUSY);
}

static void a_start_that_takes_longer_than_announced_hangs(void **state)
{
	struct run_life l = { 0 };
	struct run_signs s = { .job_until_s = 1060 };

	(void)state;
	assert_int_equal(run_life_feed(&l, &s, 500, HANG_MS, 1059), LIFE_STARTING);
	assert_int_equal(run_life_feed(&l, &s, 500, HANG_MS, 1060), LIFE_HUNG);
	assert_int_equal(l.silent_ms, 1000);
	assert_string_equal(l.thread, "main");
	struct run_signs turning = signs_of(7);
	assert_int_equal(run_life_feed(&l, &turning, 500, HANG_MS, 1060), LIFE_RUNNING);
	assert_int_equal(run_life_feed(&l, &s, 500, HANG_MS, 1059), LIFE_STARTING);
	assert_int_equal(l.silent_ms, 500); /* of this start alone */
	s.job_until_s = 0;                  /* no signs at all */
	for (int i = 0; i < 100; i++)
		assert_int_equal(run_life_feed(&l, &s, 500, HANG_MS, 2000), LIFE_UNKNOWN);
}

static void a_supervisor_that_was_late_blames_none(void **state)
{
	struct run_life l = { 0 };
	struct run_signs s = signs_of(7);

	(void)state;
	assert_true(run_watched_ms(15000, HANG_MS) == RUN_WAS_AWAY);
	assert_true(run_watched_ms(HANG_MS / 2, HANG_MS) == RUN_WAS_AWAY);
	assert_int_equal(run_watched_ms(HANG_MS / 2 - 1, HANG_MS), 2 * LOOK_MS);
	assert_int_equal(run_watched_ms(510, HANG_MS), 510);
	count_looks(&l, &s, LIFE_HUNG, 20); /* 9.5 s: nearly */
	assert_int_equal(run_life_feed(&l, &s, RUN_WAS_AWAY, HANG_MS, 1000), LIFE_RUNNING);
	assert_int_equal(l.silent_ms, 0);
	assert_int_equal(count_looks(&l, &s, LIFE_HUNG, 100), 20);
}

static void workers_that_count_forward(void **state)
{
	struct run_life l = { 0 };
	struct run_signs s = signs_of(7);

	(void)state;
	s.has_workers = true;
	for (int i = 0; i < 30; i++) {
		s.rounds += 1000;
		run_life_feed(&l, &s, 500, HANG_MS, 1000);
		assert_true(l.forwards);
	}
	assert_true(l.silent_ms > HANG_MS);
	for (int i = 0; i < 4; i++) {
		assert_true(l.forwards); /* all silence up to then */
		assert_int_equal(l.workers_silent_ms, i * 500);
		run_life_feed(&l, &s, 500, HANG_MS, 1000);
	}
	assert_false(l.forwards);
	run_life_feed(&l, &s, RUN_WAS_AWAY, HANG_MS, 1000); /* not watched: not known */
	assert_true(l.forwards);
	s.has_workers = false;
	run_life_feed(&l, &s, 500, HANG_MS, 1000);
	assert_false(l.forwards);
}

SUITE(life)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_that_makes_no_turn_hangs_after_the_whole_time),
		cmocka_unit_test(the_wait_for_a_processor_is_read),
		cmocka_unit_test(a_thread_that_waits_for_a_processor_is_not_silent),
		cmocka_unit_test(a_wait_of_several_looks_is_no_silence),
		cmocka_unit_test(one_thread_of_many_is_enough),
		cmocka_unit_test(the_longest_silence_counts),
		cmocka_unit_test(an_announced_job_is_waited_for_and_not_for_ever),
		cmocka_unit_test(a_start_that_takes_longer_than_announced_hangs),
		cmocka_unit_test(a_supervisor_that_was_late_blames_none),
		cmocka_unit_test(workers_that_count_forward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
