/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The heads of other nodes' audit logs that this node keeps, in STATE/audit/heads: by them `weir audit verify` finds what was cut
 * off from a log there, or that it was made again. Of each node and key the last is kept, also when a log goes back: whoever
 * has a node in his hands cannot make the others forget what they heard.
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

#define AUDIT_HEADS_NODES                                                                          \
	512u /**< of which heads are kept; then the one that was heard of longest ago goes */
#define AUDIT_HEADS_PER_NODE 4u /**< the first key, and the last three */

struct audit_heads;

/** Read what is kept in @p dir. A file that cannot be read is as none. */
struct audit_heads *audit_heads_open(const char *dir);
/** NULL is fine. */
void audit_heads_free(struct audit_heads *h);
/** Take what @p node says its head is. NULL is fine. @return false: it is no signed head of it */
bool audit_heads_hear(struct audit_heads *h, const char *node, const json_t *said);
/** Write them, where they have changed. @return 0 or -errno: it is tried again */
int audit_heads_save(struct audit_heads *h);
/** Those of @p node (NULL: of all), given: a list of records, audit_head_record. */
MUST_CHECK json_t *audit_heads_json(struct audit_heads *h, const char *node);

#endif
