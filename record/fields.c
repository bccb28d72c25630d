/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walking the rows of a record. Numbers are read with the limits of their kinds; what holds between
 * fields is the record's own question (is_sound).
 *
 * An error is made where it is found and gets the way to it on the way back: "to_ppm is ...", then
 * "[3].to_ppm is ...", then "steps[3].to_ppm is ...".
 */
#include "record/fields.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/plain.h"

#define HEX_DIGITS 16u

const struct field record_string = { .kind = FIELD_STRING };

/* --- writing --- */

/* Jansson leaves out what there is no memory for, and a record that lacks a field is another one. */
struct record_writer {
	bool failed;
	bool shown; /* to people */
};

static json_t *note_made(struct record_writer *w, json_t *value)
{
	w->failed |= !value;
	return value;
}

static void add_to_list(struct record_writer *w, json_t *list, json_t *value)
{
	w->failed |= json_array_append_new(list, value) != 0;
}

static void add_to_object(struct record_writer *w, json_t *o, const char *name, json_t *value)
{
	w->failed |= json_object_set_new(o, name, value) != 0;
}

/* In a text that is no UTF-8 each byte of a character beyond ASCII becomes a sign. */
static json_t *text_json(struct record_writer *w, const char *text)
{
	json_t *value = json_string(text);
	char *copy = value ? NULL : strdup(text);

	if (value)
		return value;
	for (char *c = copy; c && *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	value = note_made(w, copy ? json_string(copy) : NULL);
	free(copy);
	return value;
}

/* @p value, or NULL where it is an empty list or object that is left out. */
static json_t *keep_filled(const struct record_writer *w, const struct field *f, json_t *value)
{
	if ((w->shown && !f->spare) || json_array_size(value) || json_object_size(value))
		return value;
	json_decref(value);
	return NULL;
}

static uint64_t number_at(const struct field *f, const char *at)
{
	switch (f->kind) {
	case FIELD_U8:
		return *(const uint8_t *)at;
	case FIELD_U16:
		return *(const uint16_t *)(const void *)at;
	case FIELD_INT:
		return (uint64_t)(int64_t) * (const int *)(const void *)at;
	case FIELD_U32:
		return *(const uint32_t *)(const void *)at;
	default:
		return *(const uint64_t *)(const void *)at;
	}
}

static const char *string_at(const char *at)
{
	return *(const char *const *)(const void *)at;
}

static json_t *string_json(struct record_writer *w, const char *text)
{
	return text ? text_json(w, text) : json_null();
}

static json_t *real_json(struct record_writer *w, double value)
{
	return isfinite(value) ? note_made(w, json_real(value)) : json_null();
}

static json_t *known_json(struct record_writer *w, const struct field *f,
                          const struct shown_number *n)
{
	if (!n->known)
		return f->spare ? NULL : json_null();
	return note_made(w, json_integer((json_int_t)n->value));
}

/* What was given with the record, taken; NULL where a row that may lack it does. */
static json_t *given_json(const struct field *f, json_t *value)
{
	return value || f->spare ? value : json_null();
}

static json_t *prefix_json(struct record_writer *w, const struct prefix *p)
{
	static const struct prefix none;
	char text[ADDR_LONG_TEXT_MAX];

	if (!memcmp(p, &none, sizeof(none)))
		return NULL;
	return note_made(w, json_string(prefix_text(p, text)));
}

static json_t *addr_json(struct record_writer *w, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	return note_made(w, json_string(addr_text(a, text)));
}

static json_t *time_json(struct record_writer *w, int64_t ms)
{
	char text[CLOCK_TEXT_MAX];

	if (!w->shown)
		return note_made(w, json_integer(ms));
	return ms > 0 && ms < CLOCK_END_MS ? note_made(w, json_string(clock_text(ms, text)))
	                                   : json_null();
}

static json_t *set_json(struct record_writer *w, const struct field *f, const bool *set)
{
	json_t *list = note_made(w, json_array());

	for (size_t i = 0; i < f->most; i++)
		if (set[i])
			add_to_list(w, list, json_string(f->word((int)i)));
	return keep_filled(w, f, list);
}

static json_t *by_word_json(struct record_writer *w, const struct field *f, const int64_t *values)
{
	json_t *o = note_made(w, json_object());

	for (size_t i = 0; i < f->most; i++)
		if (values[i] != INT64_MAX)
			add_to_object(w, o, f->word((int)i), json_integer(values[i]));
	return keep_filled(w, f, o);
}

static json_t *value_json(struct record_writer *w, const struct field *f, const char *at,
                          bool always);
static json_t *rows_json(struct record_writer *w, const struct record_kind *r, const char *from);

static json_t *list_json(struct record_writer *w, const struct field *f, const char *from)
{
	json_t *list = note_made(w, json_array());
	const char *at = f->behind ? *(const char *const *)(const void *)(from + f->offset)
	                           : from + f->offset;
	const void *count = from + f->count;
	size_t n =
	        f->count_size == sizeof(size_t) ? *(const size_t *)count : *(const uint32_t *)count;

	for (size_t i = 0; i < n && i < f->most; i++, at += f->size)
		add_to_list(w, list,
		            f->each ? rows_json(w, f->each, at)
		                    : value_json(w, f->element, at + f->element->offset, true));
	return f->always ? list : keep_filled(w, f, list);
}

/* Where a record is, or any other value; NULL: there is none. */
static const char *value_at(const struct field *f, const char *from)
{
	const char *at = from + f->offset;

	return f->kind == FIELD_RECORD && f->behind ? *(const char *const *)(const void *)at : at;
}

static json_t *field_json(struct record_writer *w, const struct field *f, const char *from)
{
	const char *at = value_at(f, from), *text = f->text_of ? f->text_of(from) : NULL;
	bool is_known = f->known && *(const bool *)(from + f->known - 1);

	if (f->text_of)
		return text || !f->spare ? string_json(w, text) : NULL;
	if (f->kind == FIELD_LIST)
		return list_json(w, f, from);
	if (f->compute)
		return given_json(f, f->compute(from));
	if (w->shown && ((f->known && !is_known) || !at))
		return f->spare ? NULL : json_null();
	return value_json(w, f, at, (w->shown && !f->spare) || f->always || is_known);
}

static bool is_left_out(const struct field *f, const char *from)
{
	return f->later || (f->only_if && !*(const bool *)(from + f->only_if - 1));
}

static void add_rows(struct record_writer *w, json_t *o, const struct record_kind *r,
                     const char *from)
{
	for (size_t i = 0; i < r->n_fields; i++) {
		const struct field *f = &r->fields[i];
		const char *name = w->shown ? f->shown : f->name;
		bool left_out = is_left_out(f, from);
		json_t *value = name && !left_out ? field_json(w, f, from) : NULL;

		if (value)
			add_to_object(w, o, name, value);
		if (w->shown && f->flat && !left_out && value_at(f, from))
			add_rows(w, o, f->of, value_at(f, from));
	}
}

static json_t *rows_json(struct record_writer *w, const struct record_kind *r, const char *from)
{
	json_t *o = note_made(w, json_object());

	add_rows(w, o, r, from);
	return o;
}

static bool is_empty(const struct field *f, const char *at)
{
	switch (f->kind) {
	case FIELD_TEXT:
		return !*at;
	case FIELD_BOOL:
		return !*(const bool *)at;
	case FIELD_STRING:
		return !string_at(at) || !*string_at(at);
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_INT:
	case FIELD_U32:
	case FIELD_U64:
	case FIELD_I64:
	case FIELD_TIME:
	case FIELD_HEX:
		return !number_at(f, at);
	default:
		return false;
	}
}

/* @param always  also where it is empty: an element of a list, a value that is known. @return NULL where it is left out */
static json_t *value_json(struct record_writer *w, const struct field *f, const char *at,
                          bool always)
{
	int word = 0;

	if (!always && is_empty(f, at))
		return NULL;
	switch (f->kind) {
	case FIELD_TEXT:
		return text_json(w, at);
	case FIELD_BOOL:
		return json_boolean(*(const bool *)at);
	case FIELD_STRING:
		return string_json(w, string_at(at));
	case FIELD_REAL:
		return real_json(w, *(const double *)(const void *)at);
	case FIELD_KNOWN:
		return known_json(w, f, (const void *)at);
	case FIELD_JSON:
		return given_json(f, *(json_t *const *)(const void *)at);
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_INT:
	case FIELD_U32:
	case FIELD_U64:
	case FIELD_I64:
		return note_made(w, json_integer((json_int_t)number_at(f, at)));
	case FIELD_TIME:
		return time_json(w, (int64_t)number_at(f, at));
	case FIELD_HEX:
		return note_made(w, json_sprintf("%016" PRIx64, number_at(f, at)));
	case FIELD_WORD:
		memcpy(&word, at, sizeof(word));
		return note_made(w, json_string(f->word(word)));
	case FIELD_PREFIX:
		return prefix_json(w, (const void *)at);
	case FIELD_ADDR:
		return addr_json(w, (const void *)at);
	case FIELD_RECORD:
		return always ? rows_json(w, f->of, at)
		              : keep_filled(w, f, rows_json(w, f->of, at));
	case FIELD_SET:
		return set_json(w, f, (const void *)at);
	case FIELD_BY_WORD:
		return by_word_json(w, f, (const void *)at);
	case FIELD_LIST:
		break;
	}
	return NULL;
}

/* @p json (taken), given; NULL where it lacks something. */
static json_t *keep_whole(const struct record_writer *w, json_t *json)
{
	if (!w->failed)
		return json;
	json_decref(json);
	return NULL;
}

json_t *record_to_json(const struct record_kind *r, const void *from)
{
	struct record_writer w = { .failed = false };

	return keep_whole(&w, rows_json(&w, r, from));
}

json_t *record_shown(const struct record_kind *r, const void *from)
{
	struct record_writer w = { .shown = true };

	return keep_whole(&w, rows_json(&w, r, from));
}

json_t *record_list_shown(const struct record_kind *r, const void *from, size_t n)
{
	struct record_writer w = { .shown = true };
	json_t *list = note_made(&w, json_array());

	for (size_t i = 0; i < n; i++)
		add_to_list(&w, list, rows_json(&w, r, (const char *)from + i * r->size));
	return keep_whole(&w, list);
}

/* --- reading --- */

/* Say what is wrong with the value at hand. @return false */
__attribute__((format(printf, 2, 3))) static bool say_wrong(char *error, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(error, RECORD_ERROR_MAX, format, list);
	va_end(list);
	return false;
}

/* Put the way to it before what is wrong. @return false */
__attribute__((format(printf, 2, 3))) static bool say_wrong_at(char *error, const char *format, ...)
{
	char rest[RECORD_ERROR_MAX];
	va_list list;

	memcpy(rest, error, sizeof(rest));
	va_start(list, format);
	int n = vsnprintf(error, RECORD_ERROR_MAX, format, list);
	va_end(list);
	if (n >= 0 && (size_t)n < RECORD_ERROR_MAX)
		snprintf(error + n, RECORD_ERROR_MAX - (size_t)n, "%s", rest);
	return false;
}

static bool read_text(const struct field *f, const json_t *value, char *out, char *error)
{
	const char *text = json_string_value(value);
	size_t n = json_string_length(value);

	if (!text || n >= f->size || strlen(text) != n)
		return say_wrong(error, " is no text of at most %zu bytes", f->size - 1);
	memcpy(out, text, n + 1);
	return true;
}

static bool read_number(const struct field *f, const json_t *value, char *out, char *error)
{
	json_int_t least = f->kind == FIELD_I64 || f->kind == FIELD_TIME ? INT64_MIN : 0,
	           n = json_integer_value(value);
	json_int_t most = f->kind == FIELD_U32 ? UINT32_MAX : INT64_MAX;

	if (!json_is_integer(value) || n < least || n > most)
		return say_wrong(error, " is no number from %" PRId64 " to %" PRId64,
		                 (int64_t)least, (int64_t)most);
	if (f->kind == FIELD_U32)
		*(uint32_t *)(void *)out = (uint32_t)n;
	else
		*(int64_t *)(void *)out = n;
	return true;
}

static bool read_hex(const json_t *value, char *out, char *error)
{
	const char *text = json_string_value(value);

	if (!plain_is_hex(text, HEX_DIGITS))
		return say_wrong(error, " is no number of %u hexadecimal digits", HEX_DIGITS);
	*(uint64_t *)(void *)out = strtoull(text, NULL, 16);
	return true;
}

/* The value of a word; below 0: there is none. */
static int find_word(const struct field *f, const char *text)
{
	for (size_t i = 0; text && i < f->most; i++)
		if (!strcmp(f->word((int)i), text))
			return (int)i;
	return -1;
}

static bool read_word(const struct field *f, const json_t *value, char *out, char *error)
{
	int word = find_word(f, json_string_value(value));

	if (word < 0)
		return say_wrong(error, " is none of its words");
	memcpy(out, &word, sizeof(word));
	return true;
}

static bool read_prefix(const json_t *value, char *out, char *error)
{
	const char *text = json_string_value(value);

	if (!text || prefix_parse(text, (struct prefix *)(void *)out))
		return say_wrong(error, " is no prefix");
	return true;
}

static bool read_set(const struct field *f, const json_t *value, char *out, char *error)
{
	if (!json_is_array(value))
		return say_wrong(error, " is no list");
	for (size_t i = 0; i < json_array_size(value); i++) {
		const char *text = json_string_value(json_array_get(value, i));
		int word = find_word(f, text);

		if (!text)
			return say_wrong(error, "[%zu] is no text", i);
		if (word >= 0)
			((bool *)(void *)out)[word] = true;
	}
	return true;
}

static bool read_by_word(const struct field *f, const json_t *value, char *out, char *error)
{
	if (!json_is_object(value))
		return say_wrong(error, " is no object");
	for (size_t i = 0; i < f->most; i++) {
		const json_t *one = json_object_get(value, f->word((int)i));

		if (one && !json_is_integer(one))
			return say_wrong(error, ".%s is no number", f->word((int)i));
		if (one)
			((int64_t *)(void *)out)[i] = json_integer_value(one);
	}
	return true;
}

static bool read_rows(const struct record_kind *r, const json_t *json, char *out, char *error);

static bool read_value(const struct field *f, const json_t *value, char *out, char *error)
{
	switch (f->kind) {
	case FIELD_TEXT:
		return read_text(f, value, out, error);
	case FIELD_BOOL:
		*(bool *)out = json_is_true(value);
		return json_is_boolean(value) || say_wrong(error, " is neither true nor false");
	case FIELD_U32:
	case FIELD_U64:
	case FIELD_I64:
	case FIELD_TIME:
		return read_number(f, value, out, error);
	case FIELD_HEX:
		return read_hex(value, out, error);
	case FIELD_WORD:
		return read_word(f, value, out, error);
	case FIELD_PREFIX:
		return read_prefix(value, out, error);
	case FIELD_RECORD:
		return read_rows(f->of, value, out, error);
	case FIELD_SET:
		return read_set(f, value, out, error);
	case FIELD_BY_WORD:
		return read_by_word(f, value, out, error);
	case FIELD_U8:
	case FIELD_U16:
	case FIELD_INT:
	case FIELD_ADDR:
	case FIELD_STRING:
	case FIELD_REAL:
	case FIELD_JSON:
	case FIELD_KNOWN:
	case FIELD_LIST: /* read_list() */
		break;
	}
	return say_wrong(error, " is only shown");
}

static bool read_list(const struct field *f, const json_t *list, char *out, uint32_t *n,
                      char *error)
{
	if (!json_is_array(list) || json_array_size(list) > f->most)
		return say_wrong(error, " is no list of at most %zu", f->most);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!read_value(f->element, json_array_get(list, i), out + i * f->size, error))
			return say_wrong_at(error, "[%zu]", i);
	*n = (uint32_t)json_array_size(list);
	return true;
}

/* What a field says that is missing. */
static void make_empty(const struct field *f, char *out)
{
	for (size_t i = 0; f->kind == FIELD_BY_WORD && i < f->most; i++)
		((int64_t *)(void *)out)[i] = INT64_MAX;
	if (f->kind == FIELD_RECORD)
		for (size_t i = 0; i < f->of->n_fields; i++)
			make_empty(&f->of->fields[i], out + f->of->fields[i].offset);
}

static bool read_field(const struct field *f, const json_t *value, char *out, char *error)
{
	make_empty(f, out + f->offset);
	if (!value)
		return !f->always || say_wrong(error, " is missing");
	if (f->known)
		*(bool *)(out + f->known - 1) = true;
	return f->kind == FIELD_LIST ? read_list(f, value, out + f->offset,
	                                         (uint32_t *)(void *)(out + f->count), error)
	                             : read_value(f, value, out + f->offset, error);
}

static bool read_rows(const struct record_kind *r, const json_t *json, char *out, char *error)
{
	if (!json_is_object(json))
		return say_wrong(error, " is no object");
	for (size_t i = 0; i < r->n_fields; i++) {
		const struct field *f = &r->fields[i];

		if (f->name && !read_field(f, json_object_get(json, f->name), out, error))
			return say_wrong_at(error, ".%s", f->name);
	}
	return true;
}

int record_from_json(const struct record_kind *r, const json_t *json, void *out,
                     char error[RECORD_ERROR_MAX])
{
	char text[RECORD_ERROR_MAX] = "";
	char *record = calloc(1, r->size);
	int err = record ? 0 : -ENOMEM;

	if (err) /* else an answer would say that the record is wrong */
		memory_note_failure();
	if (!err && !read_rows(r, json, record, text))
		err = -EINVAL;
	if (!err && r->is_sound && !r->is_sound(record)) {
		err = -EINVAL;
		say_wrong(text, " contradicts itself");
	}
	if (!err)
		memcpy(out, record, r->size);
	if (err == -EINVAL && error) /* ".steps[3].to_ppm is ..." or " is no object" */
		snprintf(error, RECORD_ERROR_MAX, "%s%s", r->name, text);
	free(record);
	return err;
}

/* --- texts --- */

char *record_to_text(const struct record_kind *r, const void *from)
{
	json_t *json = record_to_json(r, from);
	char *text = json ? json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT) : NULL;

	json_decref(json);
	return text;
}

int record_from_text(const struct record_kind *r, const char *text, void *out,
                     char error[RECORD_ERROR_MAX])
{
	json_error_t why;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &why);

	if (!json && json_error_code(&why) == json_error_out_of_memory)
		return -ENOMEM;
	int err = record_from_json(r, json, out, error);
	json_decref(json);
	return err;
}
