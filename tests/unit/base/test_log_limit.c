/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/log_limit.h"

static void a_storm_is_cut_and_every_suppressed_line_is_reported(void **state)
{
	struct log_limit l = { .n = 0 };
	char name[LOG_LIMIT_NAME_MAX];
	uint64_t written = 0, reported = 0, lines, n = 0, n_reports = 0;
	(void)state;

	for (uint64_t ms = 1000; ms < 121000; ms++) { /* 66,000 lines in two minutes */
		for (int i = 0; i < (ms % 20 == 0 ? 11 : 0); i++, n++)
			written += log_limit_take(&l, "target-down", ms);
		while (log_limit_report(&l, ms, name, &lines)) {
			assert_string_equal(name, "target-down");
			reported += lines;
			n_reports++;
		}
	}
	assert_in_range(n_reports, 20, 24); /* while it lasts, and not only after it */
	assert_true(log_limit_report(&l, 130000, name, &lines));
	assert_int_equal(n, 66000);
	assert_int_equal(written + reported + lines, n);
	assert_in_range(written, 1000, LOG_LIMIT_BURST + 121 * LOG_LIMIT_A_SECOND);
	assert_false(log_limit_report(&l, 140000, name, &lines));
}

static void a_storm_of_one_event_hides_no_other(void **state)
{
	struct log_limit l = { .n = 0 };
	(void)state;

	for (int i = 0; i < 10000; i++)
		log_limit_take(&l, "target-down", 1000);
	assert_false(log_limit_take(&l, "target-down", 1000));
	assert_true(log_limit_take(&l, "store-failing", 1000));
	assert_true(log_limit_take(&l, "target-down", 1100)); /* ten a second */
	assert_false(log_limit_take(&l, "target-down", 1100));
}

static void events_beyond_the_table_share_one_entry(void **state)
{
	struct log_limit l = { .n = 0 };
	char name[32];
	unsigned written = 0;
	(void)state;

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "event-%u", i);
		written += log_limit_take(&l, name, 1000);
	}
	assert_int_equal(l.n, LOG_LIMIT_EVENTS);
	assert_int_equal(written, LOG_LIMIT_EVENTS - 1 + LOG_LIMIT_BURST);
}

static void a_clock_that_stands_or_goes_back_gives_nothing(void **state)
{
	struct log_limit l = { .n = 0 };
	unsigned written = 0;
	(void)state;

	for (unsigned i = 0; i < 1000; i++)
		written += log_limit_take(&l, "x", 5000 - i);
	assert_int_equal(written, LOG_LIMIT_BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_storm_is_cut_and_every_suppressed_line_is_reported),
		cmocka_unit_test(a_storm_of_one_event_hides_no_other),
		cmocka_unit_test(events_beyond_the_table_share_one_entry),
		cmocka_unit_test(a_clock_that_stands_or_goes_back_gives_nothing),
	};

	return cmocka_run_group_tests_name("log_limit", tests, NULL, NULL);
}
