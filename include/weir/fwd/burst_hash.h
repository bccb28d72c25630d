/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The flow's hash (hash.h) of many flows at once, of either family: eight lanes of 64 bits, by the
 * compiler's vectors, in the widest registers that the processor turns out to have.
 */
#ifndef WEIR_FWD_BURST_HASH_H
#define WEIR_FWD_BURST_HASH_H

#include "weir/fwd/hash.h"

#define FWD_BURST_MAX 64u
#define FWD_LANES     8u

typedef uint64_t fwd_lanes __attribute__((vector_size(64)));
/** The same in memory, wherever it lies. */
typedef uint64_t fwd_lanes_at __attribute__((vector_size(64), aligned(8), may_alias));

#define FWD_LANES_ROTL(x, n) ((x) << (n) | (x) >> (64 - (n)))

/** As fwd_sip_round(), in all lanes. */
#define FWD_LANES_ROUND(v0, v1, v2, v3)                                                            \
	do {                                                                                       \
		v0 += v1;                                                                          \
		v2 += v3;                                                                          \
		v1 = FWD_LANES_ROTL(v1, 13) ^ v0;                                                  \
		v3 = FWD_LANES_ROTL(v3, 16) ^ v2;                                                  \
		v0 = FWD_LANES_ROTL(v0, 32) + v3;                                                  \
		v2 += v1;                                                                          \
		v1 = FWD_LANES_ROTL(v1, 17) ^ v2;                                                  \
		v3 = FWD_LANES_ROTL(v3, 21) ^ v0;                                                  \
		v2 = FWD_LANES_ROTL(v2, 32);                                                       \
	} while (0)

/** As fwd_sip_word(), in all lanes. */
#define FWD_LANES_WORD(v0, v1, v2, v3, word)                                                       \
	do {                                                                                       \
		v3 ^= (word);                                                                      \
		FWD_LANES_ROUND(v0, v1, v2, v3);                                                   \
		v0 ^= (word);                                                                      \
	} while (0)

/** @p now in the lanes that @p mask has, @p before in the others. */
#define FWD_LANES_PICK(mask, now, before) ((before) ^ (((now) ^ (before)) & (mask)))

/** A flow's message has at most this many words; an IPv4 flow's are the first and the last. */
#define FWD_MESSAGE_WORDS 5u

/** The messages of a burst's flows, word by word. */
struct fwd_messages {
	uint64_t word[FWD_MESSAGE_WORDS][FWD_BURST_MAX];
};

/**
 * Hash the messages of a burst's flows, as fwd_hash_flow() does. In the lane of an IPv4 flow the
 * words between its first and its last change nothing.
 *
 * @param n     messages; others up to the next multiple of FWD_LANES are hashed, too
 * @param any6  whether one of them is an IPv6 flow's
 * @param out   [FWD_BURST_MAX]; hashes
 */
static FWD_WIDEST void fwd_hash_burst(const uint64_t key[2], const struct fwd_messages *m,
                                      uint32_t n, bool any6, uint64_t *out)
{
	for (uint32_t i = 0; i < n; i += FWD_LANES) {
		fwd_lanes first = *(const fwd_lanes_at *)(m->word[0] + i);
		fwd_lanes last = *(const fwd_lanes_at *)(m->word[FWD_MESSAGE_WORDS - 1] + i);
		fwd_lanes is6 = (fwd_lanes)(last >> 56 == FWD_HASH_LEN6);
		fwd_lanes v0 = (fwd_lanes){ 0 } + (key[0] ^ 0x736f6d6570736575u);
		fwd_lanes v1 = (fwd_lanes){ 0 } + (key[1] ^ 0x646f72616e646f6du);
		fwd_lanes v2 = (fwd_lanes){ 0 } + (key[0] ^ 0x6c7967656e657261u);
		fwd_lanes v3 = (fwd_lanes){ 0 } + (key[1] ^ 0x7465646279746573u);

		FWD_LANES_WORD(v0, v1, v2, v3, first);
		for (uint32_t k = 1; any6 && k < FWD_MESSAGE_WORDS - 1; k++) {
			fwd_lanes word = *(const fwd_lanes_at *)(m->word[k] + i);
			fwd_lanes b0 = v0, b1 = v1, b2 = v2, b3 = v3;

			FWD_LANES_WORD(v0, v1, v2, v3, word);
			v0 = FWD_LANES_PICK(is6, v0, b0);
			v1 = FWD_LANES_PICK(is6, v1, b1);
			v2 = FWD_LANES_PICK(is6, v2, b2);
			v3 = FWD_LANES_PICK(is6, v3, b3);
		}
		FWD_LANES_WORD(v0, v1, v2, v3, last);
		v2 ^= 0xff;
		FWD_LANES_ROUND(v0, v1, v2, v3);
		FWD_LANES_ROUND(v0, v1, v2, v3);
		FWD_LANES_ROUND(v0, v1, v2, v3);
		*(fwd_lanes_at *)(out + i) = v0 ^ v1 ^ v2 ^ v3;
	}
}

#endif
