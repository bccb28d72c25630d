/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints the rows of some scopes as a table of a document: rule-table SCOPE... A test compares the documents with what this
 * prints (tests/unit/mgmt/test_rule_documents.py).
 */
#include <stdio.h>
#include <string.h>

#include "mgmt/rules/rule.h"

#define COLUMNS 5

/* The columns' headings in their order: name, level, means, harm, cure. NULL: the scope's table does not have it. */
static const struct {
	const char *name, *heads[COLUMNS];
} scopes[RULE_SCOPE_COUNT] = {
	[RULE_OPERATION] = { "operation", { "why", NULL, "what it means", NULL, "what to do" } },
	[RULE_STEP] = { "step", { "why", NULL, "what it means", NULL, "what to do" } },
	[RULE_STATUS] = { "status", { "code", "state", "when", "why this state", "what to do" } },
	[RULE_CHANGE] = { "change", { "rule", "risky from", "harm" } },
};

static void print_line(const char *const heads[COLUMNS], const char *const cells[COLUMNS])
{
	putchar('|');
	for (size_t i = 0; i < COLUMNS; i++)
		if (heads[i])
			printf(" %s |", cells[i] ? cells[i] : "");
	putchar('\n');
}

static void print_head(const char *const heads[COLUMNS])
{
	static const char *const dashes[COLUMNS] = { "---", "---", "---", "---", "---" };

	print_line(heads, heads);
	print_line(heads, dashes);
}

static void print_row(const struct rule_row *r)
{
	static const char *const levels[] = { "degraded", "down", "any", "%", "times",
		                              "",         "",     "",    "" };
	char name[64], level[32];
	const char *const cells[COLUMNS] = { name, level, r->means, r->harm, r->cure };

	snprintf(name, sizeof(name), "`%s`", r->name);
	snprintf(level, sizeof(level), "%s", levels[r->level]);
	if (r->limit > 0)
		snprintf(level, sizeof(level), "%.3g %s",
		         r->level == RULE_SHARE ? r->limit * 100 : r->limit, levels[r->level]);
	print_line(scopes[r->scope].heads, cells);
}

static enum rule_scope find_scope(const char *name)
{
	enum rule_scope scope = 0;

	while (scope < RULE_SCOPE_COUNT && strcmp(scopes[scope].name, name) != 0)
		scope++;
	return scope;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 1 && i < RULE_SCOPE_COUNT; i++)
		puts(scopes[i].name);
	for (int i = 1; i < argc; i++) {
		enum rule_scope scope = find_scope(argv[i]);

		if (scope == RULE_SCOPE_COUNT)
			return 2;
		if (i == 1)
			print_head(scopes[scope].heads);
		for (int id = 0; id < RULE_COUNT; id++)
			if (rule_rows[id].scope == scope)
				print_row(&rule_rows[id]);
	}
	return 0;
}
