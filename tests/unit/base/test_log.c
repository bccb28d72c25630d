/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/suite.h"

static char line[8192];

/* Standard error goes to a pipe while @p write_it runs; @return what came, in `line`. */
static const char *capture_line(void (*write_it)(void))
{
	int ends[2], saved = dup(STDERR_FILENO);

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	write_it();
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[1]);
	ssize_t n = read(ends[0], line, sizeof(line) - 1);

	close(ends[0]);
	line[n > 0 ? n : 0] = '\0';
	return line;
}

static void write_hostile(void)
{
	log_warn("event", "name=%s", "a\nb\x1b[31m\x7f");
}

static void write_long(void)
{
	static char text[5000];

	memset(text, 'x', sizeof(text) - 1);
	log_error("event", "text=%s", text);
}

static void write_plain(void)
{
	log_warn("backend-down", "pool=%s n=%d", "web", 3);
}

static void write_bare(void)
{
	log_note("started", "");
}

static void write_debug(void)
{
	log_debug("detail", "");
}

static void control_characters_cannot_make_lines(void **state)
{
	(void)state;
	assert_string_equal(capture_line(write_hostile), "<4>event name=a?b?[31m?\n");
}

static void a_long_line_is_cut_and_ended(void **state)
{
	(void)state;
	size_t n = strlen(capture_line(write_long));

	assert_int_equal(n, 2000);
	assert_int_equal(line[n - 1], '\n');
}

static void an_event_is_one_line_with_its_priority(void **state)
{
	(void)state;
	assert_string_equal(capture_line(write_plain), "<4>backend-down pool=web n=3\n");
	assert_string_equal(capture_line(write_bare), "<5>started\n");
}

static void what_is_below_the_level_is_not_written(void **state)
{
	(void)state;
	assert_string_equal(capture_line(write_debug), "");
	log_level(LOG_DEBUG);
	assert_string_equal(capture_line(write_debug), "<7>detail\n");
	log_level(LOG_INFO);
}

static void write_storm(void)
{
	for (int i = 0; i < 300; i++)
		log_warn("storm", "n=%d", i);
	log_warn("calm", "");
}

/* 200 at once, and ten a second while it lasts; what other events say comes through. */
static void a_storm_is_cut(void **state)
{
	unsigned n = 0;

	(void)state;
	for (const char *at = capture_line(write_storm); (at = strstr(at, "<4>storm n=")); at++)
		n++;
	assert_in_range(n, 200, 290);
	assert_non_null(strstr(line, "<4>storm n=199\n"));
	assert_non_null(strstr(line, "<4>calm\n"));
}

static void values_are_quoted_where_they_must_be(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "plain", "plain" },
		{ "", "\"\"" },
		{ "two words", "\"two words\"" },
		{ "a=b", "\"a=b\"" },
		{ "say \"no\"", "\"say \\\"no\\\"\"" },
		{ "back\\slash", "\"back\\\\slash\"" },
	};
	char out[LOG_VALUE_MAX], text[1000];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(log_value(cases[i][0], out), cases[i][1]);
	memset(text, '"', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_true(strlen(log_value(text, out)) < LOG_VALUE_MAX);
	assert_int_equal(out[strlen(out) - 1], '"');
}

SUITE(log)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_characters_cannot_make_lines),
		cmocka_unit_test(a_long_line_is_cut_and_ended),
		cmocka_unit_test(an_event_is_one_line_with_its_priority),
		cmocka_unit_test(what_is_below_the_level_is_not_written),
		cmocka_unit_test(a_storm_is_cut),
		cmocka_unit_test(values_are_quoted_where_they_must_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
