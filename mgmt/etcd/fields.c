/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The gateway writes int64 and uint64 as decimal texts, 32-bit numbers and booleans as they are. A
 * number that is written in another way than by printf() is foreign, and refused: no sign '+', no
 * space, no leading zero.
 */
#include "mgmt/etcd/fields_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/plain.h"
#include "mgmt/etcd/base64.h"
#include "weir/json.h"

static void refuse_memory(struct etcd_fields *f)
{
	if (f->err)
		return;
	f->err = -ENOMEM;
	snprintf(f->reason, ETCD_REASON_MAX, "out of memory");
}

void etcd_fields_begin(struct etcd_fields *f, const char *bytes, size_t n, struct arena *arena,
                       char reason[ETCD_REASON_MAX])
{
	json_error_t error;
	char text[sizeof(error.text) + 16];

	*f = (struct etcd_fields){ .arena = arena, .reason = reason };
	if (n > ETCD_ANSWER_MAX) {
		etcd_fields_refuse(f, "", "has too many bytes");
		return;
	}
	f->root = json_read(bytes, n, JSON_REJECT_DUPLICATES, &error);
	if (f->root && json_is_object(f->root))
		return;
	if (!f->root && (json_error_code(&error) == json_error_out_of_memory ||
	                 !strcmp(error.text, "out of memory"))) {
		refuse_memory(f);
		return;
	}
	snprintf(text, sizeof(text), "is no JSON: %s", error.text);
	etcd_fields_refuse(f, "", f->root ? "is no object" : text);
}

int etcd_fields_end(struct etcd_fields *f)
{
	json_decref(f->root);
	f->root = NULL;
	return f->err;
}

int etcd_fields_give(struct etcd_fields *f, void *out, const void *value, size_t n)
{
	int err = etcd_fields_end(f);

	if (!err)
		memcpy(out, value, n);
	return err;
}

void etcd_fields_refuse(struct etcd_fields *f, const char *name, const char *what)
{
	char text[ETCD_REASON_MAX];

	if (f->err)
		return;
	f->err = -EBADMSG;
	if (f->list)
		snprintf(text, sizeof(text), "the answer's %s[%zu]%s%s %s", f->list, f->entry,
		         *name ? "." : "", name, what);
	else
		snprintf(text, sizeof(text), "the answer%s%s %s", *name ? "'s " : "", name, what);
	plain_copy(f->reason, ETCD_REASON_MAX, text);
}

/* The value of a field; NULL: its default. */
static const json_t *find_value(const struct etcd_fields *f, const json_t *object, const char *name)
{
	const json_t *value = f->err ? NULL : json_object_get(object, name);

	return json_is_null(value) ? NULL : value;
}

const json_t *etcd_fields_object(struct etcd_fields *f, const json_t *object, const char *name)
{
	const json_t *value = find_value(f, object, name);

	if (value && !json_is_object(value)) {
		etcd_fields_refuse(f, name, "is no object");
		return NULL;
	}
	return value;
}

size_t etcd_fields_list(struct etcd_fields *f, const json_t *object, const char *name, size_t max,
                        const json_t **list)
{
	const json_t *value = find_value(f, object, name);

	f->list = NULL;
	if (value && !json_is_array(value)) {
		etcd_fields_refuse(f, name, "is no list");
		return 0;
	}
	if (json_array_size(value) > max) {
		etcd_fields_refuse(f, name, "has too many entries");
		return 0;
	}
	*list = value;
	return json_array_size(value);
}

const json_t *etcd_fields_entry(struct etcd_fields *f, const json_t *list, const char *name,
                                size_t i)
{
	const json_t *value = json_array_get(list, i);

	if (f->err)
		return NULL;
	f->list = name;
	f->entry = i;
	if (!json_is_object(value)) {
		etcd_fields_refuse(f, "", "is no object");
		return NULL;
	}
	return value;
}

/* Whether a text is a whole number as printf() writes it. */
static bool is_decimal(const char *text, size_t n)
{
	const char *digits = text + (*text == '-');
	size_t n_digits = strspn(digits, "0123456789");

	return n_digits && digits + n_digits == text + n &&
	       (*digits != '0' || (n_digits == 1 && digits == text));
}

int64_t etcd_fields_int64(struct etcd_fields *f, const json_t *object, const char *name,
                          int64_t least)
{
	const json_t *value = find_value(f, object, name);
	const char *text = json_string_value(value);
	int64_t number = 0;

	if (json_is_integer(value)) {
		number = json_integer_value(value);
	} else if (text && is_decimal(text, json_string_length(value))) {
		errno = 0;
		number = strtoll(text, NULL, 10);
		if (errno)
			etcd_fields_refuse(f, name, "is beyond 64 bits");
	} else if (value) {
		etcd_fields_refuse(f, name, "is no whole number");
	}
	if (number < least)
		etcd_fields_refuse(f, name, "is absent or too small");
	return f->err ? 0 : number;
}

uint64_t etcd_fields_uint64(struct etcd_fields *f, const json_t *object, const char *name)
{
	const json_t *value = find_value(f, object, name);
	const char *text = json_string_value(value);
	uint64_t number = 0;

	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		number = (uint64_t)json_integer_value(value);
	} else if (text && *text != '-' && is_decimal(text, json_string_length(value))) {
		errno = 0;
		number = strtoull(text, NULL, 10);
		if (errno)
			etcd_fields_refuse(f, name, "is beyond 64 bits");
	} else if (value) {
		etcd_fields_refuse(f, name, "is no whole number");
	}
	return f->err ? 0 : number;
}

bool etcd_fields_bool(struct etcd_fields *f, const json_t *object, const char *name)
{
	const json_t *value = find_value(f, object, name);

	if (value && !json_is_boolean(value))
		etcd_fields_refuse(f, name, "is not true or false");
	return json_is_true(value);
}

void etcd_fields_text(struct etcd_fields *f, const json_t *object, const char *name, char *out,
                      size_t size)
{
	const json_t *value = find_value(f, object, name);
	const char *text = json_string_value(value);

	out[0] = '\0';
	if (!value)
		return;
	if (!text || json_string_length(value) >= size) {
		etcd_fields_refuse(f, name, text ? "is too long" : "is no text");
		return;
	}
	plain_copy(out, size, text);
	if (strcmp(out, text)) {
		out[0] = '\0';
		etcd_fields_refuse(f, name, "has control characters");
	}
}

void *etcd_fields_alloc(struct etcd_fields *f, size_t n, size_t size)
{
	void *out = n && !f->err ? arena_alloc(f->arena, n, size) : NULL;

	if (n && !out)
		refuse_memory(f);
	return out;
}

/* Bytes that are there as base64, into the arena, with a NUL behind. */
static struct etcd_bytes read_bytes(struct etcd_fields *f, const json_t *object, const char *name,
                                    size_t max)
{
	const json_t *value = find_value(f, object, name);
	const char *text = json_string_value(value);
	size_t n_text = json_string_length(value);

	if (value && !text) {
		etcd_fields_refuse(f, name, "is no text");
		return (struct etcd_bytes){ "", 0 };
	}
	if (!text || !n_text)
		return (struct etcd_bytes){ "", 0 };
	if (n_text > (max + 2) / 3 * 4) {
		etcd_fields_refuse(f, name, "is too long");
		return (struct etcd_bytes){ "", 0 };
	}
	unsigned char *out = etcd_fields_alloc(f, etcd_base64_room(n_text) + 1, 1);
	int64_t n = out ? etcd_base64_read(text, n_text, out) : 0;

	if (n < 0 || (size_t)n > max) {
		etcd_fields_refuse(f, name, n < 0 ? "is no base64" : "is too long");
		n = 0;
	}
	if (!n)
		return (struct etcd_bytes){ "", 0 };
	out[n] = '\0';
	return (struct etcd_bytes){ (const char *)out, (size_t)n };
}

struct etcd_header etcd_fields_some_header(struct etcd_fields *f, const json_t *object)
{
	const json_t *header = etcd_fields_object(f, object, "header");
	struct etcd_header out = {
		.cluster_id = etcd_fields_uint64(f, header, "cluster_id"),
		.member_id = etcd_fields_uint64(f, header, "member_id"),
		.revision = etcd_fields_int64(f, header, "revision", 0),
	};

	if (header && !out.cluster_id)
		etcd_fields_refuse(f, "header", "names no cluster");
	return out;
}

struct etcd_header etcd_fields_header(struct etcd_fields *f, const json_t *object)
{
	struct etcd_header out = etcd_fields_some_header(f, object);

	if (!out.cluster_id)
		etcd_fields_refuse(f, "header", "names no cluster");
	return out;
}

struct etcd_kv etcd_fields_kv(struct etcd_fields *f, const json_t *kv)
{
	struct etcd_kv out = {
		.key = read_bytes(f, kv, "key", ETCD_KEY_MAX),
		.value = read_bytes(f, kv, "value", ETCD_VALUE_MAX),
		.create_revision = etcd_fields_int64(f, kv, "create_revision", 0),
		.mod_revision = etcd_fields_int64(f, kv, "mod_revision", 1),
		.version = etcd_fields_int64(f, kv, "version", 0),
		.lease = etcd_fields_int64(f, kv, "lease", 0),
	};

	if (!out.key.n)
		etcd_fields_refuse(f, "key", "is absent");
	if (out.create_revision > out.mod_revision)
		etcd_fields_refuse(f, "create_revision", "is behind mod_revision");
	return out;
}
