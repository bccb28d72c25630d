/* SPDX-License-Identifier: BSD-2-Clause */
/* What is stated of the ways to backends: which are named, and when nothing can be sent at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/conditions.h"
#include "dataplane/export/effect_internal.h"
#include "dataplane/probes.h"
#include "dataplane/process.h"
#include "dataplane/export/publish.h"
#include "weir/condition.h"
#include "weir/model.h"

#define N_BACKENDS 20
#define NOW_MS     100000u

static struct {
	char code[32], subject[64], text[256];
	enum condition_level level;
} said[64];
static size_t n_said;
static struct probes_path probe_trouble;
static struct hop hop_of_all;
static bool has_hop;
static struct {
	struct effect_page page;
	struct effect_pool pools[1];
	struct effect_backend rows[N_BACKENDS];
} effect;

static void __attribute__((format(printf, 5, 6)))
fake_add(struct stats *s, const char *code, enum condition_level level, const char *subject,
         const char *format, ...)
{
	va_list list;

	(void)s;
	assert_true(n_said < 64);
	snprintf(said[n_said].code, sizeof(said[0].code), "%s", code);
	snprintf(said[n_said].subject, sizeof(said[0].subject), "%s", subject);
	va_start(list, format);
	vsnprintf(said[n_said].text, sizeof(said[0].text), format, list);
	va_end(list);
	said[n_said++].level = level;
}

static const struct probes_path *fake_trouble(const struct probes_filler *f, uint64_t now_ms)
{
	(void)f;
	assert_int_equal(now_ms, NOW_MS);
	return *probe_trouble.reason ? &probe_trouble : NULL;
}

static uint64_t fake_now(const struct loop *l)
{
	(void)l;
	return NOW_MS;
}

static struct effect_page *fake_effect(struct publisher *p)
{
	(void)p;
	return &effect.page;
}

static bool fake_hop(const struct hops *h, const struct addr *address, struct hop *out)
{
	(void)h;
	(void)address;
	*out = hop_of_all;
	return has_hop;
}

/* The private parts too. */
#define conditions_add   fake_add
#define probes_trouble   fake_trouble
#define loop_now_ms      fake_now
#define publisher_effect fake_effect
#define hops_get         fake_hop
#include "dataplane/conditions_paths.c"

static size_t list_ports(const struct driver *d, struct driver_port out[DRIVER_PORTS_MAX])
{
	(void)d;
	out[0] = (struct driver_port){ .ifindex = 3 };
	out[1] = (struct driver_port){ .ifindex = 5 };
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
static struct process process;
static char names[N_BACKENDS][8];

/* A pool of @p n backends in force, each with slots of its own and a way. */
static void make_pool(size_t n)
{
	plan_pool.n_backends = n;
	memset(&effect, 0, sizeof(effect));
	effect.page.max_pools = 1;
	effect.page.max_backends = N_BACKENDS;
	effect.page.total.n_backends = (uint32_t)n;
	for (size_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "b%zu", i);
		plans[i] = (struct plan_backend){ .id = 100 + i, .name = names[i] };
		backends[i] = (struct compiler_backend){ .plan = &plans[i],
			                                 .index = (uint32_t)i,
			                                 .alive = true,
			                                 .reason = EFFECT_REASON_UP };
		table[i] = (struct fwd_backend){ 0 };
		paths[i] = (struct compiler_path){ 0 };
		effect.rows[i] = (struct effect_backend){ .pool = 7, .id = 100 + i, .slots = 5 };
	}
	process = (struct process){ .ops = &ops };
	process.node.pools = &pool;
	process.node.n_pools = 1;
	process.node.t.backends = table;
	process.node.paths = paths;
	process.node.hops = (struct hops *)&process; /* followed */
	probe_trouble.reason[0] = '\0';
	has_hop = false;
}

/* @return how often @p code was stated of @p subject at @p level */
static size_t count_stated(const char *code, const char *subject, enum condition_level level)
{
	size_t n = 0;

	n_said = 0;
	conditions_state_paths(&process, NULL);
	for (size_t i = 0; i < n_said; i++)
		n += !strcmp(said[i].code, code) && !strcmp(said[i].subject, subject) &&
		     said[i].level == level;
	return n;
}

#define MISSING  "next-hop-missing"
#define UNUSABLE "next-hop-unusable"

static void where_all_is_well_nothing_is_stated(void **unused)
{
	(void)unused;
	make_pool(2);
	assert_int_equal(count_stated(MISSING, "", CONDITION_DEGRADED), 0);
	assert_int_equal(n_said, 0);
	snprintf(probe_trouble.subject, sizeof(probe_trouble.subject), "eth1");
	snprintf(probe_trouble.reason, sizeof(probe_trouble.reason), "no clsact");
	assert_int_equal(count_stated("probe-path-missing", "eth1", CONDITION_DEGRADED), 1);
	assert_int_equal(n_said, 1);
	process.node.hops = NULL; /* not followed: nothing is known */
	table[0].flags = FWD_BACKEND_NO_NEXT_HOP;
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 0);
}

static void a_backend_that_owns_slots_and_cannot_be_reached_is_named(void **unused)
{
	(void)unused;
	make_pool(2);
	table[0].flags = FWD_BACKEND_NO_NEXT_HOP;
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 1);
	assert_int_equal(n_said, 1);                        /* the other serves: it is not down */
	paths[0].next_hop.since_ms = NOW_MS - STATE_MS + 1; /* for a moment only */
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 0);
	paths[0].next_hop.since_ms = NOW_MS - STATE_MS;
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 1);
	effect.rows[0].slots = 0; /* nobody is sent there */
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 0);
	effect.rows[0].slots = 5;
	backends[0].alive = false;
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 0);
	assert_int_equal(n_said, 0);
	backends[0].alive = true;
	effect.rows[0].id = 99; /* another's row */
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 0);
}

static void what_agents_were_given_is_unknown_and_noted(void **unused)
{
	(void)unused;
	make_pool(2);
	assert_int_equal(count_stated("agents-unseen", "web", CONDITION_NOTE), 0);
	web.agent = true;
	assert_int_equal(count_stated("agents-unseen", "web", CONDITION_NOTE), 1);
	assert_int_equal(n_said, 1);
	assert_non_null(strstr(said[0].text, "--owners"));
	make_pool(1); /* nothing can move */
	assert_int_equal(count_stated("agents-unseen", "web", CONDITION_NOTE), 0);
	web.agent = false;
}

/* XDP sends by any interface: what becomes of the frames is not known, and none is called dropped. */
static void a_way_by_no_port_of_ours_may_lead_there(void **unused)
{
	(void)unused;
	make_pool(LISTED_MAX + 2);
	has_hop = true;
	hop_of_all = (struct hop){ .state = HOP_KNOWN, .ifindex = 5 };
	assert_int_equal(count_stated("next-hop-no-port", "web/b0", CONDITION_DEGRADED), 0);
	assert_int_equal(n_said, 0);
	hop_of_all.ifindex = 4;
	assert_int_equal(count_stated("next-hop-no-port", "web/b0", CONDITION_DEGRADED), 1);
	assert_non_null(strstr(said[0].text, "is not known"));
	assert_int_equal(n_said, LISTED_MAX + 1);
	assert_int_equal(atoi(said[LISTED_MAX].text), 2);
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
	has_hop = true;
	hop_of_all = (struct hop){ .state = HOP_KNOWN, .ifindex = 5 };
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 0);
	hop_of_all.ifindex = 4;
	assert_int_equal(count_stated(MISSING, "web/b0", CONDITION_DEGRADED), 1);
	assert_int_equal(count_stated(MISSING, "all", CONDITION_DOWN), 1);
}

static void it_is_down_when_none_that_owns_slots_is_reached(void **unused)
{
	(void)unused;
	make_pool(2);
	table[0].flags = table[1].flags = FWD_BACKEND_NO_NEXT_HOP;
	assert_int_equal(count_stated(MISSING, "all", CONDITION_DOWN), 1);
	assert_int_equal(n_said, 3);
	table[1].flags = 0;
	assert_int_equal(count_stated(MISSING, "all", CONDITION_DOWN), 0);
	effect.rows[1].slots = 0; /* what can be reached owns nothing */
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
			assert_non_null(strstr(said[0].text, cases[i].text));
	}
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
		assert_int_equal(n_said, n > LISTED_MAX ? LISTED_MAX + 1 : n);
		if (n > LISTED_MAX)
			assert_int_equal(atoi(said[n_said - 1].text), n - LISTED_MAX);
		make_pool(n + 1); /* one serves: nothing is down */
		for (size_t i = 0; i < n; i++)
			table[i].flags = FWD_BACKEND_NO_NEXT_HOP;
		assert_int_equal(count_stated(MISSING, "", CONDITION_DEGRADED), n > LISTED_MAX);
		assert_int_equal(n_said, n > LISTED_MAX ? LISTED_MAX + 1 : n);
		if (n > LISTED_MAX)
			assert_int_equal(atoi(said[n_said - 1].text), n - LISTED_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_all_is_well_nothing_is_stated),
		cmocka_unit_test(a_backend_that_owns_slots_and_cannot_be_reached_is_named),
		cmocka_unit_test(what_agents_were_given_is_unknown_and_noted),
		cmocka_unit_test(a_way_by_no_port_of_ours_may_lead_there),
		cmocka_unit_test(workers_have_no_way_but_by_their_ports),
		cmocka_unit_test(it_is_down_when_none_that_owns_slots_is_reached),
		cmocka_unit_test(a_cut_way_is_stated_where_it_decides),
		cmocka_unit_test(a_long_list_is_cut_and_counted),
	};

	return cmocka_run_group_tests_name("conditions paths", tests, NULL, NULL);
}
