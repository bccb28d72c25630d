/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a request is put to management, put again when its outcome is not known, and what is made of
 * headers, silence and failures (mgmt/cli/api.c).
 */
#include "cli_management.h"

#include <errno.h>
#include <jansson.h>

#include "mgmt/cli/api.h"
#include "tests/unit/suite.h"

static struct cli cli = { .dirs.run = "/nonexistent-run" };

static char keys[64][64]; /* of each try, "": none */

static void note_key(void)
{
	static const char name[] = "Idempotency-Key: ";
	const char *at = strstr(asked_now()->headers, name);

	keys[n_asked - 1][0] = '\0';
	if (at)
		snprintf(keys[n_asked - 1], sizeof(keys[0]), "%.*s",
		         (int)strcspn(at + strlen(name), "\n"), at + strlen(name));
}

/* What was asked last, after the transfer. */
static char fields[256];
static bool has_fields;
static void (*at_each_try)(void); /* management at work, before the transfer ends */

static struct said management_says(void)
{
	note_key();
	has_fields = asked_now()->body != NULL;
	snprintf(fields, sizeof(fields), "%s", has_fields ? asked_now()->body : "");
	if (say_next().code == CURLE_OK)
		assert_int_equal(say_header("ETag: \"v7-00\"\r\n"), 15);
	if (at_each_try)
		at_each_try();
	return say_next();
}

/* Ask as @p request says. */
static int ask_for(const struct api_request *request, bool quietly, const struct said *rows,
                   size_t n, struct api_reply *reply)
{
	begin_script(rows, n);
	shown_begin();
	int status =
	        quietly ? api_call_quietly(&cli, request, reply) : api_query(&cli, request, reply);

	shown_end();
	assert_string_equal(shown, "");
	return status;
}

static void a_request_is_put_as_it_is_meant(void **state)
{
	static const struct said ok = { CURLE_OK, 200, "{\"a\":1}", 0, 0 };
	struct api_request get = { .method = "GET", .path = "/v1/status?limit=1" },
	                   plan = { .method = "POST", .path = "/v1/plan", .reads = true },
	                   post = { .method = "POST", .path = "/v1/overrides" }, brief = get;
	struct api_reply reply;

	(void)state;
	assert_int_equal(ask_for(&get, false, &ok, 1, &reply), CLI_OK);
	assert_string_equal(path_asked(), "/v1/status?limit=1");
	assert_string_equal(asked_now()->method, "GET");
	assert_string_equal(find_handle(asked_now()->easy)->socket, "/nonexistent-run/api.sock");
	assert_int_equal(asked_now()->timeout_ms, 60000);
	assert_false(has_fields);
	assert_string_equal(keys[0], "");
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.etag, "v7-00");
	assert_int_equal(json_integer_value(json_object_get(reply.body, "a")), 1);
	api_reply_fini(&reply);
	post.body = json_pack("{s:s}", "do", "drain");
	assert_int_equal(ask_for(&post, false, &ok, 1, &reply), CLI_OK);
	assert_string_equal(fields, "{\"do\":\"drain\"}");
	assert_int_equal(asked_now()->timeout_ms, 75000);
	assert_int_equal(strlen(keys[0]), 32);
	api_reply_fini(&reply);
	post.body = NULL;
	assert_int_equal(ask_for(&post, false, &ok, 1, &reply), CLI_OK);
	assert_true(has_fields);
	assert_string_equal(fields, "");
	api_reply_fini(&reply);
	assert_int_equal(ask_for(&plan, false, &ok, 1, &reply), CLI_OK);
	assert_int_equal(asked_now()->timeout_ms, 75000);
	assert_string_equal(keys[0], "");
	api_reply_fini(&reply);
	brief.timeout_ms = 5000;
	assert_int_equal(ask_for(&brief, false, &ok, 1, &reply), CLI_OK);
	assert_int_equal(asked_now()->timeout_ms, 5000);
	api_reply_fini(&reply);
}

/* A success must say something: else it would pass for an empty list. */
static void a_success_without_json_is_none(void **state)
{
	static const char *const bodies[] = { "", "<html>", "7", "[]", "\"a\"", "{\"a\":" };
	struct api_request get = { .method = "GET", .path = "/" },
	                   post = { .method = "POST", .path = "/" };
	struct api_reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		const struct said row = { CURLE_OK, i % 2 ? 200 : 299, bodies[i], 0, 0 };

		assert_int_equal(ask_for(&get, false, &row, 1, &reply), CLI_UNREACHABLE);
		assert_false(api_succeeded(&reply));
		assert_null(reply.body);
		assert_non_null(strstr(told, "on /nonexistent-run/api.sock with status 2"));
		assert_non_null(
		        strstr(told, "not in JSON; does another program have that socket?"));
		assert_int_equal(ask_for(&get, true, &row, 1, &reply), CLI_UNREACHABLE);
		assert_string_equal(told, "");
		assert_int_equal(ask_for(&post, false, &row, 1, &reply), CLI_TIMEOUT);
		assert_non_null(strstr(told, "the change may or may not have been made"));
	}
}

static void a_refusal_may_be_anything(void **state)
{
	static const struct said rows[] = { { CURLE_OK, 502, "<html>", 0, 0 },
		                            { CURLE_OK, 404, "", 0, 0 } };
	struct api_request get = { .method = "GET", .path = "/" };
	struct api_reply reply;

	(void)state;
	assert_int_equal(ask_for(&get, false, &rows[0], 1, &reply), CLI_OK);
	assert_int_equal(reply.status, 502);
	assert_string_equal(json_string_value(reply.body), "<html>");
	api_reply_fini(&reply);
	assert_int_equal(ask_for(&get, false, &rows[1], 1, &reply), CLI_OK);
	assert_int_equal(reply.status, 404);
	assert_null(reply.body);
}

/* The head of an answer may have come, and its body break off. */
static void an_answer_that_broke_off_is_none(void **state)
{
	static const struct said row = { CURLE_PARTIAL_FILE, 200, NULL, 0, 0 };
	struct api_request get = { .method = "GET", .path = "/" },
	                   post = { .method = "POST", .path = "/" };
	struct api_reply reply;

	(void)state;
	assert_int_equal(ask_for(&get, false, &row, 1, &reply), CLI_UNREACHABLE);
	assert_false(api_succeeded(&reply));
	assert_int_equal(ask_for(&post, false, &row, 1, &reply), CLI_TIMEOUT);
	assert_false(api_succeeded(&reply));
}

static const struct {
	const char *method;
	struct said row;
	bool quietly;
	int status;
	const char *told, *then; /* around the socket */
} refused[] = {
	{ "PLAN",
	  { CURLE_OPERATION_TIMEDOUT, 0, NULL, 0, 0 },
	  false,
	  CLI_UNREACHABLE,
	  "management did not answer on ",
	  " in time; weir status works" },
	{ "PLAN", { CURLE_RECV_ERROR, 0, NULL, 0, 0 }, true, CLI_UNREACHABLE, "", "" },
	{ "GET",
	  { CURLE_ABORTED_BY_CALLBACK, 0, NULL, 0, 0 },
	  false,
	  CLI_UNREACHABLE,
	  "management did not answer on ",
	  " in time; weir status works" },
	{ "GET", { CURLE_OPERATION_TIMEDOUT, 0, NULL, 0, 0 }, true, CLI_UNREACHABLE, "", "" },
	{ "GET",
	  { CURLE_GOT_NOTHING, 0, NULL, 0, 0 },
	  false,
	  CLI_UNREACHABLE,
	  "management does not answer on ",
	  " (Server returned" },
	{ "GET", { CURLE_RECV_ERROR, 0, NULL, 0, 0 }, true, CLI_UNREACHABLE, "", "" },
	{ "GET",
	  { CURLE_COULDNT_CONNECT, 0, NULL, 0, EACCES },
	  true,
	  CLI_DENIED,
	  "this user may not use ",
	  "; members of group weir may" },
	{ "GET", { CURLE_COULDNT_CONNECT, 0, NULL, 0, ENOENT }, true, CLI_UNREACHABLE, "", "" },
	{ "POST",
	  { CURLE_COULDNT_CONNECT, 0, NULL, 0, ECONNREFUSED },
	  false,
	  CLI_UNREACHABLE,
	  "management does not answer on ",
	  " (Connection refused); is weir run or weir-mgmt running?" },
	{ "POST",
	  { CURLE_COULDNT_CONNECT, 0, NULL, 0, EACCES },
	  false,
	  CLI_DENIED,
	  "this user may not use ",
	  "; members" },
	{ "POST",
	  { CURLE_OUT_OF_MEMORY, 0, NULL, 0, 0 },
	  false,
	  CLI_UNREACHABLE,
	  "management does not answer on ",
	  "" },
	{ "POST",
	  { CURLE_WRITE_ERROR, 0, NULL, 0, 0 },
	  false,
	  CLI_UNREACHABLE,
	  "management does not answer on ",
	  "" },
};

/* What only asks is not put again; nor a change that was never sent. */
static void what_cannot_have_been_made_is_asked_once(void **state)
{
	static const char socket[] = "/nonexistent-run/api.sock";

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		bool reads = !strcmp(refused[i].method, "PLAN");
		struct api_request request = { .method = reads ? "POST" : refused[i].method,
			                       .path = "/",
			                       .reads = reads };
		struct api_reply reply;
		char expected[256];

		assert_int_equal(ask_for(&request, refused[i].quietly, &refused[i].row, 1, &reply),
		                 refused[i].status);
		assert_int_equal(n_asked, 1);
		snprintf(expected, sizeof(expected), "weir: %s%s%s", refused[i].told, socket,
		         refused[i].then);
		if (*refused[i].told)
			assert_int_equal(strncmp(told, expected, strlen(expected)), 0);
		else
			assert_string_equal(told, "");
	}
}

#define BROKE_OFF                                                                                                       \
	"weir: the connection to management broke off; the change may or may not have been made; asking again for its " \
	"outcome\n"

static void a_change_that_broke_off_is_asked_for_by_the_same_key(void **state)
{
	static const CURLcode codes[] = { CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING,
		                          CURLE_PARTIAL_FILE, CURLE_OPERATION_TIMEDOUT };
	struct api_reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		const struct said rows[] = { { codes[i], 0, NULL, 0, 0 },
			                     { CURLE_COULDNT_CONNECT, 0, NULL, 0, ENOENT },
			                     { CURLE_OK, 201, "{}", 0, 0 } };
		struct api_request post = { .method = "POST", .path = "/", .body = json_object() };

		assert_int_equal(ask_for(&post, false, rows, 3, &reply), CLI_OK);
		assert_int_equal(n_asked, 3);
		assert_int_equal(told_ms, 2000); /* every half a second */
		assert_int_equal(reply.status, 201);
		assert_string_equal(keys[0], keys[2]);
		assert_string_equal(fields, "{}");
		assert_string_equal(told, BROKE_OFF);
		api_reply_fini(&reply);
	}
}

static void it_is_given_up_after_fifteen_seconds_and_said_meanwhile(void **state)
{
	static const struct said row = { CURLE_RECV_ERROR, 0, NULL, 0, 0 };
	struct api_request post = { .method = "POST", .path = "/" };
	struct api_reply reply;

	(void)state;
	assert_int_equal(ask_for(&post, false, &row, 1, &reply), CLI_TIMEOUT);
	assert_int_equal(n_asked, 31);
	assert_int_equal(told_ms, 16000);
	static const char expected[] = BROKE_OFF
	        "weir: no answer yet; asking for 12 s more (if management hangs: weir drain --offline works without it)\n"
	        "weir: no answer yet; asking for 8 s more (if management hangs: weir drain --offline works without it)\n"
	        "weir: no answer yet; asking for 4 s more (if management hangs: weir drain --offline works without it)\n"
	        "weir: management did not answer: the change may or may not have been made";

	assert_int_equal(strncmp(told, expected, strlen(expected)), 0);
	/* quietly, too: a change is no matter of another source */
	assert_int_equal(ask_for(&post, true, &row, 1, &reply), CLI_TIMEOUT);
	assert_int_equal(strncmp(told, expected, strlen(expected)), 0);
}

static int report_bytes(curl_off_t sent)
{
	const struct told_handle *h = find_handle(asked_now()->easy);

	return h->progress(h->progress_of, 1, 2, 3, sent);
}

static char patience[64]; /* of each try */

static void note_patience(void)
{
	told_ms += 3000; /* silence counts from the try's beginning */
	assert_int_equal(report_bytes(0), 0);
	told_ms += 1;
	strcat(patience, report_bytes(0) ? " brief" : " long");
	told_ms += 999;
	say_header("X: y\r\n");
	assert_int_equal(report_bytes(0), 0);
}

/*
 * The first try waits longer for a sign of life, and says that it waits; with a time of its own
 * it says nothing. Nothing of a try is in the next one's answer.
 */
static void later_tries_wait_for_less_and_say_nothing_twice(void **state)
{
	static const struct said rows[] = { { CURLE_RECV_ERROR, 0, NULL, 700, 0 },
		                            { CURLE_PARTIAL_FILE, 0, "{\"a\":", 0, 0 },
		                            { CURLE_OK, 200, "{}", 0, 0 } };
	static const struct {
		const char *method;
		unsigned timeout_ms;
		bool quietly;
		int status;
		const char *patience, *told;
	} kinds[] = {
		{ "POST", 0, false, CLI_OK, " long brief brief",
		  "weir: waiting for management's answer (4 s)\n" BROKE_OFF },
		{ "POST", 5000, false, CLI_OK, " long brief brief", BROKE_OFF },
		{ "GET", 0, false, CLI_UNREACHABLE, " long",
		  "weir: waiting for management's answer (4 s)\nweir: management does not answer" },
		{ "GET", 0, true, CLI_UNREACHABLE, " long", "" },
	};
	struct api_reply reply;

	(void)state;
	at_each_try = note_patience;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct api_request request = { .method = kinds[i].method,
			                       .path = "/",
			                       .timeout_ms = kinds[i].timeout_ms };

		patience[0] = '\0';
		assert_int_equal(ask_for(&request, kinds[i].quietly, rows, 3, &reply),
		                 kinds[i].status);
		api_reply_fini(&reply);
		assert_string_equal(patience, kinds[i].patience);
		assert_int_equal(strncmp(told, kinds[i].told, strlen(kinds[i].told)), 0);
		assert_null(strstr(told + strlen(kinds[i].told), "waiting"));
	}
	at_each_try = NULL;
}

/* Ask for nothing in particular, with @p work meanwhile. */
static int get_with(void (*work)(void), struct api_reply *reply)
{
	static const struct said ok = { CURLE_OK, 200, "{}", 0, 0 };
	struct api_request get = { .method = "GET", .path = "/" };

	at_each_try = work;
	int status = ask_for(&get, false, &ok, 1, reply);

	at_each_try = NULL;
	return status;
}

/*
 * Silent for longer than 4.5 s, or 3 s when asked again, is nobody; bytes that are sent are a
 * sign, too.
 */
static void be_silent(void)
{
	told_ms += 4500;
	assert_int_equal(report_bytes(0), 0);
	told_ms += 1;
	assert_int_equal(report_bytes(0), 1);
	told_ms += 60000;
	assert_int_equal(report_bytes(10), 0);
	assert_int_equal(report_bytes(10), 0);
	told_ms += 4501;
	assert_int_equal(report_bytes(10), 1);
	say_header("X: y\r\n");
	assert_int_equal(report_bytes(10), 0);
	told_ms += 4501;
	assert_int_equal(report_bytes(10), 1);
	assert_int_equal(say_body(" ", 1), 1);
	assert_int_equal(report_bytes(10), 0);
}

static void silence_ends_a_request(void **state)
{
	struct api_reply reply;

	(void)state;
	assert_int_equal(get_with(be_silent, &reply), CLI_OK);
	api_reply_fini(&reply);
}

static const char *line;

static void say_line(void)
{
	assert_int_equal(say_header(line), strlen(line));
}

/* As it says that it waits, four seconds later. */
static void say_line_and_wait(void)
{
	say_line();
	told_ms += 2000;
	say_header("X: y\r\n");
	told_ms += 2000;
	assert_int_equal(report_bytes(0), 0);
}

static void headers_are_taken_by_their_names(void **state)
{
	char tag[161], long_line[200], doing[201], long_doing[300], said[300];

	memset(tag, 'x', 160);
	tag[160] = '\0';
	snprintf(long_line, sizeof(long_line), "ETag: W/\"%s\"\r\n", tag);
	memset(doing, 'y', 200);
	doing[200] = '\0';
	snprintf(long_doing, sizeof(long_doing), "Weir-Doing: %s", doing);
	snprintf(said, sizeof(said), ": %.95s", doing); /* cut at its room */

	const struct {
		const char *line, *etag, *doing;
	} rows[] = {
		{ "ETag: \"v8-00\"\r\n", "v8-00", "" },
		{ "etag:v9-00", "v9-00", "" },
		{ "ETag:", "v7-00", "" },
		{ long_line, NULL, "" },
		{ "Weir-Doing: it checks the zones\r\n", "v7-00", ": it checks the zones" },
		{ "weir-doing: \x1b[2J~ \x7f\xc3\xbc!\r\n", "v7-00", ": [2J~ !" },
		{ "Weir-Doing: ", "v7-00", "" },
		{ "Weir-Doings: no\r\n", "v7-00", "" },
		{ "Content-Type: application/json\r\n", "v7-00", "" },
		{ "\r\n", "v7-00", "" },
		{ long_doing, "v7-00", said },
	};
	struct api_reply reply;
	char expected[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		line = rows[i].line;
		assert_int_equal(get_with(say_line_and_wait, &reply), CLI_OK);
		snprintf(expected, sizeof(expected),
		         "weir: waiting for management's answer (4 s)%s\n", rows[i].doing);
		assert_string_equal(told, expected);
		if (rows[i].etag) {
			assert_string_equal(reply.etag, rows[i].etag);
		} else {
			assert_int_equal(strlen(reply.etag), sizeof(reply.etag) - 1);
			assert_memory_equal(reply.etag, "W/xxx", 5);
		}
		api_reply_fini(&reply);
	}
}

/* Every 4 s, with what management says that it does, as long as it was heard of within 2 s. */
static unsigned heard_ms, report_ms;

static void be_heard_and_report(void)
{
	told_ms = heard_ms;
	say_line();
	told_ms = report_ms;
	(void)report_bytes(0);
	(void)report_bytes(0); /* not twice */
}

static void who_waits_is_told_so(void **state)
{
	static const struct {
		unsigned heard_ms, now_ms;
		const char *line, *told;
	} rows[] = {
		{ 4999, 4999, "", "" },
		{ 5000, 5000, "", "weir: waiting for management's answer (4 s)\n" },
		{ 3000, 5000, "Weir-Doing: it checks",
		  "weir: waiting for management's answer (4 s): it checks\n" },
		{ 2999, 5000, "", "" },
		{ 62999, 63000, "", "weir: waiting for management's answer (62 s)\n" },
	};
	struct api_reply reply;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		heard_ms = rows[i].heard_ms;
		report_ms = rows[i].now_ms;
		line = rows[i].line;
		assert_int_equal(get_with(be_heard_and_report, &reply), CLI_OK);
		assert_string_equal(told, rows[i].told);
		api_reply_fini(&reply);
	}
}

/* The body may come in any pieces, up to 64 MiB. */
static void say_too_much(void)
{
	const size_t piece = (size_t)1 << 20;
	char *bytes = calloc(1, piece);

	assert_non_null(bytes);
	for (int i = 0; i < 63; i++)
		assert_int_equal(say_body(bytes, piece), piece);
	assert_int_equal(say_body(bytes, piece - 2), piece - 2);
	assert_int_equal(say_body("abc", 3), 0);
	assert_int_equal(say_body("ab", 2), 2);
	assert_int_equal(say_body("a", 1), 0);
	free(bytes);
}

static void a_body_is_collected_up_to_its_limit(void **state)
{
	static const struct said row = { CURLE_WRITE_ERROR, 200, NULL, 0, 0 };
	struct api_request get = { .method = "GET", .path = "/" };
	struct api_reply reply;

	(void)state;
	at_each_try = say_too_much;
	assert_int_equal(ask_for(&get, true, &row, 1, &reply), CLI_UNREACHABLE);
	at_each_try = NULL;
}

static void each_request_has_its_headers(void **state)
{
	static const struct said ok = { CURLE_OK, 200, "{}", 0, 0 };
	const struct {
		struct api_request r;
		const char *more; /* before a key */
		bool has_key;
	} rows[] = {
		{ { .method = "GET" }, "", false },
		{ { .method = "POST" }, "Content-Type: application/json\n", true },
		{ { .method = "PUT", .body = json_object() },
		  "Content-Type: application/json\n",
		  true },
		{ { .method = "GET", .if_match = "v7-00" }, "If-Match: \"v7-00\"\n", false },
		{ { .method = "GET", .if_match = "*" }, "If-Match: *\n", false },
	};
	char expected[512], former[64] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct api_request request = rows[i].r;
		struct api_reply reply;

		request.path = "/";
		assert_int_equal(ask_for(&request, false, &ok, 1, &reply), CLI_OK);
		api_reply_fini(&reply);
		assert_int_equal(strspn(keys[0], "0123456789abcdef"), rows[i].has_key ? 32 : 0);
		snprintf(expected, sizeof(expected), "Expect:\nWeir-Progress: 1\n%s%s%s%s",
		         rows[i].more, rows[i].has_key ? "Idempotency-Key: " : "", keys[0],
		         rows[i].has_key ? "\n" : "");
		assert_string_equal(asked_now()->headers, expected);
		if (rows[i].has_key) { /* random */
			assert_string_not_equal(keys[0], former);
			snprintf(former, sizeof(former), "%s", keys[0]);
		}
	}
}

SUITE(cli_ask)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_put_as_it_is_meant),
		cmocka_unit_test(a_success_without_json_is_none),
		cmocka_unit_test(a_refusal_may_be_anything),
		cmocka_unit_test(an_answer_that_broke_off_is_none),
		cmocka_unit_test(what_cannot_have_been_made_is_asked_once),
		cmocka_unit_test(a_change_that_broke_off_is_asked_for_by_the_same_key),
		cmocka_unit_test(later_tries_wait_for_less_and_say_nothing_twice),
		cmocka_unit_test(it_is_given_up_after_fifteen_seconds_and_said_meanwhile),
		cmocka_unit_test(silence_ends_a_request),
		cmocka_unit_test(headers_are_taken_by_their_names),
		cmocka_unit_test(who_waits_is_told_so),
		cmocka_unit_test(a_body_is_collected_up_to_its_limit),
		cmocka_unit_test(each_request_has_its_headers),
	};

	management_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
