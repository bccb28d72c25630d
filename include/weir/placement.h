/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The key by which weir-dns places clients: it is derived from the hash key and reveals nothing
 * about it.
 *
 * weir-mgmt, which reads the hash key, writes this key below the state directory, beside the
 * effective document, so that a node that has just booted has both. weir-dns and `weir dns explain`
 * read it and need no access to the hash key. Implemented in model/placement.c; any thread.
 */
#ifndef WEIR_PLACEMENT_H
#define WEIR_PLACEMENT_H

#include <stdint.h>

#include "weir/model.h"

#define PLACEMENT_FILE "placement.key" /**< below the state directory; weir-mgmt's */

/** A key for clients, and what it was made of. */
struct placement {
	char derived_from[MODEL_FINGERPRINT_MAX]; /**< the hash key's fingerprint */
	uint64_t key[2];
};

/** The key for clients of the hash key @p from. */
void placement_make(const uint64_t from[2], struct placement *out);

/**
 * Replace the file at @p path by @p p: another name, fsync, rename; for group weir.
 * @return 0 or -errno (the old file stays)
 */
int placement_write(const char *path, const struct placement *p);

/**
 * Read the file at @p path, if it is weir-mgmt's.
 * @return 0; -EPERM (another's); -EBADMSG (damaged, or of another version); -errno
 */
int placement_read(const char *path, struct placement *out);

#endif
