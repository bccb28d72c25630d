/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Joining: the first start of a node that has neither store nor effective document.
 *
 * The node's own weir.conf names its peers. Until these were asked, the node has no version in
 * force (it *waits*). A peer's applied version is accepted. If no peer has one, the node's own file
 * becomes version 1, which is *provisional*: no person has applied it, so any peer's applied
 * version replaces it. A version is provisional by its record (the first, by "first start"), so
 * first versions of the former release are provisional, too.
 *
 * Calls as for the intent (mgmt/store/intent.h); functions of versions alone are pure.
 *
 * Implemented in mgmt/store/join.c.
 */
#ifndef WEIR_MGMT_STORE_JOIN_H
#define WEIR_MGMT_STORE_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/store/intent.h"

/** Whether @p v was made from a node's own file at its first start and not applied since. */
bool join_is_provisional(const struct version *v);

/**
 * Compare a peer's head @p theirs with ours, where provisional versions or equal digests alone
 * decide.
 * @return whether they do; @p out is untouched otherwise
 */
bool join_relate(const struct version *ours, const struct version *theirs,
                 enum intent_relation *out);

/** Whether our history has @p v, so that it need not be fetched from a peer. A provisional version does not count. */
bool join_has(struct intent *in, const struct version *v);

/** Why this node's own file did not become version 1: its first error; "" where there is a version, or no error. */
const char *join_refused(const struct intent *in);

/** Whether this node waits: it has no version in force, and asks its peers first. */
bool join_waits(const struct intent *in);
/**
 * The model from which peers and this node's API address are read: intent_model(), or of a node
 * that waits its own file. NULL: there is neither.
 */
const struct model *join_model(const struct intent *in);
/**
 * End the waiting: this node's own file becomes the provisional version 1. Does nothing if the node
 * does not wait.
 */
void join_start_alone(struct intent *in, int64_t now_ms);

/**
 * Make the version of the first start an applied one, as by @p author. Peers with an equal version follow.
 * @return 0; -EALREADY (the head is not provisional); -ENOENT (there is none); -EROFS
 */
MUST_CHECK int join_settle(struct intent *in, const char *author, const char *reason,
                           int64_t now_ms);

#endif
