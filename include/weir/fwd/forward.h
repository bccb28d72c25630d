/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The stages in a row, with the counters: what a driver calls for a frame.
 *
 * Conservation: `received` counts on entry, `reason` on exit, exactly one each, so that
 * received = sent + passed + the sum of drops at every instant between two packets.
 */
#ifndef WEIR_FWD_FORWARD_H
#define WEIR_FWD_FORWARD_H

#include "weir/fwd/fast_path.h"
#include "weir/fwd/sample.h"

FWD_INLINE void fwd_count(struct fwd_count *c, uint64_t bytes)
{
	if (!c)
		return;
	c->packets++;
	c->bytes += bytes;
}

/**
 * Count a packet that leaves, for its service and its backend. New TCP flows have counters apart, so
 * that no packet is counted in more than two places.
 *
 * @param is_new  fwd_tcp_is_new()
 */
FWD_INLINE void fwd_count_forwarded(const struct fwd_tables *t, const struct fwd_root *root,
                                    const struct fwd_verdict *v, uint32_t service, uint64_t bytes,
                                    bool is_new)
{
	if (is_new) {
		fwd_count(fwd_port_service_news(t, root->n_service_counts, service), bytes);
		fwd_count(fwd_port_backend_news(t, root->n_backends, v->backend_index), bytes);
		return;
	}
	fwd_count(fwd_port_service_count(t, root->n_service_counts, service), bytes);
	fwd_count(fwd_port_backend_count(t, root->n_backends, v->backend_index), bytes);
}

/** Count a packet of a service, or an error about one of its flows; and watch a TCP flow. */
FWD_INLINE void fwd_count_flow(const struct fwd_tables *t, const struct fwd_root *root,
                               const struct fwd_packet *packet, const struct fwd_parsed *p,
                               const struct fwd_verdict *v)
{
	bool is_tcp = p->request == FWD_REQUEST_SERVICE && p->flow.protocol == FWD_PROTO_TCP;

	fwd_count_forwarded(t, root, v, v->service->count, p->frame_len,
	                    is_tcp && fwd_tcp_is_new(p->tcp_flags));
	if (is_tcp && fwd_sample_has(root, v->hash))
		fwd_port_sample(t, root, packet, v->hash,
		                fwd_sample_where(p->l3_off, p->l4_off, p->frame_len, p->is4),
		                v->service->count);
}

/** Carry out a decision, name the final reason, and count what is to be sent. */
FWD_INLINE void fwd_carry_out(const struct fwd_tables *t, const struct fwd_root *root,
                              struct fwd_packet *packet, const struct fwd_parsed *p,
                              struct fwd_verdict *v)
{
	v->reason = fwd_rewrite(packet, t, root, p, v);
	if (FWD_LIKELY(v->reason <= FWD_REASON_ICMP_RELAYED && v->service)) {
		fwd_count_flow(t, root, packet, p, v);
	} else if (v->reason == FWD_REASON_FORWARDED) {
		v->reason = FWD_REASON_FRAGMENT_FOLLOWED;
		fwd_count_forwarded(t, root, v, v->count, p->frame_len, false);
	}
}

/** Count a packet that came. */
FWD_INLINE void fwd_count_received(struct fwd_cpu *cpu, const struct fwd_packet *packet)
{
	cpu->received++;
	cpu->received_bytes += (uint64_t)(packet->end - packet->data);
}

/** Count what became of a packet. */
FWD_INLINE void fwd_count_reason(struct fwd_cpu *cpu, uint32_t reason)
{
	FWD_LAUNDER(reason);
	if (reason < FWD_REASONS_MAX)
		cpu->reason[reason]++;
}

/**
 * Count what became of a packet on the fast path.
 *
 * @param inner  from fwd_fast()
 * @param is4    its family
 */
FWD_INLINE void fwd_fast_count(const struct fwd_tables *t, const struct fwd_root *root,
                               struct fwd_cpu *cpu, const struct fwd_packet *packet, uint64_t bytes,
                               const uint8_t *inner, bool is4, const struct fwd_verdict *v)
{
	if (FWD_UNLIKELY(v->reason != FWD_REASON_FORWARDED)) {
		cpu->reason[FWD_REASON_NO_ROOM]++;
		return;
	}
	cpu->reason[FWD_REASON_FORWARDED]++;
	fwd_count_forwarded(t, root, v, v->service->count, bytes, fwd_fast_is_new(inner, is4));
	if (fwd_sample_has(root, v->hash) && fwd_fast_is_tcp(inner, is4))
		fwd_port_sample(
		        t, root, packet, v->hash,
		        fwd_sample_where(FWD_ETH_LEN, FWD_ETH_LEN + fwd_ip_len(is4), bytes, is4),
		        v->service->count);
}

/**
 * Words of struct fwd_parsed; how many of the first ones hold what the verifier does not know
 * anyway.
 */
#define FWD_PARSED_WORDS       (sizeof(struct fwd_parsed) / 8)
#define FWD_PARSED_KNOWN_WORDS (__builtin_offsetof(struct fwd_parsed, seq_be) / 8)

/** Parse a frame of any shape. @param p  zeroed */
FWD_INLINE void fwd_forward_parse(const struct fwd_tables *t, const struct fwd_root *root,
                                  const struct fwd_packet *packet, struct fwd_parsed *p)
{
	fwd_parse_ingress(t, root, packet, fwd_port_ingress(t, packet), p);
	FWD_LAUNDER_OBJECT(*p);
	fwd_launder_words((uint64_t *)(void *)p + FWD_PARSED_KNOWN_WORDS,
	                  FWD_PARSED_WORDS - FWD_PARSED_KNOWN_WORDS, root->hash_key[0]);
	FWD_LAUNDER_OBJECT(*p);
}

/** Forward a frame of any shape by all stages. @p v: zeroed, but for what is found of it */
FWD_INLINE void fwd_forward_any(const struct fwd_tables *t, const struct fwd_root *root,
                                struct fwd_cpu *cpu, struct fwd_packet *packet,
                                const struct fwd_parsed *p, struct fwd_verdict *v)
{
	if (FWD_LIKELY(p->addressed))
		fwd_decide_found(t, root, p, v);
	else
		v->reason = (enum fwd_reason)p->fault;
	fwd_carry_out(t, root, packet, p, v);
	fwd_count_reason(cpu, v->reason);
}

/** What the fast path found of a frame that it could not take. */
struct fwd_found {
	uint64_t hash;  /**< the flow's */
	uint64_t any;   /**< 1: the hash is known; 0: nothing is */
	uint64_t owner; /**< fwd_verdict.event << 32 | backend_index, if the owner was asked for */
};

/** Forward a frame by all stages. @param found  taken over, where there is any */
FWD_INLINE void fwd_forward_long(const struct fwd_tables *t, const struct fwd_root *root,
                                 struct fwd_cpu *cpu, struct fwd_packet *packet,
                                 const struct fwd_found *found, struct fwd_verdict *v)
{
	struct fwd_parsed p = { 0 };

	fwd_forward_parse(t, root, packet, &p);
	*v = (struct fwd_verdict){ .hash = found->hash,
		                   .backend_index = (uint32_t)found->owner,
		                   .event = (uint32_t)(found->owner >> 32) };
	if (p.addressed && fwd_has_flow(&p))
		fwd_decide_find(t, root, &p, v, found->any);
	fwd_forward_any(t, root, cpu, packet, &p, v);
}

/**
 * Forward a frame by the fast path, if it is of family @p is4, a constant. A plain packet to none of our
 * VIPs ends here, too: it is the kernel's.
 *
 * @param found  out, unless true is returned and if the frame was looked at
 * @return whether the fast path took it; v is as fwd_forward() leaves it then
 */
FWD_INLINE bool fwd_forward_fast(const struct fwd_tables *t, const struct fwd_root *root,
                                 struct fwd_cpu *cpu, struct fwd_packet *packet, bool is4,
                                 struct fwd_found *found, struct fwd_verdict *v)
{
	const uint8_t *inner;
	struct fwd_parsed p;

	if (!fwd_parse_plain(packet, &p, is4) ||
	    FWD_UNLIKELY(!fwd_is_ours(t, root, packet, fwd_port_ingress(t, packet))))
		return false;
	if (FWD_UNLIKELY(!fwd_fast(t, root, packet, &p, v, &inner))) {
		const union fwd_addr *dst = &p.flow.dst;

		/* No filter first: that would be more paths for the verifier than it saves. */
		if (!v->service &&
		    !fwd_vip_find(fwd_tables_number(t), dst->longs_be[0], dst->longs_be[1])) {
			v->reason = FWD_REASON_NOT_OURS; /* as fwd_decide_other() says of it */
			fwd_count_reason(cpu, v->reason);
			return true;
		}
		*found = (struct fwd_found){ v->hash, 1,
			                     (uint64_t)v->event << 32 | v->backend_index };
		return false;
	}
	fwd_fast_count(t, root, cpu, packet, p.frame_len, inner, is4, v);
	return true;
}

/**
 * Forward a frame.
 *
 * @param root    the tables' root
 * @param packet  the frame; moved and written to by the verdict
 * @param v       out; zeroed before by the caller. Its reason is final; what is to be sent
 *                is to leave by fwd_egress()
 * @return true: it took the fast path, and leaves by v->backend->ifindex; false: v says what is
 *         to be done
 */
FWD_INLINE bool fwd_forward(const struct fwd_tables *t, const struct fwd_root *root,
                            struct fwd_packet *packet, struct fwd_verdict *v)
{
	struct fwd_cpu *cpu = fwd_port_cpu(t);
	struct fwd_found found = { 0 };

	if (!cpu) {
		v->reason = FWD_REASON_NO_TABLES; /* never */
		return false;
	}
	fwd_count_received(cpu, packet);
	if (FWD_LIKELY(fwd_forward_fast(t, root, cpu, packet, true, &found, v)) ||
	    fwd_forward_fast(t, root, cpu, packet, false, &found, v))
		return v->reason == FWD_REASON_FORWARDED;
	FWD_LAUNDER_OBJECT(found);
	fwd_launder_words(&found.hash, sizeof(found) / 8, root->hash_key[0]);
	fwd_port_again(packet);
	fwd_forward_long(t, root, cpu, packet, &found, v);
	return false;
}

#endif
