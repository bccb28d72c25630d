/* SPDX-License-Identifier: BSD-2-Clause */
/* A clock that orders commands: never behind what a node has, never led astray by a wrong clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mgmt/overrides/hlc.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own. */
#define NOW_MS 1790000000000
#define AHEAD  300000
#define END    ((uint64_t)1 << 53)
#define COUNT  2048

static void each_stamp_is_later_than_the_newest(void **state)
{
	static const struct {
		const char *why;
		uint64_t newest;
		int64_t now_ms;
		uint64_t next;
	} rows[] = {
		{ "the first", 0, NOW_MS, (uint64_t)NOW_MS * COUNT },
		{ "of an earlier millisecond", (uint64_t)NOW_MS * COUNT - 1, NOW_MS,
		  (uint64_t)NOW_MS * COUNT },
		{ "in the same one", (uint64_t)NOW_MS * COUNT, NOW_MS,
		  (uint64_t)NOW_MS * COUNT + 1 },
		{ "the wall clock went back", (uint64_t)NOW_MS * COUNT + 7, NOW_MS - 5000,
		  (uint64_t)NOW_MS * COUNT + 8 },
		{ "its count is full", (uint64_t)NOW_MS * COUNT + COUNT - 1, NOW_MS,
		  ((uint64_t)NOW_MS + 1) * COUNT },
		{ "the clock has passed it", (uint64_t)NOW_MS * COUNT + 7, NOW_MS + 1,
		  ((uint64_t)NOW_MS + 1) * COUNT },
		{ "a clock before 1970", 0, -5, 1 },
		{ "a clock at 1970", 0, 0, 1 },
		{ "the last millisecond", 0, (int64_t)(END / COUNT) - 1, END - COUNT },
		{ "a clock beyond it", 0, INT64_MAX, END - COUNT },
		{ "the last stamp", END - 1, NOW_MS, END - 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (hlc_next(rows[i].newest, rows[i].now_ms) != rows[i].next)
			fail_msg("%s: %llu", rows[i].why,
			         (unsigned long long)hlc_next(rows[i].newest, rows[i].now_ms));
}

static void a_stamp_tells_its_time(void **state)
{
	(void)state;
	assert_int_equal(hlc_ms(0), 0);
	assert_int_equal(hlc_ms((uint64_t)NOW_MS * COUNT), NOW_MS);
	assert_int_equal(hlc_ms((uint64_t)NOW_MS * COUNT + COUNT - 1), NOW_MS);
	assert_int_equal(hlc_ms(END - 1), END / COUNT - 1);
}

static void one_of_a_wrong_clock_is_known(void **state)
{
	(void)state;
	assert_false(hlc_is_ahead(0, NOW_MS));
	assert_false(hlc_is_ahead((uint64_t)(NOW_MS + AHEAD) * COUNT + COUNT - 1, NOW_MS));
	assert_true(hlc_is_ahead((uint64_t)(NOW_MS + AHEAD + 1) * COUNT, NOW_MS));
	assert_true(hlc_is_ahead(END - 1, NOW_MS));
	assert_true(hlc_is_ahead(UINT64_MAX, NOW_MS));
	assert_false(hlc_is_ahead((uint64_t)(AHEAD - 1000) * COUNT, -1000));
}

SUITE(hlc)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_stamp_is_later_than_the_newest),
		cmocka_unit_test(a_stamp_tells_its_time),
		cmocka_unit_test(one_of_a_wrong_clock_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
