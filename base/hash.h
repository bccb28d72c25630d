/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * 64-bit identities and keyed hashing (SipHash-2-4: Aumasson and Bernstein, 2012).
 *
 * Implemented in base/hash.c. Pure functions: any thread may call them.
 */
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/** A hash key. */
struct hash_key {
	uint64_t k0, k1;
};

/** SipHash-2-4 of @p n bytes. */
uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t n);
/** Each bit of @p x to all of them; 0 stays 0. The end of splitmix64 (Steele, Lea, Flood, OOPSLA 2014). */
static inline uint64_t hash_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/** Unkeyed identity of a text: the same on every node and in every release. */
uint64_t hash_text(const char *text);

#endif
