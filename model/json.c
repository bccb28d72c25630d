/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jansson's scanner keeps the present text in a buffer that doubles. If doubling fails, it goes on
 * and later copies the text as if it were complete. So a reserve is kept that is large enough for
 * one doubling and for all that the rest of its read buffer can need. Once the reserve is used, the
 * input ends, and the result is thrown away.
 */
#include "weir/json.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

/*
 * jansson reads 1,024 bytes at a time: at most that many values, with their containers' first
 * tables.
 */
#define READ_BYTES    1024u
#define RESERVE_BYTES (READ_BYTES * 512u) /* for each value and its table */

struct json_input {
	const char *at;
	size_t n;
};

void json_prepare(void)
{
	json_set_alloc_funcs(memory_alloc, memory_free);
}

static size_t feed_scanner(void *buffer, size_t size, void *data)
{
	struct json_input *in = data;
	size_t part = in->n < size ? in->n : size;

	if (memory_reserve_drawn())
		return (size_t)-1;
	memcpy(buffer, in->at, part);
	in->at += part;
	in->n -= part;
	return part;
}

static json_t *out_of_memory(json_t *root, json_error_t *error)
{
	json_decref(root);
	if (error)
		snprintf(error->text, sizeof(error->text), "out of memory");
	return NULL;
}

json_t *json_read(const char *bytes, size_t n, size_t flags, json_error_t *error)
{
	struct json_input in = { bytes, n };
	json_error_t own;

	if (error)
		memset(error, 0, sizeof(*error));
	if (memory_reserve_begin(2 * n + RESERVE_BYTES))
		return out_of_memory(NULL, error);
	json_t *root = json_load_callback(feed_scanner, &in, flags, error ? error : &own);
	if (memory_reserve_drawn())
		root = out_of_memory(root, error);
	memory_reserve_end();
	return root;
}

json_t *json_at(const json_t *from, const char *path)
{
	while (from && *path) {
		size_t n = strcspn(path, ".");

		from = json_object_getn(from, path, n);
		path += n + (path[n] == '.');
	}
	return (json_t *)(uintptr_t)from;
}

bool json_has_text(const json_t *object, const char *path, const char *expected)
{
	const char *text = json_string_value(json_at(object, path));

	return text && !strcmp(text, expected);
}

bool json_read_count(const json_t *value, uint64_t most, uint64_t *out)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < 0 || (uint64_t)n > most)
		return false;
	*out = (uint64_t)n;
	return true;
}

json_t *json_number_or_null(bool known, uint64_t n)
{
	return known ? json_integer((json_int_t)n) : json_null();
}

json_t *json_text(const char *text)
{
	json_t *value = json_string(text);

	if (value)
		return value;
	char *copy = strdup(text);
	for (char *c = copy; c && *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	value = json_string(copy ? copy : "");
	free(copy);
	return value;
}

json_t *json_with(json_t *object, const char *name, json_t *value)
{
	if (!json_object_set_new(object, name, value))
		return object;
	json_decref(object);
	return NULL;
}

json_t *json_texts(const char *const texts[][2])
{
	json_t *out = json_object();

	for (; (*texts)[0]; texts++)
		if ((*texts)[1])
			out = json_with(out, (*texts)[0], json_string((*texts)[1]));
	return out;
}
