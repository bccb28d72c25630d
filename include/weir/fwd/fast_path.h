/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The fast path, for the commonest packet: IPv4, TCP or UDP, for a slot that has one owner, whose
 * tunnel is IPv4 behind an untagged next hop.
 *
 * One test follows the other. The first that fails hands the packet to the stages of forward.h,
 * which handle all cases, and nothing has been changed by then. So this code does nothing that the
 * stages would not do as well. It only has fewer tests, and constants in place of variables; that
 * saves a tenth of a packet's cost.
 */
#ifndef WEIR_FWD_FAST_PATH_H
#define WEIR_FWD_FAST_PATH_H

#include "weir/fwd/rewrite.h"

/** What is found of a packet before it is known whether the fast path can take it. */
struct fwd_found {
	uint64_t hash;
	const struct fwd_service *service;
};

/** The one owner of a flow of a service. @return NULL: not a packet for the fast path */
FWD_INLINE const struct fwd_backend *
fwd_fast_backend(const struct fwd_tables *t, const struct fwd_root *root,
                 const struct fwd_parsed *p, const struct fwd_found *f, struct fwd_verdict *v)
{
	const struct fwd_pool *pool;
	uint16_t hot;

	if (!f->service || fwd_is_martian(&p->flow.src, true) ||
	    fwd_is_loop(t, root, &p->flow.src, true))
		return NULL;
	pool = fwd_port_pool(t, f->service->pool);
	if (!pool)
		return NULL;
	v->slot = fwd_decide_slot(root, pool, p, f->service, f->hash);
	hot = fwd_slot_word(t, v->slot);
	if (!hot || hot & FWD_SLOT_UNSETTLED)
		return NULL;
	v->backend_index = hot;
	return fwd_port_backend(t, hot);
}

/**
 * Whether a packet of @p len bytes can go to @p b with an outer IPv4 header and no tag. All
 * conditions are bits of one number, so that one branch decides.
 */
FWD_INLINE bool fwd_fast_tunnel(const struct fwd_root *root, const struct fwd_backend *b,
                                uint32_t len)
{
	uint64_t not_ipv4 = b->address.longs_be[0] | (b->address.words_be[2] ^ FWD_ADDR4_MARK_BE);
	uint64_t too_long = ((uint64_t)b->inner_mtu - len) >> 63;
	uint64_t other_way =
	        ((b->way ^ FWD_BACKEND_USED << 8) & (0xffull << 8 | FWD_ENCAP_L2)) | b->vlan;

	return !(not_ipv4 | too_long | other_way) && fwd_prefix_set(&root->source4);
}

/**
 * Forward through a tunnel that fwd_fast_tunnel() has seen.
 *
 * @param inner  out, if FORWARDED is returned: the packet in the tunnel, whose headers are there:
 *               fwd_parse_plain() has seen as much
 * @return FORWARDED or NO_ROOM
 */
FWD_INLINE enum fwd_reason fwd_fast_rewrite(struct fwd_packet *packet, const struct fwd_root *root,
                                            const struct fwd_parsed *p, const struct fwd_verdict *v,
                                            bool gue, const uint8_t **inner)
{
	uint32_t outer_len = fwd_outer_len(true, gue);
	struct fwd_outer o;
	uint8_t *eth;

	if (!fwd_port_grow(packet, (int32_t)outer_len))
		return FWD_REASON_NO_ROOM;
	eth = fwd_packet_at(packet, 0, FWD_ETH_LEN + outer_len + FWD_IP4_LEN + FWD_TCP_LEN);
	if (!eth)
		return FWD_REASON_NO_ROOM; /* never: the parser was here */
	fwd_rewrite_outer(root, p, v, true, &o);
	fwd_rewrite_macs(eth, v->backend);
	((struct fwd_eth *)eth)->type_be = fwd_be16(FWD_ETHERTYPE_IP4);
	fwd_outer_write(eth + FWD_ETH_LEN, &o, true, gue);
	fwd_rewrite_ttl(eth + FWD_ETH_LEN + outer_len, true);
	*inner = eth + FWD_ETH_LEN + outer_len;
	return FWD_REASON_FORWARDED;
}

/** Whether the packet at @p inner begins a TCP flow. To read it again costs less than to keep it. */
FWD_INLINE bool fwd_fast_is_new(const uint8_t *inner)
{
	const struct fwd_ip4 *ip = (const void *)inner;
	const struct fwd_tcp *tcp = (const void *)(inner + FWD_IP4_LEN);

	return FWD_UNLIKELY(fwd_tcp_is_new(tcp->flags)) && ip->protocol == FWD_PROTO_TCP;
}

/**
 * Forward a packet of the common shape, if the fast path can.
 *
 * @param p  from fwd_parse_plain()
 * @param f  what is known of it; kept, so that the slow path can use it again
 * @param v  out, if true is returned: as fwd_forward() leaves it
 * @param inner  out, likewise: as of fwd_fast_rewrite()
 */
FWD_INLINE bool fwd_fast(const struct fwd_tables *t, const struct fwd_root *root,
                         struct fwd_packet *packet, const struct fwd_parsed *p,
                         const struct fwd_found *f, struct fwd_verdict *v, const uint8_t **inner)
{
	v->backend = fwd_fast_backend(t, root, p, f, v);
	if (FWD_UNLIKELY(!v->backend || !fwd_fast_tunnel(root, v->backend, p->l3_len)))
		return false;
	v->outer4 = true;
	v->hash = f->hash;
	v->service = f->service;
	v->reason = v->backend->encap == FWD_ENCAP_GUE
	                    ? fwd_fast_rewrite(packet, root, p, v, true, inner)
	                    : fwd_fast_rewrite(packet, root, p, v, false, inner);
	return true;
}

#endif
