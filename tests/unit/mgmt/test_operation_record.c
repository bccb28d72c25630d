/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of operations: how they start, what of a stranger's is refused, which levels they take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/suite.h"
#include "whole_json.h"
#include "mgmt/operations/operation.h"
#include "mgmt/operations/plan.h"
#include "mgmt/operations/record_json.h"

#define NOW_MS    1700000000000
#define STAMP_END ((uint64_t)1 << 53) /* the documented value, not the code's own */

static const struct operation_target targets[] = { { .site = "ams", .override_id = "override-1" },
	                                           { .site = "fra", .override_id = "override-2" } };

static struct operation_request make_request(void)
{
	return (struct operation_request){
		.id = "op1",
		.node = "ams-1",
		.kind = OPERATION_DRAIN,
		.targets = targets,
		.n_targets = 2,
		.service = "",
		.person.author = "amy",
		.person.principal = "",
		.person.reason = "test",
		.person.until_ms = MODEL_TIME_NEVER,
		.stamp = 7,
	};
}

static void a_drain_begins_with_its_plan(void **state)
{
	static struct operation op;
	struct operation_request r = make_request();
	char error[OPERATION_DETAIL_MAX];

	(void)state;
	assert_int_equal(operation_init(&op, &r, NOW_MS, error), 0);
	assert_true(operation_ok(&op));
	assert_int_equal(op.state, OPERATION_STARTING);
	assert_int_equal(op.epoch, 64);
	assert_int_equal(op.stamp, 7);
	assert_int_equal(op.n_targets, 2);
	assert_int_equal(op.goal_ppm, MODEL_PPM_ALL);
	assert_int_equal(op.n_plan, 5);
	assert_true(operation_targets_site(&op, "fra"));
	assert_false(operation_targets_site(&op, "lon"));
}

/* A plan begins where the targets are already: the projection shows them from that level on. */
static void an_operation_begins_at_the_level_of_its_targets(void **state)
{
	static const struct {
		const char *why;
		enum operation_kind kind;
		uint32_t level, goal, n, levels[5];
		bool now;
	} cases[] = {
		{ "a drain of a site that has all its clients",
		  OPERATION_DRAIN,
		  0,
		  0,
		  5,
		  { 100000, 250000, 500000, 750000, 1000000 },
		  false },
		{ "a drain goes on with a shift",
		  OPERATION_DRAIN,
		  300000,
		  0,
		  3,
		  { 500000, 750000, 1000000 },
		  false },
		{ "a shift goes on",
		  OPERATION_SHIFT,
		  100000,
		  300000,
		  2,
		  { 250000, 300000 },
		  false },
		{ "at once", OPERATION_SHIFT, 100000, 300000, 1, { 300000 }, true },
	};
	static struct operation op;
	char error[OPERATION_DETAIL_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct operation_request r = make_request();
		uint32_t goal = cases[i].kind == OPERATION_DRAIN ? MODEL_PPM_ALL : cases[i].goal;

		r.kind = cases[i].kind;
		r.level_ppm = cases[i].level;
		r.person.goal_ppm = cases[i].goal;
		r.person.now = cases[i].now;
		assert_int_equal(operation_init(&op, &r, NOW_MS, error), 0);
		if (op.goal_ppm != goal || op.level_ppm != cases[i].level ||
		    op.began_ppm != cases[i].level || op.plan_from_ppm != cases[i].level ||
		    op.now != cases[i].now || op.n_plan != cases[i].n ||
		    memcmp(op.plan_ppm, cases[i].levels, cases[i].n * sizeof(op.plan_ppm[0])) != 0)
			fail_msg("%s: from %u to %u in %u steps", cases[i].why, op.plan_from_ppm,
			         op.goal_ppm, op.n_plan);
	}
}

/* All that a person said is in the record, and nothing else. */
static void a_record_begins_as_it_was_asked_for(void **state)
{
	static const struct {
		const char *why;
		struct operation_request r;
		const char *record;
	} cases[] = {
		{ "a shift with all that it may have",
		  { .id = "op7",
		    .node = "fra-1",
		    .kind = OPERATION_SHIFT,
		    .targets = targets,
		    .n_targets = 2,
		    .service = "web",
		    .person.author = "amy",
		    .person.principal = "user:root",
		    .person.reason = "CHG-7",
		    .person.until_ms = NOW_MS + 3600000,
		    .person.over_ms = 600000,
		    .person.goal_ppm = 300000,
		    .level_ppm = 100000,
		    .stamp = 4711,
		    .person.now = true,
		    .person.withdraw = true,
		    .person.overridden = { [OPERATION_GUARD_ROOM] = true,
		                           [OPERATION_GUARD_BACKUP] = true },
		    .person.without = { { "ams-2", "fra-2" }, 2 } },
		  "{'id':'op7','kind':'shift','service':'web','author':'amy','principal':'user:root','reason':'CHG-7',"
		  "'created_ms':1700000000000,'until_ms':1700003600000,'over_ms':600000,'now':true,'withdraw':true,"
		  "'goal_ppm':300000,'began_ppm':100000,'level_ppm':100000,'plan_from_ppm':100000,'plan_ppm':[300000],"
		  "'command_node':'fra-1','owner':'fra-1','stamp':4711,'epoch':64,'seq':1,'state':'starting','stage':'pools','way':'out',"
		  "'targets':[{'site':'ams','override_id':'override-1'},{'site':'fra','override_id':'override-2'}],"
		  "'overridden':['room','backup'],'without':['ams-2','fra-2'],'hold':{'from':'starting'},'write':{'own':'normal','shared':'normal'}}" },
		{ "a drain with the least",
		  { .id = "op8",
		    .node = "ams-1",
		    .kind = OPERATION_DRAIN,
		    .targets = targets,
		    .n_targets = 1,
		    .service = "",
		    .person.author = "bob",
		    .person.principal = "",
		    .person.reason = "",
		    .person.until_ms = MODEL_TIME_NEVER,
		    .stamp = 1 },
		  "{'id':'op8','kind':'drain','author':'bob','created_ms':1700000000000,'until_ms':9223372036854775807,"
		  "'goal_ppm':1000000,'plan_ppm':[100000,250000,500000,750000,1000000],'command_node':'ams-1','owner':'ams-1','stamp':1,"
		  "'epoch':64,'seq':1,'state':'starting','stage':'pools','way':'out','targets':[{'site':'ams','override_id':'override-1'}],"
		  "'hold':{'from':'starting'},'write':{'own':'normal','shared':'normal'}}" },
	};
	static struct operation op;
	char error[OPERATION_DETAIL_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(operation_init(&op, &cases[i].r, NOW_MS, error), 0);
		assert_true(operation_ok(&op));
		expect_whole(cases[i].why, operation_to_json(&op), cases[i].record);
	}
}

/* On both sides of each limit. */
static void the_numbers_of_a_request_have_limits(void **state)
{
	static const struct {
		const char *why;
		enum operation_kind kind;
		uint64_t stamp;
		int64_t until_ms, over_ms;
		uint32_t goal, level;
		const char *error;
	} cases[] = {
		{ "the first stamp", OPERATION_DRAIN, 1, MODEL_TIME_NEVER, 0, 0, 0, NULL },
		{ "the last stamp", OPERATION_DRAIN, STAMP_END - 1, MODEL_TIME_NEVER, 0, 0, 0,
		  NULL },
		{ "no stamp", OPERATION_DRAIN, STAMP_END, MODEL_TIME_NEVER, 0, 0, 0,
		  "the command has no stamp" },
		{ "until now", OPERATION_DRAIN, 1, NOW_MS, 0, 0, 0, "until is in the past" },
		{ "until in a moment", OPERATION_DRAIN, 1, NOW_MS + 1, 0, 0, 0, NULL },
		{ "over 7 days", OPERATION_DRAIN, 1, MODEL_TIME_NEVER, 604800000, 0, 0, NULL },
		{ "over more", OPERATION_DRAIN, 1, MODEL_TIME_NEVER, 604800001, 0, 0,
		  "over is longer than 7 days" },
		{ "over less than nothing", OPERATION_DRAIN, 1, MODEL_TIME_NEVER, -1, 0, 0,
		  "over is longer than 7 days" },
		{ "a shift of the least", OPERATION_SHIFT, 1, MODEL_TIME_NEVER, 0, 1, 0, NULL },
		{ "a shift of nothing", OPERATION_SHIFT, 1, MODEL_TIME_NEVER, 0, 0, 0,
		  "the level is not between 0 and 100 %" },
		{ "a shift of nearly all", OPERATION_SHIFT, 1, MODEL_TIME_NEVER, 0, 999999, 0,
		  NULL },
		{ "a shift of all", OPERATION_SHIFT, 1, MODEL_TIME_NEVER, 0, 1000000, 0,
		  "a shift of 100 % is a drain" },
		{ "a shift of more", OPERATION_SHIFT, 1, MODEL_TIME_NEVER, 0, 1000001, 0,
		  "the level is not between 0 and 100 %" },
		{ "from where all are away", OPERATION_SHIFT, 1, MODEL_TIME_NEVER, 0, 500000,
		  1000000, NULL },
		{ "from further", OPERATION_SHIFT, 1, MODEL_TIME_NEVER, 0, 500000, 1000001,
		  "the level is not between 0 and 100 %" },
	};
	static struct operation op;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct operation_request r = make_request();
		char error[OPERATION_DETAIL_MAX] = "";

		r.kind = cases[i].kind;
		r.stamp = cases[i].stamp;
		r.person.until_ms = cases[i].until_ms;
		r.person.over_ms = cases[i].over_ms;
		r.person.goal_ppm = cases[i].goal;
		r.level_ppm = cases[i].level;
		int err = operation_init(&op, &r, NOW_MS, error);

		if (err != (cases[i].error ? -EINVAL : 0) ||
		    strcmp(error, cases[i].error ? cases[i].error : "") != 0)
			fail_msg("%s: %d, %s", cases[i].why, err, error);
	}
}

static void a_wrong_request_names_its_fault(void **state)
{
	static const char long_text[] = "0123456789012345678901234567890123456789"
	                                "0123456789012345678901234567890123456789";
	const struct operation_target twice[] = { targets[0], targets[0] };
	static struct operation op;
	char error[OPERATION_DETAIL_MAX];

	(void)state;
	for (int i = 0; i < 11; i++) {
		struct operation_request r = make_request();
		static const char *const named[] = { "past",      "no site",      "over",
			                             "over",      "shift of 100", "0 and 100",
			                             "0 and 100", "twice",        "author",
			                             "id",        "stamp" };

		r.person.until_ms = i == 0 ? NOW_MS : r.person.until_ms;
		r.n_targets = i == 1 ? 0 : r.n_targets;
		r.person.over_ms = i == 2 ? -1 : i == 3 ? OPERATION_OVER_MAX_MS + 1 : 0;
		r.kind = i >= 4 && i <= 6 ? OPERATION_SHIFT : r.kind;
		r.person.goal_ppm = i == 4 ? MODEL_PPM_ALL : i == 6 ? MODEL_PPM_ALL + 1 : 0;
		r.targets = i == 7 ? twice : r.targets;
		r.person.author = i == 8 ? long_text : r.person.author;
		r.id = i == 9 ? long_text : r.id;
		r.stamp = i == 10 ? 0 : 7;
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
	r.n_targets = OPERATION_TARGETS_MAX + 1;
	assert_int_equal(operation_init(&op, &r, NOW_MS, error), -E2BIG);
	r = make_request();
	r.person.without.n = OPERATION_WITHOUT_MAX + 1;
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

/* Whatever a peer sends; that counts stay inside of arrays, see below. */
static void a_record_out_of_range_is_none(void **state)
{
	static struct operation good, op;
	struct operation_request r = make_request();
	char error[OPERATION_DETAIL_MAX];

	(void)state;
	assert_int_equal(operation_init(&good, &r, NOW_MS, error), 0);
	for (int i = 0; i < 11; i++) {
		uint32_t *const numbers[] = { &op.step,
			                      &op.goal_ppm,
			                      &op.level_ppm,
			                      &op.write.to_ppm,
			                      &op.plan_ppm[0],
			                      &op.began_ppm,
			                      &op.met_ppm,
			                      &op.plan_from_ppm,
			                      &op.write.from_ppm,
			                      &op.steps[0].to_ppm,
			                      &op.steps[0].from_ppm };

		op = good;
		op.n_steps = 1;
		assert_true(operation_ok(&op));
		*numbers[i] = i < 1 ? UINT32_MAX : MODEL_PPM_ALL + 1;
		if (operation_ok(&op))
			fail_msg("number %d is not checked", i);
	}
	op = good;
	op.n_targets = 0;
	assert_false(operation_ok(&op));
	op = good;
	op.targets[0].site[0] = '\0';
	assert_false(operation_ok(&op));
	op = good;
	op.owner[0] = '\0';
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
	for (int i = 0; i < 6; i++) {
		op = good;
		*(i == 0   ? &op.created_ms
		  : i == 1 ? &op.until_ms
		  : i <= 3 ? &op.over_ms
		           : &op.write.over_ms) = i == 3 || i == 5 ? OPERATION_OVER_MAX_MS + 1 : -1;
		assert_false(operation_ok(&op));
	}
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
		assert_int_equal(rule_find(RULE_OPERATION, rule_rows[i].name), i);
	assert_int_equal(operation_state_find("moved"), -1);
	assert_int_equal(rule_find(RULE_OPERATION, ""), -1);
	assert_false(rule_may_override(OPERATION_GUARD_MAJORITY));
	assert_true(rule_may_override(OPERATION_GUARD_ROOM));
}

static void each_stage_and_kind_comes_back_from_json(void **state)
{
	static struct operation op, back;
	struct operation_request r = make_request();
	char error[OPERATION_DETAIL_MAX];

	(void)state;
	assert_int_equal(operation_init(&op, &r, NOW_MS, error), 0);
	for (int i = 0; i < OPERATION_STAGE_COUNT || i < OPERATION_KIND_COUNT; i++) {
		op.stage = i < OPERATION_STAGE_COUNT ? i : 0;
		op.kind = i < OPERATION_KIND_COUNT ? i : 0;
		json_t *json = operation_to_json(&op);

		assert_string_equal(json_string_value(json_object_get(json, "stage")),
		                    operation_stage_text(op.stage));
		assert_string_equal(json_string_value(json_object_get(json, "kind")),
		                    operation_kind_text(op.kind));
		assert_int_equal(operation_from_json(json, &back), 0);
		assert_int_equal(back.stage, op.stage);
		assert_int_equal(back.kind, op.kind);
		json_decref(json);
	}
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
	op.write = (struct operation_write){ 64,
		                             3,
		                             NOW_MS,
		                             0,
		                             0,
		                             100000,
		                             NOW_MS,
		                             false,
		                             OPERATION_ANNOUNCE_NORMAL,
		                             OPERATION_ANNOUNCE_NORMAL };
	op.late_from_ms = NOW_MS;
	op.n_signs = 1;
	memcpy(op.signs[0].site, "fra", 4);
	op.signs[0].repeats = (struct operation_value){ true, 7 };
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

static void a_list_of_names_is_read_whole_or_refuses_the_record(void **state)
{
	static const struct {
		const char *why, *list; /* NULL: of @n names */
		size_t n;
		int err;
	} cases[] = {
		{ "as many as there is room for", NULL, OPERATION_WITHOUT_MAX, 0 },
		{ "one more", NULL, OPERATION_WITHOUT_MAX + 1, -EINVAL },
		{ "no list", "{}", 0, -EINVAL },
		{ "no text", "[\"ams-1\", 7]", 0, -EINVAL },
		{ "none", "[]", 0, 0 },
		{ "missing", "", 0, 0 },
	};
	static struct operation op, back;
	struct operation_request r = make_request();
	char error[OPERATION_DETAIL_MAX], name[32];

	(void)state;
	assert_int_equal(operation_init(&op, &r, NOW_MS, error), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *json = operation_to_json(&op),
		       *list = cases[i].list ? json_loads(cases[i].list, 0, NULL) : json_array();

		for (size_t k = 0; k < cases[i].n; k++) {
			snprintf(name, sizeof(name), "n-%zu", k);
			json_array_append_new(list, json_string(name));
		}
		if (list)
			json_object_set_new(json, "without", list);
		else
			json_object_del(json, "without");
		if (operation_from_json(json, &back) != cases[i].err)
			fail_msg("%s", cases[i].why);
		if (!cases[i].err)
			assert_int_equal(back.n_without, cases[i].n);
		json_decref(json);
	}
}

/* Whatever a peer sends: counts stay inside of arrays. */
static void a_list_that_is_too_long_refuses_the_record(void **state)
{
	static const char *const keys[] = { "targets",  "plan_ppm", "steps",  "before",
		                            "after",    "signs",    "late",   "took_part",
		                            "was_late", "failures", "without" };
	static struct operation op, back;
	struct operation_request r = make_request();
	char error[RECORD_ERROR_MAX], reason[RECORD_ERROR_MAX];

	(void)state;
	assert_int_equal(operation_init(&op, &r, NOW_MS, reason), 0);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *json = operation_to_json(&op), *list = json_array();

		for (size_t k = 0; k <= OPERATION_NODES_MAX; k++)
			json_array_append_new(list, json_null());
		json_object_set_new(json, keys[i], list);
		assert_int_equal(record_from_json(&operation_record, json, &back, error), -EINVAL);
		snprintf(reason, sizeof(reason), "operation.%s is no list of at most ", keys[i]);
		if (strncmp(error, reason, strlen(reason)) != 0)
			fail_msg("%s: %s", keys[i], error);
		json_decref(json);
	}
}

static void a_plan_tells_how_long_it_takes(void **state)
{
	static const struct {
		const char *reason;
		uint32_t n_plan, first;
		int64_t over_ms;
		uint64_t ttl_s;
		enum operation_way way;
		int64_t expected_ms;
	} cases[] = {
		{ "by the TTL: 2 s ahead, and 5 s more", 5, 0, 0, 30, OPERATION_OUT, 5 * 37000 },
		{ "by its pace", 5, 0, 500000, 30, OPERATION_OUT, 500000 },
		{ "what is left of it", 5, 3, 500000, 30, OPERATION_OUT, 200000 },
		{ "a pace shorter than the TTL", 5, 0, 5000, 30, OPERATION_OUT, 5 * 37000 },
		{ "the first 1 % of a return", 2, 0, 0, 30, OPERATION_BACK, 120000 + 37000 },
		{ "a long TTL", 2, 0, 0, 300, OPERATION_BACK, 2 * 307000 },
		{ "nothing", 0, 0, 500000, 30, OPERATION_OUT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct operation op;

		op.n_plan = cases[i].n_plan;
		op.step = cases[i].first;
		op.over_ms = cases[i].over_ms;
		op.way = cases[i].way;
		op.plan_ppm[0] = op.way == OPERATION_BACK ? 990000 : 100000;
		if (plan_expected_ms(&op, cases[i].ttl_s) != cases[i].expected_ms)
			fail_msg("%s: %lld ms", cases[i].reason,
			         (long long)plan_expected_ms(&op, cases[i].ttl_s));
	}
}

static struct operation_value value_of(uint64_t value)
{
	return (struct operation_value){ true, value };
}

/* A record in which no field is as in an empty one. */
static void fill_record(struct operation *op)
{
	strcpy(op->service, "web");
	strcpy(op->principal, "token:amy");
	strcpy(op->waits, "waits");
	op->kind = OPERATION_SHIFT;
	op->until_ms = NOW_MS + 1;
	op->over_ms = 2;
	op->now = op->withdraw = op->step_runs = op->reads_levels = true;
	op->expiry_announced = op->expired = true;
	op->goal_ppm = 300000;
	op->began_ppm = 3;
	op->stamp = 2;
	op->epoch = 65;
	op->writes = 4;
	op->seq = 5;
	op->state = OPERATION_HELD;
	op->stage = OPERATION_STAGE_OUTSIDE;
	op->way = OPERATION_BACK;
	op->plan_from_ppm = 6;
	op->step = 1;
	op->level_ppm = 7;
	op->key_fingerprint = UINT64_MAX - 1;
	op->late_from_ms = NOW_MS + 2;
	op->steps_lost = 8;
	op->holds = 9;
	op->began_ms = NOW_MS + 3;
	op->full_ms = NOW_MS + 4;
	op->drained_ms = NOW_MS + 5;
	op->ended_ms = NOW_MS + 6;
	op->overridden[OPERATION_GUARD_ROOM] = true;
	op->n_without = op->n_took_part = 1;
	strcpy(op->without[0], "lon-1");
	op->took_part[0] = 0x1234567890abcdef;
	op->write = (struct operation_write){ 65,
		                              4,
		                              NOW_MS,
		                              11,
		                              12,
		                              13,
		                              14,
		                              true,
		                              OPERATION_ANNOUNCE_WITHDRAWN,
		                              OPERATION_ANNOUNCE_SHUTDOWN };
	op->hold = (struct operation_hold){ "room", "detail", NOW_MS, OPERATION_MOVING };
	op->n_steps = op->n_before = op->n_after = op->n_signs = op->n_late = 1;
	op->steps[0] = (struct operation_step){ .from_ppm = 15,
		                                .to_ppm = 16,
		                                .write_step = 17,
		                                .state = OPERATION_RETURNING,
		                                .begun_ms = 18,
		                                .in_force_ms = 19,
		                                .ended_ms = 20 };
	op->steps[0].ttl_s = value_of(21);
	op->steps[0].share_ppm = value_of(22);
	op->steps[0].expected_ppm = value_of(23);
	op->steps[0].judged = true;
	strcpy(op->steps[0].not_judged, "few");
	op->steps[0].n_loads = 1;
	for (int g = 0; g < OPERATION_GUARD_COUNT; g++)
		op->steps[0].margins[g] = g % 2 ? 100 + g : INT64_MAX;
	op->steps[0].loads[0] = (struct operation_load){ "ams",        value_of(24), value_of(25),
		                                         value_of(26), value_of(27), value_of(28) };
	op->before[0] = op->after[0] = op->steps[0].loads[0];
	op->after[0].flows = value_of(0); /* which is known */
	strcpy(op->signs[0].site, "fra");
	op->signs[0].repeats = value_of(29);
	op->signs[0].drops = value_of(30);
	op->late[0] = (struct operation_late){ "192.0.2.0/24", value_of(31) };
	op->n_failures = op->failures_lost = op->n_was_late = 1;
	op->was_late[0] = (struct operation_late){ "198.51.100.0/24", value_of(34) };
	op->failures[0] = (struct operation_failure){ "room", "too much", 32, 33, true };
}

static void assert_value(const struct operation_value *a, const struct operation_value *b)
{
	assert_int_equal(a->known, b->known);
	assert_int_equal(a->value, b->value);
}

static void assert_load(const struct operation_load *a, const struct operation_load *b)
{
	assert_string_equal(a->site, b->site);
	assert_value(&a->flows, &b->flows);
	assert_value(&a->bits, &b->bits);
	assert_value(&a->capacity_flows, &b->capacity_flows);
	assert_value(&a->capacity_bits, &b->capacity_bits);
	assert_value(&a->expected_flows, &b->expected_flows);
}

static void assert_step(const struct operation_step *a, const struct operation_step *b)
{
	assert_memory_equal(a, b, offsetof(struct operation_step, ttl_s));
	assert_value(&a->ttl_s, &b->ttl_s);
	assert_value(&a->share_ppm, &b->share_ppm);
	assert_value(&a->expected_ppm, &b->expected_ppm);
	assert_int_equal(a->judged, b->judged);
	assert_string_equal(a->not_judged, b->not_judged);
	assert_int_equal(a->n_loads, b->n_loads);
	assert_load(&a->loads[0], &b->loads[0]);
	assert_memory_equal(a->margins, b->margins, sizeof(a->margins));
}

#define ASSERT_SAME(field)   assert_memory_equal(&op->field, &back->field, sizeof(op->field))
#define ASSERT_NUMBER(field) assert_int_equal(op->field, back->field)

static void assert_running(const struct operation *op, const struct operation *back)
{
	ASSERT_NUMBER(write.epoch);
	ASSERT_NUMBER(write.step);
	ASSERT_NUMBER(write.from_ms);
	ASSERT_NUMBER(write.over_ms);
	ASSERT_NUMBER(write.from_ppm);
	ASSERT_NUMBER(write.to_ppm);
	ASSERT_NUMBER(write.late_from_ms);
	ASSERT_NUMBER(write.ended);
	ASSERT_NUMBER(write.own);
	ASSERT_NUMBER(write.shared);
	ASSERT_NUMBER(plan_from_ppm);
	ASSERT_SAME(plan_ppm);
	ASSERT_NUMBER(n_plan);
	ASSERT_NUMBER(step);
	ASSERT_NUMBER(step_runs);
	ASSERT_NUMBER(level_ppm);
	ASSERT_NUMBER(key_fingerprint);
	ASSERT_SAME(hold.code);
	ASSERT_SAME(hold.detail);
	ASSERT_NUMBER(hold.since_ms);
	ASSERT_NUMBER(hold.from);
	ASSERT_NUMBER(expiry_announced);
	ASSERT_NUMBER(expired);
	ASSERT_NUMBER(reads_levels);
	ASSERT_NUMBER(late_from_ms);
	ASSERT_SAME(waits);
	ASSERT_SAME(took_part);
	ASSERT_NUMBER(n_took_part);
}

static void assert_history(const struct operation *op, const struct operation *back)
{
	ASSERT_NUMBER(n_steps);
	ASSERT_NUMBER(steps_lost);
	assert_step(&op->steps[0], &back->steps[0]);
	ASSERT_NUMBER(n_before);
	ASSERT_NUMBER(n_after);
	assert_load(&op->before[0], &back->before[0]);
	assert_load(&op->after[0], &back->after[0]);
	ASSERT_NUMBER(n_signs);
	ASSERT_SAME(signs[0].site);
	assert_value(&op->signs[0].repeats, &back->signs[0].repeats);
	assert_value(&op->signs[0].drops, &back->signs[0].drops);
	ASSERT_NUMBER(n_late);
	ASSERT_SAME(late[0].prefix);
	assert_value(&op->late[0].flows, &back->late[0].flows);
	ASSERT_NUMBER(holds);
	ASSERT_NUMBER(began_ms);
	ASSERT_NUMBER(full_ms);
	ASSERT_NUMBER(drained_ms);
	ASSERT_NUMBER(ended_ms);
	assert_int_equal(back->n_failures, 1);
	assert_int_equal(back->failures_lost, op->failures_lost);
	assert_string_equal(back->failures[0].code, op->failures[0].code);
	assert_string_equal(back->failures[0].detail, op->failures[0].detail);
	assert_int_equal(back->failures[0].at_ms, op->failures[0].at_ms);
	assert_int_equal(back->failures[0].until_ms, op->failures[0].until_ms);
	assert_int_equal(back->failures[0].overridden, op->failures[0].overridden);
	assert_int_equal(back->n_was_late, 1);
	assert_string_equal(back->was_late[0].prefix, op->was_late[0].prefix);
	assert_value(&back->was_late[0].flows, &op->was_late[0].flows);
}

/* Writing and reading share their tables, so that a second writing would not miss a field. */
static void no_field_of_a_record_is_lost(void **state)
{
	static struct operation op, back;
	struct operation_request r = make_request();
	char error[OPERATION_DETAIL_MAX];
	json_t *json;

	(void)state;
	assert_int_equal(operation_init(&op, &r, NOW_MS, error), 0);
	fill_record(&op);
	op.targets[1].baseline = value_of(32);
	json = operation_to_json(&op);
	assert_int_equal(operation_from_json(json, &back), 0);
	json_decref(json);
	/* all that is set once, and by persons: no padding of a value is in it */
	assert_memory_equal(&op, &back, offsetof(struct operation, targets));
	assert_int_equal(back.n_targets, 2);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(op.targets[i].site, back.targets[i].site);
		assert_string_equal(op.targets[i].override_id, back.targets[i].override_id);
		assert_value(&op.targets[i].baseline, &back.targets[i].baseline);
	}
	assert_running(&op, &back);
	assert_history(&op, &back);
}

SUITE(operation_record)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_drain_begins_with_its_plan),
		cmocka_unit_test(an_operation_begins_at_the_level_of_its_targets),
		cmocka_unit_test(a_record_begins_as_it_was_asked_for),
		cmocka_unit_test(the_numbers_of_a_request_have_limits),
		cmocka_unit_test(a_wrong_request_names_its_fault),
		cmocka_unit_test(too_many_sites_are_refused),
		cmocka_unit_test(levels_are_gates_between_from_and_to),
		cmocka_unit_test(a_record_out_of_range_is_none),
		cmocka_unit_test(words_are_found_again),
		cmocka_unit_test(each_stage_and_kind_comes_back_from_json),
		cmocka_unit_test(a_record_comes_back_from_json_as_it_was),
		cmocka_unit_test(a_list_of_names_is_read_whole_or_refuses_the_record),
		cmocka_unit_test(a_list_that_is_too_long_refuses_the_record),
		cmocka_unit_test(a_plan_tells_how_long_it_takes),
		cmocka_unit_test(no_field_of_a_record_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
