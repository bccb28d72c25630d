/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Where the store is: STATE/store, a directory that only weir-mgmt's user can enter.
 *
 * SQLite replays any journal that it finds next to its file. In the state directory, where all
 * processes may add files, another process could put a journal there and so change the store.
 * Therefore the store has a directory of its own, and its files are checked before SQLite opens
 * them: owner, type, links and mode.
 *
 * Implemented in mgmt/store/store_dir.c. For the thread that opens the store.
 */
#ifndef WEIR_MGMT_STORE_STORE_DIR_H
#define WEIR_MGMT_STORE_STORE_DIR_H

#include <limits.h>
#include <stdint.h>

#include "base/checked.h"

#define HOME_REASON_MAX 256u /* bytes of a sentence with its NUL */

/** The store's file, and the lock that keeps all others out. */
struct home {
	char db[PATH_MAX];
	int lock_fd; /**< -1: not held */
};

/**
 * Make or check the directory and its files, take the lock. @p reason gets a text on failure.
 * @return 0, -EBUSY (another process has it), -EPERM (something of another user is in the way) or
 *         -errno
 */
MUST_CHECK int home_open(const char *state_dir, struct home *out, char reason[HOME_REASON_MAX]);
/** Release the lock. May be called again. */
void home_close(struct home *h);
/** Put the store's files aside as store.db.corrupt-SECONDS. @return 0 or -errno */
MUST_CHECK int home_put_aside(const char *state_dir, int64_t now_ms);

#endif
