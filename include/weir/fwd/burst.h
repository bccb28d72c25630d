/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The stages over a burst of frames in memory: what a worker in user space runs.
 *
 * The same verdicts, bytes, counters and exceptions as fwd_forward() frame by frame in the
 * burst's order: what is written to tables is written by the last stage alone, which goes
 * in that order; the stages before it only look ahead, so that what the next one reads is in
 * the cache by then:
 *   1. fetch the frames' headers
 *   2. parse, hash, find the service; fetch the slot
 *   3. read the hot word; fetch backend and counters and, where the slot looks further, its
 *      cold part and the set of exceptions
 *   4. decide, rewrite, count, frame by frame
 * A hot word is read twice: it is the second reading that counts. Pointers into the tables
 * live until the burst ends, so a grace period waits for bursts, not frames. Services are
 * not fetched ahead: thousands of them lie in a second-level cache, and a stage costs more.
 */
#ifndef WEIR_FWD_BURST_H
#define WEIR_FWD_BURST_H

#include "weir/fwd/forward.h"

#define FWD_BURST_MAX  64u
#define FWD_CACHE_LINE 64u

/** Frames and what becomes of them; a worker has one and uses it again and again. */
struct fwd_burst {
	uint32_t n;                                 /**< frames, at most FWD_BURST_MAX */
	struct fwd_packet packets[FWD_BURST_MAX];   /**< in; moved by the verdicts */
	struct fwd_verdict verdicts[FWD_BURST_MAX]; /**< out; as fwd_forward() leaves one */
	struct fwd_parsed parsed[FWD_BURST_MAX];    /**< the stages' own */
};

/** Fetch the lines of a frame's headers, and the line that an outer header is written to. */
FWD_INLINE void fwd_burst_fetch(const struct fwd_packet *packet)
{
	__builtin_prefetch(packet->data);
	__builtin_prefetch(packet->data - FWD_CACHE_LINE, 1);
}

/** Find the flow's service, and fetch the block of its slot. */
FWD_INLINE void fwd_burst_find(const struct fwd_tables *t, const struct fwd_root *root,
                               const struct fwd_parsed *p, struct fwd_verdict *v)
{
	const struct fwd_pool *pool;
	const struct fwd_slots *block;

	fwd_decide_find(t, root, p, v);
	pool = v->service ? fwd_port_pool(t, v->service->pool) : NULL;
	if (!pool)
		return;
	v->slot = fwd_decide_slot(root, pool, p, v);
	block = fwd_port_slots(t, v->slot);
	if (block)
		__builtin_prefetch(&block->slot[v->slot % FWD_SLOTS_PER_BLOCK]);
}

/** Fetch what is remembered in a slot that looks further. */
FWD_INLINE void fwd_burst_fetch_owners(const struct fwd_tables *t, const struct fwd_root *root,
                                       const struct fwd_verdict *v)
{
	const struct owner_cold *cold = fwd_port_cold(t, v->slot);

	if (cold)
		__builtin_prefetch(cold, 1);
	if (root->n_exception_sets) {
		const struct fwd_exceptions *set =
		        fwd_port_exceptions(t, owner_set(v->hash, root->n_exception_sets));

		if (set)
			__builtin_prefetch(set, 1);
	}
}

/** Fetch where the slot leads. */
FWD_INLINE void fwd_burst_fetch_backend(const struct fwd_tables *t, const struct fwd_root *root,
                                        const struct fwd_verdict *v)
{
	const struct fwd_slots *block = fwd_port_slots(t, v->slot);
	const struct fwd_backend *b;
	const struct fwd_count *count;
	uint16_t hot;

	if (!block)
		return;
	hot = OWNER_LOAD(uint16_t, &block->slot[v->slot % FWD_SLOTS_PER_BLOCK]);
	b = fwd_port_backend(t, hot & FWD_SLOT_BACKEND);
	count = fwd_port_backend_count(t, root->n_backends, hot & FWD_SLOT_BACKEND);
	if (b)
		__builtin_prefetch(b);
	if (count)
		__builtin_prefetch(count, 1);
	if (FWD_UNLIKELY(hot & FWD_SLOT_LOOK_FURTHER))
		fwd_burst_fetch_owners(t, root, v);
}

/** Stages 1 to 3. */
FWD_INLINE void fwd_burst_look_ahead(const struct fwd_tables *t, const struct fwd_root *root,
                                     struct fwd_burst *b)
{
	for (uint32_t i = 0; i < b->n; i++)
		fwd_burst_fetch(&b->packets[i]);
	for (uint32_t i = 0; i < b->n; i++) {
		b->verdicts[i] = (struct fwd_verdict){ 0 };
		fwd_parse(&b->packets[i], &b->parsed[i]);
		if (FWD_LIKELY(fwd_has_flow(&b->parsed[i])))
			fwd_burst_find(t, root, &b->parsed[i], &b->verdicts[i]);
	}
	for (uint32_t i = 0; i < b->n; i++)
		if (FWD_LIKELY(b->verdicts[i].service != NULL))
			fwd_burst_fetch_backend(t, root, &b->verdicts[i]);
}

/** Stage 4 of one frame. @return its length as it came */
FWD_INLINE uint64_t fwd_burst_finish(const struct fwd_tables *t, const struct fwd_root *root,
                                     struct fwd_cpu *cpu, struct fwd_packet *packet,
                                     const struct fwd_parsed *p, struct fwd_verdict *v)
{
	v->slot = 0;
	if (FWD_LIKELY(p->addressed))
		fwd_decide_found(t, root, p, v);
	else
		v->reason = (enum fwd_reason)p->fault;
	fwd_carry_out(t, root, packet, p, v);
	if (v->reason < FWD_REASONS_MAX)
		cpu->reason[v->reason]++;
	return p->frame_len;
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
	for (uint32_t i = 0; i < b->n; i++)
		bytes += fwd_burst_finish(t, root, cpu, &b->packets[i], &b->parsed[i],
		                          &b->verdicts[i]);
	cpu->received_bytes += bytes;
}

#endif
