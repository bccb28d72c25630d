/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The thread that looks at this node twice a second: what its processes show (mgmt/observe/observe.h), and what follows from
 * that: quiet VIPs, the node's state, whether the head is in force.
 *
 * Implemented in mgmt/status/observer.c; the main thread starts and stops it.
 */
#ifndef WEIR_MGMT_STATUS_OBSERVER_H
#define WEIR_MGMT_STATUS_OBSERVER_H

#include "base/checked.h"
#include "base/thread.h"
#include "mgmt/core/core.h"
#include "mgmt/status/quiet_vips.h"

struct observer {
	struct thread thread;
	struct quiet_vips quiet;
};

/**
 * How far the node @p name is on its way out: this one as it was looked at last, another one as it said last. Under the
 * lock.
 */
enum override_left observer_node_left(const struct core *core, const char *name);
/** Note that of all nodes with overrides, for their states. Under the lock. */
void observer_note_nodes(struct core *core);
/** Make what is observed, which any thread may look at, until observer_stop(). */
void observer_open(struct core *core);
/** Start the thread. @return 0 or -errno */
int observer_start(struct core *core) MUST_CHECK;
/** End it, and free what is observed: no other thread is left; core->stopping is set. */
void observer_stop(struct core *core);

#endif
