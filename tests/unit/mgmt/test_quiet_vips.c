/* SPDX-License-Identifier: BSD-2-Clause */
/* A VIP without packets is stated only if all of it is known, and another node of the site gets some: by real pages. */
#include "lone_node.h"

#include "base/hash.h"
#include "mgmt/peers/exchange_internal.h"
#include "mgmt/observe/observe_internal.h"
#include "mgmt/status/observer.h"
#include "weir/announce.h"
#include "weir/condition.h"
#include "weir/model.h"
#include "weir/stats.h"
#include "tests/unit/suite.h"

#define MINUTE_MS 60000u /* the documented value */
#define SLACK_MS  5000u  /* longer than a test takes */

static const struct model_site sites[2] = { { .name = "ams" }, { .name = "fra" } };
static struct addr address;
static const struct model_vip shop = { .name = "shop", .addresses = &address, .n_addresses = 1 };
static const struct model_vip *const vips[] = { &shop };
static const struct model_at at[] = { { .site = &sites[0], .vip = &shop } };
static const struct model_service services[] = { { .name = "web", .at = at, .n_at = 1 } };
static struct model_node nodes[] = {
	{ .name = "ams-1",
	  .site = &sites[0],
	  .announce = { .daemon = MODEL_DAEMON_BIRD, .vips = vips, .n_vips = 1 } },
	{ .name = "ams-2", .site = &sites[0] },
	{ .name = "fra-1", .site = &sites[1] },
};
static const struct model m = {
	.nodes = nodes, .n_nodes = 3, .self = &nodes[0], .services = services, .n_services = 1
};
static struct announced_page *page;
static struct announced_address row;
static struct stats *dataplane;
static struct exchange exchange;
static struct exchange_peer peers[2];
static struct observe observe;
static struct observer observer;
static uint64_t start_ms;

/* Look at the counters of @p of at @p ms, when @p packets more have come. */
static void count_of(const struct model *of, uint64_t ms, uint64_t packets)
{
	stats_add(stats_get_counter(dataplane, STATS_COUNTER,
	                            "weir_dataplane_service_packets_total", "service=\"web\"", "x"),
	          packets);
	stats_alive(dataplane, ms);
	vip_traffic_look(observe.traffic, this_node.dirs.run, of, ms);
	vip_traffic_publish(observe.traffic);
}

static void count_at(uint64_t ms, uint64_t packets)
{
	count_of(&m, ms, packets);
}

/* A peer says where packets arrive. */
static void hear_arrivals(size_t peer, const char *words, uint64_t age_ms)
{
	struct exchange_word *w = &peers[peer].words[EXCHANGE_ARRIVALS];

	exchange_word_fini(w);
	if (words)
		(void)exchange_word_set(w, json_loads(words, 0, NULL), start_ms - age_ms);
}

/* The node announces "shop" for two minutes, and no packet came for as long; ams-2 gets some. */
static int setup(void **state)
{
	static const char *const names[] = { "ams-2", "fra-1" };

	(void)lone_node_setup(state);
	start_ms = clock_mono_ms();
	assert_int_equal(addr_parse("203.0.113.10", &address), 0);
	row = (struct announced_address){ .vip = hash_text("shop"),
		                          .address = address,
		                          .since_ms = start_ms - MINUTE_MS,
		                          .table = ANNOUNCE_NORMAL,
		                          .exported = 1,
		                          .is_read = 1 };
	exchange = (struct exchange){ .core = &this_node, .n = 2 };
	for (size_t i = 0; i < 2; i++) {
		peers[i] = (struct exchange_peer){ .exchange = &exchange };
		snprintf(peers[i].node, sizeof(peers[i].node), "%s", names[i]);
		exchange.peers[i] = &peers[i];
	}
	this_node.exchange = &exchange;
	observe = (struct observe){ .traffic = vip_traffic_new() };
	this_node.observe = &observe;
	observer = (struct observer){ .quiet = { .n = 0 } };
	this_node.observer = &observer;
	assert_non_null(observe.traffic);
	assert_int_equal(stats_create(this_node.dirs.run, "dataplane", 16, &dataplane), 0);
	assert_int_equal(announced_create(this_node.dirs.run, &page), 0);
	hear_arrivals(0, "{\"shop\": true}", 0);
	return 0;
}

static int teardown(void **state)
{
	announced_close(page);
	stats_close(dataplane);
	vip_traffic_free(observe.traffic);
	for (size_t i = 0; i < 2; i++)
		hear_arrivals(i, NULL, 0);
	this_node.exchange = NULL;
	this_node.observe = NULL;
	this_node.observer = NULL;
	return lone_node_close(state);
}

/* What the counters said until now: first a look of @p since_ms ago. */
static void count_since(uint64_t since_ms)
{
	count_at(start_ms - since_ms, 0);
	count_at(start_ms, 0);
}

/* @return how many VIPs are quiet */
static size_t look_once(void)
{
	static const struct announced_neighbour router = { .name = "r", .established = 1 };
	const struct announced_node node = { .daemon_state = "answers" };

	announced_publish(page, &node, &row, 1, &router, 1, start_ms);
	observer.quiet = (struct quiet_vips){ .n = 0 };
	quiet_vips_look(&this_node, &m);
	return observer.quiet.n;
}

static void a_vip_without_packets_is_found(void **state)
{
	(void)state;
	count_since(MINUTE_MS);
	assert_int_equal(look_once(), 1);
	assert_string_equal(observer.quiet.found[0].vip, "shop");
	assert_string_equal(observer.quiet.found[0].node, "ams-2");
}

/* Twice as many addresses as VIPs, whichever is found first. */
static void a_vip_of_two_addresses_is_named_once(void **state)
{
	static const char *const texts[] = { "203.0.113.20", "203.0.113.21", "203.0.113.22",
		                             "203.0.113.23" };
	struct addr addresses[4];
	const struct model_vip mail = { .name = "mail", .addresses = addresses, .n_addresses = 2 };
	const struct model_vip big_shop = { .name = "shop",
		                            .addresses = addresses + 2,
		                            .n_addresses = 2 };
	const struct model_vip *const both[] = { &mail, &big_shop, &mail };
	const struct model_at at_both[] = { { .site = &sites[0], .vip = &mail },
		                            { .site = &sites[0], .vip = &big_shop } };
	const struct model_service web = { .name = "web", .at = at_both, .n_at = 2 };
	struct model_node named[] = { nodes[0], nodes[1] };
	struct announced_address announced[4];
	static const struct announced_neighbour router = { .name = "r", .established = 1 };
	static const struct announced_node node = { .daemon_state = "answers" };

	(void)state;
	named[0].announce.vips = both;
	named[0].announce.n_vips = 3;
	const struct model of_both = {
		.nodes = named, .n_nodes = 2, .self = &named[0], .services = &web, .n_services = 1
	};
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(addr_parse(texts[i], &addresses[i]), 0);
		announced[i] = row;
		announced[i].vip = hash_text(i < 2 ? "mail" : "shop");
		announced[i].address = addresses[i];
	}
	count_of(&of_both, start_ms - MINUTE_MS, 0);
	count_of(&of_both, start_ms, 0);
	hear_arrivals(0, "{\"mail\": true, \"shop\": true}", 0);
	announced_publish(page, &node, announced, 4, &router, 1, start_ms);
	quiet_vips_look(&this_node, &of_both);
	assert_int_equal(observer.quiet.n, 2);
	assert_string_equal(observer.quiet.found[0].vip, "mail");
	assert_string_equal(observer.quiet.found[1].vip, "shop");
}

static size_t look_again(void)
{
	observer.quiet.looked_ms -= 10000;
	quiet_vips_look(&this_node, &m);
	return observer.quiet.n;
}

static void a_packet_ends_it(void **state)
{
	(void)state;
	count_since(MINUTE_MS);
	assert_int_equal(look_once(), 1);
	assert_int_equal(look_again(), 1);
	count_at(start_ms, 1);
	assert_int_equal(look_again(), 0);
}

static void who_announces_nothing_any_more_has_none(void **state)
{
	(void)state;
	count_since(MINUTE_MS);
	assert_int_equal(look_once(), 1);
	nodes[0].announce.daemon = MODEL_DAEMON_NONE;
	assert_int_equal(look_again(), 0);
	nodes[0].announce.daemon = MODEL_DAEMON_BIRD;
}

static void who_says_nothing_lately_gets_no_packets(void **state)
{
	static const struct {
		const char *words;
		uint64_t age_ms;
		const char *why;
	} rows[] = {
		{ NULL, 0, "it says nothing" },
		{ "{}", 0, "it gets none" },
		{ "{\"other\": true}", 0, "it gets some for another" },
		{ "{\"shop\": 1}", 0, "words of a later release" },
		{ "{\"shop\": true}", EXCHANGE_PASS_MS, "too old" },
	};

	(void)state;
	count_since(MINUTE_MS);
	hear_arrivals(1, "{\"shop\": true}", 0); /* of another site: other routers */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hear_arrivals(0, rows[i].words, rows[i].age_ms);
		if (look_once())
			fail_msg("%s", rows[i].why);
	}
	hear_arrivals(0, "{\"shop\": true}", EXCHANGE_PASS_MS - SLACK_MS);
	assert_int_equal(look_once(), 1);
	this_node.exchange = NULL; /* it has not begun */
	assert_int_equal(look_once(), 0);
}

static void a_vip_that_was_not_announced_for_a_minute_is_not_quiet(void **state)
{
	(void)state;
	count_since(MINUTE_MS);
	row.since_ms += SLACK_MS;
	assert_int_equal(look_once(), 0);
	row.since_ms -= SLACK_MS;
	row.table = ANNOUNCE_SHUTDOWN;
	assert_int_equal(look_once(), 0);
	row.table = ANNOUNCE_NORMAL;
	row.exported = 0;
	assert_int_equal(look_once(), 0);
	row.exported = 1;
	row.is_read = 0;
	assert_int_equal(look_once(), 0);
	row.is_read = 1;
	nodes[0].announce.daemon = MODEL_DAEMON_NONE;
	assert_int_equal(look_once(), 0);
	nodes[0].announce.daemon = MODEL_DAEMON_BIRD;
	assert_int_equal(look_once(), 1);
}

static void packets_that_were_not_counted_for_a_minute_are_not_known(void **state)
{
	(void)state;
	assert_int_equal(look_once(), 0);
	count_since(MINUTE_MS - SLACK_MS);
	assert_int_equal(look_once(), 0);
}

static void a_packet_within_a_minute_is_one(void **state)
{
	(void)state;
	count_at(start_ms - 2 * MINUTE_MS, 0);
	count_at(start_ms - MINUTE_MS, 1);
	count_at(start_ms, 0);
	assert_int_equal(look_once(), 1);
	count_at(start_ms, 1);
	assert_int_equal(look_once(), 0);
}

static void it_is_looked_for_every_ten_seconds(void **state)
{
	(void)state;
	count_since(MINUTE_MS);
	observer.quiet.looked_ms = start_ms - 10000 + SLACK_MS;
	quiet_vips_look(&this_node, &m);
	assert_int_equal(observer.quiet.looked_ms, start_ms - 10000 + SLACK_MS);
	observer.quiet.looked_ms = start_ms - 10000;
	quiet_vips_look(&this_node, &m);
	assert_true(observer.quiet.looked_ms >= start_ms);
}

static void expect_words(const char *text)
{
	json_t *words = observe_arrivals(&this_node, &m), *expected = json_loads(text, 0, NULL);

	assert_true(json_equal(words, expected));
	json_decref(words);
	json_decref(expected);
}

static void peers_are_told_of_packets_of_the_last_minute(void **state)
{
	(void)state;
	expect_words("{}");
	count_at(start_ms - 2 * MINUTE_MS, 0);
	expect_words("{}");
	count_at(start_ms - MINUTE_MS, 1);
	count_at(start_ms, 0);
	expect_words("{}");
	count_at(start_ms, 1);
	expect_words("{\"shop\": true}");
	this_node.observe = NULL; /* it has not begun */
	expect_words("{}");
	json_t *none = observe_arrivals(&this_node, NULL);
	assert_int_equal(json_object_size(none), 0);
	json_decref(none);
}

static void more_words_than_there_can_be_vips_are_malformed(void **state)
{
	json_t *words = json_object();
	char name[16];

	(void)state;
	for (unsigned i = 0; i < ANNOUNCED_MAX; i++) {
		snprintf(name, sizeof(name), "v%u", i);
		json_object_set_new(words, name, json_true());
	}
	assert_true(announce_words_are_good(words));
	json_object_set_new(words, "one-more", json_true());
	assert_false(announce_words_are_good(words));
	json_decref(words);
}

static void a_quiet_vip_is_a_condition(void **state)
{
	struct conditions c;

	(void)state;
	count_since(MINUTE_MS);
	assert_int_equal(look_once(), 1);
	assert_int_equal(stats_create(this_node.dirs.run, "mgmt", 8, &this_node.stats), 0);
	conditions_begin(this_node.stats, 1);
	quiet_vips_state(&this_node);
	conditions_end(this_node.stats);
	assert_int_equal(conditions_read(this_node.dirs.run, "mgmt", &c), 0);
	assert_int_equal(c.n, 1);
	assert_string_equal(c.items[0].code, "vip-without-packets");
	assert_string_equal(c.items[0].subject, "shop");
	assert_non_null(strstr(c.items[0].text, "node ams-2 gets some"));
	stats_close(this_node.stats);
	this_node.stats = NULL;
}

SUITE(quiet_vips)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_vip_without_packets_is_found),
		T(a_vip_of_two_addresses_is_named_once),
		T(a_packet_ends_it),
		T(who_announces_nothing_any_more_has_none),
		T(who_says_nothing_lately_gets_no_packets),
		T(a_vip_that_was_not_announced_for_a_minute_is_not_quiet),
		T(packets_that_were_not_counted_for_a_minute_are_not_known),
		T(a_packet_within_a_minute_is_one),
		T(it_is_looked_for_every_ten_seconds),
		T(peers_are_told_of_packets_of_the_last_minute),
		T(more_words_than_there_can_be_vips_are_malformed),
		T(a_quiet_vip_is_a_condition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
