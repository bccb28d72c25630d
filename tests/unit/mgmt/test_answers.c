/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small answers, each with all its fields: problems, what waits to be confirmed, zones, the
 * interface's description.
 */
#include "asked.h"

#include <errno.h>
#include <sys/stat.h>

/* Three routes stand for the table. */
#define WEIR_RELEASE  "1.2.3"
#define route_table   few_routes
#define route_table_n few_routes_n
#include "mgmt/api/openapi.c"
#undef route_table
#undef route_table_n

#include "mgmt/core/stamp.h"
#include "mgmt/api/zones_json.h"
#include "mgmt/api/unconfirmed.h"

const struct route few_routes[] = {
	{ "GET", "/v1/x/{}/y/{}", HTTP_VIEWER, "limit site", "", NULL, "first" },
	{ "GET", "/v1/z", HTTP_NO_ROLE, "", "", NULL, "second" },
	{ "POST", "/v1/z", HTTP_ADMIN, ROUTE_CHANGES, "name:string! weight:integer reason:string!",
	  NULL, "third" },
	{ "POST", "/v1/w", HTTP_PEER, "", "flag:boolean", NULL, "fourth" },
};
const size_t few_routes_n = sizeof(few_routes) / sizeof(few_routes[0]);

/* Compare @p told, taken, with @p json. */
static void is_told(json_t *told, const char *json)
{
	json_error_t why;
	json_t *expected = json_loads(json, 0, &why);

	if (!expected)
		fail_msg("column %d: %s", why.column, why.text);
	if (!json_equal(told, expected)) {
		char *text = json_dumps(told, JSON_INDENT(1));

		fail_msg("%s\nand not %s", text, json);
	}
	json_decref(expected);
	json_decref(told);
}

/* --- problems --- */

static void a_problem_has_all_its_fields(void **state)
{
	struct http_reply reply = {
		.json = json_object(), .text = strdup("page"), .etag = "\"v1\"", .replayed = true
	};

	(void)state;
	http_problem(&reply, 412, "if-match-required", "say %s %d", "what", 7);
	assert_int_equal(reply.status, 412);
	assert_string_equal(reply.etag, ""); /* of what is not given */
	assert_null(reply.text);
	assert_false(reply.replayed);
	char *text = http_reply_text(&reply);
	assert_non_null(text);
	assert_true(strstr(text, "urn:weir:problem:if-match-required"));
	free(text);
	is_told(json_incref(reply.json),
	        "{\"type\": \"urn:weir:problem:if-match-required\", \"title\": \"If match required\","
	        " \"status\": 412, \"code\": \"if-match-required\", \"detail\": \"say what 7\"}");
	http_reply_fini(&reply);
	assert_null(reply.json);
	assert_int_equal(reply.status, 0);
}

static const char *detail_of(const char *said)
{
	static char detail[1100];
	struct http_reply reply = { 0 };

	http_problem(&reply, 500, "internal", "%s", said);
	snprintf(detail, sizeof(detail), "%s",
	         json_string_value(json_object_get(reply.json, "detail")));
	http_reply_fini(&reply);
	return detail;
}

/* A detail has room for 1,023 bytes: what is cut within a character is readable all the same. */
static void a_long_detail_keeps_what_fits(void **state)
{
	char said[1200];

	(void)state;
	for (size_t n = 1018; n < 1026; n++) {
		memset(said, 'x', n);
		strcpy(said + n, "\xe2\x82\xac and more"); /* a euro sign */
		const char *detail = detail_of(said);

		if (strspn(detail, "x") != (n < 1023 ? n : 1023))
			fail_msg("%zu: %s", n, detail);
		assert_int_equal(!!strstr(detail, "\xe2\x82\xac"), n + 3 <= 1023);
	}
	assert_string_equal(detail_of("caf\xe9 is no UTF-8"), "caf? is no UTF-8");
}

static void a_reply_has_text_or_json_or_nothing(void **state)
{
	struct http_reply reply = { 0 };

	(void)state;
	char *text = http_reply_text(&reply);
	assert_string_equal(text, "");
	free(text);
	reply.json = json_pack("{s:i}", "a", 1);
	text = http_reply_text(&reply);
	assert_string_equal(text, "{\n \"a\": 1\n}");
	free(text);
	reply.dense = true;
	text = http_reply_text(&reply);
	assert_string_equal(text, "{\"a\": 1}");
	free(text);
	reply.text = strdup("page");
	text = http_reply_text(&reply);
	assert_string_equal(text, "page");
	free(text);
	http_reply_fini(&reply);
}

static void a_request_is_looked_up_by_whole_names(void **state)
{
	_Atomic(const char *) doing = NULL;
	atomic_bool gone = false;
	struct http_request r = { .query = { { "limit", "5" }, { "site", "" }, { "limit", "6" } },
		                  .n_query = 3 };

	(void)state;
	assert_string_equal(http_query(&r, "limit"), "5");
	assert_string_equal(http_query(&r, "site"), "");
	assert_null(http_query(&r, "lim"));
	assert_null(http_query(&r, "limits"));
	r.n_query = 1;
	assert_null(http_query(&r, "site"));
	assert_false(http_gone(&r));
	r.gone = &gone;
	assert_false(http_gone(&r));
	gone = true;
	assert_true(http_gone(&r));
	http_doing(NULL, "nothing");
	http_doing(&r, "nothing");
	r.doing = &doing;
	http_doing(&r, "it waits");
	assert_string_equal(doing, "it waits");
}

/* --- what waits to be confirmed --- */

static void a_change_over_an_unconfirmed_version_is_refused_with_the_ways_out(void **state)
{
	struct http_reply reply = { 0 };
	char by[CLOCK_TEXT_MAX], detail[400];

	(void)state;
	asked_apply("# confirmed", 0, NOW_MS + 10);
	asked_apply("# unconfirmed", 60000, NOW_MS + 20);
	unconfirmed_refuse(&this_node, &reply);
	clock_text(NOW_MS + 60020, by);
	snprintf(
	        detail, sizeof(detail),
	        "version 3 by jw is not confirmed yet and goes back to version 2 at %s; confirm it, "
	        "roll back to 2, or repeat this change with pending \"confirm\" or \"join\"",
	        by);
	assert_int_equal(reply.status, 412);
	assert_string_equal(json_string_value(json_object_get(reply.json, "detail")), detail);
	assert_string_equal(json_string_value(json_object_get(reply.json, "code")), "unconfirmed");
	assert_int_equal(json_integer_value(json_object_get(reply.json, "rolls_back_to")), 2);
	const json_t *version = json_object_get(reply.json, "version");
	assert_int_equal(json_integer_value(json_object_get(version, "number")), 3);
	assert_string_equal(json_string_value(json_object_get(version, "state")), "unconfirmed");
	http_reply_fini(&reply);
}

static json_t *told_of_plan(bool changed, const char *digest)
{
	struct intent_changed planned = { .changed = changed };
	json_t *answer = json_object();

	snprintf(planned.version.digest, sizeof(planned.version.digest), "%s", digest);
	unconfirmed_add_json(&this_node, &planned, answer);
	return answer;
}

static void a_plan_says_what_an_apply_would_meet(void **state)
{
	char by[CLOCK_TEXT_MAX], json[200], confirmed[DIGEST_TEXT_MAX];

	(void)state;
	asked_apply("# confirmed", 0, NOW_MS + 10);
	snprintf(confirmed, sizeof(confirmed), "%s", intent_head(this_node.intent)->digest);
	is_told(told_of_plan(true, "other"), "{}");
	asked_apply("# unconfirmed", 60000, NOW_MS + 20);
	is_told(told_of_plan(false, "other"), "{}");
	is_told(told_of_plan(true, confirmed), "{}"); /* it goes back: that is allowed */
	snprintf(json, sizeof(json),
	         "{\"unconfirmed\": {\"version\": 3, \"author\": \"jw\", \"rolls_back_to\": 2,"
	         " \"confirm_by\": \"%s\"}}",
	         clock_text(NOW_MS + 60020, by));
	is_told(told_of_plan(true, "other"), json);
}

/* --- zones --- */

static void zones_say_what_was_skipped_and_why(void **state)
{
	const char *skipped[] = { "a.example", "b.example" };
	struct intent_changed c = { .zones = { .warnings = { "w1", "w2" }, .n_warnings = 2 },
		                    .skipped = { .warnings = { "why a" }, .n_warnings = 1 } };
	json_t *answer = json_object(), *warnings = json_array();

	(void)state;
	zones_add_json(&c, warnings, answer);
	is_told(answer, "{\"skipped_zones\": []}");
	is_told(warnings, "[\"w1\", \"w2\"]"); /* nothing was skipped: there is no why */
	c.skipped.skipped = skipped;
	c.skipped.n_skipped = 2;
	c.zones.n_more = 5;
	answer = json_object();
	warnings = json_array();
	zones_add_json(&c, warnings, answer);
	is_told(answer, "{\"skipped_zones\": [\"a.example\", \"b.example\"]}");
	is_told(warnings,
	        "[\"zone a.example: skipped; the file in force stays\","
	        " \"zone b.example: skipped; the file in force stays\","
	        " \"why a\", \"w1\", \"w2\", \"and 5 more warnings about zones: see weir config check\"]");
}

static void all_skipped_zones_are_listed_and_forty_are_said(void **state)
{
	const char *skipped[42];
	struct intent_changed c = { .skipped = { .skipped = skipped, .n_skipped = 42 } };
	json_t *answer = json_object(), *warnings = json_array();

	(void)state;
	for (size_t i = 0; i < 42; i++)
		skipped[i] = "a.example";
	zones_add_json(&c, warnings, answer);
	assert_int_equal(json_array_size(json_object_get(answer, "skipped_zones")), 42);
	assert_int_equal(json_array_size(warnings), 40);
	json_decref(answer);
	json_decref(warnings);
}

static void zone_files_that_cannot_be_read_are_said(void **state)
{
	struct model_error items[] = { { .message = "m1" }, { .message = "m2" } };
	const struct model_errors unread = { .items = items, .n_items = 2 };
	json_t *answer = json_pack("{s:{s:[s]}}", "plan", "warnings", "w");

	(void)state;
	unread_zones_add_json(&unread, answer);
	is_told(answer, "{\"plan\": {\"warnings\": [\"w\", \"m1; the file in force stays\","
	                " \"m2; the file in force stays\"]}}");
}

/* --- stamps of files --- */

static void a_stamp_differs_in_each_part(void **state)
{
	const struct stamp one = { 1, 2, 3, 4 };
	const struct stamp others[] = {
		{ 9, 2, 3, 4 }, { 1, 9, 3, 4 }, { 1, 2, 9, 4 }, { 1, 2, 3, 9 }
	};

	(void)state;
	assert_true(stamp_same(&one, &one));
	for (size_t i = 0; i < 4; i++)
		assert_false(stamp_same(&one, &others[i]));
}

static void a_stamp_is_what_the_file_is(void **state)
{
	const struct stamp none = { 0 };
	char path[sizeof(asked_place.conf) + 32], name[PATH_MAX];
	struct stat st;

	(void)state;
	struct stamp s = stamp_of(asked_place.conf, "tokens");
	assert_true(stamp_same(&s, &none));
	fixture_write(asked_place.conf, "tokens", "12345");
	snprintf(path, sizeof(path), "%s/tokens", asked_place.conf);
	assert_int_equal(stat(path, &st), 0);
	s = stamp_of(asked_place.conf, "tokens");
	assert_int_equal(s.bytes, 5);
	assert_int_equal(s.inode, st.st_ino);
	assert_int_equal(s.changed_ns,
	                 (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec);
	assert_int_equal(s.error, 0);
	assert_int_equal(stamp_of(path, "below").error, ENOTDIR);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(stamp_of(asked_place.conf, name).error, ENAMETOOLONG);
}

/* --- the description of the interface --- */

#define DESCRIBED                                                                                  \
	"\"responses\": {\"2XX\": {\"description\": \"as docs/api.md describes it\"}, \"default\": {\"description\": \"a problem (RFC 9457)\", \"content\": {\"application/problem+json\": {\"schema\": {\"$ref\": \"#/components/schemas/problem\"}}}}}"
#define PARAMETER(name, in, required)                                                              \
	"{\"name\": \"" name "\", \"in\": \"" in "\", \"required\": " required                     \
	", \"schema\": {\"type\": \"string\"}}"
#define BODY(required, properties, names)                                                          \
	"\"requestBody\": {\"required\": " required                                                \
	", \"content\": {\"application/json\": {\"schema\": {\"type\": \"object\","                \
	" \"additionalProperties\": false, \"properties\": {" properties                           \
	"}, \"required\": [" names "]}}}}"

static void the_interface_is_described_by_its_routes(void **state)
{
	struct http_reply reply = { 0 };

	(void)state;
	handle_openapi(NULL, NULL, &reply);
	assert_int_equal(reply.status, 200);
	json_t *paths = json_incref(json_object_get(reply.json, "paths"));
	assert_string_equal(json_string_value(json_object_get(reply.json, "openapi")), "3.1.0");
	is_told(json_incref(json_object_get(reply.json, "info")),
	        "{\"title\": \"Weir\", \"version\": \"1.2.3\"}");
	is_told(json_incref(json_object_get(reply.json, "security")), "[{\"token\": []}]");
	is_told(json_incref(json_object_get(reply.json, "components")),
	        "{\"schemas\": {\"problem\": {\"type\": \"object\", \"properties\": {\"type\": {\"type\": \"string\"},"
	        " \"title\": {\"type\": \"string\"}, \"status\": {\"type\": \"integer\"}, \"code\": {\"type\": \"string\"},"
	        " \"detail\": {\"type\": \"string\"}}}}, \"securitySchemes\": {\"token\": {\"type\": \"http\","
	        " \"scheme\": \"bearer\"}}}");
	http_reply_fini(&reply);
	is_told(paths,
	        "{\"/v1/x/{part1}/y/{part2}\": {\"get\": {\"summary\": \"first\", \"x-role\": \"viewer\", \"parameters\": [" PARAMETER("part1", "path", "true") "," PARAMETER("part2", "path", "true") "," PARAMETER(
	                "limit", "query",
	                "false") "," PARAMETER("site", "query",
	                                       "false") "]," DESCRIBED "}},"
	                                                "\"/v1/z\": {\"get\": {\"summary\": \"second\", \"x-role\": \"none\", \"parameters\": []," DESCRIBED
	                                                "},"
	                                                "\"post\": {\"summary\": \"third\", \"x-role\": \"admin\", \"parameters\": [" PARAMETER("dry_run", "query", "false") "," PARAMETER(
	                                                        "wait", "query",
	                                                        "false") "," PARAMETER("wait_ms",
	                                                                               "query",
	                                                                               "false") "," PARAMETER("If-Match",
	                                                                                                      "header",
	                                                                                                      "false") "," PARAMETER("Idempotency-Key",
	                                                                                                                             "header",
	                                                                                                                             "false") "]," DESCRIBED
	                                                                                                                                      "," BODY(
	                                                                                                                                              "true",
	                                                                                                                                              "\"name\": {\"type\": \"string\"}, \"weight\": {\"type\": \"integer\"}, \"reason\": {\"type\": \"string\"}", "\"name\", \"reason\"") "}},"
	                                                                                                                                                                                                                                                                                   "\"/v1/w\": {\"post\": {\"summary\": \"fourth\", \"x-role\": \"peer\", \"parameters\": []," DESCRIBED
	                                                                                                                                                                                                                                                                                   "," BODY(
	                                                                                                                                                                                                                                                                                           "false",
	                                                                                                                                                                                                                                                                                           "\"flag\": {\"type\": \"boolean\"}",
	                                                                                                                                                                                                                                                                                           "") "}}}");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, asked_setup, asked_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_problem_has_all_its_fields),
		cmocka_unit_test(a_long_detail_keeps_what_fits),
		cmocka_unit_test(a_reply_has_text_or_json_or_nothing),
		cmocka_unit_test(a_request_is_looked_up_by_whole_names),
		T(a_change_over_an_unconfirmed_version_is_refused_with_the_ways_out),
		T(a_plan_says_what_an_apply_would_meet),
		cmocka_unit_test(zones_say_what_was_skipped_and_why),
		cmocka_unit_test(all_skipped_zones_are_listed_and_forty_are_said),
		cmocka_unit_test(zone_files_that_cannot_be_read_are_said),
		cmocka_unit_test(a_stamp_differs_in_each_part),
		T(a_stamp_is_what_the_file_is),
		cmocka_unit_test(the_interface_is_described_by_its_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
