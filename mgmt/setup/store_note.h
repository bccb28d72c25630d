/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * When this host last made a backup of the store, and last checked it: notes in the state directory, which all may read.
 *
 * Implemented in mgmt/setup/store_note.c. Any thread.
 */
#ifndef WEIR_MGMT_SETUP_STORE_NOTE_H
#define WEIR_MGMT_SETUP_STORE_NOTE_H

#include <stdint.h>

#include "base/checked.h"

#define STORE_NOTE_BACKUP   "store.backup"
#define STORE_NOTE_CHECK    "store.check"
#define STORE_NOTE_TEXT_MAX 256u /**< bytes with the NUL */

struct store_note {
	int64_t time_ms;                /**< wall time */
	char text[STORE_NOTE_TEXT_MAX]; /**< where the backup is; what the check found */
};

/** Write the note @p name. @return 0 or -errno */
MUST_CHECK int store_note_write(const char *state_dir, const char *name,
                                const struct store_note *n);
/** Read it. @return 0 or -errno: there is none, or it is none */
MUST_CHECK int store_note_read(const char *state_dir, const char *name, struct store_note *out);

#endif
