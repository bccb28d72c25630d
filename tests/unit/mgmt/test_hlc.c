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
		bool is_believed;
		struct hlc next; /* at NOW_MS */
	} rows[] = {
		{ "in the past", { NOW_MS - 9, 7 }, { NOW_MS - 10, 9 }, true, { NOW_MS, 0 } },
		{ "now", { NOW_MS, 2 }, { NOW_MS, 5 }, true, { NOW_MS, 6 } },
		{ "now, and mine is later", { NOW_MS, 5 }, { NOW_MS, 2 }, true, { NOW_MS, 6 } },
		{ "ahead", { NOW_MS, 5 }, { NOW_MS + 10, 3 }, true, { NOW_MS + 10, 4 } },
		{ "just believed",
		  { NOW_MS, 0 },
		  { NOW_MS + AHEAD_MS, 1 },
		  true,
		  { NOW_MS + AHEAD_MS, 2 } },
		{ "too far ahead",
		  { NOW_MS, 5 },
		  { NOW_MS + AHEAD_MS + 1, 3 },
		  false,
		  { NOW_MS, 6 } },
		{ "at the end of time", { NOW_MS - 1, 5 }, { INT64_MAX, 0 }, false, { NOW_MS, 0 } },
		{ "at its beginning", { NOW_MS - 1, 5 }, { 0, 0 }, true, { NOW_MS, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hlc c = rows[i].mine;

		print_message("  %s\n", rows[i].why);
		assert_int_equal(hlc_receive(&c, rows[i].theirs, NOW_MS), rows[i].is_believed);
		if (!rows[i].is_believed)
			assert_int_equal(hlc_compare(c, rows[i].mine), 0);
		struct hlc next = hlc_next(&c, NOW_MS);

		assert_stamp(next, rows[i].next.ms, rows[i].next.count);
		if (rows[i].is_believed)
			assert_true(hlc_compare(next, rows[i].theirs) > 0);
		assert_true(hlc_compare(next, rows[i].mine) > 0);
	}
}

/* A command that was refused, by nodes whose clocks differ, comes to them with one stamp. */
static void all_nodes_have_the_same_stamp_of_a_command(void **state)
{
	const struct hlc before = { NOW_MS - 50, 3 };
	struct hlc maker = before, here = { NOW_MS, 7 }, there = { NOW_MS - 90, 0 };
	struct hlc stamp = hlc_next(&maker, NOW_MS + 2 * (int64_t)AHEAD_MS);

	(void)state;
	assert_false(hlc_receive(&here, stamp, NOW_MS));
	assert_false(hlc_receive(&here, stamp, NOW_MS + 1)); /* a redelivery is no other answer */
	assert_false(hlc_receive(&there, stamp, NOW_MS - 80));
	stamp = hlc_again(&maker, hlc_next(&here, NOW_MS));
	assert_stamp(stamp, NOW_MS, 9);
	assert_true(hlc_receive(&here, stamp, NOW_MS));
	assert_true(hlc_receive(&there, stamp, NOW_MS - 80));
	assert_true(hlc_compare(hlc_next(&here, NOW_MS), stamp) > 0);
	assert_true(hlc_compare(hlc_next(&there, NOW_MS - 80), stamp) > 0);
	assert_true(hlc_compare(hlc_next(&maker, NOW_MS), stamp) > 0);
}

static void a_clock_that_was_wrong_goes_back(void **state)
{
	static const struct {
		const char *why;
		struct hlc mine, theirs, again;
	} rows[] = {
		{ "it was far ahead", { NOW_MS + AHEAD_MS + 1, 0 }, { NOW_MS, 4 }, { NOW_MS, 5 } },
		{ "for ever", { INT64_MAX, UINT32_MAX }, { NOW_MS, 4 }, { NOW_MS, 5 } },
		{ "others believe it",
		  { NOW_MS + AHEAD_MS, 1 },
		  { NOW_MS, 4 },
		  { NOW_MS + AHEAD_MS, 2 } },
		{ "it is behind", { NOW_MS - 1, 9 }, { NOW_MS, 4 }, { NOW_MS, 5 } },
		{ "the same", { NOW_MS, 4 }, { NOW_MS, 4 }, { NOW_MS, 5 } },
		{ "the count is full", { 0, 0 }, { NOW_MS, UINT32_MAX }, { NOW_MS + 1, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hlc c = rows[i].mine;

		print_message("  %s\n", rows[i].why);
		assert_stamp(hlc_again(&c, rows[i].theirs), rows[i].again.ms, rows[i].again.count);
		assert_stamp(c, rows[i].again.ms, rows[i].again.count);
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
		cmocka_unit_test(all_nodes_have_the_same_stamp_of_a_command),
		cmocka_unit_test(a_clock_that_was_wrong_goes_back),
		cmocka_unit_test(stamps_are_ordered_by_time_then_count),
		cmocka_unit_test(a_stamp_is_read_as_it_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
