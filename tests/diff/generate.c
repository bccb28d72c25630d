/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of every shape; see generate.h. */
#include "diff/generate.h"
#include "diff/shapes.h"

#include <string.h>

#include <arpa/inet.h>

#include "weir/fwd/packet.h"

#define LONG_FRAME 1480u /* with padding; what it says of its length is shorter */

static const char *const vips4[] = { "192.0.2.80", "192.0.2.81", "198.51.100.9" };
static const char *const vips6[] = { "2001:db8:80::80", "2001:db8:80::81" };
static const uint16_t ports[] = { 80, 443, 53, 4433, 81, 82, 83, 84, 85, 86, 9 };

uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint32_t random_below(struct random *r, uint32_t n)
{
	return (uint32_t)((random_next(r) >> 32) * n >> 32);
}

/** Add a field of @p n_bits and write @p value to it; it begins and ends where bytes do or not. */
static void put_field(struct frame *f, size_t *bit, uint8_t n_bits, uint64_t value)
{
	if (f->n_fields < FIELDS_MAX)
		f->fields[f->n_fields++] = (struct field){ (uint16_t)*bit, n_bits };
	for (unsigned int i = 0; i < n_bits; i++, (*bit)++) {
		uint8_t mask = (uint8_t)(0x80 >> *bit % 8);

		if (value >> (n_bits - 1 - i) & 1)
			f->bytes[*bit / 8] |= mask;
		else
			f->bytes[*bit / 8] &= (uint8_t)~mask;
	}
}

static void put_bytes(struct frame *f, size_t *bit, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i += 4)
		put_field(f, bit, 32,
		          (uint64_t)bytes[i] << 24 | (uint64_t)bytes[i + 1] << 16 |
		                  (uint64_t)bytes[i + 2] << 8 | bytes[i + 3]);
}

/** What a frame is to be made of. */
struct frame_plan {
	bool is4, vlan, two_tags;
	uint64_t mac;             /**< the frame's destination */
	uint8_t src[16], dst[16]; /**< the first four bytes for IPv4 */
	uint16_t sport, dport;
	uint8_t protocol;
	uint8_t flags; /**< TCP's */
	bool has_seq;  /**< TCP's sequence number is given */
	uint32_t seq;
	uint8_t type; /**< ICMP's */
	uint8_t ttl, tos;
	unsigned int options;    /**< IPv4: words */
	uint8_t option;          /**< one among them, 3 bytes long; 0: none */
	bool blank;              /**< ICMP: all zero but for type and checksum */
	unsigned int quoted;     /**< ICMP errors: bytes quoted before padding; 0: all */
	unsigned int extensions; /**< IPv6: headers */
	bool fragment;           /**< one of them (IPv4: the offset field) says so */
	unsigned int payload;
	bool quoted_udp;
	uint8_t tunnel; /**< ICMP errors: of the tunnel packet that is quoted, its protocol */
	const uint8_t *backend; /**< that it went to; NULL: any */
};

static void put_eth(struct frame *f, size_t *bit, const struct frame_plan *p)
{
	put_field(f, bit, 48, p->mac);
	put_field(f, bit, 48, 0x02cc00000001u);
	if (p->two_tags) {
		put_field(f, bit, 16, FWD_ETHERTYPE_QINQ);
		put_field(f, bit, 16, 0x0007);
	}
	if (p->vlan || p->two_tags) {
		put_field(f, bit, 16, FWD_ETHERTYPE_VLAN);
		put_field(f, bit, 16, 0x2064);
	}
	put_field(f, bit, 16, p->is4 ? FWD_ETHERTYPE_IP4 : FWD_ETHERTYPE_IP6);
}

static uint16_t sum_of(const uint8_t *at, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

/** @return the bit at which the length field stands */
static size_t put_ip4(struct frame *f, size_t *bit, const struct frame_plan *p, struct random *r)
{
	size_t start = *bit / 8;

	put_field(f, bit, 4, 4);
	put_field(f, bit, 4, 5 + p->options);
	put_field(f, bit, 8, p->tos);
	put_field(f, bit, 16, 0);
	put_field(f, bit, 16, p->fragment ? random_below(r, 4) : random_next(r) & 0xffff);
	put_field(f, bit, 3, p->fragment ? random_below(r, 4) : 2);
	put_field(f, bit, 13, p->fragment ? random_below(r, 3) : 0);
	put_field(f, bit, 8, p->ttl);
	put_field(f, bit, 8, p->protocol);
	put_field(f, bit, 16, 0);
	put_bytes(f, bit, p->src, 4);
	put_bytes(f, bit, p->dst, 4);
	for (unsigned int i = 0; i < p->options; i++)
		put_field(f, bit, 32,
		          p->option && i == p->options / 2 ? 0x01000304u | (uint32_t)p->option << 16
		                                           : 0x01010101);
	return start + 2;
}

static void put_extension(struct frame *f, size_t *bit, uint8_t kind, uint8_t next, bool fragment,
                          struct random *r)
{
	unsigned int more = kind == FWD_PROTO_FRAGMENT ? 0 : random_below(r, 3);

	put_field(f, bit, 8, next);
	put_field(f, bit, 8, more);
	if (kind == FWD_PROTO_FRAGMENT) {
		put_field(f, bit, 13, fragment ? random_below(r, 3) : 0);
		put_field(f, bit, 2, 0);
		put_field(f, bit, 1, fragment ? random_below(r, 2) : 0);
		put_field(f, bit, 32,
		          fragment ? random_below(r, 4) << 14 : random_next(r) & 0xffffffff);
		return;
	}
	put_field(f, bit, 8, 0);
	put_field(f, bit, 8, kind == FWD_PROTO_ROUTING && random_below(r, 4) == 0);
	put_field(f, bit, 32, 0);
	for (unsigned int i = 0; i < more; i++)
		put_field(f, bit, 64, 0);
}

static size_t put_ip6(struct frame *f, size_t *bit, const struct frame_plan *p, struct random *r)
{
	static const uint8_t kinds[] = { FWD_PROTO_HOP_BY_HOP, FWD_PROTO_ROUTING,
		                         FWD_PROTO_DESTINATION, FWD_PROTO_FRAGMENT };
	uint8_t chain[10];
	size_t start = *bit / 8;

	for (unsigned int i = 0; i < p->extensions; i++)
		chain[i] = p->fragment && i == 0 ? FWD_PROTO_FRAGMENT : kinds[random_below(r, 4)];
	chain[p->extensions] = p->protocol;
	put_field(f, bit, 4, 6);
	put_field(f, bit, 8, p->tos);
	put_field(f, bit, 20, random_next(r) & 0xfffff);
	put_field(f, bit, 16, 0);
	put_field(f, bit, 8, chain[0]);
	put_field(f, bit, 8, p->ttl);
	put_bytes(f, bit, p->src, 16);
	put_bytes(f, bit, p->dst, 16);
	for (unsigned int i = 0; i < p->extensions; i++)
		put_extension(f, bit, chain[i], chain[i + 1], p->fragment, r);
	return start + 4;
}

static size_t put_ip(struct frame *f, size_t *bit, const struct frame_plan *p, struct random *r)
{
	return p->is4 ? put_ip4(f, bit, p, r) : put_ip6(f, bit, p, r);
}

static void put_tcp(struct frame *f, size_t *bit, const struct frame_plan *p, struct random *r)
{
	unsigned int options = random_below(r, 4) ? 0 : random_below(r, 11);

	put_field(f, bit, 16, p->sport);
	put_field(f, bit, 16, p->dport);
	put_field(f, bit, 32,
	          p->has_seq           ? p->seq
	          : random_below(r, 2) ? 0x10000
	          : random_below(r, 2) ? random_below(r, 5) << 16
	                               : random_next(r) & 0xffffffff);
	put_field(f, bit, 32, random_next(r) & 0xffffffff);
	put_field(f, bit, 4, 5 + options);
	put_field(f, bit, 4, 0);
	put_field(f, bit, 8, p->flags);
	put_field(f, bit, 16, 8192);
	put_field(f, bit, 16, random_next(r) & 0xffff);
	put_field(f, bit, 16, 0);
	for (unsigned int i = 0; i < options; i++)
		put_field(f, bit, 32, 0x01010101);
}

static void put_udp(struct frame *f, size_t *bit, const struct frame_plan *p, struct random *r)
{
	put_field(f, bit, 16, p->sport);
	put_field(f, bit, 16, p->dport);
	put_field(f, bit, 16, 8 + p->payload);
	put_field(f, bit, 16, random_next(r) & 0xffff);
}

/** What the client got from a VIP and a router could not carry on. */
static void put_quoted(struct frame *f, size_t *bit, const struct frame_plan *p, struct random *r)
{
	struct frame_plan q = { .is4 = p->is4,
		                .sport = p->dport,
		                .dport = p->sport,
		                .protocol = p->quoted_udp ? FWD_PROTO_UDP : FWD_PROTO_TCP,
		                .ttl = 1,
		                .options = random_below(r, 4) ? 0 : random_below(r, 11),
		                .extensions = random_below(r, 4) ? 0 : random_below(r, 8),
		                .fragment = random_below(r, 16) == 0 };

	memcpy(q.src, p->dst, 16);
	memcpy(q.dst, p->src, 16);
	put_ip(f, bit, &q, r);
	put_field(f, bit, 16, q.sport);
	put_field(f, bit, 16, q.dport);
	put_field(f, bit, 32, random_next(r) & 0xffffffff);
}

/** What we sent to a backend and a router could not carry on; or nearly. */
static void put_quoted_tunnel(struct frame *f, size_t *bit, const struct frame_plan *p,
                              struct random *r)
{
	static const char *const backends4[] = { "10.1.0.1", "10.1.0.2", "10.1.0.7",  "10.1.0.8",
		                                 "10.1.0.5", "10.1.0.9", "10.1.1.11", "10.1.1.13" };
	static const char *const backends6[] = { "2001:db8:b::3", "2001:db8:b::ffff:10.1.0.4",
		                                 "2001:db8:b::6", "2001:db8:b::5" };
	struct frame_plan q = {
		.is4 = p->is4,
		.sport = (uint16_t)(0xbfff + random_below(r, random_below(r, 2) ? 3 : 0x4001)),
		.dport = random_below(r, 16) ? 6080 : 6081,
		.protocol = p->tunnel,
		.ttl = 1,
		.options = random_below(r, 16) == 0,
		.extensions = random_below(r, 16) == 0,
		.fragment = random_below(r, 16) == 0
	};
	size_t from;
	uint16_t len =
	        (uint16_t)(random_below(r, 4) ? 1500 - random_below(r, 3) : random_below(r, 1600));

	memcpy(q.src, p->dst, 16);
	q.src[3] ^= random_below(r, 16) == 0;
	if (p->backend)
		memcpy(q.dst, p->backend, p->is4 ? 4 : 16);
	else
		inet_pton(p->is4 ? AF_INET : AF_INET6,
		          p->is4 ? backends4[random_below(r, 8)] : backends6[random_below(r, 4)],
		          q.dst);
	from = put_ip(f, bit, &q, r);
	f->bytes[from] = (uint8_t)(len >> 8);
	f->bytes[from + 1] = (uint8_t)len;
	put_field(f, bit, 16, q.sport);
	put_field(f, bit, 16, q.dport);
	put_field(f, bit, 32, random_next(r) & 0xffffffff);
}

/** An MTU as routers name it, or as none does. */
static uint32_t pick_mtu(struct random *r)
{
	static const uint16_t around[] = { 1500, 1280, 1400, 576, 1498 };

	return random_below(r, 8)   ? around[random_below(r, 5)] + random_below(r, 3) - 1
	       : random_below(r, 2) ? (uint32_t)random_next(r)
	                            : 0;
}

static bool is_error(const struct frame_plan *p)
{
	return p->is4 ? p->type == 3 || p->type == 11 || p->type == 12
	              : p->type >= 1 && p->type <= 4;
}

static void put_l4(struct frame *f, size_t *bit, const struct frame_plan *p, struct random *r)
{
	if (p->protocol == FWD_PROTO_TCP) {
		put_tcp(f, bit, p, r);
	} else if (p->protocol == FWD_PROTO_UDP) {
		put_udp(f, bit, p, r);
	} else if (p->protocol == (p->is4 ? FWD_PROTO_ICMP : FWD_PROTO_ICMP6)) {
		put_field(f, bit, 8, p->type);
		put_field(f, bit, 8, p->tunnel && random_below(r, 4) ? 4 : 0);
		put_field(f, bit, 16, p->blank ? 0xf7ff : random_next(r) & 0xffff);
		put_field(f, bit, 32,
		          p->blank    ? (random_below(r, 2) ? 0 : 0xffff)
		          : p->tunnel ? pick_mtu(r)
		                      : random_next(r) & 0xffffffff);
		if (p->tunnel)
			put_quoted_tunnel(f, bit, p, r);
		else if (is_error(p))
			put_quoted(f, bit, p, r);
	}
}

static void put_last_alone(struct frame *f, size_t n, struct random *r)
{
	memset(f->bytes + f->len - n, 0, n);
	f->bytes[f->len - 1] = (uint8_t)(1 + random_below(r, 255));
}

static void build_frame(struct frame *f, const struct frame_plan *p, struct random *r)
{
	size_t bit = 0, l3, l4, len_at, len, cut = 0;

	f->n_fields = 0;
	memset(f->bytes, 0, sizeof(f->bytes));
	put_eth(f, &bit, p);
	l3 = bit / 8;
	len_at = put_ip(f, &bit, p, r);
	l4 = bit / 8;
	put_l4(f, &bit, p, r);
	f->len = bit / 8;
	for (unsigned int i = 0; i < p->payload; i++)
		f->bytes[f->len++] = p->blank && random_below(r, 64) ? 0 : (uint8_t)random_next(r);
	if (p->blank && p->payload &&
	    random_below(r, 4) == 0) /* only the last byte says that it is not */
		put_last_alone(f, p->payload, r);
	if (p->quoted) { /* what follows is padding: zeros, as of Ethernet */
		size_t end = l4 + FWD_ICMP_LEN + random_below(r, p->quoted);

		if (end < f->len)
			memset(f->bytes + end, 0, f->len - end);
		cut = f->len - end;
	}
	len = f->len - cut - l3 - (p->is4 ? 0 : FWD_IP6_LEN);
	f->bytes[len_at] = (uint8_t)(len >> 8);
	f->bytes[len_at + 1] = (uint8_t)len;
	if (p->is4) {
		uint16_t sum = sum_of(f->bytes + l3, FWD_IP4_LEN + p->options * 4);

		f->bytes[l3 + 10] = (uint8_t)(sum >> 8);
		f->bytes[l3 + 11] = (uint8_t)sum;
		if (random_below(r, 64) == 0) /* one below the second zero */
			memcpy(f->bytes + l3 + 10, "\xfe\xff", 2);
	}
}

/** Few clients, so that flows meet again. */
void generate_flow(struct flow *flow, struct random *r)
{
	flow->client = (uint8_t)(1 + random_below(r, 24));
	flow->sport = (uint16_t)(1024 + random_below(r, 3));
	flow->dport = ports[random_below(r, sizeof(ports) / sizeof(ports[0]))];
	flow->vip = (uint8_t)random_below(r, flow->is4 ? 3 : 2);
}

static void set_flow(struct frame_plan *p, const struct flow *flow)
{
	p->is4 = flow->is4;
	p->sport = flow->sport;
	p->dport = flow->dport;
	if (p->is4) {
		inet_pton(AF_INET, vips4[flow->vip], p->dst);
		memcpy(p->src, "\x0a\x09\x00", 3);
		p->src[3] = flow->client;
		return;
	}
	inet_pton(AF_INET6, vips6[flow->vip], p->dst);
	inet_pton(AF_INET6, "2001:db8:c::", p->src);
	p->src[15] = flow->client;
}

const unsigned int n_shapes = sizeof(shapes) / sizeof(shapes[0]);

void generate_shape(struct frame *f, unsigned int shape, struct random *r)
{
	const struct shape *s = &shapes[shape];
	struct flow flow = { .is4 = s->is4 };
	struct frame_plan p = { .is4 = s->is4,
		                .vlan = s->vlan,
		                .two_tags = s->two_tags,
		                .protocol = s->protocol,
		                .flags = s->flags,
		                .type = s->type,
		                .ttl = s->ttl ? s->ttl : 64,
		                .tos = (uint8_t)random_next(r),
		                .mac = s->mac ? s->mac : OURS,
		                .options = s->options,
		                .option = s->option,
		                .blank = s->blank,
		                .quoted = s->quoted,
		                .extensions = s->extensions,
		                .fragment = s->fragment,
		                .quoted_udp = s->quoted_udp,
		                .tunnel = s->tunnel,
		                .payload = random_below(r, s->tunnel ? 2 : 24) };

	if (s->long_payload)
		p.payload = 1360 + random_below(r, random_below(r, 2) ? 16 : 120);
	generate_flow(&flow, r);
	set_flow(&p, &flow);
	if (s->src)
		inet_pton(s->is4 ? AF_INET : AF_INET6, s->src, p.src);
	if (s->dst)
		inet_pton(s->is4 ? AF_INET : AF_INET6, s->dst, p.dst);
	if (s->dport)
		p.dport = s->dport;
	build_frame(f, &p, r);
}

void generate_segment(struct frame *f, const struct flow *flow, uint8_t flags, uint32_t seq,
                      struct random *r)
{
	struct frame_plan p = { .mac = OURS,
		                .protocol = flow->protocol,
		                .flags = flags,
		                .has_seq = true,
		                .seq = seq,
		                .ttl = 64,
		                .payload = random_below(r, 24) };

	set_flow(&p, flow);
	build_frame(f, &p, r);
}

void generate_fragment(struct frame *f, const struct flow *flow, struct random *r)
{
	struct frame_plan p = { .mac = OURS,
		                .protocol = flow->protocol,
		                .ttl = 64,
		                .extensions = !flow->is4,
		                .fragment = true,
		                .payload = random_below(r, 24) };

	set_flow(&p, flow);
	build_frame(f, &p, r);
}

void generate_quoting(struct frame *f, const struct flow *flow, struct random *r)
{
	struct frame_plan p = { .mac = OURS,
		                .protocol = flow->is4 ? FWD_PROTO_ICMP : FWD_PROTO_ICMP6,
		                .type = flow->is4 ? 3 : 1,
		                .ttl = 64,
		                .quoted_udp = flow->protocol == FWD_PROTO_UDP };

	set_flow(&p, flow);
	build_frame(f, &p, r);
}

void generate_tunnel_error(struct frame *f, bool is4, const uint8_t backend[16], bool is_gue,
                           struct random *r)
{
	struct flow flow = { .is4 = is4, .client = (uint8_t)random_next(r) };
	struct frame_plan p = { .mac = OURS,
		                .protocol = is4 ? FWD_PROTO_ICMP : FWD_PROTO_ICMP6,
		                .type = is4 ? 3 : 2,
		                .ttl = 64,
		                .tunnel = is_gue ? FWD_PROTO_UDP : FWD_PROTO_IP4,
		                .backend = backend };

	set_flow(&p, &flow);
	inet_pton(is4 ? AF_INET : AF_INET6, is4 ? "10.255.1.77" : "2001:db8:ff:1::1234", p.dst);
	build_frame(f, &p, r);
}

unsigned int n_boundaries(const struct field *field)
{
	return 4u + field->n_bits;
}

static uint64_t get_field(const struct frame *f, const struct field *field)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < field->n_bits; i++) {
		size_t bit = field->off_bits + i;

		value = value << 1 | (f->bytes[bit / 8] >> (7 - bit % 8) & 1);
	}
	return value;
}

void set_boundary(struct frame *f, size_t field, unsigned int i)
{
	struct field at = f->fields[field];
	uint64_t all = at.n_bits == 64 ? ~0ull : (1ull << at.n_bits) - 1;
	uint64_t old = get_field(f, &at);
	const uint64_t values[4] = { 0, all, old + 1, old - 1 };
	size_t bit = at.off_bits, n = f->n_fields;

	put_field(f, &bit, at.n_bits, (i < 4 ? values[i] : 1ull << (i - 4)) & all);
	f->n_fields = n;
}

/** Set one field to a boundary value, or one byte to anything. */
static void spoil_frame(struct frame *f, struct random *r)
{
	size_t field = random_below(r, (uint32_t)f->n_fields);

	if (random_below(r, 3))
		set_boundary(f, field, random_below(r, n_boundaries(&f->fields[field])));
	else
		f->bytes[random_below(r, (uint32_t)f->len)] = (uint8_t)random_next(r);
}

/* By a few bytes, or to what no device sends once there is an outer header. */
static void pad_frame(struct frame *f, struct random *r)
{
	size_t end = random_below(r, 4) ? f->len + random_below(r, 32)
	                                : LONG_FRAME + random_below(r, 64);

	while (f->len < end)
		f->bytes[f->len++] = (uint8_t)random_next(r);
}

void generate_random(struct frame *f, struct random *r)
{
	uint32_t what = random_below(r, 8);

	generate_shape(f, random_below(r, n_shapes), r);
	for (uint32_t i = 0; what < 4 && i <= what % 3; i++)
		spoil_frame(f, r);
	if (what == 4)
		f->len = FWD_ETH_LEN + random_below(r, (uint32_t)(f->len - FWD_ETH_LEN));
	if (what == 5)
		pad_frame(f, r);
}
