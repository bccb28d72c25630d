/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * ICMP errors about our own outer packets: each is counted by what it says, and an MTU is noted.
 *
 * RFC 792, 1191 and 4443, 8201. A router on the way to a backend sends such an error to the outer
 * source, which is ours. Anyone can send one, so an error counts only if it quotes a packet that we
 * may have sent: an outer header as encap.h writes it, from the address to which the error came, to
 * one of our backends in its mode; for GUE also from a port of ours to the backend's port. Any
 * other error is not ours and goes on to the kernel.
 *
 * "Too big" must name an MTU that is smaller than the packet and at least FWD_LEARNED4_MIN or
 * FWD_MTU6_MIN. Routers that name no MTU (before RFC 1191) are not believed. The smallest MTU is
 * noted with the backend (fwd_backend.learned_mtu) until the control process fetches it: one word,
 * however many errors come. dataplane/tables/path_mtu.h bounds what may follow from it.
 */
#ifndef WEIR_FWD_TUNNEL_ERROR_H
#define WEIR_FWD_TUNNEL_ERROR_H

#include "weir/fwd/destinations.h"
#include "weir/fwd/encap.h"
#include "weir/fwd/owner_word.h"
#include "weir/fwd/parse.h"
#include "weir/fwd/too_big.h"

/** RFC 791: what each host must take. */
#define FWD_LEARNED4_MIN 576u
/** Of the quoted packet, behind its IP header: what RFC 792 promises. */
#define FWD_QUOTED_LEN 8u
#define FWD_SPORT_MIN  0xc000u /**< fwd_spread_port()'s */

/** An outer header of ours that comes back. */
struct fwd_quote {
	union fwd_addr dst;
	uint32_t len;     /**< of the packet that it was on */
	uint8_t protocol; /**< behind it */
};

/**
 * Read the outer header at @p at, FWD_IP4_LEN bytes, in an error that @p error leads.
 * @return whether it is as we send them
 */
FWD_INLINE bool fwd_quote_read4(const uint8_t *error, const uint8_t *at, struct fwd_quote *q)
{
	const struct fwd_ip4 *ip = (const void *)at;

	fwd_addr_from4(&q->dst, ip->dst_be);
	q->len = fwd_be16(ip->len_be);
	q->protocol = ip->protocol;
	return ip->version_ihl == 0x45 && ip->fragment_be == fwd_be16(0x4000) &&
	       ip->src_be == ((const struct fwd_ip4 *)(const void *)error)->dst_be;
}

/** The same for IPv6; never to ::ffff:a.b.c.d, which is how tables write IPv4's a.b.c.d. */
FWD_INLINE bool fwd_quote_read6(const uint8_t *error, const uint8_t *at, struct fwd_quote *q)
{
	const struct fwd_ip6 *to = (const void *)error, *ip = (const void *)at;

	q->dst.longs_be[0] = ip->dst_be[0];
	q->dst.longs_be[1] = ip->dst_be[1];
	q->len = FWD_IP6_LEN + fwd_be16(ip->len_be);
	q->protocol = ip->next;
	return fwd_be32(ip->version_class_flow_be) >> 28 == 6 && ip->src_be[0] == to->dst_be[0] &&
	       ip->src_be[1] == to->dst_be[1] && !fwd_addr_is4(&q->dst);
}

/**
 * The backend to which a packet with @p q and then @p behind, FWD_QUOTED_LEN bytes, went.
 * @return its index, or 0: to none
 */
FWD_INLINE uint32_t fwd_quote_backend(const struct fwd_tables *t, const struct fwd_root *root,
                                      const struct fwd_quote *q, const uint8_t *behind)
{
	const struct fwd_udp *udp = (const void *)behind;
	const struct fwd_backend *b;
	uint32_t index;

	if (q->protocol == FWD_PROTO_IP4 || q->protocol == FWD_PROTO_IP6)
		return fwd_destination_find(t, root, &q->dst, FWD_ENCAP_IPIP);
	if (q->protocol != FWD_PROTO_UDP || fwd_be16(udp->sport_be) < FWD_SPORT_MIN)
		return 0;
	index = fwd_destination_find(t, root, &q->dst, FWD_ENCAP_GUE);
	b = fwd_port_backend(t, index);
	return b && udp->dport_be == b->gue_port_be ? index : 0;
}

/** Note the MTU that a router reported of the way to backend @p index. @return the final reason */
FWD_INLINE enum fwd_reason fwd_note_mtu(const struct fwd_tables *t, uint32_t index, uint32_t mtu,
                                        uint32_t quoted_len, bool is4)
{
	uint16_t *learned = fwd_port_learned_mtu(t, index);
	uint16_t before;

	if (!learned || mtu < (is4 ? FWD_LEARNED4_MIN : FWD_MTU6_MIN) || mtu >= quoted_len ||
	    mtu > UINT16_MAX)
		return FWD_REASON_TUNNEL_TOO_BIG_REFUSED;
	before = OWNER_LOAD(uint16_t, learned);
	if (!before || mtu < before)
		OWNER_STORE(uint16_t, learned, (uint16_t)mtu);
	return FWD_REASON_TUNNEL_TOO_BIG;
}

/** What an error says of a packet to backend @p index. */
FWD_INLINE enum fwd_reason fwd_tunnel_error_says(const struct fwd_tables *t,
                                                 const struct fwd_icmp *icmp, uint32_t index,
                                                 uint32_t quoted_len, bool is4)
{
	uint32_t type_data = fwd_be32(icmp->type_data_be);

	if (is4 && icmp->type == 3 && icmp->code == 4)
		return fwd_note_mtu(t, index, type_data & 0xffff, quoted_len, true);
	if (!is4 && icmp->type == 2)
		return fwd_note_mtu(t, index, type_data, quoted_len, false);
	if (icmp->type == (is4 ? 3 : 1))
		return FWD_REASON_TUNNEL_UNREACHABLE;
	if (icmp->type == (is4 ? 11 : 3))
		return FWD_REASON_TUNNEL_EXPIRED;
	return FWD_REASON_TUNNEL_ERROR;
}

/** An error of a family known when compiled. */
FWD_INLINE enum fwd_reason fwd_tunnel_error_of(const struct fwd_tables *t,
                                               const struct fwd_root *root,
                                               const struct fwd_packet *packet, uint32_t l3_off,
                                               uint32_t l4_off, uint32_t l3_len, bool is4)
{
	uint32_t header_len = is4 ? FWD_IP4_LEN : FWD_IP6_LEN;
	uint32_t len = FWD_ICMP_LEN + header_len + FWD_QUOTED_LEN;
	const uint8_t *error = fwd_packet_at(packet, l3_off, header_len);
	const uint8_t *icmp = fwd_packet_at(packet, l4_off, len);
	const uint8_t *quoted;
	struct fwd_quote q;
	uint32_t index;

	/* What lies behind the packet's own length is padding, not packet. */
	if (!error || !icmp || l3_off + l3_len < l4_off + len)
		return FWD_REASON_NOT_OURS;
	quoted = icmp + FWD_ICMP_LEN;
	if (!(is4 ? fwd_quote_read4(error, quoted, &q) : fwd_quote_read6(error, quoted, &q)))
		return FWD_REASON_NOT_OURS;
	index = fwd_quote_backend(t, root, &q, quoted + header_len);
	if (!index)
		return FWD_REASON_NOT_OURS;
	return fwd_tunnel_error_says(t, (const void *)icmp, index, q.len, is4);
}

/**
 * Look at an ICMP error to a tunnel source of ours. The frame stays as it is.
 *
 * @param l3_off  where its IP header begins, l3_len bytes long with all that follows
 * @param l4_off  where its ICMP header begins
 * @return the final reason: TUNNEL_*, or NOT_OURS for one that is about none of our packets
 */
FWD_INLINE enum fwd_reason fwd_tunnel_error(const struct fwd_tables *t, const struct fwd_root *root,
                                            const struct fwd_packet *packet, uint32_t l3_off,
                                            uint32_t l4_off, uint32_t l3_len, bool is4)
{
	return is4 ? fwd_tunnel_error_of(t, root, packet, l3_off, l4_off, l3_len, true)
	           : fwd_tunnel_error_of(t, root, packet, l3_off, l4_off, l3_len, false);
}

#endif
