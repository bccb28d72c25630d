/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of shared intent at work share (mgmt/sync/shared_run.h). Implemented in mgmt/sync/shared_follower.c,
 * shared_run.c and shared_write.c. Under the core's lock, unless a function says otherwise.
 */
#ifndef WEIR_MGMT_SYNC_SHARED_RUN_INTERNAL_H
#define WEIR_MGMT_SYNC_SHARED_RUN_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "mgmt/core/core.h"
#include "mgmt/core/shared_state.h"
#include "mgmt/store/shared_etcd.h"
#include "mgmt/store/store_conf.h"

/*
 * Write a change. The lock is given up meanwhile.
 * @return as shared_etcd_write(); -EHOSTUNREACH also where it is known that the store is not reached; @p reason says why it
 *   failed or is not known
 */
int shared_run_write_change(struct shared_run *r, const struct shared_change *c,
                            struct shared_answer *out, char reason[ETCD_REASON_MAX]);
/* Put in force what is to be in force by the records at @p clock. */
void shared_run_follow_records(struct shared_run *r, const struct pending_clock *clock);
/* The thread that takes what the store has into this node's copy. @param arg  the struct shared_run. Not under the lock */
void *shared_follower_run(void *arg);
/*
 * Whether the copy is one of the store that @p conf names: what another one has would be taken for changes of this one. A
 * copy of none becomes one of it. @return 0; -EXDEV, with a reason; or -errno
 */
int shared_follower_bind(struct core *core, const struct store_conf *conf,
                         char reason[ETCD_REASON_MAX]);
/*
 * Ask the members that are of the store's etcd; where there is none but others, ask those: they may have a store that this
 * node is to follow. Then @p e takes any cluster. Not under the lock.
 * @param only_claim  for the store's own record alone
 * @return as shared_etcd_list()
 */
int shared_follower_query(struct shared_etcd *e, bool only_claim, struct shared_records *l);

#endif
