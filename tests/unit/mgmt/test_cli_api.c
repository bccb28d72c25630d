/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the client of the API makes of headers, silence and failures (mgmt/cli/api.c). The clock is
 * the test's; requests themselves are asked in test_cli*.py and test_client.py.
 */
#include "shown.h"

#include <jansson.h>

#include "base/clock.h"
#include "mgmt/cli/api.h"

static uint64_t clock_ms;

static uint64_t fake_clock(void)
{
	return clock_ms;
}

#define clock_mono_ms fake_clock
#include "mgmt/cli/api.c" /* its clock is ours */

/* What goes to standard error meanwhile is in shown, too. */
static int saved_errors = -1;

static void errors_begin(void)
{
	shown_begin();
	fflush(stderr);
	saved_errors = dup(STDERR_FILENO);
	assert_true(dup2(shown_file, STDERR_FILENO) >= 0);
}

static void errors_end(void)
{
	fflush(stderr);
	assert_true(dup2(saved_errors, STDERR_FILENO) >= 0);
	close(saved_errors);
	shown_end();
}

static size_t feed_header(struct answer *a, const char *line)
{
	char copy[1024];

	snprintf(copy, sizeof(copy), "%s", line);
	return on_header(copy, 1, strlen(copy), a);
}

static void headers_are_taken_by_their_names(void **state)
{
	static const struct {
		const char *line, *etag, *doing;
	} rows[] = {
		{ "ETag: \"v7-00\"\r\n", "v7-00", "" },
		{ "etag:v7-00", "v7-00", "" },
		{ "ETag: W/\"v7-0123456789012345678901234567890\"\r\n", "W/v7-0123456789", "" },
		{ "ETag:", "-", "" },
		{ "Weir-Doing: it checks the zones\r\n", "-", "it checks the zones" },
		{ "weir-doing: \x1b[2J~ \x7f\xc3\xbc!\r\n", "-", "[2J~ !" },
		{ "Weir-Doing: ", "-", "" },
		{ "Weir-Doings: no\r\n", "-", "" },
		{ "Content-Type: application/json\r\n", "-", "" },
		{ "\r\n", "-", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char etag[16] = "-";
		struct answer a = { .etag = etag, .etag_size = sizeof(etag) };

		clock_ms = 1000 + i;
		assert_int_equal(feed_header(&a, rows[i].line), strlen(rows[i].line));
		assert_string_equal(etag, rows[i].etag);
		assert_string_equal(a.doing, rows[i].doing);
		assert_int_equal(a.heard_ms, clock_ms);
	}
}

static void what_management_does_is_cut_at_its_room(void **state)
{
	struct answer a = { .etag = a.doing, .etag_size = 0 };
	char line[300] = "Weir-Doing: ";

	(void)state;
	memset(line + strlen(line), 'x', 200);
	(void)feed_header(&a, line);
	assert_int_equal(strlen(a.doing), sizeof(a.doing) - 1);
}

/* The body may come in any pieces, up to 64 MiB. */
static void a_body_is_collected_up_to_its_limit(void **state)
{
	struct answer a = { 0 };
	char abc[] = "abc", de[] = "de";

	(void)state;
	clock_ms = 7;
	assert_int_equal(on_body(abc, 1, 3, &a), 3);
	assert_int_equal(on_body(de, 2, 1, &a), 2);
	assert_int_equal(a.n, 5);
	assert_memory_equal(a.bytes, "abcde", 5);
	assert_int_equal(a.heard_ms, 7);
	a.n = ((size_t)64 << 20) - 2;
	assert_int_equal(on_body(abc, 1, 3, &a), 0);
	assert_int_equal(on_body(abc, 1, 2, &a), 2);
	assert_int_equal(on_body(abc, 1, 1, &a), 0);
	free(a.bytes);
}

/*
 * Silent for longer than 4.5 s, or 3 s when asked again, is nobody; bytes that are sent are a
 * sign, too.
 */
static void silence_ends_a_request(void **state)
{
	static const struct {
		const char *why;
		uint64_t silent_ms;
		bool again;
		curl_off_t sent;
		int ends;
	} rows[] = {
		{ "just heard", 0, false, 0, 0 },
		{ "at the limit", 4500, false, 0, 0 },
		{ "over it", 4501, false, 0, 1 },
		{ "again, at its limit", 3000, true, 0, 0 },
		{ "again, over it", 3001, true, 0, 1 },
		{ "it still takes bytes", 60000, false, 10, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct answer a = { .heard_ms = 1000, .again = rows[i].again };

		clock_ms = 1000 + rows[i].silent_ms;
		assert_int_equal(on_progress(&a, 1, 2, 3, rows[i].sent), rows[i].ends);
		assert_int_equal(on_progress(&a, 1, 2, 3, rows[i].sent), rows[i].ends);
	}
}

/* Every 4 s, with what management says that it does, as long as it was heard of within 2 s. */
static void who_waits_is_told_so(void **state)
{
	static const struct {
		uint64_t last_report_ms, heard_ms, now_ms;
		const char *doing, *shown;
	} rows[] = {
		{ 1000, 4999, 4999, "", "" },
		{ 1000, 5000, 5000, "", "weir: waiting for management's answer (5 s)\n" },
		{ 1000, 3000, 5000, "it checks",
		  "weir: waiting for management's answer (5 s): it checks\n" },
		{ 1000, 2999, 5000, "", "" },
		{ 0, 5000, 5000, "", "" },
		{ 9000, 62999, 63000, "", "weir: waiting for management's answer (63 s)\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct answer a = { .last_report_ms = rows[i].last_report_ms,
			            .heard_ms = rows[i].heard_ms };

		snprintf(a.doing, sizeof(a.doing), "%s", rows[i].doing);
		clock_ms = rows[i].now_ms;
		errors_begin();
		print_waiting(&a);
		print_waiting(&a); /* not twice */
		errors_end();
		assert_string_equal(shown, rows[i].shown);
		assert_int_equal(a.last_report_ms,
		                 *rows[i].shown ? clock_ms : rows[i].last_report_ms);
	}
}

/* A list of headers as lines. */
static const char *headers_text(const struct api_request *request, const char *key)
{
	static char out[1024];
	struct curl_slist *list = headers_of(request, key);

	out[0] = '\0';
	for (const struct curl_slist *at = list; at; at = at->next)
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s\n", at->data);
	curl_slist_free_all(list);
	return out;
}

static void each_request_has_its_headers(void **state)
{
	json_t *body = json_object();
	const struct {
		struct api_request r;
		const char *key, *more;
	} rows[] = {
		{ { .method = "GET" }, "", "" },
		{ { .method = "POST" },
		  "k1",
		  "Content-Type: application/json\nIdempotency-Key: k1\n" },
		{ { .method = "PUT", .body = body }, "", "Content-Type: application/json\n" },
		{ { .method = "GET", .if_match = "v7-00" }, "", "If-Match: \"v7-00\"\n" },
		{ { .method = "GET", .if_match = "*" }, "", "If-Match: *\n" },
	};
	char expected[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(expected, sizeof(expected), "Expect:\nWeir-Progress: 1\n%s", rows[i].more);
		assert_string_equal(headers_text(&rows[i].r, rows[i].key), expected);
	}
	json_decref(body);
}

static void keys_are_random_and_whole(void **state)
{
	char one[KEY_MAX] = "", two[KEY_MAX] = "";

	(void)state;
	make_key(one);
	make_key(two);
	assert_int_equal(strlen(one), 32);
	assert_int_equal(strspn(one, "0123456789abcdef"), 32);
	assert_string_not_equal(one, two);
}

/* Only of these may the change have been made. */
static void an_outcome_is_unknown_when_bytes_may_have_been_sent(void **state)
{
	static const struct {
		CURLcode code;
		bool unknown;
	} rows[] = {
		{ CURLE_OK, false },
		{ CURLE_COULDNT_CONNECT, false },
		{ CURLE_OUT_OF_MEMORY, false },
		{ CURLE_WRITE_ERROR, false },
		{ CURLE_OPERATION_TIMEDOUT, true },
		{ CURLE_GOT_NOTHING, true },
		{ CURLE_RECV_ERROR, true },
		{ CURLE_SEND_ERROR, true },
		{ CURLE_PARTIAL_FILE, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(is_unknown(rows[i].code), rows[i].unknown);
}

static void each_failure_has_its_status_and_says_what_to_do(void **state)
{
	static const struct {
		CURLcode code;
		long error;
		bool asks, quietly;
		int status;
		const char *told; /* its beginning */
	} rows[] = {
		{ CURLE_OPERATION_TIMEDOUT, 0, true, false, CLI_UNREACHABLE,
		  "management did not answer on S in time; weir status works" },
		{ CURLE_OPERATION_TIMEDOUT, 0, true, true, CLI_UNREACHABLE, "" },
		{ CURLE_OPERATION_TIMEDOUT, 0, false, false, CLI_TIMEOUT,
		  "management did not answer: the change may or may not have been "
		  "made" },
		{ CURLE_OPERATION_TIMEDOUT, 0, false, true, CLI_TIMEOUT,
		  "management did not answer: the change may or may not have been "
		  "made" },
		{ CURLE_COULDNT_CONNECT, EACCES, true, true, CLI_DENIED,
		  "this user may not use S; members of group weir may" },
		{ CURLE_COULDNT_CONNECT, ENOENT, true, true, CLI_UNREACHABLE, "" },
		{ CURLE_COULDNT_CONNECT, ECONNREFUSED, true, false, CLI_UNREACHABLE,
		  "management does not answer on S (Connection refused); is weir run or weir-mgmt running?" },
		{ CURLE_GOT_NOTHING, 0, false, false, CLI_UNREACHABLE,
		  "management does not answer on S (Server returned" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		told[0] = '\0';
		assert_int_equal(report_no_answer("S", rows[i].code, rows[i].error, rows[i].asks,
		                                  rows[i].quietly),
		                 rows[i].status);
		assert_int_equal(strncmp(told, rows[i].told, strlen(rows[i].told)), 0);
		assert_int_equal(*told != '\0', *rows[i].told != '\0');
	}
}

static void the_exit_status_says_where_a_change_is(void **state)
{
	static const struct {
		const char *body;
		int status;
	} rows[] = {
		{ "{}", CLI_OK },
		{ "{\"complete\":true,\"nodes\":[{\"state\":\"refused\"}]}", CLI_OK },
		{ "{\"complete\":false}", CLI_TIMEOUT },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"in_force\"},{\"state\":\"pending\"}]}",
		  CLI_TIMEOUT },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"in_force\"},{\"state\":\"unreachable\"}]}",
		  CLI_PARTLY },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"differs\"},{\"state\":\"agreed\"}]}",
		  CLI_PARTLY },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"agreed\"},{\"state\":\"not_written\"}]}",
		  CLI_PARTLY },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"unreachable\"},{\"state\":\"not_written\"}]}",
		  CLI_TIMEOUT },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"refused\"},{\"state\":\"in_force\"}]}",
		  CLI_REJECTED },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"in_force\"},{\"state\":\"unreachable\"},{\"state\":\"refused\"}]}",
		  CLI_REJECTED },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"written\",\"rolled_back\":true}]}",
		  CLI_REJECTED },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"superseded\",\"rolled_back\":true},{\"state\":\"agreed\"}]}",
		  CLI_REJECTED },
		{ "{\"complete\":false,\"nodes\":[{\"state\":\"superseded\",\"rolled_back\":false},{\"state\":\"unreachable\"},{\"state\":\"agreed\"}]}",
		  CLI_CONFLICT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct api_reply reply = { .status = 200,
			                   .body = json_loads(rows[i].body, 0, NULL) };

		assert_non_null(reply.body);
		assert_int_equal(api_status(&reply), rows[i].status);
		api_reply_fini(&reply);
		assert_null(reply.body);
	}
}

static void each_status_of_http_has_an_exit_status(void **state)
{
	static const struct {
		long http;
		const char *code;
		int status;
		bool taken;
	} rows[] = {
		{ 199, "", CLI_USAGE, false },
		{ 200, "", CLI_OK, true },
		{ 201, "", CLI_OK, true },
		{ 299, "", CLI_OK, true },
		{ 300, "", CLI_USAGE, false },
		{ 400, "", CLI_USAGE, false },
		{ 401, "", CLI_DENIED, false },
		{ 403, "", CLI_DENIED, false },
		{ 404, "", CLI_USAGE, false },
		{ 409, "guard", CLI_REFUSED, false },
		{ 409, "stale", CLI_CONFLICT, false },
		{ 410, "", CLI_CONFLICT, false },
		{ 412, "", CLI_CONFLICT, false },
		{ 413, "", CLI_USAGE, false },
		{ 422, "", CLI_USAGE, false },
		{ 428, "", CLI_CONFLICT, false },
		{ 429, "", CLI_UNREACHABLE, false },
		{ 499, "", CLI_USAGE, false },
		{ 500, "", CLI_UNREACHABLE, false },
		{ 502, "", CLI_UNREACHABLE, false },
		{ 503, "", CLI_UNREACHABLE, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct api_reply reply = { .status = rows[i].http,
			                   .body = json_pack("{s:s}", "code", rows[i].code) };

		assert_int_equal(api_status(&reply), rows[i].status);
		assert_int_equal(api_succeeded(&reply), rows[i].taken);
		api_reply_fini(&reply);
	}
}

static void names_are_escaped_for_a_path(void **state)
{
	static const struct {
		const char *text, *escaped;
	} rows[] = { { "", "" },
		     { "web-ams.1_~Z9", "web-ams.1_~Z9" },
		     { "a/b c?&=%", "a%2Fb%20c%3F%26%3D%25" },
		     { "\xc3\xbc", "%C3%BC" } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *escaped = api_escape(rows[i].text);

		assert_string_equal(escaped, rows[i].escaped);
		free(escaped);
	}
}

static void a_member_of_another_kind_is_none(void **state)
{
	json_t *o = json_pack("{s:s, s:i, s:f, s:n}", "text", "t", "whole", 7, "real", 0.5, "null");

	(void)state;
	assert_string_equal(api_text(o, "text", "-"), "t");
	assert_string_equal(api_text(o, "whole", "-"), "-");
	assert_null(api_text(o, "absent", NULL));
	assert_true(api_number(o, "whole", -1) == 7);
	assert_true(api_number(o, "real", -1) == 0.5);
	assert_true(api_number(o, "text", -1) == -1);
	assert_true(api_number(o, "null", -1) == -1);
	assert_true(api_number(NULL, "x", 3) == 3);
	json_decref(o);
}

/* A link is whose it is, whatever it leads to. */
static void a_socket_of_another_user_is_not_trusted(void **state)
{
	char dir[] = "/tmp/weir-api.XXXXXX", target[64], link[64];

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(target, sizeof(target), "%s/file", dir);
	snprintf(link, sizeof(link), "%s/link", dir);
	assert_false(is_foreign(link)); /* there is none */
	fclose(fopen(target, "w"));
	assert_int_equal(symlink(target, link), 0);
	assert_false(is_foreign(target) || is_foreign(link));
	assert_int_equal(lchown(link, 54321, 54321), 0);
	assert_true(is_foreign(link));
	assert_int_equal(chown(target, 54321, 54321), 0);
	assert_true(is_foreign(target));
	unlink(link);
	unlink(target);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_taken_by_their_names),
		cmocka_unit_test(what_management_does_is_cut_at_its_room),
		cmocka_unit_test(a_body_is_collected_up_to_its_limit),
		cmocka_unit_test(silence_ends_a_request),
		cmocka_unit_test(who_waits_is_told_so),
		cmocka_unit_test(each_request_has_its_headers),
		cmocka_unit_test(keys_are_random_and_whole),
		cmocka_unit_test(an_outcome_is_unknown_when_bytes_may_have_been_sent),
		cmocka_unit_test(each_failure_has_its_status_and_says_what_to_do),
		cmocka_unit_test(the_exit_status_says_where_a_change_is),
		cmocka_unit_test(each_status_of_http_has_an_exit_status),
		cmocka_unit_test(names_are_escaped_for_a_path),
		cmocka_unit_test(a_socket_of_another_user_is_not_trusted),
		cmocka_unit_test(a_member_of_another_kind_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
