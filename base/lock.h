/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A lock that one process holds at a time: flock(2) on a file, so it is released however the
 * process ends.
 *
 * Implemented in base/lock.c. Any thread may call.
 */
#ifndef WEIR_BASE_LOCK_H
#define WEIR_BASE_LOCK_H

#include "base/checked.h"

/**
 * Take the lock at @p path, whose file is created (0600) if it is missing. Close @p out to release
 * it. The holder may also unlink the file: a process that had opened it before gets no lock on that
 * file, but one on a new file. @return 0, -EBUSY (another process holds it) or -errno
 */
MUST_CHECK int lock_acquire(const char *path, int *out);

#endif
