/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The thread that runs the operations which this node owns (mgmt/operations/engine.h). The owner asks all nodes each second
 * what they have in force and what they measure.
 *
 * Implemented in mgmt/controller/operations_run.c (the thread), operations_query.c and operation_conditions.c. The main thread
 * starts and stops it. The rest is for any thread, under the core's lock unless it says otherwise.
 */
#ifndef WEIR_MGMT_CONTROLLER_OPERATIONS_RUN_H
#define WEIR_MGMT_CONTROLLER_OPERATIONS_RUN_H

#include <jansson.h>
#include <stdbool.h>

#include "base/checked.h"
#include "mgmt/sync/operations_list.h"
#include "mgmt/http/client.h"
#include "mgmt/rules/advice.h"

/** Load the records and start the thread. @return 0 or -errno */
int operations_start(struct core *core) MUST_CHECK;
/** End it; core->stopping is set. */
void operations_stop(struct core *core);
/** Ask all nodes, and note their levels of operation @p id now. Not under the lock. */
void operations_watch(struct core *core, const char *id);
/** State conditions of operations: held, expired. */
void operations_add_conditions(struct core *core);
/** Warn of a configuration without the owner of an operation that is not over. Under the lock. */
void operations_add_warnings(struct core *core, const struct advice *advice, json_t *warnings);

/* What peers said last about @p node; NULL: nothing. Under the lock. */
const struct operations_said *operations_said_of(const struct core *core, const char *node);
/*
 * Ask all peers for what they have in force, with @p measure also for what they measure (those at
 * @p announced_at, if not NULL, also for what they announce). What they answer is kept. Each thread has
 * a client of its own. Not under the lock.
 */
void operations_query(struct core *core, struct peer_client *client, bool measure,
                      const char *announced_at);

/*
 * What the sites had when the running plan began, with which its projection compares, given. @return NULL: nobody has
 * noted it, or out of memory. Under the lock.
 */
MUST_CHECK struct operation_begin_flows *operations_copy_begin(const struct operations_item *item);

struct operation_observed;
struct operation_snapshot;
/* Keep what the API shows of the last facts: nodes, guards, outlook. Under the lock. */
void operations_note_observed(struct operations_item *item,
                              const struct operation_snapshot *snapshot,
                              const struct operation_observed *observed);

#endif
