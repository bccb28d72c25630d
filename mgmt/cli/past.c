/* SPDX-License-Identifier: BSD-2-Clause */
/* A printed line is for a shell: it is whole, or it is not printed. */
#include "mgmt/cli/past.h"

#include <stdio.h>
#include <string.h>

#include "mgmt/cli/api.h"
#include "mgmt/rules/rule.h"

#define NAMES_MAX 64u /* there are fewer guards; an answer with more is none of ours */

bool past_add(const char *option, const json_t *list, char *out, size_t size)
{
	char names[CLI_LINE_MAX] = "";
	const json_t *name;
	size_t i, n = 0;

	json_array_foreach(list, i, name) if (n < sizeof(names)) n +=
	        (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", i ? "," : "",
	                         json_string_value(name) ? json_string_value(name) : "");
	return n < sizeof(names) && (!n || cli_line_add(option, names, out, size));
}

/* Add the @p n bytes at @p name to @p list, once. */
static void add_once(json_t *list, const char *name, size_t n)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item) if (json_string_length(item) == n &&
	                                      !memcmp(json_string_value(item), name, n)) return;
	if (n && json_array_size(list) <= NAMES_MAX)
		json_array_append_new(list, json_stringn(name, n));
}

bool past_guards(const struct cli_args *args, const json_t *guards, char *out, size_t size)
{
	static const char *const replaced[] = { "--override", "--dry-run", NULL };
	const char *given = cli_value(args, "--override");
	json_t *names = json_array();
	const json_t *g;
	size_t i;

	for (size_t n; given && *given; given += n + (given[n] == ',')) {
		n = strcspn(given, ",");
		add_once(names, given, n);
	}
	json_array_foreach(guards, i, g)
	{
		const char *guard = api_text(g, "guard", "");

		if (!json_has_true(g, "ok") && !rule_is(GUARD_UNSETTLED, guard))
			add_once(names, guard, strlen(guard));
	}
	bool fits = json_array_size(names) <= NAMES_MAX && cli_line(args, replaced, out, size) &&
	            past_add(" --override ", names, out, size);
	json_decref(names);
	return fits;
}
