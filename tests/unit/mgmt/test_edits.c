/* SPDX-License-Identifier: BSD-2-Clause */
/* Edits of objects over the API: what is refused, what is changed, and what stays. */
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
#include "tests/unit/suite.h"
#include "weir/object.h"

#define B2   "/v1/pools/web-ams/backends/b2"
#define SAID "?reason=x&wait_ms=0"

/* Ask with these preconditions; "": none. */
static unsigned ask_if(const char *what, const char *body, const char *match, const char *none)
{
	snprintf(asker.if_match, sizeof(asker.if_match), "%s", match);
	snprintf(asker.if_none_match, sizeof(asker.if_none_match), "%s", none);
	unsigned status = ask_route(what, body);
	asker.if_none_match[0] = '\0';
	strcpy(asker.if_match, "*");
	return status;
}

/* The ETag of the object at @p path, until the next call. */
static const char *etag_of(const char *path)
{
	static char etag[HTTP_TEXT_MAX];
	char what[300];

	snprintf(what, sizeof(what), "GET %s", path);
	assert_int_equal(ask_if(what, NULL, "", ""), 200);
	snprintf(etag, sizeof(etag), "%s", answer.etag);
	return etag;
}

/* The configuration in force, until the next call. */
static const char *text_in_force(void)
{
	static char text[16384];
	const struct files *files = intent_head_files(this_node.intent);
	struct files_text t;

	assert_int_equal(files_read(files_find(files, FILES_MAIN), &t), 0);
	assert_true(t.n < sizeof(text));
	memcpy(text, t.bytes, t.n);
	text[t.n] = '\0';
	files_read_end(&t);
	return text;
}

static void is_refused(const char *what, const char *body, unsigned status, const char *code)
{
	if (answer.status != status || strcmp(text_at("code"), code) != 0)
		fail_msg("%s %s: %u %s: %s", what, body ? body : "", answer.status, text_at("code"),
		         text_at("detail"));
}

/* Hostile first: nothing of this changes anything. */
static void what_is_wrong_is_refused_and_changes_nothing(void **state)
{
	static const struct {
		const char *what, *body, *match, *none;
		unsigned status;
		const char *code;
	} rows[] = {
		/* paths */
		{ "PUT /v1/pools/web-ams%2Fbackends%2Fb2" SAID, "{}", "*", "", 404, "not-found" },
		{ "DELETE /v1/pools/none" SAID, NULL, "", "", 404, "not-found" },
		{ "PATCH /v1/pools/none" SAID, "{}", "*", "", 404, "not-found" },
		{ "PUT /v1/pools/none" SAID, "{}", "*", "", 404, "not-found" },
		{ "PUT /v1/pools/none/backends/b1" SAID, "{}", "", "*", 404, "not-found" },
		{ "PUT /v1/pools/*" SAID, "{}", "*", "", 404, "not-found" },
		{ "DELETE /v1/dns/names/www.shop" SAID, NULL, "*", "", 404, "not-found" },
		{ "PUT /v1/pools" SAID, "{}", "*", "", 405, "method-not-allowed" },
		/* bodies */
		{ "PUT " B2 SAID, "null", "*", "", 422, "invalid" },
		{ "PUT " B2 SAID, "", "*", "", 422, "invalid" },
		{ "PUT " B2 SAID, "[{}]", "*", "", 422, "invalid" },
		{ "PATCH " B2 SAID, "5", "*", "", 422, "invalid" },
		{ "PATCH " B2 SAID, "{\"weight\":1,\"weight\":2}", "*", "", 422, "invalid" },
		{ "PATCH " B2 SAID, "{\"weight\":\"1\"}", "*", "", 422, "invalid" },
		{ "PATCH " B2 SAID, "{\"weigth\":1}", "*", "", 422, "invalid" },
		{ "PATCH " B2 SAID, "{\"weight\":1e3}", "*", "", 422, "invalid" },
		{ "PATCH " B2 SAID, "{\"name\":\"b3\"}", "*", "", 422, "invalid" },
		{ "PUT " B2 SAID, "{\"address\":\"10.1.1.12\",\"weight\":null}", "*", "", 422,
		  "invalid" },
		{ "PUT " B2 SAID, "{}", "*", "", 422, "invalid" },
		/* the query */
		{ "DELETE " B2 "?wait_ms=0", NULL, "*", "", 422, "invalid" },
		{ "DELETE " B2 SAID "&confirm_within=never", NULL, "*", "", 422, "invalid" },
		{ "DELETE " B2 SAID "&pending=ignore", NULL, "*", "", 422, "invalid" },
		{ "DELETE " B2 SAID "&dry_run=1", NULL, "*", "", 400, "bad-request" },
		{ "DELETE " B2 SAID "&base=1", NULL, "*", "", 400, "bad-request" },
		/* preconditions */
		{ "DELETE " B2 SAID, NULL, "", "", 428, "if-match-required" },
		{ "PUT /v1/pools/new" SAID, "{}", "", "", 428, "if-match-required" },
		{ "PATCH " B2 SAID, "{\"weight\":5}", "\"0000000000000000\"", "", 412, "stale" },
		{ "PUT " B2 SAID, "{\"address\":\"10.1.1.12\"}", "", "*", 412, "stale" },
		{ "PUT " B2 SAID, "{}", "*", "*", 400, "bad-request" },
		{ "PATCH " B2 SAID, "{}", "", "*", 400, "bad-request" },
		{ "PUT " B2 SAID, "{}", "", "\"a\"", 400, "bad-request" },
		/* what the whole would be */
		{ "DELETE /v1/pools/web-fra" SAID, NULL, "*", "", 409, "referenced" },
		{ "PATCH " B2 SAID, "{\"weight\":65536}", "*", "", 422, "invalid" },
		{ "PATCH /v1/pools/web-ams" SAID, "{\"max_backends\":1}", "*", "", 422,
		  "mistakes" },
	};
	char before[16384];

	(void)state;
	snprintf(before, sizeof(before), "%s", text_in_force());
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)ask_if(rows[i].what, rows[i].body, rows[i].match, rows[i].none);
		is_refused(rows[i].what, rows[i].body, rows[i].status, rows[i].code);
	}
	assert_string_equal(text_in_force(), before);
	assert_int_equal(head_number(), 1);
}

static void a_refusal_has_what_a_program_needs(void **state)
{
	(void)state;
	assert_int_equal(ask_if("PATCH " B2 SAID, "{\"weight\":5}", "\"x\"", ""), 412);
	assert_int_equal(number_at("object.weight"), 100);
	char head[HTTP_TEXT_MAX];
	snprintf(head, sizeof(head), "%s", text_at("head"));
	assert_string_equal(etag_of(B2), head);
	assert_int_equal(ask_if("DELETE /v1/pools/web-fra" SAID, NULL, "*", ""), 409);
	assert_string_equal(text_at("referents.0"), "services/web/at/fra");
	assert_int_equal(ask_if("PATCH " B2 SAID, "{\"weigth\":1}", "*", ""), 422);
	assert_string_equal(text_at("errors.0.field"), "weigth");
	assert_non_null(strstr(text_at("errors.0.detail"), "weight"));
}

static void types_other_than_json_are_refused_by_the_head(void **state)
{
	static const struct {
		const char *method;
		bool json, patch;
		unsigned status;
	} rows[] = {
		{ "PUT", false, false, 415 },   { "PUT", false, true, 415 },
		{ "PUT", true, false, 0 },      { "PATCH", true, false, 415 },
		{ "PATCH", false, false, 415 }, { "PATCH", false, true, 0 },
		{ "DELETE", false, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int may = 0; may < 2; may++) {
			struct http_request r = { .role = may ? HTTP_OPERATOR : HTTP_ONCALL,
				                  .path = B2,
				                  .body_is_json = rows[i].json,
				                  .body_is_patch = rows[i].patch };
			struct http_reply reply = { 0 };

			snprintf(r.method, sizeof(r.method), "%s", rows[i].method);
			bool ok = route_gate(&this_node, &r, &reply);
			assert_int_equal(ok, may && !rows[i].status);
			assert_int_equal(reply.status, may ? rows[i].status : 403);
			bool says = may && rows[i].status && !strcmp(rows[i].method, "PATCH");
			assert_string_equal(reply.accept_patch ? reply.accept_patch : "",
			                    says ? "application/merge-patch+json" : "");
			http_reply_fini(&reply);
		}
}

static void an_edit_changes_its_setting_and_no_other_byte(void **state)
{
	char etag[HTTP_TEXT_MAX];

	(void)state;
	snprintf(etag, sizeof(etag), "%s", etag_of(B2));
	assert_int_equal(ask_if("PATCH " B2 SAID "&author=eve", "{\"weight\":50}", etag, ""), 201);
	assert_int_equal(number_at("version.number"), 2);
	assert_string_equal(text_at("version.author"), "eve");
	assert_string_equal(text_at("version.reason"), "x");
	assert_true(is_true_at("changed"));
	assert_true(has_waited());
	assert_int_equal(number_at("object.weight"), 50);
	assert_string_equal(text_at("plan.changes.0.path"), "pools/web-ams/backends/b2/weight");
	assert_string_equal(text_in_force(), fixture_text("10.1.1.12\"; weight = 100;",
	                                                  "10.1.1.12\"; weight = 50;"));
	snprintf(etag, sizeof(etag), "%s", answer.etag);
	assert_string_equal(etag_of(B2), etag);
}

static void a_put_of_what_is_shown_changes_nothing(void **state)
{
	(void)state;
	for (enum object_kind kind = 0; kind < OBJECT_NONE; kind++) {
		const struct object_row *row = object_row(kind);
		const char *around = kind == OBJECT_BACKEND ? "web-ams" : "web";
		const char *braces = strstr(row->path, "{}");
		int n = braces ? (int)(braces - row->path) : (int)strlen(row->path);
		char list[200], what[600], etag[HTTP_TEXT_MAX];

		snprintf(list, sizeof(list), "/v1/%.*s%s%s", n, row->path, braces ? around : "",
		         braces ? braces + 2 : "");
		snprintf(what, sizeof(what), "GET %s", list);
		assert_int_equal(ask_if(what, NULL, "", ""), 200);
		json_t *first = json_deep_copy(value_at("items.0"));
		char *body = json_dumps(first, 0);
		snprintf(what, sizeof(what), "%s/%s", list, json_get_text(first, row->key));
		snprintf(etag, sizeof(etag), "%s", etag_of(what));
		snprintf(what, sizeof(what), "PUT %s/%s" SAID, list,
		         json_get_text(first, row->key));
		if (ask_if(what, body, etag, "") != 200)
			fail_msg("%s %s: %u %s", what, body, answer.status, text_at("detail"));
		assert_false(is_true_at("changed"));
		assert_true(json_equal(value_at("object"), first));
		assert_string_equal(answer.etag, etag);
		free(body);
		json_decref(first);
	}
	assert_int_equal(head_number(), 1);
}

static void objects_come_and_go(void **state)
{
	char before[HTTP_TEXT_MAX];

	(void)state;
	snprintf(before, sizeof(before), "%s", etag_of("/v1/pools/web-ams"));
	assert_int_equal(ask_if("PUT /v1/pools/web-ams/backends/b3" SAID,
	                        "{\"address\":\"10.1.1.13\"}", "", "*"),
	                 201);
	assert_string_equal(text_at("object.name"), "b3");
	assert_int_equal(number_at("object.weight"), 100);
	assert_int_equal(ask_if("DELETE /v1/pools/web-ams/backends/b3" SAID, NULL,
	                        etag_of("/v1/pools/web-ams/backends/b3"), ""),
	                 201);
	assert_true(json_is_null(value_at("object")));
	assert_string_equal(answer.etag, "");
	assert_string_equal(etag_of("/v1/pools/web-ams"), before);
	assert_int_equal(head_number(), 3);
}

static void a_dry_run_makes_no_version(void **state)
{
	(void)state;
	assert_int_equal(ask_if("PATCH " B2 SAID "&dry_run=true", "{\"weight\":50}", "*", ""), 200);
	assert_true(is_true_at("dry_run"));
	assert_int_equal(number_at("object.weight"), 50);
	assert_false(has_waited());
	assert_string_equal(text_in_force(), fixture_config);
}

static void an_unconfirmed_version_refuses_edits_until_its_deadline(void **state)
{
	(void)state;
	assert_int_equal(ask_if("PATCH " B2 SAID "&confirm_within=60s", "{\"weight\":50}", "*", ""),
	                 201);
	assert_int_equal(number_at("rolls_back_to"), 1);
	assert_int_equal(ask_if("PATCH " B2 SAID, "{\"weight\":70}", "*", ""), 409);
	assert_string_equal(text_at("code"), "unconfirmed");
	assert_in_range(answer.retry_s, 59, 61);
	assert_int_equal(ask_if("PATCH " B2 SAID "&pending=confirm", "{\"weight\":70}", "*", ""),
	                 201);
	assert_int_equal(head_number(), 3);
}

/* --- several edits --- */

static unsigned ask_changes(const char *edits, const char *more, const char *query)
{
	char what[100];
	json_t *body = json_pack("{s:s, s:o}", "reason", "x", "edits", json_loads(edits, 0, NULL)),
	       *others = json_loads(more, 0, NULL);

	json_object_update(body, others);
	json_decref(others);
	snprintf(what, sizeof(what), "POST /v1/changes?wait_ms=0%s", query);
	return ask_with_json(what, body);
}

static void wrong_edits_are_refused_with_their_number(void **state)
{
	static const struct {
		const char *edits;
		unsigned status;
		const char *code;
		int edit;
	} rows[] = {
		{ "[]", 422, "invalid", -1 },
		{ "{}", 422, "invalid", -1 },
		{ "[1]", 422, "invalid", 0 },
		{ "[{\"method\":\"POST\",\"path\":\"pools/web-ams\",\"if_match\":\"*\"}]", 422,
		  "invalid", 0 },
		{ "[{\"method\":\"DELETE\",\"path\":\"pools\",\"if_match\":\"*\"}]", 422, "invalid",
		  0 },
		{ "[{\"method\":\"DELETE\",\"path\":\"/v1/pools/web-ams\",\"if_match\":\"*\"}]",
		  422, "invalid", 0 },
		{ "[{\"method\":\"DELETE\",\"path\":\"pools/web-ams\",\"if_match\":\"*\",\"value\":{}}]",
		  422, "invalid", 0 },
		{ "[{\"method\":\"PATCH\",\"path\":\"pools/web-ams\",\"if_match\":\"*\"}]", 422,
		  "invalid", 0 },
		{ "[{\"method\":\"PATCH\",\"path\":\"pools/web-ams\",\"if_match\":\"*\",\"value\":[]}]",
		  422, "invalid", 0 },
		{ "[{\"method\":\"PATCH\",\"path\":\"pools/web-ams\",\"if_match\":\"*\",\"valeu\":{}}]",
		  422, "invalid", 0 },
		{ "[{\"method\":\"PATCH\",\"path\":\"pools/web-ams/backends/b1\",\"if_match\":\"*\",\"value\":{\"weight\":1}},"
		  "{\"method\":\"PATCH\",\"path\":\"pools/web-ams/backends/b2\",\"value\":{\"weight\":1}}]",
		  428, "if-match-required", 1 },
		{ "[{\"method\":\"PATCH\",\"path\":\"pools/web-ams/backends/b1\",\"if_match\":\"*\",\"value\":{\"weight\":1}},"
		  "{\"method\":\"PATCH\",\"path\":\"pools/web-ams/backends/b2\",\"if_match\":\"\\\"x\\\"\",\"value\":{\"weight\":1}}]",
		  412, "stale", 1 },
		{ "[{\"method\":\"PATCH\",\"path\":\"pools/web-ams/backends/b1\",\"if_match\":\"*\",\"value\":{\"weight\":1}},"
		  "{\"method\":\"PATCH\",\"path\":\"pools/web-ams/backends/b9\",\"if_match\":\"*\",\"value\":{\"weight\":1}}]",
		  404, "not-found", 1 },
		{ "[{\"method\":\"PATCH\",\"path\":\"pools/web-ams/backends/b1\",\"if_match\":\"*\",\"value\":{\"weight\":1}},"
		  "{\"method\":\"PUT\",\"path\":\"pools/web-ams/backends/b2\",\"if_none_match\":\"*\",\"value\":{\"address\":\"10.1.1.12\"}}]",
		  412, "stale", 1 },
		{ "[{\"method\":\"PATCH\",\"path\":\"pools/web-ams/backends/b1\",\"if_match\":\"*\",\"value\":{\"weight\":1}},"
		  "{\"method\":\"DELETE\",\"path\":\"pools/web-fra\",\"if_match\":\"*\"}]",
		  409, "referenced", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)ask_changes(rows[i].edits, "{}", "");
		is_refused("changes", rows[i].edits, rows[i].status, rows[i].code);
		assert_int_equal(value_at("edit") ? number_at("edit") : -1, rows[i].edit);
	}
	assert_int_equal(head_number(), 1);
	assert_string_equal(text_in_force(), fixture_config);
}

static void too_many_edits_are_refused(void **state)
{
	(void)state;
	for (size_t n = 1000; n <= 1001; n++) {
		json_t *edits = json_array();

		for (size_t i = 0; i < n; i++)
			json_array_append_new(
			        edits, json_pack("{s:s, s:s, s:s, s:{s:i}}", "method", "PATCH",
			                         "path", "pools/web-ams/backends/b2", "if_match",
			                         "*", "value", "weight", (int)i + 1));
		unsigned status =
		        ask_with_json("POST /v1/changes?wait_ms=0&dry_run=true",
		                      json_pack("{s:s, s:o}", "reason", "x", "edits", edits));
		assert_int_equal(status, n == 1000 ? 200 : 422);
	}
}

/* A pool goes with what names it; what was made by an edit is there for those behind it. */
static void several_edits_are_one_version(void **state)
{
	(void)state;
	(void)ask_changes(
	        "[{\"method\":\"DELETE\",\"path\":\"pools/web-fra\",\"if_match\":\"*\"},"
	        "{\"method\":\"DELETE\",\"path\":\"services/web/at/fra\",\"if_match\":\"*\"},"
	        "{\"method\":\"DELETE\",\"path\":\"vips/shop-fra\",\"if_match\":\"*\"},"
	        "{\"method\":\"PUT\",\"path\":\"pools/new\",\"if_none_match\":\"*\","
	        "\"value\":{\"site\":\"ams\",\"mode\":\"ipip\",\"max_backends\":4,"
	        "\"backends\":[{\"name\":\"n0\",\"address\":\"10.1.1.20\"}]}},"
	        "{\"method\":\"PUT\",\"path\":\"pools/new/backends/n1\",\"if_none_match\":\"*\","
	        "\"value\":{\"address\":\"10.1.1.21\"}},"
	        "{\"method\":\"PATCH\",\"path\":\"pools/new/backends/n1\",\"if_match\":\"*\","
	        "\"value\":{\"weight\":7}}]",
	        "{\"confirm_within\":\"none\"}", "");
	is_refused("", "", 201, "");
	assert_int_equal(number_at("version.number"), 2);
	assert_int_equal(ask_if("GET /v1/pools/new/backends/n1", NULL, "", ""), 200);
	assert_int_equal(number_at("weight"), 7);
	assert_int_equal(ask_if("GET /v1/pools/web-fra", NULL, "", ""), 404);
}

static void a_token_holds_for_what_was_planned(void **state)
{
	static const char edits[] = "[{\"method\":\"PATCH\",\"path\":\"pools/web-ams/backends/b2\","
	                            "\"if_match\":\"*\",\"value\":{\"weight\":50}}]";
	static const char other[] = "[{\"method\":\"PATCH\",\"path\":\"pools/web-ams/backends/b2\","
	                            "\"if_match\":\"*\",\"value\":{\"weight\":51}}]";
	char more[100], token[64], first[64];

	(void)state;
	assert_int_equal(ask_changes(edits, "{}", "&dry_run=true"), 200);
	snprintf(first, sizeof(first), "%s", text_at("token"));
	assert_int_equal(strlen(first), 32);
	snprintf(more, sizeof(more), "{\"token\":\"%s\"}", first);
	assert_int_equal(ask_changes(other, more, ""), 409); /* other edits */
	assert_string_equal(text_at("code"), "plan-changed");
	assert_string_equal(text_at("plan.changes.0.to"), "51");
	assert_int_equal(head_number(), 1);
	/* another override */
	(void)ask_if("POST /v1/overrides?wait_ms=0",
	             "{\"do\":\"drain\",\"target\":{\"pool\":\"web-ams\",\"backend\":\"b1\"},"
	             "\"until\":\"+1h\",\"reason\":\"x\"}",
	             "", "");
	is_refused("", "", 201, "");
	assert_int_equal(ask_changes(edits, more, ""), 409);
	snprintf(token, sizeof(token), "%s", text_at("token"));
	assert_string_not_equal(token, first);
	/* another version */
	snprintf(more, sizeof(more), "{\"token\":\"%s\"}", token);
	assert_int_equal(apply_line("# another", "none"), 201);
	assert_int_equal(ask_changes(edits, more, ""), 409);
	snprintf(more, sizeof(more), "{\"token\":\"%s\"}", text_at("token"));
	assert_int_equal(ask_changes(edits, more, ""), 201);
	assert_int_equal(head_number(), 3);
}

static void what_a_file_includes_twice_is_not_edited(void **state)
{
	json_t *files = files_with(
	        "{ name = \"b1\"; address = \"10.1.1.11\"; weight = 100; },\n"
	        "                 { name = \"b2\"; address = \"10.1.1.12\"; weight = 100; } ); },",
	        "\n@include \"shared.conf\"\n); },");
	const char *main_text = json_get_text(files, FILES_MAIN);
	const char *from = "{ name = \"b1\"; address = \"10.2.1.11\"; weight = 100; } ); } );";
	const char *at = strstr(main_text, from);
	char text[8192];

	(void)state;
	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s\n@include \"shared.conf\"\n); } );%s",
	         (int)(at - main_text), main_text, at + strlen(from));
	json_object_set_new(files, FILES_MAIN, json_string(text));
	json_object_set_new(
	        files, "shared.conf",
	        json_string("{ name = \"b1\"; address = \"10.1.1.11\"; weight = 100; }\n"));
	assert_int_equal(ask_with_json("POST /v1/config/apply?wait_ms=0",
	                               json_pack("{s:s, s:o, s:s}", "reason", "x", "files", files,
	                                         "confirm_within", "none")),
	                 201);
	assert_int_equal(
	        ask_if("PATCH /v1/pools/web-ams/backends/b1" SAID, "{\"weight\":5}", "*", ""), 409);
	assert_string_equal(text_at("code"), "shared-include");
	assert_int_equal(count_at("positions"), 2);
	assert_string_equal(text_at("positions.0.file"), FILES_MAIN);
}

/* A large zone is a file of its own, which no edit reads. */
static void other_files_stay_as_they_are(void **state)
{
	(void)state;
	char before[DIGEST_TEXT_MAX];
	const struct files_item *zone =
	        files_find(intent_head_files(this_node.intent), "shop.example.zone");

	assert_non_null(zone);
	memcpy(before, zone->digest, sizeof(before));
	assert_int_equal(ask_if("PATCH /v1/dns/names/www.shop.example" SAID,
	                        "{\"ttl\":{\"max\":\"30s\"}}", "*", ""),
	                 201);
	zone = files_find(intent_head_files(this_node.intent), "shop.example.zone");
	assert_non_null(zone);
	assert_string_equal(zone->digest, before);
}

static void an_edit_with_a_key_is_made_once(void **state)
{
	char etag[HTTP_TEXT_MAX];

	(void)state;
	snprintf(etag, sizeof(etag), "%s", etag_of(B2));
	snprintf(asker.key, sizeof(asker.key), "k");
	for (int again = 0; again < 2; again++) {
		assert_int_equal(ask_if("PATCH " B2 SAID, "{\"weight\":50}", etag, ""), 201);
		assert_int_equal(answer.replayed, again);
		assert_int_equal(number_at("version.number"), 2);
	}
	assert_int_equal(ask_if("DELETE " B2 SAID, NULL, "*", ""), 422);
	assert_string_equal(text_at("code"), "key-reused");
}

SUITE(edits)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_wrong_is_refused_and_changes_nothing),
		T(a_refusal_has_what_a_program_needs),
		T(types_other_than_json_are_refused_by_the_head),
		T(an_edit_changes_its_setting_and_no_other_byte),
		T(a_put_of_what_is_shown_changes_nothing),
		T(objects_come_and_go),
		T(a_dry_run_makes_no_version),
		T(an_unconfirmed_version_refuses_edits_until_its_deadline),
		T(wrong_edits_are_refused_with_their_number),
		T(too_many_edits_are_refused),
		T(several_edits_are_one_version),
		T(a_token_holds_for_what_was_planned),
		T(what_a_file_includes_twice_is_not_edited),
		T(other_files_stay_as_they_are),
		T(an_edit_with_a_key_is_made_once),
	};

	world_begin();
	return cmocka_run_group_tests_name("edits", tests, NULL, NULL);
}
