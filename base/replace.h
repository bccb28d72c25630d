/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Replacing a file as a whole: a reader sees the old file or the complete new one.
 *
 * The new content is written to a temporary file next to the old one, and renamed to its path in
 * the end. The caller says how much of this must survive a power cut. Implemented in
 * base/replace.c; any thread may call, but two writers of one path need a lock.
 */
#ifndef WEIR_BASE_REPLACE_H
#define WEIR_BASE_REPLACE_H

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/checked.h"

/** Room for the name of a temporary file. */
#define REPLACE_NAME_MAX (PATH_MAX + 16)

/** What is on the disk when a replacement is reported as done. */
enum replace_sync {
	REPLACE_SYNC_NONE, /**< nothing: the reader recognizes half a file, and can do without it */
	REPLACE_SYNC_FILE, /**< the new file: after a power cut the path has the old or the new one */
	REPLACE_SYNC_NAME, /**< its name as well: after a power cut the path has the new file */
};

/** Replace the file @p path by @p bytes. @return 0 or -errno */
MUST_CHECK NONNULL(1) int replace_file(const char *path, mode_t mode, const void *bytes, size_t n,
                                       enum replace_sync sync);

/**
 * Create a new file next to @p path: PATH.new, or another name if another user's file has that
 * one. It is never an existing file, and no link is followed.
 * @return a descriptor for replace_end(), or -errno
 */
MUST_CHECK NONNULL(1, 3) int replace_begin(const char *path, mode_t mode,
                                           char temporary[REPLACE_NAME_MAX]);
/** Write all of @p bytes. @return 0 or -errno */
MUST_CHECK int replace_write(int fd, const void *bytes, size_t n);
/**
 * Finish the new file @p fd and rename it to @p path, or remove it if @p err is not 0. Takes @p fd.
 * On failure the new file is removed and @p path is as before, with one exception: if only the
 * name could not be synced, @p path is the new file. @return 0, @p err or -errno
 */
MUST_CHECK NONNULL(3, 4) int replace_end(int fd, int err, const char *temporary, const char *path,
                                         enum replace_sync sync);

/** As replace_begin(), for replace_end_stream(). @return NULL with errno set */
MUST_CHECK NONNULL(1, 3) FILE *replace_begin_stream(const char *path, mode_t mode,
                                                    char temporary[REPLACE_NAME_MAX]);
/** As replace_end(). Takes @p f. @return 0 or -errno, also of an earlier write to @p f */
MUST_CHECK NONNULL(1, 2, 3) int replace_end_stream(FILE *f, const char *temporary, const char *path,
                                                   enum replace_sync sync);

#endif
