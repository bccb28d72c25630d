/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many problems of one kind at once, as of a thousand pools behind a router that is dead: they do
 * not hide what else is wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/judge/judge.h"
#include "tests/unit/suite.h"

#define POOLS 1000
#define PEERS 100

static struct judge_facts f;
static struct judge_process processes[2];
static struct judge_pool pools[POOLS];
static struct judge_peer peers[PEERS];
static struct judge_verdict v;
static char names[POOLS][8];

/* All backends of all pools are down, and all else is well. */
static int setup(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		processes[i] = (struct judge_process){ .name = i ? "health" : "dataplane",
			                               .present = true,
			                               .running = true,
			                               .age_ms = 100,
			                               .document = 7 };
	for (int i = 0; i < POOLS; i++) {
		snprintf(names[i], sizeof(names[i]), "p%03d", i);
		pools[i] = (struct judge_pool){ .name = names[i],
			                        .n_backends = 3,
			                        .n_meant = 3,
			                        .checked = true,
			                        .health_fresh = true,
			                        .in_force = true,
			                        .n_serving = 3,
			                        .n_slots = 64 };
		pools[i].down.n = 3;
	}
	for (int i = 0; i < PEERS; i++)
		peers[i] = (struct judge_peer){ .node = "fra-1", .detail = "" };
	f = (struct judge_facts){ .has_intent = true,
		                  .has_configuration = true,
		                  .effect_fresh = true,
		                  .document = 7,
		                  .store_reason = "",
		                  .unwritten_reason = "",
		                  .processes = processes,
		                  .n_processes = 2,
		                  .pools = pools,
		                  .n_pools = POOLS,
		                  .has_peers = true,
		                  .has_token = true,
		                  .peers = peers,
		                  .n_peers = 1 };
	return 0;
}

static size_t count_reasons(enum rule_id rule)
{
	size_t n = 0;

	for (size_t i = 0; i < v.n_reasons; i++)
		n += v.reasons[i].rule == rule;
	return n;
}

static void expect_order(void)
{
	for (size_t i = 1; i < v.n_reasons; i++) {
		assert_true(v.reasons[i - 1].rule <= v.reasons[i].rule);
		if (v.reasons[i - 1].rule == JUDGE_RULE_POOL_ALL_DOWN &&
		    v.reasons[i].rule == JUDGE_RULE_POOL_ALL_DOWN)
			assert_true(strcmp(v.reasons[i - 1].subject, v.reasons[i].subject) < 0);
	}
}

static void one_kind_alone_has_the_whole_list(void **state)
{
	(void)state;
	judge(&f, &v);
	assert_int_equal(v.state, JUDGE_DOWN);
	assert_int_equal(count_reasons(JUDGE_RULE_POOL_ALL_DOWN), JUDGE_REASONS_MAX);
	assert_int_equal(v.n_left_out, POOLS - JUDGE_REASONS_MAX);
	assert_string_equal(v.reasons[0].subject, "p000");
	assert_string_equal(v.reasons[JUDGE_REASONS_MAX - 1].subject, "p063");
}

static void what_else_is_wrong_is_not_hidden(void **state)
{
	(void)state;
	processes[0].running = processes[1].running = false;
	f.store_reason = "no space left";
	f.supervisor.present = true;
	peers[0].state = JUDGE_PEER_DIFFERS;
	judge(&f, &v);
	assert_int_equal(count_reasons(JUDGE_RULE_PROCESS_SILENT), 2);
	assert_int_equal(count_reasons(JUDGE_RULE_SUPERVISOR_SILENT), 1);
	assert_int_equal(count_reasons(JUDGE_RULE_STORE_FAILING), 1);
	assert_int_equal(count_reasons(JUDGE_RULE_PEER_DIFFERS), 1);
	assert_int_equal(count_reasons(JUDGE_RULE_POOL_ALL_DOWN), JUDGE_REASONS_MAX - 5);
	assert_int_equal(v.n_reasons, JUDGE_REASONS_MAX);
	assert_int_equal(v.n_left_out, POOLS + 5 - JUDGE_REASONS_MAX);
	assert_string_equal(v.reasons[0].subject, "p000"); /* the first stay, and in their order */
	expect_order();
}

static void two_kinds_have_a_half_each(void **state)
{
	(void)state;
	f.n_peers = PEERS;
	for (int i = 0; i < PEERS; i++)
		peers[i].state = JUDGE_PEER_UNREACHABLE;
	judge(&f, &v);
	assert_int_equal(count_reasons(JUDGE_RULE_POOL_ALL_DOWN), JUDGE_REASONS_MAX / 2);
	assert_int_equal(count_reasons(JUDGE_RULE_PEER_UNREACHABLE), JUDGE_REASONS_MAX / 2);
	assert_int_equal(v.n_left_out, POOLS + PEERS - JUDGE_REASONS_MAX);
	expect_order();
}

/* Of three kinds one has a reason more than the others. It stays where it was. */
static void what_cannot_be_shared_evenly_is_moved_no_more(void **state)
{
	static const size_t third = JUDGE_REASONS_MAX / 3;

	(void)state;
	f.n_peers = PEERS;
	for (int i = 0; i < PEERS; i++)
		peers[i].state = i % 2 ? JUDGE_PEER_UNREACHABLE : JUDGE_PEER_DIFFERS;
	judge(&f, &v);
	assert_int_equal(v.n_reasons, JUDGE_REASONS_MAX);
	assert_int_equal(v.n_left_out, POOLS + PEERS - JUDGE_REASONS_MAX);
	assert_int_equal(count_reasons(JUDGE_RULE_POOL_ALL_DOWN), third);
	assert_int_equal(count_reasons(JUDGE_RULE_PEER_UNREACHABLE), third + 1);
	assert_int_equal(count_reasons(JUDGE_RULE_PEER_DIFFERS), third);
	assert_string_equal(v.reasons[third - 1].subject, "p020");
	expect_order();
}

/* @p n conditions of one code, in a list that has some. */
static void state_many(struct conditions *c, const char *code, enum condition_level level, int n)
{
	for (int i = 0; i < n; i++) {
		struct condition *item = &c->items[c->n++];

		*item = (struct condition){ .level = level };
		snprintf(item->code, sizeof(item->code), "%s", code);
		snprintf(item->subject, sizeof(item->subject), "s%d", i);
	}
}

static size_t count_code(const struct judge_reason *list, size_t n, const char *code)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += !strcmp(list[i].code, code);
	return found;
}

/* Notes of many services do not hide what the supervisor says. */
static void many_notes_of_one_code_hide_no_other(void **state)
{
	static struct conditions health, run;

	(void)state;
	f.n_pools = 0;
	health = run = (struct conditions){ 0 };
	state_many(&health, "vip-check-missing", CONDITION_NOTE, 17);
	state_many(&run, "process-restarted", CONDITION_NOTE, 2);
	processes[1].conditions = &health;
	f.supervisor = (struct judge_process){
		.name = "run", .present = true, .running = true, .conditions = &run
	};
	judge(&f, &v);
	assert_int_equal(v.state, JUDGE_WELL);
	assert_int_equal(v.n_notes, 16);
	assert_int_equal(v.n_notes_left_out, 3);
	assert_int_equal(count_code(v.notes, v.n_notes, "vip-check-missing"), 14);
	assert_int_equal(count_code(v.notes, v.n_notes, "process-restarted"), 2);
	assert_string_equal(v.notes[13].subject, "s13");
}

/* What processes state is of many kinds, although two rules stand for all of them. */
static void many_conditions_of_one_code_hide_no_other(void **state)
{
	static struct conditions dataplane, health;

	(void)state;
	f.n_pools = 0;
	dataplane = health = (struct conditions){ 0 };
	state_many(&dataplane, "next-hop-missing", CONDITION_DEGRADED, CONDITIONS_MAX);
	state_many(&health, "probes-late", CONDITION_DEGRADED, 1);
	processes[0].conditions = &dataplane;
	processes[1].conditions = &health;
	f.store_reason = "no space left";
	judge(&f, &v);
	assert_int_equal(v.n_reasons, JUDGE_REASONS_MAX);
	assert_int_equal(v.n_left_out, 2);
	assert_int_equal(count_code(v.reasons, v.n_reasons, "probes-late"), 1);
	assert_int_equal(count_reasons(JUDGE_RULE_STORE_FAILING), 1);
	expect_order();
}

SUITE(judge_room)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(one_kind_alone_has_the_whole_list),
		T(what_else_is_wrong_is_not_hidden),
		T(two_kinds_have_a_half_each),
		T(what_cannot_be_shared_evenly_is_moved_no_more),
		T(many_notes_of_one_code_hide_no_other),
		T(many_conditions_of_one_code_hide_no_other),
	};

	return cmocka_run_group_tests_name("judge room", tests, NULL, NULL);
}
