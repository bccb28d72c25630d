/* SPDX-License-Identifier: BSD-2-Clause */
/* Which version is in force: every row of the rule, at each border of time, and twice over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mgmt/store/chain.h"
#include "tests/unit/suite.h"

/* The documented value, not the code's own. */
#define ANSWER_MS 3000

#define OPEN   .is_known = true, .is_to_confirm = true
#define SIMPLE .is_known = true, .due_ms = CHAIN_NEVER
#define DUE_AT 10000

static const struct {
	const char *why;
	struct chain_version v; /* number 2, over version 1 */
	int64_t now_ms;
	uint64_t in_force, overdue;
} over_version_1[] = {
	{ "none needed", { .number = 2, SIMPLE }, 99999, 2, 0 },
	{ "none needed, a mark says nothing",
	  { .number = 2, SIMPLE, .mark = CHAIN_ENDED },
	  99999,
	  2,
	  0 },
	{ "none needed, nor has it a deadline",
	  { .number = 2, .is_known = true, .due_ms = 5 },
	  99999,
	  2,
	  0 },
	{ "confirmed",
	  { .number = 2, OPEN, .due_ms = DUE_AT, .mark = CHAIN_CONFIRMED },
	  99999,
	  2,
	  0 },
	{ "ended", { .number = 2, OPEN, .due_ms = DUE_AT, .mark = CHAIN_ENDED }, 1, 1, 0 },
	{ "no deadline here", { .number = 2, OPEN, .due_ms = CHAIN_NEVER }, INT64_MAX - 1, 2, 0 },
	{ "a deadline that cannot be passed",
	  { .number = 2, OPEN, .due_ms = CHAIN_NEVER - ANSWER_MS },
	  0,
	  2,
	  0 },
	{ "not passed", { .number = 2, OPEN, .due_ms = DUE_AT }, DUE_AT - 1, 2, 0 },
	{ "passed", { .number = 2, OPEN, .due_ms = DUE_AT }, DUE_AT, 2, 2 },
	{ "waits for the mark",
	  { .number = 2, OPEN, .due_ms = DUE_AT },
	  DUE_AT + ANSWER_MS - 1,
	  2,
	  2 },
	{ "gives up", { .number = 2, OPEN, .due_ms = DUE_AT }, DUE_AT + ANSWER_MS, 1, 2 },
	{ "not known", { .number = 2, .due_ms = CHAIN_NEVER, .mark = CHAIN_ENDED }, 1, 0, 0 },
};

static void one_version_over_another(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(over_version_1) / sizeof(over_version_1[0]); i++) {
		const struct chain_version list[] = { { .number = 1, SIMPLE },
			                              over_version_1[i].v };
		const struct version_chain c = { list, 2, 2 };
		const struct chain_version *in_force = chain_in_force(&c, over_version_1[i].now_ms);
		const struct chain_version *overdue = chain_overdue(&c, over_version_1[i].now_ms);

		print_message("  %s\n", over_version_1[i].why);
		assert_int_equal(in_force ? in_force->number : 0, over_version_1[i].in_force);
		assert_int_equal(overdue ? overdue->number : 0, over_version_1[i].overdue);
	}
}

static void the_oldest_that_is_known_stays(void **state)
{
	static const struct chain_version list[] = {
		{ .number = 3, .due_ms = 5 }, /* its mark alone, or its deadline, is known */
		{ .number = 4, OPEN, .due_ms = 5 },
		{ .number = 5, OPEN, .due_ms = 5, .mark = CHAIN_ENDED },
	};
	const struct version_chain c = { list, 3, 5 };

	(void)state;
	assert_int_equal(chain_in_force(&c, 99999)->number, 4);
	assert_null(chain_overdue(&c, 99999));
}

static void several_end_one_after_the_other(void **state)
{
	struct chain_version list[] = {
		{ .number = 1, SIMPLE },
		{ .number = 2, SIMPLE },
		{ .number = 4, OPEN, .due_ms = 10000 },
		{ .number = 5, .due_ms = CHAIN_NEVER }, /* a gap */
		{ .number = 6, OPEN, .due_ms = 12000 },
		{ .number = 9, SIMPLE }, /* above the head: not decided */
	};
	const struct version_chain c = { list, 6, 6 };

	(void)state;
	assert_int_equal(chain_in_force(&c, 11999)->number, 6);
	assert_null(
	        chain_overdue(&c, 11999)); /* 4 is overdue, but does not matter while 6 is there */
	assert_int_equal(chain_overdue(&c, 12000)->number, 6);
	assert_int_equal(chain_in_force(&c, 14999)->number, 6);
	assert_int_equal(chain_in_force(&c, 15000)->number, 2);
	assert_int_equal(chain_overdue(&c, 15000)->number, 6); /* its mark is still to be written */
	list[4].mark = CHAIN_ENDED;
	assert_int_equal(chain_overdue(&c, 15000)->number, 4);
	assert_int_equal(chain_in_force(&c, 12000)->number, 2);
	list[2].due_ms = 99999; /* it was joined: it ends with the newer one */
	assert_int_equal(chain_overdue(&c, 15000)->number, 4);
	assert_int_equal(chain_in_force(&c, 15000)->number, 2);
	list[2].mark = CHAIN_CONFIRMED; /* and forth again */
	assert_int_equal(chain_in_force(&c, 15000)->number, 4);
	assert_null(chain_overdue(&c, 15000));
	list[4].mark = CHAIN_CONFIRMED;
	assert_int_equal(chain_in_force(&c, 15000)->number, 6);
}

static void without_a_head_nothing_is_in_force(void **state)
{
	static const struct chain_version list[] = { { .number = 3, SIMPLE },
		                                     { .number = 7, SIMPLE } };
	static const uint64_t heads[] = { 0, 2, 4, 8, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		const struct version_chain c = { list, 2, heads[i] };

		assert_null(chain_in_force(&c, 0));
		assert_null(chain_overdue(&c, 0));
	}
	assert_null(chain_in_force(&(struct version_chain){ NULL, 0, 1 }, 0));
}

static void only_an_unmarked_version_that_needs_it_is_open(void **state)
{
	(void)state;
	assert_true(chain_is_open(&(struct chain_version){ OPEN }));
	assert_false(chain_is_open(&(struct chain_version){ OPEN, .mark = CHAIN_CONFIRMED }));
	assert_false(chain_is_open(&(struct chain_version){ OPEN, .mark = CHAIN_ENDED }));
	assert_false(chain_is_open(&(struct chain_version){ SIMPLE }));
}

SUITE(chain)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_version_over_another),
		cmocka_unit_test(the_oldest_that_is_known_stays),
		cmocka_unit_test(several_end_one_after_the_other),
		cmocka_unit_test(without_a_head_nothing_is_in_force),
		cmocka_unit_test(only_an_unmarked_version_that_needs_it_is_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
