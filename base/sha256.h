/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * SHA-256 (FIPS 180-4) without memory of its own, so that it cannot fail.
 *
 * Implemented in base/sha256.c. Any thread may call; a digest being made belongs to one thread.
 */
#ifndef WEIR_BASE_SHA256_H
#define WEIR_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32u /**< of a digest: 256 bits */
/** The longest input: one block with its padding. */
#define SHA256_SHORT_MAX 55u

/** A digest being made; private. */
struct sha256 {
	uint32_t h[8];
	uint8_t block[64];
	uint64_t n_bytes;
};

/** Begin a digest, add @p n bytes to it, end it. */
void sha256_begin(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *bytes, size_t n);
void sha256_end(struct sha256 *s, uint8_t out[SHA256_BYTES]);

/** The digest of @p n bytes, at most SHA256_SHORT_MAX. */
void sha256_short(const void *bytes, size_t n, uint8_t out[SHA256_BYTES]);

#endif
