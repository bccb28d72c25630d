/* SPDX-License-Identifier: BSD-2-Clause */
/* Which levels are of a later change than the record of an operation (mgmt/operations/stale_record.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/operations/engine_internal.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The record is of epoch 5 and has written 7 steps; the level is of the last node's last target. */
static const struct {
	struct operation_level level;
	bool reads_levels, behind;
} cases[] = {
	{ { .known = true, .epoch = 5, .step = 7 }, false, false },
	{ { .known = true, .epoch = 5, .step = 8 }, false, true },
	{ { .known = true, .epoch = 5, .step = 8 }, true, false }, /* a new owner counts them */
	{ { .known = true, .epoch = 6, .step = 0 }, false, true },
	{ { .known = true, .epoch = 6, .step = 0 }, true, true },
	{ { .known = true, .epoch = 4, .step = 8 }, false, false },
	{ { .known = true, .epoch = 6, .person = true }, false, false },
	{ { .known = false, .epoch = 6, .step = 8 }, false, false },
};

static void a_record_is_behind_levels_of_later_changes(void **state)
{
	static struct operation op;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct operation_node nodes[2] = { 0 };
		const struct operation_facts facts = { .nodes = nodes, .n_nodes = 2 };

		op = (struct operation){ .epoch = 5, .writes = 7, .n_targets = 2 };
		op.reads_levels = cases[i].reads_levels;
		nodes[1].levels[1] = cases[i].level;
		assert_int_equal(behind_is(&op, &facts), cases[i].behind);
	}
}

static void only_steps_of_this_epoch_are_counted(void **state)
{
	static struct operation op;
	struct operation_node nodes[2] = { 0 };
	const struct operation_facts facts = { .nodes = nodes, .n_nodes = 2 };
	struct tick t = { .op = &op, .facts = &facts };

	(void)state;
	op = (struct operation){ .epoch = 5, .writes = 7, .n_targets = 2 };
	nodes[0].levels[0] = (struct operation_level){ .known = true, .epoch = 6, .step = 20 };
	nodes[0].levels[1] = (struct operation_level){ .known = true, .epoch = 5, .step = 9 };
	nodes[1].levels[1] = (struct operation_level){ .known = true, .epoch = 5, .step = 8 };
	assert_true(behind_count_steps(&t));
	assert_int_equal(op.writes, 9);
	assert_false(behind_count_steps(&t)); /* the second time there is no later one */
}

/* What a person or a guard holds stays held by that; the hold of a new owner, who goes on by itself, ends in this one. */
static void levels_of_a_later_change_hold_what_would_go_on(void **state)
{
	static const struct {
		enum operation_state state;
		const char *code;
		int64_t behind_ms;
		const char *then;
	} rows[] = {
		{ OPERATION_MOVING, "", TICK_BEHIND_MS - 1, "" },
		{ OPERATION_MOVING, "", TICK_BEHIND_MS, "record-behind" },
		{ OPERATION_HELD, "taken", TICK_BEHIND_MS - 1, "taken" },
		{ OPERATION_HELD, "taken", TICK_BEHIND_MS, "record-behind" },
		{ OPERATION_HELD, "person", TICK_BEHIND_MS, "person" },
		{ OPERATION_HELD, "room", TICK_BEHIND_MS, "room" },
	};
	static struct operation op;
	static struct operation_act act;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct operation_node nodes[1] = { 0 };
		const struct operation_facts facts = { .nodes = nodes, .n_nodes = 1 };
		struct tick t = { .op = &op, .facts = &facts, .now_ms = 1, .act = &act };

		op = (struct operation){ .state = rows[i].state, .epoch = 5, .n_targets = 1 };
		op.hold.from = OPERATION_MOVING;
		op.behind_ms = rows[i].behind_ms;
		strcpy(op.hold.code, rows[i].code);
		nodes[0].levels[0] = (struct operation_level){ .known = true, .epoch = 6 };
		assert_true(behind_watch(&t));
		assert_string_equal(op.hold.code, rows[i].then);
		assert_int_equal(op.state, *rows[i].then ? OPERATION_HELD : OPERATION_MOVING);
	}
}

SUITE(operation_behind)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_behind_levels_of_later_changes),
		cmocka_unit_test(only_steps_of_this_epoch_are_counted),
		cmocka_unit_test(levels_of_a_later_change_hold_what_would_go_on),
	};

	return cmocka_run_group_tests_name("operation behind", tests, NULL, NULL);
}
