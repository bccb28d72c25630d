/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The flow's hash: SipHash-1-3 (Aumasson and Bernstein, 2012), keyed by the cluster's secret.
 *
 * The message is the bytes of the flow as they stand in the packet: source, destination,
 * source port, destination port, protocol (13 bytes for IPv4, 37 for IPv6), or the source
 * address alone (4 or 16 bytes). Nothing local goes in, so each node finds the same.
 */
#ifndef WEIR_FWD_HASH_H
#define WEIR_FWD_HASH_H

#include "weir/fwd/types.h"

/** Bytes of a flow's message. */
#define FWD_HASH_LEN4 13ull
#define FWD_HASH_LEN6 37ull

/** SipHash's state. */
struct fwd_sip {
	uint64_t v0, v1, v2, v3;
};

FWD_INLINE uint64_t fwd_rotl64(uint64_t x, unsigned int n)
{
	return x << n | x >> (64 - n);
}

FWD_INLINE void fwd_sip_round(struct fwd_sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = fwd_rotl64(s->v1, 13) ^ s->v0;
	s->v3 = fwd_rotl64(s->v3, 16) ^ s->v2;
	s->v0 = fwd_rotl64(s->v0, 32) + s->v3;
	s->v2 += s->v1;
	s->v1 = fwd_rotl64(s->v1, 17) ^ s->v2;
	s->v3 = fwd_rotl64(s->v3, 21) ^ s->v0;
	s->v2 = fwd_rotl64(s->v2, 32);
}

FWD_INLINE void fwd_sip_init(struct fwd_sip *s, const uint64_t key[2])
{
	s->v0 = key[0] ^ 0x736f6d6570736575u;
	s->v1 = key[1] ^ 0x646f72616e646f6du;
	s->v2 = key[0] ^ 0x6c7967656e657261u;
	s->v3 = key[1] ^ 0x7465646279746573u;
}

/** Take eight bytes of the message. */
FWD_INLINE void fwd_sip_word(struct fwd_sip *s, uint64_t word)
{
	s->v3 ^= word;
	fwd_sip_round(s);
	s->v0 ^= word;
}

/** Take the last word (the message's remaining bytes, its length in the top byte) and end. */
FWD_INLINE uint64_t fwd_sip_end(struct fwd_sip *s, uint64_t word)
{
	fwd_sip_word(s, word);
	s->v2 ^= 0xff;
	fwd_sip_round(s);
	fwd_sip_round(s);
	fwd_sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/** What identifies a flow, as sent by the client. */
struct fwd_tuple {
	union fwd_addr src, dst;
	uint16_t sport_be, dport_be;
	uint8_t protocol;
	uint8_t reserved[3];
};
_Static_assert(sizeof(struct fwd_tuple) == 40, "no hidden padding");

/** The message of an IPv4 flow: its addresses. */
FWD_INLINE uint64_t fwd_hash_first4(const struct fwd_tuple *f)
{
	return f->src.words_be[3] | (uint64_t)f->dst.words_be[3] << 32;
}

/** The last word of a flow's message, which is @p len bytes long. */
FWD_INLINE uint64_t fwd_hash_last(const struct fwd_tuple *f, uint64_t len)
{
	return f->sport_be | (uint64_t)f->dport_be << 16 | (uint64_t)f->protocol << 32 | len << 56;
}

/** Hash the whole flow; @p is4: both addresses are IPv4. */
FWD_INLINE uint64_t fwd_hash_flow(const uint64_t key[2], const struct fwd_tuple *f, bool is4)
{
	struct fwd_sip s;

	fwd_sip_init(&s, key);
	if (is4) {
		fwd_sip_word(&s, fwd_hash_first4(f));
		return fwd_sip_end(&s, fwd_hash_last(f, FWD_HASH_LEN4));
	}
	fwd_sip_word(&s, f->src.longs_be[0]);
	fwd_sip_word(&s, f->src.longs_be[1]);
	fwd_sip_word(&s, f->dst.longs_be[0]);
	fwd_sip_word(&s, f->dst.longs_be[1]);
	return fwd_sip_end(&s, fwd_hash_last(f, FWD_HASH_LEN6));
}

/** Hash the source address alone. */
FWD_INLINE uint64_t fwd_hash_source(const uint64_t key[2], const struct fwd_tuple *f, bool is4)
{
	struct fwd_sip s;

	fwd_sip_init(&s, key);
	if (is4)
		return fwd_sip_end(&s, f->src.words_be[3] | 4ull << 56);
	fwd_sip_word(&s, f->src.longs_be[0]);
	fwd_sip_word(&s, f->src.longs_be[1]);
	return fwd_sip_end(&s, 16ull << 56);
}

#endif
