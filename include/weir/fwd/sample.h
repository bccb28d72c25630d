/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The sample of TCP flows: what became of a SYN.
 *
 * A SYN alone says little: it may come again because nobody answers, and it may come from a scan or
 * a flood. So one flow of FWD_SAMPLE_ONE_OF, chosen by the flow's hash, is watched: whether its SYN
 * comes again with the same sequence number, and whether a further segment follows. In quiet times
 * the control process lets root.sample_wide take more flows; the fixed ones always belong to it. It
 * also reads from the entries where new flows come from.
 *
 * An RST is no further segment: scanners answer a SYN-ACK with it. What follows must fit the SYN's
 * sequence number, as in owner_word.h.
 *
 * A bucket is a cache line of two entries. A new flow takes a free one, else one that was followed,
 * else the older one; if that one might still have been followed, it counts as lost. An entry is
 * words of their own, so two CPUs that write the same one at a time can spoil it: one flow of the
 * sample is then judged wrongly. Counters are the CPU's own.
 *
 * All of this is off the common path: of a packet only its hash is tested, behind everything else,
 * and the frame is read again.
 */
#ifndef WEIR_FWD_SAMPLE_H
#define WEIR_FWD_SAMPLE_H

#include "weir/fwd/owner_word.h"
#include "weir/fwd/parse.h"
#include "weir/fwd/port.h"

#define FWD_SAMPLE_ONE_OF 256u
#define FWD_SAMPLE_AT     56u /**< the hash's top byte chooses */
#define FWD_SAMPLE_WAIT_S 3u  /**< a client's next segment comes within this time */
#define FWD_SAMPLE_LIFE_S 75u /**< a SYN that comes again later is a new flow's: 1+2+4+8+16+32 s */
#define FWD_SAMPLE_AHEAD  (128u * 1024) /**< bytes that a segment may be ahead of its SYN */

#define FWD_SAMPLE_USED     1u
#define FWD_SAMPLE_FOLLOWED 2u

/** fwd_sample.source: the first bytes of the address, and above them the family, 4 or 6. */
#define FWD_SAMPLE_FAMILY_AT 56u

/** Whether the sample has the flow of @p hash. */
FWD_INLINE bool fwd_sample_has(const struct fwd_root *root, uint64_t hash)
{
	return FWD_UNLIKELY(hash >> FWD_SAMPLE_AT <= root->sample_wide);
}

FWD_INLINE struct fwd_samples *fwd_sample_bucket(const struct fwd_tables *t, uint64_t hash)
{
	return fwd_port_samples(t, (uint32_t)(hash >> 26) & (FWD_SAMPLE_BUCKETS - 1));
}

/** Whether @p e is used by the flow of @p hash. */
FWD_INLINE bool fwd_sample_is(const struct fwd_sample *e, uint64_t hash)
{
	return OWNER_LOAD(uint32_t, &e->state) && OWNER_LOAD(uint32_t, &e->tag) == (uint32_t)hash;
}

/** Whether the flow of @p e may still be followed. */
FWD_INLINE bool fwd_sample_waits(const struct fwd_sample *e, uint32_t now_s)
{
	return OWNER_LOAD(uint32_t, &e->state) == FWD_SAMPLE_USED &&
	       now_s - OWNER_LOAD(uint32_t, &e->began_s) <= FWD_SAMPLE_WAIT_S;
}

/** How dear @p e is: free 0, followed 1, else the larger the younger. */
FWD_INLINE uint32_t fwd_sample_worth(const struct fwd_sample *e, uint32_t now_s)
{
	uint32_t age = now_s - OWNER_LOAD(uint32_t, &e->began_s);

	if (!OWNER_LOAD(uint32_t, &e->state))
		return 0;
	if (OWNER_LOAD(uint32_t, &e->state) & FWD_SAMPLE_FOLLOWED)
		return 1;
	return age < 0x10000 ? 0x10002 - age : 2;
}

/** The entry for a new flow of @p hash: its own, else the one that is worth least. */
FWD_INLINE struct fwd_sample *fwd_sample_entry(struct fwd_samples *bucket, uint64_t hash,
                                               uint32_t now_s)
{
	struct fwd_sample *a = &bucket->way[0], *b = &bucket->way[1];

	if (fwd_sample_is(a, hash))
		return a;
	if (fwd_sample_is(b, hash))
		return b;
	return fwd_sample_worth(b, now_s) < fwd_sample_worth(a, now_s) ? b : a;
}

/** What the sample knows of a segment. */
struct fwd_sampled {
	uint64_t hash;    /**< the flow's */
	uint64_t source;  /**< as in struct fwd_sample */
	uint32_t seq;     /**< in host order */
	uint32_t service; /**< index of its counters */
};

/** A SYN of the sample. */
FWD_INLINE void fwd_sample_begin(const struct fwd_tables *t, const struct fwd_root *root,
                                 const struct fwd_sampled *s, struct fwd_samples *bucket,
                                 struct fwd_sample_count *count)
{
	uint32_t now_s = fwd_port_now_s(t, root);
	struct fwd_sample *e = fwd_sample_entry(bucket, s->hash, now_s);
	bool known = fwd_sample_is(e, s->hash);

	if (known && OWNER_LOAD(uint32_t, &e->seq) == s->seq &&
	    now_s - OWNER_LOAD(uint32_t, &e->began_s) <= FWD_SAMPLE_LIFE_S) {
		count->repeated++;
		return;
	}
	if (!known && fwd_sample_waits(e, now_s)) {
		struct fwd_sample_count *of = fwd_port_sample_count(
		        t, root->n_service_counts, OWNER_LOAD(uint32_t, &e->service));

		if (of)
			of->lost++;
	}
	count->sampled++;
	OWNER_STORE(uint64_t, &e->source, s->source);
	OWNER_STORE(uint32_t, &e->seq, s->seq);
	OWNER_STORE(uint32_t, &e->service, s->service);
	OWNER_STORE(uint32_t, &e->began_s, now_s);
	OWNER_STORE(uint32_t, &e->tag, (uint32_t)s->hash);
	OWNER_STORE(uint32_t, &e->state, FWD_SAMPLE_USED);
}

/** A segment that may follow the SYN that @p e holds. */
FWD_INLINE void fwd_sample_follow(const struct fwd_sampled *s, struct fwd_sample *e,
                                  struct fwd_sample_count *count)
{
	if (OWNER_LOAD(uint32_t, &e->state) != FWD_SAMPLE_USED || !fwd_sample_is(e, s->hash) ||
	    s->seq - OWNER_LOAD(uint32_t, &e->seq) > FWD_SAMPLE_AHEAD)
		return;
	OWNER_STORE(uint32_t, &e->state, FWD_SAMPLE_USED | FWD_SAMPLE_FOLLOWED);
	count->followed++;
}

/** A forwarded TCP segment of the sample. @param segment  enum fwd_segment */
FWD_INLINE void fwd_sample_segment(const struct fwd_tables *t, const struct fwd_root *root,
                                   const struct fwd_sampled *s, uint8_t segment)
{
	struct fwd_samples *bucket = fwd_sample_bucket(t, s->hash);
	struct fwd_sample_count *count =
	        fwd_port_sample_count(t, root->n_service_counts, s->service);

	if (!bucket || !count || segment == FWD_SEGMENT_RST)
		return;
	if (segment == FWD_SEGMENT_SYN) {
		fwd_sample_begin(t, root, s, bucket, count);
		return;
	}
	fwd_sample_follow(s, &bucket->way[0], count);
	fwd_sample_follow(s, &bucket->way[1], count);
}

/**
 * Where a forwarded packet's headers were when it came: what fwd_sample_frame() needs to find them
 * again, behind whatever was put in front.
 */
FWD_INLINE uint64_t fwd_sample_where(uint32_t l3_off, uint32_t l4_off, uint64_t frame_len, bool is4)
{
	return l3_off | l4_off << 16 | frame_len << 32 | (uint64_t)is4 << 63;
}

#define FWD_SAMPLE_LEN_MASK 0x7fffffffu

/** The source's prefix: 24 bits of an IPv4 address, 56 of an IPv6 one. @return 0: no header */
FWD_INLINE uint64_t fwd_sample_source(const struct fwd_packet *packet, uint32_t l3_off, bool is4)
{
	const struct fwd_ip6 *ip6;
	const struct fwd_ip4 *ip4;

	if (is4) {
		ip4 = fwd_packet_at(packet, l3_off, FWD_IP4_LEN);
		if (!ip4)
			return 0;
		return (ip4->src_be & 0xffffffu) | 4ull << FWD_SAMPLE_FAMILY_AT;
	}
	ip6 = fwd_packet_at(packet, l3_off, FWD_IP6_LEN);
	if (!ip6)
		return 0;
	return (ip6->src_be[0] & ((1ull << FWD_SAMPLE_FAMILY_AT) - 1)) |
	       6ull << FWD_SAMPLE_FAMILY_AT;
}

/**
 * A forwarded TCP segment of the sample: read its headers again, and note what they say.
 *
 * @param where  fwd_sample_where()
 */
FWD_INLINE void fwd_sample_frame(const struct fwd_tables *t, const struct fwd_root *root,
                                 const struct fwd_packet *packet, uint64_t hash, uint64_t where,
                                 uint32_t service)
{
	uint32_t longer = (uint32_t)(packet->end - packet->data) -
	                  ((uint32_t)(where >> 32) & FWD_SAMPLE_LEN_MASK);
	uint32_t l3_off = (uint32_t)(where & 0xffff) + longer;
	uint32_t l4_off = (uint32_t)(where >> 16 & 0xffff) + longer;
	uint64_t source = fwd_sample_source(packet, l3_off, where >> 63);
	const struct fwd_tcp *tcp = fwd_packet_at(packet, l4_off, FWD_TCP_LEN);
	struct fwd_sampled s = { .hash = hash, .source = source, .service = service };

	if (!source || !tcp)
		return;
	s.seq = fwd_be32(tcp->seq_be);
	fwd_sample_segment(t, root, &s, fwd_tcp_segment(tcp->flags));
}

#endif
