/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests about overrides: what a body asks for, what is refused, and how an outcome is
 * answered. Guards and their words are in api_shown_override.txt.
 */
#include "api_world.h"
#include "many_overrides.h"
#include "tables_page.h"

#include "base/hash.h"
#include "base/page.h"
#include "mgmt/store/intent_internal.h"
#include "tests/unit/suite.h"

/* Ask @p body of a command, with @p query ("dry_run=true") and @p if_match. @return the status */
static unsigned command_as(const char *body, const char *query, const char *if_match)
{
	char what[100];

	snprintf(what, sizeof(what), "POST /v1/overrides%s%s", *query ? "?" : "", query);
	snprintf(asker.if_match, sizeof(asker.if_match), "%s", if_match);
	return ask_route(what, body);
}

#define SITE    "\"target\":{\"site\":\"ams\"}"
#define BACKEND "\"target\":{\"pool\":\"web-ams\",\"backend\":\"b1\"}"
#define WHY     "\"reason\":\"x\""
#define HOUR_MS 3600000

static const char *time_of(int64_t at_ms)
{
	static char text[CLOCK_TEXT_MAX];

	return clock_text(at_ms, text);
}

/* What a body says, and what it leaves out, is in the override that it makes. */
static void a_body_becomes_a_command(void **state)
{
	static const struct {
		const char *body, *kind, *target, *author;
		int64_t from_ms, over_ms, until_ms; /* from now */
	} rows[] = {
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"until\":\"+1h\"}", "drain",
		  "{\"site\":\"ams\"}", "ada", 60000, 0, HOUR_MS },
		/* until then earlier answers of DNS end */
		{ "{\"do\":\"drain\"," SITE "," WHY
		  ",\"until\":\"+1h\",\"over\":\"5m\",\"from\":\"+10s\",\"author\":\"jw\"}",
		  "drain", "{\"site\":\"ams\"}", "jw", 10000, 300000, HOUR_MS },
		{ "{\"do\":\"drain\"," BACKEND "," WHY
		  ",\"until\":\"+1h\",\"over\":\"0s\",\"author\":null}",
		  "drain", "{\"pool\":\"web-ams\",\"backend\":\"b1\"}", "ada", 2000, 0, HOUR_MS },
		{ "{\"do\":\"disable\"," BACKEND "," WHY ",\"until\":\"+2h\"}", "disable",
		  "{\"pool\":\"web-ams\",\"backend\":\"b1\"}", "ada", 0, 0, 2 * HOUR_MS },
		{ "{\"do\":\"force_up\"," BACKEND "," WHY ",\"until\":\"+2h\"}", "force_up",
		  "{\"pool\":\"web-ams\",\"backend\":\"b1\"}", "ada", 0, 0, 2 * HOUR_MS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (command_as(rows[i].body, "dry_run=true", "*") != 200)
			fail_msg("row %zu: %u %s", i, answer.status, text_at("detail"));
		assert_string_equal(text_at("override.do"), rows[i].kind);
		is_told(json_incref(json_object_get(json_object_get(answer.json, "override"),
		                                    "target")),
		        rows[i].target);
		assert_string_equal(text_at("override.author"), rows[i].author);
		assert_string_equal(text_at("override.principal"), "token:ada");
		assert_string_equal(text_at("override.from"), time_of(NOW_MS + rows[i].from_ms));
		assert_int_equal(number_at("override.over_ms"), rows[i].over_ms);
		assert_string_equal(text_at("override.until"), time_of(NOW_MS + rows[i].until_ms));
		assert_true(is_true_at("dry_run"));
		assert_null(value_at("complete")); /* nothing to wait for */
	}
	assert_int_equal(intent_overrides(this_node.intent)->n_items, 0);
	assert_int_equal(command_as("{\"do\":\"drain\",\"target\":{\"node\":\"ams-1\"}," WHY
	                            ",\"until\":\"+1h\"}",
	                            "", ""),
	                 422);
	assert_string_equal(text_at("errors.0.field"), "target.node");
	assert_non_null(strstr(text_at("detail"), "node ams-1 announces nothing"));
}

#define DRAIN(more) "{\"do\":\"drain\"," SITE "," WHY more "}"

static void each_outcome_has_its_answer(void **state)
{
	char id[MODEL_ID_MAX], etag[HTTP_TEXT_MAX], body[200];

	(void)state;
	assert_int_equal(command_as(DRAIN(",\"until\":\"+1h\""), "", ""), 201);
	assert_true(is_true_at("complete")); /* it was waited for */
	snprintf(id, sizeof(id), "%s", text_at("override.id"));
	snprintf(etag, sizeof(etag), "%s", answer.etag);
	assert_int_equal(strncmp(etag, "\"o", 2), 0);
	snprintf(body, sizeof(body), "{\"do\":\"drain\",\"id\":\"%s\"," WHY ",\"until\":\"+2h\"}",
	         id);
	assert_int_equal(command_as(body, "dry_run=true", etag), 200);
	assert_null(value_at("complete"));
	assert_int_equal(command_as(body, "", "\"o9\""), 412);
	assert_string_equal(text_at("code"), "stale");
	assert_string_equal(text_at("head"), etag);
	assert_int_equal(command_as(body, "", etag), 200); /* the same, changed */
	assert_string_equal(text_at("override.id"), id);
	assert_string_not_equal(answer.etag, etag);
	assert_true(is_true_at("complete"));
	assert_int_equal(command_as("{\"do\":\"disable\",\"target\":{\"site\":\"fra\"}," WHY
	                            ",\"until\":\"+1h\"}",
	                            "", "*"),
	                 409);
	assert_string_equal(text_at("code"), "guard");
	assert_string_equal(text_at("guards.0.guard"), "last-site");
	assert_string_equal(answer.etag, "");
	assert_int_equal(
	        command_as("{\"do\":\"disable\",\"target\":{\"site\":\"fra\"}," WHY
	                   ",\"until\":\"+1h\",\"override_guards\":[\"room\",\"last-site\"]}",
	                   "dry_run=true", ""),
	        200);
	assert_int_equal(command_as(DRAIN(",\"until\":\"+1h\",\"from\":\"+2h\""), "", ""), 422);
	assert_string_equal(text_at("code"), "invalid");
	assert_string_not_equal(text_at("errors.0.field"), "");
	assert_int_equal(
	        command_as("{\"do\":\"hold\",\"target\":{\"site\":\"fra\"}," WHY "}", "", ""), 409);
	assert_string_equal(text_at("code"), "nothing-to-end");
	assert_int_equal(command_as("{\"do\":\"drain\",\"id\":\"o-1\"," WHY "}", "", ""), 404);
	assert_string_equal(text_at("code"), "not-found");
	snprintf(body, sizeof(body), "{\"do\":\"undrain\",\"id\":\"%s\"," WHY ",\"now\":true}", id);
	assert_int_equal(command_as(body, "", ""), 200);
	assert_int_equal(command_as("{\"do\":\"undrain\"," SITE "," WHY "}", "", ""),
	                 200); /* it is over */
	assert_false(is_true_at("changed"));
	assert_true(json_is_null(value_at("override")));
}

/* The set has room for so many: each of its own, and not over. */
static void too_many_are_refused(void **state)
{
	const struct override like = { .kind = MODEL_OVERRIDE_DISABLE,
		                       .target = MODEL_TARGET_BACKEND,
		                       .pool = "web-ams",
		                       .generation = 1,
		                       .created_ms = NOW_MS,
		                       .from_ms = NOW_MS,
		                       .until_ms = MODEL_TIME_NEVER,
		                       .author = "jw",
		                       .reason = "x",
		                       .node = "ams-1" };
	struct override *items = many_overrides(OVERRIDES_MAX, &like);

	(void)state;
	for (size_t i = 0; i < OVERRIDES_MAX; i++)
		snprintf(items[i].name, sizeof(items[i].name), "x%zu", i);
	assert_int_equal(intent_merge(this_node.intent, items, OVERRIDES_MAX, NOW_MS),
	                 OVERRIDES_MAX);
	free(items);
	assert_int_equal(command_as(DRAIN(",\"until\":\"+1h\""), "", ""), 409);
	assert_string_equal(text_at("code"), "too-many");
	assert_int_equal(ask_route("GET /v1/overrides?limit=4096", NULL), 200);
	assert_int_equal(count_at("items"), OVERRIDES_MAX);
}

static void what_is_no_command_is_refused_with_its_field(void **state)
{
	static const struct {
		const char *body, *if_match, *field;
	} rows[] = {
		{ "{" SITE "," WHY "}", "", "do" },
		{ "{\"do\":\"dance\"," SITE "," WHY "}", "", "do" },
		{ "{\"do\":\"drain\"," WHY "}", "", "target" },
		{ "{\"do\":\"drain\",\"id\":\"o\"," SITE "," WHY "}", "", "target" },
		{ "{\"do\":\"drain\",\"target\":{}," WHY "}", "", "target" },
		{ "{\"do\":\"drain\",\"target\":{\"site\":\"\"}," WHY "}", "", "target" },
		{ "{\"do\":\"drain\",\"target\":{\"pool\":\"web-ams\"}," WHY "}", "", "target" },
		{ "{\"do\":\"drain\",\"target\":{\"backend\":\"b1\"}," WHY "}", "", "target" },
		{ "{\"do\":\"drain\",\"target\":{\"pool\":\"\",\"backend\":\"b1\"}," WHY "}", "",
		  "target" },
		{ "{\"do\":\"drain\",\"target\":{\"pool\":\"web\",\"backend\":\"b1\",\"site\":\"ams\"}," WHY
		  "}",
		  "", "target" },
		{ "{\"do\":\"drain\",\"target\":{\"node\":\"\"}," WHY "}", "", "target" },
		{ "{\"do\":\"drain\",\"target\":{\"node\":\"a\",\"site\":\"b\"}," WHY "}", "",
		  "target" },
		{ "{\"do\":\"drain\",\"target\":{\"node\":\"a\",\"pool\":\"b\"}," WHY "}", "",
		  "target" },
		{ "{\"do\":\"drain\",\"target\":{\"site\":\"ams\",\"x\":1}," WHY "}", "",
		  "target" },
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"over\":\"5\"}", "", "over" },
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"from\":\"soon\"}", "", "from" },
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"until\":\"+x\"}", "", "until" },
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"now\":1}", "", "now" },
		{ "{\"do\":\"drain\"," SITE ",\"reason\":\"  \"}", "", "reason" },
		{ "{\"do\":\"drain\"," SITE "}", "", "reason" },
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"override_guards\":[\"all\"]}", "",
		  "override_guards" },
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"override_guards\":[1]}", "",
		  "override_guards" },
		{ "{\"do\":\"drain\"," SITE "," WHY
		  ",\"override_guards\":[\"room\",\"room\",\"room\",\"room\",\"room\",\"room\"]}",
		  "", "override_guards" },
		{ "{\"do\":\"drain\"," SITE "," WHY "}", "\"v12\"", "If-Match" },
		{ "{\"do\":\"drain\"," SITE "," WHY "}", "\"o0\"", "If-Match" },
		{ "{\"do\":\"drain\"," SITE "," WHY "}", "\"o12", "If-Match" },
		{ "{\"do\":\"drain\"," SITE "," WHY "}", "\"o12\"x", "If-Match" },
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"wherefore\":1}", "", "wherefore" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		command_as(rows[i].body, "wait_ms=0", rows[i].if_match);
		const json_t *first = json_array_get(json_object_get(answer.json, "errors"), 0);

		if (answer.status != 422 ||
		    strcmp(json_string_value(json_object_get(first, "field")), rows[i].field) != 0)
			fail_msg("row %zu: %u %s", i, answer.status,
			         json_string_value(json_object_get(first, "field")));
		assert_int_equal(json_array_size(json_object_get(answer.json, "errors")), 1);
	}
	command_as("{\"do\":\"drain\"," SITE "," WHY "}", "dry_run=perhaps", "");
	assert_int_equal(answer.status, 400);
	command_as("{\"do\":\"drain\"," SITE "," WHY "}", "wait=some", "");
	assert_int_equal(answer.status, 400);
}

/* Each text has its greatest length: what is longer would be cut where it is kept. */
static void texts_have_their_greatest_lengths(void **state)
{
	static const struct {
		const char *form, *field; /* %s: letters */
		size_t max;
	} rows[] = {
		{ "{\"do\":\"drain\"," SITE "," WHY ",\"author\":\"%s\"}", "author", 63 },
		{ "{\"do\":\"drain\"," SITE ",\"reason\":\"%s\"}", "reason", 255 },
		{ "{\"do\":\"drain\"," WHY ",\"id\":\"%s\"}", "id", MODEL_ID_MAX - 1 },
		{ "{\"do\":\"drain\"," WHY ",\"target\":{\"site\":\"%s\"}}", "target", 63 },
		{ "{\"do\":\"drain\"," WHY ",\"target\":{\"pool\":\"%s\",\"backend\":\"b\"}}",
		  "target", 63 },
		{ "{\"do\":\"drain\"," WHY ",\"target\":{\"pool\":\"p\",\"backend\":\"%s\"}}",
		  "target", 63 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t n = rows[i].max; n <= rows[i].max + 1; n++) {
			char letters[300], body[600];
			const char *at = strstr(rows[i].form, "%s"), *said;

			memset(letters, 'x', n);
			letters[n] = '\0';
			snprintf(body, sizeof(body), "%.*s%s%s", (int)(at - rows[i].form),
			         rows[i].form, letters, at + 2);
			command_as(body, "dry_run=true", "");
			said = text_at("errors.0.detail");
			bool is_long =
			        strstr(said, "has more than") || strstr(said, "expected {\"site\"");
			if (is_long != (n > rows[i].max) ||
			    (is_long && (answer.status != 422 ||
			                 strcmp(text_at("errors.0.field"), rows[i].field) != 0)))
				fail_msg("row %zu, %zu letters: %u %s", i, n, answer.status, said);
		}
}

/* The tables: of pool web-ams 9 slots are full, and 5 are backend b1's. */
static void write_tables(uint64_t alive_ms)
{
	const struct model_pool *pool = model_pool(intent_model(this_node.intent), "web-ams");
	const struct effect_pool row = {
		.pool = hash_text("web-ams"), .n_slots = 64, .full = 9, .n_backends = 2
	};
	struct effect_backend rows[2];
	/* sorted */
	size_t first = pool->backends[0].id < pool->backends[1].id ? 0 : 1;

	for (size_t i = 0; i < 2; i++)
		rows[i ^ first] =
		        (struct effect_backend){ .id = pool->backends[i].id, .slots = i ? 0 : 5 };
	tables_page_write_pool(place.root, alive_ms, &row, rows);
}

/* What waits is told of the drain of a backend, by tables that are known to be in force. */
static void a_drain_says_how_much_waits(void **state)
{
	static const struct {
		const char *word, *target;
		bool fresh, told;
	} rows[] = {
		{ "drain", BACKEND, true, true },
		{ "drain", BACKEND, false, false },
		{ "drain", "\"target\":{\"pool\":\"web-ams\",\"backend\":\"b2\"}", true, false },
		{ "drain", "\"target\":{\"pool\":\"web-fra\",\"backend\":\"b1\"}", true, false },
		{ "drain", SITE, true, false },
		{ "disable", BACKEND, true, false },
	};

	(void)state;
	assert_int_equal(
	        ask_with_json(
	                "POST /v1/config/apply?wait_ms=0",
	                json_pack(
	                        "{s:s, s:o, s:s}", "reason", "x", "files",
	                        files_with(
	                                "mode = \"ipip\"; max_backends = 10;\n    backends = ( { name = \"b1\"; address = \"10.1.",
	                                "mode = \"gue\"; agent = true; max_backends = 10;\n    backends = ( { name = \"b1\"; address = \"10.1."),
	                        "confirm_within", "none")),
	        201);
	told_ms += 60000;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char body[200];

		write_tables(told_ms - (rows[i].fresh ? 0 : 60000));
		snprintf(body, sizeof(body),
		         "{\"do\":\"%s\",%s," WHY
		         ",\"until\":\"+1h\",\"override_guards\":[\"last-backend\"]}",
		         rows[i].word, rows[i].target);
		if (command_as(body, "dry_run=true", "") != 200)
			fail_msg("row %zu: %s", i, text_at("detail"));
		if (!value_at("waiting") != !rows[i].told ||
		    (rows[i].told && !strstr(text_at("notes.0"), "slots")))
			fail_msg("row %zu: %s", i, text_at("notes.0"));
		if (!rows[i].told)
			continue;
		assert_int_equal(number_at("waiting.slots"), 5);
		assert_int_equal(number_at("waiting.full_slots"), 9);
	}
}

static void check_list(const char *query, unsigned n, unsigned more)
{
	char what[100];

	snprintf(what, sizeof(what), "GET /v1/overrides%s", query);
	assert_int_equal(ask_route(what, NULL), 200);
	assert_int_equal(count_at("items"), n);
	assert_int_equal(number_at("more"), more);
}

/* Three overrides, one of which is over. */
static void lists_are_cut_and_leave_out_what_is_over(void **state)
{
	static const char *const targets[] = { SITE, BACKEND, "\"target\":{\"site\":\"fra\"}" };
	char id[MODEL_ID_MAX], what[100], etag[HTTP_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char body[200];

		snprintf(body, sizeof(body),
		         "{\"do\":\"drain\",%s," WHY
		         ",\"until\":\"%s\",\"override_guards\":[\"last-site\"]}",
		         targets[i], i == 1 ? "+2m" : "never");
		assert_int_equal(command_as(body, "wait_ms=0", ""), 201);
	}
	snprintf(id, sizeof(id), "%s", text_at("override.id"));
	snprintf(etag, sizeof(etag), "%s", answer.etag);
	told_ms += 2 * HOUR_MS;
	check_list("", 2, 0);
	check_list("?ended=false", 2, 0);
	check_list("?ended=true", 3, 0);
	check_list("?limit=1", 1, 1);
	check_list("?limit=2", 2, 0);
	check_list("?limit=4096", 2, 0);
	assert_int_equal(ask_route("GET /v1/overrides?ended=yes", NULL), 400);
	assert_int_equal(ask_route("GET /v1/overrides?limit=0", NULL), 400);
	assert_int_equal(ask_route("GET /v1/overrides?limit=4097", NULL), 400);
	snprintf(what, sizeof(what), "GET /v1/overrides/%s", id);
	assert_int_equal(ask_route(what, NULL), 200);
	assert_string_equal(answer.etag, etag);
	assert_string_equal(text_at("target.site"), "fra");
	assert_int_equal(ask_route("GET /v1/overrides/o-4", NULL), 404);
}

SUITE(overrides_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(a_body_becomes_a_command),
		T(what_is_no_command_is_refused_with_its_field),
		T(texts_have_their_greatest_lengths),
		T(each_outcome_has_its_answer),
		T(too_many_are_refused),
		T(a_drain_says_how_much_waits),
		T(lists_are_cut_and_leave_out_what_is_over),
	};

	world_begin();
	return cmocka_run_group_tests_name("overrides parts", tests, NULL, NULL);
}
