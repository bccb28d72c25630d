/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows as data, and their names. */
#include "mgmt/rules/rule.h"

#include <stdio.h>
#include <string.h>

const struct rule_row rule_rows[RULE_COUNT] = {
#define RULE_ROW(id, name_, scope_, level_, means_, ...)                                           \
	{ .name = name_,                                                                           \
	  .scope = RULE_##scope_,                                                                  \
	  .level = RULE_##level_,                                                                  \
	  .means = means_,                                                                         \
	  __VA_ARGS__ },
	RULES(RULE_ROW)
#undef RULE_ROW
};

int rule_find(enum rule_scope scope, const char *name)
{
	for (int id = 0; id < RULE_COUNT; id++)
		if (rule_rows[id].scope == scope && rule_is((enum rule_id)id, name))
			return id;
	return -1;
}

bool rule_is(enum rule_id id, const char *name)
{
	return !strcmp(rule_rows[id].name, name);
}

bool rule_may_override(int id)
{
	return id >= 0 && rule_rows[id].level == RULE_NAMED;
}

const char *rule_names(enum rule_scope scope, char out[RULE_NAMES_MAX])
{
	const char *last = "";
	size_t n = 0;

	out[0] = '\0';
	for (int id = 0; id < RULE_COUNT && n < RULE_NAMES_MAX; id++) {
		if (rule_rows[id].scope != scope || !rule_may_override(id))
			continue;
		if (*last)
			n += (size_t)snprintf(out + n, RULE_NAMES_MAX - n, "%s%s", n ? ", " : "",
			                      last);
		last = rule_rows[id].name;
	}
	if (n < RULE_NAMES_MAX)
		snprintf(out + n, RULE_NAMES_MAX - n, "%s%s", n ? " or " : "", last);
	return out;
}
