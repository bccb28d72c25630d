/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void what_is_no_time_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		"2026-11-20",
		"2026-11-20T08:07:00",
		"2026-11-20 08:07:00Z",
		"2026-11-20T08:07Z",
		"2026-13-20T08:07:00Z",
		"2026-00-20T08:07:00Z",
		"2026-02-29T08:07:00Z",
		"2026-11-31T08:07:00Z",
		"2026-11-20T24:07:00Z",
		"2026-11-20T08:60:00Z",
		"2026-11-20T08:07:61Z",
		"2026-11-20T08:07:00.Z",
		"2026-11-20T08:07:00Zx",
		"2026-11-20T08:07:00+1:00",
		"2026-11-20T08:07:00+24:00",
		"2026-11-20T08:07:00+01:60",
		"-026-11-20T08:07:00Z",
		"9999-12-31T23:59:60Z", /* the year 10000 has no text */
		"9999-12-31T23:59:59-00:01",
	};
	int64_t ms = 7;

	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  \"%s\"\n", cases[i]);
		assert_int_equal(clock_parse(cases[i], &ms), -EINVAL);
		assert_int_equal(ms, 7);
	}
}

static void times_are_read_with_their_offset(void **state)
{
	(void)state;
	static const struct {
		const char *text, *utc;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z" },
		{ "2026-11-20t08:07:00.5z", "2026-11-20T08:07:00.500Z" },
		{ "2026-11-20T08:07:00.1239999Z", "2026-11-20T08:07:00.123Z" },
		{ "2026-11-20T00:30:00+01:00", "2026-11-19T23:30:00.000Z" },
		{ "2026-12-31T20:00:00-05:30", "2027-01-01T01:30:00.000Z" },
		{ "2024-02-29T12:00:00Z", "2024-02-29T12:00:00.000Z" },
		{ "1969-12-31T23:59:59.250Z", "1969-12-31T23:59:59.250Z" },
		{ "2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z" },
		{ "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z" },
	};
	char text[CLOCK_TEXT_MAX];

	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t ms;

		assert_int_equal(clock_parse(cases[i].text, &ms), 0);
		assert_string_equal(clock_text(ms, text), cases[i].utc);
	}
}

static void no_number_overflows_the_text(void **state)
{
	(void)state;
	char text[CLOCK_TEXT_MAX];

	assert_true(strlen(clock_text(INT64_MAX, text)) < CLOCK_TEXT_MAX);
	assert_true(strlen(clock_text(INT64_MIN, text)) < CLOCK_TEXT_MAX);
}

static void clocks_go_forward(void **state)
{
	(void)state;
	uint64_t ns = clock_mono_ns(), ms = clock_mono_ms();

	assert_true(clock_mono_ns() >= ns);
	assert_true(ms >= ns / 1000000);
	assert_true(clock_wall_ms() > 1700000000000);
	(void)clock_is_synchronised();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(times_are_read_with_their_offset),
		cmocka_unit_test(no_number_overflows_the_text),
		cmocka_unit_test(clocks_go_forward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
