/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/core/list_filter.h"

#include <stdio.h>
#include <string.h>

#include "weir/json.h"

bool list_filter_read(const struct http_request *r, struct list_filter *f, struct http_reply *reply)
{
	const char *given = http_query(r, "filter");

	f->n = 0;
	snprintf(f->text, sizeof(f->text), "%s", given ? given : "");
	for (char *at = f->text, *next; given && at; at = next) {
		char *equals;

		next = strchr(at, ',');
		if (next)
			*next++ = '\0';
		equals = strchr(at, '=');
		if (!equals || f->n == LIST_FILTERS_MAX) {
			http_problem(reply, 400, "bad-request",
			             "filter must be SETTING=VALUE, or up to %u of these with "
			             "commas between them",
			             LIST_FILTERS_MAX);
			return false;
		}
		*equals = '\0';
		f->fields[f->n] = at;
		f->values[f->n++] = equals + 1;
	}
	return true;
}

static bool has_value(const json_t *value, const char *text)
{
	char number[24];
	json_t *one;
	size_t i;

	json_array_foreach(value, i, one) if (has_value(one, text)) return true;
	if (json_is_string(value))
		return !strcmp(json_string_value(value), text);
	if (json_is_boolean(value))
		return !strcmp(json_is_true(value) ? "true" : "false", text);
	if (json_is_integer(value)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		return !strcmp(number, text);
	}
	return !*text && json_array_size(value) == 0;
}

bool list_filter_fits(const struct list_filter *f, const json_t *object)
{
	for (size_t i = 0; i < f->n; i++)
		if (!has_value(json_at(object, f->fields[i]), f->values[i]))
			return false;
	return true;
}
