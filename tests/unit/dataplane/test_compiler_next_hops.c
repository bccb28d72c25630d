/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network paths to backends (dataplane/tables/compiler_next_hops.c): evidence against a path takes its
 * backend out after some time; other trouble does not. The facts about next hops are
 * the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/tables/compiler_internal.h"
#include "tests/unit/dataplane/hops_scene.h"
#include "tests/unit/dataplane/stage.h"
#include "tests/unit/suite.h"

static const char address_a[] = "10.1.0.5", address_b[] = "10.1.0.9";
static struct dest *dest_a;

/* --- a node with backends "a" and "b" of one pool --- */

static void start_stage(struct stage *s, const struct model_check *check)
{
	stage_init(s);
	hops_begin();
	dest_a = hops_know(address_a, 1500);
	hops_know(address_b, 1500);
	s->node.hops = scene.hops;
	addr_of(address_a, &s->first.backends[0].address);
	addr_of(address_b, &s->first.backends[1].address);
	for (int i = 0; i < 2; i++) {
		s->first.pools[i].check = check;
		s->first.pools[i].max_remove_percent = 100;
	}
	apply_world(s, &s->first);
}

static const struct compiler_backend *backend_a(const struct stage *s)
{
	return compiler_find_backend(&s->node.pools[0], 5);
}

/* The next hop of "a" is so from now on. */
static void hop_is(struct stage *s, enum hop_state state, enum hop_bad bad, bool on_link)
{
	compiler_on_hop(&s->node, &dest_a->addr,
	                hops_become(dest_a, state, bad, on_link, s->time.now_ms));
	compiler_tick(&s->node, &s->time);
}

static void end_stage(struct stage *s)
{
	stage_fini(s);
	hops_end();
}

/* Its check says so from now on. */
static void check_says(struct stage *s, enum health_state state, unsigned marks,
                       enum health_reason reason)
{
	int place = health_find_index(s->health, health_target_backend("web-ams", 5));

	health_write(s->health, place, health_make(state, marks, reason, 0));
	place = health_find_index(s->health, health_target_backend("web-ams", 9));
	health_write(s->health, place, health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 0));
	compiler_read_verdicts(&s->node, &s->time);
}

/* As the process does: compiler_tick() when it wants to be called. */
static void pass_time(struct stage *s, uint64_t ms)
{
	uint64_t end_ms = s->time.now_ms + ms;

	while (s->time.now_ms < end_ms) {
		uint64_t due_ms = compiler_tick(&s->node, &s->time), step_ms;

		due_ms = due_ms < end_ms ? due_ms : end_ms;
		step_ms = due_ms - s->time.now_ms;
		s->time.now_ms += step_ms;
		s->time.ticks_ms += step_ms;
		s->time.wall_clock_ms += (int64_t)step_ms;
	}
	compiler_tick(&s->node, &s->time);
}

static uint32_t slots_of_a(const struct stage *s)
{
	const struct compiler_pool *p = &s->node.pools[0];
	uint32_t n = 0;

	for (uint32_t i = p->first_slot; i < p->first_slot + p->n_slots; i++) {
		uint16_t hot =
		        s->node.t.slots[i / FWD_SLOTS_PER_BLOCK].slot[i % FWD_SLOTS_PER_BLOCK];

		n += (hot & FWD_SLOT_BACKEND) == backend_a(s)->index;
	}
	return n;
}

static const struct {
	const char *why;
	enum hop_state state;
	enum hop_bad bad;
	bool on_link;
	enum model_mode mode;
	enum effect_reason out; /* EFFECT_REASON_UNKNOWN: it stays in force */
} cases[] = {
	{ "a route that refuses", HOP_NO_ROUTE, HOP_BAD_ROUTE, false, MODEL_MODE_IPIP,
	  EFFECT_REASON_ROUTE },
	{ "a neighbour that answers no question", HOP_KNOWN, HOP_BAD_NEIGHBOUR, true,
	  MODEL_MODE_IPIP, EFFECT_REASON_NEIGHBOUR },
	{ "one that never answered", HOP_NO_NEIGHBOUR, HOP_BAD_NEIGHBOUR, true, MODEL_MODE_GUE,
	  EFFECT_REASON_NEIGHBOUR },
	{ "l2 behind a gateway", HOP_KNOWN, HOP_BAD_NOT, false, MODEL_MODE_L2,
	  EFFECT_REASON_GATEWAY },
	{ "l2 behind a gateway that is not resolved", HOP_NO_NEIGHBOUR, HOP_BAD_NOT, false,
	  MODEL_MODE_L2, EFFECT_REASON_GATEWAY },
	{ "a tunnel by way of a gateway", HOP_KNOWN, HOP_BAD_NOT, false, MODEL_MODE_IPIP,
	  EFFECT_REASON_UNKNOWN },
	{ "no route", HOP_NO_ROUTE, HOP_BAD_NOT, false, MODEL_MODE_IPIP, EFFECT_REASON_UNKNOWN },
	{ "l2 without a route", HOP_NO_ROUTE, HOP_BAD_NOT, false, MODEL_MODE_L2,
	  EFFECT_REASON_UNKNOWN },
	{ "a port without carrier", HOP_NO_PORT, HOP_BAD_NOT, true, MODEL_MODE_IPIP,
	  EFFECT_REASON_UNKNOWN },
	{ "l2 by a port without carrier", HOP_NO_PORT, HOP_BAD_NOT, false, MODEL_MODE_L2,
	  EFFECT_REASON_UNKNOWN },
	{ "not resolved yet", HOP_NO_NEIGHBOUR, HOP_BAD_NOT, true, MODEL_MODE_IPIP,
	  EFFECT_REASON_UNKNOWN },
};

static void only_what_is_evidence_takes_a_backend_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool out = cases[i].out != EFFECT_REASON_UNKNOWN;
		struct stage s;

		start_stage(&s, NULL);
		s.first.pools[0].mode = cases[i].mode;
		s.second.pools[0].mode = cases[i].mode;
		memcpy(&s.second.backends, &s.first.backends, sizeof(s.first.backends));
		s.second.backends[0].pool = s.second.backends[1].pool = &s.second.pools[0];
		apply_world(&s, &s.second);
		hop_is(&s, cases[i].state, cases[i].bad, cases[i].on_link);
		pass_time(&s, 999);
		if (!backend_a(&s)->alive)
			fail_msg("%s: out at once", cases[i].why);
		pass_time(&s, 300);
		if (backend_a(&s)->alive == out || !slots_of_a(&s) != out)
			fail_msg("%s: in force %d, slots %u", cases[i].why, backend_a(&s)->alive,
			         slots_of_a(&s));
		if (out)
			assert_int_equal(backend_a(&s)->reason, cases[i].out);
		hop_is(&s, HOP_KNOWN, HOP_BAD_NOT, true);
		assert_true(backend_a(&s)->alive);
		end_stage(&s);
	}
}

static const struct model_check tunnel = { .name = "web", .via = MODEL_VIA_TUNNEL };
static const struct model_check direct = { .name = "web", .via = MODEL_VIA_DIRECT };

static void a_good_verdict_through_the_tunnel_outranks_the_next_hop(void **state)
{
	(void)state;
	struct stage s;

	start_stage(&s, &tunnel);
	check_says(&s, HEALTH_UP, 0, HEALTH_REASON_OK);
	hop_is(&s, HOP_KNOWN, HOP_BAD_NEIGHBOUR, true);
	pass_time(&s, 5000);
	assert_true(backend_a(&s)->alive);
	assert_int_equal(backend_a(&s)->reason, EFFECT_REASON_UP);
	check_says(&s, HEALTH_UP, HEALTH_MARK_DOUBT, HEALTH_REASON_TIMEOUT);
	assert_false(backend_a(&s)->alive);
	assert_int_equal(backend_a(&s)->reason, EFFECT_REASON_NEIGHBOUR);
	check_says(&s, HEALTH_UP, 0, HEALTH_REASON_OK);
	assert_true(backend_a(&s)->alive);
	check_says(&s, HEALTH_UP, HEALTH_MARK_INCONCLUSIVE, HEALTH_REASON_TIMEOUT);
	assert_false(backend_a(&s)->alive);
	assert_int_equal(backend_a(&s)->reason, EFFECT_REASON_NEIGHBOUR);
	check_says(&s, HEALTH_UP, HEALTH_MARK_RESTORED, HEALTH_REASON_OK);
	assert_false(backend_a(&s)->alive);
	check_says(&s, HEALTH_UP, 0, HEALTH_REASON_OK);
	assert_true(backend_a(&s)->alive);
	end_stage(&s);
}

/* What a program says proves no way either, however its check were written. */
static void a_direct_check_outranks_nothing(void **state)
{
	static const struct model_check told = { .name = "told",
		                                 .type = MODEL_CHECK_EXTERNAL,
		                                 .via = MODEL_VIA_TUNNEL };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct stage s;

		start_stage(&s, i ? &told : &direct);
		check_says(&s, HEALTH_UP, 0, HEALTH_REASON_OK);
		hop_is(&s, HOP_KNOWN, HOP_BAD_NEIGHBOUR, true);
		pass_time(&s, 1300);
		assert_false(backend_a(&s)->alive);
		assert_int_equal(backend_a(&s)->reason, EFFECT_REASON_NEIGHBOUR);
		end_stage(&s);
	}
}

static void guards_hold_what_next_hops_would_take(void **state)
{
	(void)state;
	struct stage s;

	start_stage(&s, NULL);
	s.first.pools[0].min_healthy_percent = 100;
	hop_is(&s, HOP_NO_ROUTE, HOP_BAD_ROUTE, false);
	pass_time(&s, 1300);
	assert_true(backend_a(&s)->alive);
	assert_int_equal(backend_a(&s)->reason, EFFECT_REASON_HELD_MIN);
	end_stage(&s);
}

static void what_is_out_by_its_way_is_unknown_again_after_it(void **state)
{
	(void)state;
	struct stage s;

	start_stage(&s, &tunnel);
	check_says(&s, HEALTH_UP, 0, HEALTH_REASON_OK);
	hop_is(&s, HOP_NO_ROUTE, HOP_BAD_ROUTE, false);
	check_says(&s, HEALTH_UNKNOWN, 0, HEALTH_REASON_NONE);
	pass_time(&s, 1300);
	assert_int_equal(backend_a(&s)->reason, EFFECT_REASON_ROUTE);
	hop_is(&s, HOP_KNOWN, HOP_BAD_NOT, true);
	assert_int_equal(backend_a(&s)->reason, EFFECT_REASON_WAITING); /* "b" serves */
	check_says(&s, HEALTH_UP, 0, HEALTH_REASON_OK);
	assert_true(backend_a(&s)->alive);
	end_stage(&s);
}

static const struct {
	const char *why;
	const struct model_check *check;
	enum health_state before, meanwhile; /* in the word that was its own */
	bool alive;
	enum effect_reason reason;
} changes[] = {
	{ "no check", NULL, HEALTH_UNKNOWN, HEALTH_UNKNOWN, false, EFFECT_REASON_NEIGHBOUR },
	{ "a direct check", &direct, HEALTH_UP, HEALTH_UP, false, EFFECT_REASON_NEIGHBOUR },
	{ "the good verdict of another", &tunnel, HEALTH_UNKNOWN, HEALTH_UP, false,
	  EFFECT_REASON_NEIGHBOUR },
	{ "the bad one of another", &tunnel, HEALTH_UP, HEALTH_DOWN, true, EFFECT_REASON_NEW },
};

/* Words may be others' while the page's layout changes, and next hops are not on the page. */
static void a_page_that_changes_brings_nobody_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const struct fwd_backend *e;
		struct stage s;
		int word;

		start_stage(&s, changes[i].check);
		check_says(&s, HEALTH_UP, 0, HEALTH_REASON_OK);
		check_says(&s, changes[i].before, 0, HEALTH_REASON_OK);
		hop_is(&s, HOP_KNOWN, HOP_BAD_NEIGHBOUR, true);
		pass_time(&s, 1300);
		assert_int_equal(backend_a(&s)->alive, changes[i].alive);
		word = health_find_index(s.health, health_target_backend("web-ams", 5));
		s.health->generation++;
		health_write(s.health, word,
		             health_make(changes[i].meanwhile, 0, HEALTH_REASON_OK, 0));
		compiler_read_verdicts(&s.node, &s.time);
		e = &s.node.t.backends[backend_a(&s)->index];
		if (backend_a(&s)->alive != changes[i].alive ||
		    backend_a(&s)->reason != changes[i].reason ||
		    !(e->flags & FWD_BACKEND_DEAD) != changes[i].alive)
			fail_msg("%s: \"%s\", alive %d, flags %x", changes[i].why,
			         effect_reason_text((enum effect_reason)backend_a(&s)->reason),
			         backend_a(&s)->alive, e->flags);
		end_stage(&s);
	}
}

/* How many next hops are to be asked: then they are. */
static size_t settle_doubts(void)
{
	size_t n = scene.hops->n_doubts;

	hops_on_doubt(scene.hops);
	return n;
}

static void next_hops_hear_of_silence_and_of_deaths(void **state)
{
	(void)state;
	struct stage s;

	start_stage(&s, &tunnel);
	check_says(&s, HEALTH_UP, 0, HEALTH_REASON_OK);
	assert_int_equal(dest_a->heard, HOP_HEARD_ANSWERS);
	check_says(&s, HEALTH_UP, HEALTH_MARK_DOUBT, HEALTH_REASON_TIMEOUT);
	assert_int_equal(dest_a->heard, HOP_HEARD_SILENCE);
	assert_int_equal(settle_doubts(), 1); /* by its silence */
	check_says(&s, HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT);
	assert_int_equal(settle_doubts(), 1); /* by its death */
	check_says(&s, HEALTH_DOWN, 0, HEALTH_REASON_UNREACHABLE);
	assert_int_equal(settle_doubts(), 0);
	check_says(&s, HEALTH_UP, 0, HEALTH_REASON_OK);
	assert_int_equal(settle_doubts(), 0);
	check_says(&s, HEALTH_DOWN, 0, HEALTH_REASON_REFUSED);
	assert_int_equal(settle_doubts(), 1);
	assert_int_equal(dest_a->heard, HOP_HEARD_ANSWERS);
	end_stage(&s);
}

static const struct {
	const char *why;
	enum model_mode mode;
	bool agent;
	uint16_t node_mtu;
	uint8_t encap;
	uint16_t inner_mtu, list_room;
} element_modes[] = {
	{ "IPIP", MODEL_MODE_IPIP, false, 0, FWD_ENCAP_IPIP, 1480, 0 },
	{ "GUE", MODEL_MODE_GUE, false, 0, FWD_ENCAP_GUE, 1468, 0 },
	{ "layer 2", MODEL_MODE_L2, false, 0, FWD_ENCAP_L2, 1500, 0 },
	{ "GUE to agents", MODEL_MODE_GUE, true, 0, FWD_ENCAP_GUE, 1452, 16 },
	{ "the node's MTU is less", MODEL_MODE_IPIP, false, 1400, FWD_ENCAP_IPIP, 1380, 0 },
	{ "the node's MTU is more", MODEL_MODE_IPIP, false, 9000, FWD_ENCAP_IPIP, 1480, 0 },
};

static void expect_hop_fields(const struct fwd_backend *e, const struct addr *address)
{
	assert_memory_equal(e->address.bytes, address->bytes, 16);
	assert_int_equal(e->ifindex, 32);
	assert_int_equal(e->vlan, 33);
	assert_int_equal(e->outer_vlan, 34);
	assert_int_equal(e->outer_type_be, 35);
	assert_memory_equal(e->mac_to, dest_a->hop.mac_to, 6);
	assert_int_equal(e->mac_to[1], 1);
	assert_memory_equal(e->mac_from, dest_a->hop.mac_from, 6);
	assert_int_equal(e->mac_from[1], 9);
}

#define OUTER 40 /* the place of a link */

/* Changes of the next hop reach the element; when it is lost, the element keeps the last values. */
static void expect_hop_changes(struct stage *s, const struct fwd_backend *e)
{
	hops_link(dest_a)->is.vlan = 43;
	scene.hops->links[OUTER].is.vlan_type_be = 45;
	scene.hops->vias[dest_a->via].mac[5] = 7;
	hop_is(s, HOP_KNOWN, HOP_BAD_NOT, true);
	assert_int_equal(e->vlan, 43);
	assert_int_equal(e->outer_type_be, 45);
	assert_int_equal(e->mac_to[5], 7);
	hops_link(dest_a)->is.vlan = 53;
	hop_is(s, HOP_NO_NEIGHBOUR, HOP_BAD_NOT, true);
	assert_int_equal(e->vlan, 43);
	assert_int_equal(e->flags, FWD_BACKEND_USED | FWD_BACKEND_NO_NEXT_HOP);
}

/* "a" is reached by VLAN 33 on VLAN 34 on port 32. */
static void use_vlans(void)
{
	struct hop_link *inner = hops_link(dest_a);

	inner->is.vlan = 33;
	inner->is.lower = 30;
	memcpy(inner->is.mac, (const uint8_t[6]){ 2, 9, 9, 9, 9, 9 }, 6);
	memcpy(scene.hops->vias[dest_a->via].mac, (const uint8_t[6]){ 2, 1, 1, 1, 1, 1 }, 6);
	scene.hops->links[OUTER] = (struct hop_link){
		.is = { .ifindex = 30, .lower = 32, .vlan = 34, .vlan_type_be = 35 }
	};
	scene.hops->n_links = OUTER + 1;
	hops_report(dest_a, 0);
}

/*
 * All that packets need of a next hop is in the backend's element: by mode, and as it was before
 * while nothing is known.
 */
static void a_backends_element_has_its_next_hop_in_each_field(void **state)
{
	struct addr a;

	(void)state;
	addr_of(address_a, &a);
	for (size_t i = 0; i < sizeof(element_modes) / sizeof(element_modes[0]); i++) {
		struct stage s;
		const struct fwd_backend *e;

		start_stage(&s, NULL);
		s.second.pools[0].mode = element_modes[i].mode;
		s.second.pools[0].agent = element_modes[i].agent;
		s.second.node.mtu = element_modes[i].node_mtu;
		s.second.backends[0].address = a;
		use_vlans();
		apply_world(&s, &s.second);
		e = &s.node.t.backends[backend_a(&s)->index];
		print_message("  %s\n", element_modes[i].why);
		expect_hop_fields(e, &a);
		assert_int_equal(e->encap, element_modes[i].encap);
		assert_int_equal(e->inner_mtu, element_modes[i].inner_mtu);
		assert_int_equal(e->list_room, element_modes[i].list_room);
		assert_int_equal(e->gue_port_be, fwd_be16(6080));
		assert_int_equal(e->id, 5);
		assert_int_equal(e->pool_id, s.node.pools[0].plan->id);
		assert_int_equal(e->flags, FWD_BACKEND_USED);
		expect_hop_changes(&s, e);
		end_stage(&s);
	}
}

/* An index that another address has from now on follows that one, and not the former. */
static void an_index_follows_the_address_that_it_has(void **state)
{
	struct stage s;
	struct addr a, other;
	uint32_t index;

	(void)state;
	start_stage(&s, NULL);
	addr_of(address_a, &a);
	addr_of("10.1.0.77", &other);
	index = backend_a(&s)->index;
	assert_int_equal(count_watches(address_a), 1);
	assert_int_equal(compiler_first_at(&s.node, &a), index);
	compiler_watch(&s.node, index, &a); /* it does already */
	assert_int_equal(count_watches(address_a), 1);
	compiler_unwatch(&s.node, index);
	compiler_unwatch(&s.node, index);
	assert_int_equal(count_watches(address_a), 0);
	assert_int_equal(compiler_first_at(&s.node, &a), 0);
	compiler_watch(&s.node, index, &other);
	assert_true(s.node.paths[index].is_watched);
	assert_int_equal(compiler_first_at(&s.node, &other), index);
	compiler_unwatch(&s.node, index);
	compiler_watch(&s.node, index, &a);
	assert_int_equal(count_watches(address_a), 1);
	end_stage(&s);
}

/*
 * Flows that an earlier process left on a backend which the document has no more follow its next
 * hop all the same.
 */
static void a_backend_that_left_while_nobody_looked_is_followed(void **state)
{
	struct stage s;
	struct hops *hops;

	(void)state;
	start_stage(&s, NULL);
	hops = s.node.hops;
	compiler_fini(&s.node);
	assert_int_equal(count_watches(address_a), 0);
	s.second.pools[0].backends = &s.second.backends[1];
	s.second.pools[0].n_backends = 1;
	s.second.sets[0] = (struct model_set){ 0, INT64_MAX, &s.second.now[1], 1 };
	s.second.pools[0].n_member_sets = 1;
	addr_of(address_b, &s.second.backends[1].address);
	start_node(&s, true);
	s.node.hops = hops;
	apply_world(&s, &s.second);
	assert_null(backend_a(&s));
	assert_int_equal(count_watches(address_a), 1);
	end_stage(&s);
}

static const struct {
	enum hop_state state;
	enum hop_bad bad;
	bool on_link, l2;
	uint8_t hop, cut;
} shown_ways[] = {
	{ HOP_KNOWN, HOP_BAD_NOT, true, false, EFFECT_HOP_KNOWN, 0 },
	{ HOP_KNOWN, HOP_BAD_NOT, false, false, EFFECT_HOP_KNOWN, 0 },
	{ HOP_NO_ROUTE, HOP_BAD_NOT, true, false, EFFECT_HOP_NO_ROUTE, 0 },
	{ HOP_NO_PORT, HOP_BAD_NOT, true, false, EFFECT_HOP_NO_PORT, 0 },
	{ HOP_NO_NEIGHBOUR, HOP_BAD_NOT, true, false, EFFECT_HOP_UNRESOLVED, 0 },
	{ HOP_NO_ROUTE, HOP_BAD_ROUTE, true, false, EFFECT_HOP_REFUSED, EFFECT_REASON_ROUTE },
	{ HOP_KNOWN, HOP_BAD_NEIGHBOUR, true, false, EFFECT_HOP_SILENT, EFFECT_REASON_NEIGHBOUR },
	{ HOP_KNOWN, HOP_BAD_NOT, true, true, EFFECT_HOP_KNOWN, 0 },
	{ HOP_KNOWN, HOP_BAD_NOT, false, true, EFFECT_HOP_GATEWAY, EFFECT_REASON_GATEWAY },
	{ HOP_NO_NEIGHBOUR, HOP_BAD_NOT, false, true, EFFECT_HOP_GATEWAY, EFFECT_REASON_GATEWAY },
	{ HOP_NO_ROUTE, HOP_BAD_NOT, false, true, EFFECT_HOP_NO_ROUTE, 0 },
	{ HOP_NO_PORT, HOP_BAD_NOT, false, true, EFFECT_HOP_NO_PORT, 0 },
	{ HOP_KNOWN, HOP_BAD_NEIGHBOUR, false, true, EFFECT_HOP_SILENT, EFFECT_REASON_NEIGHBOUR },
};

static void what_is_shown_of_a_way_is_its_state_or_what_speaks_against_it(void **state)
{
	struct stage s;
	struct addr a;

	(void)state;
	start_stage(&s, NULL);
	addr_of(address_a, &a);
	for (size_t i = 0; i < sizeof(shown_ways) / sizeof(shown_ways[0]); i++) {
		const struct compiler_next_hop *next = &s.node.paths[3].next_hop;

		hops_become(dest_a, shown_ways[i].state, shown_ways[i].bad, shown_ways[i].on_link,
		            100 + i);
		dest_a->hop.since_ms = 100 + i;
		s.node.paths[3].next_hop = (struct compiler_next_hop){ 0 };
		s.node.next_hops_changed = false;
		compiler_update_next_hop(&s.node, 3, &a, shown_ways[i].l2);
		if (next->hop != shown_ways[i].hop || next->cut != shown_ways[i].cut ||
		    next->since_ms != 100 + i)
			fail_msg("case %zu: %s, %s", i, effect_hop_text((enum effect_hop)next->hop),
			         effect_reason_text((enum effect_reason)next->cut));
		assert_int_equal(s.node.next_hops_changed, shown_ways[i].cut != 0);
		s.node.next_hops_changed = false;
		compiler_update_next_hop(&s.node, 3, &a,
		                         shown_ways[i].l2); /* the same again is no news */
		assert_false(s.node.next_hops_changed);
	}
	end_stage(&s);
}

SUITE(compiler_next_hops)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_evidence_takes_a_backend_out),
		cmocka_unit_test(a_good_verdict_through_the_tunnel_outranks_the_next_hop),
		cmocka_unit_test(a_direct_check_outranks_nothing),
		cmocka_unit_test(guards_hold_what_next_hops_would_take),
		cmocka_unit_test(what_is_out_by_its_way_is_unknown_again_after_it),
		cmocka_unit_test(a_page_that_changes_brings_nobody_back),
		cmocka_unit_test(next_hops_hear_of_silence_and_of_deaths),
		cmocka_unit_test(a_backends_element_has_its_next_hop_in_each_field),
		cmocka_unit_test(an_index_follows_the_address_that_it_has),
		cmocka_unit_test(a_backend_that_left_while_nobody_looked_is_followed),
		cmocka_unit_test(what_is_shown_of_a_way_is_its_state_or_what_speaks_against_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
