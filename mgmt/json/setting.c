/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/json/setting.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/json/row.h"
#include "weir/json.h"

const char *setting_split(const char *at, char name[OBJECT_NAME_MAX])
{
	size_t n = strcspn(at, "/");

	snprintf(name, OBJECT_NAME_MAX, "%.*s", (int)n, at);
	return at + n + (at[n] == '/');
}

const char *setting_element_name(const json_t *element)
{
	const char *name = json_string_value(
	        json_object_iter_value(json_object_iter((json_t *)(uintptr_t)element)));

	return name ? name : "";
}

json_t *setting_find(const json_t *object, const char *setting, bool *lacks)
{
	json_t *at = (json_t *)(uintptr_t)object;
	char name[OBJECT_NAME_MAX];
	bool is_missing = false;

	while (at && *setting) {
		json_t *around = at, *one;
		size_t i;

		setting = setting_split(setting, name);
		at = json_object_get(around, name);
		json_array_foreach(around, i, one) if (!strcmp(setting_element_name(one), name))
		        at = one;
		is_missing = json_is_array(around) && !at;
	}
	if (lacks)
		*lacks = is_missing;
	return at;
}

const json_t *setting_describe(const json_t *schema, const char *setting,
                               char suggestion[SUGGEST_TEXT_MAX])
{
	char name[OBJECT_NAME_MAX] = "";
	const json_t *at = schema, *around = schema;

	while (at && *setting) {
		around = at;
		setting = setting_split(setting, name);
		/* the name of one of the groups of a list, which only the object knows */
		at = json_at(around, "items.properties")
		             ? json_object_get(around, "items")
		             : json_object_get(json_object_get(around, "properties"), name);
	}
	if (suggestion && !at) {
		struct suggest_best suggest = { .given = name };
		const char *known;
		json_t *one;

		json_object_foreach(json_object_get(around, "properties"), known, one)
		        suggest_try(&suggest, known);
		suggest_text(&suggest, suggestion);
	}
	return at;
}

void setting_put(FILE *out, const json_t *value)
{
	const char *name;
	size_t i, n = 0;
	json_t *one;

	if (json_is_string(value))
		row_put(out, *json_string_value(value) ? json_string_value(value) : "-");
	else if (json_is_integer(value))
		fprintf(out, "%lld", (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		fputs(json_is_true(value) ? "true" : "false", out);
	else if (json_is_array(value) && json_array_size(value) == 0)
		fputc('-', out);
	json_array_foreach(value, i, one)
	{
		fputs(i ? " " : "", out);
		setting_put(out, one);
	}
	json_object_foreach((json_t *)(uintptr_t)value, name, one)
	{
		if (n++ == 0)
			continue;
		fprintf(out, "%s%s ", n > 2 ? ", " : "", name);
		setting_put(out, one);
	}
}
