/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Heads that give way to a peer's: an automatic rollback, and a version that no client knows of.
 *
 *   our head                        what a peer has                                     outcome
 *   automatic rollback of N         N, confirmed                                        ours gives way
 *   automatic rollback of N         a successor of N that a person made                 ours gives way
 *   untold (no client knows of it)  another successor of its parent                     ours gives way
 *   any other                       anything                                            ours stays
 *
 * A head that gave way stays visible among the versions that lost (store_lost()).
 *
 * Implemented in mgmt/store/yield.c. Calls as for the intent.
 */
#ifndef WEIR_MGMT_STORE_YIELD_H
#define WEIR_MGMT_STORE_YIELD_H

#include "base/checked.h"
#include "mgmt/store/intent.h"

/**
 * Whether our head might give way to a peer's head @p theirs: then that peer's versions should be
 * read.
 */
bool yield_may(const struct intent *in, const struct version *theirs);
/**
 * Give way, if our head must where a peer has the versions @p list, newest first.
 * @return whether it did: the head is now its parent
 */
bool yield_to(struct intent *in, const struct version *list, size_t n, const char *peer,
              int64_t now_ms);
/** Drop the head, which lost; @p reason is kept. @return 0 or -errno: it stays */
MUST_CHECK int yield_head(struct intent *in, const char *reason, int64_t now_ms);
/**
 * Whether a peer's head @p v is an automatic rollback of a version that is confirmed or was
 * followed here: then the peer's head will give way.
 */
bool yield_is_due(struct intent *in, const struct version *v);

/** Whether no client knows of the head yet. */
bool yield_is_untold(const struct intent *in);
/** Clients may know of the head: it gives way no more. @return 0 or -errno */
int yield_settle(struct intent *in, int64_t now_ms);
/** The version that peers are shown as the head: while it is untold, the one before it. @return 0, -ENOENT or -EROFS */
MUST_CHECK int yield_shown(struct intent *in, struct version *out);

#endif
