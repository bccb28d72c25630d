/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The counters of the node as a whole, such as they may be shown: of no reason do they ever fall,
 * and a frame that its driver did not take is `not_sent`, nothing else.
 *
 * Implemented in export/node_counts.c. The loop's thread calls this.
 */
#ifndef WEIR_DATAPLANE_EXPORT_NODE_COUNTS_H
#define WEIR_DATAPLANE_EXPORT_NODE_COUNTS_H

#include "dataplane/tables/compiler.h"

/** All zero before the first reading. */
struct node_counts {
	struct fwd_cpu shown; /**< sums over all CPUs */
	struct fwd_cpu read;  /**< as read from the tables at read_ms, and not settled yet */
	uint64_t read_ms;     /**< 0: never */
};

/**
 * Bring c->shown up to date: it is of the reading before this one, which is at least NODE_COUNTS_MS old; the first time
 * of now. While frames are refused, and their number is in the tables (no driver_ops.not_sent), the counters of those that
 * were sent or passed, and `received`, may lag behind by a few thousand.
 */
void node_counts_read(struct node_counts *c, const struct compiler *n, uint64_t now_ms) NONNULL();

/** A frame under way is sent or refused within so long. */
#define NODE_COUNTS_MS 100u

#endif
