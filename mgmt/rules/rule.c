/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows as data. */
#include "mgmt/rules/rule.h"

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
