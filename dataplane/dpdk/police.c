/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A token bucket for each class, kept as time: credit grows by the time that has passed, and a
 * frame costs 1 / rate of it. Classes are found by EtherTypes, protocols and ports (RFC 791, 8200,
 * 9293, 5880 to 5883 (BFD), 4271 (BGP), 4861). A frame that is cut short reads as zeros and ends in
 * the class OTHER.
 */
#include "dataplane/dpdk/police.h"

/* Lengths in bytes, EtherTypes, protocols and ports as on the wire (RFCs above; IANA). */
#define ETH_LEN      14u
#define VLAN_LEN     4u
#define VLANS_MAX    2
#define TYPE_IP4     0x0800
#define TYPE_ARP     0x0806
#define TYPE_IP6     0x86dd
#define TYPE_VLAN    0x8100
#define TYPE_QINQ    0x88a8
#define IP6_LEN      40u
#define PROTO_ICMP   1
#define PROTO_TCP    6
#define PROTO_UDP    17
#define PROTO_ICMP6  58
#define PORT_BGP     179
#define ND_FIRST     133
#define ND_LAST      137
#define TCP_FLAGS    13u
#define TCP_SYN      0x02
#define TCP_ACK      0x10
#define NS_PER_S     1000000000ull
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define POLICE_LABEL_(name, label, rate, burst) label,
const char *const police_labels[] = { POLICE_CLASSES(POLICE_LABEL_) NULL };
#undef POLICE_LABEL_

#define POLICE_LIMIT_(name, label, rate, burst) { NS_PER_S / (rate), burst },
static const struct {
	uint64_t frame_ns;
	uint64_t burst;
} limits[] = { POLICE_CLASSES(POLICE_LIMIT_) };
#undef POLICE_LIMIT_
_Static_assert(COUNT(limits) == POLICE_COUNT, "a limit each");

/*
 * The frame from a header on; a read beyond its end gives 0, which is no port or type that has a
 * class.
 */
struct frame_tail {
	const uint8_t *at;
	size_t n;
};

static uint8_t byte_of(const struct frame_tail *r, size_t off)
{
	return off < r->n ? r->at[off] : 0;
}

static uint16_t be16_of(const struct frame_tail *r, size_t off)
{
	return (uint16_t)(byte_of(r, off) << 8 | byte_of(r, off + 1));
}

static void skip_bytes(struct frame_tail *r, size_t n)
{
	n = n < r->n ? n : r->n;
	r->at += n;
	r->n -= n;
}

static enum police_class tcp_class(const struct frame_tail *r)
{
	bool opens = (byte_of(r, TCP_FLAGS) & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	bool bgp = be16_of(r, 0) == PORT_BGP || be16_of(r, 2) == PORT_BGP;

	if (opens)
		return bgp ? POLICE_BGP_OPEN : POLICE_TCP_OPEN;
	return bgp ? POLICE_BGP : POLICE_TCP;
}

/* Single hop, echo, multihop, micro-BFD (RFC 7130), by IANA's port numbers. */
static bool is_bfd(uint16_t port)
{
	return port == 3784 || port == 3785 || port == 4784 || port == 6784;
}

static enum police_class transport_class(uint8_t protocol, const struct frame_tail *r)
{
	switch (protocol) {
	case PROTO_TCP:
		return tcp_class(r);
	case PROTO_UDP:
		return is_bfd(be16_of(r, 2)) ? POLICE_BFD : POLICE_OTHER;
	case PROTO_ICMP:
		return POLICE_ICMP;
	case PROTO_ICMP6:
		return byte_of(r, 0) >= ND_FIRST && byte_of(r, 0) <= ND_LAST ? POLICE_NEIGHBOUR
		                                                             : POLICE_ICMP;
	default:
		return POLICE_OTHER;
	}
}

static enum police_class ip4_class(struct frame_tail *r)
{
	uint8_t protocol = byte_of(r, 9);

	if (be16_of(r, 6) & 0x1fff) /* a later fragment has no ports */
		return POLICE_OTHER;
	skip_bytes(r, (size_t)(byte_of(r, 0) & 0xf) * 4);
	return transport_class(protocol, r);
}

static enum police_class ip6_class(struct frame_tail *r)
{
	uint8_t protocol = byte_of(r, 6);

	skip_bytes(r, IP6_LEN);
	return transport_class(protocol, r);
}

/* At most two VLAN tags, as packets of VIPs may have; what is behind a third one is OTHER. */
enum police_class police_class(const uint8_t *frame, size_t n)
{
	struct frame_tail r = { frame, n };
	uint16_t type = be16_of(&r, ETH_LEN - 2);

	skip_bytes(&r, ETH_LEN);
	for (int i = 0; i < VLANS_MAX && (type == TYPE_VLAN || type == TYPE_QINQ); i++) {
		type = be16_of(&r, 2);
		skip_bytes(&r, VLAN_LEN);
	}
	if (type == TYPE_ARP)
		return POLICE_NEIGHBOUR;
	if (type == TYPE_IP4)
		return ip4_class(&r);
	return type == TYPE_IP6 ? ip6_class(&r) : POLICE_OTHER;
}

static uint64_t full_credit(enum police_class c)
{
	return limits[c].frame_ns * limits[c].burst;
}

void police_init(struct police *p, uint64_t now_ns)
{
	for (int c = 0; c < POLICE_COUNT; c++) {
		p->credit_ns[c] = full_credit((enum police_class)c);
		p->last_ns[c] = now_ns;
	}
}

bool police_spend(struct police *p, enum police_class c, uint64_t now_ns)
{
	uint64_t credit = p->credit_ns[c] + (now_ns - p->last_ns[c]);

	p->last_ns[c] = now_ns;
	if (credit > full_credit(c))
		credit = full_credit(c);
	p->credit_ns[c] = credit;
	if (credit < limits[c].frame_ns)
		return false;
	p->credit_ns[c] -= limits[c].frame_ns;
	return true;
}
