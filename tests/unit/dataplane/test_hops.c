/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tables of links, routes and next hops say of an address: the truth table in hops.h, without a kernel. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/neighbour.h>

#include <cmocka.h>

#include "dataplane/nexthop/hops_internal.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOW      9000u

/* An address behind eth0 (2), with VLANs 3 on it and 4 on that; what a test wants else is changed. */
struct world {
	struct hop_link links[4];
	struct via via;
	struct dest dest;
	struct hops h;
};

static void make_world(struct world *w)
{
	const uint8_t gateway[4] = { 10, 1, 0, 1 }, backend[4] = { 10, 1, 0, 5 };

	*w = (struct world){ .via = { .ifindex = 2, .refs = 1, .has_mac = true, .mac = { 2, 9 } },
		             .h = { .n_links = 4, .max = 1 } };
	for (uint32_t i = 0; i < 4; i++) {
		w->links[i].is = (struct rtnl_link){
			.ifindex = 2 + i, .up = true, .ethernet = true, .mtu = 1500
		};
		w->links[i].is.mac[1] = (uint8_t)(2 + i);
	}
	w->links[1].is.lower = 2;
	w->links[1].is.vlan = 30;
	w->links[1].is.vlan_type_be = 0x0081;
	w->links[2].is.lower = 3;
	w->links[2].is.vlan = 40;
	w->via.addr = addr_from4(gateway);
	w->dest.addr = addr_from4(backend);
	w->h.links = w->links;
	w->h.vias = &w->via;
	w->h.dests = &w->dest;
}

enum { NONE, DOWN, GONE, NO_ETHERNET, UP };

static const struct {
	const char *why;
	bool routed, refused, has_mac, failed;
	uint32_t last; /* the port that led there before; 0: none */
	int port;
	enum hop_state state;
	enum hop_bad bad;
} rows[] = {
	{ "no route", false, false, true, false, 2, UP, HOP_NO_ROUTE, HOP_BAD_NOT },
	{ "it refuses", false, true, true, false, 2, UP, HOP_NO_ROUTE, HOP_BAD_ROUTE },
	{ "it refuses from the start", false, true, true, false, 0, DOWN, HOP_NO_ROUTE,
	  HOP_BAD_ROUTE },
	{ "it refuses as the port is down", false, true, true, false, 2, DOWN, HOP_NO_ROUTE,
	  HOP_BAD_NOT },
	{ "it refuses as the port is gone", false, true, true, false, 9, UP, HOP_NO_ROUTE,
	  HOP_BAD_NOT },
	{ "known", true, false, true, false, 2, UP, HOP_KNOWN, HOP_BAD_NOT },
	{ "not known yet", true, false, false, false, 2, UP, HOP_NO_NEIGHBOUR, HOP_BAD_NOT },
	{ "never answered", true, false, false, true, 2, UP, HOP_NO_NEIGHBOUR, HOP_BAD_NEIGHBOUR },
	{ "answers no more", true, false, true, true, 2, UP, HOP_KNOWN, HOP_BAD_NEIGHBOUR },
	{ "its port is down", true, false, true, true, 2, DOWN, HOP_NO_PORT, HOP_BAD_NOT },
	{ "its port is gone", true, false, true, true, 2, GONE, HOP_NO_PORT, HOP_BAD_NOT },
	{ "no Ethernet", true, false, true, true, 2, NO_ETHERNET, HOP_NO_PORT, HOP_BAD_NOT },
};

static void the_tables_give_state_and_evidence(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world w;

		make_world(&w);
		w.dest.via = rows[i].routed ? 0 : HOP_NONE;
		w.dest.refused = rows[i].refused;
		w.dest.last_ifindex = rows[i].last;
		w.via.has_mac = rows[i].has_mac;
		w.via.failed_ms = rows[i].failed ? 77 : 0;
		w.links[0].is.up = rows[i].port != DOWN;
		w.links[0].is.ethernet = rows[i].port != NO_ETHERNET;
		if (rows[i].port == GONE)
			w.links[0].is.ifindex = 99;
		struct hop hop = hops_make(&w.h, &w.dest, NOW);

		if (hop.state != rows[i].state || hop.bad != rows[i].bad)
			fail_msg("%s: %s, bad %d", rows[i].why, hop_state_text(hop.state), hop.bad);
	}
}

static void a_frame_goes_to_the_port_below_with_all_tags(void **state)
{
	static const struct {
		uint32_t by, ifindex;
		uint16_t vlan, outer, type_be;
	} ways[] = { { 2, 2, 0, 0, 0 }, { 3, 2, 30, 0, 0 }, { 4, 2, 40, 30, 0x0081 } };

	(void)state;
	for (size_t i = 0; i < COUNT(ways); i++) {
		struct world w;

		make_world(&w);
		w.via.ifindex = ways[i].by;
		struct hop hop = hops_make(&w.h, &w.dest, NOW);

		assert_int_equal(hop.state, HOP_KNOWN);
		assert_int_equal(hop.route_ifindex, ways[i].by);
		assert_int_equal(hop.ifindex, ways[i].ifindex);
		assert_int_equal(hop.vlan, ways[i].vlan);
		assert_int_equal(hop.outer_vlan, ways[i].outer);
		assert_int_equal(hop.outer_type_be, ways[i].type_be);
		assert_memory_equal(hop.mac_to, w.via.mac, 6);
		assert_int_equal(hop.mac_from[1], ways[i].by); /* as the kernel's own frames */
	}
}

/* The inner tag, or a single one, is always written as 802.1Q; the outer as what it is. */
static void a_tag_that_is_not_written_makes_a_hop_of_no_use(void **state)
{
	static const struct {
		const char *why;
		uint32_t by;
		uint16_t outer_type, inner_type; /* of VLAN 3, and of VLAN 4 on it */
		enum hop_state state;
	} cases[] = {
		{ "one tag of 802.1Q", 3, ETH_P_8021Q, ETH_P_8021Q, HOP_KNOWN },
		{ "one tag of 802.1ad", 3, ETH_P_8021AD, ETH_P_8021Q, HOP_NO_PORT },
		{ "802.1Q in 802.1ad", 4, ETH_P_8021AD, ETH_P_8021Q, HOP_KNOWN },
		{ "802.1ad in 802.1ad", 4, ETH_P_8021AD, ETH_P_8021AD, HOP_NO_PORT },
		{ "802.1ad in 802.1Q", 4, ETH_P_8021Q, ETH_P_8021AD, HOP_NO_PORT },
		{ "below a tag", 2, ETH_P_8021AD, ETH_P_8021AD, HOP_KNOWN },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct world w;

		make_world(&w);
		w.via.ifindex = cases[i].by;
		w.links[1].is.vlan_type_be = htons(cases[i].outer_type);
		w.links[2].is.vlan_type_be = htons(cases[i].inner_type);
		struct hop hop = hops_make(&w.h, &w.dest, NOW);

		if (hop.state != cases[i].state)
			fail_msg("%s: %s", cases[i].why, hop_state_text(hop.state));
	}
}

static void the_shorter_mtu_of_route_and_link_counts(void **state)
{
	static const struct {
		uint32_t route, link, mtu;
	} mtus[] = {
		{ 0, 1500, 1500 }, { 1400, 1500, 1400 }, { 9000, 1500, 1500 }, { 0, 100000, 65535 }
	};

	(void)state;
	for (size_t i = 0; i < COUNT(mtus); i++) {
		struct world w;

		make_world(&w);
		w.dest.route_mtu = mtus[i].route;
		w.links[0].is.mtu = mtus[i].link;
		assert_int_equal(hops_make(&w.h, &w.dest, NOW).mtu, mtus[i].mtu);
	}
}

static void it_is_so_since_state_evidence_or_link_changed(void **state)
{
	struct world w;

	(void)state;
	make_world(&w);
	w.dest.hop.state = HOP_NO_ROUTE; /* as it is before it is asked for */
	w.dest.hop = hops_make(&w.h, &w.dest, NOW);
	assert_false(w.dest.hop.on_link);
	assert_true(w.dest.hop.since_ms == NOW);
	w.via.mac[5] = 7; /* another address of the same next hop */
	struct hop hop = hops_make(&w.h, &w.dest, NOW + 10);
	assert_true(hop.since_ms == NOW);
	assert_false(hops_same(&hop, &w.dest.hop));
	w.via.failed_ms = 1;
	assert_true(hops_make(&w.h, &w.dest, NOW + 20).since_ms == NOW + 20);
	w.via.failed_ms = 0;
	w.via.addr = w.dest.addr;
	hop = hops_make(&w.h, &w.dest, NOW + 30);
	assert_true(hop.on_link && hop.since_ms == NOW + 30);
	w.links[0].is.up = false;
	assert_true(hops_make(&w.h, &w.dest, NOW + 40).since_ms == NOW + 40);
}

/* Each field that tables are made of is news; how long it is so is none. */
static void a_hop_that_differs_in_any_field_is_another(void **state)
{
	const struct hop a = { .state = HOP_KNOWN,
		               .on_link = true,
		               .since_ms = 1,
		               .route_ifindex = 2,
		               .ifindex = 3,
		               .vlan = 4,
		               .outer_vlan = 5,
		               .outer_type_be = 6,
		               .mtu = 7,
		               .mac_to = { 8, 0, 0, 0, 0, 8 },
		               .mac_from = { 9, 0, 0, 0, 0, 9 } };
	struct hop others[12];

	(void)state;
	for (size_t i = 0; i < COUNT(others); i++)
		others[i] = a;
	others[0].state = HOP_NO_PORT;
	others[1].bad = HOP_BAD_NEIGHBOUR;
	others[2].on_link = false;
	others[3].route_ifindex++;
	others[4].ifindex++;
	others[5].vlan++;
	others[6].outer_vlan++;
	others[7].outer_type_be++;
	others[8].mtu++;
	others[9].mac_to[5]++;
	others[10].mac_from[0]++;
	others[11].since_ms++;
	for (size_t i = 0; i < COUNT(others); i++)
		if (hops_same(&others[i], &a) != (i == 11) ||
		    hops_same(&a, &others[i]) != (i == 11))
			fail_msg("field %zu", i);
}

static void who_is_sure_or_is_being_asked_is_not_told_of_use(void **state)
{
	static const struct {
		uint16_t state;
		bool needed;
	} cases[] = {
		{ NUD_NONE, true },       { NUD_STALE, true },      { NUD_FAILED, true },
		{ NUD_REACHABLE, false }, { NUD_PERMANENT, false }, { NUD_NOARP, false },
		{ NUD_DELAY, false },     { NUD_PROBE, false },     { NUD_INCOMPLETE, false }
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct via v = { .state = cases[i].state };

		assert_int_equal(hops_needs_use(&v), cases[i].needed);
	}
}

static void the_want_of_a_route_is_no_refusal(void **state)
{
	(void)state;
	assert_true(hops_is_refusal(-EHOSTUNREACH)); /* unreachable */
	assert_true(hops_is_refusal(-EACCES));       /* prohibit */
	assert_true(hops_is_refusal(-EINVAL));       /* blackhole */
	assert_false(hops_is_refusal(-ENETUNREACH)); /* there is none */
	assert_false(hops_is_refusal(-ETIMEDOUT) || hops_is_refusal(-ENOBUFS));
	assert_false(hops_is_refusal(0));
	static const int answers[] = { 0,          -EHOSTUNREACH, -EACCES,
		                       -EINVAL,    -ENETUNREACH,  -ENETDOWN,
		                       -ENODEV,    -ESRCH,        -EAFNOSUPPORT,
		                       -EOPNOTSUPP };
	static const int failures[] = { -ETIMEDOUT, -ENOBUFS, -EIO, -ENOMEM, -EINTR, -EPERM };

	for (size_t i = 0; i < COUNT(answers); i++)
		if (!hops_is_answer(answers[i]))
			fail_msg("%d is an answer", answers[i]);
	for (size_t i = 0; i < COUNT(failures); i++)
		if (hops_is_answer(failures[i]))
			fail_msg("%d is none", failures[i]);
}

static void a_next_hop_is_doubted_when_all_behind_it_are_silent(void **state)
{
	struct world w;
	struct dest other;

	(void)state;
	make_world(&w);
	other = w.dest;
	w.dest.heard = HOP_HEARD_SILENCE;
	other.heard = HOP_HEARD_ANSWERS;
	hops_count_heard(&w.h, &w.dest, 1);
	hops_count_heard(&w.h, &other, 1);
	assert_true(w.via.n_silent == 1 && w.via.n_answer == 1);
	hops_look_silent(&w.h, 0);
	hops_look_silent(&w.h, HOP_NONE);
	assert_int_equal(w.h.n_doubts, 0);
	hops_count_heard(&w.h, &other, -1);
	other.via = HOP_NONE;
	hops_count_heard(&w.h, &other, -1); /* it is behind nobody */
	assert_true(w.via.n_silent == 1 && w.via.n_answer == 0);
	w.via.doubted = true; /* it will be asked anyway: not twice */
	hops_look_silent(&w.h, 0);
	assert_int_equal(w.h.n_doubts, 0);
	w.via.refs = 0;
	w.h.doubts[w.h.n_doubts++] = 0;
	hops_on_doubt(&w.h); /* its turn: from now on it may be doubted again */
	assert_false(w.via.doubted);
	assert_int_equal(w.h.n_doubts, 0);
}

SUITE(hops)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tables_give_state_and_evidence),
		cmocka_unit_test(a_frame_goes_to_the_port_below_with_all_tags),
		cmocka_unit_test(a_tag_that_is_not_written_makes_a_hop_of_no_use),
		cmocka_unit_test(the_shorter_mtu_of_route_and_link_counts),
		cmocka_unit_test(it_is_so_since_state_evidence_or_link_changed),
		cmocka_unit_test(a_hop_that_differs_in_any_field_is_another),
		cmocka_unit_test(who_is_sure_or_is_being_asked_is_not_told_of_use),
		cmocka_unit_test(the_want_of_a_route_is_no_refusal),
		cmocka_unit_test(a_next_hop_is_doubted_when_all_behind_it_are_silent),
	};

	return cmocka_run_group_tests_name("hops", tests, NULL, NULL);
}
