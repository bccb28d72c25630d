/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Base64 (RFC 4648, section 4, with padding), in which the gateway has keys and values.
 *
 * Implemented in mgmt/etcd/base64.c. Pure functions: any thread.
 */
#ifndef WEIR_MGMT_ETCD_BASE64_H
#define WEIR_MGMT_ETCD_BASE64_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/checked.h"

/** Write @p n bytes as base64 to @p f, whose error flag tells a failure. */
void etcd_base64_write(FILE *f, const void *bytes, size_t n);
/** Most bytes that a text of @p n characters can hold. */
size_t etcd_base64_room(size_t n);
/**
 * Read @p n characters.
 * @param out  etcd_base64_room(n) bytes; undefined on failure
 * @return the number of bytes; -EINVAL: no base64, or bits beyond the last byte are not zero
 */
MUST_CHECK int64_t etcd_base64_read(const char *text, size_t n, unsigned char *out);

#endif
