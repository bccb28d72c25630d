/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/healthcheck/tunnel_frames.h"
#include "tests/unit/suite.h"
#include "weir/fwd/decap.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static inline int decap_source_accepted(void *arg, const unsigned char source[16])
{
	static const uint8_t v4[15] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 255 };
	static const uint8_t v6[6] = { 0xfd, 0, 0, 1, 0, 0xff };

	(*(unsigned *)arg)++;
	return !memcmp(source, v4, 15) || !memcmp(source, v6, 6);
}

/* Run over an exact-size copy, so that a sanitizer sees any step beyond it. */
static enum decap_reason parse_copy(const uint8_t *bytes, size_t n, uint8_t *after, size_t *n_after)
{
	struct decap_result r = { 0 };
	unsigned n_asked = 0;
	uint8_t *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, n);
	enum decap_reason why = decap_parse(copy, copy + n, &n_asked, &r);
	size_t skip = 0;
	if (why == DECAP_IPIP || why == DECAP_GUE) {
		why = decap_finish(copy, copy + n, why, &r);
		skip = why == DECAP_IPIP || why == DECAP_GUE ? r.inner_off - 14 : 0;
	}
	if (after) {
		*n_after = n - skip;
		memcpy(after, copy + skip, n - skip);
	}
	free(copy);
	return why;
}

static void every_tunnel_comes_off_and_leaves_the_inner_packet(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_PLANS; i++) {
		struct tunnel_plan plan = nth_plan(i), bare = plan;
		struct tunnel_frame f = make_frame(&plan), want;
		uint8_t got[FRAME_MAX];
		size_t n_got = 0;

		bare.kind = TUNNEL_NONE;
		want = make_frame(&bare);
		print_message("  plan %u\n", i);
		assert_int_equal(parse_copy(f.bytes, f.n, got, &n_got),
		                 plan.kind == TUNNEL_IPIP ? DECAP_IPIP : DECAP_GUE);
		assert_int_equal(n_got, want.n);
		assert_memory_equal(got, want.bytes, want.n);
	}
}

static void padding_behind_the_outer_packet_does_no_harm(void **state)
{
	(void)state;
	struct tunnel_plan plan = { .kind = TUNNEL_IPIP, .outer4 = true, .inner4 = true };
	struct tunnel_frame f = make_frame(&plan);

	assert_int_equal(parse_copy(f.bytes, f.n + 6, NULL, NULL), DECAP_IPIP);
}

static void a_tunnel_cut_at_any_byte_is_never_taken_off(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_PLANS; i++) {
		struct tunnel_plan plan = nth_plan(i);
		struct tunnel_frame f = make_frame(&plan);
		size_t known = f.udp ? f.udp + 4 : f.outer + ip_len(plan.outer4, 0);

		for (size_t n = 0; n < f.n; n++)
			assert_int_equal(parse_copy(f.bytes, n, NULL, NULL),
			                 n < known ? DECAP_PASSED : DECAP_TRUNCATED);
	}
}

static void a_stranger_is_refused_before_anything_else_is_read(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_PLANS; i++) {
		struct tunnel_plan plan = nth_plan(i);
		struct tunnel_frame f = make_frame(&plan);

		f.bytes[f.outer + (plan.outer4 ? 14 : 9)] ^= 4;
		assert_int_equal(parse_copy(f.bytes, f.n, NULL, NULL), DECAP_SOURCE);
		assert_int_equal(parse_copy(f.bytes, f.n - 1, NULL, NULL), DECAP_SOURCE);
	}
}

enum at { AT_FRAME, AT_OUTER, AT_UDP, AT_GUE, AT_INNER };

static void each_way_to_spoil_a_tunnel_has_its_name(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		enum tunnel_kind kind;
		bool outer4, inner4;
		enum at at;
		unsigned off;
		uint8_t value;
		enum decap_reason want;
	} cases[] = {
		{ "not IP at all", TUNNEL_IPIP, 1, 1, AT_FRAME, 13, 0x06, DECAP_PASSED },
		{ "IPv6 under IPv4's ethertype", TUNNEL_IPIP, 0, 1, AT_FRAME, 12, 0x08,
		  DECAP_PASSED },
		{ "outer version 5", TUNNEL_IPIP, 1, 1, AT_OUTER, 0, 0x55, DECAP_PASSED },
		{ "outer header of 16 bytes", TUNNEL_IPIP, 1, 1, AT_OUTER, 0, 0x44, DECAP_PASSED },
		{ "TCP", TUNNEL_IPIP, 1, 1, AT_OUTER, 9, 6, DECAP_PASSED },
		{ "another UDP port", TUNNEL_GUE0, 1, 1, AT_UDP, 3, 0xc1, DECAP_PASSED },
		{ "an extension header first", TUNNEL_IPIP, 0, 1, AT_OUTER, 6, 60, DECAP_PASSED },
		{ "outer length below its header", TUNNEL_IPIP, 1, 1, AT_OUTER, 3, 19,
		  DECAP_OUTER },
		{ "outer length beyond the frame", TUNNEL_IPIP, 1, 1, AT_OUTER, 2, 1,
		  DECAP_TRUNCATED },
		{ "outer checksum", TUNNEL_IPIP, 1, 1, AT_OUTER, 8, 63, DECAP_CHECKSUM },
		{ "UDP length below its header", TUNNEL_GUE0, 1, 1, AT_UDP, 5, 7, DECAP_OUTER },
		{ "UDP length beyond the packet", TUNNEL_GUE0, 0, 1, AT_UDP, 5, 255, DECAP_OUTER },
		{ "GUE variant 2", TUNNEL_GUE0, 1, 1, AT_GUE, 0, 0x80, DECAP_GUE_HEADER },
		{ "GUE variant 3", TUNNEL_GUE0, 1, 1, AT_GUE, 0, 0xc0, DECAP_GUE_HEADER },
		{ "GUE control message", TUNNEL_GUE0, 1, 1, AT_GUE, 0, 0x20, DECAP_GUE_HEADER },
		{ "GUE with options", TUNNEL_GUE0, 1, 1, AT_GUE, 0, 0x01, DECAP_OWNERS_VERSION },
		{ "GUE with more options than bytes", TUNNEL_GUE0, 1, 1, AT_GUE, 0, 0x1f,
		  DECAP_OUTER },
		{ "GUE with a flag", TUNNEL_GUE0, 0, 0, AT_GUE, 3, 0x01, DECAP_GUE_HEADER },
		{ "GUE with another flag", TUNNEL_GUE0, 0, 0, AT_GUE, 2, 0x80, DECAP_GUE_HEADER },
		{ "GUE with TCP inside", TUNNEL_GUE0, 1, 1, AT_GUE, 1, 6, DECAP_GUE_HEADER },
		{ "GUE variant 1, IP version 5", TUNNEL_GUE1, 1, 1, AT_GUE, 0, 0x55,
		  DECAP_GUE_HEADER },
		{ "IPv6 inside protocol 4", TUNNEL_IPIP, 1, 1, AT_INNER, 0, 0x65, DECAP_INNER },
		{ "IPv4 inside protocol 41", TUNNEL_IPIP, 1, 0, AT_INNER, 0, 0x4a, DECAP_INNER },
		{ "inner header of 16 bytes", TUNNEL_IPIP, 1, 1, AT_INNER, 0, 0x44, DECAP_INNER },
		{ "inner length below its header", TUNNEL_IPIP, 1, 1, AT_INNER, 3, 19,
		  DECAP_INNER },
		{ "inner length beyond the outer", TUNNEL_IPIP, 1, 1, AT_INNER, 3, 45,
		  DECAP_INNER },
		{ "inner IPv6 beyond the outer", TUNNEL_GUE0, 0, 0, AT_INNER, 5, 25, DECAP_INNER },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct tunnel_plan plan = { .kind = cases[i].kind,
			                    .outer4 = cases[i].outer4,
			                    .inner4 = cases[i].inner4,
			                    .payload_len = 24 };
		struct tunnel_frame f = make_frame(&plan);
		size_t base[] = { 0, f.outer, f.udp, f.gue, f.inner };

		print_message("  %s\n", cases[i].why);
		f.bytes[base[cases[i].at] + cases[i].off] = cases[i].value;
		if (cases[i].at == AT_FRAME && cases[i].off == 12)
			f.bytes[13] = 0;
		if (cases[i].at == AT_OUTER && cases[i].outer4 && cases[i].want == DECAP_OUTER)
			fix_sum4(f.bytes + f.outer);
		assert_int_equal(parse_copy(f.bytes, f.n, NULL, NULL), cases[i].want);
	}
}

static void an_inner_packet_shorter_than_its_header_is_dropped(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_PLANS; i++) {
		struct tunnel_plan plan = nth_plan(i);
		struct tunnel_frame f = make_frame(&plan);
		unsigned want = ip_len(plan.inner4, 0) - 1;
		unsigned len = (unsigned)(f.inner - f.outer) + want;

		put_be16(f.bytes + f.outer + (plan.outer4 ? 2 : 4), plan.outer4 ? len : len - 40);
		if (plan.outer4)
			fix_sum4(f.bytes + f.outer);
		if (f.udp)
			put_be16(f.bytes + f.udp + 4, (unsigned)(f.inner - f.udp) + want);
		assert_int_equal(parse_copy(f.bytes, f.n, NULL, NULL), DECAP_INNER);
	}
}

static void outer_fragments_are_dropped_and_later_udp_ones_pass(void **state)
{
	(void)state;
	static const struct {
		enum tunnel_kind kind;
		unsigned field;
		enum decap_reason want;
	} cases[] = {
		{ TUNNEL_IPIP, 0x2000, DECAP_FRAGMENT }, { TUNNEL_IPIP, 0x0001, DECAP_FRAGMENT },
		{ TUNNEL_IPIP, 0x3fff, DECAP_FRAGMENT }, { TUNNEL_IPIP, 0x4000, DECAP_IPIP },
		{ TUNNEL_IPIP, 0x8000, DECAP_IPIP },     { TUNNEL_GUE0, 0x2000, DECAP_FRAGMENT },
		{ TUNNEL_GUE0, 0x0001, DECAP_PASSED },   { TUNNEL_GUE0, 0x2001, DECAP_PASSED },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct tunnel_plan plan = { .kind = cases[i].kind, .outer4 = true, .inner4 = true };
		struct tunnel_frame f = make_frame(&plan);

		put_be16(f.bytes + f.outer + 6, cases[i].field);
		fix_sum4(f.bytes + f.outer);
		assert_int_equal(parse_copy(f.bytes, f.n, NULL, NULL), cases[i].want);
	}
}

/* RFC 6040, figure 4; -1: drop. Rows: inner; columns: outer Not-ECT, ECT(1), ECT(0), CE. */
static void congestion_marks_combine_as_in_rfc_6040(void **state)
{
	(void)state;
	static const int want[4][4] = {
		{ 0, 0, 0, -1 }, /* inner Not-ECT */
		{ 1, 1, 1, 3 },  /* inner ECT(1) */
		{ 2, 1, 2, 3 },  /* inner ECT(0) */
		{ 3, 3, 3, 3 },  /* inner CE */
	};

	for (unsigned i = 0; i < 16 * 4; i++) {
		unsigned inner = i & 3, outer = i >> 2 & 3;
		struct tunnel_plan plan = { .kind = TUNNEL_IPIP,
			                    .outer4 = i >> 4 & 1,
			                    .inner4 = i >> 5 & 1,
			                    .outer_ecn = outer,
			                    .inner_ecn = inner };
		struct tunnel_plan bare = plan;
		struct tunnel_frame f = make_frame(&plan), expect;
		uint8_t got[FRAME_MAX];
		size_t n_got = 0;
		enum decap_reason why = parse_copy(f.bytes, f.n, got, &n_got);

		assert_int_equal(why, want[inner][outer] < 0 ? DECAP_ECN : DECAP_IPIP);
		if (want[inner][outer] < 0)
			continue;
		bare.kind = TUNNEL_NONE;
		bare.inner_ecn = (unsigned)want[inner][outer];
		expect = make_frame(&bare);
		assert_int_equal(n_got, expect.n);
		assert_memory_equal(got, expect.bytes, expect.n);
	}
}

SUITE(decap)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tunnel_cut_at_any_byte_is_never_taken_off),
		cmocka_unit_test(each_way_to_spoil_a_tunnel_has_its_name),
		cmocka_unit_test(an_inner_packet_shorter_than_its_header_is_dropped),
		cmocka_unit_test(a_stranger_is_refused_before_anything_else_is_read),
		cmocka_unit_test(outer_fragments_are_dropped_and_later_udp_ones_pass),
		cmocka_unit_test(congestion_marks_combine_as_in_rfc_6040),
		cmocka_unit_test(padding_behind_the_outer_packet_does_no_harm),
		cmocka_unit_test(every_tunnel_comes_off_and_leaves_the_inner_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
