/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What makes the members of one source in a pool equal to a list, and what must not be done.
 *
 * Implemented in mgmt/cli/members/difference.c. Pure; any thread.
 */
#ifndef WEIR_MGMT_CLI_MEMBERS_DIFFERENCE_H
#define WEIR_MGMT_CLI_MEMBERS_DIFFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/checked.h"
#include "mgmt/cli/members/list.h"

/** Members of a pool as the API shows them, and the backends of its configuration, which no program registered. */
struct difference_present {
	struct list_members members; /**< by id */
	bool *leaves;                /**< of each: it is drained, and gone later */
};

/** A step: the order is that in which they are carried out. */
enum difference_kind {
	DIFFERENCE_PUT,    /**< it joins, comes back, or changes */
	DIFFERENCE_LEAVE,  /**< it is not in the list, or has another address there */
	DIFFERENCE_REUSE,  /**< it joins with the address of one that leaves */
	DIFFERENCE_RENEW,  /**< it is as it should be */
	DIFFERENCE_BLOCKED /**< its name is taken until a member is gone: not now */
};
struct difference_step {
	enum difference_kind kind;
	const struct member_entry *member; /**< of the list, of LEAVE of those present; borrowed */
};

struct difference {
	struct difference_step *steps; /**< by kind */
	size_t n;
	size_t of_kind[DIFFERENCE_BLOCKED + 1]; /**< how many */
	size_t n_had;                           /**< members of the source that do not leave */
};
void difference_fini(struct difference *d);

/** What the pool has room for. */
struct difference_pool {
	const struct prefix *prefixes; /**< where addresses may lie */
	size_t n;                      /**< 0: not known */
	size_t max_backends;           /**< with those of the configuration; 0: not known */
};

/**
 * Compare a list with what is there.
 * @param out  given, borrowing from both; untouched on failure
 * @return whether the list may be had; else @p errors says what is in its way: addresses outside the prefixes, names and
 *         addresses that are others', too many
 */
MUST_CHECK bool difference_make(const struct list_members *target,
                                const struct difference_present *present, const char *source,
                                const struct difference_pool *pool, struct difference *out,
                                struct list_errors *errors);
/** Whether more than half of what the source had would leave at once. */
bool difference_shrinks(const struct difference *d);

#endif
