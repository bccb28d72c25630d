/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The heads of other nodes' audit logs that this node keeps, in STATE/audit/heads: by them `weir audit verify` finds what was cut
 * off from a log there, or that it was written again.
 *
 * Of each node some are kept: the last, and of the earlier ones fewer the older they are. One whose successor had no higher
 * number is marked: the log went back. What was heard before the first such step is kept for good, in half of the room. So a log
 * that was cut and has grown again beyond the cut does not fit heads of before, and who has a node in his hands cannot
 * make the others forget what they heard.
 *
 * The key of the first head that is heard of a node is pinned; another one is followed where that one has signed it. Heads by any
 * other key are not kept, and the process's log says so.
 *
 * Implemented in mgmt/audit/heads.c. Any thread; audit_heads_save() may wait for a disk, the others do not.
 */
#ifndef WEIR_MGMT_AUDIT_HEADS_H
#define WEIR_MGMT_AUDIT_HEADS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"
#include "mgmt/audit/line.h"

#define AUDIT_HEADS_NODES    512u /**< of which heads are kept; then the first that was heard goes */
#define AUDIT_HEADS_PER_NODE 16u

struct audit_heads;

/** Read what is kept in @p dir. A file that cannot be read is as none. */
struct audit_heads *audit_heads_open(const char *dir);
/** NULL is fine. */
void audit_heads_free(struct audit_heads *h);
/** Take what @p node says its head is, if its key is the one that is known. NULL is fine. @return false: it is no signed head of it */
bool audit_heads_hear(struct audit_heads *h, const char *node, const json_t *said);
/** Write them, where they have changed. @return 0 or -errno: it is tried again */
int audit_heads_save(struct audit_heads *h);
/** Those of @p node (NULL: of all), given: a list of records, audit_head_record. */
MUST_CHECK json_t *audit_heads_json(struct audit_heads *h, const char *node);

#endif
