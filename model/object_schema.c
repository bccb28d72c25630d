/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON Schema (2020-12) by the rows of the schema. What a row's kind says of a text is one pattern, which is as wide as
 * the parser or wider: a text that the parser takes always fits. Limits of quantities are no numbers for JSON; they are
 * in the description. An object's example is made in the same walk: each setting at its default, else as its kind's row
 * has it.
 */
#include "weir/object.h"

#include <stdlib.h>
#include <string.h>

#include "model/setting.h"
#include "weir/json.h"

#define NAME_PATTERN    "^[a-z0-9][a-z0-9._-]{0,62}$"
#define TEXT_PATTERN    "^[^\\x00-\\x1f\\x7f]*$"
#define ADDRESS_PATTERN "^[0-9A-Fa-f]*[:.][0-9A-Fa-f:.]*$"
#define LABEL           "[A-Za-z0-9_-]{1,63}"
#define NUMBER_PATTERN  "^[0-9]+(\\.[0-9]+)?"
#define TIME_PATTERN                                                                               \
	"^(never|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2}))$"

/* What a text of a kind looks like, or an entry of a list; and one that is right. */
static const struct text_form {
	const char *pattern, *example;
} text_forms[KIND_COUNT] = {
	[KIND_NAME] = { NAME_PATTERN, "example" },
	[KIND_REFERENCE] = { NAME_PATTERN, "example" },
	[KIND_REFERENCES] = { NAME_PATTERN, "example" },
	[KIND_TEXT] = { TEXT_PATTERN, "text" },
	[KIND_INTERFACE] = { "^[!-.0-9;-~]+$", "eth0" },
	[KIND_PATH] = { TEXT_PATTERN, "example.zone" },
	[KIND_DOMAIN] = { "^(" LABEL "\\.)*" LABEL "\\.?$", "www.example.net" },
	[KIND_URL] = { "^(https://.+:[0-9]{1,5})?$", "https://192.0.2.1:8443" },
	[KIND_ADDRESS] = { ADDRESS_PATTERN, "192.0.2.1" },
	[KIND_ADDRESSES] = { ADDRESS_PATTERN, "192.0.2.1" },
	[KIND_PREFIXES] = { "^[0-9A-Fa-f:.]+/[0-9]{1,3}$", "192.0.2.0/24" },
	[KIND_MACS] = { "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$", "02:00:00:00:00:01" },
	[KIND_DURATION] = { NUMBER_PATTERN "(ms|s|m|h|d)$", "5s" },
	[KIND_RATE] = { NUMBER_PATTERN "[kMG]?/s$", "50k/s" },
	[KIND_BITS] = { NUMBER_PATTERN "[kMGT]?bit$", "40Gbit" },
	[KIND_PERCENT] = { NUMBER_PATTERN "%$", "50%" },
	[KIND_TIME] = { TIME_PATTERN, "2026-12-20T00:00:00Z" },
};

static json_t *with_text(json_t *object, const char *name, const char *text)
{
	return json_with(object, name, json_string(text));
}

static json_t *with_number(json_t *object, const char *name, uint64_t n)
{
	return json_with(object, name, json_integer((json_int_t)n));
}

static json_t *describe_type(const char *type)
{
	return with_text(json_object(), "type", type);
}

/* Both limits, under the names that the type has for them. */
static json_t *with_limits(json_t *described, const struct schema_row *row, const char *least,
                           const char *most)
{
	if (!row->limited)
		return described;
	return with_number(with_number(described, least, row->least), most, row->most);
}

/* What a reference names, for who generates requests: the path of its list. */
static json_t *with_target(json_t *described, const struct schema_row *row)
{
	for (enum object_kind kind = 0; kind < OBJECT_NONE; kind++)
		if (object_row(kind)->list == row->target)
			return with_text(described, "x-reference", object_row(kind)->path);
	return described;
}

static json_t *list_address_formats(void)
{
	json_t *list = json_array();

	json_array_append_new(list, JSON_TEXTS({ "format", "ipv4" }));
	json_array_append_new(list, JSON_TEXTS({ "format", "ipv6" }));
	return list;
}

static json_t *describe_text(const struct schema_row *row)
{
	json_t *described =
	        with_text(describe_type("string"), "pattern", text_forms[row->kind].pattern);

	if (row->kind == KIND_REFERENCE || row->kind == KIND_REFERENCES)
		described = with_target(described, row);
	if (row->kind == KIND_ADDRESS || row->kind == KIND_ADDRESSES)
		described = json_with(described, "anyOf", list_address_formats());
	return described;
}

static json_t *describe_words(enum schema_id id)
{
	json_t *words = json_array();
	const char *word;

	for (uint64_t i = 0; (word = schema_word(id, i)); i++)
		json_array_append_new(words, json_string(word));
	return json_with(describe_type("string"), "enum", words);
}

static json_t *describe_group(enum schema_id group, enum schema_id optional);

static json_t *describe_list(const struct schema_row *row, json_t *items)
{
	return with_limits(json_with(describe_type("array"), "items", items), row, "minItems",
	                   "maxItems");
}

static json_t *describe_value(enum schema_id id)
{
	const struct schema_row *row = &schema()->rows[id];

	switch (row->kind) {
	case KIND_GROUP:
		return describe_group(id, SCHEMA_COUNT);
	case KIND_GROUPS:
		return describe_list(row, describe_group(id, SCHEMA_COUNT));
	case KIND_ADDRESSES:
	case KIND_PREFIXES:
	case KIND_MACS:
	case KIND_REFERENCES:
		return describe_list(row, describe_text(row));
	case KIND_INTEGER:
		return with_limits(describe_type("integer"), row, "minimum", "maximum");
	case KIND_BOOLEAN:
		return describe_type("boolean");
	case KIND_ENUM:
		return describe_words(id);
	case KIND_TEXT:
	case KIND_INTERFACE:
	case KIND_PATH:
	case KIND_URL:
		return with_limits(describe_text(row), row, "minLength", "maxLength");
	default:
		return describe_text(row);
	}
}

/* The default as JSON; NULL: there is none that does not depend on other settings. */
static json_t *default_to_json(enum schema_id id)
{
	const char *text = model_schema[id].default_text;

	if (!*text)
		return NULL;
	switch (schema()->rows[id].kind) {
	case KIND_INTEGER:
		return json_integer(strtoll(text, NULL, 10));
	case KIND_BOOLEAN:
		return json_boolean(!strcmp(text, "true"));
	default:
		return json_string(text);
	}
}

/* Limits that the type cannot say are added to the help. */
static json_t *describe_setting(enum schema_id id)
{
	const struct model_field *field = &model_schema[id];
	enum schema_kind kind = schema()->rows[id].kind;
	bool is_quantity = kind == KIND_DURATION || kind == KIND_RATE || kind == KIND_BITS ||
	                   kind == KIND_PERCENT;
	json_t *described = describe_value(id), *value = default_to_json(id);

	described = json_with(described, "description",
	                      is_quantity && *field->limits
	                              ? json_sprintf("%s From %.*s to %s.", field->help,
	                                             (int)strcspn(field->limits, "."),
	                                             field->limits, strstr(field->limits, "..") + 2)
	                              : json_string(field->help));
	if (value)
		described = json_with(described, "default", value);
	return field->restart ? json_with(described, "x-restart", json_true()) : described;
}

/* @param optional  a required setting that may be missing all the same; SCHEMA_COUNT: none */
static json_t *describe_group(enum schema_id group, enum schema_id optional)
{
	const struct schema_row *rows = schema()->rows;
	json_t *properties = json_object(), *required = json_array();

	for (enum schema_id id = rows[group].first_child; id != SCHEMA_COUNT; id = rows[id].next) {
		if (rows[id].effective)
			continue;
		properties = json_with(properties, rows[id].name, describe_setting(id));
		if (model_schema[id].required && id != optional)
			json_array_append_new(required, json_string(rows[id].name));
	}
	return json_with(json_with(json_with(describe_type("object"), "properties", properties),
	                           "required", required),
	                 "additionalProperties", json_false());
}

static json_t *example_of_group(enum schema_id group);

static json_t *example_of(enum schema_id id)
{
	const struct schema_row *row = &schema()->rows[id];
	const char *text = text_forms[row->kind].example;
	json_t *value = default_to_json(id), *list;

	if (value)
		return value;
	switch (row->kind) {
	case KIND_GROUP:
		return example_of_group(id);
	case KIND_GROUPS:
	case KIND_ADDRESSES:
	case KIND_PREFIXES:
	case KIND_MACS:
	case KIND_REFERENCES:
		list = json_array();
		if (row->least)
			json_array_append_new(list, row->kind == KIND_GROUPS ? example_of_group(id)
			                                                     : json_string(text));
		return list;
	case KIND_INTEGER:
		return json_integer((json_int_t)row->least);
	case KIND_BOOLEAN:
		return json_false();
	case KIND_ENUM:
		return json_string(schema_word(id, 0));
	default: /* an empty text where one may be empty */
		return json_string(row->limited && !row->least ? "" : text);
	}
}

static json_t *example_of_group(enum schema_id group)
{
	const struct schema_row *rows = schema()->rows;
	json_t *object = json_object();

	for (enum schema_id id = rows[group].first_child; id != SCHEMA_COUNT; id = rows[id].next)
		if (!rows[id].effective && !rows[id].sparse)
			object = json_with(object, rows[id].name, example_of(id));
	return object;
}

json_t *object_schema(enum object_kind kind)
{
	enum schema_id list = object_row(kind)->list;
	json_t *examples = json_array(),
	       *described = describe_group(list, schema()->rows[list].first_child);

	json_array_append_new(examples, example_of_group(list));
	described = with_text(described, "title", object_row(kind)->word);
	return json_with(with_text(described, "description", model_schema[list].help), "examples",
	                 examples);
}
