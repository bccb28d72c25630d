/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The body of a request about an operation: what is wrong is named by its field, and nothing that
 * is wrong becomes a request.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/controller/operation_body.h"
#include "tests/unit/suite.h"

#define NOW_MS ((int64_t)1790000000000)

/* The first error's field, or "" when the body is a request. The body stays until the next call. */
static const char *refused_field(const char *text, struct operation_body *out)
{
	static json_t *body, *errors;
	struct field_reader f;

	json_decref(body);
	json_decref(errors);
	errors = NULL;
	body = json_loads(text, JSON_ALLOW_NUL, NULL);
	assert_non_null(body);
	operation_body_read(body, NOW_MS, &f, out);
	if (field_close(&f))
		return "";
	errors = f.errors;
	return json_string_value(json_object_get(json_array_get(errors, 0), "field"));
}

static void a_whole_request_is_read(void **state)
{
	struct operation_body r;

	(void)state;
	assert_string_equal(
	        refused_field(
	                "{\"do\":\"drain\",\"sites\":[\"ams\",\"fra\",\"ams\"],\"over\":\"5m\","
	                "\"until\":\"+4h\",\"reason\":\"a test\",\"author\":\"jw\","
	                "\"withdraw\":true,\"override_guards\":[\"room\"],"
	                "\"without\":[\"lon-1\",\"lon-2\"]}",
	                &r),
	        "");
	assert_int_equal(r.what, OPERATION_BODY_DRAIN);
	assert_int_equal(r.n_sites, 2);
	assert_string_equal(r.sites[1], "fra");
	assert_int_equal(r.person.over_ms, 300000);
	assert_int_equal(r.person.until_ms, NOW_MS + 4 * 3600 * 1000);
	assert_true(r.person.withdraw);
	for (int g = 0; g < OPERATION_GUARD_COUNT; g++)
		assert_int_equal(r.person.overridden[g], g == OPERATION_GUARD_ROOM);
	assert_string_equal(r.person.without.items[0], "lon-1");
	assert_string_equal(r.person.without.items[1], "lon-2");
	assert_int_equal(r.person.without.n, 2);
	assert_string_equal(r.person.reason, "a test");
	assert_string_equal(r.person.author, "jw");
	assert_int_equal(r.person.goal_ppm, MODEL_PPM_ALL);
	assert_false(r.person.now);
	assert_null(r.region);
	assert_null(r.service);
}

static void what_is_not_given_is_no_pace_and_no_end(void **state)
{
	struct operation_body r;

	(void)state;
	assert_string_equal(
	        refused_field("{\"do\":\"undrain\",\"label\":\"region=eu\",\"reason\":\"x\"}", &r),
	        "");
	assert_int_equal(r.person.over_ms, 0);
	assert_true(r.person.until_ms == MODEL_TIME_NEVER);
	assert_null(r.person.author);
	assert_int_equal(r.n_sites, 0);
	assert_string_equal(r.region, "eu");
}

static void a_level_is_a_percentage(void **state)
{
	static const struct {
		const char *text;
		uint32_t ppm; /* 0: refused */
	} cases[] = {
		{ "30%", 300000 }, { "100%", 1000000 }, { "0.5%", 5000 },  { "33.3333%", 333333 },
		{ "0%", 0 },       { "101%", 0 },       { "30", 0 },       { "-1%", 0 },
		{ "%", 0 },        { "3.%", 0 },        { "3.33333%", 0 }, { "99999999999%", 0 },
		{ "100.0001%", 0 }
	};
	char text[160];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct operation_body r;

		snprintf(
		        text, sizeof(text),
		        "{\"do\":\"shift\",\"sites\":[\"ams\"],\"level\":\"%s\",\"until\":\"never\",\"reason\":\"x\"}",
		        cases[i].text);
		const char *field = refused_field(text, &r);
		assert_string_equal(field, cases[i].ppm ? "" : "level");
		assert_int_equal(r.person.goal_ppm, cases[i].ppm);
	}
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *body, *field;
	} cases[] = {
		{ "{}", "do" },
		{ "{\"do\":\"explode\",\"sites\":[\"a\"],\"reason\":\"x\"}", "do" },
		{ "{\"do\":7,\"sites\":[\"a\"],\"reason\":\"x\"}", "do" },
		{ "{\"do\":\"drain\",\"sites\":[\"a\"]}", "reason" },
		{ "{\"do\":\"drain\",\"sites\":[\"a\"],\"reason\":\"  \"}", "reason" },
		{ "{\"do\":\"drain\",\"reason\":\"x\"}", "sites" },
		{ "{\"do\":\"drain\",\"sites\":[],\"reason\":\"x\"}", "sites" },
		{ "{\"do\":\"drain\",\"sites\":\"a\",\"reason\":\"x\"}", "sites" },
		{ "{\"do\":\"drain\",\"sites\":[7],\"reason\":\"x\"}", "sites" },
		{ "{\"do\":\"drain\",\"sites\":[\"\"],\"reason\":\"x\"}", "sites" },
		{ "{\"do\":\"drain\",\"sites\":[\"a b\"],\"reason\":\"x\"}", "sites" },
		{ "{\"do\":\"drain\",\"sites\":[\"a\\u0000b\"],\"reason\":\"x\"}", "sites" },
		{ "{\"do\":\"drain\",\"sites\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"],\"reason\":\"x\"}",
		  "sites" },
		{ "{\"do\":\"drain\",\"sites\":[\"a\"],\"label\":\"region=eu\",\"reason\":\"x\"}",
		  "sites" },
		{ "{\"do\":\"drain\",\"label\":\"rack=1\",\"reason\":\"x\"}", "label" },
		{ "{\"do\":\"drain\",\"label\":\"region=\",\"reason\":\"x\"}", "label" },
		{ "{\"do\":\"shift\",\"sites\":[\"a\",\"b\"],\"level\":\"3%\",\"until\":\"never\",\"reason\":\"x\"}",
		  "sites" },
		{ "{\"do\":\"shift\",\"sites\":[\"a\"],\"until\":\"never\",\"reason\":\"x\"}",
		  "level" },
		{ "{\"do\":\"shift\",\"sites\":[\"a\"],\"level\":\"3%\",\"reason\":\"x\"}",
		  "until" },
		{ "{\"do\":\"drain\",\"sites\":[\"a\"],\"level\":\"3%\",\"reason\":\"x\"}",
		  "level" },
		{ "{\"do\":\"drain\",\"sites\":[\"a\"],\"until\":\"2020-01-01T00:00:00Z\",\"reason\":\"x\"}",
		  "until" },
		{ "{\"do\":\"drain\",\"sites\":[\"a\"],\"until\":\"soon\",\"reason\":\"x\"}",
		  "until" },
		{ "{\"do\":\"undrain\",\"sites\":[\"a\"],\"until\":\"+4h\",\"reason\":\"x\"}",
		  "until" },
		{ "{\"do\":\"undrain\",\"sites\":[\"a\"],\"withdraw\":true,\"reason\":\"x\"}",
		  "withdraw" },
		{ "{\"do\":\"drain\",\"sites\":[\"a\"],\"service\":\"web\",\"withdraw\":true,\"reason\":\"x\"}",
		  "withdraw" },
		{ "{\"do\":\"drain\",\"sites\":[\"a\"],\"over\":\"8d\",\"reason\":\"x\"}", "over" },
		{ "{\"do\":\"drain\",\"sites\":[\"a\"],\"over\":\"fast\",\"reason\":\"x\"}",
		  "over" },
		{ "{\"do\":\"drain\",\"sites\":[\"a\"],\"over\":\"5m\",\"now\":true,\"reason\":\"x\"}",
		  "now" },
		{ "{\"do\":\"drain\",\"sites\":[\"a\"],\"now\":\"yes\",\"reason\":\"x\"}", "now" },
		{ "{\"do\":\"drain\",\"sites\":[\"a\"],\"override_guards\":[\"gravity\"],\"reason\":\"x\"}",
		  "override_guards" },
		{ "{\"do\":\"drain\",\"sites\":[\"a\"],\"without\":{},\"reason\":\"x\"}",
		  "without" },
		{ "{\"do\":\"drain\",\"sites\":[\"a\"],\"reason\":\"x\",\"force\":true}", "force" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct operation_body r;

		if (strcmp(refused_field(cases[i].body, &r), cases[i].field) != 0)
			fail_msg("%s: refused for \"%s\", expected \"%s\"", cases[i].body,
			         refused_field(cases[i].body, &r), cases[i].field);
	}
}

/* All that is wrong with a body, each as "field: detail". */
static const char *list_errors(const char *text)
{
	static char list[1024];
	struct operation_body r;
	struct field_reader f;
	json_t *body = json_loads(text, 0, NULL), *error;
	size_t at = 0, i;

	assert_non_null(body);
	list[0] = '\0';
	operation_body_read(body, NOW_MS, &f, &r);
	bool is_right = field_close(&f);
	json_array_foreach(f.errors, i, error) at +=
	        (size_t)snprintf(list + at, sizeof(list) - at, "%s%s: %s", i ? "; " : "",
	                         json_string_value(json_object_get(error, "field")),
	                         json_string_value(json_object_get(error, "detail")));
	assert_int_equal(is_right, !*list);
	if (!is_right)
		json_decref(f.errors);
	json_decref(body);
	return list;
}

#define ASK(what, more) "{\"do\":\"" what "\",\"reason\":\"x\"," more "}"
#define SITE            "\"sites\":[\"a\"]"
#define SITES           "\"sites\":[\"a\",\"b\"]"
#define REGION          "\"label\":\"region=eu\""
#define LEVEL           ",\"level\":\"3%\""
#define UNTIL           ",\"until\":\"never\""
#define EITHER          "sites: expected either sites, or a label such as \"region=eu\""

/* On both sides of each rule, and nothing else is said. */
static void what_does_not_go_together_is_said(void **state)
{
	static const struct {
		const char *body, *errors;
	} rows[] = {
		{ ASK("drain", SITE), "" },
		{ ASK("drain", SITES), "" },
		{ ASK("drain", REGION), "" },
		{ ASK("drain", SITE "," REGION), EITHER },
		{ ASK("drain", "\"sites\":[]"), EITHER },
		{ ASK("drain", "\"sites\":[]," REGION), "" },
		{ ASK("shift", SITE LEVEL UNTIL), "" },
		{ ASK("shift", SITES LEVEL UNTIL), "sites: a shift moves one site" },
		{ ASK("shift", REGION LEVEL UNTIL), "sites: a shift moves one site" },
		{ ASK("shift", SITE "," REGION LEVEL UNTIL),
		  EITHER "; "
		         "sites: a shift moves one site" },
		{ ASK("shift", SITE UNTIL), "level: is required, such as \"30%\"" },
		{ ASK("shift", SITE LEVEL), "until: is required; \"never\" is allowed" },
		{ ASK("shift", SITE), "level: is required, such as \"30%\""
		                      "; "
		                      "until: is required; \"never\" is allowed" },
		{ ASK("drain", SITE LEVEL), "level: is for a shift only" },
		{ ASK("undrain", SITE LEVEL), "level: is for a shift only" },
		{ ASK("drain", SITE UNTIL), "" },
		{ ASK("undrain", SITE UNTIL), "until: is for drain and shift only" },
		{ ASK("drain", SITE ",\"withdraw\":true"), "" },
		{ ASK("undrain", SITE ",\"withdraw\":true"), "withdraw: is for drain only" },
		{ ASK("undrain", SITE ",\"withdraw\":false"), "" },
		{ ASK("shift", SITE LEVEL UNTIL ",\"withdraw\":true"),
		  "withdraw: is for drain only" },
		{ ASK("drain", SITE ",\"withdraw\":true,\"service\":\"web\""),
		  "withdraw: cannot be combined with service: its VIP may have other services" },
		{ ASK("drain", SITE ",\"withdraw\":false,\"service\":\"web\""), "" },
		{ ASK("drain", SITE ",\"withdraw\":true,\"service\":\"\""), "" },
		{ ASK("drain", SITE ",\"now\":true"), "" },
		{ ASK("drain", SITE ",\"now\":true,\"over\":\"5m\""),
		  "now: cannot be combined with over" },
		{ ASK("drain", SITE ",\"now\":false,\"over\":\"5m\""), "" },
		{ ASK("drain", SITE ",\"over\":\"5m\""), "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *errors = list_errors(rows[i].body);

		if (strcmp(errors, rows[i].errors) != 0)
			fail_msg("%s: \"%s\", expected \"%s\"", rows[i].body, errors,
			         rows[i].errors);
	}
}

static void a_command_reads_its_own_fields_only(void **state)
{
	struct operation_person c = { .now = true };
	struct field_reader f;

	(void)state;
	json_t *body = json_loads(
	        "{\"reason\":\"x\",\"without\":[\"n1\",\"n2\"],\"override_guards\":[\"fresh\"]}", 0,
	        NULL);
	operation_body_read_command(body, &f, &c);
	assert_true(field_close(&f));
	assert_int_equal(c.without.n, 2);
	for (int g = 0; g < OPERATION_GUARD_COUNT; g++)
		assert_int_equal(c.overridden[g], g == OPERATION_GUARD_FRESH);
	assert_true(c.now);
	json_object_set_new(body, "sites", json_array());
	operation_body_read_command(body, &f, &c);
	assert_false(field_close(&f));
	json_decref(f.errors);
	json_decref(body);
}

SUITE(operation_body)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_request_is_read),
		cmocka_unit_test(what_is_not_given_is_no_pace_and_no_end),
		cmocka_unit_test(a_level_is_a_percentage),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(what_does_not_go_together_is_said),
		cmocka_unit_test(a_command_reads_its_own_fields_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
