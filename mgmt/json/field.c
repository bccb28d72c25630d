/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each reader notes the name that it looks for; field_close() reports every other name of the
 * object as unknown, so that no list of names is kept apart. Errors are collected, so that a client
 * sees all of them at once.
 */
#include "mgmt/json/field.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/store/store.h"
#include "record/fields.h"

#define ERRORS_MAX 100u /* listed in an answer; a body of nothing but errors gets a short answer */

#define FAULT_ROWS(X, t) X(t, const char *, field) X(t, const char *, detail)
RECORD_SHOWN(field_fault, "error", FAULT_ROWS);

void field_start(struct field_reader *f, const json_t *object)
{
	*f = (struct field_reader){ .object = object, .errors = json_array() };
}

void field_error(struct field_reader *f, const char *name, const char *format, ...)
{
	char detail[512];
	va_list list;

	if (f->n_errors++ >= ERRORS_MAX)
		return;
	va_start(list, format);
	vsnprintf(detail, sizeof(detail), format, list);
	va_end(list);
	json_array_append_new(f->errors, SHOWN(field_fault, name, detail));
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

static bool is_plain_field(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return true;
}

const char *field_text(struct field_reader *f, const char *name, bool required, size_t max)
{
	const json_t *value = value_of(f, name, required);

	if (!value)
		return NULL;
	if (!json_is_string(value))
		field_error(f, name, "expected a text");
	else if (json_string_length(value) > max)
		field_error(f, name, "has more than %zu bytes", max);
	else if (!is_plain_field(json_string_value(value), json_string_length(value)))
		field_error(f, name, "has control characters");
	else
		return json_string_value(value);
	return NULL;
}

bool field_bool(struct field_reader *f, const char *name)
{
	const json_t *value = value_of(f, name, false);

	if (value && !json_is_boolean(value))
		field_error(f, name, "expected true or false");
	return json_is_true(value);
}

const json_t *field_object(struct field_reader *f, const char *name, bool required)
{
	const json_t *value = value_of(f, name, required);

	if (value && !json_is_object(value)) {
		field_error(f, name, "expected an object");
		return NULL;
	}
	return value;
}

const json_t *field_array(struct field_reader *f, const char *name, bool required)
{
	const json_t *value = value_of(f, name, required);

	if (value && !json_is_array(value)) {
		field_error(f, name, "expected an array");
		return NULL;
	}
	return value;
}

static bool is_known_field(const struct field_reader *f, const char *name)
{
	for (size_t i = 0; i < f->n_known; i++)
		if (!strcmp(f->known[i], name))
			return true;
	return false;
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

const char *field_reason(struct field_reader *f)
{
	const char *reason = field_text(f, "reason", true, VERSION_REASON_MAX - 1);

	if (reason && !reason[strspn(reason, " ")])
		field_error(f, "reason", "must not be blank: say why you make this change");
	return reason;
}

bool field_close(struct field_reader *f)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)f->object, name, value)
	{
		if (!is_known_field(f, name))
			refuse_unknown(f, name);
	}
	if (f->n_errors)
		return false;
	json_decref(f->errors);
	f->errors = NULL;
	return true;
}
