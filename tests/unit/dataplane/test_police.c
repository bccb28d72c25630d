/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/dpdk/police.h"
#include "dataplane/dpdk/spread.h"
#include "tests/unit/suite.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define FRAME_MAX 128
#define SECOND    1000000000ull

enum { ARP = 0x0806, IP4 = 0x0800, IP6 = 0x86dd };

/* A frame of @p vlans tags with the transport's first bytes: ports, or type and code. */
struct frame {
	uint8_t bytes[FRAME_MAX];
	size_t n;
};

static void put_bytes(struct frame *f, const void *bytes, size_t n)
{
	assert_true(f->n + n <= FRAME_MAX);
	memcpy(f->bytes + f->n, bytes, n);
	f->n += n;
}

static void put_be16(struct frame *f, unsigned value)
{
	put_bytes(f, (uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

static struct frame make_frame(unsigned type, unsigned vlans, uint8_t protocol, unsigned fragment,
                               unsigned a, unsigned b, uint8_t flags)
{
	struct frame f = { { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 }, 12 };

	for (unsigned i = 0; i < vlans; i++) {
		put_be16(&f, i + 1 < vlans ? 0x88a8 : 0x8100);
		put_be16(&f, 100);
	}
	put_be16(&f, type);
	if (type == IP4) {
		put_bytes(&f, (uint8_t[]){ 0x45,
		                           0,
		                           0,
		                           60,
		                           0,
		                           0,
		                           (uint8_t)(fragment >> 8),
		                           (uint8_t)fragment,
		                           64,
		                           protocol,
		                           0,
		                           0,
		                           192,
		                           0,
		                           2,
		                           1,
		                           192,
		                           0,
		                           2,
		                           2 },
		          20);
	} else if (type == IP6) {
		put_bytes(&f,
		          (uint8_t[40]){ 0x60, 0, 0, 0, 0, 40, protocol, 64, 0x20, 1, 0xd, 0xb8 },
		          40);
	}
	put_be16(&f, a);
	put_be16(&f, b);
	put_bytes(&f, (uint8_t[20]){ [9] = flags }, 20);
	return f;
}

struct kind {
	const char *why;
	unsigned type;
	uint8_t protocol;
	unsigned fragment, a, b;
	uint8_t flags;
	enum police_class class;
};

static const struct kind kinds[] = {
	{ "ARP", ARP, 0, 0, 0, 0, 0, POLICE_NEIGHBOUR },
	{ "BGP to us", IP4, 6, 0, 40000, 179, 0x10, POLICE_BGP },
	{ "BGP to us, the answer to our SYN", IP6, 6, 0, 179, 40000, 0x12, POLICE_BGP },
	{ "a SYN to BGP", IP4, 6, 0, 40000, 179, 0x02, POLICE_BGP_OPEN },
	{ "a SYN to BGP, IPv6, with ECN's bits", IP6, 6, 0, 40000, 179, 0xc2, POLICE_BGP_OPEN },
	{ "ssh", IP4, 6, 0, 40000, 22, 0x18, POLICE_TCP },
	{ "a SYN to ssh", IP6, 6, 0, 40000, 22, 0x02, POLICE_TCP_OPEN },
	{ "BFD", IP4, 17, 0, 49152, 3784, 0, POLICE_BFD },
	{ "BFD over several hops", IP6, 17, 0, 49152, 4784, 0, POLICE_BFD },
	{ "BFD's echo", IP4, 17, 0, 49152, 3785, 0, POLICE_BFD },
	{ "BFD of a link of a bundle", IP4, 17, 0, 49152, 6784, 0, POLICE_BFD },
	{ "from BFD's port to another", IP4, 17, 0, 3784, 53, 0, POLICE_OTHER },
	{ "a ping", IP4, 1, 0, 0x0800, 0, 0, POLICE_ICMP },
	{ "a ping, IPv6", IP6, 58, 0, 128 << 8, 0, 0, POLICE_ICMP },
	{ "a neighbour solicitation", IP6, 58, 0, 135 << 8, 0, 0, POLICE_NEIGHBOUR },
	{ "a router solicitation, the first of ND", IP6, 58, 0, 133 << 8, 0, 0, POLICE_NEIGHBOUR },
	{ "a redirect, the last of ND", IP6, 58, 0, 137 << 8, 0, 0, POLICE_NEIGHBOUR },
	{ "a listener's message before ND", IP6, 58, 0, 132 << 8, 0, 0, POLICE_ICMP },
	{ "renumbering, behind ND", IP6, 58, 0, 138 << 8, 0, 0, POLICE_ICMP },
	{ "BGP from its port", IP6, 6, 0, 179, 40000, 0x10, POLICE_BGP },
	{ "a port beside BGP's", IP4, 6, 0, 180, 178, 0x10, POLICE_TCP },
	{ "a port beside BFD's", IP4, 17, 0, 49152, 3783, 0, POLICE_OTHER },
	{ "a reset", IP4, 6, 0, 40000, 22, 0x04, POLICE_TCP },
	{ "a later fragment whose bytes look like BGP", IP4, 6, 1, 40000, 179, 0x10, POLICE_OTHER },
	{ "a fragment far behind", IP4, 6, 0x1000, 40000, 179, 0x10, POLICE_OTHER },
	{ "the first fragment, of BGP", IP4, 6, 0x2000, 40000, 179, 0x10, POLICE_BGP },
	{ "not to be fragmented", IP4, 6, 0x4000, 40000, 179, 0x10, POLICE_BGP },
	{ "OSPF", IP4, 89, 0, 0, 0, 0, POLICE_OTHER },
	{ "LLDP", 0x88cc, 0, 0, 0, 0, 0, POLICE_OTHER },
};

static void each_class_is_known_with_and_without_tags(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++)
		for (unsigned vlans = 0; vlans <= 2; vlans++) {
			const struct kind *k = &kinds[i];
			struct frame f = make_frame(k->type, vlans, k->protocol, k->fragment, k->a,
			                            k->b, k->flags);

			if (police_class(f.bytes, f.n) != k->class)
				fail_msg("%s, %u tags: %s", k->why, vlans,
				         police_labels[police_class(f.bytes, f.n)]);
		}
}

/* Three tags are no frame that the kernel is asked about. */
static void tags_are_looked_through_two_deep(void **state)
{
	struct frame f = make_frame(IP4, 3, 6, 0, 40000, 179, 0x10);

	(void)state;
	assert_int_equal(police_class(f.bytes, f.n), POLICE_OTHER);
}

/* In an exact-size heap copy, so that a sanitizer sees a read beyond the end. */
static void a_frame_cut_anywhere_is_not_read_beyond_its_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		const struct kind *k = &kinds[i];
		struct frame f =
		        make_frame(k->type, 2, k->protocol, k->fragment, k->a, k->b, k->flags);

		for (size_t n = 0; n <= f.n; n++) {
			uint8_t *copy = malloc(n ? n : 1);

			assert_non_null(copy);
			memcpy(copy, f.bytes, n);
			assert_true(police_class(copy, n) < POLICE_COUNT);
			(void)spread_hash(copy, n);
			free(copy);
		}
	}
}

static unsigned read_taken(struct police *p, enum police_class class, unsigned tries,
                           uint64_t now_ns)
{
	unsigned n = 0;

	for (unsigned i = 0; i < tries; i++)
		n += police_spend(p, class, now_ns);
	return n;
}

static void a_flood_gets_its_burst_and_then_its_rate(void **state)
{
	(void)state;
	struct police p;
	unsigned n = 0;

	police_init(&p, SECOND);
	assert_int_equal(read_taken(&p, POLICE_ICMP, 100000, SECOND), 200);
	for (unsigned ms = 1; ms <= 10000; ms++)
		n += read_taken(&p, POLICE_ICMP, 100, SECOND + ms * 1000000ull);
	assert_in_range(n, 9990, 10010); /* ten seconds at 1,000 a second */
}

static void a_flood_of_one_class_costs_no_other(void **state)
{
	(void)state;
	struct police p;

	police_init(&p, SECOND);
	for (int c = 0; c < POLICE_COUNT; c++)
		if (c != POLICE_BGP)
			(void)read_taken(&p, (enum police_class)c, 1000000, SECOND);
	assert_int_equal(read_taken(&p, POLICE_BGP, 4000, SECOND), 4000);
}

static void long_silence_gives_no_more_than_a_burst(void **state)
{
	(void)state;
	struct police p;

	police_init(&p, 0);
	assert_int_equal(read_taken(&p, POLICE_TCP_OPEN, 1000000, 1000000 * SECOND), 200);
}

static void frames_of_a_flow_have_one_hash_and_flows_spread(void **state)
{
	(void)state;
	unsigned halves[2] = { 0, 0 };

	for (unsigned port = 0; port < 4096; port++) {
		struct frame a = make_frame(port & 1 ? IP4 : IP6, 0, 6, 0, 1024 + port, 443, 0x02),
		             b = make_frame(port & 1 ? IP4 : IP6, 0, 6, 0, 1024 + port, 443, 0x10);

		b.bytes[port & 1 ? 14 + 8 : 14 + 7]--; /* TTL */
		assert_int_equal(spread_hash(a.bytes, a.n), spread_hash(b.bytes, b.n));
		halves[spread_hash(a.bytes, a.n) >> 31]++;
	}
	assert_in_range(halves[0], 1800, 2296);
}

static void fragments_of_a_packet_stay_together(void **state)
{
	(void)state;
	struct frame first = make_frame(IP4, 0, 17, 0x2000, 1, 2, 0),
	             later = make_frame(IP4, 0, 17, 100, 9, 9, 0);

	assert_int_equal(spread_hash(first.bytes, first.n), spread_hash(later.bytes, later.n));
	for (unsigned bit = 1; bit <= 0x1000; bit <<= 1) { /* each bit of the offset */
		later = make_frame(IP4, 0, 17, bit, 9, 9, 0);
		assert_int_equal(spread_hash(first.bytes, first.n),
		                 spread_hash(later.bytes, later.n));
	}
	/* "do not fragment" is no fragment: its ports count */
	first = make_frame(IP4, 0, 17, 0x4000, 1, 2, 0);
	later = make_frame(IP4, 0, 17, 0x4000, 9, 9, 0);
	assert_int_not_equal(spread_hash(first.bytes, first.n), spread_hash(later.bytes, later.n));
}

SUITE(police)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_class_is_known_with_and_without_tags),
		cmocka_unit_test(tags_are_looked_through_two_deep),
		cmocka_unit_test(a_frame_cut_anywhere_is_not_read_beyond_its_end),
		cmocka_unit_test(a_flood_gets_its_burst_and_then_its_rate),
		cmocka_unit_test(a_flood_of_one_class_costs_no_other),
		cmocka_unit_test(long_silence_gives_no_more_than_a_burst),
		cmocka_unit_test(frames_of_a_flow_have_one_hash_and_flows_spread),
		cmocka_unit_test(fragments_of_a_packet_stay_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
