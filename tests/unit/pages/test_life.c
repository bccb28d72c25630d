/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a process lives (weir/life.h). The limits below are the documented ones: a change of those is seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/life.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define EVER     UINT64_MAX

static void each_sign_decides_in_its_turn(void **state)
{
	static const struct life_limit limit = { 2000, 5000 };
	static const struct {
		const char *why;
		/* is_shown, has_ended, begins, has_job, silent_ms, watched_ms */
		struct life_signs s;
		enum life life;
	} rows[] = {
		{ "nothing is shown", { false, true, true, true, 0, 0 }, LIFE_UNKNOWN },
		{ "nor is it later", { false, true, false, false, EVER, EVER }, LIFE_UNKNOWN },
		{ "it signed just now", { true, false, false, false, 0, 0 }, LIFE_RUNNING },
		{ "at the limit", { true, false, false, false, 2000, 2000 }, LIFE_RUNNING },
		{ "over the limit", { true, false, false, false, 2001, 2001 }, LIFE_HUNG },
		{ "a clock's whole range", { true, false, false, false, EVER, EVER }, LIFE_HUNG },
		{ "paused as well", { true, false, false, false, EVER, 0 }, LIFE_UNKNOWN },
		{ "back for not long", { true, false, false, false, 9000, 2000 }, LIFE_UNKNOWN },
		{ "back for long enough", { true, false, false, false, 9000, 2001 }, LIFE_HUNG },
		{ "a job that may be so long",
		  { true, false, false, true, 9000, 9000 },
		  LIFE_BUSY },
		{ "a job, and not silent", { true, false, false, true, 2000, 2000 }, LIFE_RUNNING },
		{ "a job, and paused", { true, false, false, true, 9000, 0 }, LIFE_UNKNOWN },
		{ "its first job", { true, false, true, true, 0, 0 }, LIFE_STARTING },
		{ "its first job, long", { true, false, true, true, EVER, EVER }, LIFE_STARTING },
		{ "its first job's time is over", { true, false, true, false, 0, 0 }, LIFE_HUNG },
		{ "it ended just now", { true, true, false, false, 0, 0 }, LIFE_RUNNING },
		{ "it ended, and is silent", { true, true, false, false, 2001, 2001 }, LIFE_HUNG },
		{ "another may be started", { true, true, false, false, 4999, 4999 }, LIFE_HUNG },
		{ "none was started", { true, true, false, false, 5000, 5000 }, LIFE_GONE },
		{ "who starts it was paused, too",
		  { true, true, false, false, EVER, 0 },
		  LIFE_UNKNOWN },
		{ "who starts it is back", { true, true, false, false, EVER, 4999 }, LIFE_HUNG },
		{ "nor did it come then", { true, true, false, false, EVER, 5000 }, LIFE_GONE },
		{ "its job ended with it", { true, true, false, true, 4999, 4999 }, LIFE_HUNG },
		{ "it ended in its first job", { true, true, true, true, 5000, 5000 }, LIFE_GONE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (life_judge(&rows[i].s, &limit) != rows[i].life)
			fail_msg("%s: %d", rows[i].why, (int)life_judge(&rows[i].s, &limit));
}

/* Where nothing waits for a successor, what has ended is gone at once. */
static void each_use_has_its_limits(void **state)
{
	static const struct life_limit limits[] = {
		[LIFE_FOR_STATUS] = { 2000, 0 },  [LIFE_FOR_COUNTS] = { 3000, 0 },
		[LIFE_FOR_OFFLINE] = { 2500, 0 }, [LIFE_FOR_ANSWERS] = { 2000, 5000 },
		[LIFE_FOR_STOP] = { 5000, 0 },    [LIFE_FOR_RESTART] = { 10000, 0 },
	};
	struct life_signs ended = { .is_shown = true, .has_ended = true };

	(void)state;
	assert_int_equal(COUNT(limits), LIFE_USE_COUNT);
	for (int use = 0; use < LIFE_USE_COUNT; use++) {
		struct life_signs s = { .is_shown = true };

		s.silent_ms = s.watched_ms = limits[use].hung_ms;
		assert_int_equal(life_judge(&s, &life_limits[use]), LIFE_RUNNING);
		s.silent_ms = s.watched_ms = limits[use].hung_ms + 1;
		assert_int_equal(life_judge(&s, &life_limits[use]), LIFE_HUNG);
		assert_true(life_is_fresh(7, (enum life_use)use, 7 + limits[use].hung_ms));
		assert_false(life_is_fresh(7, (enum life_use)use, 8 + limits[use].hung_ms));
		assert_true(life_is_fresh(7, (enum life_use)use, 6)); /* signed since then */
		assert_int_equal(life_judge(&ended, &life_limits[use]),
		                 limits[use].gone_ms ? LIFE_RUNNING : LIFE_GONE);
	}
}

/* What a watcher sees of a page that was signed at beat_ms, after it looked at each of the times. */
static void silence_counts_as_far_as_it_was_watched(void **state)
{
	static const struct {
		const char *why;
		uint64_t looks_ms[4], beat_ms, now_ms, silent_ms, watched_ms;
	} rows[] = {
		{ "no look yet: all that the page shows", { 0 }, 1000, 61000, 60000, 60000 },
		{ "the first sign after a boot", { 0 }, 0, 0, 0, 0 },
		{ "it signs between reading the clock and the page", { 0 }, 1001, 1000, 0, 0 },
		{ "a page of before the boot", { 0 }, EVER, 5000, 0, 0 },
		{ "it looks all the time", { 60000, 60500, 61000 }, 1000, 61400, 60400, 60400 },
		{ "just no pause", { 60000 }, 1000, 60999, 59999, 59999 },
		{ "a pause that is not over", { 60000 }, 59000, 61000, 2000, 0 },
		{ "at the limit before it", { 60000 }, 58000, 61000, 3000, 0 },
		{ "over the limit before it", { 60000 }, 57999, 61000, 3001, 2001 },
		{ "hung before, and after", { 60000, 90000, 90500 }, 1000, 90900, 89900, 2001 },
		{ "hung before two pauses", { 60000, 90000, 91000 }, 1000, 91500, 90500, 2001 },
		{ "back between two pauses", { 60000, 90000, 91000 }, 90100, 91500, 1400, 500 },
		{ "after a pause", { 60000, 90000 }, 60000, 90999, 30999, 999 },
		{ "long after it", { 60000, 90000, 90900, 91700 }, 60000, 92000, 32000, 2000 },
		{ "signed since then", { 60000, 90000, 90900 }, 90500, 91000, 500, 500 },
		{ "two threads' clocks", { 60000, 90000 }, 60000, 89999, 29999, 0 },
		{ "a clock that was set back", { 60000, 90000, 5000 }, 1000, 5500, 4500, 4500 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct life_watch w = { 0 };

		for (size_t k = 0; k < 4 && rows[i].looks_ms[k]; k++)
			life_look(&w, LIFE_FOR_STATUS, rows[i].looks_ms[k]);
		struct life_signs s =
		        life_signs_at(rows[i].beat_ms, i % 2, &w, LIFE_FOR_STATUS, rows[i].now_ms);

		if (s.silent_ms != rows[i].silent_ms || s.watched_ms != rows[i].watched_ms)
			fail_msg("%s: %llu %llu", rows[i].why, (unsigned long long)s.silent_ms,
			         (unsigned long long)s.watched_ms);
		assert_true(s.is_shown && s.has_ended == (i % 2 != 0));
		assert_false(s.begins || s.has_job);
	}
	/* one that looks once knows no pause */
	assert_int_equal(life_signs_at(1, false, NULL, LIFE_FOR_STATUS, 9001).watched_ms, 9000);
	/* a longer limit bears a longer pause */
	assert_false(life_was_away(2499, 5000));
	assert_true(life_was_away(2500, 5000));
}

SUITE(life)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_sign_decides_in_its_turn),
		cmocka_unit_test(each_use_has_its_limits),
		cmocka_unit_test(silence_counts_as_far_as_it_was_watched),
	};

	return cmocka_run_group_tests_name("pages life", tests, NULL, NULL);
}
