/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Path MTUs that packets have noted (dataplane/tables/compiler_mtus.c) come into force, within their
 * bounds. Next hops are this file's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/dataplane/stage.h"

/* The documented values, not the code's own: a change of those is seen. */
#define STEP_MS   1000
#define LIFE_MS   600000
#define INNER_MIN 1280

#define OVERHEAD4 20u /* IPIP */
#define OVERHEAD6 40u

/* --- next hops: all are known but one --- */

static const char unknown[] = "10.1.0.13";
static uint16_t link_mtu = 1500;

int hops_watch(struct hops *h, const struct addr *address)
{
	(void)h, (void)address;
	return 0;
}

void hops_unwatch(struct hops *h, const struct addr *address)
{
	(void)h, (void)address;
}

void hops_heard(struct hops *h, const struct addr *address, enum hop_heard heard)
{
	(void)h, (void)address, (void)heard;
}

void hops_doubt(struct hops *h, const struct addr *address)
{
	(void)h, (void)address;
}

bool hops_get(const struct hops *h, const struct addr *address, struct hop *out)
{
	struct addr a;

	(void)h;
	addr_of(unknown, &a);
	*out = (struct hop){ .state = addr_equal(&a, address) ? HOP_NO_NEIGHBOUR : HOP_KNOWN,
		             .ifindex = 1,
		             .mtu = link_mtu,
		             .on_link = true };
	return true;
}

/* --- a node with backends "a" and "b" of one pool, and what is told --- */

static void start_stage(struct stage *s, const char *a, const char *b)
{
	static char nobody;

	stage_init(s);
	link_mtu = 1500;
	s->node.hops = (struct hops *)(void *)&nobody;
	addr_of(a, &s->first.backends[0].address);
	addr_of(b, &s->first.backends[1].address);
	s->second.backends[0].address = s->first.backends[0].address;
	s->second.backends[1].address = s->first.backends[1].address;
	apply_world(s, &s->first);
}

static struct fwd_backend *entry_of(const struct stage *s, const char *name)
{
	const struct compiler_pool *p = &s->node.pools[0];

	for (size_t i = 0; i < p->plan->n_backends; i++)
		if (!strcmp(p->plan->backends[i].name, name))
			return &s->node.t.backends[p->backends[i].index];
	fail_msg("no backend %s", name);
	return NULL;
}

/* As the packet path does, and then as the process does, some time later. */
static void report_mtu(struct stage *s, const char *name, uint16_t mtu, uint64_t later_ms)
{
	entry_of(s, name)->learned_mtu = mtu;
	s->node.t.cpus[1].reason[FWD_REASON_TUNNEL_TOO_BIG]++;
	s->time.now_ms += later_ms;
	compiler_update_mtus(&s->node, s->time.now_ms);
}

static void what_is_told_lowers_what_the_tunnel_carries(void **state)
{
	(void)state;
	struct stage s;

	start_stage(&s, "10.1.0.5", "2001:db8:b::9");
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1500 - OVERHEAD4);
	assert_int_equal(entry_of(&s, "b")->inner_mtu, 1500 - OVERHEAD6);
	report_mtu(&s, "a", 1400, 100);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1400 - OVERHEAD4);
	assert_int_equal(entry_of(&s, "a")->learned_mtu, 0);
	assert_int_equal(entry_of(&s, "b")->inner_mtu, 1500 - OVERHEAD6);
	report_mtu(&s, "b", 1350, 100);
	assert_int_equal(entry_of(&s, "b")->inner_mtu, 1350 - OVERHEAD6);
	assert_int_equal(s.node.n_low, 2);
	assert_int_equal(s.node.counters.paths_lowered, 2);
	stage_fini(&s);
}

static void all_backends_of_an_address_follow(void **state)
{
	(void)state;
	struct stage s;

	start_stage(&s, "10.1.0.5", "10.1.0.5");
	report_mtu(&s, "b", 1400, 100);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1400 - OVERHEAD4);
	assert_int_equal(entry_of(&s, "b")->inner_mtu, 1400 - OVERHEAD4);
	assert_int_equal(s.node.n_low, 2);
	assert_int_equal(s.node.counters.paths_lowered, 1);
	stage_fini(&s);
}

static void forgers_take_little_and_slowly(void **state)
{
	(void)state;
	struct stage s;

	start_stage(&s, "10.1.0.5", "10.1.0.9");
	report_mtu(&s, "a", 9000, 100);
	report_mtu(&s, "a", 1500, 100);
	assert_int_equal(s.node.counters.paths_lowered, 0);
	for (uint16_t mtu = 1499; mtu > 1399; mtu--)
		report_mtu(&s, "a", mtu, 30);
	assert_int_equal(s.node.counters.paths_lowered, 3); /* in three seconds */
	report_mtu(&s, "a", 576, STEP_MS);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, INNER_MIN);
	assert_int_equal(entry_of(&s, "b")->inner_mtu, 1500 - OVERHEAD4);
	assert_int_equal(s.node.n_low, 1);
	stage_fini(&s);
}

static void what_is_configured_is_tried_again_after_a_while(void **state)
{
	(void)state;
	struct stage s;

	start_stage(&s, "10.1.0.5", "10.1.0.9");
	report_mtu(&s, "a", 1400, 100);
	s.time.now_ms += LIFE_MS - 1;
	compiler_update_mtus(&s.node, s.time.now_ms);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1400 - OVERHEAD4);
	compiler_update_mtus(&s.node, s.time.now_ms + 1);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1500 - OVERHEAD4);
	assert_int_equal(s.node.n_low, 0);
	assert_int_equal(s.node.counters.paths_restored, 1);
	report_mtu(&s, "a", 1400, 2);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1400 - OVERHEAD4);
	stage_fini(&s);
}

static void links_and_documents_change_meanwhile(void **state)
{
	(void)state;
	struct stage s;
	struct addr a;
	struct hop hop;

	start_stage(&s, "10.1.0.5", "10.1.0.9");
	report_mtu(&s, "a", 1400, 100);
	link_mtu = 1350;
	addr_of("10.1.0.5", &a);
	hops_get(s.node.hops, &a, &hop);
	compiler_on_hop(&s.node, &a, &hop);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1350 - OVERHEAD4);
	link_mtu = 1500;
	s.second.model.limits = (struct model_limits){ 128, 512, 65536, 8192 };
	apply_world(&s, &s.second); /* in larger tables */
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1400 - OVERHEAD4);
	assert_int_equal(s.node.n_low, 1);
	stage_fini(&s);
}

static void a_backend_without_a_known_way_is_left_alone(void **state)
{
	(void)state;
	struct stage s;

	start_stage(&s, unknown, "10.1.0.9");
	report_mtu(&s, "a", 1400, 100);
	assert_int_equal(entry_of(&s, "a")->learned_mtu, 0);
	assert_int_equal(s.node.n_low, 0);
	stage_fini(&s);
}

static void layer_2_has_no_routers_on_its_way(void **state)
{
	(void)state;
	struct stage s;

	start_stage(&s, "10.1.0.5", "10.1.0.9");
	s.second.pools[0].mode = MODEL_MODE_L2;
	apply_world(&s, &s.second);
	report_mtu(&s, "a", 1400, 100);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1500);
	stage_fini(&s);
}

static void another_process_learns_again_and_takes_what_was_noted(void **state)
{
	(void)state;
	struct stage s;
	struct hops *hops;

	start_stage(&s, "10.1.0.5", "10.1.0.9");
	report_mtu(&s, "a", 1400, 100);
	entry_of(&s, "b")->learned_mtu = 1450; /* while no process runs */
	hops = s.node.hops;
	compiler_fini(&s.node);
	start_node(&s, true);
	s.node.hops = hops;
	apply_world(&s, &s.second);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1500 - OVERHEAD4);
	compiler_update_mtus(&s.node, s.time.now_ms);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1500 - OVERHEAD4);
	assert_int_equal(entry_of(&s, "b")->inner_mtu, 1450 - OVERHEAD4);
	stage_fini(&s);
}

/* --- an index that another backend has later --- */

/* "a" leaves the document; then time passes until its index is free. */
static void drop_a(struct stage *s)
{
	uint32_t index = (uint32_t)(entry_of(s, "a") - s->node.t.backends);

	s->second.pools[0].backends = &s->second.backends[1];
	s->second.pools[0].n_backends = 1;
	s->second.sets[0] = (struct model_set){ 0, INT64_MAX, &s->second.now[1], 1 };
	s->second.pools[0].n_member_sets = 1;
	apply_world(s, &s->second);
	for (int i = 0; i < 2000; i++) {
		if (indexes_state(s->node.backend_indexes, index) == INDEX_FREE)
			return;
		s->time.now_ms += 250;
		s->time.ticks_ms += 250;
		s->time.wall_clock_ms += 250;
		compiler_tick(&s->node, &s->time);
	}
	fail_msg("index %u is not free", index);
}

/* A document with "c", which no document had before, instead of "a". */
static void add_c(struct stage *s, struct world *w)
{
	make_world(w);
	w->backends[0].name = "c";
	w->backends[0].id = w->now[0].id = w->next[0].id = 6;
	addr_of("10.1.0.6", &w->backends[0].address);
	w->backends[1].address = s->first.backends[1].address;
	w->sets[0] = w->sets[1]; /* without those that were before */
	w->sets[1] = w->sets[2];
	w->pools[0].n_member_sets = 2;
	apply_world(s, w);
}

static const struct {
	const char *why, *b; /* where "b" is */
	uint16_t told_a, told_b;
	uint32_t low_with, low_without; /* paths, with "a" and without */
} freed_cases[] = {
	{ "nothing was told", "10.1.0.9", 0, 0, 0, 0 },
	{ "its way was lowered", "10.1.0.9", 1400, 0, 1, 0 },
	{ "another's way was lowered", "10.1.0.9", 0, 1400, 1, 1 },
	{ "both ways were", "10.1.0.9", 1400, 1350, 2, 1 },
	{ "both have one way", "10.1.0.5", 1400, 0, 2, 1 },
};

static void a_new_backend_at_a_freed_index_inherits_no_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(freed_cases) / sizeof(freed_cases[0]); i++) {
		static struct world third;
		const struct fwd_backend *freed;
		uint16_t inner_b;
		struct stage s;

		print_message("  %s\n", freed_cases[i].why);
		start_stage(&s, "10.1.0.5", freed_cases[i].b);
		freed = entry_of(&s, "a");
		if (freed_cases[i].told_a)
			report_mtu(&s, "a", freed_cases[i].told_a, 100);
		if (freed_cases[i].told_b)
			report_mtu(&s, "b", freed_cases[i].told_b, 100);
		assert_int_equal(s.node.n_low, freed_cases[i].low_with);
		inner_b = entry_of(&s, "b")->inner_mtu;
		drop_a(&s);
		assert_int_equal(s.node.n_low, freed_cases[i].low_without);
		add_c(&s, &third);
		assert_ptr_equal(entry_of(&s, "c"), freed);
		assert_int_equal(entry_of(&s, "c")->inner_mtu, 1500 - OVERHEAD4);
		assert_int_equal(entry_of(&s, "b")->inner_mtu, inner_b);
		compiler_update_mtus(&s.node, s.time.now_ms);
		assert_int_equal(s.node.n_low, freed_cases[i].low_without);
		report_mtu(&s, "c", 1450, 0); /* this counts as the first word about its way */
		assert_int_equal(entry_of(&s, "c")->inner_mtu, 1450 - OVERHEAD4);
		assert_int_equal(s.node.n_low, freed_cases[i].low_without + 1);
		compiler_update_mtus(&s.node, s.time.now_ms + LIFE_MS);
		assert_int_equal(s.node.n_low, 0);
		assert_int_equal(s.node.counters.paths_restored, freed_cases[i].low_without + 1);
		stage_fini(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_told_lowers_what_the_tunnel_carries),
		cmocka_unit_test(all_backends_of_an_address_follow),
		cmocka_unit_test(forgers_take_little_and_slowly),
		cmocka_unit_test(what_is_configured_is_tried_again_after_a_while),
		cmocka_unit_test(links_and_documents_change_meanwhile),
		cmocka_unit_test(a_backend_without_a_known_way_is_left_alone),
		cmocka_unit_test(layer_2_has_no_routers_on_its_way),
		cmocka_unit_test(another_process_learns_again_and_takes_what_was_noted),
		cmocka_unit_test(a_new_backend_at_a_freed_index_inherits_no_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
