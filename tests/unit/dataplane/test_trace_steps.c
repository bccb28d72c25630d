/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a trace tells, step by step and word by word (dataplane/export/trace.c), on a node with two pools
 * on tables in memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "tests/unit/suite.h"
#include "weir/trace.h"

#include "tests/unit/dataplane/stage.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define WEB      "203.0.113.10:80/tcp"
#define WEB6     "[2001:db8:1::10]:80/tcp"
#define DNS      "203.0.113.10:53/udp"

static struct stage s;
static struct trace_result r;
static struct fwd_backend *backend; /* the slot's, as it was asked last */

static void reach_backend(struct fwd_backend *b, const char *address)
{
	struct addr a;

	addr_of(address, &a);
	memcpy(b->address.bytes, a.bytes, sizeof(a.bytes));
	b->flags = FWD_BACKEND_USED;
	b->encap = FWD_ENCAP_IPIP;
	b->inner_mtu = 1480;
	b->ifindex = 3;
	memcpy(b->mac_to, "\x02\x11\x22\x33\x44\x55", 6);
	memcpy(b->mac_from, "\x02\xaa\xbb\xcc\xdd\xee", 6);
}

static int setup(void **state)
{
	(void)state;
	stage_init(&s);
	use_both_pools(&s.first);
	assert_int_equal(prefix_parse("10.1.255.0/24", &s.first.node.tunnel_source4), 0);
	assert_int_equal(prefix_parse("2001:db8:ff::/64", &s.first.node.tunnel_source6), 0);
	apply_world(&s, &s.first);
	for (uint32_t i = 1; i < s.node.sizes.backends; i++)
		if (s.node.t.backends[i].flags & FWD_BACKEND_USED)
			reach_backend(&s.node.t.backends[i], "10.1.1.11");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stage_fini(&s);
	return 0;
}

static void trace_flow(const char *source, const char *vip)
{
	struct trace_query q;

	assert_int_equal(trace_parse(source, vip, &q), 0);
	assert_int_equal(trace_run(&s.node.t, &q, 1000, &r), 0);
}

/* The text of step @p name; NULL: there is none. Twice fails. */
static const char *text_of(const char *name)
{
	const char *text = NULL;

	for (size_t i = 0; i < r.n_steps; i++) {
		if (strcmp(r.steps[i].step, name) != 0)
			continue;
		assert_null(text);
		text = r.steps[i].text;
	}
	return text;
}

static void expect_step(const char *name, const char *text)
{
	const char *is = text_of(name);

	if (!is || strcmp(is, text) != 0)
		fail_msg("%s: \"%s\", not \"%s\"", name, is ? is : "", text);
}

/* The steps' names in order, with spaces. */
static void expect_steps(const char *names)
{
	char all[256] = "";

	for (size_t i = 0; i < r.n_steps; i++) {
		strcat(all, i ? " " : "");
		strcat(all, r.steps[i].step);
	}
	assert_string_equal(all, names);
}

static uint16_t *hot_of(const struct compiler_pool *pool)
{
	uint32_t slot = pool->first_slot + r.slot;

	return &s.node.t.slots[slot / FWD_SLOTS_PER_BLOCK].slot[slot % FWD_SLOTS_PER_BLOCK];
}

/* Ask once, give the slot to the backend that has it alone, and ask again. */
static void ask_settled(const char *source, const char *vip, const struct compiler_pool *pool)
{
	trace_flow(source, vip);
	*hot_of(pool) &= FWD_SLOT_BACKEND;
	backend = &s.node.t.backends[*hot_of(pool)];
	trace_flow(source, vip);
}

static void a_forwarded_packet_is_told_from_parse_to_verdict(void **state)
{
	const struct compiler_pool *pool = &s.node.pools[0];
	char text[TRACE_TEXT_MAX], source[ADDR_TEXT_MAX];

	(void)state;
	ask_settled("192.0.2.1:1234", WEB, pool);
	expect_steps("parse service pool slot backend rewrite verdict");
	expect_step("parse", "TCP of 40 bytes from 192.0.2.1 port 1234 to 203.0.113.10 port 80");
	snprintf(text, sizeof(text), "pool %u, 4096 slots from %u on, hash by source address",
	         pool->index, pool->first_slot);
	expect_step("pool", text);
	snprintf(text, sizeof(text), "hash %016llx: slot %u, current owner backend %u",
	         (unsigned long long)r.hash, r.slot, *hot_of(pool));
	expect_step("slot", text);
	snprintf(text, sizeof(text), "backend %u at 10.1.1.11 by IPIP, packets up to 1480 bytes",
	         *hot_of(pool));
	expect_step("backend", text);
	snprintf(text, sizeof(text),
	         "outer %s to 10.1.1.11, 74 bytes by interface 3 to 02:11:22:33:44:55",
	         addr_text(&r.outer_source, source));
	expect_step("rewrite", text);
	assert_memory_equal(source, "10.1.255.", 9);
	expect_step("verdict", "forward: encapsulated to the flow's backend");
	assert_true(r.settled && !r.remembered);
	assert_int_equal(r.pool, pool->index);
	assert_int_equal(r.ifindex, 3);
	assert_int_equal(r.backend_id, backend->id);
}

static void each_service_is_told_with_its_own_pool(void **state)
{
	const struct compiler_pool *pool = &s.node.pools[1];
	char text[TRACE_TEXT_MAX];

	(void)state;
	ask_settled("192.0.2.1:1234", DNS, pool);
	assert_int_not_equal(pool->first_slot, 0);
	expect_step("parse", "UDP of 28 bytes from 192.0.2.1 port 1234 to 203.0.113.10 port 53");
	snprintf(text, sizeof(text), "port 53/udp of 203.0.113.10 is a service (counter %u)",
	         indexes_find(s.node.count_indexes, hash_text("dns")));
	expect_step("service", text);
	snprintf(text, sizeof(text), "pool %u, 4096 slots from %u on, hash by flow", pool->index,
	         pool->first_slot);
	expect_step("pool", text);
	assert_in_range(r.slot, 0, 4095);
	trace_flow("[2001:db8::7]:1", WEB6 ":syn");
	expect_step("parse",
	            "TCP SYN of 60 bytes from 2001:db8::7 port 1 to 2001:db8:1::10 port 80");
	snprintf(text, sizeof(text), "port 80/tcp of 2001:db8:1::10 is a service (counter %u)",
	         indexes_find(s.node.count_indexes, hash_text("web")));
	expect_step("service", text);
}

/* Two flows of one source share their slot by source, and not by flow. */
static void the_hash_is_of_what_the_service_says(void **state)
{
	uint32_t slots[2][16];

	(void)state;
	for (uint32_t i = 0; i < 16; i++) {
		char source[32];

		snprintf(source, sizeof(source), "192.0.2.1:%u", i + 1);
		trace_flow(source, WEB);
		slots[0][i] = r.slot;
		trace_flow(source, DNS);
		slots[1][i] = r.slot;
	}
	for (uint32_t i = 1; i < 16; i++)
		assert_int_equal(slots[0][i], slots[0][0]);
	assert_true(memcmp(&slots[1][1], &slots[1][0], 15 * sizeof(slots[1][0])) != 0);
}

static const struct {
	const char *address;
	enum fwd_encap_mode encap;
	uint16_t vlan;
	const char *mode, *rewrite; /* after the source */
} way_out_cases[] = {
	{ "10.1.1.11", FWD_ENCAP_IPIP, 0, "IPIP",
	  " to 10.1.1.11, 74 bytes by interface 3 to 02:11:22:33:44:55" },
	{ "10.1.1.11", FWD_ENCAP_IPIP, 7, "IPIP",
	  " to 10.1.1.11, 78 bytes by interface 3 tagged to 02:11:22:33:44:55" },
	{ "10.1.1.11", FWD_ENCAP_GUE, 0, "GUE",
	  " to 10.1.1.11, 86 bytes by interface 3 to 02:11:22:33:44:55" },
	{ "2001:db8:2::11", FWD_ENCAP_IPIP, 0, "IPIP",
	  " to 2001:db8:2::11, 94 bytes by interface 3 to 02:11:22:33:44:55" },
	{ "2001:db8:2::11", FWD_ENCAP_GUE, 0, "GUE",
	  " to 2001:db8:2::11, 106 bytes by interface 3 to 02:11:22:33:44:55" },
	{ "10.1.1.11", FWD_ENCAP_L2, 0, "layer 2",
	  "unchanged, 54 bytes by interface 3 to 02:11:22:33:44:55" },
	{ "10.1.1.11", FWD_ENCAP_L2, 7, "layer 2",
	  "unchanged, 58 bytes by interface 3 tagged to 02:11:22:33:44:55" },
};

static void the_way_out_is_told_by_mode_and_family(void **state)
{
	(void)state;
	ask_settled("192.0.2.1:1", WEB, &s.node.pools[0]);
	for (size_t i = 0; i < COUNT(way_out_cases); i++) {
		char text[TRACE_TEXT_MAX], source[ADDR_TEXT_MAX];

		reach_backend(backend, way_out_cases[i].address);
		backend->encap = (uint8_t)way_out_cases[i].encap;
		backend->vlan = way_out_cases[i].vlan;
		backend->gue_port_be = 0xc017;
		trace_flow("192.0.2.1:1", WEB);
		snprintf(text, sizeof(text), "backend %u at %s by %s, packets up to 1480 bytes",
		         (unsigned)(backend - s.node.t.backends), way_out_cases[i].address,
		         way_out_cases[i].mode);
		expect_step("backend", text);
		if (way_out_cases[i].encap == FWD_ENCAP_L2) {
			expect_step("rewrite", way_out_cases[i].rewrite);
			continue;
		}
		snprintf(text, sizeof(text), "outer %s%s", addr_text(&r.outer_source, source),
		         way_out_cases[i].rewrite);
		expect_step("rewrite", text);
		assert_memory_equal(
		        source,
		        way_out_cases[i].address[0] == '1' ? "10.1.255." : "2001:db8:ff:", 9);
	}
}

static void what_stops_a_packet_is_told_where_it_stops(void **state)
{
	static const struct {
		const char *why, *vip;
		uint8_t flags;
		const char *backend, *steps, *verdict; /* the end of the backend's text */
	} cases[] = {
		{ "dead", WEB, FWD_BACKEND_USED | FWD_BACKEND_DEAD, ", out of force",
		  "parse service pool slot backend verdict", "drop: the flow's backend is dead" },
		{ "no way", WEB, FWD_BACKEND_USED | FWD_BACKEND_NO_NEXT_HOP, ", no next hop",
		  "parse service pool slot backend verdict",
		  "drop: the next hop to the backend is not known" },
		{ "no service", "203.0.113.10:81/tcp", FWD_BACKEND_USED, NULL,
		  "parse service verdict",
		  "drop: a VIP, but no service at this port and protocol" },
		{ "not ours", "203.0.113.11:80/tcp", FWD_BACKEND_USED, NULL,
		  "parse service verdict", "pass: the destination is not a VIP" },
	};

	(void)state;
	ask_settled("192.0.2.1:1", WEB, &s.node.pools[0]);
	for (size_t i = 0; i < COUNT(cases); i++) {
		backend->flags = cases[i].flags;
		trace_flow("192.0.2.1:1", cases[i].vip);
		expect_steps(cases[i].steps);
		expect_step("verdict", cases[i].verdict);
		if (cases[i].backend)
			assert_non_null(strstr(text_of("backend"), cases[i].backend));
		assert_int_equal(r.ifindex, 0);
	}
	expect_step("service", "203.0.113.11 is no VIP of this node");
	trace_flow("192.0.2.1:1", "203.0.113.10:81/tcp");
	expect_step("service", "203.0.113.10 is a VIP, but has no such service");
	assert_int_equal(r.slot, ~0u);
	trace_flow("203.0.113.10:1", WEB); /* a loop: no slot is looked for */
	expect_steps("parse service verdict");
	assert_int_equal(r.slot, ~0u);
	assert_int_equal(r.pool, s.node.pools[0].index);
}

static void a_slot_of_nobody_and_a_service_without_a_pool(void **state)
{
	struct fwd_service *service;

	(void)state;
	ask_settled("192.0.2.1:1", WEB, &s.node.pools[0]);
	*hot_of(&s.node.pools[0]) = 0;
	trace_flow("192.0.2.1:1", WEB);
	expect_steps("parse service pool slot verdict");
	assert_string_equal(r.reason, "no_backend");
	assert_int_equal(r.backend_id, 0);
	for (uint32_t i = 0; i < s.node.t.n_services; i++) {
		service = &s.node.t.services[i];
		if (service->protocol == 6)
			service->pool = FWD_POOL_NONE;
	}
	trace_flow("192.0.2.1:1", WEB);
	expect_step("pool", "the service has no pool here");
	expect_steps("parse service pool verdict");
	assert_int_equal(r.slot, ~0u);
	assert_int_equal(r.pool, ~0u);
}

/*
 * In a slot that looks further, a flow that is remembered goes to who has it; a new one is told
 * so.
 */
static void an_unsettled_slot_tells_why_who_has_the_flow(void **state)
{
	const struct compiler_pool *pool = &s.node.pools[1];
	struct fwd_tables *t = &s.node.t;
	uint32_t other = s.node.pools[1].backends[0].index, slot;
	char text[TRACE_TEXT_MAX];

	(void)state;
	ask_settled("192.0.2.1:9", DNS, pool);
	if (&t->backends[other] == backend)
		other = s.node.pools[1].backends[2].index;
	slot = pool->first_slot + r.slot;
	*hot_of(pool) |= FWD_SLOT_UNSETTLED;
	memset(&t->colds[slot], 0, sizeof(t->colds[slot]));
	t->colds[slot].claim[OWNER_CLASS_UDP] =
	        (struct owner_claim){ .base = (uint16_t)other, .settle_at = 2000 };
	trace_flow("192.0.2.1:9", DNS);
	assert_false(r.settled);
	assert_false(r.remembered);
	assert_non_null(strstr(text_of("slot"), ", unsettled"));
	expect_steps("parse service pool slot owner backend rewrite verdict");
	t->exceptions[owner_bucket(r.hash, t->n_exceptions)].word[0] =
	        owner_word((uint16_t)other, OWNER_UDP, owner_end(1000, 60), owner_tag(r.hash));
	trace_flow("192.0.2.1:9", DNS);
	assert_true(r.remembered);
	snprintf(text, sizeof(text), "followed: the flow is remembered; backend %u", other);
	expect_step("owner", text);
	assert_int_equal(r.backend_id, t->backends[other].id);
}

/* The clock is the packets': what has ended by it is not followed. */
static void what_has_ended_is_not_remembered(void **state)
{
	const struct compiler_pool *pool = &s.node.pools[1];
	struct fwd_tables *t = &s.node.t;
	uint32_t set;

	(void)state;
	ask_settled("192.0.2.1:9", DNS, pool);
	*hot_of(pool) |= FWD_SLOT_UNSETTLED;
	memset(&t->colds[pool->first_slot + r.slot], 0, sizeof(*t->colds));
	set = owner_bucket(r.hash, t->n_exceptions);
	t->exceptions[set].word[0] = owner_word((uint16_t)(backend - t->backends), OWNER_UDP,
	                                        owner_end(800, 60), owner_tag(r.hash));
	trace_flow("192.0.2.1:9", DNS);
	assert_false(r.remembered);
}

#define STEPS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(trace_steps)
{
	const struct CMUnitTest tests[] = {
		STEPS_TEST(a_forwarded_packet_is_told_from_parse_to_verdict),
		STEPS_TEST(each_service_is_told_with_its_own_pool),
		STEPS_TEST(the_hash_is_of_what_the_service_says),
		STEPS_TEST(the_way_out_is_told_by_mode_and_family),
		STEPS_TEST(what_stops_a_packet_is_told_where_it_stops),
		STEPS_TEST(a_slot_of_nobody_and_a_service_without_a_pool),
		STEPS_TEST(an_unsettled_slot_tells_why_who_has_the_flow),
		STEPS_TEST(what_has_ended_is_not_remembered),
	};

	return cmocka_run_group_tests_name("trace steps", tests, NULL, NULL);
}
