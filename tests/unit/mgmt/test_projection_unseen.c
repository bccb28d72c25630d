/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Resolvers that ask once for many clients and do not say for whom: what the new flows may be, against
 * brute force over what they are. Clients that follow their names must be within the band wherever
 * such a resolver is placed; clients that stay where they are must not.
 */
#include <inttypes.h>
#include "tests/unit/mgmt/projection_scene.h"
#include "tests/unit/suite.h"

#define CLIENTS   400u /* prefixes that ask for themselves: 4 new flows a second each */
#define FLOWS     4u
#define SLACK_PPM 50000u /* of the guard `share` */

static struct steer_keys *truth; /* the same keys, with the flows of their clients as queries */
static struct projection_arrival arrivals[4 * CLIENTS];
static size_t n_arrivals;

static struct steer_keys *make_keys(uint32_t n_resolvers, uint32_t salt, uint64_t behind)
{
	struct steer_keys *k = steer_keys_new(CLIENTS + n_resolvers, 1, 0);

	assert_non_null(k);
	k->covered_s = 600;
	for (uint32_t i = 0; i < CLIENTS + n_resolvers; i++) {
		bool is_client = i < CLIENTS;
		uint64_t h = is_client ? hash_mix(i + 7) : hash_mix(salt * 1000 + i);

		k->keys[i].key[0] = is_client ? 4 : 6;
		memcpy(k->keys[i].key + 1, &h, is_client ? 3 : 7);
		k->keys[i].name = steer_keys_name_id("www.test");
		k->keys[i].queries = is_client ? FLOWS : (uint32_t)(behind ? behind : 2);
		k->names[0].queries += k->keys[i].queries;
	}
	k->names[0].name = steer_keys_name_id("www.test");
	steer_keys_settle(k);
	return k;
}

/* The site that one key has while ams is drained to a level. */
static uint32_t site_of(const struct steer_key *key, uint32_t level_ppm)
{
	const uint32_t levels[3] = { level_ppm, 0, 0 };
	struct steer_keys one = { .n_keys = 1, .keys = (struct steer_key *)(uintptr_t)key };
	struct steer_keys *all = seen;
	uint32_t site = 0;

	seen = &one;
	while (site < 3 && !count_queries(WEB, site, levels))
		site++;
	seen = all;
	return site;
}

static void add_arrival(uint32_t site, const uint8_t key[8], uint64_t n)
{
	struct projection_arrival *a = &arrivals[n_arrivals++];

	*a = (struct projection_arrival){
		.service = WEB, .site = site, .flows = n, .sampled = (uint32_t)n
	};
	memcpy(a->key, key, 8);
}

/* Clients that ask come from their own prefixes, and those of a resolver from others. */
static void list_arrivals(uint32_t level_ppm)
{
	n_arrivals = 0;
	for (size_t i = 0; i < truth->n_keys; i++) {
		const struct steer_key *key = &truth->keys[i];
		uint32_t site = site_of(key, level_ppm);

		if (key->key[0] == 4) {
			add_arrival(site, key->key, key->queries);
			continue;
		}
		for (uint32_t k = 0; k < 4; k++) {
			uint64_t h = hash_mix(900000 + i * 4 + k);
			uint8_t other[8] = { 4 };

			memcpy(other + 1, &h, 3);
			add_arrival(site, other, key->queries / 4);
		}
	}
	assert_true(n_arrivals <= sizeof(arrivals) / sizeof(arrivals[0]));
}

/* @p behind: new flows of the clients behind each resolver */
static void set_crowd(uint32_t n_resolvers, uint32_t salt, uint64_t behind, uint32_t level_ppm)
{
	const uint32_t levels[3] = { level_ppm, 0, 0 };

	steer_keys_free(seen);
	steer_keys_free(truth);
	truth = make_keys(n_resolvers, salt, behind);
	seen = truth;
	target = (struct projection_gate){ .site = AMS, .service = WEB, .level_ppm = level_ppm };
	load_sites(levels);
	list_arrivals(level_ppm);
	seen = make_keys(n_resolvers, salt, 0);
	projector_free(projector);
	assert_int_equal(projector_new(&m, place_key, &projector), 0);
	assert_int_equal(projector_add(projector, seen), 0);
}

static void project_steps(bool whole)
{
	assert_int_equal(projector_set_arrivals(projector, arrivals, n_arrivals, whole), 0);
	assert_int_equal(projection_make(projector, &in, out), 0);
}

static uint32_t true_share(uint32_t level_ppm)
{
	const uint32_t levels[3] = { level_ppm, 0, 0 };
	struct steer_keys *asked = seen;
	uint64_t part, all = 0;

	seen = truth;
	part = count_queries(WEB, AMS, levels);
	for (uint32_t i = 0; i < 3; i++)
		all += count_queries(WEB, i, levels);
	seen = asked;
	return (uint32_t)(part * 1000000 / all);
}

static bool is_within(const struct projection_step *step, uint32_t share_ppm)
{
	return share_ppm + SLACK_PPM >= step->targets.least_ppm.value &&
	       share_ppm <= step->targets.most_ppm.value + SLACK_PPM;
}

static int end_test(void **state)
{
	steer_keys_free(truth);
	truth = NULL;
	return teardown(state);
}

static void clients_that_ask_for_themselves_leave_no_band(void **state)
{
	(void)state;
	set_crowd(0, 1, 0, 0);
	project_steps(true);
	assert_true(out->unseen_ppm.known);
	assert_int_equal(out->unseen_ppm.value, 0);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(out->steps[i].targets.least_ppm.value,
		                 out->steps[i].sites[AMS].share_ppm.value);
		assert_int_equal(out->steps[i].targets.most_ppm.value,
		                 out->steps[i].sites[AMS].share_ppm.value);
		assert_true(is_within(&out->steps[i], true_share(steps[i])));
	}
	assert_false(is_within(&out->steps[1], true_share(0))); /* nobody has followed */
}

/* Half of all new flows are behind one resolver, wherever that is. */
static void the_clients_of_one_resolver_move_at_once_or_stay(void **state)
{
	uint32_t n_missed = 0, n_at_target = 0;

	(void)state;
	for (uint32_t salt = 1; salt <= 24; salt++) {
		set_crowd(1, salt, FLOWS * CLIENTS, 0);
		project_steps(true);
		assert_true(out->unseen_ppm.known);
		n_at_target += out->unseen_ppm.value > 0;
		for (size_t i = 0; i < 4; i++) {
			uint32_t share = true_share(steps[i]);
			uint32_t by_queries = out->steps[i].sites[AMS].share_ppm.value;

			assert_true(is_within(&out->steps[i], share));
			n_missed +=
			        share > by_queries + SLACK_PPM || by_queries > share + SLACK_PPM;
		}
		assert_int_equal(out->steps[4].targets.most_ppm.value, 0);
		assert_int_equal(out->begin.targets.least_ppm.value,
		                 out->begin.targets.most_ppm.value);
		if (!out->unseen_ppm.value) /* the resolver is at another site: no doubt here */
			assert_int_equal(out->steps[1].targets.least_ppm.value,
			                 out->steps[1].targets.most_ppm.value);
		else /* those who are seen have not followed */
			assert_false(is_within(&out->steps[3], true_share(0)));
	}
	assert_true(n_missed > 8); /* the projection by queries alone */
	assert_true(n_at_target > 4 && n_at_target < 20);
}

static void many_resolvers_are_no_longer_all_or_nothing(void **state)
{
	uint32_t few, many;

	(void)state;
	set_crowd(300, 1, 8 * FLOWS, 0);
	project_steps(true);
	many = out->steps[2].targets.most_ppm.value - out->steps[2].targets.least_ppm.value;
	assert_true(is_within(&out->steps[2], true_share(steps[2])));
	project_steps(false); /* which keys are clients' is not known */
	few = out->steps[2].targets.most_ppm.value - out->steps[2].targets.least_ppm.value;
	assert_true(few > 2 * many && many > 0);
	assert_true(is_within(&out->steps[2], true_share(steps[2])));
}

static void a_return_has_its_band_too(void **state)
{
	static const uint32_t back[] = { 990000, 900000, 750000, 500000, 0 };

	(void)state;
	memcpy(steps, back, sizeof(back));
	for (uint32_t salt = 1; salt <= 12; salt++) {
		set_crowd(1, salt, FLOWS * CLIENTS, 1000000);
		project_steps(true);
		assert_true(out->unseen_ppm.known && out->unseen_ppm.value > 400000);
		for (size_t i = 0; i < 5; i++)
			assert_true(is_within(&out->steps[i], true_share(steps[i])));
	}
}

/* Out, the targets lose clients, and back, the others. To stay where it is counts as a way out. */
static void whose_clients_are_unseen_depends_on_the_way(void **state)
{
	static const struct {
		const char *why;
		size_t n_steps;
		uint32_t to_ppm;
		bool back;
	} rows[] = {
		{ "out", 1, 750000, false },          { "a little out", 1, 500001, false },
		{ "where it is", 1, 500000, false },  { "no step", 0, 0, false },
		{ "a little back", 1, 499999, true }, { "back", 1, 0, true },
	};

	uint32_t unseen_ppm[2];

	(void)state;
	set_crowd(1, 3, FLOWS * CLIENTS, 500000);
	in.n_steps = 1;
	for (int way = 0; way < 2; way++) {
		steps[0] = way ? 0 : 1000000;
		project_steps(true);
		unseen_ppm[way] = out->unseen_ppm.value;
	}
	assert_int_not_equal(unseen_ppm[0], unseen_ppm[1]);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		in.n_steps = rows[i].n_steps;
		steps[0] = rows[i].to_ppm;
		project_steps(true);
		if (!out->unseen_ppm.known || out->unseen_ppm.value != unseen_ppm[rows[i].back])
			fail_msg("%s: %" PRIu64, rows[i].why, out->unseen_ppm.value);
	}
}

static void too_small_a_sample_says_nothing(void **state)
{
	(void)state;
	set_crowd(1, 3, FLOWS * CLIENTS, 0);
	for (size_t i = 0; i < n_arrivals; i++)
		arrivals[i].sampled = 0;
	arrivals[0].sampled = 49;
	project_steps(true);
	assert_false(out->unseen_ppm.known);
	assert_int_equal(out->steps[1].targets.least_ppm.value,
	                 out->steps[1].sites[AMS].share_ppm.value);
	assert_int_equal(out->steps[1].targets.most_ppm.value,
	                 out->steps[1].sites[AMS].share_ppm.value);
}

static void what_was_known_at_the_begin_stays(void **state)
{
	(void)state;
	set_crowd(0, 1, 0, 0);
	in.unseen_fixed = in.unseen_ppm.known = true;
	in.unseen_ppm.value = 400000;
	project_steps(true);
	assert_int_equal(out->unseen_ppm.value, 400000);
	in.unseen_ppm.known = false;
	project_steps(true);
	assert_false(out->unseen_ppm.known);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, end_test)

SUITE(projection_unseen)
{
	const struct CMUnitTest tests[] = {
		TEST(clients_that_ask_for_themselves_leave_no_band),
		TEST(the_clients_of_one_resolver_move_at_once_or_stay),
		TEST(many_resolvers_are_no_longer_all_or_nothing),
		TEST(a_return_has_its_band_too),
		TEST(whose_clients_are_unseen_depends_on_the_way),
		TEST(too_small_a_sample_says_nothing),
		TEST(what_was_known_at_the_begin_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
