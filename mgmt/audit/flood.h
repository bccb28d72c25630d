/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Lines that come again and again: the first is written as it is, further ones like it are counted, and the count is written
 * after a while. So who asks a thousand times a second writes a line a minute, and pushes no other line out of the log.
 *
 * Alike are lines of one kind, who, source, code and path. Where there are more of them than there is room for, what comes
 * next is counted with all others of its kind.
 *
 * Pure, implemented in mgmt/audit/flood.c; time is passed in. One thread at a time.
 */
#ifndef WEIR_MGMT_AUDIT_FLOOD_H
#define WEIR_MGMT_AUDIT_FLOOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mgmt/audit/line.h"

#define AUDIT_FLOOD_ROWS 256u /**< different ones within a while */
#define AUDIT_FLOOD_STRANGERS                                                                      \
	32u /**< of them without a name: a flood from all the world must not fill the log */
#define AUDIT_FLOOD_PATH_MAX 160u   /**< bytes of a path with its NUL; a longer one is cut */
#define AUDIT_FLOOD_MS       60000u /**< from count to count */
#define AUDIT_FLOOD_LOGIN_MS                                                                       \
	3600000u /**< the same of logins, which go on as long as somebody asks */

/** What came. */
struct audit_flood_row {
	bool is_used, is_said, is_others; /**< is_said: its first line was given */
	enum audit_kind kind;
	uint32_t status;
	char who[72], source[ADDR_TEXT_MAX], method[8], code[32], path[AUDIT_FLOOD_PATH_MAX];
	uint64_t count;    /**< since the last line of it */
	uint64_t since_ms; /**< monotonic: of that line */
	int64_t since;     /**< the same as the believed time */
};

/** Zeroed: nothing. The last rows are those of all others, one for each kind. */
struct audit_flood {
	struct audit_flood_row rows[AUDIT_FLOOD_ROWS + AUDIT_N_KINDS];
};

/** Note @p line. @return whether audit_flood_next() has a line of it at once */
bool audit_flood_note(struct audit_flood *f, const struct audit_line *line, uint64_t now_ms,
                      int64_t believed_ms);
/** Take the next line that is due, at the end (@p all) also those that are not. @return false: there is none */
bool audit_flood_next(struct audit_flood *f, bool all, uint64_t now_ms, int64_t believed_ms,
                      struct audit_line *out);

#endif
