/* SPDX-License-Identifier: BSD-2-Clause */
/* What a document makes a node announce, which other nodes do so too, and what people demand. */
#include "scene.h"

#include <stdio.h>

#include "announce/process.h"
#include "base/hash.h"
#include "tests/unit/suite.h"
#include "weir/model.h"

#define BIRD MODEL_DAEMON_BIRD

static const struct model_site ams = { .name = "ams" }, fra = { .name = "fra" };
static const struct model_site *const both[] = { &ams, &fra }, *const only_ams[] = { &ams };
static struct addr addresses[3];
static const struct model_vip vips[] = {
	{ .name = "api", .sites = both, .n_sites = 2, .addresses = addresses, .n_addresses = 1 },
	{ .name = "web",
	  .sites = only_ams,
	  .n_sites = 1,
	  .addresses = addresses + 1,
	  .n_addresses = 1 },
};
static const struct model_vip *const only_web[] = { &vips[1] };
static struct model_node nodes[3];
static struct model m;

static int start_scene(void **state)
{
	(void)state;
	assert_int_equal(addr_parse("192.0.2.1", &addresses[0]), 0);
	assert_int_equal(addr_parse("192.0.2.2", &addresses[1]), 0);
	assert_int_equal(addr_parse("192.0.2.53", &addresses[2]), 0);
	nodes[0] = (struct model_node){
		.name = "a1",
		.site = &ams,
		.announce = { .daemon = BIRD, .dns = addresses + 2, .n_dns = 1 }
	};
	nodes[1] = (struct model_node){ .name = "a2", .site = &ams };
	nodes[2] = (struct model_node){ .name = "f1", .site = &fra };
	m = (struct model){ .nodes = nodes,
		            .n_nodes = COUNT(nodes),
		            .self = &nodes[0],
		            .vips = vips,
		            .n_vips = COUNT(vips) };
	return 0;
}

/* @return the row of address @p i, or NULL; all three must be listed */
static struct intended list_one(size_t i)
{
	struct intended list[4];
	size_t n = intended_list(&m, list, COUNT(list));

	assert_int_equal(n, 3);
	for (size_t k = 0; k < n; k++)
		if (addr_equal(&list[k].address, &addresses[i]))
			return list[k];
	fail_msg("address %zu is not listed", i);
	return list[0];
}

static void only_nodes_with_a_daemon_share_an_address(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_false(list_one(i).is_shared);
	nodes[2].announce.daemon = BIRD;
	assert_true(list_one(0).is_shared);  /* at both sites */
	assert_false(list_one(1).is_shared); /* at the other node's site not */
	nodes[1].announce.daemon = BIRD;
	assert_true(list_one(1).is_shared);
	assert_false(list_one(2).is_shared);
}

static void an_address_of_dns_is_shared_with_nodes_that_list_it(void **state)
{
	(void)state;
	nodes[1].announce.dns = addresses + 2;
	nodes[1].announce.n_dns = 1;
	assert_false(list_one(2).is_shared); /* it has no daemon */
	nodes[1].announce.daemon = BIRD;
	assert_true(list_one(2).is_shared);
}

static void a_node_announces_what_its_list_names(void **state)
{
	(void)state;
	struct intended api = list_one(0), web = list_one(1), dns = list_one(2);

	nodes[1].announce = (struct model_announce){
		.daemon = BIRD, .lists_vips = true, .vips = only_web, .n_vips = 1
	};
	assert_ptr_equal(web.of, &vips[1]);
	assert_null(dns.of);
	assert_false(intended_by(&nodes[1], &api));
	assert_true(intended_by(&nodes[1], &web));
	assert_false(intended_by(&nodes[1], &dns));
	assert_true(intended_by(&nodes[0], &api));
	assert_true(intended_by(&nodes[0], &dns));
	assert_false(intended_by(&nodes[2], &api));
}

static void people_drain_or_withdraw_the_own_node(void **state)
{
	(void)state;
	struct model_override o = { .kind = MODEL_OVERRIDE_DRAIN,
		                    .target = MODEL_TARGET_NODE,
		                    .pool = "",
		                    .name = "a1",
		                    .from_ms = 1000,
		                    .until_ms = MODEL_TIME_NEVER };

	assert_int_equal(announce_command_of(&m, NULL), ANNOUNCE_COMMAND_NONE);
	m.overrides = &o;
	m.n_overrides = 1;
	m.meta.written_ms = 2000;
	assert_int_equal(announce_command_of(&m, NULL), ANNOUNCE_COMMAND_DRAIN);
	o.kind = MODEL_OVERRIDE_DISABLE;
	assert_int_equal(announce_command_of(&m, NULL), ANNOUNCE_COMMAND_WITHDRAW);
	o.name = "a2";
	assert_int_equal(announce_command_of(&m, NULL), ANNOUNCE_COMMAND_NONE);
}

static void an_operation_moves_the_vips_of_its_site(void **state)
{
	static const struct {
		enum model_vips own, shared;
		const char *site, *service;
		bool ended;
		enum announce_command web, api; /* of this site alone; of both */
		const char *why;
	} rows[] = {
		{ MODEL_VIPS_ANNOUNCED, MODEL_VIPS_ANNOUNCED, "ams", "", false,
		  ANNOUNCE_COMMAND_NONE, ANNOUNCE_COMMAND_NONE, "a step of DNS alone" },
		{ MODEL_VIPS_ANNOUNCED, MODEL_VIPS_SHUTDOWN, "ams", "", false,
		  ANNOUNCE_COMMAND_NONE, ANNOUNCE_COMMAND_DRAIN, "routers prefer the other site" },
		{ MODEL_VIPS_WITHDRAWN, MODEL_VIPS_WITHDRAWN, "ams", "", false,
		  ANNOUNCE_COMMAND_WITHDRAW, ANNOUNCE_COMMAND_DRAIN,
		  "a shared one leaves only when another node confirms" },
		{ MODEL_VIPS_SHUTDOWN, MODEL_VIPS_ANNOUNCED, "ams", "", false,
		  ANNOUNCE_COMMAND_DRAIN, ANNOUNCE_COMMAND_NONE, "own ones alone" },
		{ MODEL_VIPS_WITHDRAWN, MODEL_VIPS_WITHDRAWN, "fra", "", false,
		  ANNOUNCE_COMMAND_NONE, ANNOUNCE_COMMAND_NONE, "of another site" },
		{ MODEL_VIPS_WITHDRAWN, MODEL_VIPS_WITHDRAWN, "ams", "web", false,
		  ANNOUNCE_COMMAND_NONE, ANNOUNCE_COMMAND_NONE,
		  "one service: others need the VIP" },
		{ MODEL_VIPS_WITHDRAWN, MODEL_VIPS_WITHDRAWN, "ams", "", true,
		  ANNOUNCE_COMMAND_NONE, ANNOUNCE_COMMAND_NONE, "the operation has ended" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct model_override o = { .kind = MODEL_OVERRIDE_DRAIN,
			                    .target = MODEL_TARGET_SITE,
			                    .pool = "",
			                    .name = rows[i].site,
			                    .until_ms = MODEL_TIME_NEVER,
			                    .is_step = true,
			                    .service = rows[i].service,
			                    .own_vips = rows[i].own,
			                    .shared_vips = rows[i].shared,
			                    .ended = rows[i].ended };

		m.overrides = &o;
		m.n_overrides = 1;
		if (list_one(1).command != rows[i].web || list_one(0).command != rows[i].api)
			fail_msg("%s", rows[i].why);
		assert_int_equal(list_one(2).command, ANNOUNCE_COMMAND_NONE);
	}
}

/* What people ask of the node and what operations ask of its site: the stronger one holds, in any order. */
static void of_several_demands_the_strongest_holds(void **state)
{
#define OF_NODE(do)                                                                                \
	{                                                                                          \
		.kind = MODEL_OVERRIDE_##do, .target = MODEL_TARGET_NODE, .name = "a1",            \
		.until_ms = MODEL_TIME_NEVER                                                       \
	}
#define STEP(own, shared)                                                                          \
	{                                                                                          \
		.kind = MODEL_OVERRIDE_DRAIN, .target = MODEL_TARGET_SITE, .name = "ams",          \
		.until_ms = MODEL_TIME_NEVER, .is_step = true, .service = "",                      \
		.own_vips = MODEL_VIPS_##own, .shared_vips = MODEL_VIPS_##shared                   \
	}
	static const struct {
		const char *why;
		struct model_override list[2];
		enum announce_command web, api, node; /* of this site alone; of both */
	} rows[] = {
		{ "a drain and a step of DNS alone",
		  { OF_NODE(DRAIN), STEP(ANNOUNCED, ANNOUNCED) },
		  ANNOUNCE_COMMAND_DRAIN,
		  ANNOUNCE_COMMAND_DRAIN,
		  ANNOUNCE_COMMAND_DRAIN },
		{ "a drain and the same",
		  { OF_NODE(DRAIN), STEP(SHUTDOWN, SHUTDOWN) },
		  ANNOUNCE_COMMAND_DRAIN,
		  ANNOUNCE_COMMAND_DRAIN,
		  ANNOUNCE_COMMAND_DRAIN },
		{ "a drain and more",
		  { OF_NODE(DRAIN), STEP(WITHDRAWN, WITHDRAWN) },
		  ANNOUNCE_COMMAND_WITHDRAW,
		  ANNOUNCE_COMMAND_DRAIN,
		  ANNOUNCE_COMMAND_DRAIN },
		{ "withdrawn, and less",
		  { OF_NODE(DISABLE), STEP(SHUTDOWN, ANNOUNCED) },
		  ANNOUNCE_COMMAND_WITHDRAW,
		  ANNOUNCE_COMMAND_WITHDRAW,
		  ANNOUNCE_COMMAND_WITHDRAW },
		{ "two steps",
		  { STEP(WITHDRAWN, ANNOUNCED), STEP(SHUTDOWN, SHUTDOWN) },
		  ANNOUNCE_COMMAND_WITHDRAW,
		  ANNOUNCE_COMMAND_DRAIN,
		  ANNOUNCE_COMMAND_NONE },
		{ "two steps, of which one asks nothing",
		  { STEP(ANNOUNCED, WITHDRAWN), STEP(ANNOUNCED, ANNOUNCED) },
		  ANNOUNCE_COMMAND_NONE,
		  ANNOUNCE_COMMAND_DRAIN,
		  ANNOUNCE_COMMAND_NONE },
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		size_t k = i / 2;
		struct model_override o[2] = { rows[k].list[i % 2], rows[k].list[!(i % 2)] };

		m.overrides = o;
		m.n_overrides = 2;
		if (list_one(1).command != rows[k].web || list_one(0).command != rows[k].api ||
		    list_one(2).command != rows[k].node)
			fail_msg("%s, %s", rows[k].why, i % 2 ? "from behind" : "in this order");
	}
#undef OF_NODE
#undef STEP
}

/* Of a VIP that no other node could announce: once all its clients have gone elsewhere, by the longest TTL of its site. */
static void a_vip_is_own_when_its_sites_are_drained(void **state)
{
	static const struct model_at at[] = { { .site = &fra }, { .site = &ams } };
	static const struct model_service services[] = { { .at = at, .n_at = 2 },
		                                         { .at = at, .n_at = 1 } };
	static const struct model_dns_name names[] = { { .service = &services[0], .ttl_max_s = 60 },
		                                       { .service = &services[0], .ttl_max_s = 5 },
		                                       { .service = &services[1],
		                                         .ttl_max_s = 900 } };
	struct model_override o[2] = { { .kind = MODEL_OVERRIDE_DRAIN,
		                         .target = MODEL_TARGET_SITE,
		                         .pool = "",
		                         .name = "ams",
		                         .from_ms = 1000,
		                         .over_ms = 1000,
		                         .until_ms = MODEL_TIME_NEVER },
		                       { .kind = MODEL_OVERRIDE_HOLD,
		                         .target = MODEL_TARGET_SITE,
		                         .pool = "",
		                         .name = "ams",
		                         .until_ms = MODEL_TIME_NEVER } };

	(void)state;
	assert_false(list_one(1).leaves_unconfirmed);
	assert_true(list_one(2).leaves_unconfirmed); /* of DNS */
	m.dns_names = names;
	m.n_dns_names = COUNT(names);
	m.overrides = o;
	m.n_overrides = 1;
	m.meta.written_ms = 1999;
	assert_false(list_one(1).leaves_unconfirmed); /* it ramps */
	m.meta.written_ms = 2000 + 64999;
	assert_false(
	        list_one(1).leaves_unconfirmed); /* answers that were given before may be used */
	m.meta.written_ms = 2000 + 65000;
	assert_true(list_one(1).leaves_unconfirmed);
	assert_false(list_one(0).leaves_unconfirmed); /* at both sites */
	m.n_overrides = 2;
	assert_false(list_one(1).leaves_unconfirmed); /* it is held, and where is not known here */
	m.n_overrides = 1;
	o[0].service = "web";
	assert_false(list_one(1).leaves_unconfirmed);
	o[0].service = "";
	o[0].is_step = true;
	o[0].to_ppm = 999999;
	assert_false(list_one(1).leaves_unconfirmed);
	o[0].to_ppm = 1000000;
	assert_true(list_one(1).leaves_unconfirmed);
	o[0].ended = true;
	assert_false(list_one(1).leaves_unconfirmed);
	o[0].ended = false;
	nodes[1].announce.daemon = BIRD;
	assert_false(list_one(1).leaves_unconfirmed); /* another node confirms */
	nodes[1].announce.dns = addresses + 2;
	nodes[1].announce.n_dns = 1;
	assert_false(list_one(2).leaves_unconfirmed);
}

/*
 * A hold of a person whose time is over stays in the document for days. A step stood still under it,
 * so for as long as it held a drain that was under way the site is not left yet.
 */
static void a_hold_counts_until_its_time_is_over(void **state)
{
	enum { HOUR = 3600000, NOW = 100 * HOUR };
	static const struct {
		int64_t drain_ms, from_ms, until_ms;
		bool leaves;
		const char *why;
	} rows[] = {
		{ NOW - 10 * HOUR, NOW - HOUR, NOW + 1, false, "it holds" },
		{ NOW - 10 * HOUR, NOW - HOUR, MODEL_TIME_NEVER, false, "it holds without an end" },
		{ NOW - 10 * HOUR, NOW - HOUR, NOW, true, "its time is over" },
		{ NOW - 10 * HOUR, NOW - 3 * HOUR, NOW - 2 * HOUR, true, "for hours" },
		{ NOW - 10 * HOUR, NOW + 1, NOW + HOUR, true, "its time has not come" },
		{ NOW - 10 * HOUR, NOW - 12 * HOUR, NOW - 11 * HOUR, true, "of before the drain" },
		{ NOW - 2 * HOUR, NOW - 3 * HOUR, NOW - HOUR, true, "the drain began under it" },
		{ NOW - 60000, NOW - 50000, NOW, false, "the drain stood still for 50 s of 60" },
		{ NOW - 60000, NOW - 80000, NOW, false, "for all of its time" },
	};

	(void)state;
	m.meta.written_ms = NOW;
	m.n_overrides = 2;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct model_override o[2] = { { .kind = MODEL_OVERRIDE_DRAIN,
			                         .target = MODEL_TARGET_SITE,
			                         .pool = "",
			                         .name = "ams",
			                         .from_ms = rows[i].drain_ms,
			                         .over_ms = 30000,
			                         .until_ms = MODEL_TIME_NEVER },
			                       { .kind = MODEL_OVERRIDE_HOLD,
			                         .target = MODEL_TARGET_SITE,
			                         .pool = "",
			                         .name = "ams",
			                         .from_ms = rows[i].from_ms,
			                         .until_ms = rows[i].until_ms } };

		m.overrides = o;
		if (list_one(1).leaves_unconfirmed != rows[i].leaves)
			fail_msg("%s", rows[i].why);
	}
}

/* The list as lines; the VIP itself must be the model's. */
static const char *list_text(size_t n_max)
{
	static const char *const commands[] = { [ANNOUNCE_COMMAND_NONE] = "none",
		                                [ANNOUNCE_COMMAND_DRAIN] = "drain",
		                                [ANNOUNCE_COMMAND_WITHDRAW] = "withdraw" };
	static char text[1024];
	struct intended list[9];
	size_t used = 0, n;

	memset(list, 0x5a, sizeof(list));
	n = intended_list(&m, list, n_max);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		char address[ADDR_TEXT_MAX];
		const struct intended *it = &list[i];

		assert_ptr_equal(it->vip, it->of ? it->of->name : NULL);
		assert_true(it->vip_hash == (it->vip ? hash_text(it->vip) : 0));
		used += (size_t)snprintf(
		        text + used, sizeof(text) - used, "%s %s%s%s%s %s\n",
		        addr_text(&it->address, address), it->vip ? it->vip : "dns",
		        it->needs_all ? " all" : "", it->is_shared ? " shared" : "",
		        it->leaves_unconfirmed ? " unconfirmed" : "", commands[it->command]);
	}
	for (size_t i = n_max * sizeof(*list); i < sizeof(list); i++)
		assert_int_equal(((const unsigned char *)list)[i], 0x5a);
	return text;
}

/* Sorted, each address once, and no more than there is room for. */
static void what_is_intended_is_listed_whole(void **state)
{
	static struct addr more[5];
	static const char *const texts[] = { "192.0.2.9", "192.0.2.3", "2001:db8::1", "192.0.2.3",
		                             "192.0.2.4" };
	struct model_vip of_scene[] = {
		{ .name = "web",
		  .sites = only_ams,
		  .n_sites = 1,
		  .addresses = more,
		  .n_addresses = 3,
		  .announce_when = MODEL_ANNOUNCE_ALL },
		{ .name = "x",
		  .sites = both,
		  .n_sites = 2,
		  .addresses = addresses,
		  .n_addresses = 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_int_equal(addr_parse(texts[i], &more[i]), 0);
	m.vips = of_scene;
	m.n_vips = COUNT(of_scene);
	nodes[0].announce.dns = more + 3;
	nodes[0].announce.n_dns = 2;
	nodes[2].announce.daemon = BIRD;
	nodes[2].announce.dns = more + 4;
	nodes[2].announce.n_dns = 1;
	assert_string_equal(list_text(6), "192.0.2.1 x shared none\n"
	                                  "192.0.2.3 web all none\n"
	                                  "192.0.2.4 dns shared none\n"
	                                  "192.0.2.9 web all none\n"
	                                  "2001:db8::1 web all none\n");
	assert_string_equal(list_text(0), "");
	assert_string_equal(list_text(1), "192.0.2.9 web all none\n");
	assert_string_equal(list_text(3), "192.0.2.3 web all none\n"
	                                  "192.0.2.9 web all none\n"
	                                  "2001:db8::1 web all none\n");
	assert_string_equal(list_text(4), "192.0.2.1 x shared none\n"
	                                  "192.0.2.3 web all none\n"
	                                  "192.0.2.9 web all none\n"
	                                  "2001:db8::1 web all none\n");
	nodes[0].announce.daemon = MODEL_DAEMON_NONE;
	assert_string_equal(list_text(6), "");
	nodes[0].announce.daemon = BIRD;
	m.self = NULL;
	assert_string_equal(list_text(6), "");
}

/* Of the overrides of a site each can have drained it, whatever stands before or behind it. */
static void any_override_of_the_site_may_have_drained_it(void **state)
{
#define LEFT(do, of, is_over)                                                                      \
	{                                                                                          \
		.kind = MODEL_OVERRIDE_##do, .target = MODEL_TARGET_##of, .name = "ams",           \
		.pool = "", .until_ms = MODEL_TIME_NEVER, .ended = is_over                         \
	}
	static const struct {
		const char *why;
		struct model_override list[2];
		bool leaves;
	} rows[] = {
		{ "drained", { LEFT(DRAIN, SITE, false), LEFT(DRAIN, SITE, true) }, true },
		{ "disabled", { LEFT(DISABLE, SITE, false), LEFT(DRAIN, SITE, true) }, true },
		{ "forced up", { LEFT(FORCE_UP, SITE, false), LEFT(DRAIN, SITE, true) }, false },
		{ "a node of that name",
		  { LEFT(DRAIN, NODE, false), LEFT(DRAIN, SITE, true) },
		  false },
		{ "a backend of that name",
		  { LEFT(DISABLE, BACKEND, false), LEFT(DRAIN, SITE, true) },
		  false },
		{ "drained, and something else",
		  { LEFT(DRAIN, SITE, false), LEFT(FORCE_UP, SITE, false) },
		  true },
		{ "drained, and held",
		  { LEFT(DRAIN, SITE, false), LEFT(HOLD, SITE, false) },
		  false },
		{ "disabled, and a drain is held",
		  { LEFT(DISABLE, SITE, false), LEFT(HOLD, SITE, false) },
		  true },
		{ "the hold has ended",
		  { LEFT(DRAIN, SITE, false), LEFT(HOLD, SITE, true) },
		  true },
		{ "both have ended",
		  { LEFT(DRAIN, SITE, true), LEFT(DISABLE, SITE, true) },
		  false },
	};

	(void)state;
	m.meta.written_ms = 1000000;
	m.n_overrides = 2;
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		size_t k = i / 2;
		struct model_override o[2] = { rows[k].list[i % 2], rows[k].list[!(i % 2)] };

		m.overrides = o;
		if (list_one(1).leaves_unconfirmed != rows[k].leaves)
			fail_msg("%s, %s", rows[k].why, i % 2 ? "from behind" : "in this order");
	}
#undef LEFT
}

#define SCENE_TEST(test) cmocka_unit_test_setup(test, start_scene)

SUITE(intended)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(only_nodes_with_a_daemon_share_an_address),
		SCENE_TEST(an_address_of_dns_is_shared_with_nodes_that_list_it),
		SCENE_TEST(a_node_announces_what_its_list_names),
		SCENE_TEST(people_drain_or_withdraw_the_own_node),
		SCENE_TEST(an_operation_moves_the_vips_of_its_site),
		SCENE_TEST(of_several_demands_the_strongest_holds),
		SCENE_TEST(what_is_intended_is_listed_whole),
		SCENE_TEST(a_hold_counts_until_its_time_is_over),
		SCENE_TEST(any_override_of_the_site_may_have_drained_it),
		SCENE_TEST(a_vip_is_own_when_its_sites_are_drained),
	};

	return cmocka_run_group_tests_name("announce intended", tests, NULL, NULL);
}
