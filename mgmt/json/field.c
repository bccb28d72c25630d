/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each row notes the name that it looks for; field_close() reports every other name of the
 * object as unknown, so that no list of names is kept apart. Errors are collected, so that a client
 * sees all of them at once.
 */
#include "mgmt/json/field.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/plain.h"

#define ERRORS_MAX 100u /* listed in an answer; a body of nothing but errors gets a short answer */

#define FAULT_ROWS(X, t) X(t, const char *, field) X(t, const char *, detail)
RECORD_SHOWN(field_fault, "error", FAULT_ROWS);

RECORD_KIND(said_body, "reason", SAID_ROWS);

__attribute__((format(printf, 4, 0))) static void
insert_error(struct field_reader *f, size_t at, const char *name, const char *format, va_list list)
{
	char detail[512];

	if (f->n_errors++ >= ERRORS_MAX)
		return;
	vsnprintf(detail, sizeof(detail), format, list);
	json_array_insert_new(f->errors, at, SHOWN(field_fault, name, detail));
}

void field_error(struct field_reader *f, const char *name, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	insert_error(f, json_array_size(f->errors), name, format, list);
	va_end(list);
}

/* The index of a name in the order in which they were read. */
static size_t find_known(const struct field_reader *f, const char *name)
{
	size_t i = 0;

	while (i < f->n_known && strcmp(f->known[i], name) != 0)
		i++;
	return i;
}

void field_refuse(struct field_reader *f, const char *name, const char *format, ...)
{
	size_t at = json_array_size(f->errors);
	va_list list;

	while (at && find_known(f, json_text_of(json_array_get(f->errors, at - 1), "field")) >
	                     find_known(f, name))
		at--;
	va_start(list, format);
	insert_error(f, at, name, format, list);
	va_end(list);
}

json_t *field_errors_json(const char *name, const char *detail)
{
	return record_list_shown(&field_fault_kind, &(struct field_fault){ name, detail }, 1);
}

/* Return the value of @p name and note that the name is known. */
static const json_t *value_of(struct field_reader *f, const char *name, bool required)
{
	const json_t *value = json_object_get(f->object, name);

	assert(f->n_known < FIELD_NAMES_MAX);
	f->known[f->n_known++] = name;
	if (json_is_null(value))
		value = NULL;
	if (!value && required)
		field_error(f, name, "is required");
	return value;
}

static const char *get_text(struct field_reader *f, const char *name, bool required, size_t max)
{
	const json_t *value = value_of(f, name, required);

	if (!value)
		return NULL;
	if (!json_is_string(value))
		field_error(f, name, "expected a text");
	else if (json_string_length(value) > max)
		field_error(f, name, "has more than %zu bytes", max);
	else if (!plain_may_give(json_string_value(value)))
		field_error(f, name,
		            "has control characters, or characters that hide or turn "
		            "round others");
	else
		return json_string_value(value);
	return NULL;
}

/* A whole number; a text of digits is none. */
static struct shown_number get_number(struct field_reader *f, const char *name, bool required)
{
	const json_t *value = value_of(f, name, required);

	if (!value)
		return (struct shown_number){ .known = false };
	if (!json_is_integer(value) || json_integer_value(value) < 0) {
		field_error(f, name, "expected a whole number");
		return (struct shown_number){ .known = false };
	}
	return (struct shown_number){ true, (uint64_t)json_integer_value(value) };
}

static bool get_bool(struct field_reader *f, const char *name)
{
	const json_t *value = value_of(f, name, false);

	if (value && !json_is_boolean(value))
		field_error(f, name, "expected true or false");
	return json_is_true(value);
}

static const json_t *get_object(struct field_reader *f, const char *name, bool required)
{
	const json_t *value = value_of(f, name, required);

	if (value && !json_is_object(value)) {
		field_error(f, name, "expected an object");
		return NULL;
	}
	return value;
}

static const json_t *get_array(struct field_reader *f, const char *name, bool required)
{
	const json_t *value = value_of(f, name, required);

	if (value && !json_is_array(value)) {
		field_error(f, name, "expected an array");
		return NULL;
	}
	return value;
}

/* "is not a known field; known fields: do, target" */
static void refuse_unknown(struct field_reader *f, const char *name)
{
	char known[512] = "", shown[64];
	size_t n = 0;

	for (size_t i = 0; i < f->n_known && n < sizeof(known) - 64; i++)
		n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", i ? ", " : "",
		                      f->known[i]);
	snprintf(shown, sizeof(shown), "%.60s", name);
	json_t *as_text = json_string(shown); /* NULL if a character was cut through */
	field_error(f, as_text ? shown : "?", "is not a known field; known fields: %s",
	            f->n_known ? known : "none");
	json_decref(as_text);
}

static const char *read_text(struct field_reader *f, const struct field *row)
{
	const char *text = get_text(f, row->shown, !row->spare, row->most);

	if (text && row->always && !text[strspn(text, " ")])
		field_error(f, row->shown, "must not be blank: say why you make this change");
	return text;
}

static void read_row(struct field_reader *f, const struct field *row, char *out)
{
	if (row->kind == FIELD_STRING)
		*(const char **)(void *)out = read_text(f, row);
	else if (row->kind == FIELD_BOOL)
		*(bool *)out = get_bool(f, row->shown);
	else if (row->kind == FIELD_KNOWN)
		*(struct shown_number *)(void *)out = get_number(f, row->shown, !row->spare);
	else if (row->element || row->each)
		*(const json_t **)(void *)out = get_array(f, row->shown, !row->spare);
	else
		*(const json_t **)(void *)out = get_object(f, row->shown, !row->spare);
}

void field_read(struct field_reader *f, const json_t *object, const struct record_kind *body,
                void *out)
{
	*f = (struct field_reader){ .object = object, .errors = json_array() };
	for (size_t i = 0; i < body->n_fields; i++)
		read_row(f, &body->fields[i], (char *)out + body->fields[i].offset);
}

bool field_close(struct field_reader *f)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)f->object, name, value)
	{
		if (find_known(f, name) == f->n_known)
			refuse_unknown(f, name);
	}
	if (f->n_errors)
		return false;
	json_decref(f->errors);
	f->errors = NULL;
	return true;
}
