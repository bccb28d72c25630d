/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Whether what the members of etcd have follows on what this node has of the store.
 *
 * A node keeps with its copy which etcd it is of (its cluster's id), and the store's epoch with its nonce. Each list is
 * judged before anything of it is taken:
 *
 *   the store's record      etcd              the list              verdict
 *   of another id           any               any                   other
 *   unfinished              any               any                   other
 *   of a higher epoch       any               any                   newer: it takes the copy's place (*)
 *   of a lower epoch        any               any                   went back
 *   equal, another nonce    any               any                   other
 *   equal                   another cluster   any                   other
 *   equal                   the same          has less than here    went back
 *   equal                   the same          has others (**)       went back
 *   equal                   the same          follows on            follows
 *
 * (*) Where the store was accepted or rebuilt. One that was only begun is judged as one of an equal epoch.
 *
 * (**) Of a revision up to that of the copy, which has all of these. A backup was restored, and changed as often as it lacks:
 * its revision is no lower than what was read. (What it lacks may also have been removed since: that says nothing.)
 *
 * A node without a copy takes what is there, if the id is right. A copy that a node alone has made has no cluster and no
 * epoch: what was not accepted or rebuilt since is compared by its list alone.
 *
 * Implemented in mgmt/store/origin.c. Pure.
 */
#ifndef WEIR_MGMT_STORE_ORIGIN_H
#define WEIR_MGMT_STORE_ORIGIN_H

#include <stdint.h>

#include "base/checked.h"
#include "mgmt/etcd/etcd.h"

struct shared_records;

#define ORIGIN_NONCE_MAX 17u /**< 16 hexadecimal digits and the NUL */
#define ORIGIN_TEXT_MAX  55u /**< EPOCH.NONCE.CLUSTER of 20, 16 and 16 digits, and the NUL */

/** Of what a node has a copy. */
struct store_origin {
	/** of etcd; 0: not known: the node was alone, or there is no copy */
	uint64_t cluster_id;
	uint64_t epoch; /**< 0: the same, or the store had no record */
	char nonce[ORIGIN_NONCE_MAX];
};

enum origin_verdict {
	ORIGIN_FOLLOWS,
	ORIGIN_NEWER,
	ORIGIN_WENT_BACK, /**< the store has lost something; only a higher epoch makes it good */
	ORIGIN_OTHER, /**< this is not the store, or not yet; it may be again when others answer */
	ORIGIN_UNKNOWN, /**< this node's disk cannot be read: there is nothing to compare it with */
};

/** What a node has. */
struct origin_here {
	const char *id; /**< of the store, by store.conf */
	struct store_origin origin;
	int64_t revision;             /**< the highest that was read; 0: nothing */
	const struct version *newest; /**< the newest version; NULL: there is none */
	/** all that is here, by name, and of which revision; 0: nothing was listed yet */
	const struct shared_records *copy;
};

/** Judge a list. @param reason  out: why it does not follow, with what is there and what was expected; "": it does */
MUST_CHECK enum origin_verdict origin_judge(const struct origin_here *here,
                                            const struct shared_records *found,
                                            char reason[ETCD_REASON_MAX]);
/** Read of what a sound list is. */
void origin_of(const struct shared_records *found, struct store_origin *out);

#endif
