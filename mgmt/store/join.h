/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Joining: a node with neither store nor effective document.
 *
 * Its own weir.conf says who its peers are. Until these were asked, nothing is in force here (the node *waits*). A
 * peer's applied version is taken; without one the node's own file becomes version 1, which is *provisional*: no
 * person has applied it, so any peer's applied version replaces it. A version is provisional by what its record says
 * (the first, by "first start"), so that the former release's first versions are too.
 *
 * Calls as for the intent (mgmt/store/intent.h); the questions about versions alone are pure.
 *
 * Implemented in mgmt/store/join.c.
 */
#ifndef WEIR_MGMT_STORE_JOIN_H
#define WEIR_MGMT_STORE_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mgmt/store/intent.h"

/** Whether @p v is what a node made of its own file at its first start, and nobody has applied. */
bool join_is_provisional(const struct version *v);

/**
 * How a peer's head @p theirs stands to ours where that follows from provisional versions or equal digests alone.
 * @return whether it does; @p out is untouched otherwise
 */
bool join_relate(const struct version *ours, const struct version *theirs,
                 enum intent_relation *out);

/** Whether our history has @p v, so that it need not be fetched from a peer. A provisional version does not count. */
bool join_has(struct intent *in, const struct version *v);

/** Why this node's own file did not become version 1: its first error; "" where there is a version, or no error. */
const char *join_refused(const struct intent *in);

/** Whether this node has no version in force and its peers are to be asked first. */
bool join_waits(const struct intent *in);
/** Where peers and this node's API address are read: intent_model(), or of a node that waits its own file. NULL: neither. */
const struct model *join_model(const struct intent *in);
/** End the waiting: this node's own file becomes the provisional version 1. Nothing where the node does not wait. */
void join_start_alone(struct intent *in, int64_t now_ms);

/**
 * Make the version of the first start an applied one, as by @p author. Peers with an equal version follow.
 * @return 0; -EALREADY (the head is not provisional); -ENOENT (there is none); -EROFS
 */
int join_settle(struct intent *in, const char *author, const char *reason, int64_t now_ms);

#endif
