/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The thread of the audit log: what audit_log_work() does, when it is due, and the heads of other nodes saved now and then.
 *
 * Implemented in mgmt/audit/keeper.c. The main thread starts and stops it.
 */
#ifndef WEIR_MGMT_AUDIT_KEEPER_H
#define WEIR_MGMT_AUDIT_KEEPER_H

#include "base/checked.h"
#include "base/thread.h"

struct audit_heads;
struct audit_log;

/** Zeroed: not started. */
struct audit_keeper {
	struct audit_log *log;
	struct audit_heads *heads;
	struct thread thread;
};

/** Both are borrowed until the stop. @return 0 or -errno */
MUST_CHECK int audit_keeper_start(struct audit_keeper *k, struct audit_log *log,
                                  struct audit_heads *heads);
/** End the thread, and close the log: a last signature, and all of it on the disk. */
void audit_keeper_stop(struct audit_keeper *k, struct audit_log *log);

#endif
