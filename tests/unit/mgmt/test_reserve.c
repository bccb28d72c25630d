/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/store/reserve.h"

static void a_head_is_reserved_for_one_node(void **state)
{
	struct reservation r = { 0 };

	(void)state;
	assert_null(reserve_holder(&r, 0));
	assert_int_equal(reserve_request(&r, "a", 8, INTENT_AGREED, false, 1000), RESERVE_GRANTED);
	assert_string_equal(reserve_holder(&r, 1000), "a");
	assert_int_equal(reserve_request(&r, "b", 8, INTENT_AGREED, false, 1001), RESERVE_HELD);
	assert_string_equal(reserve_holder(&r, 1001), "a");
	assert_int_equal(reserve_request(&r, "a", 8, INTENT_AGREED, false, 1002), RESERVE_GRANTED);
}

static void it_is_kept_for_ten_seconds(void **state)
{
	struct reservation r = { 0 };

	(void)state;
	reserve_request(&r, "a", 8, INTENT_AGREED, false, 1000);
	assert_int_equal(reserve_request(&r, "b", 8, INTENT_AGREED, false, 10999), RESERVE_HELD);
	assert_int_equal(reserve_request(&r, "b", 8, INTENT_AGREED, false, 11000), RESERVE_GRANTED);
	assert_string_equal(reserve_holder(&r, 11000), "b");
}

static void it_is_kept_until_the_successor_is_there(void **state)
{
	struct reservation r = { 0 };
	struct version head = { .number = 7 };

	(void)state;
	reserve_request(&r, "a", 8, INTENT_AGREED, false, 1000);
	reserve_follow(&r, NULL);
	reserve_follow(&r, &head);
	assert_string_equal(reserve_holder(&r, 1001), "a");
	head.number = 8;
	reserve_follow(&r, &head);
	assert_null(reserve_holder(&r, 1001));
}

static void only_the_holder_gives_it_back(void **state)
{
	struct reservation r = { 0 };

	(void)state;
	reserve_request(&r, "a", 8, INTENT_AGREED, false, 1000);
	reserve_release(&r, "b");
	assert_string_equal(reserve_holder(&r, 1001), "a");
	reserve_release(&r, "a");
	assert_null(reserve_holder(&r, 1001));
}

static void another_successor_or_an_unrelated_head_is_stale(void **state)
{
	static const struct {
		enum intent_relation relation;
		bool named;
		enum reserve_outcome outcome;
		const char *why;
	} rows[] = {
		{ INTENT_AGREED, false, RESERVE_GRANTED, "it is our head" },
		{ INTENT_AHEAD, false, RESERVE_GRANTED, "we are behind, and have no successor" },
		{ INTENT_BEHIND, false, RESERVE_STALE, "we have a successor" },
		{ INTENT_DIVERGED, false, RESERVE_STALE, "our head is unrelated" },
		{ INTENT_DIVERGED, true, RESERVE_GRANTED, "a person overrides ours by name" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reservation r = { 0 };

		print_message("  %s\n", rows[i].why);
		assert_int_equal(reserve_request(&r, "a", 8, rows[i].relation, rows[i].named, 5),
		                 rows[i].outcome);
		assert_int_equal(reserve_holder(&r, 5) != NULL, rows[i].outcome == RESERVE_GRANTED);
	}
}

static void what_is_fresh_where_it_was_asked_for_is_kept_where_it_was_given(void **state)
{
	struct reservation r = { 0 };

	(void)state;
	assert_true(reserve_is_fresh(1000, 5999));
	assert_false(reserve_is_fresh(1000, 6000));
	/* it was given after it was asked for */
	reserve_request(&r, "a", 8, INTENT_AGREED, false, 1000);
	assert_non_null(reserve_holder(&r, 5999));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_reserved_for_one_node),
		cmocka_unit_test(it_is_kept_for_ten_seconds),
		cmocka_unit_test(it_is_kept_until_the_successor_is_there),
		cmocka_unit_test(only_the_holder_gives_it_back),
		cmocka_unit_test(another_successor_or_an_unrelated_head_is_stale),
		cmocka_unit_test(what_is_fresh_where_it_was_asked_for_is_kept_where_it_was_given),
	};

	return cmocka_run_group_tests_name("reserve", tests, NULL, NULL);
}
