/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The fast path, for the commonest packet: IPv4 or IPv6, TCP or UDP, that names no earlier owners and
 * whose tunnel is behind an untagged next hop.
 *
 * One test follows the other. The first that fails hands the packet to the stages of forward.h,
 * which handle all cases, and nothing has been changed by then but what asking for the owner of a
 * flow in an unsettled slot remembers; that owner is handed over, too. So this code does nothing that the
 * stages would not do as well. It only has fewer tests, and constants in place of variables; that
 * saves a tenth of a packet's cost. One of these constants is the packet's family (fwd_parsed.is4).
 */
#ifndef WEIR_FWD_FAST_PATH_H
#define WEIR_FWD_FAST_PATH_H

#include "weir/fwd/rewrite.h"

/**
 * Find the flow's hash, service and slot, whose line is fetched while the sender is looked at.
 *
 * @param range  out: the service's, if there is one
 * @return the slot's hot word; 0 also if there is no such slot
 */
FWD_INLINE uint16_t fwd_fast_find(const struct fwd_tables *t, const struct fwd_root *root,
                                  const struct fwd_parsed *p, struct fwd_verdict *v,
                                  uint32_t *range)
{
	fwd_decide_find(t, root, p, v, false);
	if (!v->service)
		return 0;
	*range = OWNER_LOAD(uint32_t, &v->service->range);
	v->slot = fwd_range_slot(root, *range, p, v->service, v->hash);
	return fwd_slot_word(t, v->slot);
}

/**
 * The owner of a packet's flow. In an unsettled slot that is asked once, as asking may remember the
 * flow: v->event then says so to the stages that follow where the fast path cannot go on.
 * @return NULL: not a packet for the fast path
 */
FWD_INLINE const struct fwd_backend *fwd_fast_backend(const struct fwd_tables *t,
                                                      const struct fwd_root *root,
                                                      const struct fwd_parsed *p,
                                                      struct fwd_verdict *v)
{
	uint32_t range = FWD_RANGE_NONE;
	uint16_t hot = fwd_fast_find(t, root, p, v, &range);

	if (!hot || fwd_is_martian(&p->flow.src, p->is4) ||
	    fwd_is_loop(t, root, &p->flow.src, p->is4))
		return NULL;
	v->backend_index = hot;
	if (FWD_UNLIKELY(hot & FWD_SLOT_UNSETTLED)) {
		if (fwd_is_listed(range, p))
			return NULL;
		v->backend_index = fwd_decide_unsettled(t, p, hot, v);
	}
	return FWD_LIKELY(v->backend_index) ? fwd_port_backend(t, v->backend_index) : NULL;
}

/**
 * Whether a packet of @p len bytes can go to @p b with an outer header of family @p outer4, a
 * constant, and no tag. An IPv6 address whose first half is zero is nobody's here.
 */
FWD_INLINE bool fwd_fast_tunnel(const struct fwd_root *root, const struct fwd_backend *b,
                                uint32_t len, bool outer4)
{
	if (outer4 ? b->address.longs_be[0] || b->address.words_be[2] != FWD_ADDR4_MARK_BE
	           : !b->address.longs_be[0])
		return false;
	return len <= b->inner_mtu && !b->vlan &&
	       (b->way & (0xffu << 8 | FWD_ENCAP_L2)) == FWD_BACKEND_USED << 8 &&
	       fwd_prefix_set(outer4 ? &root->source4 : &root->source6);
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
                                            bool outer4, bool gue, const uint8_t **inner)
{
	uint32_t outer_len = fwd_outer_len(outer4, gue);
	struct fwd_outer o;
	uint8_t *eth;

	if (!fwd_port_grow(packet, (int32_t)outer_len))
		return FWD_REASON_NO_ROOM;
	eth = fwd_packet_at(packet, 0, FWD_ETH_LEN + outer_len + fwd_ip_len(p->is4) + FWD_TCP_LEN);
	if (!eth)
		return FWD_REASON_NO_ROOM; /* never: the parser was here */
	fwd_rewrite_outer(root, p, v, outer4, &o);
	fwd_rewrite_macs(eth, v->backend);
	((struct fwd_eth *)eth)->type_be = fwd_ethertype_be(outer4);
	fwd_outer_write(eth + FWD_ETH_LEN, &o, outer4, gue);
	fwd_rewrite_ttl(eth + FWD_ETH_LEN + outer_len, p->is4);
	*inner = eth + FWD_ETH_LEN + outer_len;
	return FWD_REASON_FORWARDED;
}

/**
 * Forward a packet through the tunnel to v->backend, if it fits and the tunnel is of family
 * @p outer4, a constant.
 *
 * @param p  l3_len, tos and is4 are read
 * @param v  backend and hash are read; out, if true is returned: outer4, reason
 * @param inner  out, likewise: as of fwd_fast_rewrite()
 */
FWD_INLINE bool fwd_fast_send_by(struct fwd_packet *packet, const struct fwd_root *root,
                                 const struct fwd_parsed *p, struct fwd_verdict *v, bool outer4,
                                 const uint8_t **inner)
{
	if (FWD_UNLIKELY(!fwd_fast_tunnel(root, v->backend, p->l3_len, outer4)))
		return false;
	v->outer4 = outer4;
	v->reason = v->backend->encap == FWD_ENCAP_GUE
	                    ? fwd_fast_rewrite(packet, root, p, v, outer4, true, inner)
	                    : fwd_fast_rewrite(packet, root, p, v, outer4, false, inner);
	return true;
}

/** The same, through a tunnel of either family; mostly it is the packet's. */
FWD_INLINE bool fwd_fast_send(struct fwd_packet *packet, const struct fwd_root *root,
                              const struct fwd_parsed *p, struct fwd_verdict *v,
                              const uint8_t **inner)
{
	return FWD_LIKELY(fwd_fast_send_by(packet, root, p, v, p->is4, inner)) ||
	       fwd_fast_send_by(packet, root, p, v, !p->is4, inner);
}

/** Whether the packet at @p inner, which a fast path has sent, is TCP. */
FWD_INLINE bool fwd_fast_is_tcp(const uint8_t *inner, bool is4)
{
	uint8_t protocol = is4 ? ((const struct fwd_ip4 *)(const void *)inner)->protocol
	                       : ((const struct fwd_ip6 *)(const void *)inner)->next;

	return protocol == FWD_PROTO_TCP;
}

/** Whether the packet at @p inner begins a TCP flow. To read it again costs less than to keep it. */
FWD_INLINE bool fwd_fast_is_new(const uint8_t *inner, bool is4)
{
	const struct fwd_tcp *tcp = (const void *)(inner + fwd_ip_len(is4));

	return FWD_UNLIKELY(fwd_tcp_is_new(tcp->flags)) && fwd_fast_is_tcp(inner, is4);
}

/**
 * Forward a packet of the common shape, if the fast path can.
 *
 * @param p  from fwd_parse_plain()
 * @param v  zeroed; out: hash and, where it is not 0, event with backend_index; if true is returned,
 *           as fwd_forward() leaves it
 * @param inner  out, likewise: as of fwd_fast_rewrite()
 */
FWD_INLINE bool fwd_fast(const struct fwd_tables *t, const struct fwd_root *root,
                         struct fwd_packet *packet, const struct fwd_parsed *p,
                         struct fwd_verdict *v, const uint8_t **inner)
{
	v->event = OWNER_EVENT_NONE; /* not what the other family's fast path found */
	v->backend_index = 0;
	v->backend = fwd_fast_backend(t, root, p, v);
	return FWD_LIKELY(v->backend != NULL) && fwd_fast_send(packet, root, p, v, inner);
}

#endif
