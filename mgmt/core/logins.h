/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Problems of the files by which logins are judged, as conditions. A wrong line of CONF/tokens
 * gives no access, and its owner would look for the cause elsewhere; so does a token that has ended.
 *
 * Implemented in mgmt/core/logins.c; called by the main thread only.
 */
#ifndef WEIR_MGMT_CORE_LOGINS_H
#define WEIR_MGMT_CORE_LOGINS_H

#include <stdbool.h>
#include <stddef.h>

#include "mgmt/core/stamp.h"
#include "mgmt/store/tokens.h"

#define LOGINS_BAD_MAX 8 /**< lines that are named one by one; the others are counted */
#define LOGINS_END_MAX 8 /**< tokens that end, likewise: those that end first */

struct core;

/** What was found at the last reading; zeroed at first. Of the main thread. */
struct logins {
	struct stamp read_stamp;
	bool looked;
	int error; /**< of reading; 0: none, or there is no file */
	size_t n_bad, n_kept;
	struct logins_bad {
		size_t line;
		const char *reason;
	} bad[LOGINS_BAD_MAX];
	size_t n_ends;
	struct logins_end {
		int64_t until_ms;
		char name[TOKENS_NAME_MAX];
	} ends[LOGINS_END_MAX]; /**< by their time */
};

/** State the conditions; the file is read when it has changed. In a round of conditions, by the main thread. */
void logins_state(struct core *core, struct logins *l);

#endif
