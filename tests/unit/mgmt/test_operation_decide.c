/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The functions of mgmt/operations that decide, each by itself and at its limits: when a way back may end, what a turn
 * forgets, when a target is quiet, which signs count. The simulator (tests/sim) sees what they do together; here each field
 * of the record is looked at, and what can happen twice does.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "tests/unit/suite.h"
#include "whole_json.h"
#include "mgmt/operations/command_internal.h"
#include "mgmt/operations/engine_internal.h"
#include "mgmt/operations/record_json.h"
#include "mgmt/operations/regression.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define NOW_MS    1000000
#define NODES_MAX 5u
#define SITES_MAX 64u /* of a configuration */
#define KNOWN(n)  ((struct operation_value){ true, (n) })

/* An operation at site ams, of which all clients are elsewhere; fra receives them. */
static struct operation op;
static struct operation_node nodes[NODES_MAX];
static struct operation_site sites[2];
static struct operation_facts facts;
static struct operation_act act;
static struct tick t;

static int start_scene(void **state)
{
	static const char *const names[NODES_MAX] = { "ams-1", "ams-2", "fra-1", "fra-2", "fra-3" };

	(void)state;
	memset(&op, 0, sizeof(op));
	memset(&act, 0, sizeof(act));
	memset(sites, 0, sizeof(sites));
	for (size_t i = 0; i < NODES_MAX; i++)
		nodes[i] = (struct operation_node){ .name = names[i],
			                            .site = i < 2 ? "ams" : "fra",
			                            .reached = true,
			                            .dns = OPERATION_NO };
	sites[0].name = "ams";
	sites[1].name = "fra";
	sites[0].serves = sites[1].serves = true;
	op.n_targets = 1;
	strcpy(op.targets[0].site, "ams");
	op.epoch = 3;
	op.goal_ppm = MODEL_PPM_ALL;
	op.until_ms = MODEL_TIME_NEVER;
	op.state = OPERATION_LATE;
	facts = (struct operation_facts){
		.self = "ams-1", .nodes = nodes, .n_nodes = NODES_MAX, .sites = sites, .n_sites = 2
	};
	t = (struct tick){ .op = &op, .facts = &facts, .now_ms = NOW_MS, .act = &act };
	return 0;
}

/* --- ends --- */

static void reach_nodes(size_t n, size_t n_reached)
{
	facts.n_nodes = n;
	for (size_t i = 0; i < n; i++)
		nodes[i].reached = i < n_reached;
}

static const struct {
	size_t n, n_reached;
	bool was_written, ends;
} ends
        [] = {
	        { 2, 1, true, false }, /* exactly half */
	        { 4, 2, true, false }, { 3, 2, true, true }, { 3, 1, true, false },
	        { 4, 3, true, true },  { 1, 1, true, true }, { 5, 0, true, false },
	        { 2, 1, false, true }, /* nothing was ever written: there is nothing to take back */
        };

static void a_return_ends_with_most_nodes_only(void **state)
{
	for (size_t i = 0; i < COUNT(ends); i++) {
		start_scene(state);
		reach_nodes(ends[i].n, ends[i].n_reached);
		op.state = OPERATION_RETURNING;
		op.way = OPERATION_BACK;
		op.stage = OPERATION_STAGE_STEPS;
		op.write.epoch = ends[i].was_written ? 3 : 0;
		back_return(&t);
		assert_int_equal(op.state, ends[i].ends ? OPERATION_DONE : OPERATION_RETURNING);
		assert_int_equal(op.write.ended, ends[i].ends && ends[i].was_written);
		assert_int_equal(strstr(op.waits, "most nodes are reached") != NULL, !ends[i].ends);
	}
}

static void an_abort_ends_with_most_nodes_only(void **state)
{
	for (size_t i = 0; i < COUNT(ends); i++) {
		start_scene(state);
		reach_nodes(ends[i].n, ends[i].n_reached);
		op.state = OPERATION_ABORTING;
		op.way = OPERATION_BACK;
		op.write.epoch = ends[i].was_written ? 3 : 0;
		back_abort(&t);
		assert_int_equal(op.state, ends[i].ends ? OPERATION_ABORTED : OPERATION_ABORTING);
		assert_int_equal(op.ended_ms, ends[i].ends ? NOW_MS : 0);
	}
}

/* Late clients are the backup's until the end, and the next operation's backup is its own matter. */
static void what_has_ended_sends_nobody_to_the_backup(void **state)
{
	static void (*const end[])(struct tick *) = { back_abort, back_return };

	for (size_t i = 0; i < COUNT(end); i++) {
		start_scene(state);
		op.state = i ? OPERATION_RETURNING : OPERATION_ABORTING;
		op.way = OPERATION_BACK;
		op.stage = OPERATION_STAGE_STEPS;
		op.write = (struct operation_write){ .epoch = 3, .step = 4, .late_from_ms = 5000 };
		op.writes = 4;
		op.late_from_ms = 5000;
		end[i](&t);
		assert_true(op.write.ended);
		assert_int_equal(op.late_from_ms, 0);
		assert_int_equal(op.write.late_from_ms, 0);
		assert_int_equal(op.write.step, 5);
		assert_int_equal(op.write.to_ppm, 0);
		assert_int_equal(op.write.from_ms, NOW_MS);
	}
}

/* Back at a level between, it rests there as a shift. */
static void an_abort_goes_back_to_where_it_began(void **state)
{
	(void)state;
	op.state = OPERATION_ABORTING;
	op.way = OPERATION_BACK;
	op.began_ppm = op.level_ppm = 300000;
	op.write.epoch = 3;
	back_abort(&t);
	assert_int_equal(op.state, OPERATION_RESTING);
	assert_int_equal(op.kind, OPERATION_SHIFT);
	assert_int_equal(op.goal_ppm, 300000);
	assert_int_equal(op.way, OPERATION_OUT);
	assert_false(op.write.ended);
}

/* --- turns --- */

static void each_drain_has_its_own_times(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		uint32_t epoch = op.epoch;

		op.full_ms = NOW_MS + 10 * round + 1;
		op.drained_ms = NOW_MS + 10 * round + 2;
		op.step = op.n_plan = 2;
		op.step_runs = true;
		op.seq = op.writes = 9;
		op.n_steps = 1;
		back_turn(&t, OPERATION_BACK);
		assert_int_equal(op.epoch, epoch + 1);
		assert_int_equal(op.seq, 0);
		assert_int_equal(op.step + op.n_plan + op.step_runs, 0);
		assert_int_equal(op.full_ms, NOW_MS + 10 * round + 1); /* this drain was so */
		assert_int_equal(op.drained_ms, NOW_MS + 10 * round + 2);
		back_turn(&t, OPERATION_OUT);
		assert_int_equal(op.full_ms, 0);
		assert_int_equal(op.drained_ms, 0);
	}
}

/* Its numbers start again, with what the command has changed. */
static void an_abort_is_the_first_of_its_epoch(void **state)
{
	const struct operation_person person = { .author = "jw", .reason = "a test" };
	char error[OPERATION_DETAIL_MAX] = "";

	(void)state;
	op.state = OPERATION_MOVING;
	op.way = OPERATION_OUT;
	op.seq = 9;
	assert_int_equal(operation_abort(&op, &facts, &person, NOW_MS, error), 0);
	assert_int_equal(op.state, OPERATION_ABORTING);
	assert_int_equal(op.epoch, 4);
	assert_int_equal(op.seq, 1);
}

static void a_state_begins_with_its_clocks_at_zero(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		op.state_ms = op.waited_ms = op.unknown_ms = op.unnamed_ms = 7;
		strcpy(op.waits, "the former");
		tick_enter(&t, round ? OPERATION_DRAINED : OPERATION_LATE);
		assert_int_equal(op.state_ms, 0);
		assert_int_equal(op.waited_ms, 0);
		assert_int_equal(op.unknown_ms, 0);
		assert_int_equal(op.unnamed_ms, 0);
		assert_string_equal(op.waits, "");
	}
	assert_int_equal(act.n_events, 2);
}

/* What held it is over when it goes on; what holds it now is not, and an end once noted stays. */
static void a_failure_ends_when_the_operation_goes_on(void **state)
{
	(void)state;
	op.n_failures = 3;
	op.failures[0].until_ms = 5;
	op.failures[2].overridden = true;
	tick_enter(&t, OPERATION_HELD);
	assert_int_equal(op.failures[1].until_ms, 0);
	tick_enter(&t, OPERATION_MOVING);
	assert_int_equal(op.failures[0].until_ms, 5);
	assert_int_equal(op.failures[1].until_ms, NOW_MS);
	assert_int_equal(op.failures[2].until_ms, 0);
}

/* Each time that it goes on it does so with the key that chooses clients then. */
static void what_goes_on_does_so_with_the_key_of_now(void **state)
{
	(void)state;
	op.n_plan = 1;
	op.plan_ppm[0] = MODEL_PPM_ALL;
	for (uint64_t round = 0; round < 2; round++) {
		op.state = OPERATION_HELD;
		op.hold.from = OPERATION_LATE;
		strcpy(op.hold.code, "key-changed");
		op.key_fingerprint = 5 + round;
		facts.key_fingerprint = 6 + round;
		command_go_on(&t);
		assert_int_equal(op.key_fingerprint, 6 + round);
		assert_int_equal(op.state, OPERATION_LATE);
		assert_string_equal(op.hold.code, "");
	}
}

/* Another key would move other clients; one that is not known is no other one. */
static void what_moves_is_held_when_the_key_is_another_one(void **state)
{
	static const struct {
		uint64_t own, now;
		bool holds;
	} rows[] = { { 5, 5, false }, { 5, 6, true }, { 5, 0, false }, { 0, 6, false } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		op.state = OPERATION_MOVING;
		op.key_fingerprint = rows[i].own;
		facts.key_fingerprint = rows[i].now;
		(void)operation_next(&op, &facts, NOW_MS, &act);
		assert_int_equal(!strcmp(op.hold.code, "key-changed"), rows[i].holds);
	}
}

/* --- late clients --- */

static void the_level_stays_complete_while_the_backup_is_opened(void **state)
{
	(void)state;
	op.way = OPERATION_OUT;
	op.level_ppm = MODEL_PPM_ALL;
	sites[0].has_backup = true;
	step_open_backup(&t);
	assert_int_equal(op.write.to_ppm, MODEL_PPM_ALL);
	assert_int_equal(op.write.from_ms, NOW_MS); /* else it is a little less until then */
	assert_int_equal(op.write.late_from_ms, NOW_MS + OPERATION_AHEAD_MS);
}

/* The document in force may name a target no longer. */
static void a_target_that_is_gone_has_no_backup_to_open(void **state)
{
	(void)state;
	op.way = OPERATION_OUT;
	op.level_ppm = MODEL_PPM_ALL;
	sites[0].name = "lon";
	sites[0].has_backup = true;
	step_open_backup(&t);
	assert_int_equal(op.late_from_ms, 0);
	assert_int_equal(op.full_ms, NOW_MS);
}

/* It is opened once, one TTL after all were sent away, and later if that is over already. */
static void a_backup_is_opened_once_for_late_clients(void **state)
{
	static const struct {
		const char *why;
		enum operation_way way;
		uint32_t level_ppm;
		bool has_backup, has_slots;
		int64_t late_ms, full_ms;
		bool has_step;
		int64_t in_force_ms;
		uint64_t ttl_s; /* 0: it is not known */
		bool writes;
		int64_t to_late_ms, to_full_ms;
	} rows[] = {
		{ "a TTL after the last step", OPERATION_OUT, MODEL_PPM_ALL, true, false, 0, 0,
		  true, NOW_MS - 1000, 30, true, NOW_MS + 29000, NOW_MS },
		{ "a TTL that is not known", OPERATION_OUT, MODEL_PPM_ALL, true, false, 0, 0, true,
		  NOW_MS, 0, true, NOW_MS + TICK_TTL_UNKNOWN_S * INT64_C(1000), NOW_MS },
		{ "a TTL that just lasts long enough", OPERATION_OUT, MODEL_PPM_ALL, true, false, 0,
		  0, true, NOW_MS + 1 + OPERATION_AHEAD_MS - 30000, 30, true,
		  NOW_MS + 1 + OPERATION_AHEAD_MS, NOW_MS },
		{ "a TTL that ends a moment before it could be announced", OPERATION_OUT,
		  MODEL_PPM_ALL, true, false, 0, 0, true, NOW_MS - 1 + OPERATION_AHEAD_MS - 30000,
		  30, true, NOW_MS + OPERATION_AHEAD_MS, NOW_MS },
		{ "a TTL that is over", OPERATION_OUT, MODEL_PPM_ALL, true, false, 0, 0, true,
		  NOW_MS - 60000, 30, true, NOW_MS + OPERATION_AHEAD_MS, NOW_MS },
		{ "drained before it began", OPERATION_OUT, MODEL_PPM_ALL, true, false, 0, 77,
		  false, 0, 0, true, NOW_MS + OPERATION_AHEAD_MS, 77 },
		{ "opened before", OPERATION_OUT, MODEL_PPM_ALL, true, false, 1, 77, true, NOW_MS,
		  30, false, 1, 77 },
		{ "opened before, and full since it is not known when", OPERATION_OUT,
		  MODEL_PPM_ALL, true, false, NOW_MS + 9, 0, true, NOW_MS, 30, false, NOW_MS + 9,
		  0 },
		{ "not all have left", OPERATION_OUT, MODEL_PPM_ALL - 1, true, false, 0, 0, true,
		  NOW_MS, 30, false, 0, 0 },
		{ "a way back", OPERATION_BACK, MODEL_PPM_ALL, true, false, 0, 0, true, NOW_MS, 30,
		  false, 0, 0 },
		{ "no backup", OPERATION_OUT, MODEL_PPM_ALL, false, false, 0, 0, true, NOW_MS, 30,
		  false, 0, NOW_MS },
		{ "a backup whose members have slots", OPERATION_OUT, MODEL_PPM_ALL, true, true, 0,
		  0, true, NOW_MS, 30, false, 0, NOW_MS },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		op.way = rows[i].way;
		op.level_ppm = rows[i].level_ppm;
		op.late_from_ms = rows[i].late_ms;
		op.full_ms = rows[i].full_ms;
		op.writes = 8;
		sites[0].has_backup = rows[i].has_backup;
		sites[0].slots_with = rows[i].has_slots ? "web" : NULL;
		op.n_steps = rows[i].has_step;
		op.steps[0].in_force_ms = rows[i].in_force_ms;
		op.steps[0].ttl_s = (struct operation_value){ rows[i].ttl_s > 0, rows[i].ttl_s };
		step_open_backup(&t);
		const struct operation_write *w = &op.write;
		if (op.late_from_ms != rows[i].to_late_ms || op.full_ms != rows[i].to_full_ms ||
		    op.writes != (rows[i].writes ? 9u : 8u) ||
		    w->step != (rows[i].writes ? 9u : 0u) ||
		    w->epoch != (rows[i].writes ? 3u : 0u) ||
		    w->from_ms != (rows[i].writes ? NOW_MS : 0) || w->over_ms ||
		    w->from_ppm != (rows[i].writes ? MODEL_PPM_ALL - 1 : 0u) ||
		    w->to_ppm != (rows[i].writes ? MODEL_PPM_ALL : 0u) ||
		    w->late_from_ms != (rows[i].writes ? rows[i].to_late_ms : 0))
			fail_msg("%s: late from %lld, full since %lld, write %u", rows[i].why,
			         (long long)op.late_from_ms, (long long)op.full_ms, op.write.step);
	}
}

/* --- who decides --- */

/* A site counts unless it is known to be out, or all of its clients leave by this operation. */
static void a_site_decides_unless_it_is_out_or_leaves_whole(void **state)
{
	static const struct {
		const char *why;
		enum operation_truth ams, fra;
		uint32_t goal_ppm;
		const char *service;
		size_t n;
	} rows[] = {
		{ "the target leaves", OPERATION_NO, OPERATION_NO, MODEL_PPM_ALL, "", 1 },
		{ "it is not known whether the other is out", OPERATION_NO, OPERATION_UNKNOWN,
		  MODEL_PPM_ALL, "", 1 },
		{ "the other is out", OPERATION_NO, OPERATION_YES, MODEL_PPM_ALL, "", 0 },
		{ "a part leaves", OPERATION_NO, OPERATION_NO, MODEL_PPM_ALL - 1, "", 2 },
		{ "a part leaves, and nothing is known", OPERATION_UNKNOWN, OPERATION_UNKNOWN,
		  MODEL_PPM_ALL - 1, "", 2 },
		{ "a part leaves what is out", OPERATION_YES, OPERATION_NO, MODEL_PPM_ALL - 1, "",
		  1 },
		{ "one service leaves", OPERATION_NO, OPERATION_NO, MODEL_PPM_ALL, "web", 2 },
		{ "one service leaves what is out", OPERATION_YES, OPERATION_UNKNOWN, MODEL_PPM_ALL,
		  "web", 1 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		sites[0].out = rows[i].ams;
		sites[1].out = rows[i].fra;
		op.goal_ppm = rows[i].goal_ppm;
		snprintf(op.service, sizeof(op.service), "%s", rows[i].service);
		if (operation_count_deciding(&op, &facts) != rows[i].n)
			fail_msg("%s: %zu", rows[i].why, operation_count_deciding(&op, &facts));
	}
}

static struct operation_verdict judge_guard(enum rule_id guard, enum operation_moment moment)
{
	struct operation_verdict verdicts[OPERATION_GUARD_COUNT];

	operation_judge(&op, &facts, moment, verdicts);
	return verdicts[guard];
}

/* What a guard says: "passes: ...", "trips: ...", "cannot tell: ..."; "": it had nothing to check. */
static const char *ask_guard(enum rule_id guard)
{
	static char text[OPERATION_DETAIL_MAX + 16];
	struct operation_verdict v = judge_guard(guard, OPERATION_BEGIN);

	if (!v.checked) {
		assert_true(v.ok && !v.unknown);
		assert_string_equal(v.detail, "not checked");
		return "";
	}
	snprintf(text, sizeof(text), "%s: %s",
	         v.ok        ? "passes"
	         : v.unknown ? "cannot tell"
	                     : "trips",
	         v.detail);
	return text;
}

#define YES  OPERATION_YES
#define NO   OPERATION_NO
#define DARK OPERATION_UNKNOWN

static void how_many_sites_are_left_and_out_is_said(void **state)
{
	static const struct {
		const char *why;
		enum operation_way way;
		uint32_t goal_ppm;
		const char *service;
		enum operation_truth out, up; /* of fra */
		bool held;
		struct operation_value max;
		const char *left, *out_text;
	} rows[] = {
		{ "one is left", OPERATION_OUT, MODEL_PPM_ALL, "", NO, YES, false, KNOWN(1),
		  "passes: 1 sites that are up are left",
		  "passes: 1 sites would be out; max_sites_out is 1" },
		{ "not one may be out", OPERATION_OUT, MODEL_PPM_ALL, "", NO, YES, false, KNOWN(0),
		  "passes: 1 sites that are up are left",
		  "trips: 1 sites would be out; max_sites_out is 0" },
		{ "how many may be out is not known",
		  OPERATION_OUT,
		  MODEL_PPM_ALL,
		  "",
		  NO,
		  YES,
		  false,
		  { .value = 9 },
		  "passes: 1 sites that are up are left",
		  "cannot tell: max_sites_out is not known" },
		{ "the other is out", OPERATION_OUT, MODEL_PPM_ALL, "", YES, YES, false, KNOWN(1),
		  "trips: no site that is up would be left",
		  "trips: 2 sites would be out; max_sites_out is 1" },
		{ "the other is down", OPERATION_OUT, MODEL_PPM_ALL, "", NO, NO, false, KNOWN(1),
		  "trips: no site that is up would be left",
		  "trips: 2 sites would be out; max_sites_out is 1" },
		{ "both may be out", OPERATION_OUT, MODEL_PPM_ALL, "", NO, NO, false, KNOWN(2),
		  "trips: no site that is up would be left",
		  "passes: 2 sites would be out; max_sites_out is 2" },
		{ "the other is held", OPERATION_OUT, MODEL_PPM_ALL, "", NO, YES, true, KNOWN(1),
		  "passes: 1 sites that are up are left",
		  "trips: 2 sites would be out; max_sites_out is 1" },
		{ "whether it is out is not known", OPERATION_OUT, MODEL_PPM_ALL, "", DARK, YES,
		  false, KNOWN(1), "cannot tell: whether one of 1 other sites is up is not known",
		  "cannot tell: whether 1 other sites are out is not known; max_sites_out is 1" },
		{ "whether it is up is not known", OPERATION_OUT, MODEL_PPM_ALL, "", NO, DARK,
		  false, KNOWN(1), "cannot tell: whether one of 1 other sites is up is not known",
		  "cannot tell: whether 1 other sites are out is not known; max_sites_out is 1" },
		{ "nothing is known, and both may be out", OPERATION_OUT, MODEL_PPM_ALL, "", DARK,
		  DARK, false, KNOWN(2),
		  "cannot tell: whether one of 1 other sites is up is not known",
		  "passes: 1 sites would be out; max_sites_out is 2" },
		{ "a part of the clients", OPERATION_OUT, MODEL_PPM_ALL - 1, "", NO, YES, false,
		  KNOWN(0), "passes: 1 sites that are up are left", "" },
		{ "one service", OPERATION_OUT, MODEL_PPM_ALL, "web", NO, YES, false, KNOWN(0),
		  "passes: 1 sites that are up are left", "" },
		{ "a way back", OPERATION_BACK, MODEL_PPM_ALL, "", YES, NO, false, KNOWN(0), "",
		  "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		op.way = rows[i].way;
		op.goal_ppm = rows[i].goal_ppm;
		snprintf(op.service, sizeof(op.service), "%s", rows[i].service);
		sites[0].out = NO;
		sites[0].up = YES;
		sites[0].checked = sites[1].checked = true;
		sites[1].out = rows[i].out;
		sites[1].up = rows[i].up;
		sites[1].held = rows[i].held;
		facts.max_sites_out = rows[i].max;
		if (strcmp(ask_guard(OPERATION_GUARD_LAST_SITE), rows[i].left) != 0)
			fail_msg("%s: %s", rows[i].why, ask_guard(OPERATION_GUARD_LAST_SITE));
		if (strcmp(ask_guard(OPERATION_GUARD_MAX_SITES_OUT), rows[i].out_text) != 0)
			fail_msg("%s: %s", rows[i].why, ask_guard(OPERATION_GUARD_MAX_SITES_OUT));
	}
}

/* There is another site, but not for each service that is drained. */
static void the_last_site_of_a_service_is_not_drained(void **state)
{
	static const struct {
		const char *alone, *unknown;
		uint32_t goal_ppm;
		enum operation_way way;
		const char *text;
	} rows[] = {
		{ NULL, NULL, MODEL_PPM_ALL, OPERATION_OUT,
		  "passes: 1 sites that are up are left" },
		{ "mail", NULL, MODEL_PPM_ALL, OPERATION_OUT,
		  "trips: service mail would be left without a site that is up" },
		{ NULL, "mail", MODEL_PPM_ALL, OPERATION_OUT,
		  "cannot tell: whether another site of service mail is up is not known" },
		{ "mail", "web", MODEL_PPM_ALL, OPERATION_OUT,
		  "trips: service mail would be left without a site that is up" },
		{ "mail", "web", MODEL_PPM_ALL - 1, OPERATION_OUT,
		  "passes: 1 sites that are up are left" },
		{ "mail", "web", MODEL_PPM_ALL, OPERATION_BACK, "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		op.way = rows[i].way;
		op.goal_ppm = rows[i].goal_ppm;
		sites[1].out = NO;
		sites[1].up = YES;
		facts.left_alone = rows[i].alone;
		facts.left_unknown = rows[i].unknown;
		assert_string_equal(ask_guard(OPERATION_GUARD_LAST_SITE), rows[i].text);
	}
}

static void whether_backup_pools_would_serve_is_said(void **state)
{
	static const struct {
		const char *why;
		enum operation_way way;
		uint32_t goal_ppm;
		bool has_backup;
		enum operation_truth up, ok;
		const char *slots_with, *text;
	} rows[] = {
		{ "ready", OPERATION_OUT, MODEL_PPM_ALL, true, YES, YES, NULL,
		  "passes: backup pools would serve late clients" },
		{ "not ready", OPERATION_OUT, MODEL_PPM_ALL, true, YES, NO, NULL,
		  "trips: a backup pool of site ams would not serve late clients" },
		{ "not known", OPERATION_OUT, MODEL_PPM_ALL, true, DARK, DARK, NULL,
		  "cannot tell: whether the backup pools of site ams would serve late clients is "
		  "not known" },
		{ "another service has the slots", OPERATION_OUT, MODEL_PPM_ALL, true, YES, NO,
		  "mail",
		  "passes: late clients stay with own backends: service mail has the same pool and "
		  "backup, and is not drained" },
		{ "none", OPERATION_OUT, MODEL_PPM_ALL, false, YES, NO, NULL, "" },
		{ "the site is down", OPERATION_OUT, MODEL_PPM_ALL, true, NO, NO, NULL, "" },
		{ "a part of the clients", OPERATION_OUT, MODEL_PPM_ALL - 1, true, YES, NO, NULL,
		  "" },
		{ "a way back", OPERATION_BACK, MODEL_PPM_ALL, true, YES, NO, NULL, "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		op.way = rows[i].way;
		op.goal_ppm = rows[i].goal_ppm;
		sites[0].has_backup = rows[i].has_backup;
		sites[0].up = rows[i].up;
		sites[0].backup_ok = rows[i].ok;
		sites[0].slots_with = rows[i].slots_with;
		if (strcmp(ask_guard(OPERATION_GUARD_BACKUP), rows[i].text) != 0)
			fail_msg("%s: %s", rows[i].why, ask_guard(OPERATION_GUARD_BACKUP));
	}
}

/* A site that gets clients: its checks from outside and its own pools, then its signs. */
static void how_receivers_are_is_said(void **state)
{
	static const struct {
		const char *why;
		bool checked;
		enum operation_truth failing, pools;
		uint64_t repeats,
		        drops; /* a second now; 0 as the way began; UINT64_MAX: not known */
		const char *text;
	} rows[] = {
		{ "well", true, NO, YES, 0, 0, "passes: all receivers are well" },
		{ "nobody checks it", false, DARK, YES, 0, 0,
		  "passes: all receivers are well (by their own pools: no site checks them)" },
		{ "a check fails", true, YES, YES, 0, 0, "trips: a VIP check of site fra fails" },
		{ "whether a check fails is not known", true, DARK, YES, 0, 0,
		  "cannot tell: whether VIP checks of site fra fail is not known" },
		{ "a pool is down", true, NO, NO, 0, 0,
		  "trips: a pool of site fra is below min_healthy" },
		{ "its pools are not known", true, NO, DARK, 0, 0,
		  "cannot tell: whether the pools of site fra are up is not known" },
		{ "a check fails, and its pools are not known", true, YES, DARK, 0, 0,
		  "trips: a VIP check of site fra fails" },
		{ "SYNs are repeated", true, NO, YES, 500, 0,
		  "trips: repeated SYNs at site fra have risen to 500/s" },
		{ "packets are dropped", true, NO, YES, 0, 600,
		  "trips: drops at site fra have risen to 600/s" },
		{ "repeated SYNs are not known", true, NO, YES, UINT64_MAX, 0,
		  "cannot tell: repeated SYNs or drops at site fra are not known" },
		{ "drops are not known", true, NO, YES, 0, UINT64_MAX,
		  "cannot tell: repeated SYNs or drops at site fra are not known" },
		{ "SYNs are repeated, and drops are not known", true, NO, YES, 500, UINT64_MAX,
		  "trips: repeated SYNs at site fra have risen to 500/s" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		op.way = OPERATION_OUT;
		op.goal_ppm = MODEL_PPM_ALL;
		sites[1].up = YES;
		sites[1].out = NO;
		sites[1].checked = rows[i].checked;
		sites[1].failing = rows[i].failing;
		sites[1].pools = rows[i].pools;
		sites[1].flows = sites[1].arrivals = KNOWN(100);
		sites[1].repeats = sites[1].drops = KNOWN(0);
		well_begin(&op, &facts);
		sites[1].repeats =
		        (struct operation_value){ rows[i].repeats != UINT64_MAX, rows[i].repeats };
		sites[1].drops =
		        (struct operation_value){ rows[i].drops != UINT64_MAX, rows[i].drops };
		if (strcmp(ask_guard(OPERATION_GUARD_RECEIVERS), rows[i].text) != 0)
			fail_msg("%s: %s", rows[i].why, ask_guard(OPERATION_GUARD_RECEIVERS));
	}
	sites[1].out = YES; /* it gets none */
	assert_string_equal(ask_guard(OPERATION_GUARD_RECEIVERS), "");
}

/* As many sites as a configuration may have: each receiver's signs and loads are remembered. */
static void with_the_most_sites_each_receiver_is_judged(void **state)
{
	static struct operation_site many[SITES_MAX];
	static char names[SITES_MAX][8];
	static struct operation_load loads[OPERATION_SITES_MAX];

	start_scene(state);
	op.way = OPERATION_OUT;
	for (size_t i = 0; i < SITES_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "s%zu", i);
		many[i] = (struct operation_site){ .name = i ? names[i] : "ams",
			                           .serves = true,
			                           .checked = true,
			                           .out = NO,
			                           .failing = NO,
			                           .up = YES,
			                           .pools = YES,
			                           .flows = KNOWN(100),
			                           .repeats = KNOWN(0),
			                           .drops = KNOWN(0) };
	}
	facts.sites = many;
	facts.n_sites = SITES_MAX;
	well_begin(&op, &facts);
	assert_string_equal(ask_guard(OPERATION_GUARD_RECEIVERS), "passes: all receivers are well");
	many[SITES_MAX - 1].drops = KNOWN(600);
	assert_string_equal(ask_guard(OPERATION_GUARD_RECEIVERS),
	                    "trips: drops at site s63 have risen to 600/s");
	assert_int_equal(history_loads(&t, loads), SITES_MAX);
	assert_string_equal(loads[SITES_MAX - 1].site, "s63");
	/* a step has room for its targets, and for some of the others */
	op.n_targets = 2;
	strcpy(op.targets[0].site, "s40");
	strcpy(op.targets[1].site, "s7");
	history_begin(&t, 0, MODEL_PPM_ALL);
	history_measure(&t);
	assert_int_equal(op.steps[0].n_loads, OPERATION_LOADS_MAX);
	assert_string_equal(op.steps[0].loads[7].site, "s7");
	assert_string_equal(op.steps[0].loads[14].site, "s14");
	assert_string_equal(op.steps[0].loads[15].site, "s40");
}

static void what_was_not_measured_is_named(void **state)
{
	static const char fine[] = "passes: all that is needed was measured in the last seconds",
	                  flows_ams[] = "cannot tell: new flows of site ams are not measured",
	                  flows_fra[] = "cannot tell: new flows of site fra are not measured",
	                  signs_fra[] = "cannot tell: repeated SYNs and drops of site fra are not "
	                                "measured",
	                  ttl[] = "cannot tell: the longest TTL of the answers given is not known";
	const struct {
		struct operation_value *missing;
		const char *text;
	} rows[] = {
		{ NULL, fine },
		{ &facts.ttl_s, ttl },
		{ &sites[0].flows, flows_ams },
		{ &sites[0].arrivals, flows_ams },
		{ &sites[0].repeats, fine }, /* of a target they do not count */
		{ &sites[0].drops, fine },
		{ &sites[1].flows, flows_fra },
		{ &sites[1].arrivals, flows_fra },
		{ &sites[1].repeats, signs_fra },
		{ &sites[1].drops, signs_fra },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		op.way = OPERATION_OUT;
		op.goal_ppm = MODEL_PPM_ALL;
		facts.ttl_s = KNOWN(30);
		for (size_t k = 0; k < 2; k++) {
			sites[k].up = YES;
			sites[k].out = NO;
			sites[k].flows = sites[k].arrivals = KNOWN(5);
			sites[k].repeats = sites[k].drops = KNOWN(0);
		}
		if (rows[i].missing)
			rows[i].missing->known = false;
		if (strcmp(ask_guard(OPERATION_GUARD_FRESH), rows[i].text) != 0)
			fail_msg("%zu: %s", i, ask_guard(OPERATION_GUARD_FRESH));
	}
	sites[1].out = YES; /* it gets no clients, so nothing of it is needed */
	assert_string_equal(ask_guard(OPERATION_GUARD_FRESH), fine);
	sites[0].flows.known = false;
	sites[0].up = NO; /* and of a target that is down */
	assert_string_equal(ask_guard(OPERATION_GUARD_FRESH), fine);
}

/* --- another owner --- */

static void begin_taking(void **state)
{
	start_scene(state);
	facts.self = "fra-1";
	strcpy(op.owner, "ams-1");
	op.level_ppm = op.write.to_ppm = MODEL_PPM_ALL;
	op.write.epoch = op.epoch;
	op.seq = op.writes = 8;
}

static void who_may_not_take_an_operation_is_told_why(void **state)
{
	static const struct {
		const char *why, *self, *owner;
		uint32_t n_reached, epoch;
		size_t n_refusing;
		bool is_over;
		int err;
		const char *error;
	} rows[] = {
		{ "another node of another site", "fra-1", "ams-1", 5, 3, 0, false, 0, "" },
		{ "its own", "ams-1", "ams-1", 5, 3, 0, false, -EALREADY, "node ams-1 owns it" },
		{ "over", "fra-1", "ams-1", 5, 3, 0, true, -EINVAL, "operation o1 is over: done" },
		{ "at a site of the operation", "ams-2", "ams-1", 5, 3, 0, false, -EBUSY,
		  "node ams-2 is at a site of the operation: take it at node fra-1" },
		{ "too few nodes are reached", "fra-1", "ams-1", 1, 3, 0, false,
		  OPERATION_REFUSED + OPERATION_GUARD_MAJORITY,
		  "majority: 2 of 5 nodes are reached, which is no majority; name absent nodes with --without" },
		{ "half of the others have removed its node", "fra-1", "ams-1", 5, 3, 2, false, 0,
		  "" },
		{ "most others have removed its node", "fra-1", "ams-1", 5, 3, 3, false, -EINVAL,
		  "the configuration of node fra-2 does not have node fra-1: take it at node fra-2" },
		{ "the last epoch", "fra-1", "ams-1", 5, UINT32_MAX, 0, false, -EINVAL,
		  "no higher epoch is left" },
	};
	const struct operation_person ann = { .author = "ann", .reason = "why" };

	for (size_t i = 0; i < COUNT(rows); i++) {
		char error[512] = "";
		int err;

		begin_taking(state);
		facts.self = rows[i].self;
		strcpy(op.owner, rows[i].owner);
		op.epoch = op.write.epoch = rows[i].epoch;
		reach_nodes(NODES_MAX, rows[i].n_reached);
		nodes[2].reached = true;
		for (size_t k = 0; k < rows[i].n_refusing; k++)
			nodes[k + k / 2].refuses = true; /* not the one that asks */
		strcpy(op.id, "o1");
		if (rows[i].is_over)
			op.state = OPERATION_DONE;
		err = operation_own(&op, &facts, &ann, NOW_MS, error);
		if (err != rows[i].err || strcmp(error, rows[i].error) != 0)
			fail_msg("%s: %d, %s", rows[i].why, err, error);
		assert_string_equal(op.owner, err ? rows[i].owner : rows[i].self);
		assert_int_equal(op.seq, err ? 8 : 1);
		assert_int_equal(op.writes, err ? 8 : 1);
	}
}

/* An epoch of its own begins with write 1; who was named absent is there. */
static void who_takes_an_operation_begins_an_epoch(void **state)
{
	const struct operation_person ann = { .author = "ann", .reason = "why" };
	char error[512] = "";

	begin_taking(state);
	strcpy(op.without[0], "fra-1");
	strcpy(op.without[1], "fra-3");
	op.n_without = 2;
	nodes[4].levels[0].person = true; /* which is not known to be so */
	assert_int_equal(operation_own(&op, &facts, &ann, NOW_MS, error), 0);
	assert_true(op.epoch > 3);
	assert_int_equal(op.write.epoch, op.epoch);
	assert_int_equal(op.write.step, 1);
	assert_int_equal(op.seq, 1);
	assert_int_equal(op.n_without, 1);
	assert_string_equal(op.without[0], "fra-3");
	assert_int_equal(op.state, OPERATION_LATE);
}

/* No epoch of its own would pass the command, so none begins. */
static void a_persons_command_ends_it_for_who_takes_it(void **state)
{
	const struct operation_person ann = { .author = "ann", .reason = "why" };
	char error[512] = "";

	begin_taking(state);
	nodes[4].levels[0] = (struct operation_level){ .known = true, .person = true };
	assert_int_equal(operation_own(&op, &facts, &ann, NOW_MS, error), 0);
	assert_int_equal(op.state, OPERATION_ABORTED);
	assert_int_equal(op.epoch, 3);
	assert_int_equal(op.seq, 9);
	assert_int_equal(op.writes, 8);
	assert_string_equal(op.owner, "ams-1");
}

static void hold_by(const char *code)
{
	nodes[0].dns = OPERATION_YES;
	strcpy(op.owner, "fra-1");
	op.state = OPERATION_HELD;
	op.hold.from = OPERATION_LATE;
	strcpy(op.hold.code, code);
	op.reads_levels = true;
	op.unknown_ms = op.waited_ms = TICK_FORCE_MS;
}

static void who_resumes_while_levels_are_read_is_told_what_lacks(void **state)
{
	static const struct {
		const char *why, *code;
		bool known, adds;
		int err;
		const char *error;
	} rows[] = {
		{ "nothing lacks", "taken", true, false, -EALREADY,
		  "node fra-1 reads the levels of all nodes" },
		{ "a level lacks", "taken", false, false, -EALREADY,
		  "node fra-1 reads the levels of all nodes: node ams-1 does not say its level" },
		{ "a node more is named absent", "taken", false, true, 0, "" },
		{ "it was held before", "node-lost", false, false, 0, "" },
		{ "it was held before, and nothing lacks", "node-lost", true, false, 0, "" },
		{ "a level has lacked for long", "not-in-force", false, false, -EINVAL,
		  "node ams-1 does not say its level; to go on without it: --without ams-1" },
		{ "it has come since", "not-in-force", true, false, 0, "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char error[512] = "";
		int err;

		start_scene(state);
		hold_by(rows[i].code);
		nodes[0].levels[0].known = rows[i].known;
		err = own_refuse_resume(&t, rows[i].adds, error);
		if (err != rows[i].err || strcmp(error, rows[i].error) != 0)
			fail_msg("%s: %d, %s", rows[i].why, err, error);
		own_resume(&t); /* it reads on, and counts from now */
		assert_string_equal(op.hold.code, "taken");
		assert_int_equal(op.unknown_ms, 0);
		assert_int_equal(op.waited_ms, 0);
		assert_true(op.reads_levels);
	}
}

/* What held it before holds it while levels are read and afterwards. */
static void an_operation_that_was_held_stays_so_when_levels_are_read(void **state)
{
	start_scene(state);
	hold_by("node-lost");
	own_read_levels(&t);
	assert_string_equal(op.hold.code, "node-lost");
	assert_string_equal(op.waits, "node ams-1 does not say its level");
	nodes[0].levels[0].known = true;
	op.waited_ms = step_wait_ms(&op);
	own_read_levels(&t);
	assert_false(op.reads_levels);
	assert_int_equal(op.state, OPERATION_HELD);
	assert_string_equal(op.hold.code, "node-lost");
	assert_string_equal(op.waits, "");
}

/* What is missing is counted until it is there, and from 0 when it is missing again. */
static void a_new_owner_reads_levels_and_then_waits_for_a_ttl(void **state)
{
	static const struct {
		const char *why;
		bool known;
		int64_t unknown_ms, waited_ms;
		const char *waits, *code;
		bool reads;
		int64_t to_unknown_ms, to_waited_ms;
	} rows[] = {
		{ "a level is missing", false, TICK_FORCE_MS - 1, 77,
		  "node ams-1 does not say its level", "taken", true, TICK_FORCE_MS - 1, 0 },
		{ "it has been missing for long", false, TICK_FORCE_MS, 77, "", "not-in-force",
		  true, 0, 0 },
		{ "it came just in time", true, TICK_FORCE_MS - 1, 77,
		  "answers given before the hold may be in use", "taken", true, 0, 77 },
		{ "it came too late", true, TICK_FORCE_MS, 0,
		  "answers given before the hold may be in use", "taken", true, 0, 0 },
		{ "a TTL is not over", true, 5,
		  TICK_TTL_UNKNOWN_S * INT64_C(1000) + MODEL_AFTER_TTL_MS - 1,
		  "answers given before the hold may be in use", "taken", true, 0,
		  TICK_TTL_UNKNOWN_S * INT64_C(1000) + MODEL_AFTER_TTL_MS - 1 },
		{ "a TTL is over", true, 5, TICK_TTL_UNKNOWN_S * INT64_C(1000) + MODEL_AFTER_TTL_MS,
		  "", "", false, 0, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		nodes[0].dns = OPERATION_YES;
		nodes[0].levels[0].known = rows[i].known;
		op.state = OPERATION_HELD;
		op.hold.from = OPERATION_LATE;
		strcpy(op.hold.code, "taken");
		op.reads_levels = true;
		op.unknown_ms = rows[i].unknown_ms;
		op.waited_ms = rows[i].waited_ms;
		own_read_levels(&t);
		if (strcmp(op.waits, rows[i].waits) != 0 ||
		    strcmp(op.hold.code, rows[i].code) != 0 || op.reads_levels != rows[i].reads ||
		    op.unknown_ms != rows[i].to_unknown_ms || op.waited_ms != rows[i].to_waited_ms)
			fail_msg("%s: \"%s\", \"%s\", reads %d, unknown for %lld, waited %lld",
			         rows[i].why, op.waits, op.hold.code, op.reads_levels,
			         (long long)op.unknown_ms, (long long)op.waited_ms);
	}
}

/* Nothing moves and nobody has written since: there is nothing to find out first. */
static void who_takes_an_operation_that_waits_goes_on_at_its_level(void **state)
{
	const struct operation_person ann = { .author = "ann", .reason = "why" };
	char error[512] = "";

	(void)state;
	facts.self = "fra-1";
	strcpy(op.owner, "ams-1");
	op.level_ppm = MODEL_PPM_ALL;
	op.write.epoch = op.epoch;
	op.write.to_ppm = MODEL_PPM_ALL;
	if (operation_own(&op, &facts, &ann, NOW_MS, error))
		fail_msg("refused: %s", error);
	assert_string_equal(op.owner, "fra-1");
	assert_int_equal(op.state, OPERATION_LATE);
	assert_false(op.reads_levels);
	assert_int_equal(op.write.to_ppm, MODEL_PPM_ALL);
	assert_int_equal(op.write.epoch, op.epoch);
}

/* --- the stages of a return --- */

static void begin_stages(void)
{
	op.state = OPERATION_RETURNING;
	op.way = OPERATION_BACK;
	op.stage = OPERATION_STAGE_POOLS;
	op.level_ppm = op.began_ppm = MODEL_PPM_ALL;
	op.write.epoch = 3;
	op.late_from_ms = 5000;
	sites[0].pools = sites[0].announced = sites[0].up = OPERATION_YES;
	sites[0].has_backup = true;
	sites[0].backup_left = OPERATION_NO;
}

static void each_stage_begins_anew_and_the_backup_leaves_before_the_steps(void **state)
{
	(void)state;
	begin_stages();
	for (enum operation_stage stage = OPERATION_STAGE_POOLS; stage < OPERATION_STAGE_BACKUP;
	     stage++) {
		assert_int_equal(op.stage, stage);
		assert_int_equal(op.late_from_ms, 5000);
		op.state_ms = op.unknown_ms = 77;
		back_return(&t);
		assert_int_equal(op.state_ms, 0);
		assert_int_equal(op.unknown_ms, 0);
	}
	assert_int_equal(op.stage, OPERATION_STAGE_BACKUP);
	assert_int_equal(op.late_from_ms, 0);
	assert_int_equal(op.write.late_from_ms, 0);
	assert_int_equal(op.write.from_ms, NOW_MS + OPERATION_AHEAD_MS);
	assert_int_equal(op.write.to_ppm, MODEL_PPM_ALL);
	back_return(&t);
	assert_int_equal(op.stage, OPERATION_STAGE_BACKUP); /* its members have slots */
	assert_non_null(strstr(op.waits, "backup members have left"));
	op.state_ms = TICK_STAGE_MS - 1;
	back_return(&t);
	assert_int_equal(op.state, OPERATION_RETURNING);
	op.state_ms = TICK_STAGE_MS;
	back_return(&t);
	assert_int_equal(op.state, OPERATION_HELD);
	assert_string_equal(op.hold.code, "backup-leaves");
}

static void each_stage_that_does_not_end_holds_by_its_own_code(void **state)
{
	static const struct {
		enum operation_stage stage;
		enum operation_truth pools, announced, up;
		const char *code;
	} rows[] = {
		{ OPERATION_STAGE_POOLS, OPERATION_NO, OPERATION_YES, OPERATION_YES, "pools" },
		{ OPERATION_STAGE_ANNOUNCE, OPERATION_YES, OPERATION_NO, OPERATION_YES,
		  "announce" },
		{ OPERATION_STAGE_OUTSIDE, OPERATION_YES, OPERATION_YES, OPERATION_NO,
		  "site-down" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		begin_stages();
		op.stage = rows[i].stage;
		sites[0].pools = rows[i].pools;
		sites[0].announced = rows[i].announced;
		sites[0].up = rows[i].up;
		op.state_ms = TICK_STAGE_MS;
		back_return(&t);
		assert_int_equal(op.state, OPERATION_HELD);
		assert_string_equal(op.hold.code, rows[i].code);
	}
}

/* What was down long before the drain never comes: then a person returns the site without waiting. */
static void a_return_that_is_held_says_what_does_not_wait(void **state)
{
	char name[MODEL_NAME_MAX];

	(void)state;
	begin_stages();
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	strcpy(op.targets[0].site, name);
	sites[0].name = name;
	sites[0].pools = OPERATION_NO;
	op.state_ms = TICK_STAGE_MS;
	back_return(&t);
	assert_int_equal(op.state, OPERATION_HELD);
	assert_non_null(strstr(op.hold.detail,
	                       "its own pools are up by its own checks; without waiting: "
	                       "weir undrain site NAME --scheduled --reason TEXT"));
}

static void of_two_that_are_ready_one_begins_its_steps(void **state)
{
	static const struct operation_other other = { .id = "other", .moves = true };

	(void)state;
	begin_stages();
	op.stage = OPERATION_STAGE_BACKUP;
	sites[0].backup_left = OPERATION_YES;
	facts.others = &other;
	facts.n_others = 1;
	back_return(&t);
	assert_int_equal(op.stage, OPERATION_STAGE_BACKUP);
	assert_non_null(strstr(op.waits, "other"));
	facts.n_others = 0;
	back_return(&t);
	assert_int_equal(op.stage, OPERATION_STAGE_STEPS);
}

/* --- quiet targets --- */

static void a_target_is_quiet_below_a_hundredth(void **state)
{
	static const struct {
		struct operation_value before, flows;
		bool incomplete;
		enum operation_state state;
	} cases[] = {
		{ { true, 1000 }, { true, 10 }, false, OPERATION_LATE },
		{ { true, 1000 }, { true, 9 }, false, OPERATION_DRAINED },
		{ { true, 1001 },
		  { true, 10 },
		  false,
		  OPERATION_DRAINED }, /* 10.01 are not reached */
		{ { true, 50 }, { true, 1 }, false, OPERATION_LATE },
		{ { true, 50 }, { true, 0 }, false, OPERATION_DRAINED },
		{ { false, 0 }, { true, 1 }, false, OPERATION_LATE },
		{ { false, 0 }, { true, 0 }, false, OPERATION_DRAINED },
		{ { true, 1000 }, { true, 9 }, true, OPERATION_LATE }, /* not known of all nodes */
		{ { true, 1000 }, { false, 0 }, false, OPERATION_LATE },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		start_scene(state);
		op.targets[0].baseline = cases[i].before;
		sites[0].flows = cases[i].flows;
		sites[0].incomplete = cases[i].incomplete;
		facts.ttl_s = KNOWN(60);
		stay_late(&t);
		if (op.state != cases[i].state)
			fail_msg("case %zu: %s", i, operation_state_text(op.state));
	}
}

/* Why it is not known whether a target is quiet. A node that is not of the model has no site. */
static void who_cannot_say_whether_a_target_is_quiet_is_named(void **state)
{
	static const struct {
		size_t n_reached;
		struct operation_value flows;
		const char *waits;
	} cases[] = {
		{ 0, { false, 0 }, "no node of site ams is reached" },
		{ 1, { false, 0 }, "new flows of site ams are not measured" },
		{ 1, { true, 0 }, "a node of site ams is absent" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		start_scene(state);
		nodes[2].site = NULL;
		for (size_t k = 0; k < 2; k++)
			nodes[k].reached = k < cases[i].n_reached;
		sites[0].flows = cases[i].flows;
		sites[0].incomplete = true;
		facts.ttl_s = KNOWN(60);
		stay_late(&t);
		if (!strstr(op.waits, cases[i].waits))
			fail_msg("case %zu: %s", i, op.waits);
	}
}

/* Who looks at another node reads what was written: a number of an hour ago would be no number of now. */
static void numbers_of_a_wait_are_written_now_and_then(void **state)
{
	unsigned n_changes = 0;

	start_scene(state);
	nodes[2].site = NULL;
	facts.elapsed_ms = 1000;
	sites[0].flows = KNOWN(812);
	operation_next(&op, &facts, NOW_MS, &act);
	assert_true(act.changed);      /* other words */
	for (int i = 0; i < 60; i++) { /* it falls for half a minute, and stays */
		sites[0].flows = KNOWN(i < 30 ? 800 - i : 770);
		operation_next(&op, &facts, NOW_MS, &act);
		n_changes += act.changed;
	}
	assert_non_null(strstr(op.waits, "accept 770 new flows"));
	assert_int_equal(n_changes, 4); /* the last one tells what it is now */
	assert_true(op.published_ms >= 20000);
}

/* --- levels --- */

/* A hold takes back what was written; a node that is higher than that has it as well. */
static void a_hold_is_had_by_its_own_step_alone(void **state)
{
	static const struct {
		struct operation_level level;
		enum operation_truth held;
	} cases[] = {
		{ { .known = true, .epoch = 3, .step = 4, .level_ppm = 100000 }, OPERATION_YES },
		{ { .known = true, .epoch = 3, .step = 4, .level_ppm = 99999 }, OPERATION_YES },
		{ { .known = true, .epoch = 2, .step = 4, .level_ppm = 100000 }, OPERATION_NO },
		{ { .known = true, .epoch = 3, .step = 3, .level_ppm = 100000 }, OPERATION_NO },
		{ { .known = true, .epoch = 3, .step = 4, .level_ppm = 100001 }, OPERATION_NO },
		{ { .known = true, .epoch = 3, .step = 4, .level_ppm = 150000 }, OPERATION_NO },
		{ { .known = true, .epoch = 3, .step = 4, .level_ppm = 150001 }, OPERATION_YES },
		{ { .known = true, .epoch = 2, .step = 4, .level_ppm = 150001 }, OPERATION_NO },
		{ { .known = true, .epoch = 3, .step = 3, .level_ppm = 150001 }, OPERATION_NO },
		{ { .known = false, .epoch = 3, .step = 4, .level_ppm = 150001 },
		  OPERATION_UNKNOWN },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *missing = "";

		start_scene(state);
		op.way = OPERATION_BACK;
		op.write = (struct operation_write){
			.epoch = 3, .step = 4, .from_ppm = 150000, .to_ppm = 100000
		};
		nodes[3].dns = OPERATION_YES;
		nodes[3].levels[0] = cases[i].level;
		if (level_is_held(&t, &missing) != cases[i].held)
			fail_msg("case %zu", i);
		assert_string_equal(missing, cases[i].held == OPERATION_YES ? "" : "fra-2");
	}
}

/* A step that some node knows nothing of would be nobody's when that node becomes its owner. */
static void no_step_begins_before_all_have_the_record(void **state)
{
	(void)state;
	op.state = OPERATION_MOVING;
	op.way = OPERATION_OUT;
	op.now = true;
	op.n_plan = 1;
	op.plan_ppm[0] = MODEL_PPM_ALL;
	sites[1].up = facts.clock = OPERATION_YES;
	facts.unconfirmed = OPERATION_NO;
	facts.document = OPERATION_DOCUMENT_FINE;
	facts.max_sites_out = KNOWN(1);
	facts.ttl_s = KNOWN(60);
	for (int i = 0; i < OPERATION_GUARD_COUNT; i++)
		op.overridden[i] = true;
	assert_false(step_run(&t));
	assert_true(op.step_runs);
	assert_int_equal(op.write.to_ppm, MODEL_PPM_ALL);
}

/* A step to 50 % runs, half of a way that all guards let through. */
static void run_half_way(enum operation_state state, enum operation_way way)
{
	op.state = state;
	op.way = way;
	op.n_plan = 2;
	op.plan_ppm[0] = op.write.to_ppm = 500000;
	op.plan_ppm[1] = way == OPERATION_OUT ? MODEL_PPM_ALL : 0;
	op.write.epoch = op.write.step = 3;
	op.now = true; /* the plan stays as it is */
	op.step_runs = true;
	op.n_steps = 1;
	op.steps[0] = (struct operation_step){ .to_ppm = 500000 };
	for (size_t i = 0; i < 2; i++)
		sites[i].up = OPERATION_YES;
	facts.clock = OPERATION_YES;
	facts.unconfirmed = OPERATION_NO;
	facts.document = OPERATION_DOCUMENT_FINE;
	facts.max_sites_out = KNOWN(1);
	for (int i = 0; i < OPERATION_GUARD_COUNT; i++)
		op.overridden[i] = true;
}

#define ANSWERS(s) "answers given before the step may be in use for " s " s more"
#define CANARY(s)  "the first 1 % of the clients is watched for " s " s more"
#define TTL_MS     65000 /* with the time in which the last answer comes */
#define PACE(s)    "by its pace (--over) the step takes " s " s more"

/* One TTL and 5 s, 2 min for a first 1 % on the way back, its part of --over: the last of them ends it. */
static void a_step_that_is_in_force_has_its_time(void **state)
{
	static const struct {
		const char *why;
		bool knows_ttl; /* 60 s */
		uint32_t to_ppm;
		enum operation_state state;
		int64_t over_ms, waited_ms, in_step_ms;
		const char *waits; /* NULL: it ends */
	} rows[] = {
		{ "it begins", true, 500000, OPERATION_MOVING, 0, 0, 0, ANSWERS("65") },
		{ "a moment", true, 500000, OPERATION_MOVING, 0, 1, 1, ANSWERS("65") },
		{ "a second", true, 500000, OPERATION_MOVING, 0, 1000, 1, ANSWERS("64") },
		{ "its last moment", true, 500000, OPERATION_MOVING, 0, 64999, 1, ANSWERS("1") },
		{ "it is over", true, 500000, OPERATION_MOVING, 0, 65000, 65000, NULL },
		{ "no TTL is known", false, 500000, OPERATION_MOVING, 0, 304999, 1, ANSWERS("1") },
		{ "of no known TTL", false, 500000, OPERATION_MOVING, 0, 305000, 1, NULL },
		{ "the first 1 %", true, 990000, OPERATION_RETURNING, 0, 65000, 1, CANARY("55") },
		{ "their last moment", true, 990000, OPERATION_RETURNING, 0, 119999, 1,
		  CANARY("1") },
		{ "they are back", true, 990000, OPERATION_RETURNING, 0, 120000, 1, NULL },
		{ "a larger step", true, 989999, OPERATION_RETURNING, 0, 65000, 1, NULL },
		{ "an abort", true, 990000, OPERATION_ABORTING, 0, 65000, 1, NULL },
		{ "a pace", true, 500000, OPERATION_MOVING, 240000, 65000, 65000, PACE("55") },
		{ "before it", true, 500000, OPERATION_MOVING, 240000, 64999, 120000,
		  ANSWERS("1") },
		{ "its end", true, 500000, OPERATION_MOVING, 240000, 65000, 119999, PACE("1") },
		{ "past it", true, 500000, OPERATION_MOVING, 240000, 65000, 120000, NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		run_half_way(rows[i].state,
		             rows[i].state == OPERATION_MOVING ? OPERATION_OUT : OPERATION_BACK);
		op.steps[0].in_force_ms = 1;
		op.steps[0].to_ppm = rows[i].to_ppm;
		if (rows[i].knows_ttl)
			op.steps[0].ttl_s = KNOWN(60);
		op.over_ms = rows[i].over_ms;
		op.waited_ms = rows[i].waited_ms;
		op.in_step_ms = rows[i].in_step_ms;
		print_message("  %s\n", rows[i].why);
		assert_false(step_run(&t));
		assert_int_equal(op.step, !rows[i].waits);
		assert_int_equal(op.steps[0].ended_ms, rows[i].waits ? 0 : NOW_MS);
		if (rows[i].waits)
			assert_string_equal(op.waits, rows[i].waits);
		assert_int_equal(op.state, rows[i].state);
	}
}

/* Clients that do not follow their names have two TTLs and a minute more for it. */
static void a_share_that_stays_wrong_holds_in_the_end(void **state)
{
	static const struct {
		int64_t waited_ms;
		enum operation_state state;
		const char *code;
	} rows[] = {
		{ TTL_MS, OPERATION_MOVING, "" },
		{ 2 * TTL_MS + TICK_SHARE_MS - 1, OPERATION_MOVING, "" },
		{ 2 * TTL_MS + TICK_SHARE_MS, OPERATION_HELD, "share" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		run_half_way(OPERATION_MOVING, OPERATION_OUT);
		op.overridden[OPERATION_GUARD_SHARE] = false;
		op.steps[0].in_force_ms = 1;
		op.steps[0].ttl_s = KNOWN(60);
		op.waited_ms = rows[i].waited_ms;
		facts.window_flows = KNOWN(400);
		facts.window_answers = KNOWN(2000);
		sites[0].arrivals = KNOWN(300);
		sites[1].arrivals = KNOWN(100);
		for (size_t p = 0; p < COUNT(sites[0].at); p++)
			sites[0].at[p].share_ppm = KNOWN(200000);
		assert_false(step_run(&t));
		assert_int_equal(op.step, 0);
		assert_string_equal(op.state == OPERATION_HELD ? op.hold.detail : op.waits,
		                    "new flows at the site are 75.0% of all; 20.0% were projected");
		assert_int_equal(op.state, rows[i].state);
		assert_string_equal(op.hold.code, rows[i].code);
	}
}

/* A step that a hold stopped in the same direction has its TTL first; then the next is announced, with its part of the pace. */
static void a_step_begins_once_the_last_one_has_settled(void **state)
{
	static const struct {
		const char *why;
		uint32_t from_ppm; /* of the last step, to 50 % */
		int64_t ended_ms, waited_ms;
		bool begins;
	} rows[] = {
		{ "it was stopped", 0, 0, 64999, false },
		{ "it was stopped a TTL ago", 0, 0, 65000, true },
		{ "it has ended", 0, 7, 0, true },
		{ "it was one back", MODEL_PPM_ALL, 0, 0, true },
		{ "it was stopped before it moved anything", 500000, 0, 0, true },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		run_half_way(OPERATION_MOVING, OPERATION_OUT);
		op.step_runs = false;
		op.step = 1;
		op.level_ppm = 500000;
		op.over_ms = 240000;
		op.in_step_ms = 9;
		op.waited_ms = rows[i].waited_ms;
		op.steps[0].from_ppm = rows[i].from_ppm;
		op.steps[0].ended_ms = rows[i].ended_ms;
		op.steps[0].ttl_s = KNOWN(60);
		print_message("  %s\n", rows[i].why);
		assert_false(step_run(&t));
		assert_int_equal(op.step_runs, rows[i].begins);
		assert_int_equal(op.n_steps, rows[i].begins ? 2 : 1);
		if (!rows[i].begins) {
			assert_string_equal(op.waits,
			                    "answers given before the hold may be in use");
			continue;
		}
		assert_int_equal(op.in_step_ms, 0);
		assert_int_equal(op.waited_ms, 0);
		assert_int_equal(op.write.from_ppm, 500000);
		assert_int_equal(op.write.to_ppm, MODEL_PPM_ALL);
		assert_int_equal(op.write.from_ms, NOW_MS + 2000);
		assert_int_equal(op.write.over_ms, 120000);
		assert_int_equal(op.steps[1].from_ppm, 500000);
		assert_int_equal(op.steps[1].to_ppm, MODEL_PPM_ALL);
	}
}

/* A guard's answer may be unknown for a while; once it is known, the wait begins again. */
static void a_guard_that_cannot_be_asked_is_waited_for(void **state)
{
	static const struct {
		const char *why;
		enum operation_truth clock;
		enum operation_way way;
		enum operation_truth up; /* ams, to which clients return */
		int64_t unknown_ms, to_unknown_ms;
		const char *waits, *code, *detail;
	} rows[] = {
		{ "all is known", OPERATION_YES, OPERATION_BACK, OPERATION_YES, 1499, 0, "", "",
		  "" },
		{ "not known", OPERATION_UNKNOWN, OPERATION_OUT, OPERATION_NO, 1499, 1499,
		  "whether the clock of node ams-1 is right is not known", "", "" },
		{ "not known for long", OPERATION_UNKNOWN, OPERATION_OUT, OPERATION_NO, 1500, 0, "",
		  "clock", "whether the clock of node ams-1 is right is not known" },
		{ "known, and wrong", OPERATION_NO, OPERATION_OUT, OPERATION_NO, 1499, 0, "",
		  "clock", "the clock of node ams-1 is not believed" },
		{ "of the site not known", OPERATION_YES, OPERATION_BACK, OPERATION_UNKNOWN, 1499,
		  1499, "whether site ams is up is not known", "", "" },
		{ "of the site not known for long", OPERATION_YES, OPERATION_BACK,
		  OPERATION_UNKNOWN, 1500, 0, "", "site-down",
		  "site ams is not up as seen from outside" },
		{ "the site is down", OPERATION_YES, OPERATION_BACK, OPERATION_NO, 1499, 0, "",
		  "site-down", "site ams is not up as seen from outside" },
		{ "it is left anyway", OPERATION_YES, OPERATION_OUT, OPERATION_NO, 1499, 0, "", "",
		  "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		run_half_way(rows[i].way == OPERATION_OUT ? OPERATION_MOVING : OPERATION_RETURNING,
		             rows[i].way);
		facts.clock = rows[i].clock;
		sites[0].up = rows[i].up;
		op.overridden[OPERATION_GUARD_CLOCK] = false;
		op.unknown_ms = rows[i].unknown_ms;
		print_message("  %s\n", rows[i].why);
		assert_int_equal(step_query_guards(&t, OPERATION_DURING),
		                 !*rows[i].waits && !*rows[i].code);
		assert_string_equal(op.waits, rows[i].waits);
		assert_string_equal(op.hold.code, rows[i].code);
		assert_string_equal(op.hold.detail, rows[i].detail);
		assert_int_equal(op.unknown_ms, rows[i].to_unknown_ms);
	}
}

/* The way out counts from its own begin, also after one back; the way back from the first. */
static void a_way_begins_with_who_is_there(void **state)
{
	static const struct {
		const char *why;
		enum operation_way way;
		int64_t began_ms, to_began_ms;
	} rows[] = {
		{ "the first way", OPERATION_OUT, 0, NOW_MS },
		{ "out again", OPERATION_OUT, 7, NOW_MS },
		{ "back", OPERATION_BACK, 7, 7 },
		{ "back from where a person was", OPERATION_BACK, 0, NOW_MS },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		op.state = OPERATION_MOVING;
		op.way = rows[i].way;
		op.began_ms = rows[i].began_ms;
		op.n_took_part = 1;
		op.took_part[0] = hash_text("fra-2"); /* of the way before */
		nodes[1].reached = false;
		strcpy(op.without[op.n_without++], "fra-2");
		facts.key_fingerprint = 77;
		print_message("  %s\n", rows[i].why);
		t.changed = false;
		step_begin_way(&t);
		assert_true(t.changed);
		assert_int_equal(op.began_ms, rows[i].to_began_ms);
		assert_int_equal(op.key_fingerprint, 77);
		assert_int_equal(op.n_took_part, 3);
		assert_true(operation_took_part(&op, "ams-1"));
		assert_true(operation_took_part(&op, "fra-1"));
		assert_true(operation_took_part(&op, "fra-3"));
	}
}

#define FORCED "the level of the step in force"
#define STARTS "the level that the step starts from"

/* The write is announced 2 s ahead, has its ramp, and 30 s; where it does not come the operation is held. */
static void a_step_that_a_node_does_not_have_is_waited_for(void **state)
{
	static const struct {
		const char *why;
		bool runs; /* else it is to begin */
		bool known;
		uint32_t step, level_ppm;
		int64_t ramp_ms, ms; /* in the step, or waited */
		const char *waits, *code;
	} rows[] = {
		{ "all have it", true, true, 3, 500000, 0, 32000, "", "" },
		{ "another step", true, true, 2, 500000, 0, 31999,
		  "node fra-2 does not have " FORCED, "" },
		{ "for long", true, true, 2, 500000, 0, 32000, "node fra-2 does not have " FORCED,
		  "not-in-force" },
		{ "with a ramp", true, true, 3, 400000, 5000, 36999,
		  "node fra-2 does not have " FORCED, "" },
		{ "past the ramp", true, true, 3, 400000, 5000, 37000,
		  "node fra-2 does not have " FORCED, "not-in-force" },
		{ "not known", true, false, 3, 500000, 0, 31999,
		  "node fra-2 does not say whether it has " FORCED, "" },
		{ "not known for long", true, false, 3, 500000, 0, 32000,
		  "node fra-2 does not say whether it has " FORCED, "not-in-force" },
		{ "not there yet", false, true, 3, 199999, 0, 29999,
		  "node fra-2 does not have " STARTS, "" },
		{ "not there for long", false, true, 3, 199999, 0, 30000,
		  "node fra-2 does not have " STARTS, "not-in-force" },
		{ "it does not say so", false, false, 3, 200000, 0, 30000,
		  "node fra-2 does not say whether it has " STARTS, "not-in-force" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		run_half_way(OPERATION_MOVING, OPERATION_OUT);
		op.step_runs = rows[i].runs;
		op.level_ppm = 200000;
		if (!rows[i].runs)
			op.write.to_ppm = op.level_ppm;
		op.write.over_ms = rows[i].ramp_ms;
		*(rows[i].runs ? &op.in_step_ms : &op.waited_ms) = rows[i].ms;
		facts.ttl_s = KNOWN(60);
		nodes[3].dns = OPERATION_YES;
		nodes[3].levels[0] = (struct operation_level){ .known = rows[i].known,
			                                       .epoch = 3,
			                                       .step = rows[i].step,
			                                       .level_ppm = rows[i].level_ppm };
		print_message("  %s\n", rows[i].why);
		assert_false(step_run(&t));
		assert_string_equal(op.hold.code, rows[i].code);
		if (*rows[i].code)
			assert_string_equal(op.hold.detail, rows[i].waits);
		else
			assert_string_equal(op.waits, rows[i].waits);
		assert_int_equal(op.state, *rows[i].code ? OPERATION_HELD : OPERATION_MOVING);
		assert_int_equal(op.steps[0].in_force_ms, *rows[i].waits ? 0 : NOW_MS);
		assert_int_equal(op.steps[0].ttl_s.value, *rows[i].waits ? 0 : 60);
		if (!*rows[i].code)
			assert_int_equal(op.level_ppm, *rows[i].waits ? 200000 : 500000);
	}
}

/* Clients come again, and leave again: it was drained when it was so first. */
static void what_is_drained_twice_was_drained_at_first(void **state)
{
	(void)state;
	op.state = OPERATION_DRAINED_UNCONFIRMED;
	sites[0].flows = KNOWN(0);
	stay_unconfirmed(&t);
	assert_int_equal(op.state, OPERATION_DRAINED);
	assert_int_equal(op.drained_ms, NOW_MS);
	assert_int_equal(op.n_after, 2);
	tick_enter(&t, OPERATION_LATE);
	t.now_ms += 5000;
	stay_late(&t);
	assert_int_equal(op.state, OPERATION_DRAINED);
	assert_int_equal(op.drained_ms, NOW_MS);
}

static void drained_is_empty_once_established_flows_are_silent(void **state)
{
	static const struct {
		struct operation_value established;
		bool incomplete, empty;
	} cases[] = { { { true, 0 }, false, true },
		      { { true, 1 }, false, false },
		      { { false, 0 }, false, false },
		      { { true, 0 }, true, false } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		start_scene(state);
		op.state = OPERATION_DRAINED;
		sites[0].established = cases[i].established;
		sites[0].incomplete = cases[i].incomplete;
		stay_drained(&t);
		assert_int_equal(op.state, cases[i].empty ? OPERATION_EMPTY : OPERATION_DRAINED);
	}
}

/* What two drains do together holds the younger; that a site died meanwhile, or serves others, does not. */
static void two_drains_that_leave_no_site_hold_the_younger(void **state)
{
	static const struct {
		const char *why;
		enum operation_truth up, out; /* of fra */
		const char *alone, *together;
		bool far_serves, holds; /* far: a site that the older one has drained */
		const char *detail;
	} rows[] = {
		{ "fra is left", YES, NO, NULL, NULL, true, false, "" },
		{ "fra is drained, too", YES, YES, NULL, NULL, true, true,
		  "no site that is up would be left, together with operation old, which is older" },
		{ "mail has lost fra", YES, NO, "mail", NULL, true, false, "" },
		{ "mail is drained elsewhere", YES, NO, "mail", "mail", true, true,
		  "service mail would be left without a site that is up, together with operation "
		  "old, which is older" },
		{ "another service has lost fra", YES, NO, "web", "mail", false, true,
		  "service mail would be left without a site that is up, together with operation "
		  "old, which is older" },
		{ "fra has died, and far serves others", NO, NO, "mail", NULL, false, false, "" },
	};
	static const struct operation_other others[] = { { "young", NOW_MS, false },
		                                         { "old", 1, false } };
	struct operation_site three[3];

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		memcpy(three, sites, sizeof(sites));
		three[1].up = rows[i].up;
		three[1].out = rows[i].out;
		three[2] = (struct operation_site){ .name = "far",
			                            .serves = rows[i].far_serves,
			                            .out = OPERATION_YES };
		facts.sites = three;
		facts.n_sites = 3;
		facts.others = others;
		facts.n_others = 2;
		facts.left_alone = rows[i].alone;
		facts.left_together = rows[i].together;
		strcpy(op.id, "young");
		op.created_ms = NOW_MS;
		op.state = OPERATION_DRAINED;
		stay_drained(&t);
		if ((op.state == OPERATION_HELD) != rows[i].holds ||
		    strcmp(op.hold.detail, rows[i].detail) != 0)
			fail_msg("%s: %s", rows[i].why, op.hold.detail);
	}
}

/* --- nodes that are named absent --- */

static void a_node_that_is_back_takes_part_again(void **state)
{
	(void)state;
	op.n_without = 3;
	strcpy(op.without[0], "fra-1");
	strcpy(op.without[1], "fra-2");
	strcpy(op.without[2], "fra-3");
	nodes[2].reached = false;
	nodes[4].reached = false;
	absent_return(&t);
	assert_int_equal(op.n_without, 2);
	assert_string_equal(op.without[0], "fra-1");
	assert_string_equal(op.without[1], "fra-3");
	nodes[2].reached = true;
	nodes[2].dns = OPERATION_YES; /* a name server whose level is not known is not there yet */
	absent_return(&t);
	assert_int_equal(op.n_without, 2);
	nodes[2].levels[0].known = true;
	absent_return(&t);
	assert_int_equal(op.n_without, 1);
	assert_string_equal(op.without[0], "fra-3");
}

/* A node that removed the owner is named before one that is silent; of several, the first. */
static void the_first_node_that_refuses_is_named(void **state)
{
	(void)state;
	op.state = OPERATION_MOVING;
	op.n_took_part = 3;
	for (uint32_t i = 0; i < 3; i++) {
		op.took_part[i] = hash_text(nodes[2 + i].name);
		nodes[2 + i].reached = false;
		nodes[2 + i].refuses = i > 0;
	}
	assert_false(step_query_guards(&t, OPERATION_DURING));
	assert_int_equal(op.state, OPERATION_HELD);
	assert_string_equal(op.hold.code, "owner-removed");
	assert_non_null(strstr(op.hold.detail, "node fra-2 "));
}

#define LOST(node)  "node-lost", "node " node " is not reached any more"
#define MINORITY(n) "majority", "1 of " n " nodes are reached, which is no majority"

/*
 * A node that took part is missed unless a person has named it absent, or it is not configured any more.
 * Where no node is missed, the majority is.
 */
static void a_node_that_took_part_is_missed_unless_it_is_named_absent(void **state)
{
	static const struct {
		const char *why, *part[2], *without;
		bool refuses; /* fra-2 */
		const char *code, *detail;
	} rows[] = {
		{ "it took part", { "fra-1" }, "", false, LOST("fra-1") },
		{ "it did not", { "ams-1" }, "", false, MINORITY("5") },
		{ "it is not configured any more", { "fra-9" }, "", false, MINORITY("5") },
		{ "it is absent", { "fra-1" }, "fra-1", false, MINORITY("4") },
		{ "another is absent", { "fra-1" }, "fra-2", false, LOST("fra-1") },
		{ "the first of two", { "fra-2", "fra-1" }, "", false, LOST("fra-1") },
		{ "the first is absent", { "fra-2", "fra-1" }, "fra-1", false, LOST("fra-2") },
		{ "the second refuses",
		  { "fra-1", "fra-2" },
		  "",
		  true,
		  "owner-removed",
		  "the configuration of node fra-2 does not have owner fra-1: take it over there" },
		{ "the one that refuses is absent",
		  { "fra-1", "fra-2" },
		  "fra-2",
		  true,
		  LOST("fra-1") },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		start_scene(state);
		op.state = OPERATION_MOVING;
		strcpy(op.owner, "fra-1");
		for (; op.n_took_part < 2 && rows[i].part[op.n_took_part]; op.n_took_part++)
			op.took_part[op.n_took_part] = hash_text(rows[i].part[op.n_took_part]);
		for (size_t k = 1; k < NODES_MAX; k++) /* what is reached would be noted */
			nodes[k].reached = false;
		nodes[3].refuses = rows[i].refuses;
		if (*rows[i].without)
			strcpy(op.without[op.n_without++], rows[i].without);
		for (int g = 0; g < OPERATION_GUARD_COUNT; g++)
			op.overridden[g] = true;
		print_message("  %s\n", rows[i].why);
		assert_false(step_query_guards(&t, OPERATION_DURING));
		assert_string_equal(op.hold.code, rows[i].code);
		assert_string_equal(op.hold.detail, rows[i].detail);
		assert_int_equal(op.state, OPERATION_HELD);
	}
}

/* As many as the schema allows. */
static void each_of_many_nodes_is_missed(void **state)
{
	static struct operation_node many[256];
	static char names[256][8];

	for (size_t lost = 0; lost < 256; lost += 51) {
		start_scene(state);
		op.state = OPERATION_MOVING;
		for (size_t i = 0; i < 256; i++) {
			snprintf(names[i], sizeof(names[i]), "n-%03zu", i);
			many[i] = nodes[0];
			many[i].name = names[i];
		}
		facts.nodes = many;
		facts.n_nodes = 256;
		step_note_nodes(&t);
		assert_int_equal(op.n_took_part, 256);
		many[lost].reached = false;
		assert_false(step_query_guards(&t, OPERATION_DURING));
		assert_string_equal(op.hold.code, "node-lost");
		assert_non_null(strstr(op.hold.detail, names[lost]));
	}
}

/* More nodes are reached then, and it is missed all the same. */
static void one_that_is_lost_as_others_return_is_missed(void **state)
{
	(void)state;
	op.state = OPERATION_MOVING;
	nodes[3].reached = nodes[4].reached = false;
	step_note_nodes(&t);
	nodes[3].reached = nodes[4].reached = true;
	nodes[2].reached = false;
	assert_false(step_query_guards(&t, OPERATION_DURING));
	assert_string_equal(op.hold.code, "node-lost");
	assert_non_null(strstr(op.hold.detail, "fra-1"));
	assert_int_equal(op.n_took_part, 5);
}

static void a_new_way_is_judged_by_all_guards_again(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		op.overridden[OPERATION_GUARD_ROOM] = op.overridden[OPERATION_GUARD_SHARE] = true;
		absent_next_way(&t);
		for (int g = 0; g < OPERATION_GUARD_COUNT; g++)
			assert_false(op.overridden[g]);
	}
}

/* --- signs of suffering --- */

static void signs_are_compared_with_what_was_first(void **state)
{
	(void)state;
	op.way = OPERATION_OUT;
	sites[1].at[0].receives = OPERATION_YES;
	well_begin(&op, &facts);
	assert_int_equal(op.n_signs, 1); /* of those that receive */
	assert_string_equal(op.signs[0].site, "fra");
	assert_int_equal(well_drops(&op, &sites[1]), OPERATION_UNKNOWN);
	sites[1].drops = KNOWN(100);
	sites[1].repeats = KNOWN(10);
	well_begin(&op, &facts); /* known now */
	sites[1].drops = KNOWN(202);
	sites[1].repeats = KNOWN(22);
	well_begin(&op, &facts); /* and of the beginning still */
	assert_int_equal(op.n_signs, 1);
	assert_int_equal(op.signs[0].drops.value, 100);
	assert_int_equal(op.signs[0].repeats.value, 10);
	assert_int_equal(well_drops(&op, &sites[1]), OPERATION_YES);
	assert_int_equal(well_repeats(&op, &sites[1]), OPERATION_YES);
	sites[1].drops = KNOWN(203);
	sites[1].repeats = KNOWN(23);
	assert_int_equal(well_drops(&op, &sites[1]), OPERATION_NO);
	assert_int_equal(well_repeats(&op, &sites[1]), OPERATION_NO);
	sites[1].flows = KNOWN(300); /* a hundredth of the new flows may be by chance */
	assert_int_equal(well_drops(&op, &sites[1]), OPERATION_YES);
	assert_int_equal(well_repeats(&op, &sites[1]), OPERATION_YES);
	sites[1].repeats = KNOWN(63); /* a fifth is never well */
	op.signs[0].repeats.value = 60;
	assert_int_equal(well_repeats(&op, &sites[1]), OPERATION_NO);
	sites[1].repeats = KNOWN(62);
	assert_int_equal(well_repeats(&op, &sites[1]), OPERATION_YES);
}

/* --- room --- */

static void the_margin_is_that_of_the_fullest_receiver(void **state)
{
	static const uint64_t loads[][2] = { { 300, 500 }, { 500, 300 } }; /* flows, bits */

	for (size_t i = 0; i < COUNT(loads); i++) {
		struct operation_verdict v;

		start_scene(state);
		op.way = OPERATION_OUT;
		op.goal_ppm = MODEL_PPM_ALL / 2; /* no late clients */
		sites[0].up = OPERATION_YES;
		sites[1].at[0].receives = OPERATION_YES;
		sites[1].capacity_flows = sites[1].capacity_bits = KNOWN(1000);
		sites[1].at[0].flows = KNOWN(loads[i][0]);
		sites[1].at[0].bits = KNOWN(loads[i][1]);
		v = judge_guard(OPERATION_GUARD_ROOM, OPERATION_DURING);
		assert_true(v.ok && v.margin.known);
		assert_int_equal(v.margin.value, 50);
	}
}

/* --- levels beyond the operation's --- */

/* Of a receiver both are needed: one alone does not tell that its clients are well. */
static void a_receiver_is_fresh_by_all_that_it_measures(void **state)
{
	const struct operation_value no = { 0 };

	(void)state;
	op.state = OPERATION_MOVING;
	op.way = OPERATION_OUT;
	sites[1].at[0].receives = sites[1].at[1].receives = OPERATION_YES;
	facts.ttl_s = KNOWN(30);
	for (unsigned which = 0; which < 32; which++) {
		struct operation_verdict v;

		for (int i = 0; i < 2; i++) {
			sites[i].flows = which & 1 ? KNOWN(100) : no;
			sites[i].arrivals = which & 2 ? KNOWN(100) : no;
		}
		sites[1].repeats = which & 4 ? KNOWN(1) : no;
		sites[1].drops = which & 8 ? KNOWN(1) : no;
		facts.ttl_s.known = which & 16;
		v = judge_guard(OPERATION_GUARD_FRESH, OPERATION_DURING);
		assert_int_equal(v.ok, which == 31);
	}
}

static void what_levels_hold_keeps_the_end_that_has_come(void **state)
{
	(void)state;
	op.state = OPERATION_MOVING;
	op.way = OPERATION_OUT;
	op.level_ppm = op.write.to_ppm = 200000;
	op.write.epoch = 3;
	op.write.step = 2;
	nodes[3].dns = OPERATION_YES;
	nodes[3].levels[0] = (struct operation_level){
		.known = true, .epoch = 3, .step = 2, .level_ppm = 200000
	};
	apart_check(&t);
	assert_int_equal(op.state, OPERATION_MOVING);
	nodes[3].levels[0].level_ppm = 200001;
	apart_check(&t);
	assert_int_equal(op.state, OPERATION_HELD);
	assert_true(apart_holds(&op));
	assert_int_equal(op.hold.from, OPERATION_MOVING);
	op.state = OPERATION_EXPIRED_HELD;
	nodes[3].levels[0].level_ppm = 310000;
	apart_check(&t);
	assert_int_equal(op.state, OPERATION_EXPIRED_HELD);
	assert_non_null(strstr(op.hold.detail, "31 %"));
	assert_int_equal(apart_highest(&t), 310000);
}

/* --- what is remembered of guards and holds --- */

static const struct {
	const char *why;
	struct {
		enum rule_id guard;
		bool unknown, overridden;
	} at[3];
	size_t n;
	int first; /* the guard that is named; -1: none */
} trips[] = {
	{ "none trips", { { 0 } }, 0, -1 },
	{ "one is overridden", { { OPERATION_GUARD_ROOM, false, true } }, 1, -1 },
	{ "one cannot tell, and is overridden", { { OPERATION_GUARD_ROOM, true, true } }, 1, -1 },
	{ "the first of two that trip",
	  { { OPERATION_GUARD_ROOM, false, false }, { OPERATION_GUARD_CLOCK, false, false } },
	  2,
	  OPERATION_GUARD_ROOM },
	{ "the first of three that cannot tell",
	  { { OPERATION_GUARD_ROOM, true, false },
	    { OPERATION_GUARD_FRESH, true, false },
	    { OPERATION_GUARD_OTHER, true, false } },
	  3,
	  OPERATION_GUARD_ROOM },
	{ "one that trips, behind one that cannot tell",
	  { { OPERATION_GUARD_LAST_SITE, true, false }, { OPERATION_GUARD_OTHER, false, false } },
	  2,
	  OPERATION_GUARD_OTHER },
	{ "one that cannot tell, behind one that is overridden",
	  { { OPERATION_GUARD_ROOM, false, true }, { OPERATION_GUARD_CLOCK, true, false } },
	  2,
	  OPERATION_GUARD_CLOCK },
};

static void the_first_guard_that_trips_is_named(void **state)
{
	struct operation_verdict verdicts[OPERATION_GUARD_COUNT];

	(void)state;
	for (size_t i = 0; i < COUNT(trips); i++) {
		for (int k = 0; k < OPERATION_GUARD_COUNT; k++)
			verdicts[k] =
			        (struct operation_verdict){ .guard = (enum rule_id)k, .ok = true };
		for (size_t k = 0; k < trips[i].n; k++) {
			struct operation_verdict *v = &verdicts[trips[i].at[k].guard];

			v->ok = false;
			v->unknown = trips[i].at[k].unknown;
			v->overridden = trips[i].at[k].overridden;
		}
		const struct operation_verdict *named = operation_tripped(verdicts);
		int is = named ? (int)named->guard : -1;

		if (is != trips[i].first)
			fail_msg("%s: guard %d is named", trips[i].why, is);
	}
}

/* By name; majority and clock have commands of their own, and an operation is ended. */
static void a_person_may_override_some_guards(void **state)
{
	static const bool may[OPERATION_GUARD_COUNT] = {
		[OPERATION_GUARD_LAST_SITE] = true, [OPERATION_GUARD_MAX_SITES_OUT] = true,
		[OPERATION_GUARD_ROOM] = true,      [OPERATION_GUARD_RECEIVERS] = true,
		[OPERATION_GUARD_FRESH] = true,     [OPERATION_GUARD_UNCONFIRMED] = true,
		[OPERATION_GUARD_BACKUP] = true,    [OPERATION_GUARD_NO_DNS] = true,
		[OPERATION_GUARD_SHARE] = true,
	};
	struct operation_verdict verdicts[OPERATION_GUARD_COUNT];

	(void)state;
	for (int given = 0; given < 2; given++) {
		for (int i = 0; i < OPERATION_GUARD_COUNT; i++)
			op.overridden[i] = given;
		operation_judge(&op, &facts, OPERATION_BEFORE, verdicts);
		for (int i = 0; i < OPERATION_GUARD_COUNT; i++)
			if ((int)verdicts[i].guard != i ||
			    verdicts[i].overridden != (given && may[i]))
				fail_msg("guard %s", rule_rows[i].name);
		assert_true(verdicts[OPERATION_GUARD_SHARE].ok); /* a step's end judges it */
		assert_false(verdicts[OPERATION_GUARD_SHARE].checked);
		assert_string_equal(verdicts[OPERATION_GUARD_SHARE].detail, "not checked");
	}
}

/* A field of the record, the caller's. */
static json_t *show_field(const char *name)
{
	json_t *whole = operation_to_json(&op), *field = json_incref(json_object_get(whole, name));

	json_decref(whole);
	return field;
}

static void note_margin(enum rule_id guard, bool known, uint64_t percent)
{
	struct operation_verdict verdicts[OPERATION_GUARD_COUNT] = { 0 };

	verdicts[guard].margin = (struct operation_value){ known, percent };
	history_margins(&op, verdicts);
}

static void a_step_is_remembered_with_all_that_was_seen(void **state)
{
	(void)state;
	op.state = OPERATION_MOVING;
	op.step = 1;
	op.n_plan = 3;
	op.writes = 9;
	facts.ttl_s = KNOWN(30);
	sites[0].arrivals = KNOWN(30);
	sites[0].bits = KNOWN(1000);
	sites[0].at[2].share_ppm = KNOWN(200000);
	sites[0].at[2].flows = KNOWN(20);
	sites[1].arrivals = KNOWN(70);
	sites[1].bits = KNOWN(2000);
	sites[1].capacity_flows = KNOWN(100);
	sites[1].capacity_bits = KNOWN(5000);
	sites[1].at[2].flows = KNOWN(80);
	note_margin(OPERATION_GUARD_ROOM, true, 1); /* there is no step yet */
	history_measure(&t);
	assert_false(t.changed);
	history_begin(&t, 100000, 250000);
	history_measure(&t);
	assert_true(t.changed);
	note_margin(OPERATION_GUARD_ROOM, true, 40);
	note_margin(OPERATION_GUARD_ROOM, true, 35);
	note_margin(OPERATION_GUARD_ROOM, true, 50);
	note_margin(OPERATION_GUARD_FRESH, true, 7);
	note_margin(OPERATION_GUARD_FRESH, false, 3);
	note_margin(OPERATION_GUARD_SHARE, false, 3);
	expect_whole(
	        "the second of three steps", show_field("steps"),
	        "[{'from_ppm':100000,'to_ppm':250000,'write_step':9,'state':'moving','begun_ms':1000000,'ttl_s':30,"
	        "'share_ppm':300000,'expected_ppm':200000,'margins':{'room':35,'fresh':7},'loads':["
	        "{'site':'ams','flows':30,'bits':1000,'expected_flows':20},"
	        "{'site':'fra','flows':70,'bits':2000,'capacity_flows':100,'capacity_bits':5000,'expected_flows':80}]}]");
}

static void the_oldest_step_makes_room(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < OPERATION_HISTORY_MAX + 2; i++)
		history_begin(&t, i, i + 1);
	assert_int_equal(op.n_steps, OPERATION_HISTORY_MAX);
	assert_int_equal(op.steps_lost, 2);
	assert_int_equal(op.steps[0].from_ppm, 2);
	assert_int_equal(history_last(&op)->to_ppm, OPERATION_HISTORY_MAX + 2);
}

/* Who comes now, and of all who came, each at its most, the largest. */
static void late_clients_are_remembered_at_their_most(void **state)
{
	struct operation_late late[OPERATION_LATE_MAX + 1] = { 0 };

	(void)state;
	facts.late = late;
	facts.n_late = OPERATION_LATE_MAX;
	for (uint32_t i = 0; i < OPERATION_LATE_MAX; i++) {
		snprintf(late[i].prefix, sizeof(late[i].prefix), "192.0.%u.0/24", i);
		late[i].flows = KNOWN(i == 5 ? 3 : 10 + i);
	}
	history_late(&t);
	assert_int_equal(op.n_late, OPERATION_LATE_MAX);
	assert_int_equal(op.n_was_late, OPERATION_LATE_MAX);
	static const struct operation_late then[] = {
		{ "192.0.0.0/24", KNOWN(9) },    /* less than before */
		{ "192.0.1.0/24", KNOWN(99) },   /* more */
		{ "198.51.100.0/24", KNOWN(3) }, /* no more than the least, that of 192.0.5.0/24 */
		{ "203.0.113.0/24", KNOWN(4) },  /* more than that */
	};
	facts.late = then;
	facts.n_late = COUNT(then);
	history_late(&t);
	expect_whole(
	        "now", show_field("late"),
	        "[{'prefix':'192.0.0.0/24','flows':9},{'prefix':'192.0.1.0/24','flows':99},"
	        "{'prefix':'198.51.100.0/24','flows':3},{'prefix':'203.0.113.0/24','flows':4}]");
	assert_int_equal(op.n_was_late, OPERATION_LATE_MAX);
	for (uint32_t i = 0; i < OPERATION_LATE_MAX; i++) {
		const struct operation_late *l = &op.was_late[i];
		char prefix[32];

		snprintf(prefix, sizeof(prefix), i == 5 ? "203.0.113.0/24" : "192.0.%u.0/24", i);
		assert_string_equal(l->prefix, prefix);
		assert_int_equal(l->flows.value, i == 1 ? 99 : i == 5 ? 4 : 10 + i);
	}
	facts.n_late = 0;
	history_late(&t);
	assert_int_equal(op.n_late, 0);
	assert_int_equal(op.n_was_late, OPERATION_LATE_MAX);
	facts.late = late;
	facts.n_late = OPERATION_LATE_MAX + 1; /* more than are listed */
	history_late(&t);
	assert_int_equal(op.n_late, OPERATION_LATE_MAX);
}

static void assert_failure(uint32_t i, const struct operation_failure *expected)
{
	const struct operation_failure *f = &op.failures[i];

	assert_string_equal(f->code, expected->code);
	assert_string_equal(f->detail, expected->detail);
	assert_int_equal(f->at_ms, expected->at_ms);
	assert_int_equal(f->until_ms, expected->until_ms);
	assert_int_equal(f->overridden, expected->overridden);
}

/* Of a hold both are kept: the word for a program and the text for a person. */
static void a_hold_is_remembered_with_its_words(void **state)
{
	(void)state;
	op.state = OPERATION_MOVING;
	tick_hold(&t, OPERATION_GUARD_ROOM, "site %s would be full", "fra");
	op.state = OPERATION_MOVING;
	t.now_ms = NOW_MS + 5;
	tick_hold(&t, OPERATION_HOLD_NODE_LOST, "node %s is not reached any more", "fra-1");
	assert_int_equal(op.n_failures, 2);
	assert_failure(0, &(struct operation_failure){ .code = "room",
	                                               .detail = "site fra would be full",
	                                               .at_ms = NOW_MS });
	assert_failure(1,
	               &(struct operation_failure){ .code = "node-lost",
	                                            .detail = "node fra-1 is not reached any more",
	                                            .at_ms = NOW_MS + 5 });
}

static void a_guard_that_was_overridden_is_remembered_once(void **state)
{
	static const struct {
		const char *why;
		bool ok, unknown, overridden, noted;
	} cases[] = {
		{ "it passes", true, false, true, false },
		{ "it cannot tell", false, true, true, false },
		{ "it is not overridden", false, false, false, false },
		{ "it trips", false, false, true, true },
	};
	struct operation_verdict verdicts[OPERATION_GUARD_COUNT];

	for (size_t i = 0; i < COUNT(cases); i++) {
		start_scene(state);
		for (int k = 0; k < OPERATION_GUARD_COUNT; k++)
			verdicts[k] =
			        (struct operation_verdict){ .guard = (enum rule_id)k, .ok = true };
		struct operation_verdict *v = &verdicts[OPERATION_GUARD_ROOM];

		v->ok = cases[i].ok;
		v->unknown = cases[i].unknown;
		v->overridden = cases[i].overridden;
		snprintf(v->detail, sizeof(v->detail), "site fra would be full");
		for (t.now_ms = NOW_MS; t.now_ms < NOW_MS + 3; t.now_ms++)
			history_overridden(&t, verdicts);
		if (op.n_failures != cases[i].noted || t.changed != cases[i].noted)
			fail_msg("%s: %u failures", cases[i].why, op.n_failures);
		if (cases[i].noted)
			assert_failure(
			        0, &(struct operation_failure){ .code = "room",
			                                        .detail = "site fra would be full",
			                                        .at_ms = NOW_MS,
			                                        .overridden = true });
	}
}

/* A hold by the same guard is another matter, and so is another guard. */
static void each_guard_that_was_overridden_is_remembered(void **state)
{
	struct operation_verdict verdicts[OPERATION_GUARD_COUNT];

	(void)state;
	for (int k = 0; k < OPERATION_GUARD_COUNT; k++)
		verdicts[k] = (struct operation_verdict){ .guard = (enum rule_id)k,
			                                  .ok = k != OPERATION_GUARD_ROOM &&
			                                        k != OPERATION_GUARD_BACKUP,
			                                  .overridden = true };
	op.state = OPERATION_MOVING;
	tick_hold(&t, OPERATION_GUARD_ROOM, "site fra would be full");
	history_overridden(&t, verdicts);
	assert_int_equal(op.n_failures, 3);
	assert_failure(1, &(struct operation_failure){
	                          .code = "room", .at_ms = NOW_MS, .overridden = true });
	assert_failure(2, &(struct operation_failure){
	                          .code = "backup", .at_ms = NOW_MS, .overridden = true });
}

/* The newest are kept, and how many were lost is counted. */
static void the_oldest_failure_makes_room(void **state)
{
	char detail[OPERATION_DETAIL_MAX];

	(void)state;
	for (uint32_t i = 0; i < OPERATION_FAILURES_MAX + 2; i++) {
		op.state = OPERATION_MOVING;
		tick_hold(&t, OPERATION_GUARD_ROOM, "hold %u", i);
	}
	assert_int_equal(op.n_failures, OPERATION_FAILURES_MAX);
	assert_int_equal(op.failures_lost, 2);
	assert_string_equal(op.failures[0].detail, "hold 2");
	snprintf(detail, sizeof(detail), "hold %u", OPERATION_FAILURES_MAX + 1);
	assert_string_equal(op.failures[OPERATION_FAILURES_MAX - 1].detail, detail);
}

SUITE(operation_decide)
{
#define T(f) cmocka_unit_test_setup(f, start_scene)
	const struct CMUnitTest tests[] = {
		T(a_return_ends_with_most_nodes_only),
		T(an_abort_ends_with_most_nodes_only),
		T(what_has_ended_sends_nobody_to_the_backup),
		T(an_abort_goes_back_to_where_it_began),
		T(each_drain_has_its_own_times),
		T(an_abort_is_the_first_of_its_epoch),
		T(a_state_begins_with_its_clocks_at_zero),
		T(a_failure_ends_when_the_operation_goes_on),
		T(what_goes_on_does_so_with_the_key_of_now),
		T(what_moves_is_held_when_the_key_is_another_one),
		T(the_level_stays_complete_while_the_backup_is_opened),
		T(a_target_that_is_gone_has_no_backup_to_open),
		T(a_backup_is_opened_once_for_late_clients),
		T(a_site_decides_unless_it_is_out_or_leaves_whole),
		T(how_many_sites_are_left_and_out_is_said),
		T(the_last_site_of_a_service_is_not_drained),
		T(whether_backup_pools_would_serve_is_said),
		T(how_receivers_are_is_said),
		T(with_the_most_sites_each_receiver_is_judged),
		T(what_was_not_measured_is_named),
		T(who_may_not_take_an_operation_is_told_why),
		T(who_takes_an_operation_begins_an_epoch),
		T(a_persons_command_ends_it_for_who_takes_it),
		T(who_resumes_while_levels_are_read_is_told_what_lacks),
		T(an_operation_that_was_held_stays_so_when_levels_are_read),
		T(numbers_of_a_wait_are_written_now_and_then),
		T(a_new_owner_reads_levels_and_then_waits_for_a_ttl),
		T(who_takes_an_operation_that_waits_goes_on_at_its_level),
		T(each_stage_begins_anew_and_the_backup_leaves_before_the_steps),
		T(each_stage_that_does_not_end_holds_by_its_own_code),
		T(a_return_that_is_held_says_what_does_not_wait),
		T(of_two_that_are_ready_one_begins_its_steps),
		T(a_target_is_quiet_below_a_hundredth),
		T(who_cannot_say_whether_a_target_is_quiet_is_named),
		T(a_hold_is_had_by_its_own_step_alone),
		T(no_step_begins_before_all_have_the_record),
		T(a_step_that_is_in_force_has_its_time),
		T(a_share_that_stays_wrong_holds_in_the_end),
		T(a_step_begins_once_the_last_one_has_settled),
		T(a_guard_that_cannot_be_asked_is_waited_for),
		T(a_way_begins_with_who_is_there),
		T(a_step_that_a_node_does_not_have_is_waited_for),
		T(what_is_drained_twice_was_drained_at_first),
		T(drained_is_empty_once_established_flows_are_silent),
		T(two_drains_that_leave_no_site_hold_the_younger),
		T(a_node_that_is_back_takes_part_again),
		T(the_first_node_that_refuses_is_named),
		T(a_node_that_took_part_is_missed_unless_it_is_named_absent),
		T(each_of_many_nodes_is_missed),
		T(one_that_is_lost_as_others_return_is_missed),
		T(a_new_way_is_judged_by_all_guards_again),
		T(signs_are_compared_with_what_was_first),
		T(the_margin_is_that_of_the_fullest_receiver),
		T(a_receiver_is_fresh_by_all_that_it_measures),
		T(what_levels_hold_keeps_the_end_that_has_come),
		T(the_first_guard_that_trips_is_named),
		T(a_person_may_override_some_guards),
		T(a_step_is_remembered_with_all_that_was_seen),
		T(the_oldest_step_makes_room),
		T(late_clients_are_remembered_at_their_most),
		T(a_hold_is_remembered_with_its_words),
		T(a_guard_that_was_overridden_is_remembered_once),
		T(each_guard_that_was_overridden_is_remembered),
		T(the_oldest_failure_makes_room),
	};

	return cmocka_run_group_tests_name("operation decide", tests, NULL, NULL);
}
