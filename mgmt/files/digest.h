/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * SHA-256 digests (FIPS 180-4) as text: the names of documents, files and versions.
 *
 * Implemented in mgmt/files/digest.c. Any thread may call.
 */
#ifndef WEIR_MGMT_FILES_DIGEST_H
#define WEIR_MGMT_FILES_DIGEST_H

#include <stddef.h>

#include "base/checked.h"
#include "base/sha256.h"

/** 64 hexadecimal digits and the NUL. */
#define DIGEST_TEXT_MAX 65

/** Write a raw digest to @p out, in lower-case hexadecimal. @return @p out */
const char *digest_text(const uint8_t raw[SHA256_BYTES], char out[DIGEST_TEXT_MAX]);
/** Write the digest of @p n bytes to @p out, in lower-case hexadecimal. @return @p out */
const char *digest_bytes(const void *bytes, size_t n, char out[DIGEST_TEXT_MAX]);

/**
 * The digest of @p fd from its present offset to its end, written as digest_bytes() does.
 * @param n  how many bytes were read
 * @return 0 or -errno
 */
MUST_CHECK int digest_fd(int fd, char out[DIGEST_TEXT_MAX], size_t *n);

#endif
