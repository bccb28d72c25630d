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
 * The former release has the store in the state directory itself (STATE/store.db). It is moved when
 * it is found there, and a symbolic link takes its place, so that the former release finds it, too.
 * home_move_back() undoes the move.
 *
 * Implemented in mgmt/store/home.c. For the thread that opens the store.
 */
#ifndef WEIR_MGMT_STORE_HOME_H
#define WEIR_MGMT_STORE_HOME_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

#define HOME_LOCK       "store.lock" /* in STATE (former release) and in STATE/store */
#define HOME_REASON_MAX 256u         /* bytes of a sentence with its NUL */

/** The store's file, and the locks that keep all others out. */
struct home {
	char db[PATH_MAX];
	int lock_fd, old_lock_fd; /**< -1: not held */
};

/**
 * Make or check the directory, take the locks, move an earlier store in. @p reason gets a text on
 * failure.
 * @return 0, -EBUSY (another process has it), -EPERM (something of another user is in the way) or
 *         -errno
 */
MUST_CHECK int home_open(const char *state_dir, struct home *out, char reason[HOME_REASON_MAX]);
/** Whether there is a store at either place. */
bool home_has_store(const char *state_dir);
/** Release the locks. May be called again. */
void home_close(struct home *h);
/**
 * Move a closed store back to where the former release has it; @p h holds its locks. @return 0 or
 * -errno, with a text in @p reason
 */
MUST_CHECK int home_move_back(const struct home *h, const char *state_dir,
                              char reason[HOME_REASON_MAX]);
/** Put the store's files aside as store.db.@p word-SECONDS. @return 0 or -errno */
MUST_CHECK int home_put_aside(const char *state_dir, const char *word, int64_t now_ms);

#endif
