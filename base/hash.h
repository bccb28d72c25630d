/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * 64-bit identities and keyed hashing (SipHash-2-4: Aumasson and Bernstein, 2012).
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
/** Unkeyed identity of a text: the same on every node and in every release. */
uint64_t hash_text(const char *text);

#endif
