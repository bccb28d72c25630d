/* SPDX-License-Identifier: BSD-2-Clause */
/* What another configuration would have done to observed clients. */
#include "fixture_model.h"

#include "base/arena.h"
#include "base/hash.h"
#include "mgmt/observe/flow_samples.h"
#include "mgmt/rules/what_if.h"
#include "mgmt/rules/rings.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NAME     "www.shop.example"
#define N_KEYS   2000u

static struct fixture place;
static struct arena *arena;
static struct steer_keys *keys;
static struct what_if result;

static int setup(void **state)
{
	(void)state;
	fixture_make(&place);
	arena = arena_new((size_t)64 << 20);
	/* 2,000 prefixes of both families, the first one asking for as much as 500 others */
	keys = steer_keys_new(N_KEYS, 1, 0);
	if (!arena || !keys)
		return -1;
	keys->covered_s = 600;
	for (uint32_t i = 0; i < N_KEYS; i++) {
		struct steer_key *k = &keys->keys[i];

		k->key[0] = i % 2 ? 6 : 4;
		k->key[1] = (uint8_t)(i % 2 ? 0x20 : 1 + i % 200);
		k->key[2] = (uint8_t)(i >> 8);
		k->key[3] = (uint8_t)i;
		k->name = steer_keys_name_id(NAME);
		k->queries = i ? 1 : 500;
	}
	keys->names[0] = (struct steer_keys_name){ .name = steer_keys_name_id(NAME),
		                                   .queries = N_KEYS + 499 + 70,
		                                   .others = 70 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	steer_keys_free(keys);
	arena_free(arena);
	fixture_remove(&place);
	return 0;
}

static struct model *model_of(const char *from, const char *to)
{
	struct files files = fixture_files(from, to);

	return fixture_model(&place, &files, "ams-1");
}

/* The fixture against itself with @p to for @p from, by what was observed. */
static void compare_with(const char *from, const char *to, const struct what_if_observed *observed)
{
	struct model *a = model_of(NULL, NULL), *b = model_of(from, to);

	assert_int_equal(what_if_make(a, b, observed, arena, &result), 0);
	for (size_t i = 0; i < result.n_names; i++) /* of the models, which go */
		assert_string_equal(result.names[i].name, NAME);
	for (size_t i = 0; i < result.n_services; i++) {
		assert_string_equal(result.services[i].service, "web");
		assert_string_equal(result.services[i].pool, "web-ams");
	}
	model_free(a);
	model_free(b);
}

#define FRA "{ name = \"fra\"; weight = 100;"

static void what_is_not_known_is_not_none(void **state)
{
	const struct what_if_observed nothing = { 0 };

	(void)state;
	compare_with(FRA, "{ name = \"fra\"; weight = 50;", &nothing);
	assert_false(result.queries_known);
	assert_false(result.flows_known);
}

static void a_change_that_steers_nobody_moves_nobody(void **state)
{
	const struct what_if_observed seen = { .keys = keys };

	(void)state;
	compare_with("rise = 2", "rise = 3", &seen);
	assert_true(result.queries_known);
	assert_int_equal(result.queries_covered_s, 600);
	assert_int_equal(result.queries.all, N_KEYS + 499);
	assert_int_equal(result.queries_elsewhere, 70);
	assert_int_equal(result.queries.moved_ppm + result.queries.lost_ppm, 0);
	assert_int_equal(result.n_names + result.n_clients_all, 0);
}

/* Of equal sites one gets a third of what it had from all keys; the heavy key counts for its queries. */
static void a_weight_moves_its_part_of_the_queries(void **state)
{
	const struct what_if_observed seen = { .keys = keys };
	uint64_t moved = 0;

	(void)state;
	compare_with(FRA, "{ name = \"fra\"; weight = 50;", &seen);
	assert_int_equal(result.n_names, 1);
	assert_int_equal(result.names[0].n_sites, 2);
	assert_in_range(result.n_clients_all, N_KEYS * 12 / 100, N_KEYS * 21 / 100); /* a sixth */
	assert_int_equal(result.n_clients, WHAT_IF_CLIENTS_MAX);
	for (size_t i = 0; i < result.n_clients; i++)
		moved += result.clients[i].queries;
	assert_true(moved >= WHAT_IF_CLIENTS_MAX);
	assert_int_equal(result.queries.lost_ppm, 0);
	assert_int_equal(result.names[0].queries.moved_ppm, result.queries.moved_ppm);
	/* what fra loses ams gets */
	const struct plan_share *s = result.names[0].sites;

	assert_int_equal((int64_t)s[0].after_ppm - s[0].before_ppm,
	                 (int64_t)s[1].before_ppm - s[1].after_ppm);
	assert_in_range(labs((long)s[0].after_ppm - (long)s[0].before_ppm),
	                result.queries.moved_ppm - 2, result.queries.moved_ppm + 2);
}

static void a_name_that_goes_is_lost_to_all_who_asked(void **state)
{
	const struct what_if_observed seen = { .keys = keys };

	(void)state;
	compare_with("www.shop.example", "web.shop.example", &seen);
	assert_int_equal(result.queries.lost_ppm, 1000000);
	assert_int_equal(result.queries.moved_ppm, 0);
	assert_int_equal(result.n_clients_all, N_KEYS);
	compare_with("203.0.113.10", "203.0.113.11", &seen); /* another address is another answer */
	assert_in_range(result.queries.moved_ppm, 300000, 700000);
	assert_int_equal(result.queries.lost_ppm, 0);
}

/* Sites are as they are now: a change of the weight of one that gets nobody moves nobody. */
static void sites_that_are_out_stay_out(void **state)
{
	static const struct what_if_site rows[] = {
		{ .site = "fra", .is_out = true },
		{ .site = "fra", .service = "web", .is_out = true },
		{ .site = "fra", .drained_ppm = 1000000 },
		{ .site = "fra", .service = "other", .is_out = true },
		{ .site = "ams", .is_out = true }, /* all come to fra anyway */
		{ .site = "fra", .drained_ppm = 500000 },
	};
	static const bool moves[COUNT(rows)] = { false, false, false, true, false, true };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct what_if_observed seen = { .keys = keys,
			                               .sites = &rows[i],
			                               .n_sites = 1 };

		compare_with(FRA, "{ name = \"fra\"; weight = 50;", &seen);
		assert_int_equal(result.queries.moved_ppm > 0, moves[i]);
	}
}

static void keys_of_names_that_nobody_knows_are_counted_apart(void **state)
{
	const struct what_if_observed seen = { .keys = keys };

	(void)state;
	keys->keys[7].name = steer_keys_name_id("old.shop.example");
	compare_with("rise = 2", "rise = 3", &seen);
	keys->keys[7].name = steer_keys_name_id(NAME);
	assert_int_equal(result.queries.all, N_KEYS + 498);
	assert_int_equal(result.queries_elsewhere, 71);
}

/* --- new flows --- */

static void flows_find_another_backend_pool_or_none(void **state)
{
	static const struct {
		const char *from, *to;
		uint32_t moved, pool, lost; /* ppm, of 900 flows of IPv4 */
	} rows[] = {
		{ "rise = 2", "rise = 3", 0, 0, 0 },
		{ "\"10.1.1.12\"; weight = 100", "\"10.1.1.12\"; weight = 300", 250000, 0, 0 },
		{ "\"10.1.1.12\"; weight = 100", "\"10.1.1.12\"; weight = 0", 500000, 0, 0 },
		/* a third is owned by b1 against either */
		{ "\"10.1.1.12\"", "\"10.1.1.13\"", 666667, 0, 0 },
		{ "\"10.2.1.11\"", "\"10.2.1.12\"", 0, 0, 0 }, /* of the other site */
		{ "max_backends = 10", "max_backends = 4000", 500000, 0, 0 }, /* placed again */
		{ "hash = \"flow\"", "hash = \"source\"", 500000, 0, 0 },
		{ "port = 80", "port = 81", 0, 0, 1000000 },
		{ "protocol = \"tcp\"", "protocol = \"udp\"", 0, 0, 1000000 },
		{ "203.0.113.10", "203.0.113.11", 0, 0, 1000000 },
		{ "[ \"203.0.113.10\" ]", "[ \"203.0.113.9\", \"203.0.113.10\" ]", 0, 0, 0 },
	};
	struct measure_source flows[] = {
		{ .service = hash_text("web"), .flows = 600 },
		{ .service = hash_text("web"), .flows = 300 },
		{ .service = hash_text("other"),
		  .flows = 5000 }, /* of no service that is configured */
	};
	const struct what_if_observed seen = { .flows = flows, .n_flows = COUNT(flows) };

	(void)state;
	for (size_t i = 0; i < COUNT(flows); i++)
		assert_int_equal(prefix_parse("192.0.2.0/24", &flows[i].prefix), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("  %s\n", rows[i].to);
		compare_with(rows[i].from, rows[i].to, &seen);
		assert_true(result.flows_known);
		assert_int_equal(result.flows.all, 900);
		assert_in_range(result.flows.moved_ppm, rows[i].moved - rows[i].moved / 20,
		                rows[i].moved + rows[i].moved / 20); /* of whole slots */
		assert_int_equal(result.flows.pool_ppm, rows[i].pool);
		assert_int_equal(result.flows.lost_ppm, rows[i].lost);
		assert_int_equal(result.n_services,
		                 rows[i].moved + rows[i].pool + rows[i].lost > 0);
	}
}

/* The fixture with two of its texts replaced. */
static struct model *model_of_two(const char *from, const char *to, const char *second,
                                  const char *becomes)
{
	struct files files = { 0 };
	const char *whole = fixture_text(from, to), *at = strstr(whole, second);
	char text[8192];

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - whole), whole, becomes,
	         at + strlen(second));
	assert_int_equal(files_add(&files, FILES_MAIN, text, strlen(text)), 0);
	assert_int_equal(files_add(&files, "shop.example.zone", fixture_zone, strlen(fixture_zone)),
	                 0);
	return fixture_model(&place, &files, "ams-1");
}

/* The fixture with another pool at ams, which the service has. */
static struct model *model_with_another_pool(void)
{
	return model_of_two(
	        "pools = (\n",
	        "pools = (\n  { name = \"new-ams\"; site = \"ams\"; mode = \"ipip\"; backends = "
	        "( { name = \"b1\"; address = \"10.1.1.11\"; } ); },\n",
	        "pool = \"web-ams\"", "pool = \"new-ams\"");
}

/* Who asks for AAAA has no answer any more, whatever A says. */
static void a_family_that_goes_is_lost(void **state)
{
	struct model *both =
	        model_of_two("[ \"203.0.113.10\" ]", "[ \"203.0.113.10\", \"2001:db8:a::10\" ]",
	                     "[ \"198.51.100.10\" ]", "[ \"198.51.100.10\", \"2001:db8:f::10\" ]");
	struct model *one = model_of(NULL, NULL);
	const struct what_if_observed seen = { .keys = keys };

	(void)state;
	assert_int_equal(what_if_make(both, one, &seen, arena, &result), 0);
	assert_int_equal(result.queries.lost_ppm, 1000000);
	assert_int_equal(what_if_make(one, both, &seen, arena, &result), 0);
	assert_int_equal(result.queries.lost_ppm, 0);
	assert_int_equal(result.queries.moved_ppm, 1000000);
	model_free(both);
	model_free(one);
}

static void another_pool_is_told(void **state)
{
	struct model *a = model_of(NULL, NULL), *b = model_with_another_pool();
	struct measure_source flows = { .service = hash_text("web"), .flows = 40 };
	const struct what_if_observed seen = { .flows = &flows, .n_flows = 1 };

	(void)state;
	assert_int_equal(prefix_parse("192.0.2.0/24", &flows.prefix), 0);
	assert_int_equal(what_if_make(a, b, &seen, arena, &result), 0);
	assert_int_equal(result.flows.pool_ppm, 1000000);
	assert_int_equal(result.flows.lost_ppm, 0);
	assert_in_range(result.flows.moved_ppm, 475000, 525000); /* b1 is in both */
	model_free(a);
	model_free(b);
}

static void flows_of_a_family_follow_its_addresses(void **state)
{
	struct measure_source flows[] = { { .service = hash_text("web"), .flows = 60 },
		                          { .service = hash_text("web"), .flows = 40 } };
	const struct what_if_observed seen = { .flows = flows, .n_flows = 2 };

	(void)state;
	assert_int_equal(prefix_parse("192.0.2.0/24", &flows[0].prefix), 0);
	assert_int_equal(prefix_parse("2001:db8::/56", &flows[1].prefix), 0);
	compare_with("rise = 2", "rise = 3",
	             &seen); /* the VIP has no IPv6 any more: no matter of the change */
	assert_int_equal(result.flows.all, 60);
	assert_int_equal(result.flows.lost_ppm, 0);
}

/* Few slots: a backend's cap moves more than its share does. A ring of twice the slots is compared where both have them. */
static void backends_are_told_by_the_rings(void **state)
{
	struct model *m = model_of("\"10.1.1.12\"; weight = 100", "\"10.1.1.12\"; weight = 300");
	struct model *before = model_of(NULL, NULL);
	const struct model_pool *a = model_pool(before, "web-ams"), *b = model_pool(m, "web-ams");
	const uint64_t key[2] = { 1, 2 };
	uint32_t one, there, back, larger;

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(rings_moved_ppm(a, a, key, &one), 0);
	assert_int_equal(one, 0);
	assert_int_equal(rings_moved_ppm(a, b, key, &there), 0);
	assert_int_equal(rings_moved_ppm(b, a, key, &back), 0);
	assert_int_equal(there, back);
	assert_true(there > 0);

	struct model_pool doubled = *a, none = *a;
	doubled.n_slots *= 2;
	assert_int_equal(rings_moved_ppm(a, &doubled, key, &larger), 0);
	assert_true(larger > 0 && larger < 1000000);
	none.n_backends = 0;
	assert_int_equal(rings_moved_ppm(a, &none, key, &larger), -ENODATA);
	struct model_backend weightless = { .id = 1 };
	none.backends = &weightless;
	none.n_backends = 1;
	assert_int_equal(rings_moved_ppm(a, &none, key, &larger), -ENODATA);
	assert_int_equal(rings_moved_ppm(&none, a, key, &larger), -ENODATA);
	doubled.n_slots = 3;
	assert_int_equal(rings_moved_ppm(a, &doubled, key, &larger), -EINVAL);
	model_free(m);
	model_free(before);
}

/* --- samples --- */

static void a_quarter_of_an_hour_of_samples_is_kept(void **state)
{
	static struct flow_samples s;
	static struct measure_source rows[MEASURE_SOURCES_MAX + 1], out[FLOW_SAMPLES_MOST];
	size_t minutes;

	(void)state;
	assert_true(flow_samples_are_due(&s, 1));
	assert_int_equal(flow_samples_since(&s, 0, out, &minutes), 0);
	assert_int_equal(minutes, 0);
	for (uint64_t i = 1; i <= 20; i++) {
		rows[0].flows = i;
		flow_samples_keep(&s, rows, i == 20 ? 0 : 2, i * 60000);
	}
	assert_false(flow_samples_are_due(&s, 20 * 60000 + 59999));
	assert_true(flow_samples_are_due(&s, 21 * 60000));
	assert_int_equal(flow_samples_since(&s, 0, out, &minutes), 28);
	assert_int_equal(minutes, 15); /* the last of them without a flow */
	assert_int_equal(out[0].flows, 6);
	assert_int_equal(flow_samples_since(&s, 18 * 60000, out, &minutes), 4);
	assert_int_equal(minutes, 3);
	assert_int_equal(flow_samples_since(&s, 20 * 60000 + 1, out, &minutes), 0);
	assert_int_equal(minutes, 0);
	flow_samples_keep(&s, rows, MEASURE_SOURCES_MAX + 1, 21 * 60000); /* bounded */
	assert_int_equal(flow_samples_since(&s, 21 * 60000, out, &minutes), MEASURE_SOURCES_MAX);
	flow_samples_forget(&s);
	assert_int_equal(flow_samples_since(&s, 0, out, &minutes), 0);
	assert_int_equal(minutes, 0);
	assert_true(flow_samples_are_due(&s, 21 * 60000 + 1));
}

SUITE(what_if)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_known_is_not_none),
		cmocka_unit_test(a_change_that_steers_nobody_moves_nobody),
		cmocka_unit_test(a_weight_moves_its_part_of_the_queries),
		cmocka_unit_test(a_name_that_goes_is_lost_to_all_who_asked),
		cmocka_unit_test(sites_that_are_out_stay_out),
		cmocka_unit_test(keys_of_names_that_nobody_knows_are_counted_apart),
		cmocka_unit_test(flows_find_another_backend_pool_or_none),
		cmocka_unit_test(a_family_that_goes_is_lost),
		cmocka_unit_test(another_pool_is_told),
		cmocka_unit_test(backends_are_told_by_the_rings),
		cmocka_unit_test(flows_of_a_family_follow_its_addresses),
		cmocka_unit_test(a_quarter_of_an_hour_of_samples_is_kept),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
