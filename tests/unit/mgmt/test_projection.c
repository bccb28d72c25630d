/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The projection of an operation's steps, against brute force (projection_scene.h). Then what a
 * projection must not do: read what is missing as 0, count clients twice, or trust a peer.
 */
#include "tests/unit/mgmt/projection_scene.h"

#include "mgmt/operations/projection_internal.h"
#include "tests/unit/suite.h"

static void each_step_is_what_the_crowd_would_do(void **state)
{
	const uint32_t none[3] = { 0 };

	(void)state;
	load_sites(none);
	make_projection();
	assert_true(out->by_keys);
	assert_int_equal(out->n_steps, 5);
	assert_int_equal(out->n_nodes, 1);
	assert_int_equal(out->covered_s, 600);
	assert_step(&out->begin, none, false);
	for (size_t i = 0; i < 5; i++) {
		const uint32_t levels[3] = { steps[i], 0, 0 };

		assert_step(&out->steps[i], levels, false);
		assert_int_equal(out->steps[i].sites[AMS].receives, OPERATION_NO);
		assert_int_equal(out->steps[i].sites[FRA].receives, OPERATION_YES);
	}
	assert_int_equal(out->steps[4].sites[AMS].flows.value, 0);
	assert_int_equal(out->steps[4].sites[AMS].share_ppm.value, 0);
}

static void several_sites_are_projected_jointly(void **state)
{
	const struct projection_gate both[] = { { AMS, PROJECTION_ALL, 0 },
		                                { FRA, PROJECTION_ALL, 0 } };
	const uint32_t none[3] = { 0 }, half[3] = { 500000, 500000, 0 };

	(void)state;
	load_sites(none);
	at_api[FRA].site = &sites[LON]; /* else the last site of that service would be drained */
	load_sites(none);
	in.targets = both;
	in.n_targets = 2;
	projector_free(projector);
	assert_int_equal(projector_new(&m, place_key, &projector), 0);
	make_projection();
	for (uint32_t i = 0; i < 3; i++)
		assert_near(out->steps[2].sites[i].flows.value,
		            count_queries(WEB, i, half) + count_queries(API, i, half), 3);
	assert_near(out->steps[4].sites[LON].flows.value,
	            now[AMS].flows.value + now[FRA].flows.value + now[LON].flows.value, 2);
	assert_int_equal(out->steps[4].sites[AMS].flows.value, 0);
	assert_int_equal(out->steps[4].sites[FRA].flows.value, 0);
}

static void one_service_at_a_site_moves_alone(void **state)
{
	const uint32_t none[3] = { 0 };

	(void)state;
	load_sites(none);
	target.service = WEB;
	make_projection();
	for (size_t i = 0; i < 5; i++) {
		const uint32_t levels[3] = { steps[i], 0, 0 };

		assert_step(&out->steps[i], levels, true);
	}
}

static void a_level_of_others_stays_and_a_drain_begins_where_it_is(void **state)
{
	const uint32_t before[3] = { 300000, 0, 250000 };
	const uint32_t after[3] = { 500000, 0, 250000 };

	(void)state;
	load_sites(before);
	target.level_ppm = 300000;
	gates[0] = (struct projection_gate){ LON, PROJECTION_ALL, 250000 };
	in.gates = gates;
	in.n_gates = 1;
	make_projection();
	assert_step(&out->begin, before, false);
	assert_step(&out->steps[0], before, false); /* 10 % and 25 % are behind it */
	assert_step(&out->steps[1], before, false);
	assert_step(&out->steps[2], after, false);
}

static void a_return_loads_the_returning_site(void **state)
{
	const uint32_t drained[3] = { 1000000, 0, 0 }, half[3] = { 500000, 0, 0 }, none[3] = { 0 };

	(void)state;
	load_sites(drained);
	target.level_ppm = 1000000;
	memcpy(steps, (const uint32_t[]){ 990000, 500000, 0 }, 3 * sizeof(*steps));
	in.n_steps = 3;
	make_projection();
	assert_step(&out->begin, drained, false);
	assert_step(&out->steps[1], half, false);
	assert_step(&out->steps[2], none, false);
	assert_int_equal(out->steps[2].sites[AMS].receives, OPERATION_YES);
	assert_int_equal(out->steps[2].sites[FRA].receives, OPERATION_NO);
}

/* During a step a part has arrived: what is to come is only what has not. */
static void clients_that_have_arrived_are_not_counted_twice(void **state)
{
	const uint32_t none[3] = { 0 }, quarter[3] = { 250000, 0, 0 };

	(void)state;
	load_sites(quarter); /* as it will be ... */
	for (size_t i = 0; i < in.n_flows; i++)
		flows[i].begin_per_s = count_queries(flows[i].service, flows[i].site, none);
	steps[0] = 250000;
	in.n_steps = 1;
	make_projection();
	assert_step(&out->steps[0], quarter, false);
	for (size_t i = 0; i < in.n_flows; i++) { /* ... and when half of it has happened */
		uint64_t half = (flows[i].begin_per_s + flows[i].now_per_s + 1) / 2;

		now[flows[i].site].flows.value += half - flows[i].now_per_s;
		now[flows[i].site].bits.value += 1000 * (half - flows[i].now_per_s);
		flows[i].now_per_s = half;
	}
	assert_int_equal(projection_make(projector, &in, out), 0);
	assert_step(&out->steps[0], quarter, false);
}

/* All have twice as many clients as at the begin: that moves, too. */
static void what_moves_follows_the_load_of_now(void **state)
{
	const uint32_t none[3] = { 0 };

	(void)state;
	load_sites(none);
	for (size_t i = 0; i < in.n_flows; i++)
		flows[i].now_per_s *= 2;
	for (uint32_t i = 0; i < 3; i++)
		now[i].flows.value *= 2;
	make_projection();
	assert_near(out->steps[4].sites[AMS].flows.value, 0, 2);
	assert_near(out->steps[4].sites[FRA].flows.value + out->steps[4].sites[LON].flows.value,
	            now[AMS].flows.value + now[FRA].flows.value + now[LON].flows.value, 3);
}

/* One resolver has a quarter of the queries: the step that moves it moves a quarter. */
static void a_resolver_with_a_quarter_of_the_queries_is_seen(void **state)
{
	const uint32_t none[3] = { 0 }, first[3] = { 100000, 0, 0 };
	struct arena *a = arena_new(1 << 20);
	struct steering *p = steering_new(&m, a);
	uint64_t sum = 0, moves;
	size_t heavy = KEYS;

	(void)state;
	p->key = (struct hash_key){ place_key[0], place_key[1] };
	for (size_t i = 0; i < KEYS; i++)
		seen->keys[i].queries = 100;
	for (size_t i = 0; i < KEYS && heavy == KEYS; i++) { /* at ams, and among the first to go */
		struct steering_key key = { .bits = 24 };

		memcpy(key.bytes, seen->keys[i].key, 8);
		seen->keys[i].queries = 1000000;
		if (seen->keys[i].name == steer_keys_name_id("www.test") &&
		    steering_gate_ppm(p, &p->services[WEB].sites[AMS], &key) < 100000 &&
		    count_queries(WEB, AMS, none) > 1000000)
			heavy = i;
		seen->keys[i].queries = 100;
	}
	assert_true(heavy < KEYS);
	for (size_t i = 0; i < KEYS; i++)
		sum += seen->keys[i].queries;
	seen->keys[heavy].queries = (uint32_t)(sum / 3); /* of the whole: a quarter */
	load_sites(none);
	make_projection();
	assert_near(out->heaviest_ppm, 250000, 100);
	assert_step(&out->steps[0], first, false);
	moves = now[AMS].flows.value - out->steps[0].sites[AMS].flows.value;
	assert_true(moves > sum / 3); /* by weights alone it would be some 4 % */
	arena_free(a);
}

static void what_is_not_known_stays_unknown(void **state)
{
	const uint32_t none[3] = { 0 };

	(void)state;
	load_sites(none);
	for (size_t i = 0; i < in.n_flows; i++) /* web at ams: not measured */
		if (flows[i].service == WEB && flows[i].site == AMS)
			flows[i--] = flows[--in.n_flows];
	make_projection();
	for (size_t i = 0; i < 5; i++) {
		assert_false(out->steps[i].sites[FRA].flows.known);
		assert_false(out->steps[i].sites[LON].flows.known);
		assert_false(out->steps[i].sites[FRA].bits.known);
		assert_int_equal(out->steps[i].sites[FRA].receives, OPERATION_YES);
	}
	load_sites(none);
	now[FRA].flows.known = now[LON].bits.known = false;
	assert_int_equal(projection_make(projector, &in, out), 0);
	assert_false(out->steps[0].sites[FRA].flows.known);
	assert_true(out->steps[0].sites[FRA].bits.known);
	assert_true(out->steps[0].sites[LON].flows.known);
	assert_false(out->steps[0].sites[LON].bits.known);
}

static void without_flows_by_service_the_sites_sums_are_shared(void **state)
{
	const uint32_t none[3] = { 0 }, all[3] = { 1000000, 0, 0 };

	(void)state;
	load_sites(none);
	in.n_flows = 0;
	make_projection();
	assert_step(&out->steps[4], all, false);
	now[AMS].flows.known = false;
	assert_int_equal(projection_make(projector, &in, out), 0);
	assert_false(out->steps[4].sites[FRA].flows.known);
}

static void without_keys_it_follows_the_weights(void **state)
{
	(void)state;
	now[AMS].flows.value = 10000;
	in.n_flows = 0;
	target.service = WEB;
	seen->n_keys = 0;
	seen->names[0].queries = seen->names[1].queries = 50; /* too few */
	seen->names[0].others = seen->names[1].others = 50;
	make_projection();
	assert_false(out->by_keys);
	assert_near(out->steps[4].sites[FRA].flows.value, 6667, 200); /* 100 to 50 */
	assert_near(out->steps[4].sites[LON].flows.value, 3333, 200);
	assert_near(out->steps[2].sites[AMS].flows.value, 5000, 250);
}

/* Half of the queries are of one key, half of keys that had no place: those go as the hash would. */
static void queries_without_a_key_are_spread_evenly(void **state)
{
	static const uint32_t by_weight[3] = { 400000, 400000, 200000 };

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		now[i].flows.known = false; /* shares are of queries then */
	target.service = WEB;
	for (size_t i = 0; i < KEYS; i++)
		if (seen->keys[i].name == steer_keys_name_id("www.test")) {
			seen->keys[0] = seen->keys[i];
			break;
		}
	seen->n_keys = 1;
	seen->keys[0].queries = 1000;
	for (size_t i = 0; i < 2; i++)
		seen->names[i].others =
		        seen->names[i].name == steer_keys_name_id("www.test") ? 1000 : 0;
	make_projection();
	assert_true(out->by_keys);
	assert_near(out->heaviest_ppm, 500000, 1);
	const uint32_t none[3] = { 0 };
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t half = count_queries(WEB, i, none) ? 500000 : 0;

		assert_near(out->begin.sites[i].share_ppm.value, half + by_weight[i] / 2, 15000);
	}
}

static void keys_of_unknown_names_count_for_none(void **state)
{
	uint64_t before;

	(void)state;
	in.n_flows = 0;
	make_projection();
	before = out->queries;
	for (size_t i = 0; i < KEYS; i++)
		seen->keys[i].name = 12345;
	seen->names[0].name = seen->names[1].name = 12345;
	seen->names[0].others = 1000000;
	make_projection();
	assert_int_equal(out->queries, before);
}

static void a_site_that_is_out_gets_nobody(void **state)
{
	const uint32_t fra_out[3] = { 0, 1000000, 0 }, both[3] = { 1000000, 1000000, 0 };

	(void)state;
	load_sites(fra_out); /* its clients have gone, as with a drain */
	now[FRA].out = true;
	target.service = WEB;
	make_projection();
	assert_int_equal(out->steps[4].sites[FRA].receives, OPERATION_NO);
	assert_int_equal(out->steps[4].sites[FRA].flows.value, 0);
	assert_near(out->steps[4].sites[LON].flows.value, count_queries(WEB, LON, both), 2);
}

static void the_higher_of_two_levels_holds(void **state)
{
	const uint32_t half[3] = { 500000, 0, 0 }, more[3] = { 750000, 0, 0 };

	(void)state;
	load_sites(half);
	gates[0] = (struct projection_gate){ AMS, PROJECTION_ALL, 500000 }; /* another drain */
	in.gates = gates;
	in.n_gates = 1;
	make_projection();
	assert_step(&out->begin, half, false);
	assert_step(&out->steps[1], half, false);
	assert_step(&out->steps[3], more, false);
}

static void keys_of_several_nodes_are_added_and_bounded(void **state)
{
	const uint32_t none[3] = { 0 }, half[3] = { 500000, 0, 0 };

	(void)state;
	load_sites(none);
	for (int i = 0; i < 3; i++)
		assert_int_equal(projector_add(projector, seen), 0);
	assert_int_equal(projection_make(projector, &in, out), 0);
	assert_int_equal(out->n_nodes, 3);
	assert_step(&out->steps[2], half, false);
	uint64_t before = out->queries;

	for (uint32_t node = 0; node < 12; node++) { /* far more keys than are projected */
		for (uint32_t i = 0; i < KEYS; i++) {
			uint64_t h = hash_mix((node + 1) * 1000000 + i);

			memcpy(seen->keys[i].key + 1, &h, 3);
			seen->keys[i].queries = node == 11 ? 9 : 2;
		}
		assert_int_equal(projector_add(projector, seen), 0);
	}
	assert_int_equal(projection_make(projector, &in, out), 0);
	assert_int_equal(out->queries, before + KEYS * (11 * 2 + 9));
	assert_int_equal(projector->n_keys, PROJECTOR_KEYS_MAX);
	for (uint32_t i = 0; i < KEYS; i++) { /* who asks much is among those that stay */
		bool is_web = seen->keys[i].name == steer_keys_name_id(names[0].name);
		uint64_t key;

		memcpy(&key, seen->keys[i].key, sizeof(key));
		assert_true(projector_has_key(projector, is_web ? WEB : API, key));
	}
}

static void the_shortest_window_of_any_node_is_told(void **state)
{
	static const uint32_t windows[] = { 300, 60, 600 };
	const uint32_t none[3] = { 0 };

	(void)state;
	load_sites(none);
	for (size_t i = 0; i < 3; i++) {
		seen->covered_s = windows[i];
		assert_int_equal(projector_add(projector, seen), 0);
	}
	assert_int_equal(projection_make(projector, &in, out), 0);
	assert_int_equal(out->covered_s, 60);
}

/* Keys beyond the bound count among the others of their own service. */
static void keys_of_another_service_stay_there(void **state)
{
	const uint32_t none[3] = { 0 };

	(void)state;
	load_sites(none);
	target.service = WEB;
	make_projection();
	uint64_t web = out->queries;

	for (uint32_t node = 0; node < 12; node++) {
		for (uint32_t i = 0; i < KEYS; i++) {
			uint64_t h = hash_mix((node + 1) * 1000000 + i);

			memcpy(seen->keys[i].key + 1, &h, 3);
			seen->keys[i].name = steer_keys_name_id(names[API].name);
			seen->keys[i].queries = 1;
		}
		assert_int_equal(projector_add(projector, seen), 0);
	}
	assert_int_equal(projection_make(projector, &in, out), 0);
	assert_int_equal(out->queries, web);
}

static void what_a_peer_says_wrongly_does_no_harm(void **state)
{
	const uint32_t none[3] = { 0 };

	(void)state;
	load_sites(none);
	for (size_t i = 0; i < KEYS; i++) {
		seen->keys[i].queries = UINT32_MAX;
		if (i % 2)
			seen->keys[i].name = (uint32_t)hash_mix(i); /* no such name */
	}
	seen->names[0].others = seen->names[1].others = UINT32_MAX;
	seen->covered_s = 0;
	gates[0] = (struct projection_gate){ UINT32_MAX, UINT32_MAX - 1, UINT32_MAX };
	gates[1] = (struct projection_gate){ LON, PROJECTION_ALL, UINT32_MAX };
	in.gates = gates;
	in.n_gates = 2;
	flows[0].site = flows[1].service = UINT32_MAX;
	steps[4] = UINT32_MAX;
	in.n_steps = 500;
	static uint32_t many[500];
	memcpy(many, steps, sizeof(steps));
	in.steps_ppm = many;
	make_projection();
	assert_int_equal(out->n_steps, PROJECTION_STEPS_MAX);
	for (size_t i = 0; i < 3; i++)
		assert_true(out->steps[4].sites[i].share_ppm.value <= 1000000);
}

static void the_plan_tells_how_many_queries_come_at_the_shortest_ttl(void **state)
{
	(void)state;
	in.n_flows = 0;
	for (size_t i = 0; i < 2; i++)
		seen->names[i].queries = 6000; /* 10 a second each */
	make_projection();
	assert_int_equal(out->queries_per_s_min_ttl, 10 * 12 + 10 * 6);
	assert_int_equal(projector_add(projector, seen),
	                 0); /* another node's: asked beside the first */
	assert_int_equal(projection_make(projector, &in, out), 0);
	assert_int_equal(out->queries_per_s_min_ttl, 2 * (10 * 12 + 10 * 6));
}

/* Numbers of names are anywhere in 32 bits; each is found in the order of all. */
static void a_name_is_found_wherever_its_number_is(void **state)
{
	static struct model_dns_name many[99];
	static char texts[99][16];
	struct steer_keys *k = steer_keys_new(99, 1, 0);

	(void)state;
	assert_non_null(k);
	for (uint32_t i = 0; i < 99; i++) {
		snprintf(texts[i], sizeof(texts[i]), "n%u.test", i);
		many[i] = names[0];
		many[i].name = texts[i];
		k->keys[i].key[0] = 4;
		memcpy(k->keys[i].key + 1, &i, 3);
		k->keys[i].name = steer_keys_name_id(texts[i]);
		k->keys[i].queries = 1u << i % 8; /* so that no two errors make up for each other */
	}
	m.dns_names = many;
	m.n_dns_names = 99;
	projector_free(projector);
	assert_int_equal(projector_new(&m, place_key, &projector), 0);
	assert_int_equal(projector_add(projector, k), 0);
	assert_int_equal(projection_make(projector, &in, out), 0);
	assert_int_equal(out->queries, 12 * 255 + 7);
	steer_keys_free(k);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(projection)
{
	const struct CMUnitTest tests[] = {
		TEST(each_step_is_what_the_crowd_would_do),
		TEST(a_name_is_found_wherever_its_number_is),
		TEST(several_sites_are_projected_jointly),
		TEST(one_service_at_a_site_moves_alone),
		TEST(a_level_of_others_stays_and_a_drain_begins_where_it_is),
		TEST(a_return_loads_the_returning_site),
		TEST(clients_that_have_arrived_are_not_counted_twice),
		TEST(what_moves_follows_the_load_of_now),
		TEST(a_resolver_with_a_quarter_of_the_queries_is_seen),
		TEST(what_is_not_known_stays_unknown),
		TEST(without_flows_by_service_the_sites_sums_are_shared),
		TEST(without_keys_it_follows_the_weights),
		TEST(queries_without_a_key_are_spread_evenly),
		TEST(keys_of_unknown_names_count_for_none),
		TEST(a_site_that_is_out_gets_nobody),
		TEST(the_higher_of_two_levels_holds),
		TEST(keys_of_several_nodes_are_added_and_bounded),
		TEST(the_shortest_window_of_any_node_is_told),
		TEST(keys_of_another_service_stay_there),
		TEST(what_a_peer_says_wrongly_does_no_harm),
		TEST(the_plan_tells_how_many_queries_come_at_the_shortest_ttl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
