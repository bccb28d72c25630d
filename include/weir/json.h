/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Reading JSON (RFC 8259) with jansson, and making small objects of it, for every process. Implemented in model/json.c; any thread.
 */
#ifndef WEIR_JSON_H
#define WEIR_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** Before the first use of jansson: let its failed allocations be noted (base/memory.h). */
void json_prepare(void);

/**
 * Read @p n bytes as json_loadb() does. Its scanner (2.14) writes beyond its buffer when a text
 * cannot grow; here it cannot, and stops.
 * @param error  may be NULL
 * @return given; NULL after an error, "out of memory" included
 */
json_t *json_read(const char *bytes, size_t n, size_t flags, json_error_t *error);

/** A text that may not be UTF-8, given: bytes that are not are shown as '?'. @return NULL when out of memory */
json_t *json_text(const char *text);

/** The value at @p path in @p from, whatever it is: "effect.state"; "" is @p from itself. A name with a dot has no path. @return NULL: there is none */
json_t *json_at(const json_t *from, const char *path);

/** The text @p name of @p object, whatever it is. @return NULL: there is none */
static inline const char *json_get_text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/** The same. @return "": there is none */
static inline const char *json_text_of(const json_t *object, const char *name)
{
	const char *text = json_get_text(object, name);

	return text ? text : "";
}

/** Whether @p object, whatever it is, has true under @p name. */
static inline bool json_has_true(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

/** Whether @p object, whatever it is, has the text @p expected at @p path. */
bool json_has_text(const json_t *object, const char *path, const char *expected);

/** The first of @p list, whatever it is, that has the text @p text under @p name. @return NULL: there is none */
static inline json_t *json_find(const json_t *list, const char *name, const char *text)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_has_text(json_array_get(list, i), name, text))
			return json_array_get(list, i);
	return NULL;
}

/** Whether @p list, whatever it is, has the text @p text. */
static inline bool json_lists(const json_t *list, const char *text)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *one = json_string_value(json_array_get(list, i));

		if (one && !strcmp(one, text))
			return true;
	}
	return false;
}

/** Whether @p value, whatever it is, is an integer from 0 to @p most. Otherwise @p out is untouched. */
bool json_read_count(const json_t *value, uint64_t most, uint64_t *out);

/** The number @p n, given; JSON null if it is not known. */
json_t *json_number_or_null(bool known, uint64_t n);

/** @p json (taken) as a line without blanks, from malloc(). @return NULL: it was NULL, or memory is short */
static inline char *json_line(json_t *json)
{
	char *line = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	return line;
}

/**
 * Put @p value (taken) into @p object (taken) as @p name. @return @p object, given; NULL: it or the value was NULL, or
 * memory is short
 */
json_t *json_with(json_t *object, const char *name, json_t *value);

/** An object of texts { NAME, TEXT } up to a NULL name, given; a TEXT that is NULL is left out. @return NULL: one is no UTF-8, or memory is short */
json_t *json_texts(const char *const texts[][2]);
/** The same of the texts that are listed: JSON_TEXTS({ "do", "list" }, { "pool", pool }) */
#define JSON_TEXTS(...) json_texts((const char *const[][2]){ __VA_ARGS__, { NULL, NULL } })

/** What a control socket answers to a request that it carried out: @p name is @p value (taken), given. */
static inline json_t *json_granted(const char *name, json_t *value)
{
	return json_with(json_with(json_object(), "ok", json_true()), name, value);
}

/** What a control socket answers to a request that it refuses, given. */
static inline json_t *json_refusal(const char *reason)
{
	return json_with(json_with(json_object(), "ok", json_false()), "error",
	                 json_string(reason));
}

#endif
