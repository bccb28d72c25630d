/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log_limit.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define BURST     200u
#define A_SECOND  10u
#define EVENTS    64u
#define REPORT_MS 5000u

static void a_storm_is_cut_and_every_suppressed_line_is_reported(void **state)
{
	struct log_limit l = { .n = 0 };
	char name[LOG_LIMIT_NAME_MAX];
	uint64_t written = 0, reported = 0, lines, n = 0, n_reports = 0;
	(void)state;

	for (uint64_t ms = 1000; ms < 121000; ms++) { /* 66,000 lines in two minutes */
		for (int i = 0; i < (ms % 20 == 0 ? 11 : 0); i++, n++)
			written += log_limit_admit(&l, "target-down", ms);
		for (; n_reports < 25 && log_limit_report(&l, ms, name, &lines); n_reports++) {
			assert_string_equal(name, "target-down");
			reported += lines;
		}
	}
	assert_in_range(n_reports, 20, 24); /* while it lasts, and not only after it */
	assert_true(log_limit_report(&l, 130000, name, &lines));
	assert_int_equal(n, 66000);
	assert_int_equal(written + reported + lines, n);
	assert_in_range(written, 1000, BURST + 121 * A_SECOND);
	assert_false(log_limit_report(&l, 140000, name, &lines));
}

static void a_storm_of_one_event_hides_no_other(void **state)
{
	struct log_limit l = { .n = 0 };
	(void)state;

	for (int i = 0; i < 10000; i++)
		log_limit_admit(&l, "target-down", 1000);
	assert_false(log_limit_admit(&l, "target-down", 1000));
	assert_true(log_limit_admit(&l, "store-failing", 1000));
	assert_true(log_limit_admit(&l, "target-down", 1100)); /* ten a second */
	assert_false(log_limit_admit(&l, "target-down", 1100));
}

static void events_beyond_the_table_share_one_entry(void **state)
{
	struct log_limit l = { .n = 0 };
	char name[32];
	unsigned written = 0;
	(void)state;

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "event-%u", i);
		written += log_limit_admit(&l, name, 1000);
	}
	assert_int_equal(l.n, EVENTS);
	assert_int_equal(written, EVENTS - 1 + BURST);
}

/*
 * A report comes five seconds after the first line that was left out, with all of them until
 * then.
 */
static void a_report_comes_in_its_time_and_begins_again(void **state)
{
	struct log_limit l = { .n = 0 };
	char name[LOG_LIMIT_NAME_MAX];
	uint64_t lines = 77;

	(void)state;
	for (unsigned i = 0; i < BURST + 3; i++)
		log_limit_admit(&l, "a", 1000);
	for (unsigned i = 0; i < BURST + 5; i++)
		log_limit_admit(&l, "b", 1500);
	assert_false(log_limit_report(&l, 1000 + REPORT_MS - 1, name, &lines));
	assert_int_equal(lines, 77);
	assert_true(log_limit_report(&l, 1000 + REPORT_MS, name, &lines));
	assert_string_equal(name, "a");
	assert_int_equal(lines, 3);
	assert_false(log_limit_report(&l, 1500 + REPORT_MS - 1, name, &lines));
	assert_true(log_limit_report(&l, 1500 + REPORT_MS, name, &lines));
	assert_string_equal(name, "b");
	assert_int_equal(lines, 5);
	assert_false(log_limit_report(&l, 100000, name, &lines));
	for (unsigned i = 0; i < BURST + 1; i++)
		log_limit_admit(&l, "a", 200000);
	assert_false(log_limit_report(&l, 200000 + REPORT_MS - 1, name, &lines));
	assert_true(log_limit_report(&l, 200000 + REPORT_MS, name, &lines));
	assert_int_equal(lines, 1);
}

/*
 * Ten lines a second: one each tenth, also when many steps of the clock make it up; a rest fills
 * the burst and no more.
 */
static void tokens_come_with_time(void **state)
{
	struct log_limit l = { .n = 0 };
	unsigned written = 0;

	(void)state;
	for (unsigned i = 0; i < BURST; i++)
		assert_true(log_limit_admit(&l, "a", 1000));
	assert_false(log_limit_admit(&l, "a", 1000));
	assert_false(log_limit_admit(&l, "a", 1099));
	assert_true(log_limit_admit(&l, "a", 1100));
	for (uint64_t ms = 1101; ms <= 1199; ms++)
		assert_false(log_limit_admit(&l, "a", ms));
	assert_true(log_limit_admit(&l, "a", 1200));
	for (unsigned i = 0; i < 2 * BURST; i++)
		written += log_limit_admit(&l, "a", 1200 + 1000 * BURST / A_SECOND - 100);
	assert_int_equal(written, BURST - 1);
	for (written = 0; log_limit_admit(&l, "a", UINT64_MAX - 5);)
		written++;
	assert_int_equal(written, BURST);
}

static void events_are_told_apart_by_what_is_kept_of_their_names(void **state)
{
	struct log_limit l = { .n = 0 };
	char name[100];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[LOG_LIMIT_NAME_MAX - 1] = '\0';
	for (unsigned i = 0; i < BURST; i++)
		assert_true(log_limit_admit(&l, name, 1000));
	assert_false(log_limit_admit(&l, name, 1000));
	name[LOG_LIMIT_NAME_MAX - 2] = 'x'; /* the last that is kept */
	assert_true(log_limit_admit(&l, name, 1000));
	name[LOG_LIMIT_NAME_MAX - 2] = '\0'; /* the beginning of another */
	assert_true(log_limit_admit(&l, name, 1000));
	assert_int_equal(l.n, 3);
}

static void a_clock_that_stands_or_goes_back_gives_nothing(void **state)
{
	struct log_limit l = { .n = 0 };
	unsigned written = 0;
	(void)state;

	for (unsigned i = 0; i < 1000; i++)
		written += log_limit_admit(&l, "x", 5000 - i);
	assert_int_equal(written, BURST);
}

SUITE(log_limit)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_storm_is_cut_and_every_suppressed_line_is_reported),
		cmocka_unit_test(a_storm_of_one_event_hides_no_other),
		cmocka_unit_test(events_beyond_the_table_share_one_entry),
		cmocka_unit_test(a_report_comes_in_its_time_and_begins_again),
		cmocka_unit_test(tokens_come_with_time),
		cmocka_unit_test(events_are_told_apart_by_what_is_kept_of_their_names),
		cmocka_unit_test(a_clock_that_stands_or_goes_back_gives_nothing),
	};

	return cmocka_run_group_tests_name("log_limit", tests, NULL, NULL);
}
