/* SPDX-License-Identifier: BSD-2-Clause */
/* A VIP without packets is stated only if all of it is known, and another node gets some. */
#include "asked.h"

#include "base/hash.h"
#include "mgmt/api/auth.h"
#include "mgmt/api/observe.h"
#include "mgmt/api/quiet_vips.h"
#include "weir/condition.h"
#include "weir/model.h"
#include "weir/stats.h"

static uint64_t fake_ms;
static struct announcement_traffic traffic;
static bool is_traffic_known;

static uint64_t fake_mono_ms(void)
{
	return fake_ms;
}

static bool fake_traffic(struct core *core, const char *name, struct announcement_traffic *out)
{
	(void)core;
	(void)name;
	*out = traffic;
	return is_traffic_known;
}

static void fake_rounds(struct core *core, void (*round)(struct core *core), uint64_t every_ms)
{
	assert_int_equal(every_ms, 10000);
	core_lock(core);
	round(core);
	core_unlock(core);
}

static void fake_token(const char *conf_dir, char token[HTTP_TEXT_MAX])
{
	(void)conf_dir;
	snprintf(token, HTTP_TEXT_MAX, "t");
}

static struct model two_nodes;

static const struct model *fake_model(const struct intent_shared *s)
{
	(void)s;
	return &two_nodes;
}

/* The private parts too. */
#define clock_mono_ms                fake_mono_ms
#define observe_vip_traffic          fake_traffic
#define core_run_rounds              fake_rounds
#define auth_peer_token(conf, token) fake_token(conf, token)
#define intent_shared_model(shared)  fake_model(shared)
#include "mgmt/api/quiet_vips.c"
#undef clock_mono_ms
#undef intent_shared_model

static const struct model_site sites[2] = { { .name = "ams" }, { .name = "fra" } };
static struct addr address;
static const struct model_vip shop = { .name = "shop", .addresses = &address, .n_addresses = 1 };
static const struct model_vip *const vips[] = { &shop };
static struct model_node nodes[] = {
	{ .name = "ams-1",
	  .api = "https://a1",
	  .site = &sites[0],
	  .announce = { .daemon = MODEL_DAEMON_BIRD, .vips = vips, .n_vips = 1 } },
	{ .name = "ams-2", .api = "https://a2", .site = &sites[0] },
	{ .name = "fra-1", .api = "https://f1", .site = &sites[1] },
};
static struct announced_page *page;
static struct announced_address row;
static struct quiet_vips own;

#define SAYS(age) "{\"node\":\"ams-2\",\"cluster\":\"shop\",\"arrived_ms\":{\"shop\":" age "}}"

static int setup(void **state)
{
	(void)asked_setup(state);
	fake_ms = 1000000;
	assert_int_equal(addr_parse("203.0.113.10", &address), 0);
	two_nodes = (struct model){
		.cluster = "shop", .nodes = nodes, .n_nodes = 3, .self = &nodes[0]
	};
	row = (struct announced_address){ .vip = hash_text("shop"),
		                          .address = address,
		                          .since_ms = fake_ms - QUIET_VIPS_MS,
		                          .table = ANNOUNCE_NORMAL,
		                          .exported = 1,
		                          .is_read = 1 };
	traffic = (struct announcement_traffic){ .since_ms = fake_ms - QUIET_VIPS_MS };
	is_traffic_known = true;
	memset(&own, 0, sizeof(own));
	this_node.quiet_vips = &own;
	assert_int_equal(announced_create(this_node.dirs.run, &page), 0);
	return 0;
}

static int teardown(void **state)
{
	announced_close(page);
	return asked_teardown(state);
}

/* A round. @return how many VIPs are stated to be quiet */
static size_t look_once(const char *answer)
{
	static const struct announced_neighbour router = { .name = "r", .established = 1 };
	const struct announced_node node = { .daemon_state = "answers" };
	const struct asked_row rows[] = { { .path = "a2/v1/peer/vip-traffic", .json = answer },
		                          { .path = NULL } };

	announced_publish(page, &node, &row, 1, &router, 1, fake_ms);
	asked_rows = rows;
	n_asked = 0;
	run_quiet_vips(&this_node);
	asked_rows = NULL;
	return own.n_shown;
}

static void a_vip_without_packets_is_found(void **state)
{
	(void)state;
	assert_int_equal(look_once(SAYS("59999")), 1);
	assert_int_equal(n_asked, 1); /* the node of the other site is not asked */
	assert_string_equal(own.shown[0].vip, "shop");
	assert_string_equal(own.shown[0].node, "ams-2");
	assert_int_equal(look_once(SAYS("60000")), 0);
}

static void what_is_not_known_is_not_quiet(void **state)
{
	(void)state;
	assert_int_equal(look_once(NULL), 0);
	assert_int_equal(look_once("[]"), 0);
	assert_int_equal(look_once(SAYS("-1")), 0);
	assert_int_equal(look_once(SAYS("\"1\"")), 0);
	assert_int_equal(
	        look_once("{\"node\":\"ams-3\",\"cluster\":\"shop\",\"arrived_ms\":{\"shop\":1}}"),
	        0);
	assert_int_equal(
	        look_once("{\"node\":\"ams-2\",\"cluster\":\"s\",\"arrived_ms\":{\"shop\":1}}"), 0);
	is_traffic_known = false;
	assert_int_equal(look_once(SAYS("1")), 0);
	assert_int_equal(n_asked, 0);
}

/* Each of these leaves nothing to ask for. */
static void a_vip_that_was_not_announced_for_a_minute_is_not_quiet(void **state)
{
	(void)state;
	row.since_ms++;
	assert_int_equal(look_once(SAYS("1")), 0);
	row.since_ms--;
	row.table = ANNOUNCE_SHUTDOWN;
	assert_int_equal(look_once(SAYS("1")), 0);
	row.table = ANNOUNCE_NORMAL;
	row.exported = 0;
	assert_int_equal(look_once(SAYS("1")), 0);
	row.exported = 1;
	row.is_read = 0;
	assert_int_equal(look_once(SAYS("1")), 0);
	row.is_read = 1;
	traffic.since_ms++;
	assert_int_equal(look_once(SAYS("1")), 0);
	traffic.since_ms--;
	traffic.arrived_ms = fake_ms - QUIET_VIPS_MS + 1;
	assert_int_equal(look_once(SAYS("1")), 0);
	assert_int_equal(n_asked, 0);
	traffic.arrived_ms--;
	assert_int_equal(look_once(SAYS("1")), 1);
	nodes[0].announce.daemon = MODEL_DAEMON_NONE;
	assert_int_equal(look_once(SAYS("1")), 0);
	nodes[0].announce.daemon = MODEL_DAEMON_BIRD;
}

static void a_peer_is_told_when_packets_arrived(void **state)
{
	json_t *answer;

	(void)state;
	traffic.arrived_ms = fake_ms - 1234;
	answer = quiet_vips_to_json(&this_node);
	assert_string_equal(json_string_value(json_object_get(answer, "node")), "ams-1");
	assert_string_equal(json_string_value(json_object_get(answer, "cluster")), "shop");
	assert_int_equal(
	        json_integer_value(json_object_get(json_object_get(answer, "arrived_ms"), "shop")),
	        1234);
	json_decref(answer);
	traffic.arrived_ms = 0;
	answer = quiet_vips_to_json(&this_node);
	assert_int_equal(json_object_size(json_object_get(answer, "arrived_ms")), 0);
	json_decref(answer);
}

static void a_quiet_vip_is_a_condition(void **state)
{
	struct conditions c;

	(void)state;
	assert_int_equal(look_once(SAYS("5")), 1);
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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_vip_without_packets_is_found),
		T(what_is_not_known_is_not_quiet),
		T(a_vip_that_was_not_announced_for_a_minute_is_not_quiet),
		T(a_peer_is_told_when_packets_arrived),
		T(a_quiet_vip_is_a_condition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
