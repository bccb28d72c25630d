/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Which files a process believes.
 *
 * The run and state directories are shared: each process may add files there, so a file may be at a
 * path where another process's file is expected. Therefore a reader of such a file names the
 * process that writes it, and believes the file only if it belongs to that process's user
 * (weir-PROCESS), to root, or to the reader itself. Where Weir's users do not exist, all four
 * processes run as one user, and the last two rules are enough.
 *
 * A file that is not believed is logged once (event file-not-believed) and kept in a short list for
 * the process's conditions until it is removed or corrected. Implemented in base/owner.c; any
 * thread may call.
 */
#ifndef WEIR_BASE_OWNER_H
#define WEIR_BASE_OWNER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/checked.h"

#define OWNER_TROUBLES_MAX 8u   /**< files that are remembered for conditions */
#define OWNER_PATH_MAX     128u /**< bytes of a remembered path with its NUL */

/** A file that is not believed now. */
struct owner_trouble {
	char path[OWNER_PATH_MAX]; /**< its end, if it is longer */
	char expected[32];         /**< the process that should have written it */
	uid_t found;               /**< whose it is */
};

/**
 * Find the user of weir-@p process; the look-up is made once, before rights are given up. @return
 * false: there is no such user
 */
bool owner_of(const char *process, uid_t *uid);
/**
 * Whether a file of user @p uid is believed where weir-@p process writes. NULL: where the caller
 * itself writes.
 */
bool owner_is(uid_t uid, const char *process);

/**
 * Open a regular file that weir-@p process writes, for reading: no link is followed, a FIFO does
 * not block.
 * @return a descriptor, -EPERM (no regular file, or of another user: noted) or -errno
 */
MUST_CHECK int owner_open(const char *path, const char *process);
/** The same as a stream. @return NULL with errno set */
MUST_CHECK FILE *owner_fopen(const char *path, const char *process);
/** Check @p fd, opened at @p path. @return 0, -EPERM (as above) or -errno */
MUST_CHECK int owner_check(int fd, const char *path, const char *process);
/** Note the outcome of a check that was made elsewhere. */
void owner_note(const char *path, const char *process, uid_t found, bool believed);

/** List the files that are not believed now. @return how many are written to @p out */
size_t owner_troubles(struct owner_trouble out[OWNER_TROUBLES_MAX]);

/**
 * Make the directory @p path of weir-@p process, which is the caller, or accept the existing one:
 * it must belong to that user and be no link. Rights beyond @p mode are removed. Root may accept
 * that user's directory as well. @return 0, -EPERM (it is another user's: noted) or -errno
 */
MUST_CHECK int owner_directory(const char *path, mode_t mode, const char *process);

/**
 * As root: make the directory @p path for weir-@p process where there is none; without that user
 * nothing is made.
 */
void owner_give_directory(const char *path, mode_t mode, const char *process);

#endif
