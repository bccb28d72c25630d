/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How `weir wait` asks, what it says meanwhile and how it ends (mgmt/cli/cmd_why.c); and how an
 * operation is followed (mgmt/cli/op_wait.c).
 */
#include "cli_management.h"

#include <errno.h>

#include <jansson.h>

#include "mgmt/cli/op.h"
#include "tests/unit/suite.h"

static struct said management_says(void)
{
	assert_string_equal(asked_now()->method, "GET");
	return say_next();
}

#define WELL                                                                                       \
	{                                                                                          \
		CURLE_OK, 200, "{\"state\":\"well\"}", 0, 0                                        \
	}
#define DEGRADED                                                                                   \
	{                                                                                          \
		CURLE_OK, 200, "{\"state\":\"degraded\"}", 0, 0                                    \
	}
#define SILENT                                                                                     \
	{                                                                                          \
		CURLE_COULDNT_CONNECT, 0, NULL, 0, ECONNREFUSED                                    \
	}

/* Wait for "well" with this script. */
static int run_wait(const struct said *rows, size_t n, const char *limit, bool json)
{
	const char *words[8] = { "wait", "well", "--run-dir", "/nonexistent" };
	int at = 4;

	if (json)
		words[at++] = "--json";
	if (limit) {
		words[at++] = "--timeout";
		words[at] = limit;
	}
	begin_script(rows, n);
	return run_weir(words);
}

static void it_asks_five_times_a_second_until_it_is_so(void **state)
{
	static const struct said rows[] = {
		DEGRADED, SILENT, { CURLE_OK, 503, "{}", 0, 0 }, DEGRADED, WELL
	};

	(void)state;
	assert_int_equal(run_wait(rows, 5, NULL, false), CLI_OK);
	assert_int_equal(n_asked, 5);
	assert_int_equal(n_steps, 4);
	assert_int_equal(told_ms, 1800);
	assert_string_equal(path_asked(), "/v1/status?limit=1");
	assert_string_equal(shown, "");
	assert_told("");
}

static void it_gives_up_after_its_time_and_says_why(void **state)
{
	static const struct {
		struct said row;
		const char *limit;
		int status;
		uint64_t after_ms;
		const char *told;
	} rows[] = {
		{ DEGRADED, NULL, CLI_TIMEOUT, 60000,
		  "timed out after 60 s; the state may still be reached: look at weir status\n" },
		{ DEGRADED, "1s", CLI_TIMEOUT, 1000,
		  "timed out after 1 s; the state may still be reached: look at weir status\n" },
		{ DEGRADED, "0s", CLI_TIMEOUT, 0,
		  "timed out after 0 s; the state may still be reached: look at weir status\n" },
		{ SILENT, "1900ms", CLI_UNREACHABLE, 2000,
		  "timed out after 1 s; management does not answer\n" },
		{ { CURLE_OK, 500, "{}", 0, 0 },
		  "1s",
		  CLI_TIMEOUT,
		  1000,
		  "timed out after 1 s; the state may still be reached: look at weir status\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(run_wait(&rows[i].row, 1, rows[i].limit, false), rows[i].status);
		assert_int_equal(told_ms - 1000, rows[i].after_ms);
		assert_non_null(strstr(told, rows[i].told)); /* the last line */
	}
}

static void what_will_not_come_ends_it_at_once(void **state)
{
	static const struct {
		struct said row;
		int status;
		const char *told;
	} rows[] = {
		{ { CURLE_COULDNT_CONNECT, 0, NULL, 0, EACCES },
		  CLI_DENIED,
		  "this user may not use /nonexistent/api.sock; members of group weir may\n" },
		{ { CURLE_OK, 403, "{\"title\":\"No\"}", 0, 0 }, CLI_DENIED, "No\n" },
		{ { CURLE_OK, 499, "{\"title\":\"No\"}", 0, 0 }, CLI_USAGE, "No\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(run_wait(&rows[i].row, 1, NULL, false), rows[i].status);
		assert_int_equal(n_asked, 1);
		assert_told(rows[i].told);
	}
}

/* Nobody has to wonder for more than five seconds whether it still waits. */
static void it_says_every_five_seconds_that_it_waits(void **state)
{
	static const struct said quick = DEGRADED, slow = { CURLE_OK, 200, "{}", 1000, 0 };

	(void)state;
	(void)run_wait(&quick, 1, "4900ms", false);
	assert_null(strstr(told, "yet"));
	(void)run_wait(&quick, 1, "12s", false);
	assert_int_equal(strncmp(told,
	                         "weir: not well yet (5 s)\nweir: not well yet (10 s)\nweir: timed",
	                         61),
	                 0);
	(void)run_wait(&slow, 1, "2s", false); /* after each question that took a second */
	assert_int_equal(strncmp(told, "weir: not well yet (1 s)\nweir: timed", 36), 0);
}

static void a_limit_is_a_duration(void **state)
{
	static const struct said well = WELL;
	static const char *const bad[] = { "", "5", "soon", "-1s" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(run_wait(&well, 1, bad[i], false), CLI_USAGE);
		assert_int_equal(n_asked, 0);
		assert_told("--timeout: expected a duration such as 5m\n");
	}
}

/* One document, of the end; a script reads no other. */
static void json_is_printed_when_it_is_so(void **state)
{
	static const struct said rows[] = { DEGRADED, SILENT, DEGRADED, WELL };

	(void)state;
	assert_int_equal(run_wait(rows, 4, NULL, true), CLI_OK);
	assert_string_equal(shown, "{\"state\":\"well\"}\n");
	assert_int_equal(run_wait(rows, 3, "1s", true), CLI_TIMEOUT);
	assert_null(strstr(shown, "{"));
}

/* Each silence is of its own: management that is restarted twice has not been away for so long. */
static void silence_counts_from_the_last_answer(void **state)
{
	static const struct said rows[] = {
		{ CURLE_GOT_NOTHING, 0, NULL, 100000, 0 },
		{ CURLE_OK, 200, "{\"id\":\"o1\",\"state\":\"moving\",\"seq\":2}", 0, 0 },
		{ CURLE_GOT_NOTHING, 0, NULL, 100000, 0 },
		{ CURLE_OK, 200, "{\"id\":\"o1\",\"state\":\"drained\",\"seq\":3}", 0, 0 },
	};
	const struct cli cli = { 0 };
	json_t *first = json_loads("{\"id\":\"o1\",\"state\":\"moving\",\"seq\":1}", 0, NULL);

	(void)state;
	begin_script(rows, sizeof(rows) / sizeof(rows[0]));
	shown_begin();
	int status = op_follow(&cli, first, OP_THERE, true);

	shown_end();
	assert_int_equal(status, CLI_OK);
	assert_int_equal(n_asked, sizeof(rows) / sizeof(rows[0]));
	assert_string_equal(path_asked(), "/v1/operations/o1?wait_ms=2000&since=2");
	assert_non_null(strstr(shown, "\nDRAINED: its own backends get no new flows (200 s)\n"
	                              "operation of site"));
	assert_non_null(strstr(shown, " (o1)\n")); /* the whole of it, at the end */
	json_decref(first);
}

SUITE(cli_wait)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_printed_when_it_is_so),
		cmocka_unit_test(it_asks_five_times_a_second_until_it_is_so),
		cmocka_unit_test(it_gives_up_after_its_time_and_says_why),
		cmocka_unit_test(what_will_not_come_ends_it_at_once),
		cmocka_unit_test(it_says_every_five_seconds_that_it_waits),
		cmocka_unit_test(a_limit_is_a_duration),
		cmocka_unit_test(silence_counts_from_the_last_answer),
	};

	management_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
