/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The first stage: what a frame says, without looking at any table.
 *
 * Ethernet, at most two VLAN tags, IPv4 with options, IPv6 with at most
 * FWD_EXTENSIONS_MAX extension headers, TCP, UDP, ICMP, ICMPv6, and the packet that an ICMP
 * error quotes (RFC 792, 4443), of which ports are enough. A fault does not end the matter:
 * whether a packet is dropped for it, or is none of our business, depends on its
 * destination, which the next stage looks up.
 */
#ifndef WEIR_FWD_PARSE_H
#define WEIR_FWD_PARSE_H

#include "weir/fwd/hash.h"
#include "weir/fwd/packet.h"
#include "weir/fwd/reason.h"

#define FWD_EXTENSIONS_MAX 6u
_Static_assert(FWD_ETH_LEN + 2 * FWD_VLAN_LEN + FWD_IP6_LEN + FWD_EXTENSIONS_MAX * 2048 <=
                       FWD_OFF_MASK,
               "the transport header begins within reach");

/** What a packet asks for, as far as its headers were sound. */
enum fwd_request {
	FWD_REQUEST_SERVICE, /**< TCP or UDP */
	FWD_REQUEST_ERROR,   /**< ICMP error: flow is the quoted one, turned round */
	FWD_REQUEST_ECHO,    /**< echo request */
	FWD_REQUEST_NEIGHBOUR,
	FWD_REQUEST_FRAGMENT, /**< a later fragment: no ports, flow has the addresses alone */
	FWD_REQUEST_NOTHING,  /**< see fault */
};

/** For whom a frame is, by its destination MAC address and the port that it came in by. */
enum fwd_addressee {
	FWD_ADDRESSEE_US,
	FWD_ADDRESSEE_OTHER, /**< one other host */
	FWD_ADDRESSEE_GROUP, /**< all or several hosts */
};

/** A parsed frame. */
struct fwd_parsed {
	/** The flow as its client sends it; addresses are valid if addressed. */
	struct fwd_tuple flow;
	union fwd_addr sender; /**< FWD_REQUEST_ERROR: who sent the error */
	uint64_t frame_len;    /**< bytes, without FCS */
	uint32_t seq_be;       /**< TCP: sequence number; else 0 */
	uint32_t fragment_id;  /**< as it stands in the packet; valid if fragment */
	uint16_t l3_off;       /**< of the IP header: 14, and 4 more for each VLAN tag */
	uint16_t l4_off;       /**< of the transport header */
	uint16_t l3_len;       /**< of the IP packet, without padding */
	uint8_t tcp_flags;     /**< TCP: FWD_TCP_*; else 0 */
	uint8_t request;       /**< enum fwd_request */
	uint8_t fault;         /**< enum fwd_reason; FWD_REASON_FORWARDED: none */
	uint8_t ttl;
	uint8_t tos;
	bool is4;
	bool addressed; /**< the destination address is known, and can be a VIP's */
	bool fragment; /**< one of several: the first if there are ports, else FWD_REQUEST_FRAGMENT */
	uint8_t addressee; /**< enum fwd_addressee; fwd_parse_ingress() sets it (ingress.h) */
};

/** An IP header, wherever it stands. */
struct fwd_l3 {
	union fwd_addr src, dst;
	uint32_t header_len; /**< with options or extension headers */
	uint32_t len;        /**< of the packet, as its header says */
	uint8_t protocol;
	uint8_t ttl;
	uint8_t tos;
	bool addressed;
	uint16_t fragment; /**< 0: the whole; FWD_FRAGMENT_* */
	uint32_t fragment_id;
};

#define FWD_FRAGMENT_MORE  0x0001u /**< more follow */
#define FWD_FRAGMENT_LATER 0xfff8u /**< the offset, in bytes: no transport header in this one */

/** Read an IPv4 header. @return FWD_REASON_FORWARDED, or what is wrong with it */
FWD_INLINE enum fwd_reason fwd_parse_ip4(struct fwd_cursor *c, struct fwd_l3 *l3)
{
	const struct fwd_ip4 *ip = fwd_pull(c, FWD_IP4_LEN);
	uint16_t fragment;

	if (!ip)
		return FWD_REASON_SHORT_FRAME;
	if (ip->version_ihl >> 4 != 4)
		return FWD_REASON_NOT_IP;
	fwd_addr_from4(&l3->src, ip->src_be);
	fwd_addr_from4(&l3->dst, ip->dst_be);
	l3->addressed = true;
	l3->header_len = (ip->version_ihl & 0xfu) * 4;
	l3->len = fwd_be16(ip->len_be);
	l3->protocol = ip->protocol;
	l3->ttl = ip->ttl;
	l3->tos = ip->tos;
	fragment = fwd_be16(ip->fragment_be);
	l3->fragment_id = ip->id_be;
	l3->fragment = (uint16_t)(fragment << 3 | (fragment >> 13 & FWD_FRAGMENT_MORE));
	if (l3->header_len < FWD_IP4_LEN || l3->len < l3->header_len)
		return FWD_REASON_MALFORMED_IP;
	if (FWD_UNLIKELY(l3->header_len > FWD_IP4_LEN) &&
	    !fwd_pull(c, l3->header_len - FWD_IP4_LEN))
		return FWD_REASON_TRUNCATED;
	return FWD_REASON_FORWARDED;
}

/** Whether @p protocol is an extension header that can be stepped over (RFC 8200). */
FWD_INLINE bool fwd_is_extension(uint8_t protocol)
{
	return protocol == FWD_PROTO_HOP_BY_HOP || protocol == FWD_PROTO_ROUTING ||
	       protocol == FWD_PROTO_FRAGMENT || protocol == FWD_PROTO_DESTINATION;
}

/**
 * Step over one extension header. A packet whose route does not end here is not for us; a
 * fragment that is the whole packet (RFC 6946) is none.
 *
 * @param c  at the IPv6 header; stays there
 */
FWD_INLINE enum fwd_reason fwd_parse_extension(const struct fwd_cursor *c, struct fwd_l3 *l3)
{
	const struct fwd_ip6_extension *x = fwd_look(c, l3->header_len, 8);
	uint8_t protocol = l3->protocol;

	if (!x)
		return FWD_REASON_TRUNCATED;
	l3->protocol = x->next;
	l3->header_len += 8;
	if (protocol == FWD_PROTO_FRAGMENT) {
		l3->fragment_id = ((const struct fwd_ip6_fragment *)x)->id_be;
		l3->fragment |= fwd_be16(((const struct fwd_ip6_fragment *)x)->offset_be) &
		                (FWD_FRAGMENT_LATER | FWD_FRAGMENT_MORE);
		return FWD_REASON_FORWARDED;
	}
	l3->header_len += x->len8 * 8u;
	return protocol == FWD_PROTO_ROUTING && x->segments_left ? FWD_REASON_EXTENSIONS
	                                                         : FWD_REASON_FORWARDED;
}

/** Step over all extension headers; behind a later fragment's there is nothing to read. */
FWD_INLINE enum fwd_reason fwd_parse_extensions(const struct fwd_cursor *c, struct fwd_l3 *l3)
{
	enum fwd_reason fault;

	for (uint32_t i = 0; i < FWD_EXTENSIONS_MAX; i++) {
		fault = fwd_parse_extension(c, l3);
		if (fault != FWD_REASON_FORWARDED)
			return fault;
		l3->header_len &=
		        FWD_OFF_MASK; /* changes nothing, but bounds it for the verifier */
		if (!fwd_is_extension(l3->protocol) || l3->fragment & FWD_FRAGMENT_LATER)
			return FWD_REASON_FORWARDED;
	}
	return FWD_REASON_EXTENSIONS;
}

/** Read an IPv6 header with its extensions; as fwd_parse_ip4(). */
FWD_INLINE enum fwd_reason fwd_parse_ip6(struct fwd_cursor *c, struct fwd_l3 *l3)
{
	const struct fwd_ip6 *ip = fwd_look(c, 0, FWD_IP6_LEN);
	enum fwd_reason fault = FWD_REASON_FORWARDED;
	uint32_t first;

	if (!ip)
		return FWD_REASON_SHORT_FRAME;
	first = fwd_be32(ip->version_class_flow_be);
	if (first >> 28 != 6)
		return FWD_REASON_NOT_IP;
	l3->src.longs_be[0] = ip->src_be[0];
	l3->src.longs_be[1] = ip->src_be[1];
	l3->dst.longs_be[0] = ip->dst_be[0];
	l3->dst.longs_be[1] = ip->dst_be[1];
	l3->addressed = true;
	l3->header_len = FWD_IP6_LEN;
	l3->len = FWD_IP6_LEN + fwd_be16(ip->len_be);
	l3->protocol = ip->next;
	l3->ttl = ip->hop_limit;
	l3->tos = (uint8_t)(first >> 20);
	l3->fragment = 0;
	if (FWD_UNLIKELY(fwd_is_extension(l3->protocol)))
		fault = fwd_parse_extensions(c, l3);
	if (fault != FWD_REASON_FORWARDED)
		return fault;
	if (l3->header_len > l3->len)
		return FWD_REASON_MALFORMED_IP;
	return fwd_pull(c, l3->header_len) ? FWD_REASON_FORWARDED : FWD_REASON_TRUNCATED;
}

FWD_INLINE enum fwd_reason fwd_parse_l3(struct fwd_cursor *c, struct fwd_l3 *l3, bool is4)
{
	return is4 ? fwd_parse_ip4(c, l3) : fwd_parse_ip6(c, l3);
}

/** Read the ports of a TCP or UDP header. */
FWD_INLINE void fwd_parse_ports(struct fwd_parsed *p, const void *header)
{
	uint32_t both_be = ((const struct fwd_ports *)header)->both_be;

	p->flow.sport_be = (uint16_t)both_be;
	p->flow.dport_be = (uint16_t)(both_be >> 16);
}

/** @param room  bytes of the IP packet from the transport header on */
FWD_INLINE enum fwd_reason fwd_parse_tcp(struct fwd_cursor *c, uint32_t room, struct fwd_parsed *p)
{
	const struct fwd_tcp *tcp = fwd_pull(c, FWD_TCP_LEN);
	uint32_t header_len;

	if (!tcp || room < FWD_TCP_LEN)
		return FWD_REASON_TRUNCATED;
	header_len = (tcp->offset >> 4) * 4u;
	if (header_len < FWD_TCP_LEN || header_len > room)
		return FWD_REASON_MALFORMED_TRANSPORT;
	fwd_parse_ports(p, tcp);
	p->seq_be = tcp->seq_be;
	p->tcp_flags = tcp->flags;
	p->request = FWD_REQUEST_SERVICE;
	return FWD_REASON_FORWARDED;
}

FWD_INLINE enum fwd_reason fwd_parse_udp(struct fwd_cursor *c, uint32_t room, struct fwd_parsed *p)
{
	const struct fwd_udp *udp = fwd_pull(c, FWD_UDP_LEN);
	uint32_t len;

	if (!udp || room < FWD_UDP_LEN)
		return FWD_REASON_TRUNCATED;
	len = fwd_be16(udp->len_be);
	if (len < FWD_UDP_LEN || (len > room && !p->fragment))
		return FWD_REASON_MALFORMED_TRANSPORT;
	fwd_parse_ports(p, udp);
	p->request = FWD_REQUEST_SERVICE;
	return FWD_REASON_FORWARDED;
}

/**
 * The packet quoted by an ICMP error, which one of our VIPs sent: turned round it is the
 * client's flow. Eight bytes behind its IP header were promised (RFC 792); four are read.
 *
 * @param room  bytes of the error from the quoted packet on
 */
FWD_INLINE enum fwd_reason fwd_parse_quoted(struct fwd_cursor *c, uint32_t room,
                                            struct fwd_parsed *p, bool is4)
{
	const struct fwd_udp *ports; /* TCP's stand at the same place */
	const uint8_t *quote = c->at;
	struct fwd_l3 l3 = { 0 };

	if (fwd_parse_l3(c, &l3, is4) != FWD_REASON_FORWARDED || l3.fragment & FWD_FRAGMENT_LATER)
		return FWD_REASON_ICMP_QUOTE;
	if ((uint64_t)(c->at - quote) > room) /* what was read is padding, not packet */
		return FWD_REASON_ICMP_QUOTE;
	if (l3.protocol != FWD_PROTO_TCP && l3.protocol != FWD_PROTO_UDP)
		return FWD_REASON_ICMP_UNRELATED;
	ports = fwd_pull(c, 4);
	if (!ports || (uint64_t)(c->at - quote) > room)
		return FWD_REASON_ICMP_QUOTE;
	if (!fwd_addr_equal(&l3.src, &p->flow.dst))
		return FWD_REASON_ICMP_UNRELATED;
	p->sender = p->flow.src;
	p->flow.src = l3.dst;
	p->flow.sport_be = ports->dport_be;
	p->flow.dport_be = ports->sport_be;
	p->flow.protocol = l3.protocol;
	p->request = FWD_REQUEST_ERROR;
	return FWD_REASON_FORWARDED;
}

/** Unreachable, source quench, time exceeded, parameter problem (RFC 792). */
FWD_INLINE bool fwd_icmp4_is_error(uint8_t type)
{
	return type == 3 || type == 4 || type == 11 || type == 12;
}

/** Unreachable, too big, time exceeded, parameter problem (RFC 4443). */
FWD_INLINE bool fwd_icmp6_is_error(uint8_t type)
{
	return type >= 1 && type <= 4;
}

FWD_INLINE enum fwd_reason fwd_parse_icmp(struct fwd_cursor *c, uint32_t room, struct fwd_parsed *p,
                                          bool is4)
{
	const struct fwd_icmp *icmp = fwd_pull(c, FWD_ICMP_LEN);

	if (!icmp || room < FWD_ICMP_LEN)
		return FWD_REASON_TRUNCATED;
	if (is4 ? fwd_icmp4_is_error(icmp->type) : fwd_icmp6_is_error(icmp->type))
		return fwd_parse_quoted(c, room - FWD_ICMP_LEN, p, is4);
	if (icmp->type == (is4 ? 8 : 128)) {
		p->request = FWD_REQUEST_ECHO;
		return FWD_REASON_FORWARDED;
	}
	if (!is4 && icmp->type >= 133 && icmp->type <= 137 && p->ttl == 255) {
		p->request = FWD_REQUEST_NEIGHBOUR; /* RFC 4861 */
		return FWD_REASON_FORWARDED;
	}
	return FWD_REASON_ICMP_TYPE;
}

/** The transport header; what lies behind the packet's own length is padding, not packet. */
FWD_INLINE enum fwd_reason fwd_parse_l4(struct fwd_cursor *c, uint32_t room, struct fwd_parsed *p,
                                        bool is4)
{
	if (FWD_LIKELY(p->flow.protocol == FWD_PROTO_TCP))
		return fwd_parse_tcp(c, room, p);
	if (p->flow.protocol == FWD_PROTO_UDP)
		return fwd_parse_udp(c, room, p);
	if (p->flow.protocol == (is4 ? FWD_PROTO_ICMP : FWD_PROTO_ICMP6))
		return fwd_parse_icmp(c, room, p, is4);
	return FWD_REASON_PROTOCOL;
}

/**
 * A fragment: the first one of TCP or UDP is a packet like others but for the length that UDP
 * names; of the later ones it is only known to which datagram they belong.
 */
FWD_INLINE enum fwd_reason fwd_parse_fragment(struct fwd_parsed *p, const struct fwd_l3 *l3)
{
	p->fragment_id = l3->fragment_id;
	p->fragment = true;
	if (p->is4 && l3->protocol != FWD_PROTO_TCP && l3->protocol != FWD_PROTO_UDP)
		return FWD_REASON_FRAGMENT;
	if (l3->fragment & FWD_FRAGMENT_LATER) {
		p->request = FWD_REQUEST_FRAGMENT;
		return FWD_REASON_FORWARDED;
	}
	if (l3->protocol != FWD_PROTO_TCP && l3->protocol != FWD_PROTO_UDP)
		return FWD_REASON_FRAGMENT;
	return FWD_REASON_FORWARDED;
}

/** An IP packet of a family known when compiled. */
FWD_INLINE enum fwd_reason fwd_parse_ip(struct fwd_cursor *c, struct fwd_parsed *p, bool is4)
{
	uint64_t room_in_frame = (uint64_t)(c->end - c->at);
	struct fwd_l3 l3 = { 0 };
	enum fwd_reason fault = fwd_parse_l3(c, &l3, is4);

	p->is4 = is4;
	p->addressed = l3.addressed;
	if (!l3.addressed)
		return fault;
	if (!is4 && FWD_UNLIKELY(fwd_addr_is4(&l3.dst))) {
		p->addressed =
		        false; /* ::ffff:a.b.c.d on the wire is not IPv4's a.b.c.d (RFC 4291) */
		return FWD_REASON_NOT_OURS;
	}
	p->flow.src = l3.src;
	p->flow.dst = l3.dst;
	p->flow.protocol = l3.protocol;
	p->ttl = l3.ttl;
	p->tos = l3.tos;
	p->l3_len = (uint16_t)l3.len;
	p->l4_off = (uint16_t)(p->l3_off + l3.header_len);
	if (fault != FWD_REASON_FORWARDED)
		return fault;
	if (l3.len > room_in_frame || l3.len > 0xffff)
		return FWD_REASON_MALFORMED_IP;
	if (FWD_UNLIKELY(l3.fragment)) {
		fault = fwd_parse_fragment(p, &l3);
		if (fault != FWD_REASON_FORWARDED || p->request == FWD_REQUEST_FRAGMENT)
			return fault;
	}
	return fwd_parse_l4(c, l3.len - l3.header_len, p, is4);
}

/** Whether a tag follows (IEEE 802.1Q, 802.1ad). */
FWD_INLINE bool fwd_is_tag(uint16_t type_be)
{
	return type_be == fwd_be16(FWD_ETHERTYPE_VLAN) || type_be == fwd_be16(FWD_ETHERTYPE_QINQ);
}

/**
 * Read the Ethernet header and at most two VLAN tags.
 * @return the type of what follows; 0: none does
 */
FWD_INLINE uint16_t fwd_parse_eth(struct fwd_cursor *c, struct fwd_parsed *p)
{
	const struct fwd_eth *eth = fwd_pull(c, FWD_ETH_LEN);
	const struct fwd_vlan *vlan;

	p->l3_off = FWD_ETH_LEN;
	if (!eth)
		return 0;
	if (FWD_LIKELY(!fwd_is_tag(eth->type_be)))
		return fwd_be16(eth->type_be);
	vlan = fwd_pull(c, FWD_VLAN_LEN);
	p->l3_off = FWD_ETH_LEN + FWD_VLAN_LEN;
	if (!vlan || !fwd_is_tag(vlan->type_be))
		return vlan ? fwd_be16(vlan->type_be) : 0;
	vlan = fwd_pull(c, FWD_VLAN_LEN);
	p->l3_off = FWD_ETH_LEN + 2 * FWD_VLAN_LEN;
	return vlan ? fwd_be16(vlan->type_be) : 0;
}

/**
 * Parse a frame.
 *
 * @param p  out: fault and ask say how far it came; what they do not vouch for is unset
 */
FWD_INLINE void fwd_parse(const struct fwd_packet *packet, struct fwd_parsed *p)
{
	struct fwd_cursor c = { packet->data, packet->end };
	uint16_t type;

	p->frame_len = (uint64_t)(packet->end - packet->data);
	p->seq_be = 0;
	p->tcp_flags = 0;
	p->request = FWD_REQUEST_NOTHING;
	p->fragment = false;
	p->is4 = false;
	p->addressed = false;
	p->addressee = FWD_ADDRESSEE_US;
	type = fwd_parse_eth(&c, p);
	if (FWD_LIKELY(type == FWD_ETHERTYPE_IP4))
		p->fault = (uint8_t)fwd_parse_ip(&c, p, true);
	else if (type == FWD_ETHERTYPE_IP6)
		p->fault = (uint8_t)fwd_parse_ip(&c, p, false);
	else
		p->fault = FWD_REASON_NOT_IP;
}

/** Of an IPv4 header's first eight bytes: version, length, 'more fragments' and offset. */
#define FWD_PLAIN_MASK 0xff3f0000000000ffu

/** Read an IPv4 header without options of a packet that is whole. @return false: it is another */
FWD_INLINE bool fwd_parse_plain4(const uint8_t *at, struct fwd_parsed *p)
{
	const struct fwd_ip4 *ip = (const void *)at;
	uint64_t addresses = fwd_ip4_flow(at)->addresses;

	if ((((const struct fwd_ip4_words *)ip)->first & FWD_PLAIN_MASK) != 0x45)
		return false;
	fwd_addr_from4(&p->flow.src, (uint32_t)addresses);
	fwd_addr_from4(&p->flow.dst, (uint32_t)(addresses >> 32));
	p->flow.protocol = ip->protocol;
	p->l3_len = fwd_be16(ip->len_be);
	p->ttl = ip->ttl;
	p->tos = ip->tos;
	return true;
}

/**
 * Read an IPv6 header of common addresses: those whose first half is zero, some of which no frame
 * may have, are for fwd_parse(), and so are extension headers. @return false: it is another
 */
FWD_INLINE bool fwd_parse_plain6(const uint8_t *at, struct fwd_parsed *p)
{
	const struct fwd_ip6 *ip = (const void *)at;
	uint32_t first = fwd_be32(ip->version_class_flow_be);

	p->flow.src.longs_be[0] = ip->src_be[0];
	p->flow.src.longs_be[1] = ip->src_be[1];
	p->flow.dst.longs_be[0] = ip->dst_be[0];
	p->flow.dst.longs_be[1] = ip->dst_be[1];
	if (first >> 28 != 6 || !p->flow.src.longs_be[0] || !p->flow.dst.longs_be[0])
		return false;
	p->flow.protocol = ip->next;
	p->l3_len = (uint16_t)(FWD_IP6_LEN + fwd_be16(ip->len_be));
	p->ttl = ip->hop_limit;
	p->tos = (uint8_t)(first >> 20);
	return true;
}

/**
 * Parse a frame of the commonest shape: untagged, IP without options or extension headers, whole,
 * TTL left, TCP or UDP. What is the same for all of them is a constant to what is compiled behind
 * this.
 *
 * @param p    out: as by fwd_parse(); unset unless true is returned
 * @param is4  the family that is asked for; a constant
 * @return whether it has this shape and is sound; if not, the caller gives it to fwd_parse(). The
 *         addressee is looked at later (fwd_addressee())
 */
FWD_INLINE bool fwd_parse_plain(const struct fwd_packet *packet, struct fwd_parsed *p, bool is4)
{
	uint32_t ip_len = fwd_ip_len(is4), room;
	struct fwd_cursor c = { packet->data, packet->end };
	const struct fwd_eth *eth = fwd_look(&c, 0, FWD_ETH_LEN + ip_len + FWD_TCP_LEN);
	const uint8_t *ip = packet->data + FWD_ETH_LEN;

	if (FWD_UNLIKELY(!eth || eth->type_be != fwd_ethertype_be(is4)) ||
	    FWD_UNLIKELY(!(is4 ? fwd_parse_plain4(ip, p) : fwd_parse_plain6(ip, p))))
		return false;
	p->frame_len = (uint64_t)(c.end - c.at);
	room = p->l3_len - ip_len; /* wraps round when there is less */
	if (FWD_UNLIKELY(room > p->frame_len - FWD_ETH_LEN - ip_len || p->ttl <= 1))
		return false;
	p->l3_off = FWD_ETH_LEN;
	p->l4_off = (uint16_t)(FWD_ETH_LEN + ip_len);
	p->fault = FWD_REASON_FORWARDED;
	p->is4 = is4;
	p->addressed = true;
	p->fragment = false;
	p->addressee = FWD_ADDRESSEE_US;
	c.at += FWD_ETH_LEN + ip_len;
	if (FWD_LIKELY(p->flow.protocol == FWD_PROTO_TCP))
		return fwd_parse_tcp(&c, room, p) == FWD_REASON_FORWARDED;
	p->seq_be = 0;
	p->tcp_flags = 0;
	return p->flow.protocol == FWD_PROTO_UDP &&
	       fwd_parse_udp(&c, room, p) == FWD_REASON_FORWARDED;
}

#endif
