/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A node's part in shared intent: its copy, the version in force that follows from it, and the changes that it asks for.
 *
 * The copy (mgmt/store/copy.h) and the history (mgmt/store/history.h) say which version is in force. Its files are this
 * node's own business: a version whose files are not here comes into force once they are; until then the one before it
 * stays. A change is made here, and decided where the copy comes from; nothing is in force before it comes back.
 *
 * Calls as for the intent (mgmt/store/intent.h). Implemented in mgmt/store/shared_intent.c and shared_follow.c.
 */
#ifndef WEIR_MGMT_STORE_SHARED_INTENT_H
#define WEIR_MGMT_STORE_SHARED_INTENT_H

#include "base/checked.h"
#include "mgmt/store/copy.h"
#include "mgmt/store/history.h"
#include "mgmt/store/intent.h"
#include "mgmt/store/origin.h"
#include "mgmt/store/shared.h"
#include "mgmt/store/shared_etcd.h"

/** Whether a store that nodes share decides; else this node does. */
bool shared_intent_is_on(const struct intent *in);
/** What is known of versions. Valid until a change. */
const struct version_history *shared_intent_history(const struct intent *in);

/** Let the copy be one of the store @p name. @return as copy_bind(); -EROFS */
MUST_CHECK int shared_intent_bind(struct intent *in, const char *name, char was[COPY_STORE_MAX]);
/**
 * Note that the store is older than what this node has of it, or lost it. Nothing is taken from it then until the copy is moved
 * away. Whether that could be kept over a restart is logged.
 */
void shared_intent_note_went_back(struct intent *in);
/** Whether that was noted, also before a restart. */
bool shared_intent_went_back(struct intent *in);
/** The revision up to which the copy has all changes; 0: it has nothing. @return 0 or -errno */
MUST_CHECK int shared_intent_revision(struct intent *in, int64_t *out);
/**
 * Take what changed at @p revision. @return 0; -ESTALE: it is here already; or -errno: nothing of it is kept, so the list
 * must be taken
 */
MUST_CHECK int shared_intent_receive(struct intent *in, int64_t revision,
                                     const struct shared_record *list, size_t n,
                                     const struct pending_clock *clock);
/** All records of the copy, given: shared_records_fini(). @return 0, -EROFS or -errno */
MUST_CHECK int shared_intent_records(struct intent *in, struct shared_records *out);
/** Of which store's epoch this node's copy is. @return 0, -EROFS or -errno */
MUST_CHECK int shared_intent_origin(struct intent *in, struct store_origin *out);
/**
 * Whether all records of the store follow on what this node has of it, as origin_judge().
 * @param id       of the store, by store.conf
 * @param highest  revision that was read of it
 */
MUST_CHECK enum origin_verdict shared_intent_judge(struct intent *in, const char *id,
                                                   int64_t highest, const struct shared_records *l,
                                                   char reason[ETCD_REASON_MAX]);
/**
 * Take all records of the store.
 * @param verdict  of them: ORIGIN_FOLLOWS; or ORIGIN_NEWER: they take the place of what was kept. Deadlines of versions that are still
 *   there go on, and none begins for what was there when the epoch began. An event says what is not there any more.
 * @return 0, or -errno: what was kept stays
 */
MUST_CHECK int shared_intent_list(struct intent *in, const struct shared_records *l,
                                  enum origin_verdict verdict, const struct pending_clock *clock);

/**
 * Put in force what is to be in force now, where its files are here. To be called after each change and every quarter
 * of a second.
 * @return the version whose files are not here; NULL: there is none. Valid until a change
 */
const struct version *shared_intent_follow(struct intent *in, const struct pending_clock *clock,
                                           int64_t now_ms);
/** The files of version @p v have come: keep them. @return 0; -EINVAL: they are not its files; or -errno */
MUST_CHECK int shared_intent_give_files(struct intent *in, const struct version *v,
                                        const struct files *files, int64_t now_ms);

/**
 * The version that this node is to end or confirm now: its deadline has passed, or intent_decide_unconfirmed() was called; 0: none.
 * @param mark, reason  out: what, and why; valid until a change
 */
uint64_t shared_intent_to_decide(const struct intent *in, const struct pending_clock *clock,
                                 enum chain_mark *mark, const char **reason);
/**
 * Begin a change of this node. It rests on the store's own record: what this node knows may be of a former epoch, and
 * revisions of the next one may be equal by chance. And on the newest version or mark that this node knows: a store that was
 * restored from before it, and that others have changed since, may have a higher revision again.
 */
void shared_intent_begin(struct intent *in, struct shared_change *c);
/** Confirm version @p number, or end it, as @p author. @return as history_decide(); @p c is to be decided, and ended */
MUST_CHECK int shared_intent_decide(struct intent *in, uint64_t number, enum chain_mark mark,
                                    const char *author, const char *reason, int64_t now_ms,
                                    struct shared_change *c);

#endif
