/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The flow's hash (hash.h) of many IPv4 flows at once: eight lanes of 64 bits, by the compiler's
 * vectors, in the widest registers that the processor turns out to have.
 */
#ifndef WEIR_FWD_BURST_HASH_H
#define WEIR_FWD_BURST_HASH_H

#include "weir/fwd/hash.h"

#define FWD_LANES 8u

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

/**
 * Hash messages of two words, as fwd_hash_flow() does an IPv4 flow's.
 *
 * @param first, last  [n rounded up to FWD_LANES]: addresses; ports, protocol and length
 * @param out          the same; hashes
 */
static FWD_WIDEST void fwd_hash_burst(const uint64_t key[2], const uint64_t *first,
                                      const uint64_t *last, uint64_t *out, uint32_t n)
{
	for (uint32_t i = 0; i < n; i += FWD_LANES) {
		fwd_lanes m0 = *(const fwd_lanes_at *)(first + i);
		fwd_lanes m1 = *(const fwd_lanes_at *)(last + i);
		fwd_lanes v0 = (fwd_lanes){ 0 } + (key[0] ^ 0x736f6d6570736575u);
		fwd_lanes v1 = (fwd_lanes){ 0 } + (key[1] ^ 0x646f72616e646f6du);
		fwd_lanes v2 = (fwd_lanes){ 0 } + (key[0] ^ 0x6c7967656e657261u);
		fwd_lanes v3 = ((fwd_lanes){ 0 } + (key[1] ^ 0x7465646279746573u)) ^ m0;

		FWD_LANES_ROUND(v0, v1, v2, v3);
		v0 ^= m0;
		v3 ^= m1;
		FWD_LANES_ROUND(v0, v1, v2, v3);
		v0 ^= m1;
		v2 ^= 0xff;
		FWD_LANES_ROUND(v0, v1, v2, v3);
		FWD_LANES_ROUND(v0, v1, v2, v3);
		FWD_LANES_ROUND(v0, v1, v2, v3);
		*(fwd_lanes_at *)(out + i) = v0 ^ v1 ^ v2 ^ v3;
	}
}

#endif
