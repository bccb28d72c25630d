/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several overrides, sites and services: what counts together, where it applies, and what of it
 * stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dns/steering/steering.h"
#include "dns/steering/ramps.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ALL      MODEL_PPM_ALL
#define T        1000000000000

/* web at ams and fra, mail at lon, fra and ams, a service nowhere, and one at fra alone. */
static struct model_site three[3] = { { .name = "ams" },
	                              { .name = "fra", .index = 1 },
	                              { .name = "lon", .index = 2 } };
static struct steering_site places[4][3];
static struct steering_service services[4] = {
	{ .name = "web", .n_sites = 2, .sites = places[0] },
	{ .name = "mail", .n_sites = 3, .sites = places[1], .first_state = 2 },
	{ .name = "none", .sites = places[2], .first_state = 5 },
	{ .name = "alone", .n_sites = 1, .sites = places[3], .first_state = 5 },
};
static struct steering many = { .n_services = 4, .n_states = 6, .services = services };
static const unsigned site_at[6] = { 0, 1, 2, 1, 0, 1 }; /* of each state */

static struct steering_state *make_many(struct model *of, const struct model_override *o, size_t n)
{
	struct steering_state *all = calloc(1, sizeof(*all) + 6 * sizeof(all->sites[0]));

	assert_non_null(all);
	for (unsigned i = 0; i < 6; i++)
		places[i < 2   ? 0
		       : i < 5 ? 1
		               : 3][i < 2   ? i
		                    : i < 5 ? i - 2
		                            : 0]
		        .name = three[site_at[i]].name;
	all->n_sites = 6;
	*of = (struct model){ .sites = three, .n_sites = 3, .overrides = o, .n_overrides = n };
	return all;
}

static void an_override_applies_wherever_its_site_serves(void **state)
{
	static const struct {
		enum model_override_kind kind;
		int64_t over_ms;
	} kinds[] = { { MODEL_OVERRIDE_DISABLE, 0 },
		      { MODEL_OVERRIDE_FORCE_UP, 0 },
		      { MODEL_OVERRIDE_DRAIN, 0 },
		      { MODEL_OVERRIDE_DRAIN, 2000 } };

	(void)state;
	for (size_t k = 0; k < COUNT(kinds); k++)
		for (unsigned site = 0; site < 3; site++) {
			char name[] = "xxx"; /* its own copy of the name */
			const struct model_override o = { .kind = kinds[k].kind,
				                          .name = name,
				                          .from_ms = T - 1000,
				                          .over_ms = kinds[k].over_ms,
				                          .until_ms = T + 5000 };
			struct model of;
			struct steering_state *all = make_many(&of, &o, 1);

			memcpy(name, three[site].name, 3);
			steering_apply_overrides(&many, &of, NULL, T, all);
			for (unsigned i = 0; i < 6; i++) {
				const struct steering_site_state *s = &all->sites[i];
				bool in = site_at[i] == site, half = in && kinds[k].over_ms;
				bool drain = in && kinds[k].kind == MODEL_OVERRIDE_DRAIN;

				assert_int_equal(s->disabled,
				                 in && kinds[k].kind == MODEL_OVERRIDE_DISABLE);
				assert_int_equal(s->forced_up,
				                 in && kinds[k].kind == MODEL_OVERRIDE_FORCE_UP);
				assert_int_equal(s->drained_ppm, half ? ALL / 2 : drain ? ALL : 0);
				assert_int_equal(s->shifting, half);
				assert_int_equal(s->next_ms, half ? T + 1000
				                             : in ? T + 5000
				                                  : MODEL_TIME_NEVER);
			}
			free(all);
		}
}

/* What is observed stays, what overrides made goes with them. */
static void only_what_is_observed_outlives_its_override(void **state)
{
	const struct model_override gone = { .kind = MODEL_OVERRIDE_DISABLE,
		                             .name = "xyz", /* no site of ours */
		                             .from_ms = T,
		                             .until_ms = MODEL_TIME_NEVER };
	struct model of;
	struct steering_state *all = make_many(&of, &gone, 1);

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		all->sites[i] = (struct steering_site_state){
			.words = { 100 + i, 200 + i },
			.unproven = { i & 1, i & 2 },
			.drained_ppm = 7,
			.disabled = true,
			.forced_up = true,
			.shifting = true,
			.next_ms = 5,
		};
	steering_apply_overrides(&many, &of, NULL, T, all);
	for (unsigned i = 0; i < 6; i++) {
		const struct steering_site_state *s = &all->sites[i];

		assert_true(s->words[0] == 100 + i && s->words[1] == 200 + i);
		assert_true(s->unproven[0] == (i & 1) && s->unproven[1] == !!(i & 2));
		assert_false(s->disabled || s->forced_up || s->shifting);
		assert_int_equal(s->drained_ppm, 0);
		assert_int_equal(s->next_ms, MODEL_TIME_NEVER);
	}
	free(all);
}

#define DRAIN(from, over, until)                                                                   \
	{                                                                                          \
		.kind = MODEL_OVERRIDE_DRAIN, .name = "ams", .from_ms = (from), .over_ms = (over), \
		.until_ms = (until)                                                                \
	}
#define OF(kind_, from, until)                                                                     \
	{                                                                                          \
		.kind = MODEL_OVERRIDE_##kind_, .name = "ams", .from_ms = (from),                  \
		.until_ms = (until)                                                                \
	}
#define NEVER MODEL_TIME_NEVER

/* Two of one site count together, whichever was made first. */
static const struct {
	const char *why;
	struct model_override o[3];
	uint32_t drained_ppm;
	bool disabled, forced_up, shifting;
	int64_t next_ms;
} together[] = {
	{ "a full drain beside one on the move",
	  { DRAIN(T - 5, 0, NEVER), DRAIN(T - 50000, 100000, NEVER) },
	  ALL,
	  false,
	  false,
	  true,
	  T + 50000 },
	{ "two on the move",
	  { DRAIN(T - 25000, 100000, NEVER), DRAIN(T - 75000, 100000, NEVER) },
	  ALL / 4 * 3,
	  false,
	  false,
	  true,
	  T + 25000 },
	{ "one that is over beside one to come",
	  { DRAIN(T - 50, 0, T), DRAIN(T + 70, 0, NEVER) },
	  0,
	  false,
	  false,
	  false,
	  T + 70 },
	{ "disabled, and once more later",
	  { OF(DISABLE, T, T + 100), OF(DISABLE, T + 50, T + 900) },
	  0,
	  true,
	  false,
	  false,
	  T + 50 },
	{ "disabled, and once more before",
	  { OF(DISABLE, T - 100, T), OF(DISABLE, T, T + 90) },
	  0,
	  true,
	  false,
	  false,
	  T + 90 },
	{ "forced up beside a drain",
	  { OF(FORCE_UP, T, T + 100), DRAIN(T, 0, T + 90) },
	  ALL,
	  false,
	  true,
	  false,
	  T + 90 },
	{ "forced up beside a disable",
	  { OF(FORCE_UP, T - 1, T + 100), OF(DISABLE, T - 1, T + 200) },
	  0,
	  true,
	  true,
	  false,
	  T + 100 },
	{ "forced up, and no more",
	  { OF(FORCE_UP, T - 100, T), OF(FORCE_UP, T, T + 1) },
	  0,
	  false,
	  true,
	  false,
	  T + 1 },
	{ "a hold alone", { OF(HOLD, T - 1, T + 100) }, 0, false, false, false, T + 100 },
	{ "two holds: the first stops it",
	  { DRAIN(T - 50000, 100000, NEVER), OF(HOLD, T - 30000, NEVER),
	    OF(HOLD, T - 20000, NEVER) },
	  ALL / 5,
	  false,
	  false,
	  true,
	  T + 50000 },
	{ "a hold from before the drain",
	  { DRAIN(T - 50000, 100000, NEVER), OF(HOLD, T - 60000, NEVER) },
	  0,
	  false,
	  false,
	  false,
	  T + 50000 },
	{ "a hold that begins now",
	  { DRAIN(T - 50000, 100000, NEVER), OF(HOLD, T, NEVER) },
	  ALL / 2,
	  false,
	  false,
	  true,
	  T + 50000 },
	{ "a hold that is over now",
	  { DRAIN(T - 50000, 100000, NEVER), OF(HOLD, T - 30000, T) },
	  ALL / 2,
	  false,
	  false,
	  true,
	  T + 50000 },
	{ "a hold that is over with the next millisecond",
	  { DRAIN(T - 50000, 100000, NEVER), OF(HOLD, T - 30000, T + 1) },
	  ALL / 5,
	  false,
	  false,
	  true,
	  T + 1 },
	{ "a hold that is to come",
	  { DRAIN(T - 50000, 100000, NEVER), OF(HOLD, T + 1, NEVER) },
	  ALL / 2,
	  false,
	  false,
	  true,
	  T + 1 },
	{ "a hold of a backend of that name",
	  { DRAIN(T - 50000, 100000, NEVER),
	    { .kind = MODEL_OVERRIDE_HOLD,
	      .target = MODEL_TARGET_BACKEND,
	      .name = "ams",
	      .from_ms = T - 30000,
	      .until_ms = NEVER } },
	  ALL / 2,
	  false,
	  false,
	  true,
	  T + 50000 },
	{ "a disable is no hold",
	  { DRAIN(T - 50000, 100000, NEVER), OF(DISABLE, T - 30000, NEVER) },
	  ALL / 2,
	  true,
	  false,
	  true,
	  T + 50000 },
};

static void several_of_one_site_count_together(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(together); i++)
		for (unsigned turn = 0; turn < 3; turn++) {
			struct model_override o[3];
			struct steering_state *all;
			struct model of;
			size_t n = 0;

			for (unsigned k = 0; k < 3; k++)
				if (together[i].o[(k + turn) % 3].name)
					o[n++] = together[i].o[(k + turn) % 3];
			print_message("  %s\n", together[i].why);
			all = make_many(&of, o, n);
			steering_apply_overrides(&many, &of, NULL, T, all);
			assert_int_equal(all->sites[0].drained_ppm, together[i].drained_ppm);
			assert_int_equal(all->sites[0].disabled, together[i].disabled);
			assert_int_equal(all->sites[0].forced_up, together[i].forced_up);
			assert_int_equal(all->sites[0].shifting, together[i].shifting);
			assert_int_equal(all->sites[0].next_ms, together[i].next_ms);
			free(all);
		}
}

/* Each site by its own overrides; of two drains of a site one is enough. */
static void each_site_is_out_by_its_own(void **state)
{
	struct model_override o[] = {
		DRAIN(T, 0, NEVER),
		DRAIN(T, 100000, NEVER),
		{ .kind = MODEL_OVERRIDE_DISABLE, .name = "lon", .from_ms = T, .until_ms = NEVER },
		{ .kind = MODEL_OVERRIDE_DRAIN, .name = "xyz", .from_ms = T, .until_ms = NEVER },
	};
	struct model of;

	(void)state;
	free(make_many(&of, o, COUNT(o)));
	assert_int_equal(steering_sites_out(&of, NULL, T - 1), 0);
	assert_int_equal(steering_sites_out(&of, NULL, T), 1 << 0 | 1 << 2);
	o[0].ended = true;
	assert_int_equal(steering_sites_out(&of, NULL, T + 1), 1 << 2);
	o[1].name = "fra";
	o[0].ended = false;
	assert_int_equal(steering_sites_out(&of, NULL, T + 100000), 1 << 0 | 1 << 1 | 1 << 2);
}

/* A drain's ramp counts, not its schedule: late on its way there, and held on its way back. */
static void a_site_is_out_by_where_its_ramp_is(void **state)
{
	struct model_override o = DRAIN(T, 1000, T + 5000);
	struct ramp_record record = { .id = "d", .generation = 3, .at_ms = T + 999 };
	const struct ramps r = { .n = 1, .items = &record };
	struct model of;

	(void)state;
	free(make_many(&of, &o, 1));
	o.id = "d";
	o.generation = 3;
	assert_int_equal(steering_sites_out(&of, &r, T + 2000), 0);
	record.at_ms = T + 1000;
	assert_int_equal(steering_sites_out(&of, &r, T + 2000), 1);
	record.at_ms = T + 4999;
	assert_int_equal(steering_sites_out(&of, &r, T + 9000), 1);
	o.generation = 4; /* a person has changed it: the ramp is another's */
	assert_int_equal(steering_sites_out(&of, &r, T + 9000), 0);
}

#define STEP(to, service_name)                                                                     \
	{                                                                                          \
		.kind = MODEL_OVERRIDE_DRAIN, .name = "ams", .until_ms = NEVER, .is_step = true,   \
		.to_ppm = (to), .service = (service_name)                                          \
	}

/* A service alone is drained at its site, and no other one; with the site's drain the higher counts. */
static void a_step_of_one_service_leaves_the_others_alone(void **state)
{
	static const struct {
		const char *why;
		struct model_override o[2];
		size_t n;
		uint32_t web, mail;
		uint64_t out;
	} cases[] = {
		{ "one service", { STEP(ALL, "web") }, 1, ALL, 0, 0 },
		{ "the other", { STEP(300000, "mail") }, 1, 0, 300000, 0 },
		{ "both", { STEP(ALL, "web"), STEP(ALL, "mail") }, 2, ALL, ALL, 0 },
		{ "no such service", { STEP(ALL, "ftp") }, 1, 0, 0, 0 },
		{ "all of them", { STEP(ALL, "") }, 1, ALL, ALL, 1 },
		{ "a service further than its site",
		  { STEP(ALL, "web"), STEP(250000, "") },
		  2,
		  ALL,
		  250000,
		  0 },
		{ "a site further than its service",
		  { STEP(ALL, ""), STEP(250000, "web") },
		  2,
		  ALL,
		  ALL,
		  1 },
		{ "a person's drain of the site, too",
		  { STEP(500000, "web"), DRAIN(T - 1000, 4000, NEVER) },
		  2,
		  500000,
		  250000,
		  0 },
		{ "two steps of a site",
		  { STEP(500000, NULL), STEP(600000, "") },
		  2,
		  600000,
		  600000,
		  0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct model of;
		struct steering_state *all = make_many(&of, cases[i].o, cases[i].n);

		print_message("  %s\n", cases[i].why);
		steering_apply_overrides(&many, &of, NULL, T, all);
		assert_int_equal(all->sites[0].drained_ppm, cases[i].web);
		assert_int_equal(all->sites[4].drained_ppm, cases[i].mail);
		assert_int_equal(all->sites[1].drained_ppm, 0); /* at another site */
		assert_int_equal(steering_sites_out(&of, NULL, T), cases[i].out);
		free(all);
	}
}

/* The level that is in force, not what the step's document says by now. */
static void a_steps_own_level_is_in_force(void **state)
{
	struct model_override o = STEP(ALL, "");
	struct ramp_record record = {
		.id = "d", .generation = 3, .at_ms = T, .level_known = true, .level_ppm = 999999
	};
	const struct ramps r = { .n = 1, .items = &record };
	struct model of;
	struct steering_state *all = make_many(&of, &o, 1);

	(void)state;
	o.id = "d";
	o.generation = 3;
	steering_apply_overrides(&many, &of, &r, T, all);
	assert_int_equal(all->sites[0].drained_ppm, 999999);
	assert_int_equal(steering_sites_out(&of, &r, T), 0);
	record.level_ppm = ALL;
	assert_int_equal(steering_sites_out(&of, &r, T), 1);
	free(all);
}

/* There are as many sites as bits. */
static void the_64th_site_is_out_and_the_65th_is_not(void **state)
{
	static struct model_site all[66];
	static char names[66][8];
	struct model_override o = { .kind = MODEL_OVERRIDE_DISABLE, .until_ms = NEVER };
	const struct model of = { .sites = all, .n_sites = 66, .overrides = &o, .n_overrides = 1 };

	(void)state;
	for (unsigned i = 0; i < 66; i++) {
		snprintf(names[i], sizeof(names[i]), "s%u", i);
		all[i] = (struct model_site){ .name = names[i], .index = i };
	}
	o.name = "s63";
	assert_true(steering_sites_out(&of, NULL, T) == UINT64_C(1) << 63);
	o.name = "s64";
	assert_true(steering_sites_out(&of, NULL, T) == 0);
}

SUITE(steering_sites)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_override_applies_wherever_its_site_serves),
		cmocka_unit_test(only_what_is_observed_outlives_its_override),
		cmocka_unit_test(several_of_one_site_count_together),
		cmocka_unit_test(each_site_is_out_by_its_own),
		cmocka_unit_test(a_site_is_out_by_where_its_ramp_is),
		cmocka_unit_test(a_step_of_one_service_leaves_the_others_alone),
		cmocka_unit_test(a_steps_own_level_is_in_force),
		cmocka_unit_test(the_64th_site_is_out_and_the_65th_is_not),
	};

	return cmocka_run_group_tests_name("dns steering sites", tests, NULL, NULL);
}
