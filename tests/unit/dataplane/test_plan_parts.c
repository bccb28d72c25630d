/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plan to its edges (dataplane/tables/plan.c, plan_fill.c): sizes, limits reached exactly, whose
 * override, which ring.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "dataplane/tables/guard.h"
#include "dataplane/tables/plan.h"
#include "tests/unit/suite.h"
#include "weir/model.h"
#include "weir/ring.h"

#include "tests/unit/dataplane/stage.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct world w;
static char why[PLAN_REASON_MAX];

static int setup(void **state)
{
	(void)state;
	make_world(&w);
	use_both_pools(&w);
	why[0] = '\0';
	return 0;
}

static struct plan *make_plan(void)
{
	struct plan *p = NULL;

	assert_int_equal(plan_make(&w.model, NOW, &p, why), 0);
	return p;
}

static void tables_are_sized_by_limits(void **state)
{
	static const struct {
		struct model_limits limits;
		struct driver_sizes sizes;
	} cases[] = {
		{ { 16, 64, 8192, 1024 }, { 64, 16, 80, 82, 8192, 128 } },
		{ { 17, 65, 8193, 1025 }, { 128, 17, 81, 83, 8224, 256 } },
		{ { 2, 6, 8192, 1 }, { 64, 2, 66, 9, 8192, 1 } },
		{ { 16, 30000, 8192, 0 }, { 64, 16, 80, FWD_BACKENDS_MAX, 8192, 1 } },
		{ { 16, 26213, 8192, 8 }, { 64, 16, 80, FWD_BACKENDS_MAX, 8192, 1 } },
		{ { 16, 26211, 8192, 9 }, { 64, 16, 80, 32765, 8192, 2 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		w.model.limits = cases[i].limits;
		struct plan *p = make_plan();

		if (memcmp(&p->sizes, &cases[i].sizes, sizeof(p->sizes)) != 0)
			fail_msg("case %zu: %u %u %u %u %u %u", i, p->sizes.services,
			         p->sizes.service_counts, p->sizes.pools, p->sizes.backends,
			         p->sizes.slots, p->sizes.exception_buckets);
		plan_free(p);
	}
}

/*
 * What is reached exactly is well; one more is refused, with both numbers and the limit to raise.
 */
static void a_limit_reached_exactly_is_no_refusal(void **state)
{
	static const struct {
		struct model_limits fits, not ;
		const char *why;
	} cases[] = {
		{ { 2, 64, 8192, 8 },
		  { 1, 64, 8192, 8 },
		  "services at this site: 2 are needed and 1 fit; raise limits.services" },
		{ { 16, 4, 8192, 8 }, /* a quarter more and two, without nobody's: six */
		  { 16, 3, 8192, 8 },
		  "backends, with removed ones that still have flows: 6 are needed and 4 fit; raise limits.backends" },
		{ { 16, 64, 8161, 8 },
		  { 16, 64, 8160, 8 },
		  "slots of all pools: 8192 are needed and 8160 fit; raise limits.slots" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct plan *p = NULL;

		w.model.limits = cases[i].fits;
		plan_free(make_plan());
		w.model.limits = cases[i].not ;
		assert_int_equal(plan_make(&w.model, NOW, &p, why), -EDQUOT);
		assert_string_equal(why, cases[i].why);
		assert_null(p);
	}
}

/* So many, each at an address of its own, that no seed has a position for each of them. */
static void services_that_the_table_does_not_take_are_refused(void **state)
{
	enum { MANY = 16384 };
	struct model_service *services = calloc(MANY, sizeof(*services));
	struct model_vip *vips = calloc(MANY, sizeof(*vips));
	struct model_at *ats = calloc(MANY, sizeof(*ats));
	struct addr *addresses = calloc(MANY, sizeof(*addresses));
	struct plan *p = NULL;
	uint32_t drawn = 7;

	(void)state;
	assert_true(services && vips && ats && addresses);
	for (size_t i = 0; i < MANY; i++) {
		drawn = drawn * 1664525u + 1013904223u;
		addresses[i] = w.addresses[0];
		memcpy(addresses[i].bytes + 12, &drawn, sizeof(drawn));
		vips[i] = (struct model_vip){ .addresses = &addresses[i], .n_addresses = 1 };
		ats[i] = w.at[0];
		ats[i].vip = &vips[i];
		services[i] = w.services[1];
		services[i].at = &ats[i];
		services[i].n_at = 1;
	}
	w.model.services = services;
	w.model.n_services = MANY;
	w.model.limits.services = MANY;
	assert_int_equal(plan_make(&w.model, NOW, &p, why), -EDQUOT);
	assert_string_equal(why, "services at their addresses, and VIPs: a table of 65536 does not "
	                         "take these 32768; raise limits.services");
	w.model.limits.services = MANY + 1;
	plan_free(make_plan());
	free(services);
	free(vips);
	free(ats);
	free(addresses);
}

static void an_entry_has_each_of_its_services_values(void **state)
{
	static const enum model_udp_policy policies[] = { MODEL_UDP_KEEP, MODEL_UDP_MIGRATE,
		                                          MODEL_UDP_RESET };
	static const uint8_t wanted[] = { FWD_UDP_KEEP, FWD_UDP_MIGRATE, FWD_UDP_RESET };

	(void)state;
	for (size_t i = 0; i < COUNT(policies); i++) {
		w.services[0].udp_policy = policies[i];
		w.services[0].udp_idle_ms = 30000 + (uint32_t)i;
		struct plan *p = make_plan();
		size_t found = 0;

		for (size_t k = 0; k < p->n_entries; k++) {
			const struct plan_entry *e = &p->entries[k];

			assert_true(e->entry.flags & FWD_SERVICE_USED);
			if (e->entry.protocol != 17)
				continue;
			assert_int_equal(e->entry.port_be, fwd_be16(53));
			assert_int_equal(e->entry.udp_policy, wanted[i]);
			assert_int_equal(e->entry.udp_idle_s, i ? 31 : 30);
			assert_int_equal(e->entry.flags & FWD_SERVICE_HASH_SOURCE, 0);
			assert_int_equal(e->pool, 1);
			assert_ptr_equal(p->services[e->service], &w.services[0]);
			assert_memory_equal(e->entry.vip.bytes, w.addresses[found].bytes, 16);
			found++;
		}
		assert_int_equal(found, 2);
		assert_int_equal(p->pools[0].udp_idle_ms, 0);
		assert_int_equal(p->pools[1].udp_idle_ms, 30000 + i);
		assert_int_equal(p->n_backends, 6);
		assert_int_equal(p->n_slots, 8192);
		plan_free(p);
	}
}

static const struct {
	const char *why;
	struct {
		enum model_protocol protocol;
		uint32_t idle_ms;
		size_t pool;
	} of[3];
	uint32_t idle_ms[2]; /* of the two pools */
} idle_cases[] = {
	{ "the longest is first",
	  { { MODEL_UDP, 90000, 0 }, { MODEL_UDP, 30000, 0 }, { MODEL_UDP, 60000, 0 } },
	  { 90000, 0 } },
	{ "the longest is between",
	  { { MODEL_UDP, 30000, 0 }, { MODEL_UDP, 90000, 0 }, { MODEL_UDP, 60000, 0 } },
	  { 90000, 0 } },
	{ "the longest is last",
	  { { MODEL_UDP, 30000, 0 }, { MODEL_UDP, 60000, 0 }, { MODEL_UDP, 90000, 0 } },
	  { 90000, 0 } },
	{ "each pool has its own",
	  { { MODEL_UDP, 90000, 1 }, { MODEL_UDP, 30000, 0 }, { MODEL_UDP, 60000, 1 } },
	  { 30000, 90000 } },
	{ "TCP has none",
	  { { MODEL_TCP, 90000, 0 }, { MODEL_UDP, 30000, 0 }, { MODEL_TCP, 60000, 1 } },
	  { 30000, 0 } },
	{ "nor after UDP",
	  { { MODEL_UDP, 30000, 0 }, { MODEL_TCP, 90000, 0 }, { MODEL_TCP, 10000, 0 } },
	  { 30000, 0 } },
};

/*
 * A slot learns as long as any flow of its pool may be idle: the longest time counts, wherever it
 * stands.
 */
static void a_pools_udp_idle_time_is_the_longest_of_its_own_services(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(idle_cases); i++) {
		struct model_service list[3];
		struct model_at at[3];

		for (size_t k = 0; k < 3; k++) {
			at[k] = (struct model_at){ .site = &w.sites[0],
				                   .vip = &w.vip,
				                   .pool = &w.pools[idle_cases[i].of[k].pool],
				                   .weight = 1 };
			list[k] =
			        (struct model_service){ .name = "s",
				                        .protocol = idle_cases[i].of[k].protocol,
				                        .port = (uint16_t)(53 + k),
				                        .udp_idle_ms = idle_cases[i].of[k].idle_ms,
				                        .at = &at[k],
				                        .n_at = 1 };
		}
		w.model.services = list;
		w.model.n_services = 3;
		struct plan *p = make_plan();

		for (size_t k = 0; k < 2; k++)
			if (p->pools[k].udp_idle_ms != idle_cases[i].idle_ms[k])
				fail_msg("%s: pool %zu: %u", idle_cases[i].why, k,
				         p->pools[k].udp_idle_ms);
		for (size_t k = 0; k < p->n_entries; k++) /* a packet's own time is its service's */
			if (p->entries[k].service != PLAN_NONE)
				assert_int_equal(p->entries[k].entry.udp_idle_s,
				                 idle_cases[i].of[p->entries[k].service].idle_ms /
				                         1000);
		plan_free(p);
	}
}

static const struct {
	const char *why;
	struct model_override o;
	uint8_t intent; /* of "a" of "web-ams" */
} override_cases[] = {
	{ "disabled",
	  { .kind = MODEL_OVERRIDE_DISABLE, .name = "a", .pool = "web-ams" },
	  GUARD_DISABLED },
	{ "forced up",
	  { .kind = MODEL_OVERRIDE_FORCE_UP, .name = "a", .pool = "web-ams" },
	  GUARD_FORCED_UP },
	{ "of another pool",
	  { .kind = MODEL_OVERRIDE_DISABLE, .name = "a", .pool = "web-fra" },
	  GUARD_NOTHING },
	{ "of another backend",
	  { .kind = MODEL_OVERRIDE_DISABLE, .name = "b", .pool = "web-ams" },
	  GUARD_NOTHING },
	{ "of a site",
	  { .kind = MODEL_OVERRIDE_DISABLE, .name = "a", .pool = "web-ams", .id = "site" },
	  GUARD_NOTHING },
	{ "ended",
	  { .kind = MODEL_OVERRIDE_DISABLE, .name = "a", .pool = "web-ams", .ended = true },
	  GUARD_NOTHING },
	{ "begins now",
	  { .kind = MODEL_OVERRIDE_DISABLE, .name = "a", .pool = "web-ams", .from_ms = NOW },
	  GUARD_DISABLED },
	{ "begins later",
	  { .kind = MODEL_OVERRIDE_DISABLE, .name = "a", .pool = "web-ams", .from_ms = NOW + 1 },
	  GUARD_NOTHING },
	{ "ends later",
	  { .kind = MODEL_OVERRIDE_DISABLE, .name = "a", .pool = "web-ams", .until_ms = NOW + 1 },
	  GUARD_DISABLED },
	{ "ends now",
	  { .kind = MODEL_OVERRIDE_DISABLE, .name = "a", .pool = "web-ams", .until_ms = NOW },
	  GUARD_NOTHING },
	{ "of who is configured no more",
	  { .kind = MODEL_OVERRIDE_DISABLE, .name = "", .pool = "web-ams" },
	  GUARD_NOTHING },
};

static void an_override_is_of_its_own_pool_backend_kind_and_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(override_cases); i++) {
		w.overrides[0] = override_cases[i].o;
		w.overrides[0].target =
		        override_cases[i].o.id ? MODEL_TARGET_SITE : MODEL_TARGET_BACKEND;
		if (!w.overrides[0].until_ms)
			w.overrides[0].until_ms = MODEL_TIME_NEVER;
		w.model.n_overrides = 1;
		struct plan *p = make_plan();

		if (p->pools[0].backends[0].intent != override_cases[i].intent)
			fail_msg("%s", override_cases[i].why);
		assert_int_equal(p->pools[0].backends[1].intent,
		                 GUARD_NOTHING); /* id 7, without a name */
		plan_free(p);
	}
}

/* The order of two overrides of one backend does not matter: out is out. */
static void a_word_against_a_backend_counts_more_in_either_order(void **state)
{
	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < 2; i++)
			w.overrides[i] =
			        (struct model_override){ .kind = (i == turn)
				                                         ? MODEL_OVERRIDE_DISABLE
				                                         : MODEL_OVERRIDE_FORCE_UP,
				                         .target = MODEL_TARGET_BACKEND,
				                         .pool = "web-ams",
				                         .name = "a",
				                         .until_ms = MODEL_TIME_NEVER };
		w.model.n_overrides = 2;
		struct plan *p = make_plan();

		assert_int_equal(p->pools[0].backends[0].intent, GUARD_DISABLED);
		plan_free(p);
	}
}

static void weights_are_of_the_set_in_force_in_each_pool(void **state)
{
	static const struct {
		int64_t wall_clock_ms;
		uint32_t weights[3];
	} cases[] = { { 0, { 10, 10, 0 } },
		      { NOW - 501, { 10, 10, 0 } },
		      { NOW - 500, { 20, 0, 30 } },
		      { NOW + 1999, { 20, 0, 30 } },
		      { NOW + 2000, { 0, 0, 30 } } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct plan *p = NULL;

		assert_int_equal(plan_make(&w.model, cases[i].wall_clock_ms, &p, why), 0);
		for (size_t k = 0; k < 6; k++)
			assert_int_equal(p->pools[k / 3].backends[k % 3].weight,
			                 cases[i].weights[k % 3]);
		assert_false(plan_update(p, cases[i].wall_clock_ms));
		plan_free(p);
	}
}

/* --- rings --- */

static void members_are_the_same_by_identity_and_weight(void **state)
{
	static const struct model_member list[] = { { .id = 1, .weight = 2 },
		                                    { .id = 3, .weight = 4 } };
	static const struct {
		struct model_member list[2];
		size_t n;
		bool same;
	} cases[] = {
		{ { { .id = 1, .weight = 2 }, { .id = 3, .weight = 4 } }, 2, true },
		{ { { .id = 1, .weight = 2 }, { .id = 3, .weight = 4 } }, 1, false },
		{ { { .id = 2, .weight = 2 }, { .id = 3, .weight = 4 } }, 2, false },
		{ { { .id = 1, .weight = 3 }, { .id = 3, .weight = 4 } }, 2, false },
		{ { { .id = 1, .weight = 2 }, { .id = 4, .weight = 4 } }, 2, false },
		{ { { .id = 1, .weight = 2 }, { .id = 3, .weight = 5 } }, 2, false },
	};
	const struct model_set a = { 1, 2, list, 2 };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct model_set b = { 3, 4, cases[i].list, cases[i].n };

		assert_int_equal(plan_same_members(&a, &b), cases[i].same);
	}
}

static void expect_rings(const char *what, const struct plan *p, const bool made[3])
{
	for (size_t i = 0; i < 3; i++)
		if ((p->pools[0].rings[i] != NULL) != made[i])
			fail_msg("%s: set %zu: %s", what, i, made[i] ? "no ring" : "a ring");
	assert_null(p->pools[0].rings[3]);
}

static const struct {
	const char *why;
	int64_t wall_clock_ms;
	uint64_t key;
	uint32_t n_slots;
	const char *name;
	bool made[3];
	bool agent; /* of the pool before */
} ring_cases[] = {
	{ "in force and next are there", NOW, 0, 4096, "web-ams", { false, false, false }, false },
	{ "the next alone is in force",
	  NOW + 2000,
	  0,
	  4096,
	  "web-ams",
	  { false, false, false },
	  false },
	{ "the first is in force, all follow",
	  NOW - 501,
	  0,
	  4096,
	  "web-ams",
	  { false, false, false },
	  false },
	{ "another key", NOW, 1, 4096, "web-ams", { true, true, true }, false },
	{ "more slots", NOW, 0, 8192, "web-ams", { true, true, true }, false },
	{ "fewer slots", NOW, 0, 2048, "web-ams", { true, true, true }, false },
	{ "another pool", NOW, 0, 4096, "mail", { true, true, true }, false },
	{ "its owners begin again", NOW + 2000, 0, 4096, "web-ams", { true, true, false }, true },
};

/* Rings that the owners have already, of the set in force and the next, are not made again; none is of a set before. */
static void rings_are_made_of_sets_that_are_new(void **state)
{
	static struct world before;

	(void)state;
	for (size_t i = 0; i < COUNT(ring_cases); i++) {
		make_world(&before);
		before.pools[0].n_slots = ring_cases[i].n_slots;
		before.pools[0].name = ring_cases[i].name;
		before.pools[0].agent = ring_cases[i].agent;
		before.model.hash_key[1] = ring_cases[i].key;
		struct plan *p = make_plan();

		plan_fill(p, &before.model, ring_cases[i].wall_clock_ms);
		expect_rings(ring_cases[i].why, p, ring_cases[i].made);
		plan_free_rings(&p->pools[0]);
		expect_rings(ring_cases[i].why, p, (const bool[3]){ false, false, false });
		plan_fill(p, NULL, ring_cases[i].wall_clock_ms);
		expect_rings(ring_cases[i].why, p, (const bool[3]){ true, true, true });
		plan_free(p);
	}
}

/*
 * A ring names places in the plan's backends, by the members' weights: as the owners would fill
 * it.
 */
static void a_ring_is_what_the_owners_would_make(void **state)
{
	struct ring_backend members[] = { { .key = 5, .weight = 20, .id = 1 },
		                          { .key = 9, .weight = 30, .id = 3 } };
	static uint16_t wanted[4096];
	struct plan *p = make_plan();

	(void)state;
	w.model.hash_key[0] = 77;
	plan_fill(p, NULL, NOW);
	assert_int_equal(ring_fill(wanted, 4096, members, 2, w.model.hash_key), 0);
	for (size_t i = 0; i < 2; i++)
		assert_memory_equal(p->pools[i].rings[1], wanted, sizeof(wanted));
	plan_free(p);
}

#define PLAN_TEST(name) cmocka_unit_test_setup(name, setup)

SUITE(plan_parts)
{
	const struct CMUnitTest tests[] = {
		PLAN_TEST(tables_are_sized_by_limits),
		PLAN_TEST(a_limit_reached_exactly_is_no_refusal),
		PLAN_TEST(services_that_the_table_does_not_take_are_refused),
		PLAN_TEST(an_entry_has_each_of_its_services_values),
		PLAN_TEST(a_pools_udp_idle_time_is_the_longest_of_its_own_services),
		PLAN_TEST(an_override_is_of_its_own_pool_backend_kind_and_time),
		PLAN_TEST(a_word_against_a_backend_counts_more_in_either_order),
		PLAN_TEST(weights_are_of_the_set_in_force_in_each_pool),
		PLAN_TEST(members_are_the_same_by_identity_and_weight),
		PLAN_TEST(rings_are_made_of_sets_that_are_new),
		PLAN_TEST(a_ring_is_what_the_owners_would_make),
	};

	return cmocka_run_group_tests_name("plan parts", tests, NULL, NULL);
}
