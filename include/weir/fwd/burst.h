/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The stages over a burst of frames in memory: what a worker in user space runs.
 *
 * The same verdicts, bytes, counters and exceptions as fwd_forward() frame by frame in the
 * burst's order: what is written to tables is written by the last stage alone, which goes
 * in that order; the stages before it only look ahead, so that what the next one reads is in
 * the cache by then:
 *   1. fetch the headers of the first frames
 *   2. fetch the header of a frame further on, parse and find the service; then hash the flows of
 *      the commonest shape together
 *   3. find and fetch the slot
 *   4. read the hot word; fetch backend and counters and, where the slot is unsettled, its
 *      cold part and the bucket of exceptions
 *   5. carry out, frame by frame: a *fast* frame goes where its slot led in stage 4 by the
 *      fast path (fast_path.h), any other is decided on as a whole
 * A fast frame has the commonest shape, is for a service, is no loop, and its slot is settled. Little is kept
 * of it between stages: to read a header again costs less than to write down what it said. A
 * frame's hot word counts as it was read in stage 4 or, if it is not fast, as it is in stage 5;
 * either is a word of the time that the burst takes. Pointers into the tables live until the burst
 * ends, so a grace period waits for bursts, not frames. Services are not fetched ahead: thousands
 * of them lie in a second-level cache, and a stage costs more.
 */
#ifndef WEIR_FWD_BURST_H
#define WEIR_FWD_BURST_H

#include "weir/fwd/burst_hash.h"
#include "weir/fwd/forward.h"

#define FWD_CACHE_LINE 64u
/** Headers that are under way; with all of a burst's at once they would wait for each other. */
#define FWD_BURST_AHEAD 8u

/** A call of its own, so that the common path keeps its registers. */
#define FWD_BURST_RARE static __attribute__((noinline, unused))

/** What a frame looks like. */
enum fwd_burst_shape {
	FWD_BURST_OTHER,
	FWD_BURST_PLAIN4,  /**< as fwd_parse_plain() demands, of IPv4 */
	FWD_BURST_PLAIN6,  /**< of IPv6 */
	FWD_BURST_FOREIGN, /**< plain, of either, to none of our VIPs: the kernel's */
};

/** Frames and what becomes of them; a worker has one and uses it again and again. */
struct fwd_burst {
	uint32_t n;                                 /**< frames, at most FWD_BURST_MAX */
	uint32_t ingress[FWD_BURST_MAX];            /**< in: the ports that they came in by */
	struct fwd_packet packets[FWD_BURST_MAX];   /**< in; moved by the verdicts */
	struct fwd_verdict verdicts[FWD_BURST_MAX]; /**< out; as fwd_forward() leaves one */
	struct fwd_parsed parsed[FWD_BURST_MAX];    /**< the stages' own: unless plain */
	uint8_t shapes[FWD_BURST_MAX];              /**< the same: enum fwd_burst_shape */
	bool is_fast[FWD_BURST_MAX];                /**< the same: takes the fast path */
	bool any6;                    /**< the same: whether one is FWD_BURST_PLAIN6 */
	struct fwd_messages messages; /**< the same: of the plain frames' flows */
	uint64_t hash[FWD_BURST_MAX]; /**< the same */
};

/** Fetch the line of frame @p i's headers, if there is such a frame. */
FWD_INLINE void fwd_burst_fetch(const struct fwd_burst *b, uint32_t i)
{
	if (i < b->n)
		__builtin_prefetch(b->packets[i].data);
}

/** Fetch the line that an outer header is written to. */
FWD_INLINE void fwd_burst_fetch_room(const struct fwd_packet *packet)
{
	__builtin_prefetch(packet->data - FWD_CACHE_LINE, 1);
}

/**
 * The words that fwd_hash_flow() hashes, of the flow of plain frame @p i, from where they stand.
 */
FWD_INLINE void fwd_burst_message(struct fwd_burst *b, uint32_t i, uint8_t protocol, bool is4)
{
	const uint8_t *at = b->packets[i].data + FWD_ETH_LEN;
	const struct fwd_ip6 *ip6 = (const void *)at;
	const struct fwd_ports *ports = (const void *)(at + fwd_ip_len(is4));
	uint64_t len = is4 ? FWD_HASH_LEN4 : FWD_HASH_LEN6;
	struct fwd_messages *m = &b->messages;

	m->word[FWD_MESSAGE_WORDS - 1][i] = ports->both_be | (uint64_t)protocol << 32 | len << 56;
	if (is4) {
		m->word[0][i] = fwd_ip4_flow(at)->addresses;
		return;
	}
	m->word[0][i] = ip6->src_be[0];
	m->word[1][i] = ip6->src_be[1];
	m->word[2][i] = ip6->dst_be[0];
	m->word[3][i] = ip6->dst_be[1];
}

/** Whether @p dst, which is given by value so that nothing has to be in memory, is none of our VIPs. */
FWD_BURST_RARE bool fwd_burst_is_foreign(const struct fwd_tables *t, const struct fwd_root *root,
                                         union fwd_addr dst)
{
	return !fwd_is_vip(t, root, &dst);
}

/**
 * Stage 2 of a frame of the commonest shape: the flow's message, its service, and whether it goes
 * where its slot leads, as far as can be said before that is known. The source is looked at
 * first: to keep it meanwhile costs more than all the rest.
 *
 * @param is4  the family that is asked for; a constant
 * @return OTHER: it has another shape, or its slot asks for more of the flow than its hash
 */
FWD_INLINE enum fwd_burst_shape fwd_burst_find_plain(const struct fwd_tables *t,
                                                     const struct fwd_root *root,
                                                     struct fwd_burst *b, uint32_t i, bool is4)
{
	const enum fwd_burst_shape plain = is4 ? FWD_BURST_PLAIN4 : FWD_BURST_PLAIN6;
	struct fwd_verdict *v = &b->verdicts[i];
	struct fwd_parsed p;
	bool ours;

	if (FWD_UNLIKELY(!fwd_parse_plain(&b->packets[i], &p, is4)))
		return FWD_BURST_OTHER;
	fwd_burst_message(b, i, p.flow.protocol, is4);
	ours = fwd_is_ours(t, root, &b->packets[i], b->ingress[i]) &&
	       fwd_check_sender(t, root, &p) == FWD_REASON_FORWARDED;
	v->service = fwd_service_find(t, root, &p.flow.dst, p.flow.dport_be, p.flow.protocol);
	b->is_fast[i] = v->service && ours;
	if (FWD_UNLIKELY(!v->service))
		return ours && fwd_burst_is_foreign(t, root, p.flow.dst) ? FWD_BURST_FOREIGN
		                                                         : plain;
	return FWD_LIKELY(!(v->service->flags & FWD_SERVICE_HASH_SOURCE)) ? plain : FWD_BURST_OTHER;
}

/** Stage 2 of any other frame. */
FWD_BURST_RARE void fwd_burst_find_other(const struct fwd_tables *t, const struct fwd_root *root,
                                         struct fwd_burst *b, uint32_t i)
{
	struct fwd_parsed *p = &b->parsed[i];
	struct fwd_verdict *v = &b->verdicts[i];

	fwd_parse_ingress(t, root, &b->packets[i], b->ingress[i], p);
	*v = (struct fwd_verdict){ 0 };
	if (fwd_has_flow(p))
		fwd_decide_find(t, root, p, v, false);
	b->is_fast[i] = false;
}

/** Stage 2. */
FWD_INLINE void fwd_burst_find(const struct fwd_tables *t, const struct fwd_root *root,
                               struct fwd_burst *b)
{
	b->any6 = false;
	for (uint32_t i = 0; i < b->n; i++) {
		fwd_burst_fetch(b, i + FWD_BURST_AHEAD);
		fwd_burst_fetch_room(&b->packets[i]);
		b->shapes[i] = (uint8_t)fwd_burst_find_plain(t, root, b, i, true);
		if (FWD_LIKELY(b->shapes[i] != FWD_BURST_OTHER))
			continue;
		b->shapes[i] = (uint8_t)fwd_burst_find_plain(t, root, b, i, false);
		if (FWD_LIKELY(b->shapes[i] != FWD_BURST_OTHER))
			b->any6 = true;
		else
			fwd_burst_find_other(t, root, b, i);
	}
	fwd_hash_burst(root->hash_key, &b->messages, b->n, b->any6, b->hash);
}

/** Stage 3 of a frame with a service: fetch the block of its slot. @return whether it has one */
FWD_INLINE bool fwd_burst_fetch_slot(const struct fwd_tables *t, const struct fwd_root *root,
                                     const struct fwd_parsed *p, struct fwd_verdict *v)
{
	uint32_t range = OWNER_LOAD(uint32_t, &v->service->range);
	const struct fwd_slots *block;

	v->slot = fwd_range_slot(root, range, p, v->service, v->hash);
	block = fwd_port_slots(t, v->slot);
	if (FWD_UNLIKELY(!block))
		return false;
	__builtin_prefetch(&block->slot[v->slot % FWD_SLOTS_PER_BLOCK]);
	return true;
}

/** Stage 3. */
FWD_INLINE void fwd_burst_fetch_slots(const struct fwd_tables *t, const struct fwd_root *root,
                                      struct fwd_burst *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		struct fwd_verdict *v = &b->verdicts[i];

		if (FWD_LIKELY(b->shapes[i] != FWD_BURST_OTHER))
			v->hash = b->hash[i];
		if (FWD_LIKELY(v->service != NULL))
			b->is_fast[i] &= fwd_burst_fetch_slot(t, root, &b->parsed[i], v);
	}
}

/** Stage 4: fetch what is remembered in an unsettled slot. */
FWD_INLINE void fwd_burst_fetch_owners(const struct fwd_tables *t, const struct fwd_root *root,
                                       const struct fwd_verdict *v)
{
	const struct owner_cold *cold = fwd_port_cold(t, v->slot);

	if (cold)
		__builtin_prefetch(cold, 1);
	if (root->n_exception_buckets) {
		const struct fwd_exceptions *bucket =
		        fwd_port_exceptions(t, owner_bucket(v->hash, root->n_exception_buckets));

		if (bucket)
			__builtin_prefetch(bucket, 1);
	}
}

/** Stage 4 of one frame: where the slot leads. An unsettled slot is for the last stage. */
FWD_INLINE void fwd_burst_fetch_backend(const struct fwd_tables *t, const struct fwd_root *root,
                                        struct fwd_verdict *v, bool *is_fast)
{
	uint16_t hot = fwd_slot_word(t, v->slot);
	const struct fwd_count *count;

	v->backend_index = hot & FWD_SLOT_BACKEND;
	v->backend = fwd_port_backend(t, v->backend_index);
	count = fwd_port_backend_count(t, root->n_backends, v->backend_index);
	if (v->backend)
		__builtin_prefetch(v->backend);
	if (count)
		__builtin_prefetch(count, 1);
	if (FWD_LIKELY(!(hot & FWD_SLOT_UNSETTLED) && hot && v->backend))
		return;
	*is_fast = false;
	if (hot & FWD_SLOT_UNSETTLED)
		fwd_burst_fetch_owners(t, root, v);
}

/** Stages 1 to 4. */
FWD_INLINE void fwd_burst_look_ahead(const struct fwd_tables *t, const struct fwd_root *root,
                                     struct fwd_burst *b)
{
	for (uint32_t i = 0; i < FWD_BURST_AHEAD; i++)
		fwd_burst_fetch(b, i);
	fwd_burst_find(t, root, b);
	fwd_burst_fetch_slots(t, root, b);
	for (uint32_t i = 0; i < b->n; i++)
		if (FWD_LIKELY(b->verdicts[i].service != NULL))
			fwd_burst_fetch_backend(t, root, &b->verdicts[i], &b->is_fast[i]);
}

/** What the fast path needs of the header at @p at, to read which again costs less than to keep it. */
FWD_INLINE void fwd_burst_reread(const uint8_t *at, bool is4, struct fwd_parsed *p)
{
	const struct fwd_ip4 *ip4 = (const void *)at;
	const struct fwd_ip6 *ip6 = (const void *)at;

	p->is4 = is4;
	p->l3_len = is4 ? fwd_be16(ip4->len_be) : (uint16_t)(FWD_IP6_LEN + fwd_be16(ip6->len_be));
	p->tos = is4 ? ip4->tos : (uint8_t)(fwd_be32(ip6->version_class_flow_be) >> 20);
}

/**
 * Stage 5 of a fast frame of family @p is4, a constant: its backend is known. What is needed is
 * copied first, because the compiler cannot know that the bytes written to the frame are not these.
 * @return whether the fast path could send to the backend; else nothing has happened
 */
FWD_INLINE bool fwd_burst_send(const struct fwd_tables *t, const struct fwd_root *root,
                               struct fwd_cpu *cpu, struct fwd_packet *packet, uint64_t len,
                               struct fwd_verdict *v, bool is4)
{
	struct fwd_verdict to = { .backend = v->backend, .hash = v->hash };
	struct fwd_packet frame = *packet;
	struct fwd_parsed known = { 0 };
	const uint8_t *inner;

	fwd_burst_reread(packet->data + FWD_ETH_LEN, is4, &known);
	if (FWD_UNLIKELY(!fwd_fast_send(&frame, root, &known, &to, &inner)))
		return false;
	v->outer4 = to.outer4;
	v->event = 0;
	v->reason = to.reason;
	*packet = frame;
	fwd_fast_count(t, root, cpu, packet, len, inner, is4, v);
	return true;
}

/** Stage 5 of any other frame: the whole decision. */
FWD_BURST_RARE void fwd_burst_decide(const struct fwd_tables *t, const struct fwd_root *root,
                                     struct fwd_cpu *cpu, struct fwd_burst *b, uint32_t i)
{
	struct fwd_parsed *p = &b->parsed[i];
	struct fwd_verdict *v = &b->verdicts[i];

	if (b->shapes[i] != FWD_BURST_OTHER) {
		fwd_parse_plain(&b->packets[i], p, b->shapes[i] == FWD_BURST_PLAIN4);
		p->addressee = (uint8_t)fwd_addressee(t, root, &b->packets[i], b->ingress[i]);
	}
	*v = (struct fwd_verdict){ .hash = v->hash, .service = v->service };
	fwd_forward_any(t, root, cpu, &b->packets[i], p, v);
}

/** Stage 5 of a frame of @p len bytes. A foreign one needs no other look: fwd_decide_other() says the same of it. */
FWD_INLINE void fwd_burst_finish(const struct fwd_tables *t, const struct fwd_root *root,
                                 struct fwd_cpu *cpu, struct fwd_burst *b, uint32_t i, uint64_t len)
{
	struct fwd_packet *packet = &b->packets[i];
	struct fwd_verdict *v = &b->verdicts[i];

	if (FWD_LIKELY(b->is_fast[i]) &&
	    FWD_LIKELY(FWD_LIKELY(b->shapes[i] == FWD_BURST_PLAIN4)
	                       ? fwd_burst_send(t, root, cpu, packet, len, v, true)
	                       : fwd_burst_send(t, root, cpu, packet, len, v, false)))
		return;
	if (b->shapes[i] != FWD_BURST_FOREIGN) {
		fwd_burst_decide(t, root, cpu, b, i);
		return;
	}
	*v = (struct fwd_verdict){ .hash = v->hash, .reason = FWD_REASON_NOT_OURS };
	fwd_count_reason(cpu, v->reason);
}

/**
 * Forward the frames of a burst.
 *
 * @param root  the tables' root
 * @param b     packets and n are set; afterwards each frame and its verdict are as
 *              fwd_forward() would have left them
 */
FWD_INLINE void fwd_forward_burst(const struct fwd_tables *t, const struct fwd_root *root,
                                  struct fwd_burst *b)
{
	struct fwd_cpu *cpu = fwd_port_cpu(t);
	uint64_t bytes = 0;

	if (!cpu) {
		for (uint32_t i = 0; i < b->n; i++)
			b->verdicts[i] = (struct fwd_verdict){ .reason = FWD_REASON_NO_TABLES };
		return; /* never */
	}
	fwd_burst_look_ahead(t, root, b);
	cpu->received += b->n;
	for (uint32_t i = 0; i < b->n; i++) {
		uint64_t len = (uint64_t)(b->packets[i].end - b->packets[i].data);

		bytes += len;
		fwd_burst_finish(t, root, cpu, b, i, len);
	}
	cpu->received_bytes += bytes;
}

#endif
