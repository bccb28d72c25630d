/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `weir status --watch` and `weir events` (mgmt/cli/cmd_status.c): what is asked one after the
 * other, what is shown of it, and when it ends. Management, the terminal and the time are the
 * test's.
 */
#include "shown.h"

#include <jansson.h>

#include "mgmt/cli/cmd_status.h"
#include "mgmt/cli/health_detail.h"

/* What each question is answered. */
struct answered {
	int status; /* of asking */
	long http;
	const char *body; /* JSON */
	size_t n_items;   /* or so many events, from the id that is asked for */
};
static const struct answered *script;
static size_t n_script, n_asked;
static char asked[1024]; /* the paths */
static unsigned slept_s, n_pages, n_joined;
static bool is_terminal;

static json_t *events_from(double first, size_t n)
{
	json_t *items = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(items, json_pack("{s:f, s:s, s:s, s:s, s:s}", "id",
		                                       first + (double)i, "time", "T", "kind", "k",
		                                       "subject", "s", "message", "m"));
	return json_pack("{s:o}", "items", items);
}

static int give_reply(const struct api_request *request, struct api_reply *reply)
{
	size_t n = strlen(asked);

	assert_true(n_asked < n_script);
	assert_string_equal(request->method, "GET");
	snprintf(asked + n, sizeof(asked) - n, "%s ", request->path);
	const struct answered *a = &script[n_asked++];
	const char *since = strstr(request->path, "since=");

	*reply = (struct api_reply){ .status = a->http };
	if (a->n_items)
		reply->body = events_from(since ? atof(since + 6) + 1 : 1, a->n_items);
	else if (a->body)
		reply->body = json_loads(a->body, 0, NULL);
	return a->status;
}

static unsigned timeout_ms;

static int fake_quietly(const struct cli *cli, const struct api_request *request,
                        struct api_reply *reply)
{
	(void)cli;
	timeout_ms = request->timeout_ms;
	return give_reply(request, reply);
}

static int fake_get(const struct cli *cli, const struct api_request *request,
                    struct api_reply *reply)
{
	(void)cli;
	timeout_ms = request->timeout_ms;
	return give_reply(request, reply);
}

static unsigned fake_sleep(unsigned s)
{
	slept_s += s;
	return 0;
}

static int fake_isatty(int fd)
{
	assert_int_equal(fd, STDOUT_FILENO);
	return is_terminal;
}

int pages_status(const struct cli *cli)
{
	(void)cli;
	n_pages++;
	puts("pages");
	return CLI_DEGRADED;
}
int pages_health(const struct cli *cli)
{
	(void)cli;
	n_pages++;
	return CLI_DOWN;
}
void status_print(const json_t *body)
{
	printf("status %s\n", api_text(body, "state", "?"));
}
void health_detail_join(const struct cli *cli, json_t *items)
{
	(void)cli;
	n_joined += json_is_array(items);
}

#define api_call_quietly fake_quietly
#define api_get          fake_get
#define sleep            fake_sleep
#define isatty           fake_isatty
#include "mgmt/cli/cmd_status.c" /* its edges are ours */

static const char *given[8]; /* options and their values, in turn */

const char *cli_value(const struct cli_args *args, const char *name)
{
	(void)args;
	for (size_t i = 0; i + 1 < 8 && given[i]; i += 2)
		if (!strcmp(given[i], name))
			return given[i + 1];
	return NULL;
}

bool cli_flag(const struct cli_args *args, const char *name)
{
	return cli_value(args, name) != NULL;
}

typedef int command(struct cli *cli, const struct cli_args *args);

#define CALL(of, json, rows) call_command(of, json, rows, sizeof(rows) / sizeof((rows)[0]))

static int call_command(command *of, bool json, const struct answered *rows, size_t n)
{
	struct cli cli = { .json = json };
	const struct cli_args args = { 0 };

	script = rows;
	n_script = n;
	n_asked = 0;
	asked[0] = '\0';
	slept_s = n_pages = n_joined = 0;
	shown_begin();
	int status = of(&cli, &args);

	shown_end();
	return status;
}

static int set_up(void **state)
{
	(void)state;
	memset(given, 0, sizeof(given));
	is_terminal = false;
	return 0;
}

static void give_status(const char *one, const char *its, const char *two, const char *second)
{
	given[0] = one;
	given[1] = its;
	given[2] = two;
	given[3] = second;
}

static void a_state_is_an_exit_status(void **state)
{
	static const struct {
		struct answered row;
		int status;
		const char *shown;
		unsigned pages;
	} rows[] = {
		{ { CLI_OK, 200, "{\"state\":\"well\"}", 0 }, CLI_OK, "status well\n", 0 },
		{ { CLI_OK, 200, "{\"state\":\"degraded\"}", 0 },
		  CLI_DEGRADED,
		  "status degraded\n",
		  0 },
		{ { CLI_OK, 200, "{\"state\":\"down\"}", 0 }, CLI_DOWN, "status down\n", 0 },
		{ { CLI_OK, 200, "{}", 0 }, CLI_DEGRADED, "status ?\n", 0 },
		{ { CLI_OK, 403, "{\"title\":\"No\"}", 0 }, CLI_DENIED, "", 0 },
		{ { CLI_OK, 503, "{\"title\":\"No\"}", 0 }, CLI_UNREACHABLE, "", 0 },
		{ { CLI_UNREACHABLE, 0, NULL, 0 }, CLI_DEGRADED, "pages\n", 1 },
		{ { CLI_DENIED, 0, NULL, 0 }, CLI_DENIED, "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(call_command(cli_status, false, &rows[i].row, 1), rows[i].status);
		assert_string_equal(shown, rows[i].shown);
		assert_int_equal(n_pages, rows[i].pages);
		assert_string_equal(asked, "/v1/status?limit=40 ");
		assert_int_equal(timeout_ms, 5000);
		assert_int_equal(slept_s, 0);
	}
}

#define CLEAR "\033[H\033[2J"

/* Each second, until it is denied; the screen is cleared for people only. */
static void a_watch_goes_on_until_it_is_denied(void **state)
{
	static const struct answered rows[] = { { CLI_OK, 200, "{\"state\":\"well\"}", 0 },
		                                { CLI_UNREACHABLE, 0, NULL, 0 },
		                                { CLI_OK, 503, "{}", 0 },
		                                { CLI_OK, 200, "{\"state\":\"down\"}", 0 },
		                                { CLI_DENIED, 0, NULL, 0 } };
	static const struct answered wrong[] = { { CLI_OK, 200, "{\"state\":\"well\"}", 0 },
		                                 { CLI_OK, 404, "{}", 0 } };

	(void)state;
	give_status("--watch", "", NULL, NULL);
	assert_int_equal(CALL(cli_status, false, rows), CLI_DENIED);
	assert_string_equal(shown, "status well\npages\nstatus down\n");
	assert_int_equal(slept_s, 4);
	assert_int_equal(CALL(cli_status, false, wrong), CLI_USAGE);
	assert_int_equal(slept_s, 1);
	is_terminal = true;
	assert_int_equal(CALL(cli_status, false, rows), CLI_DENIED);
	assert_string_equal(shown, CLEAR "status well\n" CLEAR "pages\n" CLEAR CLEAR
	                                 "status down\n" CLEAR);
	assert_int_equal(CALL(cli_status, true, wrong), CLI_USAGE);
	assert_string_equal(shown, "{\"state\":\"well\"}\n");
	give_status(NULL, NULL, NULL, NULL);
	assert_int_equal(call_command(cli_status, false, rows, 1), CLI_OK);
	assert_string_equal(shown, "status well\n");
}

static void health_is_seen_with_or_without_management(void **state)
{
	static const struct answered rows[] = { { CLI_OK, 200, "{\"items\":[]}", 0 },
		                                { CLI_OK, 500, "{}", 0 },
		                                { CLI_UNREACHABLE, 0, NULL, 0 },
		                                { CLI_TIMEOUT, 0, NULL, 0 } };
	static const int ends[] = { CLI_OK, CLI_UNREACHABLE, CLI_DOWN, CLI_TIMEOUT };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(call_command(cli_health, i % 2, &rows[i], 1), ends[i]);
		assert_string_equal(asked, "/v1/health ");
		assert_int_equal(n_joined, i == 0);
		assert_int_equal(n_pages, i == 2);
		assert_int_equal(timeout_ms, 5000);
	}
}

#define EVENTS(n)                                                                                  \
	{                                                                                          \
		CLI_OK, 200, NULL, n                                                               \
	}
#define NO_EVENTS                                                                                  \
	{                                                                                          \
		CLI_OK, 200, "{\"items\":[]}", 0                                                   \
	}
#define END                                                                                        \
	{                                                                                          \
		CLI_UNREACHABLE, 0, NULL, 0                                                        \
	}

static size_t lines_shown(void)
{
	size_t n = 0;

	for (const char *at = shown; *at; at++)
		n += *at == '\n';
	return n;
}

static const struct {
	const char *option, *value, *second, *its;
	struct answered rows[4];
	const char *asked;
	int status;
	size_t n_lines;
} batches[] = {
	{ NULL, NULL, NULL, NULL, { EVENTS(20) }, "/v1/events?limit=20 ", CLI_OK, 20 },
	{ "--limit", "1", NULL, NULL, { EVENTS(1) }, "/v1/events?limit=1 ", CLI_OK, 1 },
	{ "--limit", "1000", NULL, NULL, { EVENTS(1000) }, "/v1/events?limit=1000 ", CLI_OK, 1000 },
	{ "--since",
	  "7",
	  NULL,
	  NULL,
	  { EVENTS(999) },
	  "/v1/events?limit=1000&since=7 ",
	  CLI_OK,
	  999 },
	{ "--since", "0", NULL, NULL, { NO_EVENTS }, "/v1/events?limit=1000&since=0 ", CLI_OK, 0 },
	{ "--since",
	  "7",
	  NULL,
	  NULL,
	  { EVENTS(1000), EVENTS(1000), EVENTS(1) },
	  "/v1/events?limit=1000&since=7 /v1/events?limit=1000&since=1007&wait_ms=0 "
	  "/v1/events?limit=1000&since=2007&wait_ms=0 ",
	  CLI_OK,
	  2001 },
	{ "--follow",
	  "",
	  NULL,
	  NULL,
	  { EVENTS(3), NO_EVENTS, EVENTS(2), END },
	  "/v1/events?limit=20 /v1/events?limit=1000&since=3&wait_ms=30000 "
	  "/v1/events?limit=1000&since=3&wait_ms=30000 /v1/events?limit=1000&since=5&wait_ms=30000 ",
	  CLI_UNREACHABLE,
	  5 },
	{ "--follow",
	  "",
	  "--limit",
	  "2",
	  { EVENTS(2), END },
	  "/v1/events?limit=2 /v1/events?limit=1000&since=2&wait_ms=30000 ",
	  CLI_UNREACHABLE,
	  2 },
	{ "--follow",
	  "",
	  "--since",
	  "9",
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
		give_status(batches[i].option, batches[i].value, batches[i].second, batches[i].its);
		assert_int_equal(call_command(cli_events, false, batches[i].rows, 4),
		                 batches[i].status);
		assert_string_equal(asked, batches[i].asked);
		assert_int_equal(lines_shown(), batches[i].n_lines);
		assert_int_equal(timeout_ms, 90000); /* longer than management waits */
	}
	give_status("--limit", "2", NULL, NULL);
	assert_int_equal(call_command(cli_events, true, batches[7].rows, 4), CLI_OK);
	assert_int_equal(strncmp(shown, "{\"id\":1.0,\"time\":\"T\"", 20), 0);
	assert_int_equal(lines_shown(), 2);
}

static void numbers_of_events_have_their_bounds(void **state)
{
	static const char limit[] = "--limit: expected a number from 1 to 1000\n",
	                  since[] = "--since: expected an event's id, a number\n";
	static const struct {
		const char *option, *value, *told;
	} rows[] = {
		{ "--limit", "0", limit },
		{ "--limit", "1001", limit },
		{ "--limit", "", limit },
		{ "--limit", "-1", limit },
		{ "--limit", "1x", limit },
		{ "--limit", "9999999999999999", limit },
		{ "--since", "", since },
		{ "--since", "-1", since },
		{ "--since", "x", since },
		{ "--since", "1234567890123456", since },
		{ "--since", "123456789012345", "" },
	};
	static const struct answered none[] = { NO_EVENTS };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		give_status(rows[i].option, rows[i].value, NULL, NULL);
		told[0] = '\0';
		assert_int_equal(CALL(cli_events, false, none), *rows[i].told ? CLI_USAGE : CLI_OK);
		assert_string_equal(told, rows[i].told);
		assert_int_equal(n_asked, !*rows[i].told);
	}
	give_status("--since", "7", "--limit", "5");
	assert_int_equal(CALL(cli_events, false, none), CLI_USAGE);
	assert_string_equal(told, "--since lists all later events; leave --limit out\n");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, set_up)
	const struct CMUnitTest tests[] = {
		T(a_state_is_an_exit_status),
		T(a_watch_goes_on_until_it_is_denied),
		T(health_is_seen_with_or_without_management),
		T(events_are_asked_for_in_batches),
		T(numbers_of_events_have_their_bounds),
	};

	return cmocka_run_group_tests_name("cli follow", tests, NULL, NULL);
}
