/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of operations: how they start, what of a stranger's is refused, which levels they take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/operations/operation.h"
#include "mgmt/operations/plan.h"
#include "mgmt/operations/record_json.h"

#define NOW_MS 1700000000000

static const char *const sites[] = { "ams", "fra" };
static const char *const ids[] = { "override-1", "override-2" };

static struct operation_request make_request(void)
{
	return (struct operation_request){
		.id = "op1",
		.node = "ams-1",
		.kind = OPERATION_DRAIN,
		.sites = sites,
		.override_ids = ids,
		.n_sites = 2,
		.service = "",
		.author = "amy",
		.principal = "",
		.reason = "test",
		.until_ms = MODEL_TIME_NEVER,
	};
}

static void a_drain_begins_with_its_plan(void **state)
{
	static struct operation op;
	struct operation_request r = make_request();
	char error[OPERATION_DETAIL_MAX];

	(void)state;
	r.epoch = 64;
	assert_int_equal(operation_init(&op, &r, NOW_MS, error), 0);
	assert_true(operation_ok(&op));
	assert_int_equal(op.state, OPERATION_STARTING);
	assert_true(op.epoch > 64);
	assert_int_equal(op.n_targets, 2);
	assert_int_equal(op.goal_ppm, OPERATION_PPM);
	assert_int_equal(op.n_plan, 5);
	assert_true(operation_targets_site(&op, "fra"));
	assert_false(operation_targets_site(&op, "lon"));
}

static void a_wrong_request_names_its_fault(void **state)
{
	static const char long_text[] = "0123456789012345678901234567890123456789"
	                                "0123456789012345678901234567890123456789";
	static const char *const twice[] = { "ams", "ams" };
	static struct operation op;
	char error[OPERATION_DETAIL_MAX];

	(void)state;
	for (int i = 0; i < 11; i++) {
		struct operation_request r = make_request();
		static const char *const named[] = { "past",      "no site",      "over",
			                             "over",      "shift of 100", "0 and 100",
			                             "0 and 100", "twice",        "author",
			                             "id",        "epoch" };

		r.until_ms = i == 0 ? NOW_MS : r.until_ms;
		r.n_sites = i == 1 ? 0 : r.n_sites;
		r.over_ms = i == 2 ? -1 : i == 3 ? OPERATION_OVER_MAX_MS + 1 : 0;
		r.kind = i >= 4 && i <= 6 ? OPERATION_SHIFT : r.kind;
		r.goal_ppm = i == 4 ? OPERATION_PPM : i == 6 ? OPERATION_PPM + 1 : 0;
		r.sites = i == 7 ? twice : r.sites;
		r.author = i == 8 ? long_text : r.author;
		r.id = i == 9 ? long_text : r.id;
		r.epoch = i == 10 ? UINT32_MAX : 0;
		error[0] = '\0';
		assert_int_equal(operation_init(&op, &r, NOW_MS, error), -EINVAL);
		if (!strstr(error, named[i]))
			fail_msg("case %d says: %s", i, error);
	}
}

static void too_many_sites_are_refused(void **state)
{
	static struct operation op;
	struct operation_request r = make_request();
	char error[OPERATION_DETAIL_MAX];

	(void)state;
	r.n_sites = OPERATION_TARGETS_MAX + 1;
	assert_int_equal(operation_init(&op, &r, NOW_MS, error), -E2BIG);
	r = make_request();
	r.n_without = OPERATION_NODES_MAX + 1;
	assert_int_equal(operation_init(&op, &r, NOW_MS, error), -E2BIG);
}

static void levels_are_gates_between_from_and_to(void **state)
{
	static const struct {
		const char *reason;
		uint32_t from, to;
		bool one_step;
		uint32_t n, levels[OPERATION_PLAN_MAX];
	} cases[] = {
		{ "a drain", 0, 1000000, false, 5, { 100000, 250000, 500000, 750000, 1000000 } },
		{ "a drain at once", 0, 1000000, true, 1, { 1000000 } },
		{ "from a shift", 300000, 1000000, false, 3, { 500000, 750000, 1000000 } },
		{ "from a gate", 250000, 1000000, false, 3, { 500000, 750000, 1000000 } },
		{ "a shift", 0, 300000, false, 3, { 100000, 250000, 300000 } },
		{ "a small shift", 0, 50000, false, 1, { 50000 } },
		{ "a return", 1000000, 0, false, 6, { 990000, 900000, 750000, 500000, 250000, 0 } },
		{ "a return from a level", 600000, 0, false, 3, { 500000, 250000, 0 } },
		{ "a return at once", 1000000, 0, true, 1, { 0 } },
		{ "back to a shift", 750000, 300000, false, 2, { 500000, 300000 } },
		{ "nowhere", 300000, 300000, false, 0, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t levels[OPERATION_PLAN_MAX] = { 0 };
		uint32_t n = plan_levels(cases[i].from, cases[i].to, cases[i].one_step, levels);

		if (n != cases[i].n || memcmp(levels, cases[i].levels, n * sizeof(levels[0])))
			fail_msg("%s: %u levels", cases[i].reason, n);
	}
}

/* Whatever a peer sends: counts stay inside of arrays. */
static void a_record_out_of_range_is_none(void **state)
{
	static struct operation good, op;
	struct operation_request r = make_request();
	char error[OPERATION_DETAIL_MAX];

	(void)state;
	assert_int_equal(operation_init(&good, &r, NOW_MS, error), 0);
	for (int i = 0; i < 14; i++) {
		uint32_t *const counts[] = { &op.n_targets,    &op.n_plan,     &op.n_steps,
			                     &op.n_nodes,      &op.n_without,  &op.n_before,
			                     &op.n_after,      &op.n_calm,     &op.n_late,
			                     &op.step,         &op.goal_ppm,   &op.level_ppm,
			                     &op.write.to_ppm, &op.plan_ppm[0] };

		op = good;
		*counts[i] = UINT32_MAX;
		if (operation_ok(&op))
			fail_msg("count %d is not checked", i);
	}
	op = good;
	memset(op.owner, 'x', sizeof(op.owner));
	assert_false(operation_ok(&op));
	op = good;
	op.step_runs = true; /* without a step in its history */
	assert_false(operation_ok(&op));
	op = good;
	op.epoch = 0;
	assert_false(operation_ok(&op));
	op.epoch = OPERATION_EPOCH_MAX; /* no next owner could pass it */
	assert_false(operation_ok(&op));
	op.epoch = OPERATION_EPOCH_MAX - 1;
	assert_true(operation_ok(&op));
	op = good;
	op.seq = (uint64_t)INT64_MAX / 2 + 1;
	assert_false(operation_ok(&op));
	op.seq = UINT64_MAX;
	assert_false(operation_ok(&op));
	op = good;
	memcpy(op.id, "../a?b", sizeof("../a?b"));
	assert_false(operation_ok(&op));
	assert_true(operation_ok(&good));
}

static void words_are_found_again(void **state)
{
	(void)state;
	for (int i = 0; i < OPERATION_STATE_COUNT; i++)
		assert_int_equal(operation_state_find(operation_state_text(i)), i);
	for (int i = 0; i < OPERATION_GUARD_COUNT; i++)
		assert_int_equal(operation_guard_find(operation_guard_text(i)), i);
	for (int i = 0; i < OPERATION_STAGE_COUNT; i++)
		assert_int_equal(operation_stage_find(operation_stage_text(i)), i);
	for (int i = 0; i < OPERATION_KIND_COUNT; i++)
		assert_int_equal(operation_kind_find(operation_kind_text(i)), i);
	assert_int_equal(operation_state_find("moved"), -1);
	assert_int_equal(operation_guard_find(""), -1);
	assert_false(operation_guard_is_optional(OPERATION_GUARD_MAJORITY));
	assert_true(operation_guard_is_optional(OPERATION_GUARD_ROOM));
}

static void a_record_comes_back_from_json_as_it_was(void **state)
{
	static struct operation op, back;
	struct operation_request r = make_request();
	char error[OPERATION_DETAIL_MAX], *first, *second;
	json_t *json, *again;

	(void)state;
	assert_int_equal(operation_init(&op, &r, NOW_MS, error), 0);
	op.reads_levels = true;
	op.n_steps = 1;
	op.steps[0].to_ppm = 100000;
	op.steps[0].in_force_ms = NOW_MS;
	op.steps[0].ttl_s = (struct operation_value){ true, 30 };
	op.targets[1].baseline = (struct operation_value){ true, 12 };
	op.write = (struct operation_write){ 64, 3, NOW_MS, 0, 0, 100000, NOW_MS, false };
	op.late_from_ms = NOW_MS;
	op.n_calm = 1;
	memcpy(op.calm[0].site, "fra", 4);
	op.calm[0].repeats = (struct operation_value){ true, 7 };
	json = operation_to_json(&op);
	assert_non_null(json);
	assert_int_equal(operation_from_json(json, &back), 0);
	assert_true(back.reads_levels);
	assert_false(back.targets[0].baseline.known); /* missing stays missing */
	assert_int_equal(back.targets[1].baseline.value, 12);
	assert_int_equal(back.write.step, 3);
	again = operation_to_json(&back);
	first = json_dumps(json, JSON_SORT_KEYS);
	second = json_dumps(again, JSON_SORT_KEYS);
	assert_string_equal(first, second);
	free(first);
	free(second);
	json_decref(json);
	json_decref(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_drain_begins_with_its_plan),
		cmocka_unit_test(a_wrong_request_names_its_fault),
		cmocka_unit_test(too_many_sites_are_refused),
		cmocka_unit_test(levels_are_gates_between_from_and_to),
		cmocka_unit_test(a_record_out_of_range_is_none),
		cmocka_unit_test(words_are_found_again),
		cmocka_unit_test(a_record_comes_back_from_json_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
