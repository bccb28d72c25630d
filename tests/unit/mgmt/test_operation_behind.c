/* SPDX-License-Identifier: BSD-2-Clause */
/* Which levels are of a later change than the record of an operation (mgmt/operations/stale_record.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

SUITE(operation_behind)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_behind_levels_of_later_changes),
		cmocka_unit_test(only_steps_of_this_epoch_are_counted),
	};

	return cmocka_run_group_tests_name("operation behind", tests, NULL, NULL);
}
