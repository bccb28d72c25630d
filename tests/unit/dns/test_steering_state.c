/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overrides of sites as gates and classes: which is in force, until when, and which sites are out
 * of the answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dns/steering/steering.h"
#include "dns/steering/ramps.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ALL      MODEL_PPM_ALL

/* Sites ams and fra, with one service. */
static struct model_site sites[2] = { { .name = "ams" }, { .name = "fra", .index = 1 } };
static struct model m = { .sites = sites, .n_sites = 2 };
static struct steering_site at[2];
static struct steering_service service = { .name = "web", .n_sites = 2, .sites = at };
static struct steering place = { .n_services = 1, .n_states = 2, .services = &service };
static struct steering_state *seen;

static int set_up(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		at[i] = (struct steering_site){ .name = sites[i].name };
	seen = calloc(1, sizeof(*seen) + 2 * sizeof(seen->sites[0]));
	if (!seen)
		return -1;
	seen->n_sites = 2;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(seen);
	return 0;
}

#define T 1000000000000

static const struct {
	const char *why;
	struct model_override o[2];
	size_t n;
	int64_t at_ms;
	uint32_t drained_ppm;
	bool disabled, forced_up, shifting;
	int64_t next_ms;
} overrides[] = {
	{ .why = "none", .at_ms = T, .next_ms = MODEL_TIME_NEVER },
	{ .why = "a drain that is to come",
	  .o = { { .kind = MODEL_OVERRIDE_DRAIN,
	           .name = "ams",
	           .from_ms = T + 60000,
	           .over_ms = 100000,
	           .until_ms = MODEL_TIME_NEVER } },
	  .n = 1,
	  .at_ms = T,
	  .next_ms = T + 60000 },
	{ .why = "half-way",
	  .o = { { .kind = MODEL_OVERRIDE_DRAIN,
	           .name = "ams",
	           .from_ms = T,
	           .over_ms = 100000,
	           .until_ms = MODEL_TIME_NEVER } },
	  .n = 1,
	  .at_ms = T + 50000,
	  .drained_ppm = ALL / 2,
	  .shifting = true,
	  .next_ms = T + 100000 },
	{ .why = "there",
	  .o = { { .kind = MODEL_OVERRIDE_DRAIN,
	           .name = "ams",
	           .from_ms = T,
	           .over_ms = 100000,
	           .until_ms = T + 900000 } },
	  .n = 1,
	  .at_ms = T + 100000,
	  .drained_ppm = ALL,
	  .next_ms = T + 900000 },
	{ .why = "on its way back",
	  .o = { { .kind = MODEL_OVERRIDE_DRAIN,
	           .name = "ams",
	           .from_ms = T,
	           .over_ms = 100000,
	           .until_ms = T + 900000 } },
	  .n = 1,
	  .at_ms = T + 975000,
	  .drained_ppm = ALL / 4,
	  .shifting = true,
	  .next_ms = T + 1000000 },
	{ .why = "a disable and a forced site that were ended",
	  .o = { { .kind = MODEL_OVERRIDE_DISABLE,
	           .name = "ams",
	           .from_ms = T,
	           .until_ms = T + 1000,
	           .ended = true },
	         { .kind = MODEL_OVERRIDE_FORCE_UP,
	           .name = "ams",
	           .from_ms = T,
	           .until_ms = T + 1000,
	           .ended = true } },
	  .n = 2,
	  .at_ms = T + 1,
	  .next_ms = MODEL_TIME_NEVER },
	{ .why = "ended",
	  .o = { { .kind = MODEL_OVERRIDE_DRAIN,
	           .name = "ams",
	           .from_ms = T,
	           .until_ms = MODEL_TIME_NEVER,
	           .ended = true } },
	  .n = 1,
	  .at_ms = T + 1,
	  .next_ms = MODEL_TIME_NEVER },
	{ .why = "held half-way",
	  .o = { { .kind = MODEL_OVERRIDE_DRAIN,
	           .name = "ams",
	           .from_ms = T,
	           .over_ms = 100000,
	           .until_ms = MODEL_TIME_NEVER },
	         { .kind = MODEL_OVERRIDE_HOLD,
	           .name = "ams",
	           .from_ms = T + 50000,
	           .until_ms = MODEL_TIME_NEVER } },
	  .n = 2,
	  .at_ms = T + 500000,
	  .drained_ppm = ALL / 2,
	  .shifting = true,
	  .next_ms = MODEL_TIME_NEVER },
	{ .why = "another site's hold",
	  .o = { { .kind = MODEL_OVERRIDE_DRAIN,
	           .name = "ams",
	           .from_ms = T,
	           .over_ms = 100000,
	           .until_ms = MODEL_TIME_NEVER },
	         { .kind = MODEL_OVERRIDE_HOLD,
	           .name = "fra",
	           .from_ms = T + 50000,
	           .until_ms = MODEL_TIME_NEVER } },
	  .n = 2,
	  .at_ms = T + 100000,
	  .drained_ppm = ALL,
	  .next_ms = MODEL_TIME_NEVER },
	{ .why = "a hold that is over",
	  .o = { { .kind = MODEL_OVERRIDE_DRAIN,
	           .name = "ams",
	           .from_ms = T,
	           .over_ms = 100000,
	           .until_ms = MODEL_TIME_NEVER },
	         { .kind = MODEL_OVERRIDE_HOLD,
	           .name = "ams",
	           .from_ms = T + 50000,
	           .until_ms = T + 90000 } },
	  .n = 2,
	  .at_ms = T + 100000,
	  .drained_ppm = ALL,
	  .next_ms = MODEL_TIME_NEVER },
	{ .why = "a hold that a person has ended",
	  .o = { { .kind = MODEL_OVERRIDE_DRAIN,
	           .name = "ams",
	           .from_ms = T,
	           .over_ms = 100000,
	           .until_ms = MODEL_TIME_NEVER },
	         { .kind = MODEL_OVERRIDE_HOLD,
	           .name = "ams",
	           .from_ms = T + 50000,
	           .until_ms = MODEL_TIME_NEVER,
	           .ended = true } },
	  .n = 2,
	  .at_ms = T + 100000,
	  .drained_ppm = ALL,
	  .next_ms = MODEL_TIME_NEVER },
	{ .why = "forced up, and another one to come",
	  .o = { { .kind = MODEL_OVERRIDE_FORCE_UP,
	           .name = "ams",
	           .from_ms = T,
	           .until_ms = MODEL_TIME_NEVER },
	         { .kind = MODEL_OVERRIDE_FORCE_UP,
	           .name = "ams",
	           .from_ms = T + 50000,
	           .until_ms = MODEL_TIME_NEVER } },
	  .n = 2,
	  .at_ms = T,
	  .forced_up = true,
	  .next_ms = T + 50000 },
	{ .why = "two drains: the higher level",
	  .o = { { .kind = MODEL_OVERRIDE_DRAIN,
	           .name = "ams",
	           .from_ms = T,
	           .over_ms = 100000,
	           .until_ms = MODEL_TIME_NEVER },
	         { .kind = MODEL_OVERRIDE_DRAIN,
	           .name = "ams",
	           .from_ms = T,
	           .over_ms = 200000,
	           .until_ms = MODEL_TIME_NEVER } },
	  .n = 2,
	  .at_ms = T + 50000,
	  .drained_ppm = ALL / 2,
	  .shifting = true,
	  .next_ms = T + 100000 },
	{ .why = "disabled for a time",
	  .o = { { .kind = MODEL_OVERRIDE_DISABLE,
	           .name = "ams",
	           .from_ms = T,
	           .until_ms = T + 5000 } },
	  .n = 1,
	  .at_ms = T,
	  .disabled = true,
	  .next_ms = T + 5000 },
	{ .why = "no longer disabled",
	  .o = { { .kind = MODEL_OVERRIDE_DISABLE,
	           .name = "ams",
	           .from_ms = T,
	           .until_ms = T + 5000 } },
	  .n = 1,
	  .at_ms = T + 5000,
	  .next_ms = MODEL_TIME_NEVER },
	{ .why = "forced up",
	  .o = { { .kind = MODEL_OVERRIDE_FORCE_UP,
	           .name = "ams",
	           .from_ms = T,
	           .until_ms = MODEL_TIME_NEVER } },
	  .n = 1,
	  .at_ms = T,
	  .forced_up = true,
	  .next_ms = MODEL_TIME_NEVER },
	{ .why = "a backend of the same name",
	  .o = { { .kind = MODEL_OVERRIDE_DRAIN,
	           .target = MODEL_TARGET_BACKEND,
	           .pool = "pa",
	           .name = "ams",
	           .from_ms = T,
	           .until_ms = MODEL_TIME_NEVER } },
	  .n = 1,
	  .at_ms = T + 1,
	  .next_ms = MODEL_TIME_NEVER },
};

static void overrides_become_gates_and_classes(void **state)
{
	(void)state;

	for (size_t i = 0; i < COUNT(overrides); i++) {
		const struct steering_site_state *s = &seen->sites[0];

		print_message("  %s\n", overrides[i].why);
		m.overrides = overrides[i].o;
		m.n_overrides = overrides[i].n;
		steering_apply_overrides(&place, &m, NULL, overrides[i].at_ms, seen);
		assert_int_equal(s->drained_ppm, overrides[i].drained_ppm);
		assert_int_equal(s->disabled, overrides[i].disabled);
		assert_int_equal(s->forced_up, overrides[i].forced_up);
		assert_int_equal(s->shifting, overrides[i].shifting);
		assert_int_equal(s->next_ms, overrides[i].next_ms);
		assert_int_equal(seen->sites[1].drained_ppm, 0);
	}
}

/* A drain's ramp that is late or held: when it goes on is told by where it is, or not at all. */
static void a_ramp_that_is_not_on_time_changes_at_another_time(void **state)
{
	static const struct {
		enum ramp_how how;
		int64_t next_ms;
	} cases[] = {
		{ RAMP_LATE, T + 130000 }, /* it is 30 s late */
		{ RAMP_HELD_CLOCK, MODEL_TIME_NEVER },
		{ RAMP_HELD_SITE, MODEL_TIME_NEVER },
	};
	const struct model_override drain = { .kind = MODEL_OVERRIDE_DRAIN,
		                              .id = "d",
		                              .generation = 1,
		                              .name = "ams",
		                              .from_ms = T,
		                              .over_ms = 100000,
		                              .until_ms = MODEL_TIME_NEVER };
	struct ramp_record record = { .id = "d", .generation = 1, .at_ms = T + 50000 };
	const struct ramps r = { .n = 1, .items = &record };
	(void)state;

	m.overrides = &drain;
	m.n_overrides = 1;
	seen->sites[0].unproven[1] = true;
	for (size_t i = 0; i < COUNT(cases); i++) {
		record.how = cases[i].how;
		steering_apply_overrides(&place, &m, &r, T + 80000, seen);
		assert_int_equal(seen->sites[0].drained_ppm, ALL / 2);
		assert_int_equal(seen->sites[0].next_ms, cases[i].next_ms);
		assert_false(seen->sites[0].unproven[0]); /* is as it was */
		assert_true(seen->sites[0].unproven[1]);
	}
}

static void a_site_is_out_when_it_is_drained_completely_or_disabled(void **state)
{
	struct model_override o = { .kind = MODEL_OVERRIDE_DRAIN,
		                    .name = "fra",
		                    .from_ms = T,
		                    .over_ms = 100000,
		                    .until_ms = T + 900000 };
	(void)state;

	m.overrides = &o;
	m.n_overrides = 1;
	assert_int_equal(steering_sites_out(&m, NULL, T + 99999), 0);
	assert_int_equal(steering_sites_out(&m, NULL, T + 100000), 1 << 1);
	assert_int_equal(steering_sites_out(&m, NULL, T + 950000), 0); /* on its way back */
	o.ended = true;
	assert_int_equal(steering_sites_out(&m, NULL, T + 100000), 0);
	o.ended = false;
	o.kind = MODEL_OVERRIDE_DISABLE;
	assert_int_equal(steering_sites_out(&m, NULL, T - 1), 0);
	assert_int_equal(steering_sites_out(&m, NULL, T), 1 << 1);
	assert_int_equal(steering_sites_out(&m, NULL, T + 900000), 0);
	o.ended = true;
	assert_int_equal(steering_sites_out(&m, NULL, T), 0);
	o.ended = false;
	o.target = MODEL_TARGET_BACKEND;
	assert_int_equal(steering_sites_out(&m, NULL, T), 0);
	o.target = MODEL_TARGET_SITE;
	o.kind = MODEL_OVERRIDE_FORCE_UP;
	assert_int_equal(steering_sites_out(&m, NULL, T), 0);
}

/* Each of these alone keeps a site in, whose command would take it out. */
static void a_command_takes_a_site_out_while_it_is_in_force(void **state)
{
	static const struct {
		enum model_override_kind kind;
		enum model_target_kind target;
		bool ended;
		int64_t from_ms, until_ms;
		const char *service, *name;
		uint64_t out;
	} cases[] = {
		{ MODEL_OVERRIDE_DISABLE, MODEL_TARGET_SITE, false, T, T + 1, NULL, "fra", 2 },
		{ MODEL_OVERRIDE_DISABLE, MODEL_TARGET_SITE, false, T, T + 1, "", "ams", 1 },
		{ MODEL_OVERRIDE_DRAIN, MODEL_TARGET_SITE, false, T, T + 1, NULL, "fra", 2 },
		{ MODEL_OVERRIDE_DISABLE, MODEL_TARGET_SITE, true, T, T + 1, NULL, "fra", 0 },
		{ MODEL_OVERRIDE_DRAIN, MODEL_TARGET_SITE, true, T, T + 1, NULL, "fra", 0 },
		{ MODEL_OVERRIDE_DISABLE, MODEL_TARGET_SITE, false, T + 1, T + 2, NULL, "fra", 0 },
		{ MODEL_OVERRIDE_DISABLE, MODEL_TARGET_SITE, false, T - 1, T, NULL, "fra", 0 },
		{ MODEL_OVERRIDE_DRAIN, MODEL_TARGET_SITE, false, T + 1, T + 2, NULL, "fra", 0 },
		{ MODEL_OVERRIDE_DRAIN, MODEL_TARGET_SITE, false, T - 1, T, NULL, "fra", 0 },
		{ MODEL_OVERRIDE_DISABLE, MODEL_TARGET_NODE, false, T, T + 1, NULL, "fra", 0 },
		{ MODEL_OVERRIDE_FORCE_UP, MODEL_TARGET_SITE, false, T, T + 1, NULL, "fra", 0 },
		{ MODEL_OVERRIDE_DISABLE, MODEL_TARGET_SITE, false, T, T + 1, "web", "fra", 0 },
		{ MODEL_OVERRIDE_DISABLE, MODEL_TARGET_SITE, false, T, T + 1, NULL, "lon", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct model_override o = { .kind = cases[i].kind,
			                          .target = cases[i].target,
			                          .ended = cases[i].ended,
			                          .from_ms = cases[i].from_ms,
			                          .until_ms = cases[i].until_ms,
			                          .service = cases[i].service,
			                          .name = cases[i].name };

		m.overrides = &o;
		m.n_overrides = 1;
		assert_int_equal(steering_sites_out(&m, NULL, T), cases[i].out);
		m.n_overrides = 0;
	}
}

SUITE(steering_state)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overrides_become_gates_and_classes),
		cmocka_unit_test(a_ramp_that_is_not_on_time_changes_at_another_time),
		cmocka_unit_test(a_command_takes_a_site_out_while_it_is_in_force),
		cmocka_unit_test(a_site_is_out_when_it_is_drained_completely_or_disabled),
	};

	return cmocka_run_group_tests_name("dns steering state", tests, set_up, tear_down);
}
