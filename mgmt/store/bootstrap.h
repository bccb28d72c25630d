/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Joining: the first start of a node that has neither store nor effective document.
 *
 * A node that shares intent *waits* for the store that says what is in force. If the store has no version, is silent for
 * JOIN_MS, or no other node has the version's files for JOIN_FILES_MS, and at once on a node that shares nothing, the node's
 * own weir.conf becomes version 1. It is *provisional*: no person has applied it, so the version of the store replaces it. A
 * version is provisional by its record.
 *
 * Calls as for the intent (mgmt/store/intent.h); join_is_provisional() is pure.
 *
 * Implemented in mgmt/store/bootstrap.c.
 */
#ifndef WEIR_MGMT_STORE_BOOTSTRAP_H
#define WEIR_MGMT_STORE_BOOTSTRAP_H

#include <stdbool.h>
#include <stdint.h>

#include "mgmt/store/intent.h"

#define JOIN_MS       4000u  /**< how long a node waits for the store that it shares */
#define JOIN_FILES_MS 30000u /**< how long for the files of the version that is in force by it */

/** Whether @p v was made from a node's own file at its first start. */
bool join_is_provisional(const struct version *v);

/** Why this node's own file did not become version 1: its first error; "" where there is a version, or no error. */
const char *join_refused(const struct intent *in);

/** Whether this node waits: it has no version in force, and the store was not heard yet. */
bool join_waits(const struct intent *in);
/**
 * The model from which peers and this node's API address are read: intent_model(), or of a node
 * that waits its own file. NULL: there is neither.
 */
const struct model *join_model(const struct intent *in);
/** End the waiting: this node's own file becomes the provisional version 1. Does nothing if the node does not wait. */
void join_start_alone(struct intent *in, int64_t now_ms);

/** Whether @p m names other nodes that can be asked: their configuration is not this node's alone. */
bool join_has_peers(const struct model *m);

#endif
