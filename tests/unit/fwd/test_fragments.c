/* SPDX-License-Identifier: BSD-2-Clause */
/* Fragments follow their first one: who follows whom, how long, and what a full table loses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fwd/small.h"
#include "tests/unit/suite.h"
#include "weir/fwd/rewrite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define LIFE_S 5u

#define ROOM 64u
#define LEN  100u /* of a fragment that says nothing else, from its IP header on */

struct fixture {
	struct world w;
	uint8_t bytes[ROOM + 1536];
	struct fwd_packet packet;
	struct fwd_verdict v;
	uint32_t now_s;
};

static int set_up(void **state)
{
	static struct fixture f;
	union fwd_addr two = world_addr("10.1.0.2");

	memset(&f, 0, sizeof(f));
	f.now_s = 1000;
	small_world(&f.w);
	world_add_backend(&f.w, 2, &two, FWD_ENCAP_IPIP, 7);
	world_add_service(&f.w, "192.0.2.80", 53, FWD_PROTO_TCP, 0, 0);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	world_fini(&f->w);
	return 0;
}

/** A fragment of datagram @p id; @p off is its place in it, in bytes. */
struct piece {
	bool is6;
	uint32_t id;
	uint16_t off;
	bool last;
	uint8_t protocol; /**< 0: UDP */
	uint8_t client;   /**< the last byte of its address */
	uint8_t ttl;      /**< 0: 64 */
	uint16_t len;     /**< 0: LEN */
};

static uint32_t len_of(const struct piece *p)
{
	return p->len ? p->len : LEN;
}

static void put_headers4(uint8_t *l3, const struct piece *p)
{
	union fwd_addr src = world_addr("203.0.113.0"), dst = world_addr("192.0.2.80");

	l3[0] = 0x45;
	put_be16(l3 + 2, len_of(p));
	put_be16(l3 + 4, p->id);
	put_be16(l3 + 6, (p->last ? 0 : 0x2000u) | p->off / 8u);
	l3[8] = p->ttl ? p->ttl : 64;
	l3[9] = p->protocol ? p->protocol : FWD_PROTO_UDP;
	memcpy(l3 + 12, src.bytes + 12, 4);
	l3[15] = p->client;
	memcpy(l3 + 16, dst.bytes + 12, 4);
}

static void put_headers6(uint8_t *l3, const struct piece *p)
{
	union fwd_addr src = world_addr("2001:db8:c::"), dst = world_addr("2001:db8:80::80");

	l3[0] = 0x60;
	put_be16(l3 + 4, len_of(p) - 40);
	l3[6] = FWD_PROTO_FRAGMENT;
	l3[7] = p->ttl ? p->ttl : 64;
	memcpy(l3 + 8, src.bytes, 16);
	l3[23] = p->client;
	memcpy(l3 + 24, dst.bytes, 16);
	l3[40] = p->protocol ? p->protocol : FWD_PROTO_UDP;
	put_be16(l3 + 42, p->off | (p->last ? 0 : 1u));
	put_be16(l3 + 44, p->id >> 16);
	put_be16(l3 + 46, p->id);
}

static enum fwd_reason forward_piece(struct fixture *f, struct piece p)
{
	uint8_t *l3 = f->bytes + ROOM + ETH, *l4 = l3 + (p.is6 ? 48 : 20);

	memset(f->bytes, 0, sizeof(f->bytes));
	memcpy(f->bytes + ROOM, "\x02\xaa\0\0\0\1\x02\xcc\0\0\0\1", 12);
	put_be16(l3 - 2, p.is6 ? 0x86dd : 0x0800);
	if (p.is6)
		put_headers6(l3, &p);
	else
		put_headers4(l3, &p);
	put_be16(l4, p.off ? 0xffff : 40000);
	put_be16(l4 + 2, p.off ? 0xffff : 53);
	put_be16(l4 + 4, p.off ? 0xffff : 3000); /* of the whole datagram */
	l4[12] = p.protocol == FWD_PROTO_TCP ? 0x50 : 0;
	f->packet = (struct fwd_packet){ f->bytes + ROOM, l3 + len_of(&p), f->bytes };
	return world_forward(&f->w, &f->packet, f->now_s, &f->v);
}

static void later_fragments_go_where_the_first_one_went(void **state)
{
	struct fixture *f = *state;

	for (int is6 = 0; is6 < 2; is6++) {
		struct piece first = { .is6 = is6, .id = 7 },
		             later = { .is6 = is6, .id = 7, .off = 80 };

		assert_int_equal(forward_piece(f, first), FWD_REASON_FORWARDED);
		for (uint32_t slot = 0; slot < 32; slot++)
			*world_slot(&f->w, slot) = 2; /* the owner changes meanwhile */
		assert_int_equal(forward_piece(f, later), FWD_REASON_FRAGMENT_FOLLOWED);
		assert_int_equal(f->v.backend_index, 1);
		assert_int_equal(fwd_egress(&f->v), 7);
		later.last = true;
		assert_int_equal(forward_piece(f, later), FWD_REASON_FRAGMENT_FOLLOWED);
		first.id = 8;
		assert_int_equal(forward_piece(f, first), FWD_REASON_FORWARDED);
		assert_int_equal(f->v.backend_index, 2);
		for (uint32_t slot = 0; slot < 32; slot++)
			*world_slot(&f->w, slot) = 1;
	}
	assert_int_equal(f->w.t.service_counts[0].packets, 4);
	assert_int_equal(f->w.t.service_counts[1].packets, 4);
	assert_int_equal(f->w.t.backend_counts[1].packets, 6);
	assert_int_equal(f->w.t.cpus[0].received, 8);
}

/** An IPv6 datagram to port 53 behind @p n fragment headers, whose offsets and flags are @p words. */
static enum fwd_reason forward_headers6(struct fixture *f, const uint16_t *words, size_t n)
{
	uint8_t *l3 = f->bytes + ROOM + ETH, *at = l3 + 40;

	memset(f->bytes, 0, sizeof(f->bytes));
	memcpy(f->bytes + ROOM, "\x02\xaa\0\0\0\1\x02\xcc\0\0\0\1\x86\xdd", 14);
	put_headers6(l3, &(struct piece){ .is6 = true });
	for (size_t i = 0; i < n; i++, at += 8) {
		at[0] = i + 1 < n ? FWD_PROTO_FRAGMENT : FWD_PROTO_UDP;
		put_be16(at + 2, words[i]);
		at[7] = 7; /* identification */
	}
	put_be16(at, 40000);
	put_be16(at + 2, 53);
	put_be16(at + 4, LEN - 40 - 8 * n);
	f->packet = (struct fwd_packet){ f->bytes + ROOM, l3 + LEN, f->bytes };
	return world_forward(&f->w, &f->packet, f->now_s, &f->v);
}

/* RFC 8200, section 4.5; RFC 6946 of a fragment that is the whole. */
static void what_a_fragment_header_says_is_its_offset_and_whether_more_follow(void **state)
{
	static const struct {
		const char *why;
		uint16_t words[2];
		size_t n;
		bool is_fragment;
		enum fwd_reason reason;
	} cases[] = {
		{ "the whole", { 0 }, 1, false, FWD_REASON_FORWARDED },
		{ "reserved bits are ignored", { 6 }, 1, false, FWD_REASON_FORWARDED },
		{ "more follow", { 1 }, 1, true, FWD_REASON_FORWARDED },
		{ "more follow, and reserved bits", { 7 }, 1, true, FWD_REASON_FORWARDED },
		{ "a later one", { 8 }, 1, true, FWD_REASON_FRAGMENT_FOLLOWED },
		{ "the first of two says more", { 1, 0 }, 2, true, FWD_REASON_FORWARDED },
		{ "the second of two says more", { 0, 1 }, 2, true, FWD_REASON_FORWARDED },
		{ "two that say nothing", { 0, 6 }, 2, false, FWD_REASON_FORWARDED },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		enum fwd_reason reason = forward_headers6(f, cases[i].words, cases[i].n);

		if (reason != cases[i].reason || !f->v.fragment_hash == cases[i].is_fragment)
			fail_msg("%s: reason %d, hash %d", cases[i].why, reason,
			         f->v.fragment_hash != 0);
	}
}

static void a_later_fragment_whose_ttl_is_used_up_goes_no_further(void **state)
{
	struct fixture *f = *state;

	for (int is6 = 0; is6 < 2; is6++) {
		struct piece first = { .is6 = is6, .id = 7 },
		             later = { .is6 = is6, .id = 7, .off = 80, .ttl = 1 };

		assert_int_equal(forward_piece(f, first), FWD_REASON_FORWARDED);
		assert_int_equal(forward_piece(f, later), FWD_REASON_TTL);
		later.ttl = 2;
		assert_int_equal(forward_piece(f, later), FWD_REASON_FRAGMENT_FOLLOWED);
	}
}

static void nothing_else_is_its_own(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(forward_piece(f, (struct piece){ .id = 7 }), FWD_REASON_FORWARDED);
	assert_int_equal(forward_piece(f, (struct piece){ .id = 6, .off = 8 }),
	                 FWD_REASON_FRAGMENT);
	assert_int_equal(forward_piece(f, (struct piece){ .id = 7, .off = 8, .client = 1 }),
	                 FWD_REASON_FRAGMENT);
	assert_int_equal(forward_piece(f, (struct piece){ .id = 7, .off = 8, .is6 = true }),
	                 FWD_REASON_FRAGMENT);
	assert_int_equal(
	        forward_piece(f, (struct piece){ .id = 7, .off = 8, .protocol = FWD_PROTO_TCP }),
	        FWD_REASON_FRAGMENT);
	assert_int_equal(
	        forward_piece(f, (struct piece){ .id = 7, .off = 8, .protocol = FWD_PROTO_ICMP }),
	        FWD_REASON_FRAGMENT);
	assert_int_equal(forward_piece(f, (struct piece){ .id = 7, .off = 8 }),
	                 FWD_REASON_FRAGMENT_FOLLOWED);
}

static void one_before_its_first_is_dropped_and_the_first_forwarded(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(forward_piece(f, (struct piece){ .id = 9, .off = 8 }),
	                 FWD_REASON_FRAGMENT);
	assert_int_equal(forward_piece(f, (struct piece){ .id = 9 }), FWD_REASON_FORWARDED);
	assert_int_equal(forward_piece(f, (struct piece){ .id = 9, .off = 8 }),
	                 FWD_REASON_FRAGMENT_FOLLOWED);
}

static void tcp_follows_as_well_and_icmp_does_not(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(forward_piece(f, (struct piece){ .id = 1, .protocol = FWD_PROTO_TCP }),
	                 FWD_REASON_FORWARDED);
	assert_int_equal(
	        forward_piece(f, (struct piece){ .id = 1, .off = 8, .protocol = FWD_PROTO_TCP }),
	        FWD_REASON_FRAGMENT_FOLLOWED);
	assert_int_equal(forward_piece(f, (struct piece){ .id = 2, .protocol = FWD_PROTO_ICMP }),
	                 FWD_REASON_FRAGMENT);
	assert_int_equal(
	        forward_piece(f, (struct piece){ .is6 = true, .protocol = FWD_PROTO_ICMP6 }),
	        FWD_REASON_FRAGMENT);
}

static void what_the_first_one_met_holds_for_the_others(void **state)
{
	struct fixture *f = *state;

	f->w.t.backends[1].inner_mtu = 99;
	assert_int_equal(forward_piece(f, (struct piece){ .id = 3 }), FWD_REASON_TOO_BIG_ANSWERED);
	assert_int_equal(forward_piece(f, (struct piece){ .id = 3, .off = 8 }),
	                 FWD_REASON_FRAGMENT);
	f->w.t.backends[1].inner_mtu = 100;
	assert_int_equal(forward_piece(f, (struct piece){ .id = 3 }), FWD_REASON_FORWARDED);
	f->w.t.backends[1].inner_mtu = 99; /* a later one: nobody is told (RFC 1122) */
	assert_int_equal(forward_piece(f, (struct piece){ .id = 3, .off = 8 }), FWD_REASON_TOO_BIG);
	f->w.t.backends[1].inner_mtu = 100;
	f->w.t.backends[1].flags |= FWD_BACKEND_DEAD;
	assert_int_equal(forward_piece(f, (struct piece){ .id = 3, .off = 8 }),
	                 FWD_REASON_BACKEND_DEAD);
}

/* In IPv6 only the source makes fragments, so it must hear of each that is too long (RFC 4443, section 3.2). */
static void a_later_fragment_that_is_too_big_is_answered_in_ipv6(void **state)
{
	struct fixture *f = *state;
	const struct piece later = { .is6 = true, .id = 3, .off = 8, .len = 1281 };

	f->w.t.backends[1].inner_mtu = 1281;
	assert_int_equal(forward_piece(f, (struct piece){ .is6 = true, .id = 3 }),
	                 FWD_REASON_FORWARDED);
	assert_int_equal(forward_piece(f, later), FWD_REASON_FRAGMENT_FOLLOWED);
	f->w.t.backends[1].inner_mtu = 1280;
	assert_int_equal(forward_piece(f, later), FWD_REASON_TOO_BIG_ANSWERED);
}

static void it_is_known_for_its_time_and_no_longer(void **state)
{
	static const uint32_t starts[] = { 1000, 0, UINT32_MAX - 2 };
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++) {
		f->now_s = starts[i];
		assert_int_equal(forward_piece(f, (struct piece){ .id = 4 }), FWD_REASON_FORWARDED);
		f->now_s += LIFE_S;
		assert_int_equal(forward_piece(f, (struct piece){ .id = 4, .off = 8 }),
		                 FWD_REASON_FRAGMENT_FOLLOWED);
		f->now_s++;
		assert_int_equal(forward_piece(f, (struct piece){ .id = 4, .off = 8 }),
		                 FWD_REASON_FRAGMENT);
	}
}

static void a_full_set_loses_its_oldest_and_counts_it(void **state)
{
	struct fixture *f = *state;

	f->w.t.root->n_fragment_buckets = 1;
	for (uint32_t id = 0; id < FWD_FRAGMENT_WAYS; id++, f->now_s++)
		forward_piece(f, (struct piece){ .id = id });
	assert_int_equal(f->w.t.cpus[0].fragments_lost, 0);
	forward_piece(f, (struct piece){ .id = 1 }); /* the same again takes its own place */
	assert_int_equal(f->w.t.cpus[0].fragments_lost, 0);
	forward_piece(f, (struct piece){ .id = 99 });
	assert_int_equal(f->w.t.cpus[0].fragments_lost, 1);
	assert_int_equal(forward_piece(f, (struct piece){ .id = 0, .off = 8 }),
	                 FWD_REASON_FRAGMENT);
	for (uint32_t id = 1; id < FWD_FRAGMENT_WAYS; id++)
		assert_int_equal(forward_piece(f, (struct piece){ .id = id, .off = 8 }),
		                 FWD_REASON_FRAGMENT_FOLLOWED);
}

static void a_flood_fills_the_table_and_nothing_else(void **state)
{
	struct fixture *f = *state;

	for (uint32_t id = 0; id < 100000; id++)
		forward_piece(f, (struct piece){ .is6 = true, .id = id * 2654435761u });
	assert_in_range(f->w.t.cpus[0].fragments_lost,
	                100000 - FWD_FRAGMENT_BUCKETS * FWD_FRAGMENT_WAYS, 100000);
	assert_int_equal(forward_piece(f, (struct piece){ .id = 5 }), FWD_REASON_FORWARDED);
	assert_int_equal(forward_piece(f, (struct piece){ .id = 5, .off = 8 }),
	                 FWD_REASON_FRAGMENT_FOLLOWED);
	f->w.t.root->n_fragment_buckets = 0;
	assert_int_equal(forward_piece(f, (struct piece){ .id = 5 }), FWD_REASON_FORWARDED);
	assert_int_equal(forward_piece(f, (struct piece){ .id = 5, .off = 8 }),
	                 FWD_REASON_FRAGMENT);
}

SUITE(fragments)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(later_fragments_go_where_the_first_one_went),
		T(what_a_fragment_header_says_is_its_offset_and_whether_more_follow),
		T(a_later_fragment_whose_ttl_is_used_up_goes_no_further),
		T(nothing_else_is_its_own),
		T(one_before_its_first_is_dropped_and_the_first_forwarded),
		T(tcp_follows_as_well_and_icmp_does_not),
		T(what_the_first_one_met_holds_for_the_others),
		T(a_later_fragment_that_is_too_big_is_answered_in_ipv6),
		T(it_is_known_for_its_time_and_no_longer),
		T(a_full_set_loses_its_oldest_and_counts_it),
		T(a_flood_fills_the_table_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
