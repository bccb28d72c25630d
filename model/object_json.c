/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON by the rows of the schema, as write.c makes text of them: the same settings are given, with the same values. Only
 * the type differs: numbers, booleans, lists and groups are those of JSON.
 */
#include "weir/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "base/sha256.h"
#include "model/setting.h"
#include "weir/json.h"

#define ETAG_BYTES 8u /* of the digest: enough that a change is seen */

static json_t *group_to_json(enum schema_id group, const void *of);

static json_t *elements_to_json(enum schema_id id, const void *of)
{
	json_t *list = json_array();

	for (size_t i = 0; i < setting_count(id, of); i++)
		if (json_array_append_new(list, group_to_json(id, setting_element(id, of, i)))) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *entries_to_json(enum schema_id id, const void *of)
{
	json_t *list = json_array();
	char text[SETTING_TEXT_MAX];

	for (size_t i = 0; i < setting_count(id, of); i++)
		if (json_array_append_new(list, json_text(setting_entry(id, of, i, text)))) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* In the model it is where this process reads it. */
static json_t *zone_file_to_json(const void *of)
{
	const struct model_zone *zone = of;

	return json_text(zone->given ? zone->given : zone->file);
}

static json_t *value_to_json(enum schema_id id, const void *of)
{
	char text[SETTING_TEXT_MAX];

	if (id == SCHEMA_DNS_ZONES_FILE)
		return zone_file_to_json(of);
	switch (schema()->rows[id].kind) {
	case KIND_GROUP:
		return group_to_json(id, of);
	case KIND_GROUPS:
		return elements_to_json(id, of);
	case KIND_ADDRESSES:
	case KIND_PREFIXES:
	case KIND_MACS:
	case KIND_REFERENCES:
		return entries_to_json(id, of);
	case KIND_INTEGER:
		return json_integer((json_int_t)setting_number(id, of));
	case KIND_BOOLEAN:
		return json_boolean(setting_number(id, of));
	default:
		return json_text(setting_text(id, of, text));
	}
}

static json_t *group_to_json(enum schema_id group, const void *of)
{
	const struct schema_row *rows = schema()->rows;
	json_t *object = json_object();

	for (enum schema_id id = rows[group].first_child; object && id != SCHEMA_COUNT;
	     id = rows[id].next)
		if (!rows[id].effective && setting_is_given(id, of))
			object = json_with(object, rows[id].name, value_to_json(id, of));
	return object;
}

json_t *object_json(const struct model *m, const struct object_path *path)
{
	const void *object = object_find(m, path);

	return object ? group_to_json(object_row(path->kind)->list, object) : NULL;
}

json_t *object_json_at(const struct model *m, const struct object_path *path, size_t i)
{
	enum schema_id list = object_row(path->kind)->list;

	return group_to_json(list, setting_element(list, object_find_around(m, path), i));
}

int object_etag(const json_t *json, char out[OBJECT_ETAG_MAX])
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	uint8_t digest[SHA256_BYTES];
	struct sha256 s;

	out[0] = '\0';
	if (!text)
		return -ENOMEM;
	sha256_begin(&s);
	sha256_add(&s, text, strlen(text));
	sha256_end(&s, digest);
	free(text);
	out[0] = '"';
	plain_hex(digest, ETAG_BYTES, out + 1);
	out[OBJECT_ETAG_MAX - 2] = '"';
	out[OBJECT_ETAG_MAX - 1] = '\0';
	return 0;
}
