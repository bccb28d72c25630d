/* SPDX-License-Identifier: BSD-2-Clause */
/* What is judged of a frame before its flow: whose it is, who can have sent it, who chose its route. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fwd/world.h"
#include "tests/unit/fwd/frames.h"
#include "tests/unit/fwd/small.h"
#include "tests/unit/fwd/test_frame.h"
#include "tests/unit/suite.h"
#include "weir/fwd/rewrite.h"

#define ROOM 64u

static int set_up(void **state)
{
	static struct world w;

	small_world(&w);
	world_add_service(&w, "192.0.2.80", 80, FWD_PROTO_TCP, 0, 0);
	world_add_service(&w, "2001:db8:80::80", 80, FWD_PROTO_TCP, 0, 0);
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	world_fini(*state);
	return 0;
}

/** Frames that a VIP takes, each for another reason. */
static const struct {
	const char *hex;
	enum fwd_reason reason;
} taken[] = {
	{ TCP4, FWD_REASON_FORWARDED },       { TCP4_VLAN, FWD_REASON_FORWARDED },
	{ UDP4, FWD_REASON_FORWARDED },       { TCP6, FWD_REASON_FORWARDED },
	{ ECHO4, FWD_REASON_ECHO_REPLIED },   { ECHO6, FWD_REASON_ECHO_REPLIED },
	{ ERROR4, FWD_REASON_ICMP_RELAYED },  { ERROR6, FWD_REASON_ICMP_RELAYED },
	{ NEIGHBOUR6, FWD_REASON_NEIGHBOUR },
};

/** Forward @p hex after @p n bytes at @p off were set; by both ways. @return the reason */
static enum fwd_reason forward_edited(struct world *w, const char *hex, size_t off,
                                      const void *bytes, size_t n, bool *untouched)
{
	struct test_frame f = frame_of(hex, ROOM), g = frame_of(hex, ROOM);
	size_t len = (size_t)(f.packet.end - f.packet.data);
	struct fwd_verdict v, burst;

	memcpy(f.packet.data + off, bytes, n);
	memcpy(g.packet.data + off, bytes, n);
	world_forward_burst(w, &g.packet, 1, 1, &burst);
	world_forward(w, &f.packet, 1, &v);
	assert_int_equal(v.reason, burst.reason);
	if (untouched) {
		struct test_frame same = frame_of(hex, ROOM);

		memcpy(same.packet.data + off, bytes, n);
		*untouched = (size_t)(f.packet.end - f.packet.data) == len &&
		             !memcmp(f.packet.data, same.packet.data, len) &&
		             !memcmp(g.packet.data, same.packet.data, len);
		free(same.memory);
	}
	free(f.memory);
	free(g.memory);
	return v.reason;
}

static void a_frame_for_us_is_answered_from_where_it_was_sent_to(void **state)
{
	struct test_frame f = frame_of(ECHO4, 0);
	struct fwd_verdict v;

	assert_int_equal(world_forward(*state, &f.packet, 1, &v), FWD_REASON_ECHO_REPLIED);
	assert_frame(&f.packet, ECHO4_REPLY);
	free(f.memory);
}

static void assert_all(struct world *w, const uint8_t mac[6], bool ours, enum fwd_reason otherwise)
{
	for (size_t i = 0; i < COUNT(taken); i++) {
		bool untouched;
		enum fwd_reason r = forward_edited(w, taken[i].hex, 0, mac, 6, &untouched);

		if (r != (ours ? taken[i].reason : otherwise))
			fail_msg("frame %zu to %02x:...:%02x: reason %d", i, mac[0], mac[5], r);
		assert_true(ours || untouched);
	}
}

static void a_frame_for_the_mac_address_of_another_host_goes_on_untouched(void **state)
{
	static const uint8_t others[][6] = {
		{ 2, 0xaa, 0, 0, 0, 2 }, { 2, 0xaa, 0, 0, 0, 0 }, { 0, 0xaa, 0, 0, 0, 1 },
		{ 2, 0xab, 0, 0, 0, 1 }, { 2, 0xaa, 0, 0, 1, 1 }, { 0, 0, 0, 0, 0, 0 },
	};

	for (size_t i = 0; i < COUNT(others); i++)
		assert_all(*state, others[i], false, FWD_REASON_OTHER_MAC);
}

static void no_vip_takes_a_frame_to_a_group(void **state)
{
	static const uint8_t groups[][6] = {
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		{ 1, 0, 0x5e, 0, 0, 1 },
		{ 0x33, 0x33, 0, 0, 0, 1 },
		{ 3, 0xaa, 0, 0, 0, 1 },
	};

	for (size_t i = 0; i < COUNT(groups); i++)
		assert_all(*state, groups[i], false, FWD_REASON_GROUP_MAC);
}

/* An answer would go to the group. */
static void no_vip_takes_a_frame_from_a_group(void **state)
{
	static const uint8_t groups[][6] = {
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		{ 1, 0, 0x5e, 0, 0, 1 },
		{ 3, 0xaa, 0, 0, 0, 1 },
	};
	static const uint8_t nobody[] = { 198, 51, 100, 77 };

	for (size_t i = 0; i < COUNT(groups) * COUNT(taken); i++) {
		bool untouched;
		enum fwd_reason r = forward_edited(*state, taken[i % COUNT(taken)].hex, 6,
		                                   groups[i / COUNT(taken)], 6, &untouched);

		assert_int_equal(r, FWD_REASON_GROUP_MAC);
		assert_true(untouched);
	}
	assert_int_equal(forward_edited(*state, TCP4, 30, nobody, 4, NULL), FWD_REASON_NOT_OURS);
}

static void what_is_for_no_vip_goes_to_the_kernel_from_a_group_as_well(void **state)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	uint8_t to_all[40] = { 0 };
	struct test_frame f = frame_of(TCP4, 0);

	memcpy(to_all, f.packet.data, sizeof(to_all));
	memcpy(to_all, all, sizeof(all));
	memset(to_all + 30, 0xff, 4); /* DHCP is like this */
	free(f.memory);
	assert_int_equal(forward_edited(*state, TCP4, 0, to_all, sizeof(to_all), NULL),
	                 FWD_REASON_NOT_OURS);
	assert_int_equal(forward_edited(*state, ARP, 0, all, sizeof(all), NULL), FWD_REASON_NOT_IP);
}

static void each_mac_address_of_a_port_is_its_own_and_of_no_other_port(void **state)
{
	struct world *w = *state;
	uint8_t mac[6] = { 2, 0xcc, 0, 0, 0, 0 };

	for (mac[5] = 0; mac[5] < 100; mac[5]++)
		world_add_mac(w, mac, mac[5] % 2 ? WORLD_INGRESS : 7);
	for (mac[5] = 0; mac[5] < 100; mac[5]++) {
		assert_all(w, mac, mac[5] % 2, FWD_REASON_OTHER_MAC);
		w->t.ingress = 7;
		assert_all(w, mac, mac[5] % 2 == 0, FWD_REASON_OTHER_MAC);
		w->t.ingress = WORLD_INGRESS;
	}
}

static void a_frame_too_short_for_an_address_is_none_of_them(void **state)
{
	struct world *w = *state;

	for (size_t n = 0; n < FWD_ETH_LEN; n++) {
		uint8_t *exact = malloc(n ? n : 1);
		struct fwd_packet packet = { exact, exact + n, exact };
		struct fwd_verdict v;

		assert_non_null(exact);
		memset(exact, 0xff, n);
		assert_int_equal(world_forward(w, &packet, 1, &v), FWD_REASON_NOT_IP);
		free(exact);
	}
}

static void nothing_is_taken_from_who_can_be_no_host(void **state)
{
	static const struct {
		const char *source;
		bool martian;
	} cases[] = {
		{ "224.0.0.1", true },
		{ "239.255.255.255", true },
		{ "255.255.255.255", true },
		{ "127.0.0.1", true },
		{ "127.255.0.9", true },
		{ "0.0.0.0", true },
		{ "ff02::1", true },
		{ "ff00::", true },
		{ "::", true },
		{ "::1", true },
		{ "10.0.0.1", false },
		{ "172.16.0.1", false },
		{ "192.168.1.1", false },
		{ "100.64.0.1", false },
		{ "169.254.1.1", false },
		{ "0.0.0.1", false },
		{ "240.0.0.1", false },
		{ "255.255.255.254", false },
		{ "1.0.0.0", false },
		{ "126.255.255.255", false },
		{ "128.0.0.0", false },
		{ "223.255.255.255", false },
		{ "fc00::1", false },
		{ "fe80::1", false },
		{ "::2", false },
		{ "1::1", false },
		{ "fe00::", false },
		{ "::1:0:0:0", false },
	};
	static const char *const frames4[] = { TCP4, UDP4, ECHO4, ERROR4 };
	static const char *const frames6[] = { TCP6, TCP6, ECHO6, ERROR6 };

	for (size_t i = 0; i < COUNT(cases); i++) {
		union fwd_addr a = world_addr(cases[i].source);
		bool is4 = fwd_addr_is4(&a);

		for (size_t k = 0; k < COUNT(frames4); k++) {
			enum fwd_reason r =
			        forward_edited(*state, is4 ? frames4[k] : frames6[k], is4 ? 26 : 22,
			                       a.bytes + (is4 ? 12 : 0), is4 ? 4 : 16, NULL);

			if (cases[i].martian != (r == FWD_REASON_MARTIAN) ||
			    cases[i].martian == (fwd_reason_kind(r) == FWD_KIND_TX))
				fail_msg("%s, frame %zu: reason %d", cases[i].source, k, r);
		}
	}
}

static void an_ipv4_address_mapped_into_ipv6_is_no_vip(void **state)
{
	union fwd_addr vip = world_addr("192.0.2.80");
	static const char *const frames[] = { TCP6, ECHO6, ERROR6, NEIGHBOUR6 };

	for (size_t i = 0; i < COUNT(frames); i++) {
		bool untouched;

		assert_int_equal(forward_edited(*state, frames[i], 38, vip.bytes, 16, &untouched),
		                 FWD_REASON_NOT_OURS);
		assert_true(untouched);
	}
}

/* Neither one of a client nor the VIP's own. */
static void an_ipv4_address_mapped_into_ipv6_is_no_sender(void **state)
{
	static const char *const sources[] = { "192.0.2.80", "203.0.113.9", "0.0.0.0" };
	static const char *const frames[] = { TCP6, ECHO6, ERROR6 };

	for (size_t i = 0; i < COUNT(sources) * COUNT(frames); i++) {
		union fwd_addr a = world_addr(sources[i / COUNT(frames)]);

		assert_int_equal(
		        forward_edited(*state, frames[i % COUNT(frames)], 22, a.bytes, 16, NULL),
		        FWD_REASON_MARTIAN);
	}
}

/** TCP4 with @p n_options bytes of options. @return the reason */
static enum fwd_reason forward_with_options(struct world *w, const uint8_t *options, uint8_t n)
{
	struct test_frame f = frame_of(TCP4, ROOM);
	size_t len = (size_t)(f.packet.end - f.packet.data) + n;
	uint8_t *memory = malloc(ROOM + len), *data = memory + ROOM;
	struct fwd_packet packet = { data, data + len, memory };
	struct fwd_verdict v;

	assert_non_null(memory);
	memcpy(data, f.packet.data, 34);
	memcpy(data + 34, options, n);
	memcpy(data + 34 + n, f.packet.data + 34, len - 34 - n);
	data[14] = (uint8_t)(0x45 + n / 4);
	data[17] = (uint8_t)(data[17] + n);
	world_forward(w, &packet, 1, &v);
	free(f.memory);
	free(memory);
	return v.reason;
}

static void a_route_that_the_sender_prescribes_is_refused(void **state)
{
	static const struct {
		const char *why;
		uint8_t bytes[40], n;
		bool routed;
	} cases[] = {
		{ "loose", { 131, 7, 4, 10, 0, 0, 1, 0 }, 8, true },
		{ "strict", { 137, 7, 4, 10, 0, 0, 1, 0 }, 8, true },
		{ "used up", { 131, 7, 8, 10, 0, 0, 1, 0 }, 8, true },
		{ "behind others", { 1, 1, 148, 4, 0, 0, 1, 131, 3, 4 }, 12, true },
		{ "with a length of nothing", { 131, 0, 0, 0 }, 4, true },
		{ "last of all",
		  { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,   1,
		    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 137, 3 },
		  40,
		  true },
		{ "one byte, which is no option", { 1, 1, 1, 131 }, 4, false },
		{ "behind the end of the options", { 0, 131, 3, 4 }, 4, false },
		{ "within another option", { 148, 4, 131, 3 }, 4, false },
		{ "router alert", { 148, 4, 0, 0 }, 4, false },
		{ "record route", { 7, 7, 4, 0, 0, 0, 0, 0 }, 8, false },
		{ "an option longer than all", { 148, 9, 131, 3 }, 4, false },
		{ "an option of no length", { 148, 0, 131, 3 }, 4, false },
		{ "nothing", { 1, 1, 1, 1 }, 4, false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		enum fwd_reason r = forward_with_options(*state, cases[i].bytes, cases[i].n);

		if (r != (cases[i].routed ? FWD_REASON_SOURCE_ROUTE : FWD_REASON_FORWARDED))
			fail_msg("%s: reason %d", cases[i].why, r);
	}
}

static void a_quote_cut_before_padding_is_too_little_at_each_byte(void **state)
{
	struct world *w = *state;

	for (unsigned is6 = 0; is6 < 2; is6++) {
		size_t head = is6 ? 62 : 42, least = is6 ? 44 : 24;

		for (size_t n = 0; n < least; n++) {
			struct test_frame f = frame_of(is6 ? ERROR6 : ERROR4, ROOM);
			size_t len = (size_t)(f.packet.end - f.packet.data);
			struct fwd_verdict v;

			memset(f.packet.data + head + n, 0, len - head - n);
			f.packet.data[is6 ? 19 : 17] = (uint8_t)(is6 ? 8 + n : 28 + n);
			world_forward(w, &f.packet, 1, &v);
			if (v.reason != FWD_REASON_ICMP_QUOTE)
				fail_msg("IPv%d, %zu bytes: reason %d", is6 ? 6 : 4, n, v.reason);
			free(f.memory);
		}
	}
}

/** The checksum of @p n bytes, as a receiver that reckons it anew. */
static uint16_t sum_of(const uint8_t *at, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)at[i] << (i % 2 ? 0 : 8);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

/** Answer an echo request of @p n bytes at @p message. @return the reply's checksum, in host order */
static uint16_t answer_echo(struct world *w, uint8_t *message, size_t n)
{
	struct test_frame f = frame_of(ECHO4, 0);
	uint8_t *data = calloc(1, 34 + n + 1);
	struct fwd_packet packet = { data, data + 34 + n + 1, data };
	struct fwd_verdict v;
	uint16_t sum, right;

	assert_non_null(data);
	memcpy(data, f.packet.data, 34);
	put_be16(data + 16, (uint32_t)(20 + n));
	put_be16(message + 2, 0);
	put_be16(message + 2, sum_of(message, n));
	memcpy(data + 34, message, n);
	data[34 + n] = 0xee; /* padding */
	assert_int_equal(world_forward(w, &packet, 1, &v), FWD_REASON_ECHO_REPLIED);
	sum = (uint16_t)get_be16(data + 36);
	put_be16(data + 36, 0);
	right = sum_of(data + 34, n);
	assert_int_equal(sum, right);
	free(data);
	free(f.memory);
	return sum;
}

static void the_checksum_of_an_echo_reply_is_as_reckoned_anew(void **state)
{
	static const size_t lengths[] = { 8, 9, 10, 11, 15, 16, 17, 23, 64, 65, 1480, 4100 };
	uint8_t message[4104];

	for (size_t i = 0; i < COUNT(lengths); i++) {
		memset(message, 0, sizeof(message));
		message[0] = 8;
		assert_int_equal(answer_echo(*state, message, lengths[i]), 0xffff);
	}
	/* All words' sum is the second zero: only what is not zero anywhere tells it from the first. */
	for (size_t at = 4; at < 24; at += 2) {
		memset(message, 0, sizeof(message));
		message[0] = 8;
		put_be16(message + at, 0xffff);
		assert_int_equal(answer_echo(*state, message, at < 6 ? 8 : at + 2), 0);
		assert_int_equal(answer_echo(*state, message, 40), 0);
	}
	for (uint32_t id = 0; id < 65536; id += 257) {
		memset(message, 0, sizeof(message));
		message[0] = 8;
		put_be16(message + 4, id);
		put_be16(message + 6, ~id);
		answer_echo(*state, message, 8);
		put_be16(message + 6, id * 31);
		answer_echo(*state, message, 21);
	}
}

SUITE(ingress)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_frame_for_us_is_answered_from_where_it_was_sent_to),
		T(a_frame_for_the_mac_address_of_another_host_goes_on_untouched),
		T(no_vip_takes_a_frame_to_a_group),
		T(no_vip_takes_a_frame_from_a_group),
		T(what_is_for_no_vip_goes_to_the_kernel_from_a_group_as_well),
		T(each_mac_address_of_a_port_is_its_own_and_of_no_other_port),
		T(a_frame_too_short_for_an_address_is_none_of_them),
		T(nothing_is_taken_from_who_can_be_no_host),
		T(an_ipv4_address_mapped_into_ipv6_is_no_vip),
		T(an_ipv4_address_mapped_into_ipv6_is_no_sender),
		T(a_route_that_the_sender_prescribes_is_refused),
		T(a_quote_cut_before_padding_is_too_little_at_each_byte),
		T(the_checksum_of_an_echo_reply_is_as_reckoned_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
