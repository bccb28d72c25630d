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

#define NEEDED_ROWS(X, tag) X(tag, const char *, t, .most = 3)
RECORD_SHOWN(needed, "needed", NEEDED_ROWS);
#define SPARE_ROWS(X, tag) X(tag, const char *, t, .most = 3, .spare = true)
RECORD_SHOWN(spare, "spare", SPARE_ROWS);

/* Read text "t" of at most three bytes from @p body. @return it, or NULL; answer has the mistakes */
static const char *read_text(const char *body, bool required, char out[8])
{
	json_t *object = json_loads(body, 0, NULL);
	struct field_reader f;
	struct needed read;

	teardown(NULL);
	assert_non_null(object);
	field_read(&f, object, required ? &needed_kind : &spare_kind, &read);
	const char *text = read.t;
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

#define TYPES_ROWS(X, t)                                                                           \
	X(t, bool, yes, .spare = true)                                                             \
	X(t, bool, no, .spare = true)                                                              \
	X(t, bool, none, .spare = true)                                                            \
	X(t, bool, one, .spare = true)                                                             \
	X(t, json_t *, list, .element = &record_string)                                            \
	X(t, json_t *, map, .of = &said_body_kind)                                                 \
	X(t, json_t *, no_list, .element = &record_string)                                         \
	X(t, json_t *, no_map, .of = &said_body_kind)
RECORD_SHOWN(types, "types", TYPES_ROWS);

static void other_types_are_told_apart(void **state)
{
	json_t *object = json_loads("{\"yes\":true,\"no\":false,\"one\":1,\"list\":[],\"map\":{},"
	                            "\"no_list\":{},\"no_map\":[]}",
	                            0, NULL);
	struct field_reader f;
	struct types t;

	(void)state;
	field_read(&f, object, &types_kind, &t);
	assert_true(t.yes);
	assert_false(t.no);
	assert_false(t.none);
	assert_false(t.one);
	assert_non_null(t.list);
	assert_non_null(t.map);
	assert_null(t.no_list);
	assert_null(t.no_map);
	assert_int_equal(f.n_errors, 3);
	assert_false(field_end(&f, &answer));
	assert_int_equal(json_array_size(json_object_get(answer.json, "errors")), 3);
	assert_string_equal(wrong_field(0), "one");
	json_decref(object);
}

#define LINE_ROWS(X, t)                                                                            \
	X(t, const char *, from, .most = 3, .spare = true)                                         \
	X(t, const char *, to, .shown = "for", .most = 3)                                          \
	X(t, bool, now, .spare = true)                                                             \
	X(t, json_t *, ports, .element = &record_string, .spare = true)                            \
	X(t, json_t *, target, .of = &said_body_kind, .spare = true)                               \
	X(t, const char *, reason, .most = 9, .always = true)
RECORD_SHOWN(line, "line", LINE_ROWS);

/* Read @p body by its rows. @return the fields with errors, in order, or "" */
static const char *read_line(const char *body, struct line *out, json_t **object)
{
	static char fields[100];
	struct field_reader f;

	teardown(NULL);
	*object = json_loads(body, 0, NULL);
	field_read(&f, *object, &line_kind, out);
	if (out->from && strcmp(out->from, "x") == 0)
		field_refuse(&f, "from", "is x");
	bool ok = field_end(&f, &answer);

	fields[0] = '\0';
	for (size_t i = 0; !ok && *wrong_field(i); i++)
		strcat(strcat(fields, wrong_field(i)), " ");
	return fields;
}

static void a_body_is_read_by_its_rows(void **state)
{
	static const struct {
		const char *body, *wrong;
	} rows[] = {
		{ "{\"for\": \"a\", \"reason\": \"b\"}", "" },
		{ "{\"for\": \"a\", \"reason\": \"b\", \"from\": null, \"now\": null, \"ports\": null}",
		  "" },
		{ "{\"for\": null, \"reason\": \"b\"}", "for " },
		{ "{\"to\": \"a\", \"reason\": \"b\"}", "for to " }, /* by the name that is shown */
		{ "{\"for\": \"a\", \"reason\": \"  \"}", "reason " },
		{ "{\"for\": \"abcd\", \"reason\": \"b\"}", "for " },
		{ "{\"for\": 1, \"reason\": true, \"now\": \"x\", \"ports\": {}, \"target\": []}",
		  "for now ports target reason " },
		{ "{\"for\": 1, \"from\": \"x\", \"z\": 1}",
		  "from for reason z " }, /* of a value: at its row */
	};
	struct line l;
	json_t *object;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(read_line(rows[i].body, &l, &object), rows[i].wrong);
		json_decref(object);
	}
	assert_string_equal(
	        read_line("{\"for\": \"a\", \"reason\": \"b\", \"now\": true, \"ports\": [1], "
	                  "\"target\": {}}",
	                  &l, &object),
	        "");
	assert_null(l.from);
	assert_string_equal(l.to, "a");
	assert_string_equal(l.reason, "b");
	assert_true(l.now);
	assert_int_equal(json_array_size(l.ports), 1);
	assert_true(json_is_object(l.target));
	json_decref(object);
}

/* A field that is spelt wrong would do nothing: it is refused, and the right ones are named. */
static void what_is_not_known_is_refused(void **state)
{
	json_t *object = json_loads("{\"reason\":\"x\",\"reson\":\"x\"}", 0, NULL);
	struct said_body said;
	struct field_reader f;

	(void)state;
	field_read(&f, object, &said_body_kind, &said);
	assert_false(field_end(&f, &answer));
	assert_string_equal(wrong_field(0), "reson");
	const json_t *error = json_array_get(json_object_get(answer.json, "errors"), 0);
	assert_non_null(
	        strstr(json_string_value(json_object_get(error, "detail")), "reason, author"));
	json_decref(object);
}

static void mistakes_are_bounded(void **state)
{
	json_t *object = json_object();
	char name[16];
	struct spare read;
	struct field_reader f;

	(void)state;
	for (int i = 0; i < 150; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		json_object_set_new(object, name, json_true());
	}
	field_read(&f, object, &spare_kind, &read);
	assert_false(field_end(&f, &answer));
	assert_int_equal(json_array_size(json_object_get(answer.json, "errors")), 100);
	json_decref(object);
	teardown(NULL);
	field_read(&f, NULL, &spare_kind, &read); /* a request without a body */
	assert_null(read.t);
	assert_true(field_end(&f, &answer));
}

SUITE(field)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(texts_have_a_type_a_length_and_no_controls, teardown),
		cmocka_unit_test_teardown(other_types_are_told_apart, teardown),
		cmocka_unit_test_teardown(a_body_is_read_by_its_rows, teardown),
		cmocka_unit_test_teardown(what_is_not_known_is_refused, teardown),
		cmocka_unit_test_teardown(mistakes_are_bounded, teardown),
	};

	return cmocka_run_group_tests_name("field", tests, NULL, NULL);
}
