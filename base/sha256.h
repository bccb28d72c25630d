/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * SHA-256 (FIPS 180-4) of short things, for processes that link no library for it.
 */
#ifndef WEIR_BASE_SHA256_H
#define WEIR_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32u
/** The longest input: one block with its padding. */
#define SHA256_SHORT_MAX 55u

/** The digest of @p n bytes, at most SHA256_SHORT_MAX. */
void sha256_short(const void *bytes, size_t n, uint8_t out[SHA256_BYTES]);

#endif
