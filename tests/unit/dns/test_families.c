/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which site answers in which address family; a site that nobody has seen up yet; as many sites
 * as there may be.
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
#include "tests/unit/suite.h"

#define PREFIXES 60000
#define SITES    3
#define ALL      MODEL_PPM_ALL
#define WALL     1000000000000
#define BOTH                                                                                       \
	{                                                                                          \
		1, 1                                                                               \
	}
#define UP   health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 0)
#define DOWN health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 0)

/* Three sites, one dynamic name; whatever a test wants is changed in a copy. */
struct world {
	struct steering_site sites[SITES];
	struct steering_service service;
	struct steering_name name;
	struct steering place;
	struct steering_state *state;
	struct steering_site_state at[SITES];
};

static struct world *world_new(void)
{
	static const char *const names[SITES] = { "ams", "fra", "lon" };
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	for (size_t k = 0; k < SITES; k++) {
		w->sites[k] = (struct steering_site){ .name = names[k],
			                              .weight = 100,
			                              .n_addresses = BOTH };
		w->sites[k].id = hash_text(names[k]);
		w->at[k].next_ms = MODEL_TIME_NEVER;
	}
	w->service =
	        (struct steering_service){ .name = "web", .n_sites = SITES, .sites = w->sites };
	w->name = (struct steering_name){
		.name = "www", .service = &w->service, .ttl_min_s = 5, .ttl_max_s = 60
	};
	w->place = (struct steering){ .key = { 11, 12 }, .n_names = 1, .names = &w->name };
	w->state = calloc(1, sizeof(*w->state) + sizeof(w->at));
	assert_non_null(w->state);
	return w;
}

static void world_free(struct world *w)
{
	free(w->state);
	free(w);
}

static struct addr prefix_at(uint32_t i)
{
	const uint8_t four[4] = { (uint8_t)(11 + (i >> 16)), (uint8_t)(i >> 8), (uint8_t)i, 0 };
	const uint8_t six[16] = { 0x20,      1, 0x0d, 0xb8, (uint8_t)(i >> 16), (uint8_t)(i >> 8),
		                  (uint8_t)i };

	return i % 2 ? addr_from6(six) : addr_from4(four);
}

static struct steering_choice choose_site(struct world *w, const struct addr *client, bool ip4)
{
	struct steering_key key = steering_key_of(client);

	memcpy(w->state->sites, w->at, sizeof(w->at));
	return steering_choose(&w->place, w->state, 0, ip4, &key, WALL);
}

/* Where a client's IPv6 and IPv4 answers lead. */
static void choose_both(struct world *w, const struct addr *client, int32_t site[2])
{
	site[0] = choose_site(w, client, false).site;
	site[1] = choose_site(w, client, true).site;
}

/* If one family of the chosen site fell, the other's clients would go elsewhere too. */
static void doubt_in_either_family_shortens_both_answers(void **state)
{
	(void)state;
	for (int family = 0; family < 2; family++) {
		struct world *w = world_new();
		struct addr client = prefix_at(1);

		w->at[0].words[family] = health_make(HEALTH_UP, HEALTH_MARK_DOUBT, 0, 0);
		for (int ip4 = 0; ip4 < 2; ip4++)
			assert_int_equal(choose_site(w, &client, ip4).ttl_s, 5);
		w->sites[0].n_addresses[family] = 0; /* that family has nothing there to fall */
		for (int ip4 = 0; ip4 < 2; ip4++)
			assert_int_equal(choose_site(w, &client, ip4).ttl_s, 60);
		world_free(w);
	}
}

static void both_families_come_from_one_site_that_serves_both(void **state)
{
	(void)state;
	struct world *w = world_new();
	size_t n_moved = 0;

	for (uint32_t i = 0; i < PREFIXES / 10; i++) {
		struct addr client = prefix_at(i);
		int32_t was[2], now[2];

		w->at[1].words[0] = UP;
		choose_both(w, &client, was);
		w->at[1].words[0] = DOWN;
		choose_both(w, &client, now);
		for (int ip4 = 0; ip4 < 2; ip4++) /* explain names it to its own clients alone */
			assert_int_equal(choose_site(w, &client, ip4).halved, was[0] == 1 ? 2 : 0);
		assert_int_equal(was[0], was[1]);
		assert_int_equal(now[0], now[1]);
		assert_int_not_equal(now[0], 1);
		if (was[0] != 1)
			assert_int_equal(now[0], was[0]); /* the others' clients stay */
		n_moved += was[0] == 1;
	}
	assert_true(n_moved > PREFIXES / 50);
	struct addr client = prefix_at(0);

	for (uint32_t i = 0; choose_site(w, &client, true).halved != 2; i++)
		client = prefix_at(i);
	w->at[0].words[1] = DOWN; /* lon alone serves both now, its drain or not */
	w->at[2].drained_ppm = 1000;
	assert_int_equal(choose_site(w, &client, true).site, 2);
	assert_int_equal(choose_site(w, &client, false).site, 2);
	world_free(w);
}

/* A half site sends clients to a site that is being drained: its gate turns a part of them away. */
static void clients_of_a_half_site_keep_to_the_gates_of_the_others(void **state)
{
	(void)state;
	struct world *w = world_new();
	size_t n_gated = 0, n_half = 0;

	w->at[1].words[0] = DOWN;
	w->at[2].drained_ppm = ALL / 2;
	for (uint32_t i = 0; i < PREFIXES / 10; i++) {
		struct addr client = prefix_at(i);

		for (int ip4 = 0; ip4 < 2; ip4++) {
			struct steering_choice c = choose_site(w, &client, ip4);

			if (c.halved != 2)
				continue;
			n_half++;
			n_gated += c.gated == 4;
			if (c.gated)
				assert_int_equal(c.site, 0);
		}
	}
	assert_true(n_half > PREFIXES / 100);
	assert_in_range(n_gated, n_half * 3 / 10, n_half / 2); /* two of five */
	world_free(w);
}

static void without_such_a_site_each_family_is_answered_alone(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct addr client = prefix_at(5);

	for (size_t k = 0; k < SITES; k++)
		w->at[k].words[1] = k == 1 ? UP : DOWN;
	w->at[1].words[0] = DOWN;
	assert_int_equal(choose_site(w, &client, true).site, 1);
	assert_int_equal(choose_site(w, &client, false).candidates, 5);
	w->at[1].words[0] = UP; /* now one serves both */
	for (uint32_t i = 0; i < 100; i++) {
		client = prefix_at(i);
		assert_int_equal(choose_site(w, &client, true).site, 1);
		assert_int_equal(choose_site(w, &client, false).site, 1);
	}
	world_free(w);
}

static void a_site_of_one_family_serves_that_one(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct addr client = prefix_at(5);

	w->sites[1].n_addresses[0] = 0;
	assert_int_equal(choose_site(w, &client, true).candidates, 7);
	assert_int_equal(choose_site(w, &client, false).candidates, 5);
	for (uint32_t i = 0; choose_site(w, &client, true).site != 1; i++)
		client = prefix_at(i); /* its clients still come by IPv4 */
	w->at[0].words[0] = DOWN;
	for (uint32_t i = 0; i < PREFIXES / 10; i++) {
		int32_t now[2];

		client = prefix_at(i);
		choose_both(w, &client, now);
		assert_int_equal(now[0], 2);
		assert_int_not_equal(now[1], 0);
	}
	world_free(w);
}

static void a_new_site_waits_while_another_is_up(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct addr client = prefix_at(5);

	w->at[1].unproven[0] = w->at[1].unproven[1] = true;
	w->at[2].unproven[1] = true;
	assert_int_equal(choose_site(w, &client, true).candidates, 1);
	assert_int_equal(choose_site(w, &client, false).candidates,
	                 5); /* new in one family is not half down */
	w->at[0].words[1] = DOWN;
	assert_int_equal(choose_site(w, &client, true).class, STEERING_UNPROVEN);
	assert_int_equal(choose_site(w, &client, true).candidates, 6);
	w->service.fail_closed = true;
	assert_int_equal(choose_site(w, &client, true).candidates, 6);
	w->at[0].words[1] = UP;
	w->at[0].drained_ppm = ALL; /* drained, but up */
	assert_int_equal(choose_site(w, &client, true).class, STEERING_DRAINED);
	assert_int_equal(choose_site(w, &client, true).candidates, 1);
	w->at[1].forced_up = true;
	assert_int_equal(choose_site(w, &client, true).candidates, 2);
	world_free(w);
}

/* Its clients of the family that serves stay: only a family that is down takes the other along. */
static void a_site_that_is_new_in_one_family_serves_the_other(void **state)
{
	struct world *w = world_new();
	unsigned n_new = 0;

	(void)state;
	w->at[2].unproven[1] = true;
	for (uint32_t i = 0; i < 1000; i++) {
		struct addr client = prefix_at(i);
		struct steering_choice six = choose_site(w, &client, false);
		struct steering_choice four = choose_site(w, &client, true);

		assert_int_equal(six.halved, 0);
		assert_true(four.site != 2);
		assert_true(six.site == 2 || six.site == four.site);
		n_new += six.site == 2;
	}
	assert_in_range(n_new, 250, 420); /* a third */
	world_free(w);
}

static void sites_without_any_weight_are_equal(void **state)
{
	struct world *w = world_new();
	unsigned n[SITES] = { 0 };

	(void)state;
	for (size_t k = 0; k < SITES; k++)
		w->sites[k].weight = 0;
	for (uint32_t i = 0; i < 3000; i++) {
		struct addr client = prefix_at(i);

		n[choose_site(w, &client, true).site]++;
	}
	for (size_t k = 0; k < SITES; k++)
		assert_in_range(n[k], 900, 1100);
	world_free(w);
}

/* As many sites as a service may have. */
static void all_of_64_sites_are_answered(void **state)
{
	(void)state;
	static struct steering_site sites[STEERING_SITES_MAX];
	static char names[STEERING_SITES_MAX][8];
	struct world *w = world_new();
	struct steering_state *at =
	        calloc(1, sizeof(*at) + STEERING_SITES_MAX * sizeof(at->sites[0]));
	uint64_t seen = 0;

	assert_non_null(at);
	assert_int_equal(STEERING_SITES_MAX, 64);
	for (size_t k = 0; k < STEERING_SITES_MAX; k++) {
		snprintf(names[k], sizeof(names[k]), "s%zu", k);
		sites[k] = (struct steering_site){ .name = names[k],
			                           .id = hash_text(names[k]),
			                           .weight = 1,
			                           .n_addresses = BOTH };
		at->sites[k].next_ms = MODEL_TIME_NEVER;
	}
	w->service.sites = sites;
	w->service.n_sites = STEERING_SITES_MAX;
	for (uint32_t i = 0; i < PREFIXES; i++) {
		struct addr client = prefix_at(i);
		struct steering_key key = steering_key_of(&client);

		seen |= (uint64_t)1 << steering_choose(&w->place, at, 0, true, &key, WALL).site;
	}
	assert_true(seen == UINT64_MAX);
	for (size_t k = 0; k + 1 < STEERING_SITES_MAX; k++)
		at->sites[k].words[1] = DOWN;
	struct addr client = prefix_at(3);
	struct steering_key key = steering_key_of(&client);
	struct steering_choice choice = steering_choose(&w->place, at, 0, true, &key, WALL);

	assert_int_equal(choice.site, 63);
	assert_true(choice.candidates == (uint64_t)1 << 63);
	free(at);
	world_free(w);
}

SUITE(families)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubt_in_either_family_shortens_both_answers),
		cmocka_unit_test(both_families_come_from_one_site_that_serves_both),
		cmocka_unit_test(clients_of_a_half_site_keep_to_the_gates_of_the_others),
		cmocka_unit_test(without_such_a_site_each_family_is_answered_alone),
		cmocka_unit_test(a_site_of_one_family_serves_that_one),
		cmocka_unit_test(a_site_that_is_new_in_one_family_serves_the_other),
		cmocka_unit_test(sites_without_any_weight_are_equal),
		cmocka_unit_test(a_new_site_waits_while_another_is_up),
		cmocka_unit_test(all_of_64_sites_are_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
