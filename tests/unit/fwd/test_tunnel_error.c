/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP errors about our outer packets: which are believed, what is noted, and what is left alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fwd/small.h"
#include "tests/unit/suite.h"
#include "weir/fwd/rewrite.h"

#define ROOM     128u
#define INNER    1400u /* bytes of the packets that we send */
#define BACKENDS 5u /* 1: IPIP, 2: GUE, 3 and 4: the same over IPv6, 5: GUE with a list of owners */

struct fixture {
	struct world w;
	uint8_t bytes[ROOM + 2048];
	struct fwd_packet packet;
	uint8_t sent[2048]; /* an outer packet as we sent it, from its IP header on */
	size_t sent_len;
	struct fwd_verdict v;
};

static int set_up(void **state)
{
	static const char *const addresses[] = {
		"", "10.1.0.1", "10.1.0.2", "2001:db8:b::3", "2001:db8:b::4", "10.1.0.5"
	};
	static struct fixture f;
	const struct driver_sizes sizes = { .services = 64,
		                            .service_counts = 8,
		                            .pools = 8,
		                            .backends = 16,
		                            .slots = 256,
		                            .exception_buckets = 4 };

	memset(&f, 0, sizeof(f));
	world_init(&f.w, &sizes, 1);
	world_set_source(&f.w, "10.255.1.0", 24);
	world_set_source(&f.w, "2001:db8:ff:1::", 64);
	world_add_vip(&f.w, "192.0.2.80");
	for (uint32_t i = 1; i <= BACKENDS; i++) {
		union fwd_addr a = world_addr(addresses[i]);

		world_add_backend(&f.w, i, &a, i % 2 && i < 5 ? FWD_ENCAP_IPIP : FWD_ENCAP_GUE, 7);
		world_add_service(&f.w, "192.0.2.80", (uint16_t)(1000 + i), FWD_PROTO_TCP, i, 0);
		world_add_pool(&f.w, i, 32 * i, 5, i, i);
	}
	f.w.t.pools[5].flags = FWD_POOL_AGENTS;
	world_point_services(&f.w);
	for (uint32_t slot = 32 * 5; slot < 32 * 6; slot++) {
		*world_slot(&f.w, slot) = 5 | FWD_SLOT_UNSETTLED;
		f.w.t.colds[slot].list.earlier = owner_list_with(0, 0, 2);
	}
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	world_fini(&f->w);
	return 0;
}

static enum fwd_reason forward_error(struct fixture *f)
{
	return world_forward(&f->w, &f->packet, 1, &f->v);
}

/* Let a client's packet go to backend @p i, and keep what leaves. */
static void send_to(struct fixture *f, uint32_t i)
{
	static const uint8_t head[] = { 2, 0xaa, 0,    0,   0, 1,   2, 0xcc, 0,    0,    0,   1, 8,
		                        0, 0,    0x45, 0,   5, 120, 0, 0,    0x40, 0,    64,  6, 0,
		                        0, 203,  0,    113, 7, 192, 0, 2,    80,   0x9c, 0x40 };
	uint8_t *data = f->bytes + ROOM;

	memset(f->bytes, 0, sizeof(f->bytes));
	memcpy(data, head, 14);
	memcpy(data + ETH, head + 15, 22);
	put_be16(data + ETH + 2, INNER);
	put_be16(data + ETH + 22, 1000 + i);
	data[ETH + 32] = 0x50;
	data[ETH + 33] = FWD_TCP_ACK;
	f->packet = (struct fwd_packet){ data, data + ETH + INNER, f->bytes };
	assert_int_equal(forward_error(f), FWD_REASON_FORWARDED);
	f->sent_len = (size_t)(f->packet.end - f->packet.data) - ETH;
	memcpy(f->sent, f->packet.data + ETH, f->sent_len);
}

static bool sent_is4(const struct fixture *f)
{
	return f->sent[0] >> 4 == 4;
}

static size_t error_head(const struct fixture *f)
{
	return ETH + (sent_is4(f) ? 20 : 40);
}

/* A router's error about what was sent last, with the first @p n_quoted bytes of it. */
static void make_error(struct fixture *f, uint8_t type, uint8_t code, uint32_t rest,
                       size_t n_quoted)
{
	uint8_t *data = f->bytes + ROOM, *ip = data + ETH, *icmp = data + error_head(f);
	bool is4 = sent_is4(f);

	memset(f->bytes, 0, sizeof(f->bytes));
	memcpy(data, "\x02\xaa\0\0\0\1\x02\xcc\0\0\0\1", 12);
	put_be16(data + 12, is4 ? FWD_ETHERTYPE_IP4 : FWD_ETHERTYPE_IP6);
	ip[0] = is4 ? 0x45 : 0x60;
	put_be16(ip + (is4 ? 2 : 4), (uint32_t)((is4 ? 28 : 8) + n_quoted));
	ip[is4 ? 8 : 7] = 60;
	ip[is4 ? 9 : 6] = is4 ? FWD_PROTO_ICMP : FWD_PROTO_ICMP6;
	memcpy(ip + (is4 ? 12 : 8),
	       is4 ? "\xc6\x33\x64\x01" : "\x20\x01\x0d\xb8\0\xaa\0\0\0\0\0\0\0\0\0\1",
	       is4 ? 4 : 16);
	memcpy(ip + (is4 ? 16 : 24), f->sent + (is4 ? 12 : 8), is4 ? 4 : 16);
	icmp[0] = type;
	icmp[1] = code;
	put_be16(icmp + 4, rest >> 16);
	put_be16(icmp + 6, rest);
	memcpy(icmp + 8, f->sent, n_quoted);
	f->packet = (struct fwd_packet){ data, icmp + 8 + n_quoted, f->bytes };
}

static size_t least_quote(const struct fixture *f)
{
	return sent_is4(f) ? 28 : 48;
}

static void make_too_big(struct fixture *f, uint32_t mtu)
{
	make_error(f, sent_is4(f) ? 3 : 2, sent_is4(f) ? 4 : 0, mtu, least_quote(f));
}

static void an_error_about_a_packet_of_each_mode_is_known(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 1; i <= BACKENDS; i++) {
		send_to(f, i);
		make_too_big(f, 1330);
		assert_int_equal(forward_error(f), FWD_REASON_TUNNEL_TOO_BIG);
		for (uint32_t k = 1; k <= BACKENDS; k++)
			assert_int_equal(f->w.t.backends[k].learned_mtu, k <= i ? 1330 : 0);
	}
	assert_int_equal(f->w.t.cpus[0].reason[FWD_REASON_TUNNEL_TOO_BIG], BACKENDS);
}

static void the_frame_stays_as_it_is(void **state)
{
	struct fixture *f = *state;
	uint8_t before[256];

	for (uint32_t i = 1; i <= BACKENDS; i++)
		for (uint32_t ours = 0; ours < 2; ours++) {
			size_t len;

			send_to(f, i);
			make_too_big(f, 1330);
			f->packet.data[error_head(f) + 8] ^= ours ? 0 : 0x10;
			len = (size_t)(f->packet.end - f->packet.data);
			memcpy(before, f->packet.data, len);
			assert_int_equal(forward_error(f),
			                 ours ? FWD_REASON_TUNNEL_TOO_BIG : FWD_REASON_NOT_OURS);
			assert_int_equal(f->packet.end - f->packet.data, len);
			assert_memory_equal(f->packet.data, before, len);
			assert_int_equal(fwd_egress(&f->v), 0);
		}
}

/* In memory of exactly its size, so that a read beyond it is seen; by its own length, and cut. */
static void a_quote_cut_at_any_byte_is_left_alone(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 1; i <= BACKENDS; i++) {
		send_to(f, i);
		for (size_t n = 0; n < least_quote(f); n++)
			for (int cut = 0; cut < 2; cut++) {
				struct fwd_packet whole;
				uint8_t *memory;
				size_t len;

				make_error(f, sent_is4(f) ? 3 : 2, sent_is4(f) ? 4 : 0, 1330,
				           cut ? least_quote(f) : n);
				whole = f->packet;
				len = error_head(f) + 8 + n;
				memory = malloc(len);
				assert_non_null(memory);
				memcpy(memory, whole.data, len);
				f->packet = (struct fwd_packet){ memory, memory + len, memory };
				if (forward_error(f) != FWD_REASON_NOT_OURS)
					fail_msg("backend %u, %zu bytes: reason %d", i, n,
					         f->v.reason);
				free(memory);
			}
	}
	for (uint32_t i = 1; i <= BACKENDS; i++)
		assert_int_equal(f->w.t.backends[i].learned_mtu, 0);
}

static void padding_is_no_quote(void **state)
{
	struct fixture *f = *state;

	send_to(f, 1);
	make_error(f, 3, 4, 1330, 27);
	f->packet.end++;
	assert_int_equal(forward_error(f), FWD_REASON_NOT_OURS);
}

static void what_we_cannot_have_sent_is_left_alone(void **state)
{
	static const struct {
		const char *why;
		uint32_t backend;
		uint8_t off; /* in the quote */
		uint16_t value;
	} cases[] = {
		{ "another source than the error's destination", 1, 14, 0x0255 },
		{ "to nobody of ours", 1, 18, 0x0063 },
		{ "in another mode than its backend's", 1, 18, 0x0002 },
		{ "may be fragmented", 1, 6, 0x0000 },
		{ "a fragment", 1, 6, 0x6000 },
		{ "a last fragment", 1, 6, 0x4001 },
		{ "with options", 1, 0, 0x4600 },
		{ "neither IPIP nor UDP", 1, 8, 0x4006 },
		{ "to another port", 2, 22, 6081 },
		{ "from a port that we do not send from", 2, 20, 0xbfff },
		{ "GUE to a backend behind IPIP", 2, 18, 0x0001 },
		{ "another source, IPv6", 3, 22, 0x0001 },
		{ "another prefix, IPv6", 3, 8, 0x2002 },
		{ "to nobody of ours, IPv6", 3, 38, 0x0009 },
		{ "in another mode, IPv6", 3, 38, 0x0004 },
		{ "behind an extension header", 3, 6, 0x0040 },
		{ "IPv4 in an error of IPv6", 3, 0, 0x4500 },
		{ "to another port, IPv6", 4, 42, 6081 },
		{ "from another port, IPv6", 4, 40, 80 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		send_to(f, cases[i].backend);
		make_too_big(f, 1330);
		put_be16(f->packet.data + error_head(f) + 8 + cases[i].off, cases[i].value);
		if (forward_error(f) != FWD_REASON_NOT_OURS)
			fail_msg("%s: reason %d", cases[i].why, f->v.reason);
	}
	send_to(f, 1);
	make_too_big(f, 1330);
	f->packet.data[ETH + 18] = f->packet.data[error_head(f) + 8 + 14] = 2;
	assert_int_equal(forward_error(f),
	                 FWD_REASON_NOT_OURS); /* both say so: no source of ours */
	f->w.t.root->source4 = (struct fwd_prefix){ 0 };
	send_to(f, 3);
	make_too_big(f, 1330);
	assert_int_equal(forward_error(f), FWD_REASON_TUNNEL_TOO_BIG);
	f->w.t.root->n_destination_buckets = 0;
	make_too_big(f, 1330);
	assert_int_equal(forward_error(f), FWD_REASON_NOT_OURS);
}

/*
 * The bytes of an IPv4 backend are those of an IPv6 address, to which no outer header of ours
 * goes.
 */
static void an_error_of_ipv6_names_no_backend_of_ipv4(void **state)
{
	static const uint32_t backends[][2] = { { 3, 1 }, { 4, 2 } }; /* of one mode each */
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(backends); i++) {
		const union fwd_addr *to = &f->w.t.backends[backends[i][1]].address;

		send_to(f, backends[i][0]);
		make_too_big(f, 1330);
		memcpy(f->packet.data + error_head(f) + 8 + 24, to, sizeof(*to));
		assert_int_equal(forward_error(f), FWD_REASON_NOT_OURS);
		assert_int_equal(f->w.t.backends[backends[i][1]].learned_mtu, 0);
	}
}

static void an_mtu_that_cannot_be_is_refused(void **state)
{
	static const struct {
		uint32_t backend, rest;
		bool taken;
	} cases[] = {
		{ 1, 0, false },
		{ 1, 67, false },
		{ 1, 68, false },
		{ 1, 575, false },
		{ 1, 576, true },
		{ 1, INNER + 19, true },
		{ 1, INNER + 20, false },
		{ 1, INNER + 21, false },
		{ 1, 0xffff, false },
		{ 1, 0xffff0000 + 1000, true }, /* the upper half is no part of it */
		{ 2, INNER + 31, true },
		{ 2, INNER + 32, false },
		{ 3, 0, false },
		{ 3, 576, false },
		{ 3, 1279, false },
		{ 3, 1280, true },
		{ 3, INNER + 39, true },
		{ 3, INNER + 40, false },
		{ 3, 0x10000 + 1300, false },
		{ 3, 0xffffffff, false },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t backend = cases[i].backend;
		uint16_t mtu = (uint16_t)cases[i].rest;

		f->w.t.backends[backend].learned_mtu = 0;
		send_to(f, backend);
		make_too_big(f, cases[i].rest);
		if (forward_error(f) != (cases[i].taken ? FWD_REASON_TUNNEL_TOO_BIG
		                                        : FWD_REASON_TUNNEL_TOO_BIG_REFUSED))
			fail_msg("backend %u, 0x%x: reason %d", backend, cases[i].rest,
			         f->v.reason);
		assert_int_equal(f->w.t.backends[backend].learned_mtu, cases[i].taken ? mtu : 0);
	}
	send_to(f, 3); /* the longest packet that IPv6 has, and an MTU that no table holds */
	put_be16(f->sent + 4, 0xffff);
	make_too_big(f, 0x10000);
	assert_int_equal(forward_error(f), FWD_REASON_TUNNEL_TOO_BIG_REFUSED);
}

static void the_least_is_kept_until_it_is_taken(void **state)
{
	static const uint16_t told[] = { 1400, 1401, 1350, 1399, 1350, 600, 1400 };
	static const uint16_t kept[] = { 1400, 1400, 1350, 1350, 1350, 600, 600 };
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(told); i++) {
		send_to(f, 1);
		make_too_big(f, told[i]);
		assert_int_equal(forward_error(f), FWD_REASON_TUNNEL_TOO_BIG);
		assert_int_equal(f->w.t.backends[1].learned_mtu, kept[i]);
	}
}

static void other_errors_are_counted_by_name(void **state)
{
	static const struct {
		uint32_t backend;
		uint8_t type, code;
		enum fwd_reason reason;
	} cases[] = {
		{ 1, 3, 0, FWD_REASON_TUNNEL_UNREACHABLE },
		{ 2, 3, 3, FWD_REASON_TUNNEL_UNREACHABLE },
		{ 1, 3, 2, FWD_REASON_TUNNEL_UNREACHABLE },
		{ 1, 11, 0, FWD_REASON_TUNNEL_EXPIRED },
		{ 2, 12, 0, FWD_REASON_TUNNEL_ERROR },
		{ 2, 4, 0, FWD_REASON_TUNNEL_ERROR },
		{ 3, 1, 0, FWD_REASON_TUNNEL_UNREACHABLE },
		{ 4, 1, 4, FWD_REASON_TUNNEL_UNREACHABLE },
		{ 3, 3, 0, FWD_REASON_TUNNEL_EXPIRED },
		{ 4, 4, 1, FWD_REASON_TUNNEL_ERROR },
		{ 1, 8, 0, FWD_REASON_NOT_OURS },
		{ 1, 5, 1, FWD_REASON_NOT_OURS },
		{ 3, 128, 0, FWD_REASON_NOT_OURS },
		{ 3, 0, 0, FWD_REASON_NOT_OURS },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		send_to(f, cases[i].backend);
		make_error(f, cases[i].type, cases[i].code, 1000, least_quote(f));
		if (forward_error(f) != cases[i].reason)
			fail_msg("type %d, code %d: reason %d", cases[i].type, cases[i].code,
			         f->v.reason);
		assert_int_equal(f->w.t.backends[cases[i].backend].learned_mtu, 0);
	}
}

/* Forged by who knows one backend and guesses at others: nothing is noted but of that one. */
static void a_flood_of_them_takes_no_room(void **state)
{
	struct fixture *f = *state;
	uint64_t sum = 0;

	send_to(f, 1);
	for (uint32_t i = 0; i < 200000; i++) {
		uint8_t *quoted;

		make_too_big(f, i % 1500);
		quoted = f->packet.data + error_head(f) + 8;
		if (i % 4)
			put_be16(quoted + 16, i & 0xffff);
		forward_error(f);
	}
	assert_int_equal(f->w.t.backends[1].learned_mtu, 576);
	for (uint32_t i = 2; i < f->w.t.n_backends; i++)
		assert_int_equal(f->w.t.backends[i].learned_mtu, 0);
	for (uint32_t i = 0; i < FWD_REASON_COUNT; i++)
		sum += f->w.t.cpus[0].reason[i];
	assert_int_equal(sum, f->w.t.cpus[0].received);
	assert_true(f->w.t.cpus[0].reason[FWD_REASON_NOT_OURS] > 149000);
}

static void destinations_are_found_by_address_and_mode(void **state)
{
	struct fixture *f = *state;
	union fwd_addr a = world_addr("10.1.0.2"), none = world_addr("10.1.0.77");
	const struct fwd_tables *t = &f->w.t;

	assert_int_equal(fwd_destination_find(t, t->root, &a, FWD_ENCAP_GUE), 2);
	assert_int_equal(fwd_destination_find(t, t->root, &a, FWD_ENCAP_IPIP), 0);
	assert_int_equal(fwd_destination_find(t, t->root, &none, FWD_ENCAP_GUE), 0);
	world_add_backend(&f->w, 6, &a, FWD_ENCAP_GUE, 7); /* of another pool: one is enough */
	world_add_backend(&f->w, 7, &a, FWD_ENCAP_IPIP, 7);
	assert_int_equal(fwd_destination_find(t, t->root, &a, FWD_ENCAP_GUE), 2);
	assert_int_equal(fwd_destination_find(t, t->root, &a, FWD_ENCAP_IPIP), 7);
	f->w.t.backends[7].encap = FWD_ENCAP_L2; /* what the table says is a hint */
	assert_int_equal(fwd_destination_find(t, t->root, &a, FWD_ENCAP_IPIP), 0);
	f->w.t.backends[2].flags = 0;
	assert_int_equal(fwd_destination_find(t, t->root, &a, FWD_ENCAP_GUE), 0);
	for (uint32_t i = 0; i < t->n_destinations; i++)
		memset(&t->destinations[i], 0xff,
		       sizeof(*t->destinations)); /* beyond all backends */
	assert_int_equal(fwd_destination_find(t, t->root, &a, FWD_ENCAP_GUE), 0);
}

/* As many as there can be, in a row: each is found, and a set is full for none. */
static void all_of_many_destinations_are_found(void **state)
{
	enum { N = 20000 };
	struct fwd_backend *backends = calloc(N, sizeof(*backends));
	uint32_t n_sets = fwd_destination_buckets(N);
	struct fwd_destinations *sets = calloc(n_sets, sizeof(*sets));

	(void)state;
	assert_non_null(backends);
	assert_non_null(sets);
	assert_int_equal(n_sets, 32768);
	for (uint32_t i = 1; i < N; i++) {
		fwd_addr_from4(&backends[i].address, fwd_be32(0x0a010000 + i));
		backends[i].flags = FWD_BACKEND_USED;
		backends[i].encap = FWD_ENCAP_GUE;
		assert_true(fwd_destination_put(sets, n_sets, backends, i));
	}
	free(sets);
	free(backends);
}

SUITE(tunnel_error)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(an_error_about_a_packet_of_each_mode_is_known),
		T(the_frame_stays_as_it_is),
		T(a_quote_cut_at_any_byte_is_left_alone),
		T(padding_is_no_quote),
		T(what_we_cannot_have_sent_is_left_alone),
		T(an_error_of_ipv6_names_no_backend_of_ipv4),
		T(an_mtu_that_cannot_be_is_refused),
		T(the_least_is_kept_until_it_is_taken),
		T(other_errors_are_counted_by_name),
		T(a_flood_of_them_takes_no_room),
		T(destinations_are_found_by_address_and_mode),
		T(all_of_many_destinations_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
