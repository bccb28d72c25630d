/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Large files of versions, each stored once, under its digest: STATE/blobs/DIGEST. They arrive in
 * parts; a part may be sent again, and an upload continues where it ended. A file appears when it
 * is complete and has its digest. A directory or file of another user is treated as missing, and
 * named in the status. Implemented in mgmt/files/blobs.c; any thread may call.
 */
#ifndef WEIR_MGMT_FILES_BLOBS_H
#define WEIR_MGMT_FILES_BLOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/files/files.h"

#define BLOBS_BYTES_MAX ((uint64_t)16 << 30) /**< of all files and parts: bounds the disk */
#define BLOBS_KEEP_S                                                                               \
	3600 /**< a file that no version names yet is kept for an hour: its upload may go on */

/* Parts of files that go over JSON in one request, base64 (the API: docs/api.md). */
#define BLOBS_PARTS_MAX       4096u
#define BLOBS_PARTS_BYTES_MAX ((size_t)4 << 20) /**< of all of them, decoded */

/** STATE/blobs. @return whether it is there and ours */
MUST_CHECK bool blobs_dir(const char *state_dir, char out[PATH_MAX]);
/** STATE/blobs/DIGEST. @return 0, -EINVAL (not a digest) or -ENAMETOOLONG */
MUST_CHECK int blobs_path(const char *state_dir, const char *digest, char out[PATH_MAX]);
/** How many bytes are there: all (*whole) or the first ones. @return 0 or -EINVAL */
MUST_CHECK int blobs_have(const char *state_dir, const char *digest, uint64_t *bytes, bool *whole);
/**
 * Add a part. A part that does not begin where the stored bytes end, or of a complete file, is
 * ignored.
 * @return 0; -EBADMSG: the file is complete but has another digest, and is removed; -EPERM:
 *   STATE/blobs is another user's; -errno
 */
MUST_CHECK int blobs_add(const char *state_dir, const char *digest, uint64_t total, uint64_t offset,
                         const void *part, size_t n);
/**
 * Copy the large files of @p f that are elsewhere, and let @p f name the copies.
 * @return 0; -ESTALE: one has changed since its digest was made; -errno
 */
MUST_CHECK int blobs_import(const char *state_dir, struct files *f);
/** Whether BLOBS_BYTES_MAX is reached. */
bool blobs_full(const char *state_dir);
/** Remove files that @p is_named does not know and that are older than BLOBS_KEEP_S. */
void blobs_collect(const char *state_dir, int64_t now_s,
                   bool (*is_named)(void *arg, const char *digest), void *arg);

#endif
