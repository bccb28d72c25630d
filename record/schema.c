/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of a record as a JSON schema (draft 2020-12, as OpenAPI 3.1 has it). It mirrors record_shown() case by case: what
 * that shows as null has a second type here, and what it may leave out is not required.
 */
#include "record/fields.h"

#include <stdio.h>
#include <string.h>

#define FORMS_MAX 256 /* bytes of all forms of a record */

/* What a text of a body has no more of: control characters; one that must not be blank. */
#define PLAIN     "^[^\\x00-\\x1f\\x7f]*$"
#define NOT_BLANK "^[^\\x00-\\x1f\\x7f]*[^\\x00-\\x20\\x7f][^\\x00-\\x1f\\x7f]*$"

/* Of an integer: from 0 on, but for those with a sign. */
static json_t *number_schema(const struct field *f)
{
	enum field_kind kind = f->kind;
	json_t *o = json_pack("{s:s}", "type", "integer");
	json_int_t most = kind == FIELD_U8      ? UINT8_MAX
	                  : kind == FIELD_U16   ? UINT16_MAX
	                  : kind == FIELD_U32   ? UINT32_MAX
	                  : kind == FIELD_KNOWN ? (json_int_t)f->most
	                                        : 0;

	if (kind != FIELD_INT && kind != FIELD_I64)
		json_object_set_new(o, "minimum", json_integer(0));
	if (most)
		json_object_set_new(o, "maximum", json_integer(most));
	return o;
}

json_t *record_words(const char *list)
{
	json_t *words = json_array();

	for (size_t n; *list; list += n + (list[n] == '|')) {
		n = strcspn(list, "|");
		json_array_append_new(words, json_stringn(list, n));
	}
	return words;
}

/* A string of a body has a limit of bytes, which are no fewer than its characters. */
static json_t *text_schema(const struct field *f)
{
	size_t most = f->kind == FIELD_TEXT && f->size ? f->size - 1 : f->most;
	bool of_body = f->kind == FIELD_STRING && f->most;
	const char *pattern = f->pattern  ? f->pattern
	                      : !of_body  ? NULL
	                      : f->always ? NOT_BLANK
	                                  : PLAIN;
	json_t *o = json_pack("{s:s}", "type", "string");

	if (f->one_of) {
		json_object_set_new(o, "enum", record_words(f->one_of));
		return o;
	}
	if (most)
		json_object_set_new(o, "maxLength", json_integer((json_int_t)most));
	if (pattern)
		json_object_set_new(o, "pattern", json_string(pattern));
	if (f->example)
		json_object_set_new(o, "examples", record_words(f->example));
	return o;
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
		if (f->word((int)i)) /* NULL: a value that is none */
			json_array_append_new(words, json_string(f->word((int)i)));
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

static json_t *list_schema(const struct field *f)
{
	json_t *o = json_pack("{s:s, s:o}", "type", "array", "items",
	                      f->each ? record_schema(f->each) : field_schema(f->element));

	if (f->most && f->most != SIZE_MAX)
		json_object_set_new(o, "maxItems", json_integer((json_int_t)f->most));
	return o;
}

/* Of what a row's value is made of; NULL: of nothing else. */
static json_t *part_schema(const struct field *f)
{
	if (f->of)
		return record_schema(f->of);
	if (f->each || f->element)
		return list_schema(f);
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
	case FIELD_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case FIELD_REAL:
		return json_pack("{s:s}", "type", "number");
	case FIELD_TEXT:
	case FIELD_STRING:
	case FIELD_PREFIX:
	case FIELD_ADDR:
		return text_schema(f);
	default:
		return number_schema(f);
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

/* One of the sets of names, "pool backend|site", each of which excludes the others' names. */
static json_t *forms_schema(const char *forms)
{
	json_t *sets = record_words(forms), *list = json_array(), *set;
	char all[FORMS_MAX], *name, *rest;
	size_t i;

	json_array_foreach(sets, i, set)
	{
		json_t *required = json_array(), *others = json_object();
		const char *has = json_string_value(set);

		snprintf(all, sizeof(all), "%s", forms);
		rest = all;
		while ((name = strsep(&rest, " |")))
			if (*name)
				json_object_set_new(others, name, json_false());
		snprintf(all, sizeof(all), "%s", has ? has : "");
		rest = all;
		while ((name = strsep(&rest, " ")))
			if (*name && !json_object_del(others, name))
				json_array_append_new(required, json_string(name));
		json_array_append_new(
		        list, json_pack("{s:o, s:o}", "required", required, "properties", others));
	}
	json_decref(sets);
	return list;
}

json_t *record_example(const struct record_kind *r)
{
	json_t *o = json_object();

	for (size_t i = 0; i < r->n_fields; i++) {
		const struct field *f = &r->fields[i];
		json_t *one = !f->example ? NULL
		              : f->kind == FIELD_STRING
		                      ? record_words(f->example)
		                      : json_loads(f->example, JSON_DECODE_ANY, NULL);

		if (!f->example && f->of && f->of->n_fields && !f->flat)
			one = record_example(f->of);
		if (json_is_array(one) && f->kind == FIELD_STRING) {
			json_t *first = json_incref(json_array_get(one, 0));

			json_decref(one);
			one = first;
		}
		if (f->shown && one && (!json_is_object(one) || json_object_size(one)))
			json_object_set_new(o, f->shown, one);
		else
			json_decref(one);
	}
	return o;
}

json_t *record_schema(const struct record_kind *r)
{
	if (!r->n_fields) /* an object with names of its own */
		return json_pack("{s:s, s:s}", "title", r->name, "type", "object");
	json_t *properties = json_object(), *required = json_array();

	describe_rows(properties, required, r, true);
	json_t *schema = json_pack("{s:s, s:s, s:o, s:o}", "title", r->name, "type", "object",
	                           "properties", properties, "required", required);
	for (size_t i = 0; i < r->n_fields; i++)
		if (r->fields[i].forms)
			json_object_set_new(schema, "oneOf", forms_schema(r->fields[i].forms));
	return schema;
}
