/* SPDX-License-Identifier: BSD-2-Clause */
/* Fields of a request's body: each by name and type; whatever is wrong or not known is told at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/core/field.h"
#include "tests/unit/suite.h"

static struct http_reply answer;

static int teardown(void **state)
{
	(void)state;
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	return 0;
}

/* The field that the first mistake is about; "" for none. */
static const char *wrong_field(size_t i)
{
	const json_t *error = json_array_get(json_object_get(answer.json, "errors"), i);
	const char *name = json_string_value(json_object_get(error, "field"));

	return name ? name : "";
}

/* Read text "t" of at most three bytes from @p body. @return it, or NULL; answer has the mistakes */
static const char *read_text(const char *body, bool required, char out[8])
{
	json_t *object = json_loads(body, 0, NULL);
	struct field_reader f;

	teardown(NULL);
	assert_non_null(object);
	field_start(&f, object);
	const char *text = field_text(&f, "t", required, 3);
	bool ok = field_end(&f, &answer);

	if (text)
		strcpy(out, text);
	json_decref(object);
	assert_int_equal(ok, answer.status == 0);
	if (!ok)
		assert_int_equal(answer.status, 422);
	return text ? out : NULL;
}

static void texts_have_a_type_a_length_and_no_controls(void **state)
{
	static const struct {
		const char *body, *text;
		bool required, ok;
	} rows[] = {
		{ "{\"t\":\"abc\"}", "abc", true, true },
		{ "{\"t\":\"\"}", "", true, true },
		{ "{\"t\":\"abcd\"}", NULL, false, false },
		{ "{\"t\":\"a\\tb\"}", NULL, false, false },
		{ "{\"t\":\"a\\u007f\"}", NULL, false, false },
		{ "{\"t\":5}", NULL, false, false },
		{ "{\"t\":null}", NULL, false, true }, /* as if it were not there */
		{ "{\"t\":null}", NULL, true, false },
		{ "{}", NULL, false, true },
		{ "{}", NULL, true, false },
		{ "{\"t\":\"\xc3\xa4 \"}", "\xc3\xa4 ", true, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[8];
		const char *text = read_text(rows[i].body, rows[i].required, out);

		if (!text != !rows[i].text || (text && strcmp(text, rows[i].text) != 0) ||
		    (answer.status == 0) != rows[i].ok)
			fail_msg("%s", rows[i].body);
		assert_string_equal(wrong_field(0), rows[i].ok ? "" : "t");
	}
}

static void other_types_are_told_apart(void **state)
{
	json_t *object =
	        json_loads("{\"yes\":true,\"no\":false,\"one\":1,\"list\":[],\"map\":{}}", 0, NULL);
	struct field_reader f;

	(void)state;
	field_start(&f, object);
	assert_true(field_bool(&f, "yes"));
	assert_false(field_bool(&f, "no"));
	assert_false(field_bool(&f, "none"));
	assert_int_equal(f.n_errors, 0);
	assert_false(field_bool(&f, "one"));
	assert_int_equal(f.n_errors, 1);
	assert_non_null(field_array(&f, "list", true));
	assert_non_null(field_object(&f, "map", true));
	assert_int_equal(f.n_errors, 1);
	assert_null(field_array(&f, "map", true));
	assert_null(field_object(&f, "list", true));
	assert_int_equal(f.n_errors, 3);
	assert_false(field_end(&f, &answer));
	assert_int_equal(json_array_size(json_object_get(answer.json, "errors")), 3);
	assert_string_equal(wrong_field(0), "one");
	json_decref(object);
}

/* A field that is spelt wrong would do nothing: it is refused, and the right ones are named. */
static void what_is_not_known_is_refused(void **state)
{
	json_t *object = json_loads("{\"t\":\"x\",\"reson\":\"x\"}", 0, NULL);
	struct field_reader f;

	(void)state;
	field_start(&f, object);
	(void)field_text(&f, "t", false, 3);
	(void)field_text(&f, "reason", false, 3);
	assert_false(field_end(&f, &answer));
	assert_string_equal(wrong_field(0), "reson");
	const json_t *error = json_array_get(json_object_get(answer.json, "errors"), 0);
	assert_non_null(strstr(json_string_value(json_object_get(error, "detail")), "t, reason"));
	json_decref(object);
}

static void mistakes_are_bounded(void **state)
{
	json_t *object = json_object();
	char name[16];
	struct field_reader f;

	(void)state;
	for (int i = 0; i < 150; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		json_object_set_new(object, name, json_true());
	}
	field_start(&f, object);
	assert_false(field_end(&f, &answer));
	assert_int_equal(json_array_size(json_object_get(answer.json, "errors")), 100);
	json_decref(object);
	teardown(NULL);
	field_start(&f, NULL); /* a request without a body */
	assert_null(field_text(&f, "t", false, 3));
	assert_true(field_end(&f, &answer));
}

SUITE(field)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(texts_have_a_type_a_length_and_no_controls, teardown),
		cmocka_unit_test_teardown(other_types_are_told_apart, teardown),
		cmocka_unit_test_teardown(what_is_not_known_is_refused, teardown),
		cmocka_unit_test_teardown(mistakes_are_bounded, teardown),
	};

	return cmocka_run_group_tests_name("field", tests, NULL, NULL);
}
