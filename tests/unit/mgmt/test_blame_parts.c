/* SPDX-License-Identifier: BSD-2-Clause */
/* Who changed a setting, over the API: by edits, a rollback, a whole text, an include; what ended, what is gone, what is asked wrongly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api_world.h"
#include "change.h"
#include "mgmt/files/gather.h"
#include "mgmt/store/copy.h"
#include "mgmt/store/history.h"
#include "mgmt/store/records.h"
#include "tests/unit/suite.h"

#define POOL   "pools/web-ams"
#define B1     POOL "/backends/b1"
#define B2     POOL "/backends/b2"
#define WEIGHT B2 "/weight"

static unsigned ask_blame(const char *path, const char *cursor)
{
	char what[700];

	snprintf(what, sizeof(what), "GET /v1/blame?path=%s%s%s", path, *cursor ? "&cursor=" : "",
	         cursor);
	return ask_route(what, NULL);
}

/* Edit an object, as @p author. */
static void edit_as(const char *author, const char *method, const char *path, const char *body)
{
	char what[300];

	snprintf(what, sizeof(what),
	         "%s /v1/%s?reason=because&confirm_within=none&wait_ms=0&author=%s", method, path,
	         author);
	unsigned status = ask_route(what, body);
	if (status != 201)
		fail_msg("%s: %u %s", what, status, text_at("detail"));
}

static void set_weight(const char *author, const char *path, unsigned weight)
{
	char body[40];

	snprintf(body, sizeof(body), "{\"weight\":%u}", weight);
	edit_as(author, "PATCH", path, body);
}

/* Whether the row of @p path has been changed by @p version of @p author, from @p from to @p to, JSON. */
static void is_blamed(const char *path, unsigned version, const char *author, const char *from,
                      const char *to)
{
	const json_t *list = value_at("items"), *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		if (strcmp(json_text_of(one, "path"), path) != 0)
			continue;
		char expected[600];

		snprintf(expected, sizeof(expected), "[%u,\"%s\",%s,%s]", version, author, from,
		         to);
		is_told(json_pack("[O, O, O, O]", json_object_get(one, "version"),
		                  json_object_get(one, "author"), json_object_get(one, "from"),
		                  json_object_get(one, "to")),
		        expected);
		return;
	}
	char *text = json_dumps(answer.json, JSON_INDENT(1));
	fail_msg("%s is not in %s", path, text ? text : "");
}

static void roll_back(const char *number)
{
	assert_int_equal(ask_change(ROLLBACK,
	                            json_pack("{s:s, s:s, s:s}", "reason", "back", "author", "ron",
	                                      "confirm_within", "none"),
	                            number, "wait_ms=0", "*"),
	                 201);
}

static void each_way_of_changing_a_setting_is_found(void **state)
{
	(void)state;
	set_weight("ada", B2, 60); /* 2 */
	set_weight("bob", B1, 70); /* 3 */
	assert_int_equal(ask_blame(WEIGHT, ""), 200);
	assert_string_equal(text_at("path"), WEIGHT);
	assert_int_equal(number_at("version"), 3);
	assert_int_equal(count_at("items"), 1);
	is_blamed(WEIGHT, 2, "ada", "100", "60");
	assert_string_equal(text_at("items.0.kind"), "changed");
	assert_string_equal(text_at("items.0.principal"), "token:ada");
	assert_string_equal(text_at("items.0.reason"), "because");
	assert_string_equal(text_at("items.0.node"), "ams-1");
	assert_true(*text_at("items.0.time"));
	assert_true(is_true_at("items.0.certain"));
	assert_int_equal(count_at("open"), 0);
	assert_true(json_is_null(value_at("before")));
	assert_true(json_is_null(value_at("next")));
	roll_back("1"); /* 4 */
	assert_int_equal(ask_blame(WEIGHT, ""), 200);
	is_blamed(WEIGHT, 4, "ron", "60", "100");
	/* a whole text: of this setting it changes nothing */
	assert_int_equal(apply_line("# another", "none"), 201); /* 5 */
	assert_int_equal(ask_blame(WEIGHT, ""), 200);
	is_blamed(WEIGHT, 4, "ron", "60", "100");
	assert_int_equal(
	        ask_with_json("POST /v1/config/apply?wait_ms=0",
	                      json_pack("{s:s, s:s, s:o, s:s}", "reason", "x", "author", "eve",
	                                "files",
	                                files_with("weight = 100; } ); },", "weight = 9; } ); },"),
	                                "confirm_within", "none")),
	        201); /* 6 */
	assert_int_equal(ask_blame(WEIGHT, ""), 200);
	is_blamed(WEIGHT, 6, "eve", "100", "9");
	assert_true(json_is_null(
	        value_at("next"))); /* all is known, older versions were not looked at */
	assert_int_equal(ask_blame(B1 "/weight", ""), 200);
	is_blamed(B1 "/weight", 4, "ron", "70", "100");
}

static void an_object_has_a_row_of_each_setting(void **state)
{
	(void)state;
	set_weight("ada", B2, 60);                                  /* 2 */
	edit_as("bob", "PATCH", POOL, "{\"max_backends\":20}");     /* 3 */
	edit_as("cat", "PATCH", B2, "{\"address\":\"10.1.1.13\"}"); /* 4 */
	assert_int_equal(ask_blame(B2, ""), 200);
	assert_int_equal(count_at("items"), 5);
	assert_string_equal(text_at("items.0.path"), B2 "/address"); /* newest first */
	assert_string_equal(text_at("items.1.path"), WEIGHT);
	is_blamed(B2 "/address", 4, "cat", "\"10.1.1.12\"", "\"10.1.1.13\"");
	is_blamed(WEIGHT, 2, "ada", "100", "60");
	is_blamed(B2 "/port", 1, "first start", "null", "0");
	is_blamed(B2, 1, "first start", "null",
	          "{\"name\":\"b2\",\"address\":\"10.1.1.13\",\"port\":0,\"weight\":60}");
	assert_int_equal(ask_blame(POOL, ""), 200);
	is_blamed(POOL "/max_backends", 3, "bob", "10", "20");
	is_blamed(POOL "/backends", 1, "first start", "null", "[\"b1\",\"b2\"]");
	is_blamed(POOL "/backends/b1", 1, "first start", "null",
	          "{\"name\":\"b1\",\"address\":\"10.1.1.11\",\"port\":0,\"weight\":100}");
	assert_int_equal(ask_blame(POOL "/backends", ""), 200); /* a list in an object */
	assert_int_equal(count_at("items"), 3);
	is_blamed(POOL "/backends/b2", 4, "cat",
	          "{\"name\":\"b2\",\"address\":\"10.1.1.12\",\"port\":0,\"weight\":60}",
	          "{\"name\":\"b2\",\"address\":\"10.1.1.13\",\"port\":0,\"weight\":60}");
}

static void what_is_gone_can_be_asked_for(void **state)
{
	(void)state;
	edit_as("ada", "PATCH", "sites/ams", "{\"labels\":{\"region\":\"eu\"}}"); /* 2 */
	edit_as("bob", "PATCH", "sites/ams", "{\"labels\":null}");                /* 3 */
	edit_as("cat", "DELETE", B2, NULL);                                       /* 4 */
	assert_int_equal(ask_blame(B2, ""), 200);
	assert_int_equal(count_at("items"), 1);
	is_blamed(B2, 4, "cat",
	          "{\"name\":\"b2\",\"address\":\"10.1.1.12\",\"port\":0,\"weight\":100}", "null");
	assert_string_equal(text_at("items.0.kind"), "removed");
	assert_int_equal(ask_blame(WEIGHT, ""), 200);
	is_blamed(WEIGHT, 4, "cat", "100", "null");
	assert_int_equal(ask_blame("sites/ams/labels/region", ""), 200);
	is_blamed("sites/ams/labels/region", 3, "bob", "\"eu\"", "null");
	assert_int_equal(ask_blame(POOL "/backends", ""), 200);
	is_blamed(POOL "/backends", 4, "cat", "[\"b1\",\"b2\"]", "[\"b1\"]");
	asker.if_match[0] = '\0';
	strcpy(asker.if_none_match, "*");
	edit_as("dan", "PUT", B2, "{\"address\":\"10.1.1.12\"}"); /* 5 */
	assert_int_equal(ask_blame(B2 "/port", ""), 200);
	is_blamed(B2 "/port", 5, "dan", "null", "0");
}

/* What nobody confirmed was taken back: nobody has changed anything by it. */
static void a_version_that_ended_has_changed_nothing(void **state)
{
	(void)state;
	set_weight("ada", B2, 60); /* 2 */
	assert_int_equal(
	        ask_with_json("POST /v1/config/apply?wait_ms=0",
	                      json_pack("{s:s, s:s, s:o, s:s}", "reason", "x", "author", "eve",
	                                "files",
	                                files_with("weight = 100; } ); },", "weight = 9; } ); },"),
	                                "confirm_within", "5m")),
	        201);                                 /* 3 */
	assert_int_equal(ask_blame(WEIGHT, ""), 200); /* for as long as it is in force it is one */
	is_blamed(WEIGHT, 3, "eve", "60", "9");
	assert_int_equal(
	        ask_change(ROLLBACK, json_pack("{s:s}", "reason", "back"), "2", "wait_ms=0", "*"),
	        201);
	assert_int_equal(head_number(), 2);
	assert_int_equal(ask_blame(WEIGHT, ""), 200);
	is_blamed(WEIGHT, 2, "ada", "100", "60");
	set_weight("bob", B1, 70); /* 4, from 2 */
	assert_int_equal(ask_blame(WEIGHT, ""), 200);
	assert_int_equal(number_at("version"), 4);
	is_blamed(WEIGHT, 2, "ada", "100", "60");
}

/* A setting that stands in an included file is in force as any other. */
static void what_an_included_file_has_is_found(void **state)
{
	static const char included[] = "{ name = \"b2\"; address = \"10.1.1.12\"; weight = %u; }\n";
	char text[200];

	(void)state;
	for (unsigned weight = 100; weight <= 101; weight++) { /* 2, 3 */
		json_t *files =
		        files_with("{ name = \"b2\"; address = \"10.1.1.12\"; weight = 100; }",
		                   "\n@include \"b2.conf\"\n");

		snprintf(text, sizeof(text), included, weight);
		json_object_set_new(files, "b2.conf", json_string(text));
		assert_int_equal(
		        ask_with_json("POST /v1/config/apply?wait_ms=0",
		                      json_pack("{s:s, s:s, s:o, s:s}", "reason", "x", "author",
		                                "eve", "files", files, "confirm_within", "none")),
		        201);
	}
	assert_int_equal(ask_blame(WEIGHT, ""), 200);
	is_blamed(WEIGHT, 3, "eve", "100", "101");
	set_weight("ada", B1, 7); /* 4 */
	assert_int_equal(ask_blame(B2, ""), 200);
	is_blamed(WEIGHT, 3, "eve", "100", "101");
	is_blamed(B2 "/address", 1, "first start", "null", "\"10.1.1.12\"");
}

static void what_is_asked_wrongly_is_refused(void **state)
{
	static const struct {
		const char *what;
		unsigned status;
		const char *code, *detail;
	} rows[] = {
		{ "GET /v1/blame", 400, "bad-request", "path must name" },
		{ "GET /v1/blame?path=", 404, "not-found", "no path of an object" },
		{ "GET /v1/blame?path=pools", 404, "not-found", "no path of an object" },
		{ "GET /v1/blame?path=pool/web-ams", 404, "not-found", "no path of an object" },
		{ "GET /v1/blame?path=/pools/web-ams", 404, "not-found", "no path of an object" },
		{ "GET /v1/blame?path=pools//check", 404, "not-found", "no path of an object" },
		{ "GET /v1/blame?path=pools/%zz", 404, "not-found", "no path of an object" },
		{ "GET /v1/blame?path=pools/none", 404, "not-found", "none of the versions" },
		{ "GET /v1/blame?path=pools/web-ams%2Fcheck", 404, "not-found",
		  "none of the versions" },
		{ "GET /v1/blame?path=pools/..%2F..%2Fetc", 404, "not-found",
		  "none of the versions" },
		{ "GET /v1/blame?path=pools/web-ams/chekc", 404, "not-found", "check" },
		{ "GET /v1/blame?path=pools/web-ams/check/x", 404, "not-found", "no setting" },
		{ "GET /v1/blame?path=pools/web-ams/labels/", 404, "not-found", "" },
		{ "GET /v1/blame?path=pools/web-ams//", 404, "not-found", "no setting" },
		{ "GET /v1/blame?path=" WEIGHT "&limit=3", 400, "bad-request",
		  "unknown query parameter" },
		{ "GET /v1/blame?path=" WEIGHT "&cursor=", 400, "bad-request", "cursor must be" },
		{ "GET /v1/blame?path=" WEIGHT "&cursor=1", 400, "bad-request", "cursor must be" },
		{ "GET /v1/blame?path=" WEIGHT "&cursor=1-1-1-ff", 400, "bad-request",
		  "cursor must be" },
		{ "GET /v1/blame?path=" WEIGHT "&cursor=1-2-2-0", 400, "bad-request",
		  "cursor must be" },
		{ "GET /v1/blame?path=" WEIGHT "&cursor=7-1-1-0", 410, "cursor-expired",
		  "version 7" },
	};
	char what[400] = "GET /v1/blame?path=pools/";

	(void)state;
	asker.role = HTTP_VIEWER;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)ask_route(rows[i].what, NULL);
		if (answer.status != rows[i].status || strcmp(text_at("code"), rows[i].code) != 0 ||
		    !strstr(text_at("detail"), rows[i].detail))
			fail_msg("%s: %u %s", rows[i].what, answer.status, text_at("detail"));
	}
	memset(what + strlen(what), 'x', 230);
	assert_int_equal(ask_route(what, NULL), 404);
	assert_int_equal(ask_blame(WEIGHT, ""), 200);
	asker.role = HTTP_METRICS;
	assert_int_equal(ask_blame(WEIGHT, ""), 403);
}

/* Version @p number, as a store has decided it, with @p from replaced by @p to; without its files where @p has_files says so. */
static void decide_version(uint64_t number, const char *from, const char *to, bool has_files)
{
	struct files files = fixture_files(from, to);
	struct version v = *intent_head(this_node.intent);
	struct shared_change c;
	struct shared_answer a;
	char id[16], name[40];

	snprintf(id, sizeof(id), "id%u", (unsigned)number);
	snprintf(name, sizeof(name), "version/%u", (unsigned)number);
	v.number = number;
	strcpy(v.author, "sam");
	memcpy(v.parent, v.digest, sizeof(v.parent));
	files_digest(&files, v.digest);
	shared_change_begin(&c, id);
	shared_change_put(&c, name, &version_record, &v);
	shared_change_put(&c, "head", &history_head_record, &(struct history_head){ number });
	assert_int_equal(copy_decide(intent_store(this_node.intent), &c,
	                             has_files ? &(struct copy_version){ &v, &files } : NULL, &a),
	                 0);
	shared_change_fini(&c);
	shared_answer_fini(&a);
	files_fini(&files);
	world_close();
	world_open();
}

/* What this release cannot read is said, and so is what it leaves unknown. */
static void a_version_that_cannot_be_read_is_said(void **state)
{
	(void)state;
	decide_version(2, "schema = 1;", "schema = 99;", true);
	decide_version(3, "max_backends = 10", "max_backends = 12", false);
	assert_int_equal(intent_head(this_node.intent)->number, 1);
	assert_int_equal(ask_blame(WEIGHT, ""),
	                 200); /* what is in force is older than the newest */
	assert_int_equal(number_at("items.0.version"), 1);
	decide_version(4, "max_backends = 10", "max_backends = 30", true);
	assert_int_equal(intent_head(this_node.intent)->number, 4);
	assert_int_equal(ask_blame(POOL "/max_backends", ""), 200);
	assert_int_equal(count_at("items"), 1);
	is_blamed(POOL "/max_backends", 4, "sam", "10", "30");
	assert_false(is_true_at("items.0.certain"));
	assert_int_equal(count_at("unread"), 2);
	assert_int_equal(number_at("unread.0.version"), 3);
	assert_string_equal(text_at("unread.0.reason"), "its files are not here");
	assert_int_equal(number_at("unread.1.version"), 2);
	assert_non_null(strstr(text_at("unread.1.reason"), "schema"));
}

/* While it was apart this node had a version of its own under the number of one of the store's. */
static void another_version_of_the_same_number_is_not_read(void **state)
{
	(void)state;
	decide_version(2, "max_backends = 10", "max_backends = 12", true);
	decide_version(2, "max_backends = 10", "max_backends = 13", false);
	decide_version(3, "max_backends = 10", "max_backends = 30", true);
	assert_int_equal(ask_blame(POOL "/max_backends", ""), 200);
	is_blamed(POOL "/max_backends", 3, "sam", "10", "30");
	assert_int_equal(count_at("unread"), 1);
	assert_string_equal(text_at("unread.0.reason"), "its files are not here");
}

/* A request reads so many versions, and a cursor goes on, whatever comes into force meanwhile. */
static void many_versions_are_read_in_several_requests(void **state)
{
	char cursor[HTTP_TEXT_MAX] = "";
	unsigned n_requests = 0;

	(void)state;
	set_weight("ada", B2, 60); /* 2 */
	for (unsigned i = 0; i < 300; i++)
		set_weight("bob", B1, 200 + i);
	do {
		assert_int_equal(ask_blame(B2, cursor), 200);
		assert_int_equal(number_at("version"), 302);
		snprintf(cursor, sizeof(cursor), "%s", text_at("next"));
		n_requests++;
		if (*cursor) {
			assert_int_equal(count_at("items"), 0);
			assert_int_equal(count_at("open"), 5);
			assert_int_equal(number_at("before"), 302 - 64 * n_requests);
		} else {
			is_blamed(WEIGHT, 2, "ada", "100",
			          "60"); /* as of the version at which it began */
			is_blamed(
			        B2, 1, "first start", "null",
			        "{\"name\":\"b2\",\"address\":\"10.1.1.12\",\"port\":0,\"weight\":60}");
		}
		set_weight("eve", B2, 60 + n_requests);
	} while (*cursor && n_requests < 10);
	assert_int_equal(n_requests, 5);
	assert_int_equal(ask_blame(WEIGHT, ""), 200);
	is_blamed(WEIGHT, 307, "eve", "64", "65");
}

static void nothing_is_left_of_what_was_read(void **state)
{
	char path[PATH_MAX];

	(void)state;
	set_weight("ada", B2, 60);
	assert_int_equal(ask_blame(B2, ""), 200);
	assert_int_equal(proc_path(place.state, PROC_CONFIG_DIR "/diff", path), 0);
	assert_int_not_equal(access(path, F_OK), 0);
	for (unsigned i = 0; i < 2; i++) { /* nor after a failure */
		assert_int_equal(pthread_mutex_trylock(&this_node.compare_lock), 0);
		pthread_mutex_unlock(&this_node.compare_lock);
		FILE *f = fopen(path, "we");
		assert_non_null(f);
		fclose(f);
		assert_int_equal(ask_blame(B2, ""), 503);
		assert_string_equal(text_at("code"), "busy");
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(ask_route("GET /v1/versions/1/diff/2", NULL), 200);
	assert_int_equal(count_at("changes"), 1);
}

SUITE(blame_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(each_way_of_changing_a_setting_is_found),
		T(an_object_has_a_row_of_each_setting),
		T(what_is_gone_can_be_asked_for),
		T(a_version_that_ended_has_changed_nothing),
		T(what_an_included_file_has_is_found),
		T(what_is_asked_wrongly_is_refused),
		T(a_version_that_cannot_be_read_is_said),
		T(another_version_of_the_same_number_is_not_read),
		T(many_versions_are_read_in_several_requests),
		T(nothing_is_left_of_what_was_read),
	};

	world_begin();
	return cmocka_run_group_tests_name("blame parts", tests, NULL, NULL);
}
