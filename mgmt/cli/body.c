/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/cli/body.h"

#include <string.h>

static bool fail_on(const char *option)
{
	cli_fail(CLI_USAGE, "%s: expected text in UTF-8", option);
	return false;
}

bool body_add_text(json_t *body, const char *name, const struct cli_args *args, const char *option)
{
	const char *value = cli_value(args, option);

	if (!value || json_object_set_new(body, name, json_string(value)) == 0)
		return true;
	return fail_on(option);
}

bool body_add_reason(json_t *body, const char *what, const struct cli_args *args)
{
	bool ok =
	        cli_text(args, "--reason")
	                ? body_add_text(body, "reason", args, "--reason")
	                : json_object_set_new(body, "reason",
	                                      json_sprintf("weir %s, no reason given", what)) == 0;

	/* a blank one is as none: else the record would name nobody */
	return ok &&
	       (!cli_text(args, "--author") || body_add_text(body, "author", args, "--author"));
}

json_t *body_make_reason(const char *what, const struct cli_args *args)
{
	json_t *body = json_object();

	if (body_add_reason(body, what, args))
		return body;
	json_decref(body);
	return NULL;
}

bool body_add_list(json_t *body, const char *name, const struct cli_args *args, const char *option)
{
	const char *text = cli_value(args, option);
	json_t *list;

	if (!text)
		return true;
	list = json_array();
	while (*text) {
		size_t n = strcspn(text, ",");

		if (n && json_array_append_new(list, json_stringn(text, n)) != 0) {
			json_decref(list);
			return fail_on(option);
		}
		text += n + (text[n] == ',');
	}
	return json_object_set_new(body, name, list) == 0;
}
