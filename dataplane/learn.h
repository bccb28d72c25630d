/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Learning: a node that started on empty tables waits for what a peer knows of slots (weir/guests.h).
 *
 * It forwards meanwhile by document and verdicts; whoever spreads packets over nodes had better wait for its end.
 */
#ifndef WEIR_DATAPLANE_LEARN_H
#define WEIR_DATAPLANE_LEARN_H

#include "dataplane/node.h"

/** After so long nobody is waited for any more: the node knows as much as those that answer. */
#define LEARN_MAX_MS 30000u

struct learn {
	uint64_t from_ms;  /**< when it began; 0: it has not */
	uint64_t taken_ms; /**< of the last file that was looked at */
};

/** Each second: take what is there below @p run_dir if @p n is learning. */
void learn_second(struct learn *l, struct node *n, const char *run_dir,
                  const struct node_time *time);

#endif
