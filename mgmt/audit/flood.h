/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Lines that come again and again: the first is written as it is, further ones like it are counted, and the count is written
 * after a while. So who asks a thousand times a second writes a line a minute, and pushes no other line out of the log.
 *
 * Alike are lines of one kind, who, source, code and path; what was done is not like what a key repeats. Changes, logins and refusals have a table each, and each who has a share
 * of it: what somebody does beyond that is counted by who alone, with "(others)" for its path. So nobody fills a table for
 * others. Where a table is full all the same, refusals and logins are counted with all others of their kind; a change has a
 * line of its own, as it is never without a name.
 *
 * Pure, implemented in mgmt/audit/flood.c; time is passed in. One thread at a time.
 */
#ifndef WEIR_MGMT_AUDIT_FLOOD_H
#define WEIR_MGMT_AUDIT_FLOOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mgmt/audit/line.h"

#define AUDIT_FLOOD_TABLES 3u   /**< changes, logins, refusals */
#define AUDIT_FLOOD_ROWS   256u /**< of a table: different ones within a while */
#define AUDIT_FLOOD_SHARE  32u  /**< of them for one who: eight must flood to fill a table */
#define AUDIT_FLOOD_CHANGES                                                                        \
	64u /**< the same of changes: who registers members may do so in many pools */
#define AUDIT_FLOOD_OTHERS "(others)"
#define AUDIT_FLOOD_MS     60000u /**< from count to count */
#define AUDIT_FLOOD_LOGIN_MS                                                                       \
	3600000u /**< the same of logins, which go on as long as somebody asks */

/** What came. */
struct audit_flood_row {
	bool is_used, is_said, is_others; /**< is_said: its first line was given */
	uint64_t count;                   /**< since the last line of it */
	uint64_t since_ms;                /**< monotonic: of that line */
	int64_t since;                    /**< the same as the believed time */
	struct audit_line line;           /**< the first one; of others what they have in common */
};

/** Zeroed: nothing. The last rows are those of all others, one for each kind. */
struct audit_flood {
	struct audit_flood_row rows[AUDIT_FLOOD_TABLES * AUDIT_FLOOD_ROWS + AUDIT_N_KINDS];
};

/** What became of a line that was noted. */
enum audit_flood_noted {
	AUDIT_FLOOD_COUNTED,
	AUDIT_FLOOD_DUE,  /**< audit_flood_next() has a line of it at once */
	AUDIT_FLOOD_FULL, /**< a change for which there is no room: it is to be written as it is */
};
/** Note @p line. */
enum audit_flood_noted audit_flood_note(struct audit_flood *f, const struct audit_line *line,
                                        uint64_t now_ms, int64_t believed_ms);
/** Take the next line that is due, at the end (@p all) also those that are not. @return false: there is none */
bool audit_flood_next(struct audit_flood *f, bool all, uint64_t now_ms, int64_t believed_ms,
                      struct audit_line *out);

#endif
