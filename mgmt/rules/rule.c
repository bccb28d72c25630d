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

/* Rows of a scope stand together, but the last ones need not be any that may be overridden. */
static size_t count_names(enum rule_scope scope, int from)
{
	size_t n = 0;

	for (int id = from; id < RULE_COUNT; id++)
		n += rule_rows[id].scope == scope && rule_may_override(id);
	return n;
}

const char *rule_names(enum rule_scope scope, char out[RULE_NAMES_MAX])
{
	size_t n = 0, n_left;

	out[0] = '\0';
	for (int id = 0; (n_left = count_names(scope, id)); id++)
		if (rule_rows[id].scope == scope && rule_may_override(id) && n < RULE_NAMES_MAX)
			n += (size_t)snprintf(out + n, RULE_NAMES_MAX - n, "%s%s",
			                      rule_rows[id].name,
			                      n_left > 2    ? ", "
			                      : n_left == 2 ? " or "
			                                    : "");
	return out;
}
