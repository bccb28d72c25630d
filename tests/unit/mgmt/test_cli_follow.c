/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `weir status --watch`, `weir health` and `weir events` (mgmt/cli/cmd_status.c): what is asked one
 * after the other, what is shown of it, and when it ends.
 */
#include "cli_management.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <jansson.h>

/* What each question is answered. */
struct answered {
	CURLcode code;
	long http;        /* or errno of a failure */
	const char *body; /* JSON */
	size_t n_items;   /* or so many events, from the id that is asked for */
};
static const struct answered *answers;
static size_t n_answers;
static char paths[1024];
static long timeout_ms;
static bool is_terminal;

static int own_isatty(int fd)
{
	return fd == STDOUT_FILENO ? is_terminal : __real_isatty(fd);
}

static char *events_from(double first, size_t n)
{
	json_t *items = json_array(), *body = json_pack("{s:o}", "items", items);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(items, json_pack("{s:f, s:s, s:s, s:s, s:s}", "id",
		                                       first + (double)i, "time", "T", "kind", "k",
		                                       "subject", "s", "message", "m"));
	char *text = json_dumps(body, 0);

	json_decref(body);
	assert_non_null(text);
	return text;
}

static struct said management_says(void)
{
	static char *events; /* the last ones */
	size_t n = strlen(paths);

	assert_true(n_asked <= n_answers);
	assert_string_equal(asked_now()->method, "GET");
	timeout_ms = asked_now()->timeout_ms;
	snprintf(paths + n, sizeof(paths) - n, "%s ", path_asked());
	const struct answered *a = &answers[n_asked - 1];
	const char *since = strstr(path_asked(), "since=");

	if (a->code != CURLE_OK)
		return (struct said){ .code = a->code, .os_error = a->http };
	free(events);
	events = a->n_items ? events_from(since ? atof(since + 6) + 1 : 1, a->n_items) : NULL;
	return (struct said){ CURLE_OK, a->http, events ? events : a->body, 0, 0 };
}

#define CALL(words, rows) call_command(words, rows, sizeof(rows) / sizeof((rows)[0]))

/* Run "status --watch", with no pages. */
static int call_command(const char *words, const struct answered *rows, size_t n)
{
	const char *all[16] = { "--run-dir", "/nonexistent", "--state-dir", "/nonexistent" };
	char text[256], *saved = NULL;
	size_t n_words = 4;

	snprintf(text, sizeof(text), "%s", words);
	for (char *w = strtok_r(text, " ", &saved); w; w = strtok_r(NULL, " ", &saved)) {
		assert_true(n_words < 15);
		all[n_words++] = strcmp(w, "''") ? w : "";
	}
	answers = rows;
	n_answers = n;
	n_asked = n_steps = 0;
	paths[0] = '\0';
	return run_weir(all);
}

/* The lack of pages, as status and health say it. */
static unsigned count_pages(void)
{
	static const char said[] = "/nonexistent/effective.conf";
	unsigned n = 0;

	for (const char *at = told; (at = strstr(at, said)); at++)
		n++;
	return n;
}

static int set_up(void **state)
{
	(void)state;
	is_terminal = false;
	return 0;
}

#define SAYS(text)                                                                                 \
	{                                                                                          \
		CURLE_OK, 200, text, 0                                                             \
	}
#define END                                                                                        \
	{                                                                                          \
		CURLE_COULDNT_CONNECT, ENOENT, NULL, 0                                             \
	}
#define DENIED                                                                                     \
	{                                                                                          \
		CURLE_COULDNT_CONNECT, EACCES, NULL, 0                                             \
	}

static void a_state_is_an_exit_status(void **state)
{
	static const struct {
		struct answered row;
		int status;
		const char *shown;
		unsigned pages;
	} rows[] = {
		{ SAYS("{\"state\":\"well\"}"), CLI_OK, " well ", 0 },
		{ SAYS("{\"state\":\"degraded\"}"), CLI_DEGRADED, " degraded ", 0 },
		{ SAYS("{\"state\":\"down\"}"), CLI_DOWN, " down ", 0 },
		{ SAYS("{}"), CLI_DEGRADED, " ? ", 0 },
		{ { CURLE_OK, 403, "{\"title\":\"No\"}", 0 }, CLI_DENIED, "", 0 },
		{ { CURLE_OK, 503, "{\"title\":\"No\"}", 0 }, CLI_UNREACHABLE, "", 0 },
		{ END, CLI_UNREACHABLE, "", 1 },
		{ DENIED, CLI_DENIED, "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(call_command("status", &rows[i].row, 1), rows[i].status);
		assert_non_null(strstr(shown, rows[i].shown));
		assert_int_equal(*shown != '\0', *rows[i].shown != '\0');
		assert_int_equal(count_pages(), rows[i].pages);
		assert_string_equal(paths, "/v1/status?limit=40 ");
		assert_int_equal(timeout_ms, 5000);
		assert_int_equal(n_steps, 0);
	}
}

#define CLEAR "\033[H\033[2J"

/* Each second, until it is denied; the screen is cleared for people only. */
static void a_watch_goes_on_until_it_is_denied(void **state)
{
	static const struct answered rows[] = { SAYS("{\"state\":\"well\"}"),
		                                END,
		                                { CURLE_OK, 503, "{}", 0 },
		                                SAYS("{\"state\":\"down\"}"),
		                                DENIED };
	static const struct answered wrong[] = { SAYS("{\"state\":\"well\"}"),
		                                 { CURLE_OK, 404, "{}", 0 } };
	static char expected[16384];

	(void)state;
	assert_int_equal(call_command("status", rows, 1), CLI_OK);
	char *well = strdup(shown);

	assert_int_equal(call_command("status", rows + 3, 1), CLI_DOWN);
	char *down = strdup(shown);

	told_ms = 0;
	assert_int_equal(CALL("status --watch", rows), CLI_DENIED);
	snprintf(expected, sizeof(expected), "%s%s", well, down);
	assert_string_equal(shown, expected);
	assert_int_equal(count_pages(), 1);
	assert_int_equal(told_ms, 4000);
	assert_int_equal(CALL("status --watch", wrong), CLI_USAGE);
	assert_int_equal(told_ms, 5000);
	is_terminal = true;
	assert_int_equal(CALL("status --watch", rows), CLI_DENIED);
	snprintf(expected, sizeof(expected), CLEAR "%s" CLEAR CLEAR CLEAR "%s" CLEAR, well, down);
	assert_string_equal(shown, expected);
	assert_int_equal(CALL("status --watch --json", wrong), CLI_USAGE);
	assert_string_equal(shown, "{\"state\":\"well\"}\n");
	assert_int_equal(call_command("status", rows, 1), CLI_OK);
	assert_string_equal(shown, well);
	free(well);
	free(down);
}

static void health_is_seen_with_or_without_management(void **state)
{
	static const struct answered rows[] = {
		SAYS("{\"items\":[]}"), { CURLE_OK, 500, "{}", 0 }, END, DENIED
	};
	static const int ends[] = { CLI_OK, CLI_UNREACHABLE, CLI_UNREACHABLE, CLI_DENIED };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(call_command(i % 2 ? "health --json" : "health", &rows[i], 1),
		                 ends[i]);
		assert_string_equal(paths, "/v1/health ");
		assert_int_equal(count_pages(), i == 2);
		assert_int_equal(timeout_ms, 5000);
	}
	assert_int_equal(call_command("health --json", rows, 1), CLI_OK);
	assert_string_equal(shown, "{\"items\":[]}\n");
}

/* A child answers in the place of weir-health. */
static pid_t serve_targets(const char *path, const char *answer)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	char request[1];

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(bind(s, (const struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s, 1), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int c = accept(s, NULL, NULL);

		ssize_t n = 0;

		while (read(c, request, 1) == 1 && request[0] != '\n')
			n++;
		_exit(n == 0 || dprintf(c, "%s\n", answer) < 0);
	}
	close(s);
	return pid;
}

static void why_comes_from_weir_health_beside_managements_answer(void **state)
{
	static const struct answered row =
	        SAYS("{\"items\":[{\"pool\":\"web\",\"backend\":\"b1\"}]}");
	char dir[] = "/tmp/weir-follow.XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/health.ctl", dir);
	pid_t pid = serve_targets(
	        path,
	        "{\"targets\":[{\"pool\":\"web\",\"backend\":\"b1\",\"why\":\"it is shut\"}]}");

	answers = &row;
	n_answers = 1;
	n_asked = 0;
	assert_int_equal(WEIR("health", "--run-dir", dir), CLI_OK);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_non_null(strstr(shown, " it is shut\n"));
	unlink(path);
	rmdir(dir);
}

#define EVENTS(n)                                                                                  \
	{                                                                                          \
		CURLE_OK, 200, NULL, n                                                             \
	}
#define NO_EVENTS SAYS("{\"items\":[]}")

static size_t lines_shown(void)
{
	size_t n = 0;

	for (const char *at = shown; *at; at++)
		n += *at == '\n';
	return n;
}

static const struct {
	const char *words;
	struct answered rows[4];
	const char *asked;
	int status;
	size_t n_lines;
} batches[] = {
	{ "events", { EVENTS(20) }, "/v1/events?limit=20 ", CLI_OK, 20 },
	{ "events --limit 1", { EVENTS(1) }, "/v1/events?limit=1 ", CLI_OK, 1 },
	{ "events --limit 1000", { EVENTS(1000) }, "/v1/events?limit=1000 ", CLI_OK, 1000 },
	{ "events --since 7", { EVENTS(999) }, "/v1/events?limit=1000&since=7 ", CLI_OK, 999 },
	{ "events --since 0", { NO_EVENTS }, "/v1/events?limit=1000&since=0 ", CLI_OK, 0 },
	{ "events --since 7",
	  { EVENTS(1000), EVENTS(1000), EVENTS(1) },
	  "/v1/events?limit=1000&since=7 /v1/events?limit=1000&since=1007&wait_ms=0 "
	  "/v1/events?limit=1000&since=2007&wait_ms=0 ",
	  CLI_OK,
	  2001 },
	{ "events --follow",
	  { EVENTS(3), NO_EVENTS, EVENTS(2), END },
	  "/v1/events?limit=20 /v1/events?limit=1000&since=3&wait_ms=30000 "
	  "/v1/events?limit=1000&since=3&wait_ms=30000 /v1/events?limit=1000&since=5&wait_ms=30000 ",
	  CLI_UNREACHABLE,
	  5 },
	{ "events --follow --limit 2",
	  { EVENTS(2), END },
	  "/v1/events?limit=2 /v1/events?limit=1000&since=2&wait_ms=30000 ",
	  CLI_UNREACHABLE,
	  2 },
	{ "events --follow --since 9",
	  { EVENTS(1), END },
	  "/v1/events?limit=1000&since=9 /v1/events?limit=1000&since=10&wait_ms=30000 ",
	  CLI_UNREACHABLE,
	  1 },
};

/* A full batch may not have been all; a follower waits for the next. */
static void events_are_asked_for_in_batches(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
		assert_int_equal(call_command(batches[i].words, batches[i].rows, 4),
		                 batches[i].status);
		assert_string_equal(paths, batches[i].asked);
		assert_int_equal(lines_shown(), batches[i].n_lines);
		assert_int_equal(timeout_ms, 90000); /* longer than management waits */
	}
	assert_int_equal(call_command("events --limit 2 --json", batches[7].rows, 4), CLI_OK);
	assert_int_equal(strncmp(shown, "{\"id\":1.0,\"time\":\"T\"", 20), 0);
	assert_int_equal(lines_shown(), 2);
}

static void numbers_of_events_have_their_bounds(void **state)
{
	static const char limit[] = "--limit: expected a number from 1 to 1000\n",
	                  since[] = "--since: expected an event's id, a number\n";
	static const struct {
		const char *words, *told;
	} rows[] = {
		{ "events --limit 0", limit },
		{ "events --limit 1001", limit },
		{ "events --limit ''", limit },
		{ "events --limit -1", limit },
		{ "events --limit 1x", limit },
		{ "events --limit 9999999999999999", limit },
		{ "events --since ''", since },
		{ "events --since -1", since },
		{ "events --since x", since },
		{ "events --since 1234567890123456", since },
		{ "events --since 123456789012345", "" },
	};
	static const struct answered none[] = { NO_EVENTS };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(CALL(rows[i].words, none), *rows[i].told ? CLI_USAGE : CLI_OK);
		assert_told(rows[i].told);
		assert_int_equal(n_asked, !*rows[i].told);
	}
	assert_int_equal(CALL("events --since 7 --limit 5", none), CLI_USAGE);
	assert_told("--since lists all later events; leave --limit out\n");
}

SUITE(cli_follow)
{
#define T(f) cmocka_unit_test_setup(f, set_up)
	const struct CMUnitTest tests[] = {
		T(a_state_is_an_exit_status),
		T(a_watch_goes_on_until_it_is_denied),
		T(health_is_seen_with_or_without_management),
		T(why_comes_from_weir_health_beside_managements_answer),
		T(events_are_asked_for_in_batches),
		T(numbers_of_events_have_their_bounds),
	};

	management_begin();
	answer_isatty = own_isatty;
	return cmocka_run_group_tests_name("cli follow", tests, NULL, NULL);
}
