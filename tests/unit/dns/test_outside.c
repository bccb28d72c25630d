/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a site is up as others see it, so that its drain may end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "dns/steering/outside.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define T        1790000000000

static const struct outside_case {
	const char *why;
	enum health_state seen[3]; /* by the nodes of ams, fra, lon */
	bool fresh[3], watched, up;
} outside_cases[] = {
	{ "all see it", { HEALTH_UP, HEALTH_UP, HEALTH_UP }, { 1, 1, 1 }, true, true },
	{ "it sees itself down", { HEALTH_DOWN, HEALTH_UP, HEALTH_UP }, { 1, 1, 1 }, true, true },
	{ "it alone sees itself up",
	  { HEALTH_UP, HEALTH_DOWN, HEALTH_DOWN },
	  { 1, 1, 1 },
	  true,
	  false },
	{ "the others disagree", { HEALTH_UP, HEALTH_UP, HEALTH_DOWN }, { 1, 1, 1 }, true, false },
	{ "one other is fresh", { HEALTH_UP, HEALTH_UP, HEALTH_DOWN }, { 1, 1, 0 }, true, true },
	{ "no other is fresh", { HEALTH_UP, HEALTH_UP, HEALTH_UP }, { 1, 0, 0 }, true, false },
	{ "no other knows",
	  { HEALTH_UP, HEALTH_UNKNOWN, HEALTH_UNKNOWN },
	  { 1, 1, 1 },
	  true,
	  false },
	{ "nobody looks: up",
	  { HEALTH_UP, HEALTH_UNKNOWN, HEALTH_UNKNOWN },
	  { 1, 1, 1 },
	  false,
	  true },
	{ "nobody looks: down",
	  { HEALTH_DOWN, HEALTH_UNKNOWN, HEALTH_UNKNOWN },
	  { 1, 1, 1 },
	  false,
	  false },
};

/* Three sites with a node each, of which ams is looked at, from fra. */
struct three {
	struct model_site sites[3];
	struct model_node nodes[3];
	struct steering_site at[3];
	struct model_service service;
	struct model_override force;
	struct model m;
	struct steering_service placed;
	struct steering p;
	struct peer_health *v;
};

static void three_init(struct three *t, struct arena *arena)
{
	static const char *const names[] = { "ams", "fra", "lon" };

	t->service = (struct model_service){ .name = "web" };
	t->force = (struct model_override){ .kind = MODEL_OVERRIDE_FORCE_UP,
		                            .name = "ams",
		                            .until_ms = MODEL_TIME_NEVER };
	t->m = (struct model){ .sites = t->sites,
		               .n_sites = 3,
		               .nodes = t->nodes,
		               .n_nodes = 3,
		               .services = &t->service,
		               .n_services = 1,
		               .overrides = &t->force };
	t->placed = (struct steering_service){ .name = "web", .n_sites = 3, .sites = t->at };
	t->p = (struct steering){ .n_services = 1, .n_states = 3, .services = &t->placed };
	for (uint32_t i = 0; i < 3; i++) {
		t->sites[i] = (struct model_site){ .name = names[i], .index = i };
		t->nodes[i] =
		        (struct model_node){ .name = names[i], .site = &t->sites[i], .api = "x" };
		t->at[i] = (struct steering_site){ .name = names[i], .n_addresses = { 1, 1 } };
	}
	t->m.self = &t->nodes[1];
	t->v = peer_health_new(&t->m, &t->p, arena);
	assert_non_null(t->v);
}

static void outside_is_what_other_sites_see(void **state)
{
	const struct model_check check = { .name = "c" };
	struct arena *arena = arena_new(1 << 20);
	struct three t;
	(void)state;

	three_init(&t, arena);
	for (size_t i = 0; i < COUNT(outside_cases); i++) {
		const struct outside o = { &t.m, &t.p, t.v };
		const struct outside_case *c = &outside_cases[i];

		t.service.vip_check = c->watched ? &check : NULL;
		for (size_t k = 0; k < 3; k++) {
			t.v->items[k].fresh = c->fresh[k];
			t.v->items[k].words[1] = health_make(c->seen[k], 0, HEALTH_REASON_OK, 1);
		}
		t.v->items[0].words[0] = health_make(HEALTH_DOWN, 0, HEALTH_REASON_OK, 1);
		t.m.n_overrides = 0;
		if (outside_is_up(&o, &t.sites[0], T) != c->up)
			fail_msg("%s", c->why);
		t.m.n_overrides = 1;
		assert_true(outside_is_up(&o, &t.sites[0], T));
	}
	arena_free(arena);
}

static bool is_up_now(const struct three *t, size_t site)
{
	const struct outside o = { &t->m, &t->p, t->v };

	return outside_is_up(&o, &t->sites[site], T);
}

static void outside_has_families_services_and_times(void **state)
{
	const struct model_check check = { .name = "c" };
	struct arena *arena = arena_new(1 << 20);
	struct three t;
	(void)state;

	three_init(&t, arena);
	t.service.vip_check = &check;
	for (size_t k = 0; k < 3; k++) {
		t.v->items[k].fresh = true;
		for (size_t i = 0; i < 6; i++)
			t.v->items[k].words[i] = health_make(HEALTH_DOWN, 0, HEALTH_REASON_OK, 1);
	}
	assert_false(is_up_now(&t, 0));
	t.v->items[1].words[0] = t.v->items[2].words[0] =
	        health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1);
	assert_true(is_up_now(&t, 0)); /* by IPv6 */
	assert_false(is_up_now(&t, 1));
	t.placed.n_sites = 1;
	assert_true(is_up_now(&t, 1)); /* it has no service that could be down */
	t.placed.n_sites = 3;
	/* forced up, from an instant to another */
	t.force = (struct model_override){ .kind = MODEL_OVERRIDE_FORCE_UP,
		                           .name = "fra",
		                           .from_ms = T + 1,
		                           .until_ms = MODEL_TIME_NEVER };
	t.m.n_overrides = 1;
	assert_false(is_up_now(&t, 1));
	t.force.from_ms = T;
	assert_true(is_up_now(&t, 1));
	assert_false(is_up_now(&t, 2)); /* another site's */
	t.force.until_ms = T;
	assert_false(is_up_now(&t, 1));
	t.force.until_ms = T + 1;
	t.force.ended = true;
	assert_false(is_up_now(&t, 1));
	t.force.ended = false;
	t.force.target = MODEL_TARGET_BACKEND;
	assert_false(is_up_now(&t, 1));
	arena_free(arena);
}

/*
 * Where all nodes are at the site itself nobody can look from outside: what it sees of itself
 * counts.
 */
static void a_site_that_has_all_nodes_is_watched_by_none(void **state)
{
	const struct model_check check = { .name = "c" };
	struct arena *arena = arena_new(1 << 20);
	struct three t;
	(void)state;

	three_init(&t, arena);
	for (size_t k = 0; k < 3; k++)
		t.nodes[k].site = &t.sites[0];
	t.v = peer_health_new(&t.m, &t.p, arena);
	assert_non_null(t.v);
	t.service.vip_check = &check;
	assert_true(is_up_now(&t, 0)); /* nothing is known */
	for (size_t k = 0; k < 3; k++)
		t.v->items[k].words[0] = t.v->items[k].words[1] =
		        health_make(HEALTH_DOWN, 0, HEALTH_REASON_OK, 1);
	assert_false(is_up_now(&t, 0));
	for (size_t k = 0; k < 2; k++)
		t.v->items[k].words[1] = health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1);
	assert_true(is_up_now(&t, 0));
	arena_free(arena);
}

/*
 * A default check that succeeds from nowhere says nothing of its target: there the site's own word
 * counts, and at no other site or family.
 */
static void what_nobody_can_reach_is_what_the_site_says_itself(void **state)
{
	const struct model_check check = { .name = "c" };
	struct arena *arena = arena_new(1 << 20);
	struct three t;
	(void)state;

	three_init(&t, arena);
	t.service.vip_check = &check;
	for (size_t k = 0; k < 3; k++)
		t.v->items[k].fresh = true;
	for (size_t own = 0; own < 6; own++)
		for (size_t unproven = 0; unproven < 6; unproven++) {
			for (size_t i = 0; i < 6; i++) {
				for (size_t k = 0; k < 3; k++)
					t.v->items[k].words[i] = health_make(
					        HEALTH_DOWN,
					        i == unproven ? HEALTH_MARK_UNPROVEN : 0,
					        HEALTH_REASON_TIMEOUT, 1);
				t.v->items[i / 2].words[i] = health_make(
				        i == own ? HEALTH_UP : HEALTH_DOWN, 0, HEALTH_REASON_OK, 1);
			}
			t.service.vip_check_from = MODEL_VIP_CHECK_DEFAULT;
			assert_int_equal(is_up_now(&t, own / 2), own == unproven);
			t.service.vip_check_from = MODEL_VIP_CHECK_GIVEN; /* a person wants it */
			assert_false(is_up_now(&t, own / 2));
		}
	arena_free(arena);
}

/* A family that the site does not have is seen by nobody: it does not make the site up. */
static void a_family_without_addresses_says_nothing(void **state)
{
	const struct model_check check = { .name = "c" };
	struct arena *arena = arena_new(1 << 20);
	struct three t;
	(void)state;

	three_init(&t, arena);
	t.service.vip_check = &check;
	t.service.vip_check_from = MODEL_VIP_CHECK_DEFAULT;
	for (unsigned has = 0; has < 2; has++) {
		t.at[0].n_addresses[has] = 1;
		t.at[0].n_addresses[!has] = 0;
		for (size_t k = 0; k < 3; k++) {
			t.v->items[k].fresh = true;
			t.v->items[k].words[has] =
			        health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 1);
			t.v->items[k].words[!has] = 0;
		}
		assert_false(is_up_now(&t, 0));
		t.service.vip_check = NULL; /* nor where its own nodes are asked */
		assert_false(is_up_now(&t, 0));
		t.service.vip_check = &check;
		for (size_t k = 0; k < 3; k++)
			t.v->items[k].words[has] = health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1);
		assert_true(is_up_now(&t, 0));
	}
	arena_free(arena);
}

/* A drained site does not vote, but where nobody else looks its own nodes are still asked. */
static void a_site_without_a_vote_says_itself_that_it_is_down(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct three t;
	(void)state;

	three_init(&t, arena);
	peer_health_exclude(t.v, 1);
	for (size_t i = 0; i < 2; i++)
		t.v->items[0].words[i] = health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 1);
	t.v->items[0].fresh = true;
	assert_false(is_up_now(&t, 0));
	t.v->items[0].words[1] = health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1);
	assert_true(is_up_now(&t, 0));
	arena_free(arena);
}

/* Of several services at a site one that is up is enough; one beyond them does not count. */
static void any_service_of_the_site_is_enough(void **state)
{
	const struct model_check check = { .name = "c" };
	struct arena *arena = arena_new(1 << 20);
	struct model_service services[3] = { { .name = "web" },
		                             { .name = "mail" },
		                             { .name = "no" } };
	struct steering_service placed[3];
	struct three t;
	(void)state;

	three_init(&t, arena);
	for (uint32_t i = 0; i < 3; i++) {
		placed[i] = t.placed;
		placed[i].first_state = 3 * i;
		services[i].vip_check = &check;
	}
	t.m.services = services;
	t.m.n_services = t.p.n_services = 2;
	t.p.services = placed;
	t.p.n_states = 9;
	t.v = peer_health_new(&t.m, &t.p, arena);
	assert_non_null(t.v);
	for (size_t up = 0; up < 9; up++) { /* the state that all see up */
		for (size_t k = 0; k < 3; k++) {
			t.v->items[k].fresh = true;
			for (size_t i = 0; i < 18; i++)
				t.v->items[k].words[i] =
				        health_make(i / 2 == up ? HEALTH_UP : HEALTH_DOWN, 0,
				                    HEALTH_REASON_OK, 1);
		}
		for (size_t site = 0; site < 3; site++)
			assert_int_equal(is_up_now(&t, site), up < 6 && site == up % 3);
	}
	arena_free(arena);
}

SUITE(outside)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outside_is_what_other_sites_see),
		cmocka_unit_test(outside_has_families_services_and_times),
		cmocka_unit_test(a_site_that_has_all_nodes_is_watched_by_none),
		cmocka_unit_test(what_nobody_can_reach_is_what_the_site_says_itself),
		cmocka_unit_test(a_family_without_addresses_says_nothing),
		cmocka_unit_test(a_site_without_a_vote_says_itself_that_it_is_down),
		cmocka_unit_test(any_service_of_the_site_is_enough),
	};

	return cmocka_run_group_tests_name("dns outside", tests, NULL, NULL);
}
