/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/cli/edit/setting.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/cli/cli.h"
#include "weir/json.h"

int setting_read_path(const char *given, const char **setting, struct object_path *path)
{
	if (object_path_read(given, setting, path))
		return cli_fail(CLI_USAGE,
		                "there is no %s: expected a path such as pools/NAME; weir get "
		                "lists the kinds",
		                given);
	return CLI_OK;
}

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
