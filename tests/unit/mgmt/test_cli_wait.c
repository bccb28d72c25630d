/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How `weir wait` asks, what it says meanwhile and how it ends (mgmt/cli/cmd_why.c); and how an
 * operation is followed (mgmt/cli/op_wait.c). Time and management are the test's.
 */
#include "shown.h"

#include <jansson.h>
#include <time.h>

#include "base/clock.h"
#include "mgmt/cli/api.h"
#include "weir/when.h"

static uint64_t clock_ms;
static unsigned n_steps;

static uint64_t fake_clock(void)
{
	return clock_ms;
}

static int fake_sleep(const struct timespec *t, struct timespec *left)
{
	(void)left;
	assert_int_equal(t->tv_sec, 0);
	clock_ms += (uint64_t)t->tv_nsec / 1000000;
	n_steps++;
	return 0;
}

/* What each question is answered, the last one for ever. */
struct answered {
	int status;       /* of asking */
	long http;        /* of the answer */
	const char *body; /* JSON */
	unsigned took_ms;
};
static const struct answered *script;
static size_t n_script, n_asked;
static char asked[256];

static int fake_ask(const struct cli *cli, const struct api_request *request,
                    struct api_reply *reply)
{
	const struct answered *a = &script[n_asked < n_script ? n_asked : n_script - 1];

	(void)cli;
	assert_string_equal(request->method, "GET");
	snprintf(asked, sizeof(asked), "%s", request->path);
	n_asked++;
	clock_ms += a->took_ms;
	*reply = (struct api_reply){ .status = a->http,
		                     .body = a->body ? json_loads(a->body, 0, NULL) : NULL };
	return a->status;
}

#define clock_mono_ms    fake_clock
#define nanosleep        fake_sleep
#define api_call_quietly fake_ask
#include "mgmt/cli/cmd_why.c" /* its edges are ours */
#undef STEP_MS
#undef REPORT_MS
#undef REQUEST_MS
#undef SILENT_MS

/* At the end. */
static void print_last(const json_t *body)
{
	printf("at last %s\n", api_text(body, "state", "?"));
}

#define op_print print_last
#include "mgmt/cli/op_wait.c"

static const char *timeout;
static bool in_json;

const char *cli_value(const struct cli_args *args, const char *name)
{
	(void)args;
	assert_string_equal(name, "--timeout");
	return timeout;
}

#define WELL                                                                                       \
	{                                                                                          \
		CLI_OK, 200, "{\"state\":\"well\"}", 0                                             \
	}
#define DEGRADED                                                                                   \
	{                                                                                          \
		CLI_OK, 200, "{\"state\":\"degraded\"}", 0                                         \
	}
#define SILENT                                                                                     \
	{                                                                                          \
		CLI_UNREACHABLE, 0, NULL, 0                                                        \
	}

/* Wait for "well" with this script; what goes to standard error is in shown. */
static int run_wait(const struct answered *rows, size_t n, const char *limit)
{
	struct cli cli = { .json = in_json };
	const struct cli_args args = { .at = { "well" }, .n = 1 };

	script = rows;
	n_script = n;
	n_asked = n_steps = 0;
	clock_ms = 1000;
	timeout = limit;
	shown_begin();
	fflush(stderr);
	int saved = dup(STDERR_FILENO);

	assert_true(dup2(shown_file, STDERR_FILENO) >= 0);
	int status = cli_wait(&cli, &args);

	fflush(stderr);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	shown_end();
	return status;
}

static void it_asks_five_times_a_second_until_it_is_so(void **state)
{
	static const struct answered rows[] = {
		DEGRADED, SILENT, { CLI_OK, 503, "{}", 0 }, DEGRADED, WELL
	};

	(void)state;
	assert_int_equal(run_wait(rows, 5, NULL), CLI_OK);
	assert_int_equal(n_asked, 5);
	assert_int_equal(n_steps, 4);
	assert_int_equal(clock_ms, 1800);
	assert_string_equal(asked, "/v1/status?limit=1");
	assert_string_equal(shown, "");
	assert_string_equal(told, "");
}

static void it_gives_up_after_its_time_and_says_why(void **state)
{
	static const struct {
		struct answered row;
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
		{ { CLI_OK, 500, "{}", 0 },
		  "1s",
		  CLI_TIMEOUT,
		  1000,
		  "timed out after 1 s; the state may still be reached: look at weir status\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(run_wait(&rows[i].row, 1, rows[i].limit), rows[i].status);
		assert_int_equal(clock_ms - 1000, rows[i].after_ms);
		assert_string_equal(told, rows[i].told);
	}
}

static void what_will_not_come_ends_it_at_once(void **state)
{
	static const struct {
		struct answered row;
		int status;
	} rows[] = {
		{ { CLI_DENIED, 0, NULL, 0 }, CLI_DENIED },
		{ { CLI_OK, 403, "{\"title\":\"No\"}", 0 }, CLI_DENIED },
		{ { CLI_OK, 499, "{\"title\":\"No\"}", 0 }, CLI_USAGE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(run_wait(&rows[i].row, 1, NULL), rows[i].status);
		assert_int_equal(n_asked, 1);
		assert_string_equal(told, i ? "No\n" : "");
	}
}

/* Nobody has to wonder for more than five seconds whether it still waits. */
static void it_says_every_five_seconds_that_it_waits(void **state)
{
	static const struct answered quick = DEGRADED, slow = { CLI_OK, 200, "{}", 1000 };

	(void)state;
	(void)run_wait(&quick, 1, "4900ms");
	assert_string_equal(shown, "");
	(void)run_wait(&quick, 1, "12s");
	assert_string_equal(shown, "weir: not well yet (5 s)\nweir: not well yet (10 s)\n");
	(void)run_wait(&slow, 1, "2s"); /* after each question that took a second */
	assert_string_equal(shown, "weir: not well yet (1 s)\n");
}

static void a_limit_is_a_duration(void **state)
{
	static const struct answered well = WELL;
	static const char *const bad[] = { "", "5", "soon", "-1s" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(run_wait(&well, 1, bad[i]), CLI_USAGE);
		assert_int_equal(n_asked, 0);
		assert_string_equal(told, "--timeout: expected a duration such as 5m\n");
	}
}

/* One document, of the end; a script reads no other. */
static void json_is_printed_when_it_is_so(void **state)
{
	static const struct answered rows[] = { DEGRADED, SILENT, DEGRADED, WELL };

	(void)state;
	in_json = true;
	assert_int_equal(run_wait(rows, 4, NULL), CLI_OK);
	assert_string_equal(shown, "{\"state\":\"well\"}\n");
	assert_int_equal(run_wait(rows, 3, "1s"), CLI_TIMEOUT);
	assert_null(strstr(shown, "{"));
	in_json = false;
}

/* Each silence is of its own: management that is restarted twice has not been away for so long. */
static void silence_counts_from_the_last_answer(void **state)
{
	static const struct answered rows[] = {
		{ CLI_UNREACHABLE, 0, NULL, 100000 },
		{ CLI_OK, 200, "{\"id\":\"o1\",\"state\":\"moving\",\"seq\":2}", 0 },
		{ CLI_UNREACHABLE, 0, NULL, 100000 },
		{ CLI_OK, 200, "{\"id\":\"o1\",\"state\":\"drained\",\"seq\":3}", 0 },
	};
	const struct cli cli = { 0 };
	json_t *first = json_loads("{\"id\":\"o1\",\"state\":\"moving\",\"seq\":1}", 0, NULL);

	(void)state;
	script = rows;
	n_script = sizeof(rows) / sizeof(rows[0]);
	n_asked = 0;
	clock_ms = 1000;
	shown_begin();
	int status = op_follow(&cli, first, OP_THERE, true);

	shown_end();
	assert_int_equal(status, CLI_OK);
	assert_int_equal(n_asked, sizeof(rows) / sizeof(rows[0]));
	assert_string_equal(asked, "/v1/operations/o1?wait_ms=2000&since=2");
	assert_non_null(strstr(shown, "\nat last drained\n"));
	json_decref(first);
}

int main(void)
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

	return cmocka_run_group_tests(tests, NULL, NULL);
}
