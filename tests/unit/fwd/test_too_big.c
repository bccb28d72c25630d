/* SPDX-License-Identifier: BSD-2-Clause */
/* A packet that does not fit in its tunnel: who is told, what, and how often. */
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

#define ROOM 64u

struct fixture {
	struct world w;
	uint8_t bytes[ROOM + 2048];
	struct fwd_packet packet;
	uint8_t sent[2048]; /* the frame as it came */
	struct fwd_verdict v;
};

static int set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	small_world(&f.w);
	f.w.t.backends[1].inner_mtu = 1400;
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	world_fini(&f->w);
	return 0;
}

/** A datagram of @p len bytes from its IP header on, to a VIP of ours, behind @p n_tags tags. */
static void make_datagram(struct fixture *f, bool is4, uint32_t len, uint32_t n_tags)
{
	uint8_t *at = f->bytes + ROOM, *l3 = at + ETH + 4 * n_tags;
	uint32_t header = is4 ? 20 : 40;
	union fwd_addr src = world_addr(is4 ? "203.0.113.7" : "2001:db8:c::7");
	union fwd_addr dst = world_addr(is4 ? "192.0.2.80" : "2001:db8:80::80");

	for (uint32_t i = 0; i < sizeof(f->bytes); i++)
		f->bytes[i] = (uint8_t)(i * 7);
	memcpy(at, "\x02\xaa\0\0\0\1\x02\xcc\0\0\0\1", 12);
	for (uint32_t i = 0; i < n_tags; i++)
		memcpy(at + 12 + 4 * i, "\x81\x00\x20\x64", 4);
	put_be16(l3 - 2, is4 ? 0x0800 : 0x86dd);
	memset(l3, 0, header);
	l3[0] = is4 ? 0x45 : 0x60;
	put_be16(l3 + (is4 ? 2 : 4), is4 ? len : len - 40);
	l3[is4 ? 8 : 7] = 64;
	l3[is4 ? 9 : 6] = FWD_PROTO_UDP;
	memcpy(l3 + (is4 ? 12 : 8), src.bytes + (is4 ? 12 : 0), is4 ? 4 : 16);
	memcpy(l3 + (is4 ? 16 : 24), dst.bytes + (is4 ? 12 : 0), is4 ? 4 : 16);
	put_be16(l3 + header, 40000);
	put_be16(l3 + header + 2, 53);
	put_be16(l3 + header + 4, len - header);
	f->packet = (struct fwd_packet){ at, l3 + len, f->bytes };
	memcpy(f->sent, at, (size_t)(f->packet.end - at));
}

static enum fwd_reason forward_datagram(struct fixture *f, uint32_t now_s)
{
	return world_forward(&f->w, &f->packet, now_s, &f->v);
}

/** The Internet checksum, by bytes (RFC 1071): 0 over what carries a right one. */
static uint16_t sum_of(uint32_t sum, const uint8_t *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void an_ipv4_sender_is_told_as_rfc_1191_says(void **state)
{
	struct fixture *f = *state;

	for (uint32_t tags = 0; tags < 3; tags++) {
		const uint8_t *l3;
		uint32_t eth = ETH + 4 * tags;

		make_datagram(f, true, 1401, tags);
		assert_int_equal(forward_datagram(f, 1), FWD_REASON_TOO_BIG_ANSWERED);
		l3 = f->packet.data + eth;
		assert_int_equal(f->packet.end - l3, 576);
		assert_memory_equal(f->packet.data, f->sent + 6, 6);
		assert_memory_equal(f->packet.data + 6, f->sent, 6);
		assert_memory_equal(f->packet.data + 12, f->sent + 12, eth - 12);
		assert_memory_equal(l3, "\x45\xc0\x02\x40\0\0\x40\0\x40\x01", 10);
		assert_int_equal(sum_of(0, l3, 20), 0);
		assert_memory_equal(l3 + 12, f->sent + eth + 16, 4); /* from the VIP */
		assert_memory_equal(l3 + 16, f->sent + eth + 12, 4);
		assert_memory_equal(l3 + 20, "\x03\x04", 2);
		assert_int_equal(sum_of(0, l3 + 20, 556), 0);
		assert_int_equal(get_be16(l3 + 26), 1400);
		assert_memory_equal(l3 + 28, f->sent + eth, 548);
	}
}

static void an_ipv6_sender_is_told_as_rfc_4443_says(void **state)
{
	struct fixture *f = *state;
	const uint8_t *l3;

	make_datagram(f, false, 1480, 1);
	assert_int_equal(forward_datagram(f, 1), FWD_REASON_TOO_BIG_ANSWERED);
	l3 = f->packet.data + ETH + 4;
	assert_int_equal(f->packet.end - l3, 1280);
	assert_memory_equal(l3, "\x6c\0\0\0\x04\xd8\x3a\x40", 8);
	assert_memory_equal(l3 + 8, f->sent + ETH + 4 + 24, 16);
	assert_memory_equal(l3 + 24, f->sent + ETH + 4 + 8, 16);
	assert_memory_equal(l3 + 40, "\x02\x00", 2);
	assert_int_equal(sum_of(1240 + 58, l3 + 8, 1272), 0);
	assert_int_equal(get_be16(l3 + 46), 1400);
	assert_memory_equal(l3 + 48, f->sent + ETH + 4, 1232);
}

/* Clients of ::/8: behind a translator (RFC 6052, RFC 8215), and where nobody is yet. */
static void a_sender_behind_a_translator_is_told(void **state)
{
	static const char *const senders[] = { "64:ff9b::198.51.100.7", "64:ff9b:1::198.51.100.7",
		                               "1:db8:c::7" };
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(senders); i++) {
		union fwd_addr src = world_addr(senders[i]);

		make_datagram(f, false, 1480, 0);
		memcpy(f->packet.data + ETH + 8, src.bytes, 16);
		if (forward_datagram(f, 1) != FWD_REASON_TOO_BIG_ANSWERED)
			fail_msg("%s: reason %d", senders[i], f->v.reason);
		assert_memory_equal(f->packet.data + ETH + 24, src.bytes, 16);
	}
}

static void what_fits_is_forwarded_to_the_byte(void **state)
{
	struct fixture *f = *state;

	make_datagram(f, true, 1400, 0);
	assert_int_equal(forward_datagram(f, 1), FWD_REASON_FORWARDED);
	assert_int_equal(fwd_overhead(&f->w.t.backends[1]), 32);
}

static void a_next_hop_behind_two_tags_gets_both(void **state)
{
	struct fixture *f = *state;

	f->w.t.backends[1].vlan = 0x123;
	f->w.t.backends[1].outer_vlan = 0x7;
	f->w.t.backends[1].outer_type_be = fwd_be16(FWD_ETHERTYPE_QINQ);
	for (uint32_t tags = 0; tags < 3; tags++) {
		make_datagram(f, true, 100, tags);
		assert_int_equal(forward_datagram(f, 1), FWD_REASON_FORWARDED);
		assert_int_equal(f->packet.end - f->packet.data, ETH + 8 + 32 + 100);
		assert_memory_equal(f->packet.data + 12,
		                    "\x88\xa8\x00\x07\x81\x00\x01\x23\x08\x00\x45", 11);
	}
}

/** Who must not be told. */
static void nobody_is_told_who_must_not_be(void **state)
{
	static const struct {
		const char *why;
		bool is4;
		uint8_t off, value; /* from the frame's beginning */
		uint16_t inner_mtu;
		enum fwd_reason reason;
	} cases[] = {
		{ "from a group", true, 26, 224, 1400, FWD_REASON_MARTIAN },
		{ "from a reserved network", true, 26, 255, 1400, FWD_REASON_TOO_BIG },
		{ "from this network", true, 26, 0, 1400, FWD_REASON_TOO_BIG },
		{ "from a host's inside", true, 26, 127, 1400, FWD_REASON_MARTIAN },
		{ "from a group, IPv6", false, 22, 0xff, 1400, FWD_REASON_MARTIAN },
		{ "to many on the link", true, 0, 0x03, 1400, FWD_REASON_GROUP_MAC },
		{ "an MTU that no IPv6 sender takes", false, 15, 0, 1279, FWD_REASON_TOO_BIG },
		{ "an MTU that no IPv4 sender takes", true, 15, 0, 67, FWD_REASON_TOO_BIG },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t len;

		make_datagram(f, cases[i].is4, 1480, 0);
		f->packet.data[cases[i].off] = cases[i].value;
		f->w.t.backends[1].inner_mtu = cases[i].inner_mtu;
		len = (size_t)(f->packet.end - f->packet.data);
		if (forward_datagram(f, 1) != cases[i].reason)
			fail_msg("%s: reason %d", cases[i].why, f->v.reason);
		assert_int_equal(f->packet.end - f->packet.data, len);
	}
}

static void the_least_mtu_that_a_sender_takes_is_told(void **state)
{
	struct fixture *f = *state;

	f->w.t.backends[1].inner_mtu = 68;
	make_datagram(f, true, 1480, 0);
	assert_int_equal(forward_datagram(f, 1), FWD_REASON_TOO_BIG_ANSWERED);
	f->w.t.backends[1].inner_mtu = 1280;
	make_datagram(f, false, 1480, 0);
	assert_int_equal(forward_datagram(f, 1), FWD_REASON_TOO_BIG_ANSWERED);
}

static void a_segment_without_payload_is_whole(void **state)
{
	struct fixture *f = *state;

	for (int is4 = 0; is4 < 2; is4++) {
		struct fwd_parsed p = { 0 };
		uint8_t *tcp;

		make_datagram(f, is4, is4 ? 40 : 60, 0);
		f->packet.data[ETH + (is4 ? 9 : 6)] = FWD_PROTO_TCP;
		tcp = f->packet.data + ETH + (is4 ? 20 : 40);
		tcp[12] = 0x50;
		fwd_parse(&f->packet, &p);
		assert_int_equal(p.fault, FWD_REASON_FORWARDED);
		assert_int_equal(p.request, FWD_REQUEST_SERVICE);
		tcp[12] = 0x60; /* options that are not there */
		fwd_parse(&f->packet, &p);
		assert_int_equal(p.fault, FWD_REASON_MALFORMED_TRANSPORT);
	}
}

static void a_second_has_so_many_answers_and_no_more(void **state)
{
	struct fixture *f = *state;

	f->w.t.root->answers_per_s = 3;
	for (uint32_t now_s = 10; now_s < 12; now_s++)
		for (int i = 0; i < 5; i++) {
			make_datagram(f, true, 1480, 0);
			assert_int_equal(forward_datagram(f, now_s),
			                 i < 3 ? FWD_REASON_TOO_BIG_ANSWERED
			                       : FWD_REASON_TOO_BIG_UNANSWERED);
		}
	assert_int_equal(f->w.t.cpus[0].reason[FWD_REASON_TOO_BIG_ANSWERED], 6);
	assert_int_equal(f->w.t.cpus[0].reason[FWD_REASON_TOO_BIG_UNANSWERED], 4);
	assert_int_equal(f->w.t.cpus[0].received, 10);
}

static void an_answer_leaves_where_its_question_came_in(void **state)
{
	struct fixture *f = *state;

	make_datagram(f, true, 1480, 0);
	forward_datagram(f, 1);
	assert_int_equal(fwd_egress(&f->v), 0);
	make_datagram(f, true, 1400, 0);
	forward_datagram(f, 1);
	assert_int_equal(fwd_egress(&f->v), 7);
}

static void without_room_for_the_answer_it_is_dropped_by_name(void **state)
{
	struct fixture *f = *state;

	make_datagram(f, false, 1480, 0);
	f->packet.room = f->packet.data - 47;
	assert_int_equal(forward_datagram(f, 1), FWD_REASON_NO_ROOM);
}

SUITE(too_big)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(an_ipv4_sender_is_told_as_rfc_1191_says),
		T(an_ipv6_sender_is_told_as_rfc_4443_says),
		T(a_sender_behind_a_translator_is_told),
		T(what_fits_is_forwarded_to_the_byte),
		T(a_next_hop_behind_two_tags_gets_both),
		T(nobody_is_told_who_must_not_be),
		T(a_segment_without_payload_is_whole),
		T(the_least_mtu_that_a_sender_takes_is_told),
		T(a_second_has_so_many_answers_and_no_more),
		T(an_answer_leaves_where_its_question_came_in),
		T(without_room_for_the_answer_it_is_dropped_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
