/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is stated of the ways to backends: which are named, and when nothing can be sent at all. Next hops are a
 * kernel's, in a namespace of the test's own; the driver, and what tables and effect page hold, are the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/export/effect_internal.h"
#include "dataplane/nexthop/hops.h"
#include "dataplane/probes_internal.h"
#include "tests/unit/suite.h"
#include "weir/model.h"

#include "tests/unit/bpf/space.h"
#include "tests/unit/dataplane/conditions_scene.h"
#include "tests/unit/dataplane/stage.h"

#define N_BACKENDS 20
#define LISTED_MAX 16u   /* backends by name */
#define STATE_MS   1000u /* a shorter trouble is none */

static struct process process;
static struct effect_backend *rows; /* of the effect page */
static struct probes_filler probes;

static size_t list_ports(const struct driver *d, struct driver_port out[DRIVER_PORTS_MAX])
{
	(void)d;
	out[0] = (struct driver_port){ .ifindex = if_nametoindex("v1") };
	out[1] = (struct driver_port){ .ifindex = if_nametoindex("v0") };
	return 2;
}

static size_t list_workers(const struct driver *d, struct driver_worker out[DRIVER_WORKERS_MAX])
{
	(void)d, (void)out;
	return 0;
}

static const struct driver_ops ops = { .ports = list_ports };
static const struct driver_ops with_workers = { .ports = list_ports, .workers = list_workers };
static struct model_pool web = { .name = "web" };
static struct plan_backend plans[N_BACKENDS];
static struct plan_pool plan_pool = { .model = &web, .id = 7, .backends = plans };
static struct compiler_backend backends[N_BACKENDS];
static struct compiler_pool pool = { .plan = &plan_pool, .backends = backends };
static struct fwd_backend table[N_BACKENDS];
static struct compiler_path paths[N_BACKENDS];
static char names[N_BACKENDS][8];

static void unfollow_hops(void)
{
	hops_close(process.node.hops);
	process.node.hops = NULL;
}

static void note_hop(void *loop, const struct addr *address, const struct hop *hop)
{
	(void)address;
	if (hop->state == HOP_KNOWN)
		loop_stop(loop);
}

/* The kernel knows next hops to all backends, by @p port; "": by none, as nobody has asked yet. */
static void follow_hops(const char *port)
{
	unfollow_hops();
	assert_int_equal(
	        hops_open(process.loop, N_BACKENDS, note_hop, process.loop, &process.node.hops), 0);
	if (!*port)
		return;
	space_run("ip route replace 10.2.0.0/16 via 10.%s.0.1", *port == 'v' ? "1" : "8");
	for (size_t i = 0; i < plan_pool.n_backends; i++) {
		struct hop hop;

		assert_int_equal(hops_watch(process.node.hops, &plans[i].address), 0);
		while (!hops_get(process.node.hops, &plans[i].address, &hop) ||
		       hop.state != HOP_KNOWN)
			assert_int_equal(loop_run(process.loop), 0);
	}
}

/* A pool of @p n backends in force, each with slots of its own and a way. */
static void make_pool(size_t n)
{
	struct effect_page *page = publisher_effect(process.publisher);
	char address[32];

	plan_pool.n_backends = n;
	page->total.n_backends = (uint32_t)n;
	rows = effect_page_backends(page);
	for (size_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "b%zu", i);
		snprintf(address, sizeof(address), "10.2.0.%zu", 1 + i);
		plans[i] = (struct plan_backend){ .id = 100 + i, .name = names[i] };
		addr_of(address, &plans[i].address);
		backends[i] = (struct compiler_backend){ .plan = &plans[i],
			                                 .index = (uint32_t)i,
			                                 .alive = true,
			                                 .reason = EFFECT_REASON_UP };
		table[i] = (struct fwd_backend){ 0 };
		paths[i] = (struct compiler_path){ 0 };
		rows[i] = (struct effect_backend){ .pool = 7, .id = 100 + i, .slots = 5 };
	}
	process.ops = &ops;
	process.node.pools = &pool;
	process.node.n_pools = 1;
	process.node.t.backends = table;
	process.node.paths = paths;
	process.probes = NULL;
	follow_hops("");
}

/* The pages, with an effect page that has room for all. */
static int open_scene(void **state)
{
	struct driver_ops driver = memory;
	struct stage s;

	(void)state;
	if (open_pages(&process))
		return -1;
	stage_init(&s);
	apply_world(&s, &s.first);
	driver.ports = list_ports;
	s.node.ops = &driver;
	publisher_write(process.publisher, &s.node, &s.time);
	stage_fini(&s);
	space_run("ip addr add 10.1.0.2/24 dev v0 && ip link add e0 type veth peer name e1 && "
	          "ip link set e0 up && ip link set e1 up && ip addr add 10.8.0.2/24 dev e0 && "
	          "ip neigh add 10.1.0.1 lladdr 02:00:00:00:00:01 dev v0 nud permanent && "
	          "ip neigh add 10.8.0.1 lladdr 02:00:00:00:00:08 dev e0 nud permanent");
	return 0;
}

static int close_scene(void **state)
{
	(void)state;
	unfollow_hops();
	return close_pages(&process);
}

/* @return how often @p code was stated of @p subject at @p level */
static size_t count_stated(const char *code, const char *subject, enum condition_level level)
{
	size_t n = 0;

	conditions_begin(publisher_stats(process.publisher), 1);
	conditions_state_paths(&process, publisher_stats(process.publisher));
	conditions_end(publisher_stats(process.publisher));
	read_said(&process);
	for (size_t i = 0; i < said.n; i++)
		n += !strcmp(said.items[i].code, code) && !strcmp(said.items[i].subject, subject) &&
		     said.items[i].level == level;
	return n;
}

#define MISSING  "next-hop-missing"
#define UNUSABLE "next-hop-unusable"

static void where_all_is_well_nothing_is_stated(void **unused)
{
	(void)unused;
	make_pool(2);
	assert_int_equal(count_stated(MISSING, "", CONDITION_DEGRADED), 0);
	assert_int_equal(said.n, 0);
	probes.n_marks = 1;
	probes.path = (struct probes_path){ .subject = "eth1", .reason = "no clsact" };
	process.probes = &probes;
	assert_int_equal(count_stated("probe-path-missing", "eth1", CONDITION_DEGRADED), 1);
	assert_int_equal(said.n, 1);
	unfollow_hops(); /* not followed: nothing is known */
	table[0].flags = FWD_BACKEND_NO_NEXT_HOP;
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 0);
}

static void a_backend_that_owns_slots_and_cannot_be_reached_is_named(void **unused)
{
	uint64_t now_ms;

	(void)unused;
	make_pool(2);
	table[0].flags = FWD_BACKEND_NO_NEXT_HOP;
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 1);
	assert_int_equal(said.n, 1); /* the other serves: it is not down */
	now_ms = loop_now_ms(process.loop);
	paths[0].next_hop.since_ms = now_ms - STATE_MS + 1; /* for a moment only */
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 0);
	paths[0].next_hop.since_ms = now_ms - STATE_MS;
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 1);
	rows[0].slots = 0; /* nobody is sent there */
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 0);
	rows[0].slots = 5;
	backends[0].alive = false;
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 0);
	assert_int_equal(said.n, 0);
	backends[0].alive = true;
	rows[0].id = 99; /* another's row */
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 0);
}

static void what_agents_were_given_is_unknown_and_noted(void **unused)
{
	(void)unused;
	make_pool(2);
	assert_int_equal(count_stated("agents-unseen", "web", CONDITION_NOTE), 0);
	web.agent = true;
	assert_int_equal(count_stated("agents-unseen", "web", CONDITION_NOTE), 1);
	assert_int_equal(said.n, 1);
	assert_non_null(strstr(said.items[0].text, "--owners"));
	make_pool(1); /* nothing can move */
	assert_int_equal(count_stated("agents-unseen", "web", CONDITION_NOTE), 0);
	web.agent = false;
}

/* XDP sends by any interface: what becomes of the frames is not known, and none is called dropped. */
static void a_way_by_no_port_of_ours_may_lead_there(void **unused)
{
	(void)unused;
	make_pool(LISTED_MAX + 2);
	follow_hops("v0");
	assert_int_equal(count_stated("next-hop-no-port", "web/b0", CONDITION_DEGRADED), 0);
	assert_int_equal(said.n, 0);
	follow_hops("e0");
	assert_int_equal(count_stated("next-hop-no-port", "web/b0", CONDITION_DEGRADED), 1);
	assert_non_null(strstr(said.items[0].text, "is not known"));
	assert_int_equal(said.n, LISTED_MAX + 1);
	assert_int_equal(atoi(said.items[LISTED_MAX].text), 2);
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 0);
	assert_int_equal(count_stated(MISSING, "all", CONDITION_DOWN), 0);
	table[0].flags = FWD_BACKEND_NO_NEXT_HOP; /* nothing is sent: the worse is said alone */
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 1);
	assert_int_equal(count_stated("next-hop-no-port", "web/b0", CONDITION_DEGRADED), 0);
}

static void workers_have_no_way_but_by_their_ports(void **unused)
{
	(void)unused;
	make_pool(1);
	process.ops = &with_workers;
	follow_hops("v0");
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 0);
	follow_hops("e0");
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 1);
	assert_int_equal(count_stated(MISSING, "all", CONDITION_DOWN), 1);
}

static void it_is_down_when_none_that_owns_slots_is_reached(void **unused)
{
	(void)unused;
	make_pool(2);
	table[0].flags = table[1].flags = FWD_BACKEND_NO_NEXT_HOP;
	assert_int_equal(count_stated(MISSING, "all", CONDITION_DOWN), 1);
	assert_int_equal(said.n, 3);
	table[1].flags = 0;
	assert_int_equal(count_stated(MISSING, "all", CONDITION_DOWN), 0);
	rows[1].slots = 0; /* what can be reached owns nothing */
	assert_int_equal(count_stated(MISSING, "all", CONDITION_DOWN), 1);
}

static void a_cut_way_is_stated_where_it_decides(void **unused)
{
	static const struct {
		uint8_t cut, why, intent;
		size_t n;
		const char *text;
	} cases[] = {
		{ EFFECT_REASON_ROUTE, EFFECT_REASON_ROUTE, GUARD_NOTHING, 1, "gets no traffic" },
		{ EFFECT_REASON_NEIGHBOUR, EFFECT_REASON_NEIGHBOUR, GUARD_NOTHING, 1, "ip neigh" },
		{ EFFECT_REASON_GATEWAY, EFFECT_REASON_GATEWAY, GUARD_NOTHING, 1, "mode l2" },
		{ EFFECT_REASON_ROUTE, EFFECT_REASON_HELD_MIN, GUARD_NOTHING, 1, "kept in force" },
		{ EFFECT_REASON_ROUTE, EFFECT_REASON_DOWN, GUARD_NOTHING, 0,
		  NULL }, /* down anyway */
		{ EFFECT_REASON_ROUTE, EFFECT_REASON_ROUTE, GUARD_DISABLED, 0, NULL },
		{ EFFECT_REASON_ROUTE, EFFECT_REASON_HELD_LAST, GUARD_DISABLED, 0, NULL },
		{ 0, EFFECT_REASON_HELD_MIN, GUARD_NOTHING, 0, NULL },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		make_pool(1);
		paths[0].next_hop.cut = cases[i].cut;
		backends[0].reason = cases[i].why;
		plans[0].intent = cases[i].intent;
		if (count_stated(UNUSABLE, "web/b0", CONDITION_DEGRADED) != cases[i].n)
			fail_msg("case %zu", i);
		if (cases[i].text)
			assert_non_null(strstr(said.items[0].text, cases[i].text));
	}
}

/* It drains, or is kept for its flows: no operator can mend its way by name. */
static void who_is_not_configured_is_told_only_where_packets_go_there(void **unused)
{
	(void)unused;
	make_pool(2);
	plans[0].name = "";
	paths[0].next_hop.cut = EFFECT_REASON_ROUTE;
	backends[0].reason = EFFECT_REASON_ROUTE;
	backends[0].alive = false;
	assert_int_equal(count_stated(UNUSABLE, "web/", CONDITION_DEGRADED), 0);
	assert_int_equal(said.n, 0);
	backends[0].alive = true;
	table[0].flags = FWD_BACKEND_NO_NEXT_HOP;
	assert_int_equal(count_stated(MISSING, "web/10.2.0.1", CONDITION_DEGRADED), 1);
	assert_int_equal(said.n, 1);
}

static void a_long_list_is_cut_and_counted(void **unused)
{
	(void)unused;
	for (size_t n = LISTED_MAX - 1; n <= LISTED_MAX + 2; n++) {
		make_pool(n);
		for (size_t i = 0; i < n; i++) {
			paths[i].next_hop.cut = EFFECT_REASON_ROUTE;
			backends[i].reason = EFFECT_REASON_ROUTE;
			backends[i].alive = false;
		}
		assert_int_equal(count_stated(UNUSABLE, "", CONDITION_DEGRADED), n > LISTED_MAX);
		assert_int_equal(said.n, n > LISTED_MAX ? LISTED_MAX + 1 : n);
		if (n > LISTED_MAX)
			assert_int_equal(atoi(said.items[said.n - 1].text), n - LISTED_MAX);
		make_pool(n + 1); /* one serves: nothing is down */
		for (size_t i = 0; i < n; i++)
			table[i].flags = FWD_BACKEND_NO_NEXT_HOP;
		assert_int_equal(count_stated(MISSING, "", CONDITION_DEGRADED), n > LISTED_MAX);
		assert_int_equal(said.n, n > LISTED_MAX ? LISTED_MAX + 1 : n);
		if (n > LISTED_MAX)
			assert_int_equal(atoi(said.items[said.n - 1].text), n - LISTED_MAX);
	}
}

SUITE(conditions_paths)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_all_is_well_nothing_is_stated),
		cmocka_unit_test(a_backend_that_owns_slots_and_cannot_be_reached_is_named),
		cmocka_unit_test(what_agents_were_given_is_unknown_and_noted),
		cmocka_unit_test(a_way_by_no_port_of_ours_may_lead_there),
		cmocka_unit_test(workers_have_no_way_but_by_their_ports),
		cmocka_unit_test(it_is_down_when_none_that_owns_slots_is_reached),
		cmocka_unit_test(a_cut_way_is_stated_where_it_decides),
		cmocka_unit_test(who_is_not_configured_is_told_only_where_packets_go_there),
		cmocka_unit_test(a_long_list_is_cut_and_counted),
	};

	if (space_enter(false)) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests_name("conditions paths", tests, open_scene, close_scene);
}
