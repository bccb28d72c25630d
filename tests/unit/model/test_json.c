/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading JSON (weir/json.h): just the bytes that are given, in parts of 1,024, and what is wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/json.h"

/* The bytes lie at the end of their memory, so that one too many is seen. */
static json_t *read_copy(const char *text, size_t n, json_error_t *error)
{
	char *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, text, n);
	json_t *root = json_read(copy, n, 0, error);

	free(copy);
	return root;
}

static void what_is_wrong_is_told_with_its_line(void **state)
{
	static const struct {
		const char *text, *error;
		int line;
	} cases[] = {
		{ "{\"a\": 1,\n  \"b\": }", "unexpected token", 2 },
		{ "[1, 2", "']' expected", 1 },
		{ "", "'[' or '{' expected", 1 },
		{ "[1]\n\nx", "end of file expected", 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_error_t error;

		memset(&error, 0xee, sizeof(error));
		assert_null(read_copy(cases[i].text, strlen(cases[i].text), &error));
		assert_non_null(strstr(error.text, cases[i].error));
		assert_int_equal(error.line, cases[i].line);
		assert_null(read_copy(cases[i].text, strlen(cases[i].text), NULL));
	}
}

static void just_the_bytes_that_are_given_are_read(void **state)
{
	static const char text[] = "[1, 23]{";
	json_error_t error;

	(void)state;
	for (size_t n = 0; n <= 8; n++) {
		json_t *root = read_copy(text, n, n % 2 ? &error : NULL);

		assert_int_equal(root != NULL, n == 7);
		if (root)
			assert_int_equal(json_integer_value(json_array_get(root, 1)), 23);
		if (root)
			assert_string_equal(error.text, "");
		json_decref(root);
	}
}

/* A text of any length around the parts that are read comes whole. */
static void a_document_of_several_parts_is_read_whole(void **state)
{
	static char text[4200];

	(void)state;
	for (size_t n = 1000; n < 4100; n += n < 1050 || (n > 2030 && n < 2070) ? 1 : 97) {
		memset(text, 'x', sizeof(text));
		memcpy(text, "[\"", 2);
		memcpy(text + n - 2, "\"]", 2);
		json_t *root = read_copy(text, n, NULL);

		assert_non_null(root);
		assert_int_equal(json_string_length(json_array_get(root, 0)), n - 4);
		json_decref(root);
	}
}

static void a_count_is_an_integer_within_its_limit(void **state)
{
	static const struct {
		const char *text;
		uint64_t most;
		bool is_count;
	} rows[] = {
		{ "0", 0, true },
		{ "7", 7, true },
		{ "8", 7, false },
		{ "-1", UINT64_MAX, false },
		{ "9223372036854775807", INT64_MAX, true },
		{ "9223372036854775807", INT64_MAX - 1, false },
		{ "1.0", 7, false },
		{ "\"1\"", 7, false },
		{ "true", 7, false },
		{ "null", 7, false },
	};
	uint64_t n = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *value =
		        json_read(rows[i].text, strlen(rows[i].text), JSON_DECODE_ANY, NULL);

		print_message("  %s\n", rows[i].text);
		n = 77;
		assert_int_equal(json_read_count(value, rows[i].most, &n), rows[i].is_count);
		assert_int_equal(n, rows[i].is_count ? (uint64_t)json_integer_value(value) : 77);
		json_decref(value);
	}
	assert_false(json_read_count(NULL, 7, &n));
}

/* Whatever it is that is looked into: a peer's answer may be anything. */
static void members_are_found_by_their_kind(void **state)
{
	json_t *o = json_pack("{s:s, s:b, s:i, s:[s, i, s], s:[n, {s:s}, {s:s, s:i}]}", "text", "a",
	                      "true", 1, "number", 1, "texts", "x", 2, "y", "rows", "id", "p", "id",
	                      "q", "n", 7);
	const json_t *texts = json_object_get(o, "texts"), *rows = json_object_get(o, "rows");

	(void)state;
	assert_string_equal(json_get_text(o, "text"), "a");
	assert_string_equal(json_text_of(o, "text"), "a");
	assert_null(json_get_text(o, "number"));
	assert_string_equal(json_text_of(o, "number"), "");
	assert_string_equal(json_text_of(NULL, "text"), "");
	assert_true(json_has_true(o, "true"));
	assert_false(json_has_true(o, "number"));
	assert_false(json_has_true(texts, "true"));
	assert_true(json_lists(texts, "x") && json_lists(texts, "y"));
	assert_false(json_lists(texts, "z") || json_lists(o, "x") || json_lists(NULL, "x"));
	assert_int_equal(json_integer_value(json_object_get(json_find(rows, "id", "q"), "n")), 7);
	assert_null(json_find(rows, "id", "r"));
	assert_null(json_find(o, "id", "q"));
	json_decref(o);
}

static void a_refusal_is_a_line(void **state)
{
	char *line = json_line(json_refusal("no \"do\""));

	(void)state;
	assert_string_equal(line, "{\"ok\":false,\"error\":\"no \\\"do\\\"\"}");
	free(line);
	assert_null(json_line(NULL));
}

static void a_path_leads_to_a_value_or_to_none(void **state)
{
	json_t *root = json_loads(
	        "{\"a\": {\"b\": {\"c\": 7}, \"\": 8, \"d\": \"x\"}, \"ab\": [1]}", 0, NULL);

	(void)state;
	assert_ptr_equal(json_at(root, ""), root);
	assert_int_equal(json_integer_value(json_at(root, "a.b.c")), 7);
	assert_ptr_equal(json_at(root, "ab"), json_object_get(root, "ab"));
	assert_true(json_has_text(root, "a.d", "x"));
	assert_false(json_has_text(root, "a.d", "y"));
	assert_null(json_at(root, "a.b.c.d"));
	assert_null(json_at(root, "a.x.c"));
	assert_null(json_at(root, "b"));
	assert_null(json_at(root, "ab.0"));
	assert_null(json_at(NULL, "a"));
	json_decref(root);
}

static void expect_line(json_t *json, const char *expected)
{
	char *line = json_line(json);

	assert_non_null(line);
	assert_string_equal(line, expected);
	free(line);
}

static void an_object_is_made_of_what_it_is_given(void **state)
{
	(void)state;
	expect_line(json_granted("n", json_integer(0)), "{\"ok\":true,\"n\":0}");
	expect_line(JSON_TEXTS({ "a", "" }, { "b", NULL }, { "c", "d" }),
	            "{\"a\":\"\",\"c\":\"d\"}");
}

/* Half an object would say something else. */
static void an_object_that_lacks_something_is_none(void **state)
{
	(void)state;
	assert_null(json_with(NULL, "a", json_true()));
	assert_null(json_with(json_object(), "a", NULL));
	assert_null(json_granted("a", NULL));
	assert_null(JSON_TEXTS({ "a", "\xff" }, { "b", "c" }));
}

SUITE(json)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_is_told_with_its_line),
		cmocka_unit_test(just_the_bytes_that_are_given_are_read),
		cmocka_unit_test(a_document_of_several_parts_is_read_whole),
		cmocka_unit_test(a_count_is_an_integer_within_its_limit),
		cmocka_unit_test(members_are_found_by_their_kind),
		cmocka_unit_test(a_refusal_is_a_line),
		cmocka_unit_test(a_path_leads_to_a_value_or_to_none),
		cmocka_unit_test(an_object_is_made_of_what_it_is_given),
		cmocka_unit_test(an_object_that_lacks_something_is_none),
	};

	json_prepare();
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
