/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of rules: what people meet is unique, and each row says what it means and what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/operations/operation.h"
#include "tests/unit/suite.h"

static void names_are_unique_within_their_scope(void **state)
{
	(void)state;
	for (int i = 0; i < RULE_COUNT; i++)
		for (int k = 0; k < i; k++)
			if (rule_rows[i].scope == rule_rows[k].scope)
				assert_string_not_equal(rule_rows[i].name, rule_rows[k].name);
}

static void rows_of_a_scope_stand_together(void **state)
{
	size_t n = 1;

	(void)state;
	for (int i = 1; i < RULE_COUNT; i++)
		n += rule_rows[i].scope != rule_rows[i - 1].scope;
	assert_int_equal(n, RULE_SCOPE_COUNT);
}

static void each_row_has_a_name_and_says_what_it_means(void **state)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz-";

	(void)state;
	for (int i = 0; i < RULE_COUNT; i++) {
		const struct rule_row *r = &rule_rows[i];

		assert_int_equal(strspn(r->name, letters), strlen(r->name));
		assert_true(*r->name && *r->means);
		assert_true(r->scope != RULE_STATUS || (r->harm && r->cure));
		assert_null(strpbrk(r->means, "|\n")); /* it is a cell of a table */
	}
}

/* Records have a field for each guard, by its place; what holds is written into a field of so many bytes. */
static void guards_of_operations_stand_first(void **state)
{
	(void)state;
	for (int i = 0; i < RULE_COUNT; i++) {
		bool holds =
		        rule_rows[i].scope == RULE_OPERATION || rule_rows[i].scope == RULE_STEP;

		assert_int_equal(rule_rows[i].scope == RULE_OPERATION, i < OPERATION_GUARD_COUNT);
		assert_true(!holds || strlen(rule_rows[i].name) < OPERATION_CODE_MAX);
	}
}

static void names_are_found_in_their_scope(void **state)
{
	char names[RULE_NAMES_MAX];

	(void)state;
	for (int i = 0; i < RULE_COUNT; i++)
		assert_int_equal(rule_find(rule_rows[i].scope, rule_rows[i].name), i);
	assert_int_equal(rule_find(RULE_OPERATION, "no-port"), -1);
	assert_false(rule_may_override(-1));
	assert_false(rule_may_override(OPERATION_GUARD_MAJORITY));
	assert_true(rule_may_override(OPERATION_GUARD_ROOM));
	assert_string_equal(rule_names(RULE_OPERATION, names),
	                    "last-site, max-sites-out, room, receivers, fresh, unconfirmed, "
	                    "backup, no-dns or share");
	assert_string_equal(rule_names(RULE_OVERRIDE, names),
	                    "last-site, last-backend, last-announcer, room or unsettled");
	assert_string_equal(rule_names(RULE_STATUS, names), "");
}

SUITE(rule)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_unique_within_their_scope),
		cmocka_unit_test(rows_of_a_scope_stand_together),
		cmocka_unit_test(guards_of_operations_stand_first),
		cmocka_unit_test(names_are_found_in_their_scope),
		cmocka_unit_test(each_row_has_a_name_and_says_what_it_means),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
