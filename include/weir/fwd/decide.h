/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The second stage: what is to become of a parsed packet.
 *
 * Reads the packet's facts, the tables and the time; the packet itself is not touched. The
 * only thing written is what the owner rules remember of a flow (owner.h).
 */
#ifndef WEIR_FWD_DECIDE_H
#define WEIR_FWD_DECIDE_H

#include "weir/fwd/drill.h"
#include "weir/fwd/encap.h"
#include "weir/fwd/fragments.h"
#include "weir/fwd/ingress.h"
#include "weir/fwd/owner.h"
#include "weir/fwd/parse.h"
#include "weir/fwd/services.h"
#include "weir/fwd/too_big.h"
#include "weir/fwd/tunnel_error.h"

/** The decision, and how it came about: what the third stage and `weir trace` need. */
struct fwd_verdict {
	const struct fwd_service *service; /**< NULL: none */
	const struct fwd_backend *backend; /**< the flow's, once it is known */
	uint64_t hash;                     /**< the flow's */
	uint32_t slot;                     /**< in the table of all slots */
	uint32_t backend_index;            /**< 0: none */
	bool outer4;                       /**< the backend's address is IPv4 */
	enum fwd_reason reason;
	uint64_t fragment_hash; /**< of a fragment: its datagram's */
	uint32_t count;         /**< of a later fragment: its service's counter */
	uint32_t event;         /**< enum owner_event: what was met in an unsettled slot */
	uint64_t owners; /**< earlier owners that the packet names, as in owner_list.earlier */
};

/** Whether the sender @p a, no martian, is ourselves: forwarding its packet would never end. */
FWD_INLINE bool fwd_is_loop(const struct fwd_tables *t, const struct fwd_root *root,
                            const union fwd_addr *a, bool is4)
{
	const struct fwd_prefix *source = is4 ? &root->source4 : &root->source6;

	return fwd_prefix_has(source, a) || fwd_is_vip(t, root, a);
}

/**
 * Whether nothing is to be done for the sender of a packet to a VIP.
 * @return FORWARDED or why not
 */
FWD_INLINE enum fwd_reason fwd_check_sender(const struct fwd_tables *t, const struct fwd_root *root,
                                            const struct fwd_parsed *p)
{
	const union fwd_addr *a =
	        FWD_UNLIKELY(p->request == FWD_REQUEST_ERROR) ? &p->sender : &p->flow.src;

	if (FWD_UNLIKELY(fwd_is_martian(a, p->is4)))
		return FWD_REASON_MARTIAN;
	return FWD_UNLIKELY(fwd_is_loop(t, root, a, p->is4)) ? FWD_REASON_LOOP
	                                                     : FWD_REASON_FORWARDED;
}

/**
 * The slot in @p range by the service's rule: by the flow's hash, or by its source's. What is
 * remembered is a flow in either case, and so is what spreads the outer source.
 */
FWD_INLINE uint32_t fwd_range_slot(const struct fwd_root *root, uint32_t range,
                                   const struct fwd_parsed *p, const struct fwd_service *service,
                                   uint64_t hash)
{
	if (FWD_UNLIKELY(service->flags & FWD_SERVICE_HASH_SOURCE))
		hash = fwd_hash_source(root->hash_key, &p->flow, p->is4);
	return (range & FWD_RANGE_FIRST) + owner_slot(hash, 1u << (range & FWD_RANGE_LOG2));
}

/** The same in the slots of @p pool, for a service that is in no table. */
FWD_INLINE uint32_t fwd_decide_slot(const struct fwd_root *root, const struct fwd_pool *pool,
                                    const struct fwd_parsed *p, const struct fwd_service *service,
                                    uint64_t hash)
{
	return fwd_range_slot(root, fwd_pool_range(pool), p, service, hash);
}

/**
 * owner_find() on numbers alone.
 *
 * @param tables  fwd_tables_number()
 * @param hash    the flow's
 * @param what    the flow's seq | segment << 32 | protocol << 40, and the slot's word << 48
 * @param how     idle_s | remember_s << 16 | udp_policy << 32 of the asking, and fwd_drill_find() << 40
 * @return backend | event << 16
 */
FWD_SLOW uint32_t fwd_owner_find(uint64_t tables, uint64_t hash, uint64_t what, uint32_t slot,
                                 uint64_t how)
{
	const struct fwd_tables *t = fwd_tables_of(tables);
	const struct fwd_root *root = fwd_port_root(t);
	struct fwd_flow flow = { .hash = hash,
		                 .seq = (uint32_t)what,
		                 .segment = (uint8_t)(what >> 32),
		                 .protocol = (uint8_t)(what >> 40) };
	struct owner_rule rule = { .idle_s = (uint16_t)how,
		                   .remember_s = (uint16_t)(how >> 16),
		                   .udp_policy = (uint8_t)(how >> 32) };
	struct owner_cold *cold = fwd_port_cold(t, slot);
	struct fwd_exceptions *bucket = NULL;
	uint16_t hot = (uint16_t)(what >> 48), drill = (uint16_t)(how >> 40);
	struct owner_pick pick;

	if (!root)
		return 0;
	rule.now_s = fwd_port_now_s(t, root);
	if (root->n_exception_buckets)
		bucket = fwd_port_exceptions(t, owner_bucket(hash, root->n_exception_buckets));
	if (FWD_UNLIKELY(drill))
		rule.drill = fwd_drill_backend(cold, drill, hot);
	pick = owner_find(&rule, &flow, hot, cold, bucket);
	if (FWD_UNLIKELY(drill))
		fwd_drill_note(t, drill, flow.segment, pick.event,
		               (pick.backend & FWD_SLOT_BACKEND) == rule.drill &&
		                       rule.drill != (hot & FWD_SLOT_BACKEND));
	return pick.backend | (uint32_t)pick.event << 16;
}

/** What a packet that names a flow means to the flow's owner. */
FWD_INLINE uint8_t fwd_segment(const struct fwd_parsed *p)
{
	if (p->request == FWD_REQUEST_ERROR)
		return FWD_SEGMENT_QUOTED;
	return p->flow.protocol == FWD_PROTO_TCP ? fwd_tcp_segment(p->tcp_flags) : FWD_SEGMENT_UDP;
}

/**
 * Whether a packet in an outer header of family @p outer4 can name @p earlier: it is there, lives,
 * and has that family.
 */
FWD_INLINE bool fwd_can_name(const struct fwd_tables *t, uint32_t earlier, bool outer4)
{
	const struct fwd_backend *b = fwd_port_backend(t, earlier);

	return b && (b->flags & (FWD_BACKEND_USED | FWD_BACKEND_DEAD)) == FWD_BACKEND_USED &&
	       fwd_addr_is4(&b->address) == outer4;
}

/**
 * The earlier owners in the list @p word that a packet to @p current names; a SYN names no temporary
 * owners.
 */
FWD_INLINE uint64_t fwd_decide_named(const struct fwd_tables *t, uint64_t word, uint32_t current,
                                     bool is_syn)
{
	const struct fwd_backend *b = fwd_port_backend(t, current);
	bool outer4 = b && fwd_addr_is4(&b->address);
	uint64_t named = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++) {
		uint32_t earlier = owner_list_at(word, i);

		if (!earlier || earlier == current || n == SECOND_OWNERS_MAX ||
		    (is_syn && owner_list_is_temporary(word, i)) ||
		    !fwd_can_name(t, earlier, outer4))
			continue;
		named = owner_list_with(named, n++, earlier);
	}
	return named;
}

/** A TCP flow in a slot, of a pool with agents, that has earlier owners. */
FWD_INLINE uint32_t fwd_decide_listed(const struct fwd_tables *t, const struct fwd_parsed *p,
                                      uint16_t hot, struct fwd_verdict *v)
{
	const struct owner_cold *cold = fwd_port_cold(t, v->slot);
	struct fwd_cpu *cpu = fwd_port_cpu(t);

	v->event = OWNER_EVENT_LISTED;
	if (cpu)
		cpu->event[OWNER_EVENT_LISTED]++;
	if (cold)
		v->owners =
		        fwd_decide_named(t, OWNER_LOAD(uint64_t, &cold->list.earlier),
		                         hot & FWD_SLOT_BACKEND, fwd_segment(p) == FWD_SEGMENT_SYN);
	return hot & FWD_SLOT_BACKEND;
}

/** What the owner rules are to know of a flow's pool and service: @p how of fwd_owner_find(). */
FWD_INLINE uint64_t fwd_decide_how(const struct fwd_tables *t, const struct fwd_pool *pool,
                                   const struct fwd_parsed *p, const struct fwd_service *service)
{
	bool tcp = p->flow.protocol == FWD_PROTO_TCP;
	uint16_t idle_s = tcp ? pool->idle_s : service->udp_idle_s;
	uint64_t how =
	        idle_s | (uint32_t)pool->remember_s << 16 | (uint64_t)service->udp_policy << 32;

	if (FWD_LIKELY(!service->drills))
		return how;
	return how | (uint64_t)fwd_drill_find(fwd_tables_number(t), p->flow.src.longs_be[0],
	                                      p->flow.src.longs_be[1],
	                                      fwd_drill_query(p, service->drills))
	                     << 40;
}

/** The owner of a flow in an unsettled slot; counts what was met there. @return 0: none */
FWD_INLINE uint32_t fwd_decide_unsettled(const struct fwd_tables *t, const struct fwd_parsed *p,
                                         uint16_t hot, struct fwd_verdict *v)
{
	const struct fwd_pool *pool = fwd_port_pool(t, v->service->pool);
	uint64_t what = fwd_be32(p->seq_be) | (uint64_t)fwd_segment(p) << 32 |
	                (uint64_t)p->flow.protocol << 40 | (uint64_t)hot << 48;
	struct fwd_cpu *cpu = fwd_port_cpu(t);
	uint32_t pick, event;

	if (FWD_UNLIKELY(!pool))
		return 0;
	pick = fwd_owner_find(fwd_tables_number(t), v->hash, what, v->slot,
	                      fwd_decide_how(t, pool, p, v->service));
	v->event = event = pick >> 16;
	FWD_LAUNDER(event);
	if (cpu && event < FWD_EVENTS_MAX)
		cpu->event[event]++;
	return pick & FWD_SLOT_BACKEND;
}

/** The hot word of @p slot; 0 (none) if there is no such slot. */
FWD_INLINE uint16_t fwd_slot_word(const struct fwd_tables *t, uint32_t slot)
{
	const struct fwd_slots *block = fwd_port_slots(t, slot);

	return block ? OWNER_LOAD(uint16_t, &block->slot[slot % FWD_SLOTS_PER_BLOCK]) : 0;
}

/** Whether a packet in an unsettled slot of @p range names earlier owners. */
FWD_INLINE bool fwd_is_listed(uint32_t range, const struct fwd_parsed *p)
{
	return range & FWD_RANGE_LISTED && p->flow.protocol == FWD_PROTO_TCP;
}

/** The owner of the verdict's flow, unless the fast path has found it. @return a backend, or 0: none */
FWD_INLINE uint32_t fwd_decide_owner(const struct fwd_tables *t, uint32_t range,
                                     const struct fwd_parsed *p, struct fwd_verdict *v)
{
	uint16_t hot;

	if (v->event != OWNER_EVENT_NONE)
		return v->backend_index;
	hot = fwd_slot_word(t, v->slot);
	if (FWD_LIKELY(!(hot & FWD_SLOT_UNSETTLED)))
		return hot;
	if (fwd_is_listed(range, p))
		return fwd_decide_listed(t, p, hot, v);
	return fwd_decide_unsettled(t, p, hot, v);
}

/** Why nothing can be sent to @p b, which has other flags than 'used' alone. */
FWD_INLINE enum fwd_reason fwd_backend_fault(const struct fwd_backend *b)
{
	if (!(b->flags & FWD_BACKEND_USED))
		return FWD_REASON_NO_TABLES;
	if (b->flags & FWD_BACKEND_FULL)
		return FWD_REASON_BACKUP_FULL;
	return b->flags & FWD_BACKEND_DEAD ? FWD_REASON_BACKEND_DEAD : FWD_REASON_NO_NEXT_HOP;
}

/** Whether the packet can be sent to @p b. @return FWD_REASON_FORWARDED, or why it cannot */
FWD_INLINE enum fwd_reason fwd_check_backend(const struct fwd_root *root,
                                             const struct fwd_backend *b, bool outer4)
{
	if (FWD_UNLIKELY(b->flags != FWD_BACKEND_USED))
		return fwd_backend_fault(b);
	if (FWD_UNLIKELY(!fwd_prefix_set(outer4 ? &root->source4 : &root->source6)))
		return b->encap == FWD_ENCAP_L2 ? FWD_REASON_FORWARDED : FWD_REASON_NO_SOURCE;
	return FWD_REASON_FORWARDED;
}

/**
 * Whether a packet can be sent to the backend of v->backend_index, which is not 0.
 * @return FORWARDED or why not
 */
FWD_INLINE enum fwd_reason fwd_decide_backend(const struct fwd_tables *t,
                                              const struct fwd_root *root,
                                              const struct fwd_parsed *p, struct fwd_verdict *v)
{
	enum fwd_reason fault;

	v->backend = fwd_port_backend(t, v->backend_index);
	if (FWD_UNLIKELY(!v->backend))
		return FWD_REASON_NO_TABLES;
	v->outer4 = fwd_addr_is4(&v->backend->address);
	fault = v->outer4 ? fwd_check_backend(root, v->backend, true)
	                  : fwd_check_backend(root, v->backend, false);
	if (FWD_UNLIKELY(fault != FWD_REASON_FORWARDED))
		return fault;
	if (FWD_UNLIKELY(p->l3_len > v->backend->inner_mtu))
		return fwd_too_big(t, root, p, v->backend->inner_mtu);
	return FWD_REASON_FORWARDED;
}

/**
 * The backend of a packet of a flow, or about one, whose service is known.
 * @return FORWARDED or why there is none
 */
FWD_INLINE enum fwd_reason fwd_decide_flow(const struct fwd_tables *t, const struct fwd_root *root,
                                           const struct fwd_parsed *p, struct fwd_verdict *v)
{
	uint32_t range = OWNER_LOAD(uint32_t, &v->service->range);
	enum fwd_reason fault = fwd_check_sender(t, root, p);

	if (FWD_UNLIKELY(fault != FWD_REASON_FORWARDED))
		return fault;
	if (FWD_UNLIKELY(p->ttl <= 1))
		return FWD_REASON_TTL;
	v->slot = fwd_range_slot(root, range, p, v->service, v->hash);
	v->backend_index = fwd_decide_owner(t, range, p, v);
	return FWD_LIKELY(v->backend_index) ? FWD_REASON_FORWARDED : FWD_REASON_NO_BACKEND;
}

/** The backend of a later fragment: remembered if its datagram's first one went to a service. */
FWD_INLINE enum fwd_reason fwd_decide_later(const struct fwd_tables *t, const struct fwd_parsed *p,
                                            struct fwd_verdict *v)
{
	uint64_t where;

	if (p->ttl <= 1)
		return FWD_REASON_TTL;
	v->hash = v->fragment_hash;
	where = fwd_fragment_find(fwd_tables_number(t), v->hash);
	v->backend_index = where & FWD_SLOT_BACKEND;
	v->count = (uint32_t)(where >> FWD_FRAGMENT_COUNT_AT);
	return v->backend_index ? FWD_REASON_FORWARDED : FWD_REASON_FRAGMENT;
}

/**
 * A packet to a VIP that names no service: nothing of it goes to the kernel but ND.
 * @return FORWARDED with a backend, or another reason
 */
FWD_INLINE enum fwd_reason fwd_decide_vip(const struct fwd_tables *t, const struct fwd_root *root,
                                          const struct fwd_parsed *p, struct fwd_verdict *v)
{
	enum fwd_reason fault;

	if (p->request == FWD_REQUEST_NOTHING)
		return (enum fwd_reason)p->fault;
	if (p->request == FWD_REQUEST_NEIGHBOUR)
		return FWD_REASON_NEIGHBOUR;
	fault = fwd_check_sender(t, root, p);
	if (fault != FWD_REASON_FORWARDED)
		return fault;
	if (p->request == FWD_REQUEST_FRAGMENT)
		return fwd_decide_later(t, p, v);
	if (p->request == FWD_REQUEST_ECHO)
		return FWD_REASON_ECHO_REPLIED;
	return p->request == FWD_REQUEST_ERROR ? FWD_REASON_ICMP_UNRELATED : FWD_REASON_NO_SERVICE;
}

/**
 * A packet to none of our VIPs: the kernel's, unless the next stage finds it to be about our
 * tunnels.
 */
FWD_INLINE enum fwd_reason fwd_decide_other(const struct fwd_root *root, const struct fwd_parsed *p)
{
	const struct fwd_prefix *source = p->is4 ? &root->source4 : &root->source6;

	if (FWD_LIKELY(p->request != FWD_REQUEST_ERROR && p->fault != FWD_REASON_ICMP_UNRELATED))
		return FWD_REASON_NOT_OURS;
	return fwd_prefix_has(source, &p->flow.dst) ? FWD_REASON_TUNNEL_ERROR : FWD_REASON_NOT_OURS;
}

/** A frame that is not addressed to this port alone; no VIP takes one. */
FWD_INLINE enum fwd_reason fwd_decide_addressee(const struct fwd_tables *t,
                                                const struct fwd_root *root,
                                                const struct fwd_parsed *p)
{
	if (p->addressee == FWD_ADDRESSEE_OTHER)
		return FWD_REASON_OTHER_MAC;
	return fwd_is_vip(t, root, &p->flow.dst) ? FWD_REASON_GROUP_MAC : FWD_REASON_NOT_OURS;
}

/** The first fragment goes to the verdict's backend: so will the others. */
FWD_INLINE void fwd_decide_first(const struct fwd_tables *t, const struct fwd_verdict *v)
{
	uint64_t where = fwd_fragment_where(v->backend_index, v->service->count);
	struct fwd_cpu *cpu = fwd_port_cpu(t);

	if (cpu)
		cpu->fragments_lost +=
		        fwd_fragment_remember(fwd_tables_number(t), v->fragment_hash, where);
}

/** Whether the packet names a flow that a service can have. */
FWD_INLINE bool fwd_has_flow(const struct fwd_parsed *p)
{
	return p->request == FWD_REQUEST_SERVICE || p->request == FWD_REQUEST_ERROR;
}

/**
 * What a decision begins with: the flow's hash, and its service if it has one.
 *
 * @param hashed  the verdict has the hash
 */
FWD_INLINE void fwd_decide_find(const struct fwd_tables *t, const struct fwd_root *root,
                                const struct fwd_parsed *p, struct fwd_verdict *v, bool hashed)
{
	/* The hash needs no table: the processor reckons it while the look-up waits. */
	if (!hashed)
		v->hash = fwd_hash_flow(root->hash_key, &p->flow, p->is4);
	v->service = fwd_service_find(t, root, &p->flow.dst, p->flow.dport_be, p->flow.protocol);
}

/** Decide on a packet whose flow, if it has one, fwd_decide_find() has seen. */
FWD_INLINE void fwd_decide_found(const struct fwd_tables *t, const struct fwd_root *root,
                                 const struct fwd_parsed *p, struct fwd_verdict *v)
{
	if (FWD_UNLIKELY(p->fragment))
		v->fragment_hash = fwd_hash_fragment(root->hash_key, p);
	if (FWD_UNLIKELY(p->addressee != FWD_ADDRESSEE_US))
		v->reason = fwd_decide_addressee(t, root, p);
	else if (FWD_LIKELY(v->service != NULL))
		v->reason = fwd_decide_flow(t, root, p, v);
	else if (!fwd_is_vip(t, root, &p->flow.dst))
		v->reason = fwd_decide_other(root, p);
	else
		v->reason = fwd_decide_vip(t, root, p, v);
	if (FWD_UNLIKELY(v->reason != FWD_REASON_FORWARDED))
		return;
	v->reason = fwd_decide_backend(t, root, p, v);
	if (FWD_UNLIKELY(v->reason != FWD_REASON_FORWARDED))
		return;
	if (FWD_UNLIKELY(p->fragment && v->service))
		fwd_decide_first(t, v);
	if (p->request == FWD_REQUEST_ERROR)
		v->reason = FWD_REASON_ICMP_RELAYED;
}

#endif
