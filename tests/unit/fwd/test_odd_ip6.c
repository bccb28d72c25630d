/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Odd IPv6 frames, at most four oddities in each: tags, chains of extension headers, hop limits, lengths that lie, ICMPv6,
 * transports cut short. One by one (by the fast path, if it takes it), by the general stages alone, and as a burst all must
 * become the same. What is forwarded must be the packet itself, whole but for its hop limit, in a sound outer header: that is
 * checked here by other code than what wrote it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fwd/world.h"
#include "tests/unit/suite.h"
#include "weir/fwd/forward.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define ROOM      96u
#define FRAME_MAX 1600u
#define MOST_ODD  4

enum { ONE_BY_ONE, LONG_WAY, BURST, WAYS };

struct frame {
	uint8_t bytes[FRAME_MAX];
	size_t len, ip_off;
};

/* What an extension header of eight bytes is: its kind, and what it has behind its length. */
struct extension {
	uint8_t kind, rest[6];
};

#define EXTENSION(k, ...)                                                                          \
	{                                                                                          \
		.kind = k, .rest = { __VA_ARGS__ }                                                 \
	}
#define OPTIONS(k) EXTENSION(k, 1, 4) /* one, which says nothing */
#define LAST                                                                                       \
	{                                                                                          \
		.kind = 255                                                                        \
	}

static const struct extension chains[][8] = {
	{ LAST },
	{ OPTIONS(0), LAST },
	{ OPTIONS(60), LAST },
	{ EXTENSION(0, 0xc2, 4, 0, 1, 0xff, 0xff), LAST }, /* a jumbogram (RFC 2675) */
	{ EXTENSION(43, 0, 0), LAST },                     /* the route ends here */
	{ EXTENSION(43, 0, 1), LAST },                     /* it does not */
	{ EXTENSION(44, 0, 0, 0, 0, 0, 7), LAST },         /* the whole packet (RFC 6946) */
	{ EXTENSION(44, 0, 1, 0, 0, 0, 7), LAST },         /* the first of several */
	{ EXTENSION(44, 8, 0, 0, 0, 0, 7), LAST },         /* a later one */
	{ EXTENSION(44, 0, 6, 0, 0, 0, 7), LAST },         /* reserved bits */
	{ EXTENSION(44, 0, 0, 0, 0, 0, 7), EXTENSION(44, 0, 1, 0, 0, 0, 8), LAST },
	{ OPTIONS(0), OPTIONS(60), EXTENSION(43, 0, 0), EXTENSION(44, 0, 0), OPTIONS(60), LAST },
	{ OPTIONS(60), OPTIONS(0), LAST }, /* hop-by-hop comes first only */
	{ OPTIONS(60), OPTIONS(60), OPTIONS(60), OPTIONS(60), OPTIONS(60), OPTIONS(60), LAST },
	{ OPTIONS(60), OPTIONS(60), OPTIONS(60), OPTIONS(60), OPTIONS(60), OPTIONS(60), OPTIONS(60),
	  LAST },
	{ OPTIONS(51), LAST },
	{ OPTIONS(50), LAST },
	{ OPTIONS(59), LAST },
	{ OPTIONS(135), LAST },
};

static const struct {
	const char *bytes;
	size_t len;
} tags[] = {
	{ "", 0 },
	{ "\x81\0\0\x07", 4 },
	{ "\x81\0\xe0\0", 4 },
	{ "\x88\xa8\0\x07\x81\0\0\x09", 8 },
	{ "\x81\0\0\x07\x81\0\0\x07\x81\0\0\x07", 12 },
};

static const uint8_t hop_limits[] = { 64, 0, 1, 2, 255 };
static const uint8_t firsts[] = { 0x60, 0x6f, 0x40,
	                          0x50 }; /* version, and half of the traffic class */
static const uint8_t protocols[] = { FWD_PROTO_TCP, FWD_PROTO_UDP, FWD_PROTO_ICMP6, 132, 136 };
/* What the header says of the packet's length, and whether padding follows. */
static const struct {
	int more;  /* than it has */
	int alone; /* this, whatever it has; -1: 0 */
	bool padded;
} lengths[] = {
	{ .more = 0 },  { .more = -1 },  { .more = 1 },       { .alone = -1 },
	{ .alone = 7 }, { .alone = 19 }, { .alone = 0xffff }, { .padded = true },
};
static const struct {
	const char *from, *to;
} pairs[] = {
	{ "2001:db8:c::9", "2001:db8:80::80" },
	{ "2001:db8:80::80", "2001:db8:80::80" },
	{ "2001:db8:ff:1::7", "2001:db8:80::80" },
	{ "ff02::1", "2001:db8:80::80" },
	{ "::1", "2001:db8:80::80" },
	{ "::", "2001:db8:80::80" },
	{ "::2", "2001:db8:80::80" },
	{ "::ffff:10.1.1.1", "2001:db8:80::80" },
	{ "2001:db8:c::9", "::5" },
	{ "2001:db8:c::9", "::ffff:192.0.2.80" },
	{ "2001:db8:c::9", "2001:db8:99::1" },
	{ "2001:db8:c::9", "ff02::1" },
};
#define TRANSPORTS 6u

/* Each field: which of the above; 0 is the usual. */
struct odd {
	size_t tag, chain, hop_limit, first, protocol, length, pair, transport;
};

/* How many there are of each. */
static const struct odd limits = {
	COUNT(tags),      COUNT(chains),  COUNT(hop_limits), COUNT(firsts),
	COUNT(protocols), COUNT(lengths), COUNT(pairs),      TRANSPORTS,
};
#define FIELDS (sizeof(struct odd) / sizeof(size_t))

static struct world worlds[WAYS];
static uint32_t n_reasons[FWD_REASON_COUNT];

static void put_bytes(struct frame *f, const void *bytes, size_t n)
{
	assert_true(f->len + n <= FRAME_MAX);
	memcpy(f->bytes + f->len, bytes, n);
	f->len += n;
}

/* The headers of @p chain, each named by the one before it; the last names @p protocol. */
static void put_chain(struct frame *f, const struct extension *chain, uint8_t protocol)
{
	size_t next_at = f->ip_off + 6;

	for (; chain->kind != 255; chain++) {
		f->bytes[next_at] = chain->kind;
		next_at = f->len;
		put_bytes(f, "\0\0", 2);
		put_bytes(f, chain->rest, sizeof(chain->rest));
	}
	f->bytes[next_at] = protocol;
}

/* A reply of the VIP, which an ICMPv6 error quotes. */
static void put_quoted(struct frame *f)
{
	union fwd_addr from = world_addr("2001:db8:80::80"), to = world_addr("2001:db8:c::9");

	put_bytes(f, "\x60\0\0\0\0\x08\x06\x40", 8);
	put_bytes(f, &from, 16);
	put_bytes(f, &to, 16);
	put_bytes(f, "\0\x50\x13\x37\0\0\0\x01", 8);
}

static void put_transport(struct frame *f, uint8_t protocol, size_t odd, size_t payload)
{
	static const uint8_t offsets[TRANSPORTS] = { 0x50, 0x40, 0x60, 0xf0, 0x5f, 0 };
	static const uint8_t flags[TRANSPORTS] = { FWD_TCP_ACK, FWD_TCP_SYN, FWD_TCP_ACK,
		                                   0,           0xff,        FWD_TCP_FIN };
	static const uint8_t types[TRANSPORTS] = { 128, 2, 1, 129, 135, 4 };
	const size_t udp_lens[TRANSPORTS] = { 8 + payload, 0, 7, 8, 9 + payload, 0xffff };
	uint8_t t[20] = { 0x13, 0x37, 0, 80 };
	size_t len = protocol == FWD_PROTO_TCP ? 20 : 8;

	if (protocol == FWD_PROTO_TCP) {
		t[12] = offsets[odd];
		t[13] = flags[odd];
	} else if (
	        protocol ==
	        FWD_PROTO_UDP) { /* its checksum is 0: for the receiver to judge (RFC 8200, 8.1) */
		t[4] = (uint8_t)(udp_lens[odd] >> 8);
		t[5] = (uint8_t)udp_lens[odd];
	} else if (protocol == FWD_PROTO_ICMP6) {
		memcpy(t, (const uint8_t[8]){ types[odd], 0, 0, 0, 0, 0, 5, 0 }, 8);
	}
	put_bytes(f, t, len);
	if (protocol == FWD_PROTO_ICMP6 && types[odd] < 128)
		put_quoted(f);
	for (size_t i = 0; i < payload; i++)
		put_bytes(f, (const uint8_t[1]){ (uint8_t)(i * 7) }, 1);
}

static void make_frame(const struct odd *o, size_t payload, struct frame *f)
{
	union fwd_addr from = world_addr(pairs[o->pair].from), to = world_addr(pairs[o->pair].to);
	size_t len;

	*f = (struct frame){ .len = 0 };
	put_bytes(f, "\x02\xaa\0\0\0\x01\x02\xcc\0\0\0\x01", 12);
	put_bytes(f, tags[o->tag].bytes, tags[o->tag].len);
	put_bytes(f, "\x86\xdd", 2);
	f->ip_off = f->len;
	put_bytes(f,
	          (const uint8_t[8]){ firsts[o->first], firsts[o->first] << 4, 0, 0, 0, 0, 0,
	                              hop_limits[o->hop_limit] },
	          8);
	put_bytes(f, &from, 16);
	put_bytes(f, &to, 16);
	put_chain(f, chains[o->chain], protocols[o->protocol]);
	put_transport(f, protocols[o->protocol], o->transport, payload);
	len = f->len - f->ip_off - FWD_IP6_LEN + (size_t)lengths[o->length].more;
	if (lengths[o->length].alone)
		len = lengths[o->length].alone < 0 ? 0 : (size_t)lengths[o->length].alone;
	f->bytes[f->ip_off + 4] = (uint8_t)(len >> 8);
	f->bytes[f->ip_off + 5] = (uint8_t)len;
	if (lengths[o->length].padded)
		put_bytes(f, "padded", 6);
}

static uint32_t add_words(uint32_t sum, const uint8_t *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	return (sum & 0xffff) + (sum >> 16);
}

static size_t read_number(const uint8_t *at)
{
	return (size_t)at[0] << 8 | at[1];
}

/* The packet at @p inner in @p f must be what follows @p outer_len bytes of outer header at @p outer. */
static void check_outer(const uint8_t *outer, bool outer4, bool gue, size_t inner_len)
{
	size_t shim = gue ? FWD_UDP_LEN + FWD_GUE_LEN : 0;
	uint8_t protocol = gue ? FWD_PROTO_UDP : FWD_PROTO_IP6;

	if (outer4) {
		assert_int_equal(outer[0], 0x45);
		assert_int_equal(read_number(outer + 2), FWD_IP4_LEN + shim + inner_len);
		assert_int_equal(outer[9], protocol);
		assert_int_equal(add_words(0, outer, FWD_IP4_LEN) % 0xffff, 0);
		return;
	}
	assert_int_equal(outer[0] >> 4, 6);
	assert_int_equal(read_number(outer + 4), shim + inner_len);
	assert_int_equal(outer[6], protocol);
	assert_true(outer[7] >= 64);
	if (gue && read_number(outer + 46)) /* none is allowed of a tunnel (RFC 6935) */
		assert_int_equal(add_words(add_words((uint32_t)(shim + inner_len) + FWD_PROTO_UDP,
		                                     outer + 8, 32),
		                           outer + FWD_IP6_LEN, shim + inner_len) %
		                         0xffff,
		                 0);
}

/* UDP and GUE (draft-ietf-intarea-gue, version 0, no options) in front of an IPv6 packet. */
static void check_gue(const uint8_t *udp, size_t inner_len)
{
	assert_int_equal(read_number(udp + 2), 6080);
	assert_int_equal(read_number(udp + 4), FWD_UDP_LEN + FWD_GUE_LEN + inner_len);
	assert_memory_equal(udp + FWD_UDP_LEN, "\0\x29\0\0", FWD_GUE_LEN);
}

static void check_forwarded(const struct frame *f, const struct fwd_packet *packet,
                            const struct fwd_verdict *v)
{
	static uint8_t inner[FRAME_MAX];
	bool outer4 = packet->data[12] == 8, gue = v->backend->encap == FWD_ENCAP_GUE;
	size_t inner_len = FWD_IP6_LEN + read_number(f->bytes + f->ip_off + 4);
	size_t outer_len =
	        (outer4 ? FWD_IP4_LEN : FWD_IP6_LEN) + (gue ? FWD_UDP_LEN + FWD_GUE_LEN : 0);

	memcpy(inner, f->bytes + f->ip_off, inner_len);
	inner[7]--;
	check_outer(packet->data + FWD_ETH_LEN, outer4, gue, inner_len);
	if (gue)
		check_gue(packet->data + FWD_ETH_LEN + (outer4 ? FWD_IP4_LEN : FWD_IP6_LEN),
		          inner_len);
	assert_true((size_t)(packet->end - packet->data) >= FWD_ETH_LEN + outer_len + inner_len);
	assert_memory_equal(packet->data + FWD_ETH_LEN + outer_len, inner, inner_len);
}

static void fail_frame(const struct frame *f, const char *why, int way, enum fwd_reason a,
                       enum fwd_reason b)
{
	for (size_t i = 0; i < f->len && i < 160; i++)
		print_error("%02x%s", f->bytes[i], i % 8 == 7 ? " " : "");
	fail_msg("\n%s: way %d: reason %d, not %d", why, way, (int)b, (int)a);
}

/* By each way. */
static void forward_frame(const struct frame *f)
{
	static uint8_t buffers[WAYS][ROOM + FRAME_MAX];
	struct fwd_packet packets[WAYS];
	struct fwd_verdict v[WAYS] = { 0 };
	size_t len;

	for (int way = 0; way < WAYS; way++) {
		memset(buffers[way], 0, ROOM);
		memcpy(buffers[way] + ROOM, f->bytes, f->len);
		packets[way] = (struct fwd_packet){ buffers[way] + ROOM,
			                            buffers[way] + ROOM + f->len, buffers[way] };
	}
	(void)world_forward(&worlds[ONE_BY_ONE], &packets[ONE_BY_ONE], 1000, &v[ONE_BY_ONE]);
	(void)world_forward_long(&worlds[LONG_WAY], &packets[LONG_WAY], 1000, &v[LONG_WAY]);
	world_forward_burst(&worlds[BURST], &packets[BURST], 1, 1000, &v[BURST]);
	n_reasons[v[0].reason]++;
	len = (size_t)(packets[0].end - packets[0].data);
	for (int way = 1; way < WAYS; way++) {
		if (v[way].reason != v[0].reason)
			fail_frame(f, "another verdict", way, v[0].reason, v[way].reason);
		if (fwd_reason_kind(v[0].reason) != FWD_KIND_DROP &&
		    (len != (size_t)(packets[way].end - packets[way].data) ||
		     memcmp(packets[0].data, packets[way].data, len)))
			fail_frame(f, "other bytes", way, v[0].reason, v[way].reason);
	}
	if (v[0].reason == FWD_REASON_FORWARDED)
		check_forwarded(f, &packets[0], &v[0]);
}

/* Frame number @p number of all combinations. @return how many of its fields are not the usual */
static int pick_odd(size_t number, struct odd *o)
{
	size_t fields[FIELDS], most[FIELDS];
	int n = 0;

	memcpy(most, &limits, sizeof(most));
	for (size_t i = 0; i < FIELDS; i++) {
		fields[i] = number % most[i];
		number /= most[i];
		n += fields[i] != 0;
	}
	memcpy(o, fields, sizeof(fields));
	return n;
}

static size_t count_combinations(void)
{
	size_t most[FIELDS], n = 1;

	memcpy(most, &limits, sizeof(most));
	for (size_t i = 0; i < FIELDS; i++)
		n *= most[i];
	return n;
}

static int set_up(void **state)
{
	static const char *const backends[] = { "10.1.0.1", "2001:db8:b::2", "2001:db8:b::3",
		                                "10.1.0.4" };
	const struct driver_sizes sizes = { .services = 64,
		                            .service_counts = 8,
		                            .pools = 1,
		                            .backends = 8,
		                            .slots = 32,
		                            .exception_buckets = 4 };

	(void)state;
	memset(n_reasons, 0, sizeof(n_reasons));
	for (int i = 0; i < WAYS; i++) {
		struct world *w = &worlds[i];

		world_init(w, &sizes, 1);
		world_set_source(w, "10.255.1.0", 24);
		world_set_source(w, "2001:db8:ff:1::", 64);
		for (uint32_t k = 0; k < COUNT(backends); k++) {
			union fwd_addr a = world_addr(backends[k]);

			world_add_backend(w, k + 1, &a, k < 2 ? FWD_ENCAP_IPIP : FWD_ENCAP_GUE, 1);
		}
		for (int k = 0; k < 2; k++) {
			world_add_vip(w, k ? "::5" : "2001:db8:80::80");
			world_add_service(w, k ? "::5" : "2001:db8:80::80", 80, FWD_PROTO_TCP, 0,
			                  0);
			world_add_service(w, k ? "::5" : "2001:db8:80::80", 80, FWD_PROTO_UDP, 0,
			                  0);
		}
		world_add_pool(w, 0, 0, 5, 1, COUNT(backends));
		for (uint32_t slot = 0; slot < 32; slot += 3)
			*world_slot(w, slot) |= FWD_SLOT_UNSETTLED;
		w->t.root->answers_per_s = 0xffff;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < WAYS; i++)
		world_fini(&worlds[i]);
	return 0;
}

static void assert_same_tables(void)
{
	for (int way = 1; way < WAYS; way++)
		if (world_difference(&worlds[0], &worlds[way]))
			fail_msg("way %d: another table %s", way,
			         world_difference(&worlds[0], &worlds[way]));
}

static void odd_frames_become_the_same_by_each_way(void **state)
{
	static const enum fwd_reason met[] = {
		FWD_REASON_FORWARDED,
		FWD_REASON_ICMP_RELAYED,
		FWD_REASON_ECHO_REPLIED,
		FWD_REASON_NOT_IP,
		FWD_REASON_NOT_OURS,
		FWD_REASON_MARTIAN,
		FWD_REASON_TRUNCATED,
		FWD_REASON_MALFORMED_IP,
		FWD_REASON_EXTENSIONS,
		FWD_REASON_FRAGMENT,
		FWD_REASON_LOOP,
		FWD_REASON_TTL,
		FWD_REASON_PROTOCOL,
		FWD_REASON_ICMP_TYPE,
		FWD_REASON_ICMP_QUOTE,

		FWD_REASON_MALFORMED_TRANSPORT,
	};
	struct frame f;
	struct odd o;

	(void)state;
	for (size_t i = 0; i < count_combinations(); i++) {
		if (pick_odd(i, &o) > MOST_ODD)
			continue;
		make_frame(&o, 12, &f);
		forward_frame(&f);
	}
	assert_same_tables();
	for (size_t i = 0; i < COUNT(met); i++)
		if (!n_reasons[met[i]])
			fail_msg("no frame met reason %d", (int)met[i]);
}

static void frames_cut_at_each_byte_become_the_same(void **state)
{
	struct frame f;
	struct odd o;

	(void)state;
	for (size_t i = 0; i < count_combinations(); i++) {
		if (pick_odd(i, &o) > 1)
			continue;
		make_frame(&o, 12, &f);
		for (; f.len >= FWD_ETH_LEN; f.len--)
			forward_frame(&f);
	}
	assert_same_tables();
	assert_true(n_reasons[FWD_REASON_SHORT_FRAME]);
	assert_true(n_reasons[FWD_REASON_MALFORMED_IP]);
}

static void frames_about_as_long_as_a_tunnel_takes(void **state)
{
	struct frame f;
	struct odd o = { 0 };

	(void)state;
	for (size_t payload = 1340; payload < 1480; payload++)
		for (o.protocol = 0; o.protocol < 2; o.protocol++)
			for (o.length = 0; o.length < COUNT(lengths);
			     o.length += COUNT(lengths) - 1)
				for (o.chain = 0; o.chain < 2; o.chain++) {
					make_frame(&o, payload, &f);
					forward_frame(&f);
				}
	assert_same_tables();
	assert_true(n_reasons[FWD_REASON_FORWARDED]);
	assert_true(n_reasons[FWD_REASON_TOO_BIG_ANSWERED]);
}

SUITE(odd_ip6)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(odd_frames_become_the_same_by_each_way, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(frames_cut_at_each_byte_become_the_same, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(frames_about_as_long_as_a_tunnel_takes, set_up,
		                                tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
