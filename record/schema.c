/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of a record as a JSON schema (draft 2020-12, as OpenAPI 3.1 has it). It mirrors record_shown() case by case: what
 * that shows as null has a second type here, and what it may leave out is not required.
 */
#include "record/fields.h"

#include <string.h>

/* The type of a value that has no parts. */
static const char *type_of(enum field_kind kind)
{
	switch (kind) {
	case FIELD_BOOL:
		return "boolean";
	case FIELD_REAL:
		return "number";
	case FIELD_TEXT:
	case FIELD_STRING:
	case FIELD_PREFIX:
	case FIELD_ADDR:
		return "string";
	default:
		return "integer";
	}
}

/* Whether the value of a row may be null: a time that is none and a number that is not finite always may. */
static bool may_be_null(const struct field *f)
{
	return f->kind == FIELD_TIME || f->kind == FIELD_REAL || f->or_null ||
	       (!f->spare &&
	        (f->known || f->kind == FIELD_KNOWN || (f->kind == FIELD_RECORD && f->behind)));
}

static json_t *words_schema(const struct field *f)
{
	json_t *words = json_array();

	for (size_t i = 0; i < f->most; i++)
		json_array_append_new(words, json_string(f->word((int)i)));
	return json_pack("{s:s, s:o}", "type", "string", "enum", words);
}

/* A string that is one of those listed by '|'. */
static json_t *one_of_schema(const char *list)
{
	json_t *words = json_array();

	for (size_t n; *list; list += n + (list[n] == '|')) {
		n = strcspn(list, "|");
		json_array_append_new(words, json_stringn(list, n));
	}
	return json_pack("{s:s, s:o}", "type", "string", "enum", words);
}

static json_t *by_word_schema(const struct field *f)
{
	json_t *properties = json_object();

	for (size_t i = 0; i < f->most; i++)
		json_object_set_new(properties, f->word((int)i),
		                    json_pack("{s:s}", "type", "integer"));
	return json_pack("{s:s, s:o}", "type", "object", "properties", properties);
}

static json_t *field_schema(const struct field *f);

/* Of what a row's value is made of; NULL: of nothing else. */
static json_t *part_schema(const struct field *f)
{
	if (f->of)
		return record_schema(f->of);
	if (f->each || f->element)
		return json_pack("{s:s, s:o}", "type", "array", "items",
		                 f->each ? record_schema(f->each) : field_schema(f->element));
	if (f->one_of)
		return one_of_schema(f->one_of);
	switch (f->kind) {
	case FIELD_WORD:
		return words_schema(f);
	case FIELD_SET:
		return json_pack("{s:s, s:o}", "type", "array", "items", words_schema(f));
	case FIELD_BY_WORD:
		return by_word_schema(f);
	case FIELD_TIME:
		return json_pack("{s:s, s:s}", "type", "string", "format", "date-time");
	case FIELD_HEX:
		return json_pack("{s:s, s:s}", "type", "string", "pattern", "^[0-9a-f]{16}$");
	case FIELD_JSON:
		return json_object();
	default:
		return json_pack("{s:s}", "type", type_of(f->kind));
	}
}

static json_t *field_schema(const struct field *f)
{
	json_t *schema = part_schema(f), *type = json_object_get(schema, "type");

	if (may_be_null(f) && type) {
		json_object_set_new(schema, "type", json_pack("[O, s]", type, "null"));
		json_array_append_new(json_object_get(schema, "enum"), json_null());
	}
	return schema;
}

/* Whether a row is shown whatever the record says. An empty prefix has no text. */
static bool is_required(const struct field *f)
{
	return !f->spare && !f->later && !f->only_if && f->kind != FIELD_PREFIX;
}

/* @param always  the rows are there whatever the record says */
static void describe_rows(json_t *properties, json_t *required, const struct record_kind *r,
                          bool always)
{
	for (size_t i = 0; i < r->n_fields; i++) {
		const struct field *f = &r->fields[i];

		if (f->flat)
			describe_rows(properties, required, f->of,
			              always && !f->behind && !f->later && !f->only_if);
		if (!f->shown)
			continue;
		json_object_set_new(properties, f->shown, field_schema(f));
		if (always && is_required(f))
			json_array_append_new(required, json_string(f->shown));
	}
}

json_t *record_schema(const struct record_kind *r)
{
	if (!r->n_fields) /* an object with names of its own */
		return json_pack("{s:s, s:s}", "title", r->name, "type", "object");
	json_t *properties = json_object(), *required = json_array();

	describe_rows(properties, required, r, true);
	return json_pack("{s:s, s:s, s:o, s:o}", "title", r->name, "type", "object", "properties",
	                 properties, "required", required);
}
