/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is told of an operation: its evidence, the outlook of its plan, and which sites are up as
 * observed from outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/controller/operation_measure.h"
#include "mgmt/controller/operation_show.h"
#include "mgmt/controller/operation_snapshot.h"
#include "tests/unit/suite.h"

static struct operation op;
static struct operation_snapshot view;
static struct operation_observed observed;

static int setup(void **state)
{
	(void)state;
	memset(&op, 0, sizeof(op));
	memset(&view, 0, sizeof(view));
	memset(&observed, 0, sizeof(observed));
	op.n_targets = 1;
	strcpy(op.targets[0].site, "ams");
	return 0;
}

static struct operation_value value_of(uint64_t value)
{
	return (struct operation_value){ true, value };
}

static const json_t *part_of(const json_t *json, const char *first, const char *second)
{
	const json_t *part = json_object_get(json, first);

	return second ? json_object_get(part, second) : part;
}

/* --- evidence --- */

/* The evidence of @p of, as the API shows it. */
static json_t *make_evidence(const struct operation *of)
{
	static struct operations_item item;

	item.op = *of;
	json_t *shown = operation_show_json(&item);
	json_t *evidence = json_incref(json_object_get(shown, "evidence"));

	json_decref(shown);
	return evidence;
}

static void there_is_evidence_of_what_has_ended(void **state)
{
	json_t *json = make_evidence(&op);

	(void)state;
	assert_true(json_is_null(json));
	json_decref(json);
	for (int i = 0; i < 6; i++) {
		static const enum operation_state states[] = {
			OPERATION_DRAINED_UNCONFIRMED, OPERATION_RETURNING, OPERATION_ABORTED,
			OPERATION_DRAINED_UNCONFIRMED, OPERATION_HELD,      OPERATION_LATE
		};
		const bool was_drained =
		        i == 1 || i >= 3; /* of late: drained, then not known, or clients came */

		op.state = states[i];
		op.hold.from = OPERATION_DRAINED_UNCONFIRMED;
		op.drained_ms = was_drained ? 1790000000000 : 0;
		json = make_evidence(&op);
		assert_true(json_is_object(json));
		assert_int_equal(json_is_true(part_of(json, "confirmed_by_packets", NULL)), i == 1);
		assert_int_equal(json_is_null(part_of(json, "times", "drained")), !was_drained);
		json_decref(json);
	}
}

static void evidence_has_the_least_margin_of_all_steps(void **state)
{
	static const int64_t room[] = { 20, 7, 31 };
	json_t *json;

	(void)state;
	op.state = OPERATION_DONE;
	op.n_steps = 3;
	for (int i = 0; i < 3; i++) {
		for (int g = 0; g < OPERATION_GUARD_COUNT; g++)
			op.steps[i].margins[g] = INT64_MAX;
		op.steps[i].margins[OPERATION_GUARD_ROOM] = room[i];
		op.steps[i].to_ppm = 100000u * (uint32_t)(i + 1);
		op.steps[i].share_ppm = value_of(300000);
	}
	op.holds = 2;
	json = make_evidence(&op);
	assert_int_equal(json_object_size(part_of(json, "least_margins_percent", NULL)), 1);
	assert_int_equal(json_integer_value(part_of(json, "least_margins_percent", "room")), 7);
	assert_int_equal(json_integer_value(part_of(json, "holds", NULL)), 2);
	const json_t *third = json_array_get(part_of(json, "levels", NULL), 2);
	assert_int_equal(json_integer_value(part_of(third, "level_ppm", NULL)), 300000);
	assert_int_equal(json_integer_value(part_of(third, "share_ppm", NULL)), 300000);
	assert_true(json_is_null(part_of(third, "expected_share_ppm", NULL)));
	json_decref(json);
}

static void evidence_has_what_failed_and_when(void **state)
{
	static const char *const events[] = {
		"began",   "step", "in_force", "overridden", "held",
		"went_on", "held", "went_on",  "step_ended", "drained"
	};
	json_t *json;

	(void)state;
	op.began_ms = 1790000000000;
	op.n_steps = 1;
	op.steps[0] = (struct operation_step){ .to_ppm = 250000,
		                               .begun_ms = op.began_ms + 1000,
		                               .in_force_ms = op.began_ms + 2000,
		                               .ended_ms = op.began_ms + 9000 };
	op.drained_ms = op.began_ms + 10000;
	op.n_failures = 3;
	op.failures[0] =
	        (struct operation_failure){ "room", "too much", op.began_ms + 3000, 0, true };
	op.failures[1] = (struct operation_failure){ "receivers", "fra suffers", op.began_ms + 4000,
		                                     op.began_ms + 5000, false };
	op.failures[2] = (struct operation_failure){ "person", "jw", op.began_ms + 6000,
		                                     op.began_ms + 7000, false };
	op.failures_lost = 4;
	op.n_was_late = 1;
	op.was_late[0] = (struct operation_late){ "192.0.2.0/24", value_of(3) };
	json = make_evidence(&op);
	const json_t *line = part_of(json, "time_line", NULL);
	assert_int_equal(json_array_size(line), sizeof(events) / sizeof(events[0]));
	for (size_t i = 0; i < json_array_size(line); i++)
		assert_string_equal(
		        json_string_value(part_of(json_array_get(line, i), "event", NULL)),
		        events[i]);
	assert_int_equal(json_integer_value(part_of(json_array_get(line, 1), "level_ppm", NULL)),
	                 250000);
	assert_string_equal(json_string_value(part_of(json_array_get(line, 4), "code", NULL)),
	                    "receivers");
	const json_t *failures = part_of(json, "failures", NULL);
	assert_int_equal(json_array_size(failures), 2); /* a person's hold is none */
	assert_true(json_is_true(part_of(json_array_get(failures, 0), "overridden", NULL)));
	assert_true(json_is_null(part_of(json_array_get(failures, 0), "until", NULL)));
	assert_string_equal(json_string_value(part_of(json_array_get(failures, 1), "detail", NULL)),
	                    "fra suffers");
	assert_int_equal(json_integer_value(part_of(json, "failures_left_out", NULL)), 4);
	const json_t *late = json_array_get(part_of(json, "late", NULL), 0);
	assert_string_equal(json_string_value(part_of(late, "prefix", NULL)), "192.0.2.0/24");
	assert_int_equal(json_integer_value(part_of(late, "flows_per_s", NULL)), 3);
	json_decref(json);
}

/* --- the whole --- */

/* A return that is held is still in a stage. */
static void a_stage_is_shown_of_each_way_back(void **state)
{
	static const struct {
		enum operation_state state;
		enum operation_way way;
		bool is_shown;
	} rows[] = {
		{ OPERATION_RETURNING, OPERATION_BACK, true },
		{ OPERATION_RETURNING, OPERATION_OUT, true },
		{ OPERATION_HELD, OPERATION_BACK, true },
		{ OPERATION_HELD, OPERATION_OUT, false },
	};
	static struct operations_item item;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		item.op = op;
		item.op.state = rows[i].state;
		item.op.way = rows[i].way;
		item.op.stage = OPERATION_STAGE_OUTSIDE;
		json_t *json = operation_show_json(&item);
		const char *stage = json_string_value(part_of(json, "stage", NULL));
		assert_int_equal(!!stage, rows[i].is_shown);
		if (stage)
			assert_string_equal(stage, operation_stage_text(OPERATION_STAGE_OUTSIDE));
		json_decref(json);
	}
}

/* --- the outlook --- */

static struct model_site sites[] = { { .name = "ams" },
	                             { .name = "fra", .capacity_flows = 900 },
	                             { .name = "lon" } };
static struct model m = { .sites = sites, .n_sites = 3 };

static void the_outlook_is_of_the_end_of_the_plan(void **state)
{
	struct projection projection = { .by_keys = true, .queries_per_s_min_ttl = 55 };
	json_t *json;

	(void)state;
	view.m = &m;
	op.n_plan = 3;
	op.over_ms = 300000;
	observed.facts.n_sites = 3;
	for (size_t i = 0; i < 3; i++) {
		observed.sites[i].name = sites[i].name;
		observed.sites[i].arrivals = value_of(100 + i);
	}
	for (uint32_t point = 0; point < 4; point++) {
		struct operation_projected *fra = &observed.sites[1].at[point];

		observed.sites[0].at[point].receives = OPERATION_YES; /* a target is no receiver */
		fra->receives = OPERATION_YES;
		fra->flows = value_of(200 + point);
		fra->bits = value_of(2000 + point);
	}
	observed.facts.ttl_s = value_of(30);
	observed.projection = &projection;
	json = operation_outlook_json(&view, &op, &observed);
	assert_int_equal(json_integer_value(part_of(json, "expected_s", NULL)), 300);
	assert_int_equal(json_integer_value(part_of(json, "queries_per_s_at_min_ttl", NULL)), 55);
	assert_int_equal(json_array_size(part_of(json, "receivers", NULL)), 1);
	const json_t *fra = json_array_get(part_of(json, "receivers", NULL), 0);
	assert_string_equal(json_string_value(part_of(fra, "site", NULL)), "fra");
	assert_int_equal(json_integer_value(part_of(fra, "before_flows", NULL)), 101);
	assert_int_equal(json_integer_value(part_of(fra, "after_flows", NULL)), 203);
	assert_int_equal(json_integer_value(part_of(fra, "after_bits", NULL)), 2003);
	assert_int_equal(json_integer_value(part_of(fra, "capacity_flows", NULL)), 900);
	assert_true(json_is_null(part_of(fra, "capacity_bits", NULL)));
	assert_true(json_is_null(part_of(fra, "before_bits", NULL)));
	assert_true(json_is_true(part_of(fra, "known", NULL)));
	json_decref(json);
}

static void what_is_not_known_has_no_outlook(void **state)
{
	json_t *json;

	(void)state;
	view.m = &m;
	op.n_plan = 1;
	observed.facts.n_sites = 3;
	for (size_t i = 0; i < 3; i++)
		observed.sites[i].name = sites[i].name;
	observed.sites[2].at[1].receives = OPERATION_YES;
	observed.sites[2].at[1].flows = value_of(5);
	json = operation_outlook_json(&view, &op, &observed);
	assert_true(json_is_null(part_of(json, "expected_s", NULL)));
	assert_null(part_of(json, "projection", NULL));
	const json_t *lon = json_array_get(part_of(json, "receivers", NULL), 0);
	assert_true(json_is_null(part_of(lon, "after_bits", NULL)));
	assert_true(json_is_false(part_of(lon, "known", NULL)));
	json_decref(json);
}

/* --- from outside --- */

#define VIEW(site, fresh, more) "{\"site\":\"" site "\",\"fresh\":" fresh more "}"
#define UP                      ",\"ipv6\":\"up\""
#define DOWN                    ",\"ipv6\":\"down\""

static void only_sound_observations_of_others_say_whether_a_site_is_up(void **state)
{
	static const struct {
		const char *reason, *row; /* of ams, at a node of fra */
		int up;                   /* 1, 0; -1: not known */
		bool checked, failing;
	} cases[] = {
		{ "one says up", "\"views\":[" VIEW("fra", "true", UP) "]", 1, true, false },
		{ "one says down", "\"views\":[" VIEW("fra", "true", DOWN) "]", 0, true, true },
		{ "two against one",
		  "\"views\":[" VIEW("fra", "true", UP) "," VIEW("lon", "true", UP) "," VIEW(
		          "par", "true", DOWN) "]",
		  1, true, true },
		{ "as many",
		  "\"views\":[" VIEW("fra", "true", UP) "," VIEW("lon", "true", DOWN) "]", -1, true,
		  true },
		{ "itself says nothing of itself", "\"views\":[" VIEW("ams", "true", UP) "]", -1,
		  false, false },
		{ "what is old", "\"views\":[" VIEW("fra", "false", DOWN) "]", -1, false, false },
		{ "what is inconclusive",
		  "\"views\":[" VIEW("fra", "true", DOWN ",\"inconclusive\":true") "]", -1, false,
		  false },
		{ "what is not proven",
		  "\"views\":[" VIEW("fra", "true", UP ",\"unproven\":true") "]", -1, false,
		  false },
		{ "what is inconclusive, or not proven, in the other family",
		  "\"views\":[" VIEW(
		          "fra", "true",
		          DOWN ",\"inconclusive\":true,\"inconclusive_in\":\"ipv4\",\"unproven\":"
		               "true,\"unproven_in\":\"ipv4\"") "]",
		  0, true, true },
		{ "what is inconclusive in this family",
		  "\"views\":[" VIEW("fra", "true",
		                     DOWN
		                     ",\"inconclusive\":true,\"inconclusive_in\":\"ipv6\"") "]",
		  -1, false, false },
		{ "sites do not vote: this node's check", "\"ipv4\":\"down\"", 0, true, true },
		{ "which proves nothing", "\"ipv4\":\"up\",\"unproven\":true", -1, false, false },
		{ "in one family alone",
		  "\"ipv4\":\"up\",\"unproven\":true,\"unproven_in\":\"ipv6\"", 1, true, false },
		{ "one family is enough", "\"ipv4\":\"up\",\"ipv6\":\"down\"", 1, true, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1024];

		snprintf(text, sizeof(text), "{\"names\":[{\"sites\":[{\"site\":\"ams\",%s}]}]}",
		         cases[i].row);
		json_t *dns = json_loads(text, 0, NULL), *list;
		assert_non_null(dns);
		list = operation_sites_json(dns, "fra");
		const json_t *ams = json_array_get(list, 0), *up = part_of(ams, "up", NULL);
		if ((cases[i].up == 1) != json_is_true(up) ||
		    (cases[i].up == 0) != json_is_false(up) ||
		    cases[i].checked != json_is_true(part_of(ams, "checked", NULL)) ||
		    cases[i].failing != json_is_true(part_of(ams, "failing", NULL)))
			fail_msg("%s: %s", cases[i].reason, json_dumps(list, 0));
		json_decref(list);
		json_decref(dns);
	}
}

SUITE(operation_told)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(there_is_evidence_of_what_has_ended),
		TEST(evidence_has_the_least_margin_of_all_steps),
		TEST(evidence_has_what_failed_and_when),
		TEST(a_stage_is_shown_of_each_way_back),
		TEST(the_outlook_is_of_the_end_of_the_plan),
		TEST(what_is_not_known_has_no_outlook),
		TEST(only_sound_observations_of_others_say_whether_a_site_is_up),
	};

	return cmocka_run_group_tests_name("operation told", tests, NULL, NULL);
}
