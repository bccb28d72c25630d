/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small answers, each with all its fields: problems, what waits to be confirmed, zones, the
 * interface's description.
 */
#include "api_world.h"

#include <sys/stat.h>

#include "mgmt/api/change/unconfirmed.h"
#include "mgmt/api/change/zones_json.h"
#include "mgmt/core/stamp.h"
#include "tests/unit/suite.h"

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
	assert_int_equal(apply_line("# confirmed", "none"), 201);
	told_ms += 20;
	assert_int_equal(apply_line("# unconfirmed", "60s"), 201);
	unconfirmed_refuse(&this_node, &reply);
	clock_text(NOW_MS + 60020, by);
	snprintf(
	        detail, sizeof(detail),
	        "version 3 by ada is not confirmed yet and goes back to version 2 at %s; confirm it, "
	        "roll back to 2, or repeat this change with pending \"confirm\" or \"join\"",
	        by);
	assert_int_equal(reply.status, 409);
	assert_int_equal(reply.retry_s, 60);
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
	json_t *told = json_object();

	snprintf(planned.version.digest, sizeof(planned.version.digest), "%s", digest);
	unconfirmed_add_json(&this_node, &planned, told);
	return told;
}

static void a_plan_says_what_an_apply_would_meet(void **state)
{
	char by[CLOCK_TEXT_MAX], json[200], confirmed[DIGEST_TEXT_MAX];

	(void)state;
	assert_int_equal(apply_line("# confirmed", "none"), 201);
	snprintf(confirmed, sizeof(confirmed), "%s", intent_head(this_node.intent)->digest);
	is_told(told_of_plan(true, "other"), "{}");
	told_ms += 20;
	assert_int_equal(apply_line("# unconfirmed", "60s"), 201);
	is_told(told_of_plan(false, "other"), "{}");
	is_told(told_of_plan(true, confirmed), "{}"); /* it goes back: that is allowed */
	snprintf(json, sizeof(json),
	         "{\"unconfirmed\": {\"version\": 3, \"author\": \"ada\", \"rolls_back_to\": 2,"
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
	json_t *warnings = json_array();

	(void)state;
	json_t *told = zones_add_warnings(&c, warnings);
	is_told(told, "[]");
	is_told(warnings, "[\"w1\", \"w2\"]"); /* nothing was skipped: there is no why */
	c.skipped.skipped = skipped;
	c.skipped.n_skipped = 2;
	c.zones.n_more = 5;
	warnings = json_array();
	told = zones_add_warnings(&c, warnings);
	is_told(told, "[\"a.example\", \"b.example\"]");
	is_told(warnings,
	        "[\"zone a.example: skipped; the file in force stays\","
	        " \"zone b.example: skipped; the file in force stays\","
	        " \"why a\", \"w1\", \"w2\", \"and 5 more warnings about zones: see weir config check\"]");
}

static void all_skipped_zones_are_listed_and_forty_are_said(void **state)
{
	const char *skipped[42];
	struct intent_changed c = { .skipped = { .skipped = skipped, .n_skipped = 42 } };
	json_t *warnings = json_array();

	(void)state;
	for (size_t i = 0; i < 42; i++)
		skipped[i] = "a.example";
	json_t *told = zones_add_warnings(&c, warnings);
	assert_int_equal(json_array_size(told), 42);
	assert_int_equal(json_array_size(warnings), 40);
	json_decref(told);
	json_decref(warnings);
}

static void zone_files_that_cannot_be_read_are_said(void **state)
{
	struct model_error items[] = { { .message = "m1" }, { .message = "m2" } };
	const struct model_errors unread = { .items = items, .n_items = 2 };
	json_t *told = json_pack("{s:{s:[s]}}", "plan", "warnings", "w");

	(void)state;
	unread_zones_add_json(&unread, told);
	is_told(told, "{\"plan\": {\"warnings\": [\"w\", \"m1; the file in force stays\","
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
	char path[sizeof(place.conf) + 32], name[PATH_MAX];
	struct stat st;

	(void)state;
	struct stamp s = stamp_of(place.conf, "tokens");
	assert_true(stamp_same(&s, &none));
	fixture_write(place.conf, "tokens", "12345");
	snprintf(path, sizeof(path), "%s/tokens", place.conf);
	assert_int_equal(stat(path, &st), 0);
	s = stamp_of(place.conf, "tokens");
	assert_int_equal(s.bytes, 5);
	assert_int_equal(s.inode, st.st_ino);
	assert_int_equal(s.changed_ns,
	                 (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec);
	assert_int_equal(s.error, 0);
	assert_int_equal(stamp_of(path, "below").error, ENOTDIR);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(stamp_of(place.conf, name).error, ENAMETOOLONG);
}

/* --- the description of the interface --- */

/* The value of the description at "method name ..." of a path; NULL: there is none. */
static json_t *described_at(const char *path, const char *way)
{
	json_t *at = json_object_get(json_object_get(answer.json, "paths"), path);
	char text[200], *rest = text, *name;

	snprintf(text, sizeof(text), "%s", way);
	while ((name = strsep(&rest, " ")))
		at = json_object_get(at, name);
	return json_incref(at);
}

/* Some routes stand for all. */
static void the_interface_is_described_by_its_routes(void **state)
{
#define TEXT     "\"type\": \"string\", \"maxLength\": 255"
#define A_NUMBER "\"type\": \"integer\", \"minimum\": 1, \"maximum\": "
#define PARAMETER(name, in, required, schema)                                                      \
	"{\"name\": \"" name "\", \"in\": \"" in "\", \"required\": " required                     \
	", \"schema\": {" schema "}}"
#define WORDS(list)     "\"type\": \"string\", \"enum\": [" list "]"
#define PLAIN           "\"^[^\\\\x00-\\\\x1f\\\\x7f]*$\""
#define NAMED           "{\"type\": \"string\", \"maxLength\": 63, \"pattern\": " PLAIN "}"
#define REFERENCE(name) "{\"$ref\": \"#/components/responses/" name "\"}"
	static const struct {
		const char *path, *way, *json;
	} rows[] = {
		{ "/healthz", "get summary", "\"Whether this process answers\"" },
		{ "/healthz", "get x-role", "\"none\"" },
		{ "/healthz", "get parameters", "[]" },
		{ "/healthz", "get responses 2XX",
		  "{\"description\": \"as docs/api.md describes it\", \"content\": {\"text/plain\": {\"schema\": {\"type\": \"string\"}}}}" },
		{ "/healthz", "get responses default", NULL },
		{ "/healthz", "get responses 304", NULL },
		{ "/healthz", "get responses 409", NULL },
		{ "/healthz", "get responses 401", REFERENCE("read-401") },
		{ "/healthz", "get requestBody", NULL },
		{ "/v1/versions", "get parameters",
		  "[" PARAMETER("limit", "query", "false", A_NUMBER "1000") "," PARAMETER(
		          "before", "query", "false", A_NUMBER "999999999999999") "]" },
		{ "/v1/versions", "get responses 304",
		  "{\"description\": \"If-None-Match has the present ETag\"}" },
		{ "/v1/versions/{version}/diff/{diff}", "get operationId", "\"getVersionDiff\"" },
		{ "/", "get operationId", "\"get\"" },
		{ "/v1/versions/{version}/diff/{diff}", "get parameters",
		  "[" PARAMETER("version", "path", "true", TEXT) "," PARAMETER("diff", "path",
		                                                               "true", TEXT) "]" },
		{ "/v1/versions/{version}/confirm", "post x-role", "\"oncall\"" },
		{ "/v1/clock/accept", "post parameters",
		  "[" PARAMETER("dry_run", "query", "false", WORDS("\"true\", \"false\"")) "," PARAMETER("wait", "query", "false", WORDS("\"local\", \"all\"")) "," PARAMETER(
		          "wait_ms", "query", "false",
		          "\"type\": \"integer\", \"minimum\": 0, \"maximum\": 60000") "," PARAMETER("If-Match",
		                                                                                     "header",
		                                                                                     "false",
		                                                                                     TEXT) "," PARAMETER("Idempotency-Key",
		                                                                                                         "header",
		                                                                                                         "false",
		                                                                                                         TEXT) "]" },
		{ "/v1/clock/accept", "post responses 412", REFERENCE("change-412") },
		{ "/v1/peer/exchange", "post responses 409", REFERENCE("peer-409") },
		{ "/v1/config/check", "post responses 415", REFERENCE("body-415") },
		{ "/v1/config/check", "post responses 412", NULL },
		{ "/v1/versions/{version}/confirm", "post requestBody required", "true" },
		{ "/v1/versions/{version}/confirm",
		  "post requestBody content application/json example",
		  "{\"reason\": \"a new rack\"}" },
		{ "/v1/health/check", "post requestBody",
		  "{\"required\": false, \"content\": {\"application/json\": {\"schema\": {\"type\": \"object\","
		  " \"properties\": {\"pool\": {\"type\": \"string\", \"maxLength\": 63, \"pattern\": " PLAIN
		  ", \"examples\": [\"web-ams\"]}, \"backend\": {\"type\": \"string\", \"maxLength\": 63,"
		  " \"pattern\": " PLAIN ", \"examples\": [\"b1\"]}, \"service\": " NAMED
		  ", \"site\": " NAMED "},"
		  " \"required\": [], \"oneOf\": ["
		  "{\"required\": [\"pool\", \"backend\"], \"properties\": {\"service\": false, \"site\": false}},"
		  "{\"required\": [\"service\", \"site\"], \"properties\": {\"pool\": false, \"backend\": false}}],"
		  " \"additionalProperties\": false}, \"example\": {\"pool\": \"web-ams\", \"backend\": \"b1\"}}}}" },
		{ "/v1/overrides",
		  "post requestBody content application/json schema properties now",
		  "{\"type\": \"boolean\"}" },
		{ "/v1/overrides", "post requestBody content application/json schema properties do",
		  "{\"type\": \"string\", \"enum\": [\"drain\", \"disable\", \"force_up\", \"hold\", \"undrain\", \"enable\"]}" },
	};
	size_t n = 0;

	(void)state;
	assert_int_equal(ask_route("GET /v1/openapi.json", NULL), 200);
	assert_string_equal(text_at("openapi"), "3.1.0");
	assert_string_equal(text_at("info.title"), "Weir");
	is_told(json_incref(json_object_get(answer.json, "security")),
	        "[{\"token\": []}, {\"certificate\": []}]");
	is_told(json_incref(json_object_get(json_object_get(answer.json, "components"),
	                                    "securitySchemes")),
	        "{\"token\": {\"type\": \"http\", \"scheme\": \"bearer\"},"
	        " \"certificate\": {\"type\": \"mutualTLS\"}}");
	json_t *paths = json_object_get(answer.json, "paths");
	const char *path;
	json_t *methods;
	json_object_foreach(paths, path, methods) n += json_object_size(methods);
	assert_int_equal(n, route_table_n);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *value = described_at(rows[i].path, rows[i].way);
		json_t *expected =
		        rows[i].json ? json_loads(rows[i].json, JSON_DECODE_ANY, NULL) : NULL;

		if (!rows[i].json != !value || (value && !json_equal(value, expected)))
			fail_msg("%s %s: %s", rows[i].path, rows[i].way,
			         json_dumps(value, JSON_ENCODE_ANY));
		json_decref(value);
		json_decref(expected);
	}
	is_told(json_incref(json_object_get(
	                json_object_get(json_object_get(answer.json, "components"), "responses"),
	                "body-413")),
	        "{\"description\": \"a problem (RFC 9457): docs/api.md has the codes\", \"content\": {\"application/problem+json\":"
	        " {\"schema\": {\"allOf\": [{\"$ref\": \"#/components/schemas/problem\"}, {\"properties\": {\"status\": {\"const\": 413},"
	        " \"code\": {\"enum\": [\"too-large\"]}}}]}}}}");
}

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Whether a route is asked by other tests: it needs a store, a log, or other nodes, or has objects (test_objects.c). */
static bool is_asked_elsewhere(const struct route *r)
{
	return r->object != OBJECT_NONE || !strncmp(r->path, "/v1/store/", 10) ||
	       !strcmp(r->path, "/v1/blame") || !strncmp(r->path, "/v1/pools/", 10) ||
	       !strncmp(r->path, "/v1/verdicts/", 13) || !strcmp(r->path, "/v1/audit/rotate") ||
	       !strncmp(r->path, "/v1/drills", 10) || !strncmp(r->path, "/v1/proposals", 13) ||
	       !strncmp(r->path, "/v1/sites/", 10) || !strncmp(r->path, "/v1/operations", 14) ||
	       !strncmp(r->path, "/v1/health/", 11) || !strncmp(r->path, "/v1/dataplane", 13) ||
	       !strcmp(r->path, "/v1/trace") || !strcmp(r->path, "/v1/dns") ||
	       !strcmp(r->path, "/v1/peer/exchange") || !strcmp(r->path, "/v1/peer/connections");
}

/* ask_route() compares; here each route that says what it answers is asked, with something to show. */
static void each_answer_is_as_it_is_described(void **state)
{
	static const char *const requests[] = {
		"GET /v1/config",
		"GET /v1/versions",
		"GET /v1/versions/1",
		"GET /v1/versions/2?files=true",
		"GET /v1/overrides?ended=true",
		"GET /v1/versions/1/diff/2",
		"GET /v1/store",
		"GET /v1/clock",
		"GET /v1/audit",
		"GET /v1/verdicts",
		"GET /v1/audit/heads",
		"GET /v1/processes",
		"GET /v1/announcements",
		"GET /v1/peers",
		"GET /v1/health",
		"GET /v1/dns/explain?name=www.shop.example",
		"GET /v1/events",
		"GET /v1/node",
		"GET /v1/status",
		"GET /v1/status?limit=1",
		"GET /v1/operations",
		"GET /v1/openapi.json",
	};
	static const struct {
		const char *what, *body;
	} changes[] = {
		{ "POST /v1/overrides?wait_ms=0",
		  "{\"do\": \"drain\", \"target\": {\"pool\": \"web-ams\", \"backend\": \"b1\"}, \"until\": \"never\", \"reason\": \"x\"}" },
		{ "POST /v1/overrides?wait_ms=0",
		  "{\"do\": \"drain\", \"target\": {\"site\": \"ams\"}, \"over\": \"1h\", \"until\": \"never\", \"reason\": \"x\"}" },
		{ "POST /v1/versions/1/rollback?wait_ms=0",
		  "{\"reason\": \"x\", \"confirm_within\": \"1h\"}" },
		{ "POST /v1/versions/3/confirm?wait_ms=0", "{\"reason\": \"x\"}" },
		{ "POST /v1/changes?wait_ms=0",
		  "{\"reason\": \"x\", \"edits\": [{\"method\": \"PATCH\", \"path\": \"pools/web-ams\","
		  " \"if_match\": \"*\", \"value\": {\"max_backends\": 11}}]}" },
		{ "POST /v1/clock/accept?wait_ms=0", "{\"reason\": \"x\"}" },
		{ "POST /v1/files", "{\"parts\": [{\"digest\": \"" DIGEST "\", \"bytes\": 3}]}" },
		{ "POST /v1/peer/files", "{\"parts\": []}" },
		{ "POST /v1/zones/reload?wait_ms=0", "{\"reason\": \"x\"}" },
	};

	char one[100];

	(void)state;
	memset(described_answered, 0, sizeof(described_answered));
	memset(described_asked, 0, sizeof(described_asked));
	assert_int_equal(apply_line("# another", "none"), 201);
	assert_int_equal(
	        ask_with_json("POST /v1/config/check",
	                      json_pack("{s:o}", "files", files_with("# two sites", "# x"))),
	        200);
	assert_int_equal(ask_with_json("POST /v1/config/plan",
	                               json_pack("{s:o}", "files",
	                                         files_with("weight = 100", "weight = 50"))),
	                 200);
	assert_int_equal(ask_with_json("POST /v1/what-if",
	                               json_pack("{s:o}", "files",
	                                         files_with("weight = 100", "weight = 50"))),
	                 200);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		if (ask_route(changes[i].what, changes[i].body) / 100 != 2)
			fail_msg("%s: %u: %s", changes[i].what, answer.status, text_at("detail"));
	snprintf(one, sizeof(one), "GET /v1/overrides/%s",
	         intent_overrides(this_node.intent)->items[0].id);
	assert_int_equal(ask_route(one, NULL), 200);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (ask_route(requests[i], NULL) != 200)
			fail_msg("%s: %u", requests[i], answer.status);
	for (size_t i = 0; i < route_table_n; i++)
		if (route_table[i].answer && !described_answered[i] &&
		    !is_asked_elsewhere(&route_table[i]))
			fail_msg("%s %s was not asked", route_table[i].method, route_table[i].path);
	for (size_t i = 0; i < route_table_n; i++)
		if (route_table[i].body && !described_asked[i] &&
		    !is_asked_elsewhere(&route_table[i]))
			fail_msg("%s had no body", route_table[i].path);
}

SUITE(answers)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
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
		T(the_interface_is_described_by_its_routes),
		T(each_answer_is_as_it_is_described),
	};

	world_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
