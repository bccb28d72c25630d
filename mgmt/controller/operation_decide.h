/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Who may change an operation. Each change of a record is decided before anything follows from it, by the store that nodes
 * share, or by this node's own where it is alone; it is refused if another change came first. So an operation has one owner
 * at a time, whatever nodes hear of one another, and an owner that was overtaken takes no step.
 *
 * The owner has a record of its own, owner/ID, with its node's lease (mgmt/sync/shared_lease.h): it is gone when that ends,
 * and then another node becomes the owner.
 *
 * Implemented in mgmt/controller/operation_decide.c and operation_takeover.c. Under the core's lock, unless a function says
 * otherwise.
 */
#ifndef WEIR_MGMT_CONTROLLER_OPERATION_DECIDE_H
#define WEIR_MGMT_CONTROLLER_OPERATION_DECIDE_H

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/sync/shared_run.h"
#include "mgmt/etcd/etcd.h"
#include "mgmt/operations/operation.h"
#include "mgmt/store/shared.h"

enum operation_decided {
	OPERATION_DECIDED,
	OPERATION_OVERTAKEN, /**< another change came first, and the list has it now: begin again with it */
	OPERATION_UNDECIDED, /**< nothing may follow; a reason says why */
	OPERATION_UNCLEAR,   /**< the same, but the store may yet have it carried out */
};

/** Write what a store that was made again lacks, where this node decides alone. Under the lock. */
void operation_keep_all(struct core *core);
/**
 * Let the record @p op take the place of @p was, in the list, too. The lock is given up meanwhile, so items may have gone.
 * @param was         as the list had it; NULL: it begins
 * @param if_unowned  only while the lease of its owner has ended
 */
MUST_CHECK enum operation_decided operation_decide(struct core *core, const struct operation *was,
                                                   const struct operation *op, bool if_unowned,
                                                   char reason[ETCD_REASON_MAX]);
/**
 * Whether the record @p id, which @p begins or is there, could be decided, by what is known of the store: nothing is written.
 * @return false: @p reason says why not
 */
MUST_CHECK bool operation_may_decide(struct core *core, const char *id, bool begins,
                                     char reason[ETCD_REASON_MAX]);

/** Whether this node, as the owner of @p op, may take steps: the store says that it owns it, and its lease is fresh. */
bool operation_is_owned_here(struct core *core, const struct operation *op);
/** Whether the copy has a record of its owner. */
bool operation_has_owner(struct core *core, const struct operation *op);
/** Become the owner of operations that have had none for a while. Not under the lock. */
void operation_own_abandoned(struct core *core);

#endif
