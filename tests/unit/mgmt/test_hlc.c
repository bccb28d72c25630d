/* SPDX-License-Identifier: BSD-2-Clause */
/* A clock that orders commands: never behind what was seen, never led astray by a wrong clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mgmt/store/hlc.h"

/* The documented value, not the code's own. */
#define AHEAD_MS 300000
#define NOW_MS   1790000000000

static void assert_stamp(struct hlc c, int64_t ms, uint32_t count)
{
	assert_int_equal(c.ms, ms);
	assert_int_equal(c.count, count);
}

static void each_stamp_is_later_than_the_one_before(void **state)
{
	struct hlc c = { 0 };

	(void)state;
	assert_stamp(hlc_next(&c, NOW_MS), NOW_MS, 0);
	assert_stamp(hlc_next(&c, NOW_MS), NOW_MS, 1);
	assert_stamp(hlc_next(&c, NOW_MS - 5000), NOW_MS, 2); /* the wall clock went back */
	assert_stamp(hlc_next(&c, NOW_MS + 1), NOW_MS + 1, 0);
	assert_stamp(hlc_next(&c, NOW_MS), NOW_MS + 1, 1);
	c.count = UINT32_MAX;
	assert_stamp(hlc_next(&c, NOW_MS), NOW_MS + 2, 0);
	assert_stamp(c, NOW_MS + 2, 0);
}

static void what_was_seen_is_earlier_than_what_follows(void **state)
{
	static const struct {
		const char *why;
		struct hlc mine, theirs;
		struct hlc counts, next; /* at NOW_MS */
	} rows[] = {
		{ "in the past",
		  { NOW_MS - 9, 7 },
		  { NOW_MS - 10, 9 },
		  { NOW_MS - 10, 9 },
		  { NOW_MS, 0 } },
		{ "now", { NOW_MS, 2 }, { NOW_MS, 5 }, { NOW_MS, 5 }, { NOW_MS, 6 } },
		{ "now, and mine is later",
		  { NOW_MS, 5 },
		  { NOW_MS, 2 },
		  { NOW_MS, 2 },
		  { NOW_MS, 6 } },
		{ "ahead",
		  { NOW_MS, 5 },
		  { NOW_MS + 10, 3 },
		  { NOW_MS + 10, 3 },
		  { NOW_MS + 10, 4 } },
		{ "just believed",
		  { NOW_MS, 0 },
		  { NOW_MS + AHEAD_MS, 1 },
		  { NOW_MS + AHEAD_MS, 1 },
		  { NOW_MS + AHEAD_MS, 2 } },
		{ "too far ahead",
		  { NOW_MS, 5 },
		  { NOW_MS + AHEAD_MS + 1, 3 },
		  { NOW_MS, 6 },
		  { NOW_MS, 7 } },
		{ "at the end of time",
		  { NOW_MS - 1, 5 },
		  { INT64_MAX, 0 },
		  { NOW_MS, 0 },
		  { NOW_MS, 1 } },
		{ "at its beginning", { NOW_MS - 1, 5 }, { 0, 0 }, { 0, 0 }, { NOW_MS, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hlc c = rows[i].mine;

		print_message("  %s\n", rows[i].why);
		assert_int_equal(
		        hlc_compare(hlc_receive(&c, rows[i].theirs, NOW_MS), rows[i].counts), 0);
		struct hlc next = hlc_next(&c, NOW_MS);

		assert_stamp(next, rows[i].next.ms, rows[i].next.count);
		assert_true(hlc_compare(next, rows[i].counts) > 0);
		assert_true(hlc_compare(next, rows[i].mine) > 0);
	}
}

static void stamps_are_ordered_by_time_then_count(void **state)
{
	static const struct hlc rising[] = { { 0, 0 }, { 0, 1 }, { 0, UINT32_MAX },
		                             { 1, 0 }, { 1, 2 }, { INT64_MAX, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rising) / sizeof(rising[0]); i++)
		for (size_t k = 0; k < sizeof(rising) / sizeof(rising[0]); k++)
			assert_int_equal(hlc_compare(rising[i], rising[k]), i < k ? -1 : i > k);
}

static void a_stamp_is_read_as_it_is_written(void **state)
{
	static const struct {
		const char *text;
		bool is_one;
		struct hlc stamp;
	} rows[] = {
		{ "1790000000000.3", true, { 1790000000000, 3 } },
		{ "0.0", true, { 0, 0 } },
		{ "1.4294967295", true, { 1, UINT32_MAX } },
		{ "1.4294967296", false, { 0 } },
		{ "01.0", false, { 0 } },
		{ "1.00", false, { 0 } },
		{ "1.", false, { 0 } },
		{ ".1", false, { 0 } },
		{ "1", false, { 0 } },
		{ "", false, { 0 } },
		{ "-1.0", false, { 0 } },
		{ "1.-1", false, { 0 } },
		{ "1.1 ", false, { 0 } },
		{ "1.1.1", false, { 0 } },
		{ " 1.1", false, { 0 } },
		{ "99999999999999999.0", false, { 0 } },
		{ "9999999999999999.0", false, { 0 } }, /* a year that clocks do not have */
	};
	char text[HLC_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hlc c = { 77, 7 };

		print_message("  %s\n", rows[i].text);
		assert_int_equal(hlc_read(rows[i].text, &c), rows[i].is_one);
		if (rows[i].is_one) {
			assert_stamp(c, rows[i].stamp.ms, rows[i].stamp.count);
			assert_string_equal(hlc_text(c, text), rows[i].text);
		} else {
			assert_stamp(c, 77, 7);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_stamp_is_later_than_the_one_before),
		cmocka_unit_test(what_was_seen_is_earlier_than_what_follows),
		cmocka_unit_test(stamps_are_ordered_by_time_then_count),
		cmocka_unit_test(a_stamp_is_read_as_it_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
