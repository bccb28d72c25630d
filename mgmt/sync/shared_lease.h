/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * This node's lease in the store: while it is renewed, this node owns the operations that it owns, and nobody takes
 * them from it without a person's word. It is asked for when the first is needed, and left to end when there is none.
 *
 * A lease that may have ended is no proof of anything: a lost one may be there still, and one that is there may be of a
 * node that is dead. So it only says who may try; what decides is the compare of each change (mgmt/controller/operation_decide.h).
 *
 * Implemented in mgmt/sync/shared_lease.c. Under the core's lock, unless a function says otherwise.
 */
#ifndef WEIR_MGMT_SYNC_SHARED_LEASE_H
#define WEIR_MGMT_SYNC_SHARED_LEASE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/store/shared_etcd.h"

#define SHARED_LEASE_S 10 /**< after which the store lets it end */

struct shared_lease;

/**
 * Begin; not under the lock. Nothing is asked for yet.
 * @param stop  ends all calls; borrowed until the end
 * @return 0 and @p out for shared_lease_stop(), or -errno with a reason
 */
MUST_CHECK int shared_lease_start(struct core *core, const struct etcd_settings *settings,
                                  const char *prefix, const atomic_bool *stop,
                                  struct shared_lease **out, char reason[ETCD_REASON_MAX]);
struct shared_members;
/** Let its client know of members of the store that joined later. */
void shared_lease_add_to(struct shared_lease *l, struct shared_members *m);
/** End; not under the lock; core->stopping and the stop flag are set. NULL: nothing is done. */
void shared_lease_stop(struct shared_lease *l);

/**
 * The lease, for a record that is to be written with it; asked for where there is none. The lock is given up meanwhile.
 * @return 0: there is none, and @p reason says why
 */
int64_t shared_lease_need(struct shared_lease *l, char reason[ETCD_REASON_MAX]);
/** Whether it was renewed within SHARED_LEASE_S of the boot clock, so that no other node can have seen its end. */
bool shared_lease_is_fresh(const struct shared_lease *l);

#endif
