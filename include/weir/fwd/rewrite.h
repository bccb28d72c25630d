/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The third stage: carry out a verdict on the frame.
 *
 * Forwarding decrements the inner TTL or hop limit, in each mode, then puts Ethernet, one or two
 * VLAN tags if the next hop is behind them, and the outer header of a tunnel in front. An answer
 * goes back where its question came from. A packet for the kernel leaves as it came. All pointers
 * are derived again once the frame has been moved.
 */
#ifndef WEIR_FWD_REWRITE_H
#define WEIR_FWD_REWRITE_H

#include "weir/fwd/decide.h"

/** Decrement TTL or hop limit, which is at least 2. */
FWD_INLINE void fwd_rewrite_ttl(uint8_t *l3, bool is4)
{
	struct fwd_ip4 *ip4 = (struct fwd_ip4 *)l3;
	struct fwd_ip6 *ip6 = (struct fwd_ip6 *)l3;
	uint32_t sum;

	if (!is4) {
		ip6->hop_limit--;
		return;
	}
	/*
	 * TTL stands in its word's first byte: the checksum, a complement, grows by as much. The
	 * carry comes one early: 0xffff would be a second zero.
	 */
	ip4->ttl--;
	sum = ip4->sum;
	ip4->sum = (uint16_t)(sum + 1 + ((sum + 2) >> 16));
}

/** What the outer header says. */
FWD_INLINE void fwd_rewrite_outer(const struct fwd_root *root, const struct fwd_parsed *p,
                                  const struct fwd_verdict *v, bool is4, struct fwd_outer *o)
{
	const struct fwd_backend *b = v->backend;
	uint32_t spread = (uint32_t)(v->hash >> 32); /* other bits than the slot's */

	fwd_spread_source(&o->src, is4 ? &root->source4 : &root->source6, spread);
	o->dst = b->address;
	o->inner_len = p->l3_len;
	o->sport_be = fwd_spread_port(spread);
	o->dport_be = b->gue_port_be;
	o->tos = p->tos;
	o->inner_is4 = p->is4;
}

/** Length of the Ethernet header towards the next hop, with its tags. */
FWD_INLINE uint32_t fwd_eth_len(const struct fwd_backend *b)
{
	if (FWD_LIKELY(!b->vlan))
		return FWD_ETH_LEN;
	return FWD_ETH_LEN + (b->outer_vlan ? 2 : 1) * FWD_VLAN_LEN;
}

/** Write one or two tags and what follows them. @return the Ethernet header's length with them */
FWD_INLINE uint32_t fwd_rewrite_tags(uint8_t *at, const struct fwd_backend *b, uint16_t type_be)
{
	struct fwd_eth *eth = (struct fwd_eth *)at;
	struct fwd_vlan *vlan = (struct fwd_vlan *)(at + FWD_ETH_LEN);

	if (!b->outer_vlan) {
		eth->type_be = fwd_be16(FWD_ETHERTYPE_VLAN);
		vlan[0].tag_be = fwd_be16(b->vlan);
		vlan[0].type_be = type_be;
		return FWD_ETH_LEN + FWD_VLAN_LEN;
	}
	eth->type_be = b->outer_type_be;
	vlan[0].tag_be = fwd_be16(b->outer_vlan);
	vlan[0].type_be = fwd_be16(FWD_ETHERTYPE_VLAN);
	vlan[1].tag_be = fwd_be16(b->vlan);
	vlan[1].type_be = type_be;
	return FWD_ETH_LEN + 2 * FWD_VLAN_LEN;
}

/** Write both MAC addresses of the way to the next hop. */
FWD_INLINE void fwd_rewrite_macs(uint8_t *at, const struct fwd_backend *b)
{
	const struct fwd_macs *from = (const struct fwd_macs *)b->mac_to;
	struct fwd_macs *macs = (struct fwd_macs *)at;

	macs->first = from->first;
	macs->second = from->second;
}

/** Write the Ethernet header towards the next hop. @return its length */
FWD_INLINE uint32_t fwd_rewrite_eth(uint8_t *at, const struct fwd_backend *b, bool is4)
{
	struct fwd_eth *eth = (struct fwd_eth *)at;
	uint16_t type_be = fwd_ethertype_be(is4);

	fwd_rewrite_macs(at, b);
	if (FWD_LIKELY(!b->vlan)) {
		eth->type_be = type_be;
		return FWD_ETH_LEN;
	}
	return fwd_rewrite_tags(at, b, type_be);
}

/** Put the headers in front; family and mode of the outer one are known when compiled. */
FWD_INLINE bool fwd_rewrite_encap(struct fwd_packet *packet, const struct fwd_root *root,
                                  const struct fwd_parsed *p, const struct fwd_verdict *v, bool is4,
                                  bool gue)
{
	uint32_t outer_len = fwd_outer_len(is4, gue);
	uint32_t eth_len = fwd_eth_len(v->backend);
	struct fwd_outer o;
	uint8_t *eth;

	if (!fwd_port_grow(packet, (int32_t)(eth_len + outer_len - p->l3_off)))
		return false;
	eth = fwd_packet_at(packet, 0, FWD_ETH_MAX + outer_len);
	if (!eth)
		return false;
	fwd_rewrite_outer(root, p, v, is4, &o);
	eth_len = fwd_rewrite_eth(eth, v->backend, is4);
	fwd_outer_write(eth + eth_len, &o, is4, gue);
	return true;
}

/** Layer-2 direct return: the packet as it is, to the backend's MAC address. */
FWD_INLINE bool fwd_rewrite_l2(struct fwd_packet *packet, const struct fwd_parsed *p,
                               const struct fwd_verdict *v)
{
	int32_t longer = (int32_t)fwd_eth_len(v->backend) - (int32_t)p->l3_off;
	uint8_t *eth;

	if (longer && !fwd_port_grow(packet, longer))
		return false;
	eth = fwd_packet_at(packet, 0, FWD_ETH_MAX);
	if (!eth)
		return false;
	fwd_rewrite_eth(eth, v->backend, p->is4);
	return true;
}

/** The addresses of the earlier owners that the packet names. @return false: one is gone */
FWD_INLINE bool fwd_rewrite_owners(const struct fwd_tables *t, uint64_t named, struct fwd_owners *o)
{
	o->n = owner_list_n(named);
	for (uint32_t i = 0; i < SECOND_OWNERS_MAX; i++) {
		const struct fwd_backend *b = fwd_port_backend(t, owner_list_at(named, i));

		if (!b)
			return false;
		o->address[i] = &b->address;
	}
	return true;
}

/** Put headers and a list of owners in front; the outer family is known when compiled. */
FWD_INLINE bool fwd_rewrite_listed(struct fwd_packet *packet, const struct fwd_tables *t,
                                   const struct fwd_root *root, const struct fwd_parsed *p,
                                   const struct fwd_verdict *v, bool is4)
{
	uint32_t eth_len = fwd_eth_len(v->backend);
	uint32_t outer_len = fwd_outer_len(is4, true), list_len;
	struct fwd_owners owners;
	struct fwd_outer o;
	uint8_t *eth;

	if (!fwd_rewrite_owners(t, v->owners, &owners))
		return false; /* never */
	list_len = second_len(owners.n, is4);
	if (!fwd_port_grow(packet, (int32_t)(eth_len + outer_len + list_len - p->l3_off)))
		return false;
	eth = fwd_packet_at(packet, 0, FWD_ETH_LEN + 2 * FWD_VLAN_LEN + outer_len);
	if (!eth)
		return false;
	fwd_rewrite_outer(root, p, v, is4, &o);
	o.inner_len = (uint16_t)(o.inner_len + list_len);
	eth_len = fwd_rewrite_eth(eth, v->backend, is4);
	fwd_outer_write(eth + eth_len, &o, is4, true);
	return fwd_owners_write(eth + eth_len + outer_len - FWD_GUE_LEN, packet->end, &owners, is4);
}

/** Forward a packet to the verdict's backend. @return the reason, which may be NO_ROOM now */
FWD_INLINE enum fwd_reason fwd_rewrite_forward(struct fwd_packet *packet,
                                               const struct fwd_tables *t,
                                               const struct fwd_root *root,
                                               const struct fwd_parsed *p,
                                               const struct fwd_verdict *v)
{
	bool is4 = v->outer4;
	bool gue = v->backend->encap == FWD_ENCAP_GUE;
	uint8_t *l3 = fwd_packet_at(packet, p->l3_off, FWD_IP4_LEN);
	bool done;

	if (!l3)
		return FWD_REASON_NO_TABLES; /* never: the parser was here */
	fwd_rewrite_ttl(l3, p->is4);
	if (FWD_UNLIKELY(v->owners))
		done = is4 ? fwd_rewrite_listed(packet, t, root, p, v, true)
		           : fwd_rewrite_listed(packet, t, root, p, v, false);
	else if (FWD_UNLIKELY(v->backend->encap == FWD_ENCAP_L2))
		done = fwd_rewrite_l2(packet, p, v);
	else if (FWD_LIKELY(is4))
		done = gue ? fwd_rewrite_encap(packet, root, p, v, true, true)
		           : fwd_rewrite_encap(packet, root, p, v, true, false);
	else
		done = gue ? fwd_rewrite_encap(packet, root, p, v, false, true)
		           : fwd_rewrite_encap(packet, root, p, v, false, false);
	return done ? v->reason : FWD_REASON_NO_ROOM;
}

FWD_INLINE void fwd_echo_eth(uint8_t *at)
{
	struct fwd_eth *eth = (struct fwd_eth *)at;

	for (uint32_t i = 0; i < 3; i++) {
		uint16_t to = eth->to[i];

		eth->to[i] = eth->from[i];
		eth->from[i] = to;
	}
}

FWD_INLINE void fwd_echo_ip4(struct fwd_ip4 *ip)
{
	uint32_t src_be = ip->src_be;
	uint16_t before = (uint16_t)(ip->ttl | ip->protocol << 8);

	ip->src_be = ip->dst_be;
	ip->dst_be = src_be;
	ip->ttl = FWD_OUTER_TTL;
	ip->sum = fwd_sum_change(ip->sum, before, (uint16_t)(ip->ttl | ip->protocol << 8));
}

FWD_INLINE void fwd_echo_ip6(struct fwd_ip6 *ip)
{
	for (uint32_t i = 0; i < 2; i++) {
		uint64_t src_be = ip->src_be[i];

		ip->src_be[i] = ip->dst_be[i];
		ip->dst_be[i] = src_be;
	}
	ip->hop_limit = FWD_OUTER_TTL;
}

FWD_INLINE void fwd_echo_icmp(struct fwd_icmp *icmp, bool is4)
{
	uint16_t before = (uint16_t)(icmp->type | icmp->code << 8);

	icmp->type = is4 ? 0 : 129;
	icmp->sum = fwd_sum_change(icmp->sum, before, (uint16_t)(icmp->type | icmp->code << 8));
}

/**
 * A reply whose checksum came out as 0: that is right unless all other words are 0 as well. RFC
 * 1624 cannot tell these apart, for in its sums 0xffff is a second 0; the sum over zeros is 0, its
 * complement 0xffff, and a receiver takes no other.
 */
FWD_INLINE void fwd_echo_zero(struct fwd_packet *packet, const struct fwd_parsed *p)
{
	uint32_t off = p->l4_off + (uint32_t) __builtin_offsetof(struct fwd_icmp, type_data_be);
	struct fwd_icmp *icmp;

	if (!fwd_port_is_zero(packet, off, p->l3_off + p->l3_len - off))
		return;
	icmp = fwd_packet_at(packet, p->l4_off, FWD_ICMP_LEN);
	if (icmp)
		icmp->sum = 0xffff;
}

/** Turn an echo request into its reply (RFC 792, 4443), sent back where it came from. */
FWD_INLINE enum fwd_reason fwd_rewrite_echo(struct fwd_packet *packet, const struct fwd_parsed *p)
{
	uint8_t *eth = fwd_packet_at(packet, 0, FWD_ETH_LEN);
	uint8_t *l3 = fwd_packet_at(packet, p->l3_off, FWD_IP4_LEN);
	uint8_t *icmp = fwd_packet_at(packet, p->l4_off, FWD_ICMP_LEN);

	if (!eth || !l3 || !icmp)
		return FWD_REASON_NO_TABLES; /* never: the parser was here */
	FWD_LAUNDER(l3);
	if (p->is4)
		fwd_echo_ip4((struct fwd_ip4 *)l3);
	else if (fwd_fit(l3, FWD_IP6_LEN, packet->end))
		fwd_echo_ip6((struct fwd_ip6 *)l3);
	fwd_echo_eth(eth);
	fwd_echo_icmp((struct fwd_icmp *)icmp, p->is4);
	if (p->is4 && FWD_UNLIKELY(((struct fwd_icmp *)icmp)->sum == 0))
		fwd_echo_zero(packet, p);
	return FWD_REASON_ECHO_REPLIED;
}

/** Carry out a verdict that is rare. */
FWD_INLINE enum fwd_reason fwd_rewrite_rare(struct fwd_packet *packet, const struct fwd_tables *t,
                                            const struct fwd_parsed *p, const struct fwd_verdict *v)
{
	if (v->reason == FWD_REASON_ECHO_REPLIED)
		return fwd_rewrite_echo(packet, p);
	if (v->reason == FWD_REASON_TOO_BIG_ANSWERED && v->backend)
		return (enum fwd_reason)fwd_port_answer_too_big(packet, p->l3_off, p->l3_len,
		                                                p->is4, v->backend->inner_mtu);
	if (v->reason == FWD_REASON_TUNNEL_ERROR)
		return (enum fwd_reason)fwd_port_tunnel_error(t, packet, p->l3_off, p->l4_off,
		                                              p->l3_len, p->is4);
	return v->reason;
}

/** Carry out @p v. @return the final reason */
FWD_INLINE enum fwd_reason fwd_rewrite(struct fwd_packet *packet, const struct fwd_tables *t,
                                       const struct fwd_root *root, const struct fwd_parsed *p,
                                       const struct fwd_verdict *v)
{
	if (FWD_LIKELY(v->backend && v->reason <= FWD_REASON_ICMP_RELAYED))
		return fwd_rewrite_forward(packet, t, root, p, v);
	return fwd_rewrite_rare(packet, t, p, v);
}

/** The port that a packet leaves by which is to be sent; 0: where it came in. */
FWD_INLINE uint32_t fwd_egress(const struct fwd_verdict *v)
{
	if (FWD_LIKELY(v->backend && v->reason <= FWD_REASON_ICMP_RELAYED))
		return v->backend->ifindex;
	return v->backend && v->reason == FWD_REASON_FRAGMENT_FOLLOWED ? v->backend->ifindex : 0;
}

#endif
