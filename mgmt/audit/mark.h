/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * How far the log had come, in STATE/audit/mark beside the key: the last head that is signed and on the disk. By it a start of
 * weir-mgmt, and `weir audit verify`, know of lines that were there and are not any more. And whether that was noticed: it is
 * kept until a person has changed the key.
 *
 * Implemented in mgmt/audit/mark.c. One thread at a time.
 */
#ifndef WEIR_MGMT_AUDIT_MARK_H
#define WEIR_MGMT_AUDIT_MARK_H

#include <stdint.h>

#include "base/checked.h"
#include "mgmt/audit/line.h"

#define AUDIT_MARK_FILE "mark"
#define AUDIT_HOW_MAX   12u

struct audit_mark {
	struct audit_head head; /**< its number 0: there is none */
	uint64_t gone;          /**< the line that says that lines are gone; 0: none are */
	char how[AUDIT_HOW_MAX];
};

/** Read it; what cannot be read, or whose signature does not fit, is as none. */
void audit_mark_read(const char *dir, struct audit_mark *out);
/** @return 0 or -errno: the former one stays */
MUST_CHECK int audit_mark_write(const char *dir, const struct audit_mark *mark);

#endif
