/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Outer headers: IPIP and GUE, any mix of inner and outer family.
 *
 * RFC 2003, 2473 and 4213 (IP in IP), draft-ietf-intarea-gue-09 (GUE variant 0), RFC 6935
 * and 6936 (zero UDP checksum), RFC 6040 (ECN: normal mode, copied outwards; DSCP likewise).
 * The outer IPv4 header never fragments (DF set, RFC 6864: identification 0): what does not
 * fit was dropped before. Used by the forwarding decision and by the health probes' egress
 * program; both make room in front of the inner packet first.
 */
#ifndef WEIR_FWD_ENCAP_H
#define WEIR_FWD_ENCAP_H

#include "weir/fwd/packet.h"
#include "weir/fwd/second.h"
#include "weir/fwd/tables.h"

#define FWD_OUTER_TTL 64u

/** A tunnel to one destination, and what of the inner packet shows outside. */
struct fwd_outer {
	union fwd_addr src, dst; /**< of one family: dst's */
	uint16_t inner_len;      /**< of the inner packet, from its IP header on */
	uint16_t sport_be;       /**< GUE: UDP source port, fwd_spread_port() */
	uint16_t dport_be;       /**< GUE: UDP destination port */
	uint8_t tos;             /**< the inner DSCP and ECN */
	bool inner_is4;
};

/** Length of the outer header, in bytes. */
FWD_INLINE uint32_t fwd_outer_len(bool is4, bool gue)
{
	return fwd_ip_len(is4) + (gue ? FWD_UDP_LEN + FWD_GUE_LEN : 0);
}

/**
 * What a backend's tunnel takes of the way's MTU at most, whatever a packet's own outer header
 * measures: a sender that has learned what fits must be able to rely on it.
 */
FWD_INLINE uint32_t fwd_overhead(const struct fwd_backend *b)
{
	if (b->encap == FWD_ENCAP_L2)
		return 0;
	return fwd_outer_len(fwd_addr_is4(&b->address), b->encap == FWD_ENCAP_GUE) + b->list_room;
}

/** The protocol that a header before the inner packet names. */
FWD_INLINE uint8_t fwd_inner_protocol(const struct fwd_outer *o)
{
	return o->inner_is4 ? FWD_PROTO_IP4 : FWD_PROTO_IP6;
}

/**
 * Written by whole words, and summed before they are written: reading back what was stored
 * in parts would wait until the stores have left the processor.
 */
FWD_INLINE void fwd_outer_ip4(uint8_t *at, const struct fwd_outer *o, uint8_t protocol,
                              uint32_t len)
{
	struct fwd_ip4_words *ip = (struct fwd_ip4_words *)at;
	uint32_t src_be = o->src.words_be[3], dst_be = o->dst.words_be[3];
	uint64_t version_tos_len =
	        0x45 | (uint32_t)o->tos << 8 | (uint32_t)fwd_be16((uint16_t)len) << 16;
	uint64_t fragment = fwd_be16(0x4000);
	uint64_t ttl_protocol = FWD_OUTER_TTL | (uint32_t)protocol << 8;
	uint16_t sum = (uint16_t)~fwd_sum_fold(version_tos_len + fragment + ttl_protocol + src_be +
	                                       dst_be);

	ip->first = version_tos_len | fragment << 48;
	ip->second = ttl_protocol | (uint64_t)sum << 16 | (uint64_t)src_be << 32;
	ip->dst_be = dst_be;
}

/** Likewise by whole words. */
FWD_INLINE void fwd_outer_ip6(uint8_t *at, const struct fwd_outer *o, uint8_t protocol,
                              uint32_t len)
{
	struct fwd_ip6_words *ip = (struct fwd_ip6_words *)at;
	uint32_t version_class = fwd_be32(6u << 28 | (uint32_t)o->tos << 20);

	ip->first = version_class | (uint64_t)fwd_be16((uint16_t)(len - FWD_IP6_LEN)) << 32 |
	            (uint64_t)protocol << 48 | (uint64_t)FWD_OUTER_TTL << 56;
	ip->src_be[0] = o->src.longs_be[0];
	ip->src_be[1] = o->src.longs_be[1];
	ip->dst_be[0] = o->dst.longs_be[0];
	ip->dst_be[1] = o->dst.longs_be[1];
}

FWD_INLINE void fwd_outer_gue(uint8_t *at, const struct fwd_outer *o)
{
	struct fwd_udp *udp = (struct fwd_udp *)at;
	struct fwd_gue *gue = (struct fwd_gue *)(at + FWD_UDP_LEN);

	udp->sport_be = o->sport_be;
	udp->dport_be = o->dport_be;
	udp->len_be = fwd_be16((uint16_t)(FWD_UDP_LEN + FWD_GUE_LEN + o->inner_len));
	udp->sum = 0;
	gue->version_len = 0;
	gue->protocol = fwd_inner_protocol(o);
	gue->flags_be = 0;
}

/**
 * Write an outer header.
 *
 * @param at    fwd_outer_len(is4, gue) bytes right before the inner packet; the caller has
 *              checked that they lie in the frame, and that with them the packet is no
 *              longer than 65,535 bytes
 * @param is4   family of the outer header; a constant where speed matters
 * @param gue   GUE, else IPIP; likewise
 */
FWD_INLINE void fwd_outer_write(uint8_t *at, const struct fwd_outer *o, bool is4, bool gue)
{
	uint8_t protocol = gue ? FWD_PROTO_UDP : fwd_inner_protocol(o);
	uint32_t len = fwd_outer_len(is4, gue) + o->inner_len;

	if (is4)
		fwd_outer_ip4(at, o, protocol, len);
	else
		fwd_outer_ip6(at, o, protocol, len);
	if (gue)
		fwd_outer_gue(at + fwd_outer_len(is4, false), o);
}

/**
 * What an outer GUE header names beside its destination; it stands between it and the inner packet.
 */
struct fwd_owners {
	uint32_t n; /**< 1..SECOND_OWNERS_MAX */
	const union fwd_addr *address[SECOND_OWNERS_MAX];
};

/**
 * Write the list of owners, and its length into the GUE header before it.
 * @return false: it does not fit
 */
FWD_INLINE bool fwd_owners_write(uint8_t *gue_at, const uint8_t *end, const struct fwd_owners *o,
                                 bool is4)
{
	struct fwd_gue *gue = fwd_fit(gue_at, FWD_GUE_LEN + SECOND_HEAD_LEN, end);
	struct second_head *head = (struct second_head *)(gue_at + FWD_GUE_LEN);
	uint8_t *at = gue_at + FWD_GUE_LEN + SECOND_HEAD_LEN;

	if (!gue)
		return false;
	gue->version_len = (uint8_t)(second_len(o->n, is4) / 4);
	*head = (struct second_head){ .version = SECOND_VERSION, .n = (uint8_t)o->n };
	for (uint32_t i = 0; i < SECOND_OWNERS_MAX; i++, at += is4 ? 4 : 16) {
		struct fwd_address_words *to;

		if (i >= o->n)
			break;
		to = fwd_fit(at, is4 ? 4 : 16, end);
		if (!to)
			return false;
		if (is4) {
			to->w[0] = o->address[i]->words_be[3];
			continue;
		}
		for (uint32_t k = 0; k < 4; k++)
			to->w[k] = o->address[i]->words_be[k];
	}
	return true;
}

/** An address of @p prefix, with host bits from @p spread: one flow has one. */
FWD_INLINE void fwd_spread_source(union fwd_addr *out, const struct fwd_prefix *prefix,
                                  uint32_t spread)
{
	uint64_t host = (uint64_t)spread << 32;

	out->longs_be[0] = prefix->addr.longs_be[0];
	out->longs_be[1] = prefix->addr.longs_be[1] | (host & ~prefix->mask.longs_be[1]);
}

/** A UDP source port from @p spread, 49152 to 65535 (RFC 7510's advice for tunnels). */
FWD_INLINE uint16_t fwd_spread_port(uint32_t spread)
{
	return fwd_be16((uint16_t)(0xc000u | (spread & 0x3fffu)));
}

/** Whether @p p names a prefix at all. */
FWD_INLINE bool fwd_prefix_set(const struct fwd_prefix *p)
{
	return p->mask.longs_be[0] != 0;
}

/** Whether @p a lies in @p p; of an unset prefix nothing does. */
FWD_INLINE bool fwd_prefix_has(const struct fwd_prefix *p, const union fwd_addr *a)
{
	return (a->longs_be[1] & p->mask.longs_be[1]) == p->addr.longs_be[1] &&
	       (a->longs_be[0] & p->mask.longs_be[0]) == p->addr.longs_be[0] && fwd_prefix_set(p);
}

#endif
