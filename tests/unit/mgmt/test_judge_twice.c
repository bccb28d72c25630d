/* SPDX-License-Identifier: BSD-2-Clause */
/* What two processes state of one trouble is shown once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/judge/judge.h"
#include "tests/unit/suite.h"
#include "weir/condition.h"

/* Of a verdict, what is about the clock. */
struct seen {
	size_t n_clock, n_notes;
	char text[512];
};

static void judge_facts_now(const struct judge_facts *f, struct seen *out)
{
	static struct judge_verdict v;

	judge(f, &v);
	*out = (struct seen){ .n_notes = v.n_notes };
	for (size_t i = 0; i < v.n_reasons; i++)
		if (!strcmp(v.reasons[i].code, "clock-stepped")) {
			out->n_clock++;
			strncpy(out->text, v.reasons[i].text, sizeof(out->text) - 1);
		}
}

/* weir-dns and weir-mgmt follow the clock, each for itself. */
static void the_clock_is_blamed_once(void **state)
{
	static const struct {
		enum condition_level dns, mgmt;
		size_t n_reasons, n_notes;
		const char *name;
	} cases[] = { { CONDITION_DEGRADED, CONDITION_NOTE, 1, 0, "weir-dns: " },
		      { CONDITION_NOTE, CONDITION_DEGRADED, 1, 0, "weir-mgmt: " },
		      { CONDITION_DEGRADED, CONDITION_DEGRADED, 1, 0, "weir-mgmt: " },
		      { CONDITION_NOTE, CONDITION_NOTE, 0, 1, "" } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct judge_process processes[2] = {
			{ .name = "dns", .present = true, .running = true, .document = 7 },
			{ .name = "mgmt", .present = true, .running = true, .document = 7 }
		};
		const struct judge_facts f = { .n_processes = 2, .processes = processes };
		struct conditions of[2] = { { .n = 1 }, { .n = 1 } };
		struct seen v;

		for (int k = 0; k < 2; k++) {
			strcpy(of[k].items[0].code, "clock-stepped");
			strcpy(of[k].items[0].text, "what to do");
			of[k].items[0].level = k ? cases[i].mgmt : cases[i].dns;
			of[k].worst = of[k].items[0].level;
			processes[k].conditions = &of[k];
		}
		judge_facts_now(&f, &v);
		assert_int_equal(v.n_clock, cases[i].n_reasons);
		assert_int_equal(v.n_notes, cases[i].n_notes);
		if (v.n_clock)
			assert_ptr_equal(strstr(v.text, cases[i].name), v.text);
		processes[1].running = false; /* then the other one's counts */
		judge_facts_now(&f, &v);
		assert_int_equal(v.n_notes, cases[i].dns == CONDITION_NOTE);
	}
}

/* Where nobody serves, that is the reason: slots without an owner follow from it. */
static void empty_slots_are_blamed_only_where_some_serve(void **state)
{
	static struct judge_verdict v;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct judge_pool pool = { .name = "web",
			                   .in_force = i & 1,
			                   .n_empty = i & 2 ? 4 : 0,
			                   .n_serving = i & 4 ? 1 : 0,
			                   .n_slots = 64 };
		const struct judge_facts f = { .pools = &pool, .n_pools = 1 };
		size_t n = 0;

		judge(&f, &v);
		for (size_t k = 0; k < v.n_reasons; k++)
			n += v.reasons[k].rule == JUDGE_RULE_SLOTS_EMPTY;
		assert_int_equal(n, i == 7);
	}
}

static void a_silent_process_is_told_by_what_is_known_of_it(void **state)
{
	static const struct {
		bool present;
		uint64_t age_ms;
		const char *text;
	} cases[] = {
		{ true, 2001, "weir-dns has shown no sign of life for 2.0 s" },
		{ true, 2000, "weir-dns is dead, or does not answer" }, /* it signed of late */
		{ false, 9000, "weir-dns has not run here yet" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct judge_process p = { .name = "dns",
			                   .present = cases[i].present,
			                   .age_ms = cases[i].age_ms };
		const struct judge_facts f = { .n_processes = 1, .processes = &p };
		static struct judge_verdict v;
		size_t n = 0;

		judge(&f, &v);
		for (size_t k = 0; k < v.n_reasons; k++)
			n += strstr(v.reasons[k].text, cases[i].text) == v.reasons[k].text;
		if (n != 1)
			fail_msg("%zu times: %s", n, cases[i].text);
	}
}

static size_t count_rule(const struct judge_facts *f, enum rule_id rule)
{
	static struct judge_verdict v;
	size_t n = 0;

	judge(f, &v);
	for (size_t k = 0; k < v.n_reasons; k++)
		n += v.reasons[k].rule == rule;
	return n;
}

/* A node that only answers names, and a pool without backends, lack nothing. */
static void what_is_not_meant_is_not_missed(void **state)
{
	struct judge_process dataplane = { .name = "dataplane", .present = true, .running = true };
	struct judge_pool pool = {
		.name = "web", .health_fresh = true, .checked = true, .in_force = true
	};
	struct judge_facts f = { .n_processes = 1,
		                 .processes = &dataplane,
		                 .pools = &pool,
		                 .n_pools = 1,
		                 .ports_known = true };

	(void)state;
	for (size_t n_meant = 0; n_meant < 3; n_meant++) {
		f.n_ports_meant = n_meant;
		f.n_ports = 0;
		assert_int_equal(count_rule(&f, JUDGE_RULE_NO_PORT), n_meant > 0);
		f.n_ports = 1;
		assert_int_equal(count_rule(&f, JUDGE_RULE_NO_PORT), 0);
		assert_int_equal(count_rule(&f, JUDGE_RULE_PORTS_MISSING), n_meant == 2);
	}
	assert_int_equal(count_rule(&f, JUDGE_RULE_POOL_ALL_DOWN), 0);
	assert_int_equal(count_rule(&f, JUDGE_RULE_POOL_FORWARDS_NOTHING), 0);
	assert_int_equal(count_rule(&f, JUDGE_RULE_CHECKS_INCONCLUSIVE), 0);
	assert_int_equal(count_rule(&f, JUDGE_RULE_POOL_ALL_DRAINED), 0);
	pool.n_backends = 2; /* who serves is not known where nothing is read back */
	assert_int_equal(count_rule(&f, JUDGE_RULE_POOL_FORWARDS_NOTHING), 1);
	pool.in_force = false;
	assert_int_equal(count_rule(&f, JUDGE_RULE_POOL_FORWARDS_NOTHING), 0);
}

/* A way that is missing is told once; a check that fails is another trouble of the same backend. */
static void a_backend_is_blamed_once_for_its_way(void **state)
{
	static struct conditions stated = { .n = 1,
		                            .items = { { .code = "next-hop-silent",
		                                         .level = CONDITION_DEGRADED,
		                                         .subject = "web/b1",
		                                         .text = "t" } } };
	struct judge_process dataplane = {
		.name = "dataplane", .present = true, .running = true, .conditions = &stated
	};
	struct judge_pool pool = { .name = "web",
		                   .n_backends = 3,
		                   .health_fresh = true,
		                   .in_force = true,
		                   .n_serving = 1,
		                   .down = { { "b1" }, 1 },
		                   .out = { { "b1" }, 1 },
		                   .no_next_hop = { { "b1", "b2" }, 2 } };
	const struct judge_facts f = {
		.n_processes = 1, .processes = &dataplane, .pools = &pool, .n_pools = 1
	};

	(void)state;
	assert_int_equal(count_rule(&f, JUDGE_RULE_BACKEND_DOWN), 1);
	assert_int_equal(count_rule(&f, JUDGE_RULE_BACKEND_NO_NEXT_HOP), 1); /* b2 */
	assert_int_equal(count_rule(&f, JUDGE_RULE_BACKEND_OUT), 0);
	dataplane.running = false; /* what a dead process stated blames nobody */
	assert_int_equal(count_rule(&f, JUDGE_RULE_BACKEND_NO_NEXT_HOP), 2);
	assert_int_equal(count_rule(&f, JUDGE_RULE_BACKEND_OUT), 1);
}

SUITE(judge_twice)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_clock_is_blamed_once),
		cmocka_unit_test(empty_slots_are_blamed_only_where_some_serve),
		cmocka_unit_test(a_silent_process_is_told_by_what_is_known_of_it),
		cmocka_unit_test(what_is_not_meant_is_not_missed),
		cmocka_unit_test(a_backend_is_blamed_once_for_its_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
