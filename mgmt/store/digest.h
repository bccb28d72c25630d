/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * SHA-256 digests (FIPS 180-4) as text: the names of documents, files and versions.
 */
#ifndef WEIR_MGMT_STORE_DIGEST_H
#define WEIR_MGMT_STORE_DIGEST_H

#include <stddef.h>

/** 64 hexadecimal digits and the NUL. */
#define DIGEST_TEXT_MAX 65

/** Write the digest of @p n bytes to @p out, in lower-case hexadecimal. @return @p out */
const char *digest_bytes(const void *bytes, size_t n, char out[DIGEST_TEXT_MAX]);

#endif
