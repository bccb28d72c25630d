/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A file that one process holds at a time: flock(2), so it is let go however the process ends.
 *
 * Implemented in base/lock.c. Any thread may call.
 */
#ifndef WEIR_BASE_LOCK_H
#define WEIR_BASE_LOCK_H

/**
 * Take the lock at @p path, whose file is made (0600) if it is not there. Close @p out to let go.
 * The holder may also unlink the file: who came upon it before then does not get it, but a new one.
 * @return 0, -EBUSY (another holds it) or -errno
 */
int lock_take(const char *path, int *out);

#endif
