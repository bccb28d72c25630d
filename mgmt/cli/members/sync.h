/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Makes the members of one source in a pool equal to a list, over the API: looks at what is there, compares, sends the
 * difference in batches below the pace of the store.
 *
 * Implemented in mgmt/cli/members/sync.c; for the program's one thread.
 */
#ifndef WEIR_MGMT_CLI_MEMBERS_SYNC_H
#define WEIR_MGMT_CLI_MEMBERS_SYNC_H

#include "mgmt/cli/members/reach.h"
#include "mgmt/cli/members/difference.h"

struct sync {
	struct reach reach;
	const char *pool, *source;
	bool allows_shrink, only_shows;
	unsigned retry_s; /**< what the last refusal said */
	int status;       /**< of SYNC_REFUSED: the exit status */
};

/** What came of a round. */
enum sync_outcome {
	SYNC_DONE,    /**< the members are those of the list, as far as they may be yet */
	SYNC_BLOCKED, /**< the same, but names of the list are taken until members are gone */
	SYNC_LATER,   /**< the API was not there, or asked to wait: the same again */
	SYNC_REFUSED, /**< said why; nothing was sent, or the API refused a batch */
	SYNC_ENDED,   /**< by a signal, between two batches */
};

/** Look, compare, send. @param renews  members that are as they should be are sent, too: their ttl begins again */
enum sync_outcome sync_round(struct sync *s, const struct list_members *target, bool renews);

#endif
