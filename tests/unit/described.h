/* SPDX-License-Identifier: BSD-2-Clause */
/* A value held against a JSON schema that rows made: each member of one is in the other, with its type. */
#ifndef WEIR_TESTS_UNIT_DESCRIBED_H
#define WEIR_TESTS_UNIT_DESCRIBED_H

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "record/fields.h"
#include "weir/json.h"

#define DESCRIBED_AT_MAX 256

static inline bool described_is_type(const char *type, const json_t *value)
{
	static const char *const types[] = { "object", "array",   "string",  "integer",
		                             "number", "boolean", "boolean", "null" };

	return !strcmp(types[json_typeof(value)], type) ||
	       (!strcmp(type, "number") && json_is_integer(value));
}

/* Whether @p value, at @p at, is of one of the types, a word of the list, a time. */
static inline void described_check_type(const json_t *schema, const json_t *value, const char *at)
{
	const json_t *type = json_object_get(schema, "type"),
	             *words = json_object_get(schema, "enum"), *one;
	bool is_type = !type ||
	               (json_is_string(type) && described_is_type(json_string_value(type), value));
	bool is_word = !words;
	int64_t ms;
	size_t i;

	json_array_foreach(type, i, one) is_type |=
	        described_is_type(json_string_value(one), value);
	json_array_foreach(words, i, one) is_word |= json_equal(one, value) != 0;
	if (!is_type || !is_word) {
		char *text = json_dumps(value, JSON_ENCODE_ANY), *says = json_dumps(schema, 0);

		fail_msg("%s is %s and not as described: %s", at, text, says);
	}
	if (json_is_string(value) && json_has_text(schema, "format", "date-time") &&
	    clock_parse(json_string_value(value), &ms))
		fail_msg("%s is no time: %s", at, json_string_value(value));
}

static json_t *described_schemas; /* that others refer to; NULL: none */

/* What a schema refers to; of what is one thing or null: the thing, for what is not null. */
static inline const json_t *described_one(const json_t *schema, const json_t *value)
{
	const json_t *any = json_object_get(schema, "anyOf");
	const char *name;

	schema = any ? json_array_get(any, json_is_null(value) ? 1 : 0) : schema;
	name = json_get_text(schema, "$ref");
	return name ? json_object_get(described_schemas, strrchr(name, '/') + 1) : schema;
}

/* Check @p value and what is in it. */
static inline void described_check(const json_t *whole, const json_t *value, const char *at)
{
	const json_t *schema = described_one(whole, value);
	json_t *properties = json_object_get(schema, "properties"), *one;
	char below[DESCRIBED_AT_MAX];
	const char *name;
	size_t i;

	described_check_type(schema, value, at);
	if (json_is_object(value) && properties)
		json_object_foreach((json_t *)(uintptr_t)value, name, one)
		{
			snprintf(below, sizeof(below), "%.200s.%.50s", at, name);
			if (!json_object_get(properties, name))
				fail_msg("%s is not described", below);
			described_check(json_object_get(properties, name), one, below);
		}
	json_array_foreach(json_object_get(schema, "required"), i,
	                   one) if (json_is_object(value) &&
	                            !json_object_get(value, json_string_value(one)))
	        fail_msg("%s.%s is described as always there", at, json_string_value(one));
	if (json_is_array(value) && json_object_get(schema, "items"))
		json_array_foreach(value, i, one)
		{
			snprintf(below, sizeof(below), "%.200s[%zu]", at, i);
			described_check(json_object_get(schema, "items"), one, below);
		}
}

/* The same of what rows are said to have written; a refusal, {ok: false, error}, has no rows. */
static inline void described_by_rows(const struct record_kind *kind, const json_t *value)
{
	json_t *schema = record_schema(kind);

	if (!json_is_false(json_object_get(value, "ok")))
		described_check(schema, value, kind->name);
	json_decref(schema);
}

#endif
