/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The key by which a node signs its audit log: Ed25519 (RFC 8032), in a file that only the user of weir-mgmt can read. What is
 * public of it stands in the log, in hexadecimal.
 *
 * Implemented in mgmt/audit/key.c. A key belongs to one thread at a time; audit_key_verify() is for any.
 */
#ifndef WEIR_MGMT_AUDIT_KEY_H
#define WEIR_MGMT_AUDIT_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"
#include "mgmt/audit/line.h"

struct audit_key;

/** Make a key. @return 0, -ENOMEM or -EIO (OpenSSL makes none) */
MUST_CHECK int audit_key_new(struct audit_key **out);
/** Read the key at @p path. @return 0, -ENOENT, -EINVAL (the file is no such key) or -errno */
MUST_CHECK int audit_key_read(const char *path, struct audit_key **out);
/** Write it to @p path, 0600, so that it survives a power cut. @return 0 or -errno */
MUST_CHECK int audit_key_write(const struct audit_key *key, const char *path);
/** NULL is fine. */
void audit_key_free(struct audit_key *key);
const char *audit_key_public(const struct audit_key *key);
/** Sign @p n bytes. @return 0 or -ENOMEM */
MUST_CHECK int audit_key_sign(struct audit_key *key, const void *bytes, size_t n,
                              char out[AUDIT_SIGN_MAX]);
/** Whether @p signature of @p n bytes is that of the public key @p key; both may come from anywhere. */
bool audit_key_verify(const char *key, const void *bytes, size_t n, const char *signature);

#endif
