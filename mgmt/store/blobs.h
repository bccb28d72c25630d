/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Large files of versions, each once, by its digest: STATE/blobs/DIGEST. They come in parts, which may be sent
 * again and go on where they ended; a file is there when all of it is, and has its digest. Directory and files of
 * another user are as if they were not there, and named in the status. Implemented in
 * mgmt/store/blobs.c; any thread may call.
 */
#ifndef WEIR_MGMT_STORE_BLOBS_H
#define WEIR_MGMT_STORE_BLOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "mgmt/store/files.h"

#define BLOBS_BYTES_MAX ((uint64_t)16 << 30) /**< of all files and parts: bounds the disk */
#define BLOBS_KEEP_S                                                                               \
	3600 /**< a file that no version names yet is kept for an hour: its upload may go on */

/** STATE/blobs. @return whether it is there and ours */
bool blobs_dir(const char *state_dir, char out[PATH_MAX]);
/** STATE/blobs/DIGEST. @return 0, -EINVAL (not a digest) or -ENAMETOOLONG */
int blobs_path(const char *state_dir, const char *digest, char out[PATH_MAX]);
/** How much is there: all (*whole) or the first bytes. @return 0 or -EINVAL */
int blobs_have(const char *state_dir, const char *digest, uint64_t *bytes, bool *whole);
/**
 * Add a part. Nothing happens when it does not begin where the file ends, or the file is whole.
 * @return 0; -EBADMSG: all is there, and is another file (it goes); -EPERM: STATE/blobs is another user's; -errno
 */
int blobs_add(const char *state_dir, const char *digest, uint64_t total, uint64_t offset,
              const void *part, size_t n);
/**
 * Copy the large files of @p f that lie elsewhere, and let it name the copies.
 * @return 0; -ESTALE: one has changed since its digest was taken; -errno
 */
int blobs_import(const char *state_dir, struct files *f);
/** Whether there is no room for more. */
bool blobs_full(const char *state_dir);
/** Remove those that @p is_named does not know and that are old enough. */
void blobs_collect(const char *state_dir, int64_t now_s,
                   bool (*is_named)(void *arg, const char *digest), void *arg);

#endif
