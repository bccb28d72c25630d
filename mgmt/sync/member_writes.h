/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Members on their way to the records (mgmt/overrides/member.h). Requests that come within MEMBER_WRITES_GAP_MS, and
 * parts of large ones, go in one transaction: one of the requests that wait writes for all. The store sees so many
 * records a second as mgmt/overrides/member_pace.h says, and a request waits for its turn.
 *
 * Each record rests on itself as it was when the request was judged. So what is written is what was judged, or the request
 * is judged again. What takes the new flows from backends rests on all members of its pool as well, as its guard does: this
 * node's own writes are counted when it is judged (member_writes_drained()), and another node's let it be judged again.
 *
 * Implemented in mgmt/sync/member_writes.c. Under the core's lock, which is given up meanwhile.
 */
#ifndef WEIR_MGMT_SYNC_MEMBER_WRITES_H
#define WEIR_MGMT_SYNC_MEMBER_WRITES_H

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/overrides/member_entry.h"
#include "mgmt/store/shared.h"

#define MEMBER_WRITES_GAP_MS 20u /**< between the beginnings of two writes of a node */

struct member_writes;

/** What became of entries. */
enum member_written {
	MEMBER_WRITTEN,
	MEMBER_WRITTEN_AGAIN, /**< somebody else wrote one of these members: they are to be judged again */
	MEMBER_NOT_NOW, /**< more are before them than go in MEMBER_PACE_WAIT_MS: nothing is written */
	MEMBER_NO_STORE, /**< the store cannot be reached, or cannot keep them */
	MEMBER_STORE_FULL,
	MEMBER_UNKNOWN, /**< whether all are written is not known */
};

/** @return 0 or -ENOMEM */
MUST_CHECK int member_writes_open(struct core *core);
void member_writes_close(struct core *core);
/**
 * Of each backend of @p pool, of the effective document: whether it leaves, or gets weight 0, by a record that is newer than
 * the document, or by a write that is under way here. Given. Under the lock.
 */
bool *member_writes_drained(const struct core *core, const struct model_pool *pool);
/**
 * Write what is to be written of @p n entries, which were judged under this lock.
 * @param is_guarded  the guard let them pass: they are written only if no other node wrote members of the pool meanwhile
 * @param wait_s  out: MEMBER_NOT_NOW: when to ask again
 * @param n_written  out: how many entries are, whatever became of the others
 */
enum member_written member_writes_write(struct core *core, const struct member_entry *list,
                                        size_t n, bool is_guarded, uint32_t *wait_s,
                                        size_t *n_written);
/**
 * Remove the records of @p n members, at most MEMBER_REMOVED_MAX, if they are as they were. Under the lock, which is given up
 * meanwhile. @return whether they are
 */
bool member_writes_remove(struct core *core, const struct member *list, size_t n);
#define MEMBER_REMOVED_MAX 50u
/** What another node has written came in: its share counts. */
void member_writes_hear(struct core *core, const struct shared_record *list, size_t n);

#endif
