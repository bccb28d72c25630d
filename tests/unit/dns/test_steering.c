/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

#include "dns/steering/steering.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PREFIXES 60000
#define SITES    3
#define ALL      MODEL_PPM_ALL
#define WALL     1000000000000
#define BOTH                                                                                       \
	{                                                                                          \
		1, 1                                                                               \
	}

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

static void choose_all(struct world *w, int8_t *out)
{
	for (uint32_t i = 0; i < PREFIXES; i++) {
		struct addr client = prefix_at(i);

		out[i] = (int8_t)choose_site(w, &client, true).site;
	}
}

static size_t share_of(const int8_t *chosen, int8_t site)
{
	size_t n = 0;

	for (size_t i = 0; i < PREFIXES; i++)
		n += chosen[i] == site;
	return n;
}

/* Whether @p seen of PREFIXES is @p expected within three standard deviations. */
static void assert_share(size_t seen, double expected)
{
	double sigma = sqrt(PREFIXES * expected * (1 - expected));

	print_message("    %zu, expected %.0f +- %.0f\n", seen, PREFIXES * expected, 3 * sigma);
	assert_true(fabs((double)seen - PREFIXES * expected) <= 3 * sigma + 1);
}

static void shares_follow_the_weights(void **state)
{
	(void)state;
	struct world *w = world_new();
	static int8_t chosen[PREFIXES];

	w->sites[0].weight = 100;
	w->sites[1].weight = 300;
	w->sites[2].weight = 0;
	choose_all(w, chosen);
	assert_share(share_of(chosen, 0), 0.25);
	assert_share(share_of(chosen, 1), 0.75);
	assert_int_equal(share_of(chosen, 2), 0);
	world_free(w);
}

static void a_gate_moves_its_fraction_and_nobody_twice(void **state)
{
	static const uint32_t steps[] = {
		10000, 50000, 100000, 250000, 500000, 750000, 900000, ALL
	};
	(void)state;
	struct world *w = world_new();
	static int8_t base[PREFIXES], now[PREFIXES], before[PREFIXES];
	size_t own;

	choose_all(w, base);
	memcpy(before, base, sizeof(base));
	own = share_of(base, 0);
	assert_share(own, 1.0 / SITES);
	for (size_t s = 0; s < COUNT(steps); s++) {
		size_t moved = 0, gained[SITES] = { 0 };
		double f = steps[s] / 1e6, sigma = sqrt((double)own * f * (1 - f));

		w->at[0].drained_ppm = steps[s];
		choose_all(w, now);
		for (size_t i = 0; i < PREFIXES; i++) {
			moved += now[i] != base[i];
			gained[now[i]] += now[i] != base[i];
			if (base[i] != 0) /* who was elsewhere stays there */
				assert_int_equal(now[i], base[i]);
			if (before[i] != 0) /* who has left does not move again: fractions nest */
				assert_int_equal(now[i], before[i]);
		}
		print_message("  %5.1f %%: moved %zu of %zu, expected %.0f +- %.0f\n", f * 100,
		              moved, own, (double)own * f, 3 * sigma);
		assert_true(fabs((double)moved - (double)own * f) <= 3 * sigma);
		assert_true(fabs((double)gained[1] - (double)gained[2]) <=
		            3 * sqrt((double)moved) + 1);
		memcpy(before, now, sizeof(now));
	}
	assert_int_equal(share_of(now, 0), 0);
	w->at[0].drained_ppm = 0;
	choose_all(w, now);
	assert_memory_equal(now, base, sizeof(base)); /* back: everybody is where he was */
	world_free(w);
}

static void two_nodes_choose_the_same(void **state)
{
	(void)state;
	struct world *one = world_new(), *two = world_new();
	static int8_t a[PREFIXES], b[PREFIXES];
	size_t same = 0;

	/* the other node's document lists the sites in another order */
	struct steering_site swapped = two->sites[0];

	two->sites[0] = two->sites[2];
	two->sites[2] = swapped;
	one->at[0].drained_ppm = two->at[2].drained_ppm = 370000;
	choose_all(one, a);
	choose_all(two, b);
	for (size_t i = 0; i < PREFIXES; i++)
		assert_string_equal(one->sites[a[i]].name, two->sites[b[i]].name);

	two->place.key.k0++; /* another cluster's key: another placing */
	choose_all(two, b);
	for (size_t i = 0; i < PREFIXES; i++)
		same += a[i] == 2 - b[i];
	assert_true(same < PREFIXES * 6 / 10);
	world_free(one);
	world_free(two);
}

static void ipv4_and_ipv6_answers_name_the_same_site(void **state)
{
	(void)state;
	struct world *w = world_new();

	w->at[1].drained_ppm = 500000;
	for (uint32_t i = 0; i < 1000; i++) {
		struct addr client = prefix_at(i);

		assert_int_equal(choose_site(w, &client, true).site,
		                 choose_site(w, &client, false).site);
	}
	world_free(w);
}

static void two_gates_at_once_still_answer(void **state)
{
	(void)state;
	struct world *w = world_new();
	static int8_t base[PREFIXES], now[PREFIXES];
	size_t moved = 0;

	w->sites[2].n_addresses[1] = 0;
	choose_all(w, base);
	w->at[0].drained_ppm = 500000;
	w->at[1].drained_ppm = 500000;
	choose_all(w, now);
	assert_share(share_of(now, 0), 0.5);
	for (size_t i = 0; i < PREFIXES; i++) {
		assert_in_range(now[i], 0, 1);
		moved += now[i] != base[i];
	}
	assert_share(moved, 0.25); /* half are turned away, half of those at both: they stay */
	world_free(w);
}

/* As health_make() lays a word out; constants, for the table. */
#define WORD(state, marks, why) ((uint64_t)(state) | (marks) << 2 | (why) << 8 | 1ull << 32)
#define UP                      WORD(HEALTH_UP, 0ull, HEALTH_REASON_OK)
#define DOWN                    WORD(HEALTH_DOWN, 0ull, HEALTH_REASON_TIMEOUT)
#define DOUBT                   WORD(HEALTH_UP, HEALTH_MARK_DOUBT, HEALTH_REASON_TIMEOUT)
#define UNSURE                  WORD(HEALTH_UP, HEALTH_MARK_INCONCLUSIVE, HEALTH_REASON_LOCAL)

struct classes_case {
	const char *why;
	health_word words[SITES];
	uint32_t drained_ppm[SITES];
	bool disabled[SITES], forced[SITES], fail_closed;
	enum steering_class class;
	uint32_t candidates;
	uint32_t ttl_s;
};

static const struct classes_case classes[] = {
	{ .why = "nothing known", .class = STEERING_SERVING, .candidates = 7, .ttl_s = 60 },
	{ .why = "all up",
	  .words = { UP, UP, UP },
	  .class = STEERING_SERVING,
	  .candidates = 7,
	  .ttl_s = 60 },
	{ .why = "one down",
	  .words = { UP, DOWN, UP },
	  .class = STEERING_SERVING,
	  .candidates = 5,
	  .ttl_s = 60 },
	{ .why = "unknown beside down",
	  .words = { 0, DOWN, DOWN },
	  .class = STEERING_SERVING,
	  .candidates = 1,
	  .ttl_s = 60 },
	{ .why = "in doubt",
	  .words = { UP, DOUBT, UP },
	  .class = STEERING_SERVING,
	  .candidates = 7,
	  .ttl_s = 5 },
	{ .why = "an inconclusive check changes nothing",
	  .words = { UNSURE, UP, UP },
	  .class = STEERING_SERVING,
	  .candidates = 7,
	  .ttl_s = 60 },
	{ .why = "drained",
	  .words = { UP, UP, UP },
	  .drained_ppm = { ALL },
	  .class = STEERING_SERVING,
	  .candidates = 6,
	  .ttl_s = 60 },
	{ .why = "drained, the others down",
	  .words = { UP, DOWN, DOWN },
	  .drained_ppm = { ALL },
	  .class = STEERING_DRAINED,
	  .candidates = 1,
	  .ttl_s = 60 },
	{ .why = "all drained",
	  .words = { UP, UP, DOWN },
	  .drained_ppm = { ALL, ALL, ALL },
	  .class = STEERING_DRAINED,
	  .candidates = 3,
	  .ttl_s = 60 },
	{ .why = "all down: panic",
	  .words = { DOWN, DOWN, DOWN },
	  .class = STEERING_PANIC,
	  .candidates = 7,
	  .ttl_s = 5 },
	{ .why = "all down, one drained: panic over both",
	  .words = { DOWN, DOWN, DOWN },
	  .drained_ppm = { ALL },
	  .class = STEERING_PANIC,
	  .candidates = 7,
	  .ttl_s = 5 },
	{ .why = "all down, one disabled",
	  .words = { DOWN, DOWN, DOWN },
	  .disabled = { true },
	  .class = STEERING_PANIC,
	  .candidates = 6,
	  .ttl_s = 5 },
	{ .why = "all down, fails closed",
	  .words = { DOWN, DOWN, DOWN },
	  .fail_closed = true,
	  .class = STEERING_NONE,
	  .candidates = 0,
	  .ttl_s = 5 },
	{ .why = "drained and the rest down, fails closed: the drained one is up",
	  .words = { UP, DOWN, DOWN },
	  .drained_ppm = { ALL },
	  .fail_closed = true,
	  .class = STEERING_DRAINED,
	  .candidates = 1,
	  .ttl_s = 60 },
	{ .why = "disabled, though up",
	  .words = { UP, UP, UP },
	  .disabled = { true },
	  .class = STEERING_SERVING,
	  .candidates = 6,
	  .ttl_s = 60 },
	{ .why = "all disabled by hand",
	  .words = { UP, UP, UP },
	  .disabled = { true, true, true },
	  .class = STEERING_NONE,
	  .candidates = 0,
	  .ttl_s = 5 },
	{ .why = "forced up",
	  .words = { DOWN, UP, DOWN },
	  .forced = { true },
	  .class = STEERING_SERVING,
	  .candidates = 3,
	  .ttl_s = 60 },
	{ .why = "forced up: its check's doubt does not count",
	  .words = { DOUBT, UP, UP },
	  .forced = { true },
	  .class = STEERING_SERVING,
	  .candidates = 7,
	  .ttl_s = 60 },
	{ .why = "disabled: its check's doubt does not count",
	  .words = { DOUBT, UP, UP },
	  .disabled = { true },
	  .class = STEERING_SERVING,
	  .candidates = 6,
	  .ttl_s = 60 },
};

static void the_first_class_that_is_not_empty_answers(void **state)
{
	(void)state;

	for (size_t i = 0; i < COUNT(classes); i++) {
		const struct classes_case *c = &classes[i];
		struct world *w = world_new();
		struct addr client = prefix_at(1);

		print_message("  %s\n", c->why);
		w->service.fail_closed = c->fail_closed;
		for (size_t k = 0; k < SITES; k++) {
			w->at[k].words[0] = w->at[k].words[1] = c->words[k];
			w->at[k].drained_ppm = c->drained_ppm[k];
			w->at[k].disabled = c->disabled[k];
			w->at[k].forced_up = c->forced[k];
		}
		struct steering_choice choice = choose_site(w, &client, true);

		assert_int_equal(choice.class, c->class);
		assert_int_equal(choice.candidates, c->candidates);
		assert_int_equal(choice.ttl_s, c->ttl_s);
		if (c->candidates)
			assert_true(c->candidates >> choice.site & 1);
		else
			assert_int_equal(choice.site, -1);
		world_free(w);
	}
}

static void without_weight_a_site_serves_when_nobody_else_can(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct addr client = prefix_at(9);

	w->sites[2].weight = 0;
	w->at[0].words[1] = w->at[1].words[1] = DOWN;
	assert_int_equal(choose_site(w, &client, true).site, 2);
	world_free(w);
}

static void failover_goes_in_order(void **state)
{
	(void)state;
	struct world *w = world_new();
	static int8_t chosen[PREFIXES];

	w->name.policy = MODEL_POLICY_FAILOVER;
	choose_all(w, chosen);
	assert_int_equal(share_of(chosen, 0), PREFIXES);
	w->at[0].words[1] = DOWN;
	choose_all(w, chosen);
	assert_int_equal(share_of(chosen, 1), PREFIXES);
	w->at[0].words[1] = UP;
	w->at[0].drained_ppm = 300000;
	choose_all(w, chosen);
	assert_share(share_of(chosen, 1), 0.3);
	assert_int_equal(share_of(chosen, 2), 0);
	world_free(w);
}

static void the_ttl_leads_to_the_next_change(void **state)
{
	static const struct {
		const char *why;
		int64_t in_ms;
		bool shifting;
		uint32_t ttl_s;
	} cases[] = {
		{ "far away", 3600000, false, 60 },
		{ "within the limits", 30500, false, 30 },
		{ "nearer than the minimum", 900, false, 5 },
		{ "just past", -10, false, 5 },
		{ "a running shift", 3600000, true, 5 },
	};
	(void)state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world *w = world_new();
		struct addr client = prefix_at(2);

		print_message("  %s\n", cases[i].why);
		w->at[2].next_ms = WALL + cases[i].in_ms;
		w->at[2].shifting = cases[i].shifting;
		assert_int_equal(choose_site(w, &client, true).ttl_s, cases[i].ttl_s);
		world_free(w);
	}
}

/* The soonest change of any site counts, in whichever order they are listed. */
static void the_ttl_heeds_the_soonest_change_of_all_sites(void **state)
{
	static const int64_t in_s[][SITES] = {
		{ 20, 30, 40 }, { 40, 20, 30 }, { 30, 40, 20 }, { 40, 30, 20 },   { 20, -1, -1 },
		{ -1, 20, -1 }, { -1, -1, 20 }, { -1, 20, 59 }, { 20, 20, 3600 }, { 3600, 20, -1 },
	};
	(void)state;

	for (size_t i = 0; i < COUNT(in_s); i++) {
		struct world *w = world_new();
		struct addr client = prefix_at(2);

		for (size_t k = 0; k < SITES; k++)
			if (in_s[i][k] >= 0)
				w->at[k].next_ms = WALL + in_s[i][k] * 1000;
		for (int ip4 = 0; ip4 < 2; ip4++) {
			struct steering_choice choice = choose_site(w, &client, ip4);

			assert_int_equal(choice.ttl_s, 20);
			assert_int_equal(choice.ttl_from, STEERING_TTL_SCHEDULE);
		}
		world_free(w);
	}
}

static void the_key_is_a_24_or_56_bit_prefix(void **state)
{
	const uint8_t a[4] = { 192, 0, 2, 1 }, b[4] = { 192, 0, 2, 254 }, c[4] = { 192, 0, 3, 1 };
	const uint8_t d[16] = { 0x20, 1, 13, 0xb8, 1, 2, 3, 4, 5 },
	              e[16] = { 0x20, 1, 13, 0xb8, 1, 2, 3, 9 };
	struct addr addresses[] = { addr_from4(a), addr_from4(b), addr_from4(c), addr_from6(d),
		                    addr_from6(e) };
	struct steering_key keys[COUNT(addresses)];
	(void)state;

	for (size_t i = 0; i < COUNT(addresses); i++)
		keys[i] = steering_key_of(&addresses[i]);
	assert_memory_equal(keys[0].bytes, keys[1].bytes, 8);
	assert_memory_not_equal(keys[0].bytes, keys[2].bytes, 8);
	assert_memory_equal(keys[3].bytes, keys[4].bytes, 8);
	assert_int_equal(keys[0].bits, 24);
	assert_int_equal(keys[3].bits, 56);
}

/*
 * Nodes of several releases serve side by side: which site a client gets is the same everywhere,
 * and stays so.
 */
static void a_client_gets_the_site_that_it_got_from_the_release_before(void **state)
{
	static const struct {
		const char *client;
		int32_t site;
		uint32_t gates[SITES];
	} cases[] = {
		{ "192.0.2.1", 1, { 884651, 881575, 693881 } },
		{ "198.51.100.7", 1, { 197566, 878684, 547179 } },
		{ "203.0.113.9", 2, { 952530, 850973, 639188 } },
		{ "10.20.30.40", 1, { 175327, 975318, 618086 } },
		{ "2001:db8:1::1", 1, { 82375, 729213, 83663 } },
		{ "2001:db8:ffff:ff00::2", 2, { 271488, 317232, 613773 } },
		{ "fd00::1", 1, { 40134, 810076, 846453 } },
	};
	struct world *w = world_new();

	(void)state;
	w->sites[1].weight = 300;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addr client;
		struct steering_key key;

		assert_int_equal(addr_parse(cases[i].client, &client), 0);
		key = steering_key_of(&client);
		assert_int_equal(choose_site(w, &client, i & 1).site, cases[i].site);
		for (unsigned k = 0; k < SITES; k++)
			assert_int_equal(steering_gate_ppm(&w->place, &w->sites[k], &key),
			                 cases[i].gates[k]);
	}
	world_free(w);
}

/* A site of one family alone serves that one, whatever stands in the other's word. */
static void a_family_that_a_site_does_not_have_moves_nobody(void **state)
{
	const health_word down = health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 1),
	                  up = health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1);

	(void)state;
	for (unsigned has = 0; has < 2; has++) {
		struct world *w = world_new();
		int32_t before[64];

		w->sites[0].n_addresses[!has] = 0;
		for (unsigned k = 0; k < SITES; k++)
			w->at[k].words[0] = w->at[k].words[1] = up;
		for (uint32_t i = 0; i < COUNT(before); i++) {
			struct addr client = prefix_at(i);

			before[i] = choose_site(w, &client, has).site;
		}
		w->at[0].words[!has] = down;
		for (uint32_t i = 0; i < COUNT(before); i++) {
			struct addr client = prefix_at(i);
			struct steering_choice choice = choose_site(w, &client, has);

			assert_int_equal(choice.site, before[i]);
			assert_int_equal(choice.halved, 0);
			assert_int_not_equal(choose_site(w, &client, !has).site, 0);
		}
		world_free(w);
	}
}

/* The projection of weir-mgmt and the answers of weir-dns may not part: each share is what many clients choose. */
static void the_shares_are_what_clients_choose(void **state)
{
	static const struct {
		const char *why;
		uint32_t weights[SITES], drained[SITES];
		enum model_policy policy;
	} rows[] = {
		{ "by weight", { 100, 300, 50 }, { 0 }, MODEL_POLICY_WEIGHTED },
		{ "no weight beside one", { 100, 0, 0 }, { 0 }, MODEL_POLICY_WEIGHTED },
		{ "no weight at all", { 0, 0, 0 }, { 0 }, MODEL_POLICY_WEIGHTED },
		{ "what has weight is drained", { 100, 0, 0 }, { ALL }, MODEL_POLICY_WEIGHTED },
		{ "half of what has weight is drained", { 100, 0, 0 }, { ALL / 2 }, 0 },
		{ "one gate", { 100, 300, 50 }, { 0, 400000 }, MODEL_POLICY_WEIGHTED },
		{ "two gates", { 100, 300, 50 }, { 900000, 400000 }, MODEL_POLICY_WEIGHTED },
		{ "gates everywhere", { 100, 300, 50 }, { 900000, 400000, 700000 }, 0 },
		{ "hardly open", { 100, 300, 50 }, { 999000, 999900, 990000 }, 0 },
		{ "all drained", { 100, 300, 50 }, { ALL, ALL, ALL }, MODEL_POLICY_WEIGHTED },
		{ "two drained", { 100, 300, 50 }, { ALL, ALL, 300000 }, MODEL_POLICY_WEIGHTED },
		{ "in order", { 1, 100, 100 }, { 0 }, MODEL_POLICY_FAILOVER },
		{ "in order, without the first", { 1, 0, 100 }, { ALL }, MODEL_POLICY_FAILOVER },
		{ "in order, gates", { 1, 9, 9 }, { 300000, 600000 }, MODEL_POLICY_FAILOVER },
		{ "in order, all gated", { 1, 9, 9 }, { 300000, 600000, 500000 }, 1 },
		{ "in order, all drained", { 1, 9, 9 }, { ALL, ALL, ALL }, MODEL_POLICY_FAILOVER },
	};
	static int8_t chosen[PREFIXES];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world *w = world_new();
		struct steering_part parts[SITES];
		double sum = 0;

		print_message("  %s\n", rows[i].why);
		w->name.policy = rows[i].policy;
		for (size_t k = 0; k < SITES; k++) {
			w->sites[k].weight = rows[i].weights[k];
			w->at[k].drained_ppm = rows[i].drained[k];
			parts[k] = (struct steering_part){ .weight = rows[i].weights[k],
				                           .open_ppm = ALL - rows[i].drained[k] };
		}
		choose_all(w, chosen);
		steering_share(rows[i].policy, parts, SITES);
		for (size_t k = 0; k < SITES; k++) {
			sum += parts[k].share;
			assert_share(share_of(chosen, (int8_t)k), parts[k].share);
		}
		assert_true(fabs(sum - 1) < 1e-9);
		world_free(w);
	}
	steering_share(MODEL_POLICY_WEIGHTED, NULL, 0);
}

/*
 * A site of each letter: Up, Down, Half (IPv6 is down), New (unproven), oFf, down Yet forced up, X without address, Part
 * drained. Small letters: drained.
 */
static void set_sites(struct world *w, const char *sites)
{
	const health_word down = health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 1);

	for (size_t k = 0; k < SITES; k++) {
		char is = sites[k] & ~0x20;

		w->at[k].words[0] = is == 'D' || is == 'H' || is == 'Y' ? down : 0;
		w->at[k].words[1] = is == 'D' || is == 'Y' ? down : 0;
		w->at[k].unproven[0] = w->at[k].unproven[1] = is == 'N';
		w->at[k].disabled = is == 'F';
		w->at[k].forced_up = is == 'Y';
		w->at[k].drained_ppm = is != sites[k] ? ALL : is == 'P' ? 600000 : 0;
		if (is == 'X')
			w->sites[k].n_addresses[0] = w->sites[k].n_addresses[1] = 0;
	}
}

/* Whatever class answers: what is said of clients on average is where they go. */
static void the_spread_of_sites_as_they_are_is_what_clients_choose(void **state)
{
	static const struct {
		const char *sites;
		uint64_t in; /* those that checks leave, the first one lowest */
		bool fail_closed;
		enum model_policy policy;
	} rows[] = {
		{ "UUU", 7, false, MODEL_POLICY_WEIGHTED },
		{ "UuU", 7, false, MODEL_POLICY_WEIGHTED },
		{ "uuu", 7, false, MODEL_POLICY_WEIGHTED },
		{ "uDN", 1, false, MODEL_POLICY_WEIGHTED },
		{ "DUU", 6, false, MODEL_POLICY_WEIGHTED },
		{ "DUU", 6, false, MODEL_POLICY_FAILOVER },
		{ "YUN", 3, false, MODEL_POLICY_WEIGHTED },
		{ "DND", 2, false, MODEL_POLICY_WEIGHTED },
		{ "DnN", 6, true, MODEL_POLICY_WEIGHTED },
		{ "DdD", 7, false, MODEL_POLICY_WEIGHTED },
		{ "DFX", 1, false, MODEL_POLICY_WEIGHTED },
		{ "DDD", 0, true, MODEL_POLICY_WEIGHTED },
		{ "FFF", 0, false, MODEL_POLICY_WEIGHTED },
		{ "HUU", 6, false, MODEL_POLICY_WEIGHTED },
		{ "UHH", 1, false, MODEL_POLICY_WEIGHTED },
		{ "HUU", 6, false, MODEL_POLICY_FAILOVER },
		{ "HPU", 6, false, MODEL_POLICY_WEIGHTED },
		{ "HPP", 6, false, MODEL_POLICY_FAILOVER },
		{ "HuP", 6, false, MODEL_POLICY_WEIGHTED },
		{ "HHu", 7, false, MODEL_POLICY_WEIGHTED },
		{ "hUU", 7, false, MODEL_POLICY_WEIGHTED },
	};
	static int8_t chosen[PREFIXES];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world *w = world_new();
		double shares[SITES] = { 5, 5, 5 };
		uint64_t in;

		print_message("  %s\n", rows[i].sites);
		w->sites[1].weight = 300;
		w->name.policy = rows[i].policy;
		w->service.fail_closed = rows[i].fail_closed;
		set_sites(w, rows[i].sites);
		choose_all(w, chosen);
		in = steering_spread(&w->service, w->at, rows[i].policy, shares);
		for (size_t k = 0; k < SITES; k++)
			assert_share(share_of(chosen, (int8_t)k), shares[k]);
		assert_int_equal(in, rows[i].in);
		world_free(w);
	}
}

/* The most sites, and no time without end for all of them under way. */
static void the_shares_of_many_sites_under_way_are_even(void **state)
{
	struct steering_part parts[STEERING_SITES_MAX];

	(void)state;
	for (size_t k = 0; k < COUNT(parts); k++)
		parts[k] = (struct steering_part){ .weight = 7, .open_ppm = 1 };
	steering_share(MODEL_POLICY_WEIGHTED, parts, COUNT(parts));
	for (size_t k = 0; k < COUNT(parts); k++)
		assert_true(fabs(parts[k].share * (double)COUNT(parts) - 1) < 1e-6);
}

/* Each group of equal sites shares evenly, whatever is drained in part; and it takes no time. */
static void the_shares_of_many_sites_drained_in_part_add_up(void **state)
{
	static const struct {
		size_t n, n_open;
		uint32_t open_ppm, heavy;
	} rows[] = { { 16, 1, 100000, 2 },
		     { 12, 1, 50000, 3 },
		     { 64, 1, 500000, 1000 },
		     { 64, 0, 10000, 4000000000u } };
	struct steering_part parts[STEERING_SITES_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		double sum = 0;

		for (int turn = 0; turn < 100; turn++) {
			for (size_t k = 0; k < rows[i].n; k++)
				parts[k] = (struct steering_part){
					k % 2 ? 1 : rows[i].heavy,
					k < rows[i].n_open ? ALL : rows[i].open_ppm, 0
				};
			steering_share(MODEL_POLICY_WEIGHTED, parts, rows[i].n);
		}
		for (size_t k = 0; k < rows[i].n; k++) {
			sum += parts[k].share;
			if (k > 2)
				assert_true(fabs(parts[k].share - parts[k - 2].share) < 1e-9);
		}
		assert_true(fabs(sum - 1) < 1e-9);
	}
}

/* Two sites, the first half closed: half of its half goes to the other. Worked out by hand. */
static void the_shares_of_two_sites_are_exact(void **state)
{
	static const struct {
		uint32_t weights[2], open[2];
		double first;
	} rows[] = {
		{ { 1, 1 }, { ALL / 2, ALL }, 0.25 },
		{ { 3, 1 }, { ALL / 2, ALL }, 0.375 },
		{ { 1, 1 }, { ALL / 2, ALL / 2 }, 0.5 },
		/* open at once, or when the other has turned it away; or both have, and it was first */
		{ { 3, 1 }, { 200000, 400000 }, 0.75 * 0.2 + 0.25 * 0.6 * 0.2 + 0.75 * 0.8 * 0.6 },
		{ { 4294967295u, 1 }, { ALL / 2, ALL }, 0.5 },
		{ { 1, 0 }, { ALL - 1, ALL }, 0.999999 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct steering_part parts[2] = { { rows[i].weights[0], rows[i].open[0], 0 },
			                          { rows[i].weights[1], rows[i].open[1], 0 } };

		steering_share(MODEL_POLICY_WEIGHTED, parts, 2);
		print_message("  %.9f\n", parts[0].share);
		assert_true(fabs(parts[0].share - rows[i].first) < 1e-8);
		assert_true(fabs(parts[1].share - (1 - rows[i].first)) < 1e-8);
	}
}

SUITE(steering)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_class_that_is_not_empty_answers),
		cmocka_unit_test(two_gates_at_once_still_answer),
		cmocka_unit_test(shares_follow_the_weights),
		cmocka_unit_test(a_gate_moves_its_fraction_and_nobody_twice),
		cmocka_unit_test(the_shares_are_what_clients_choose),
		cmocka_unit_test(the_spread_of_sites_as_they_are_is_what_clients_choose),
		cmocka_unit_test(the_shares_of_many_sites_under_way_are_even),
		cmocka_unit_test(the_shares_of_many_sites_drained_in_part_add_up),
		cmocka_unit_test(the_shares_of_two_sites_are_exact),
		cmocka_unit_test(two_nodes_choose_the_same),
		cmocka_unit_test(a_client_gets_the_site_that_it_got_from_the_release_before),
		cmocka_unit_test(a_family_that_a_site_does_not_have_moves_nobody),
		cmocka_unit_test(ipv4_and_ipv6_answers_name_the_same_site),
		cmocka_unit_test(without_weight_a_site_serves_when_nobody_else_can),
		cmocka_unit_test(failover_goes_in_order),
		cmocka_unit_test(the_ttl_leads_to_the_next_change),
		cmocka_unit_test(the_ttl_heeds_the_soonest_change_of_all_sites),
		cmocka_unit_test(the_key_is_a_24_or_56_bit_prefix),
	};

	return cmocka_run_group_tests_name("steering", tests, NULL, NULL);
}
