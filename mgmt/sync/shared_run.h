/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Shared intent at work in weir-mgmt: a thread follows what the nodes share into this node's copy, another one puts in force
 * what is due, a third asks others for what that needs (ends of versions, files that are missing), and changes are written for
 * who asks.
 *
 * It runs where the configuration directory has a store.conf (mgmt/store/store_conf.h). Nothing that is in force depends
 * on it: while the store cannot be reached the node goes on with its copy.
 *
 * Implemented in mgmt/sync/shared_run.c and shared_write.c, the files of versions in mgmt/sync/shared_files.c.
 */
#ifndef WEIR_MGMT_SYNC_SHARED_RUN_H
#define WEIR_MGMT_SYNC_SHARED_RUN_H

#include <pthread.h>
#include <stdbool.h>

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/http/http.h"
#include "mgmt/store/chain.h"
#include "mgmt/store/intent.h"
#include "mgmt/store/pending.h"
#include "mgmt/store/shared_etcd.h"
#include "record/fields.h"
#include "weir/condition.h"

/** Start the threads. @return 0, also where there is no store.conf; or -errno */
MUST_CHECK int shared_run_start(struct core *core);
/**
 * Put in force what is to be in force at @p clock. It never waits for anybody. Under the lock; by the main thread, each tick. A
 * thread does so after each change, and while a version may run out.
 */
void shared_run_step(struct core *core, const struct pending_clock *clock);
/** Let requests that wait for the store end at once, as the process ends. */
void shared_run_interrupt(struct core *core);
/** End them; core->stopping is set. */
void shared_run_stop(struct core *core);
/** State what is wrong. Under the lock; by the main thread, each tick. */
void shared_run_state(const struct core *core);
/**
 * Whether the store can be used, and what this node has of it: GET /v1/store. Under the lock. @return given
 */
json_t *shared_run_json(const struct core *core);
/** What that makes. */
extern const struct record_kind store_answer_kind;

/**
 * Write the change of @p changed, and wait until it is in force here. Under the lock, which is given up meanwhile.
 * @param files_at  out: the names of the other nodes that have its files, given; NULL: it has none
 * @return whether it was written: changed->version is the one in force; else @p reply says why not, or that it is not known
 */
bool shared_run_write(struct core *core, struct intent_changed *changed, json_t **files_at,
                      struct http_reply *reply) MUST_CHECK;
/**
 * Confirm version @p number as @p author, for @p reason ("": none), for the request that is attached (core_attach()) and is not any more
 * then. Under the lock, which is given up meanwhile.
 * @return 0; as history_decide(); or -EIO: @p reply says why not, or that it is not known
 */
MUST_CHECK int shared_run_confirm(struct core *core, uint64_t number, const char *author,
                                  const char *reason, struct http_reply *reply);
/**
 * Whether a change may be written, as far as is known: what cannot be is not given to other nodes, where its files would take
 * the room of those of versions that were made. Under the lock. @return true also where this node decides alone; else
 * @p reply says why not
 */
bool shared_run_may_write(const struct core *core, struct http_reply *reply) MUST_CHECK;
/** The same for a dry run, which no write follows that finds the store full. */
bool shared_run_would_write(const struct core *core, struct http_reply *reply) MUST_CHECK;
/**
 * Whether what is in force here is what the store has, so that it may be said that nothing changes. Under the lock. @return
 * true also where this node decides alone; else @p reply says why not
 */
bool shared_run_is_sure(const struct core *core, struct http_reply *reply) MUST_CHECK;
/** Wait until this node's copy is of @p revision, @p most_ms at most. Under the lock, which is given up meanwhile. @return whether it is */
bool shared_run_await_revision(struct core *core, int64_t revision, unsigned most_ms);
/** Wait until what was written at @p revision is here, and in force. Under the lock, which is given up meanwhile. */
void shared_run_await(struct core *core, int64_t revision);
/**
 * Become the one who has a client of the store, for pthread_mutex_unlock(); not under the lock.
 * @return false: another one has had it for @p most_s seconds
 */
MUST_CHECK bool shared_run_begin_writing(pthread_mutex_t *writing, int most_s);
struct shared_commands;
/** Commands in the store; NULL: there is no store. Under the lock. */
struct shared_commands *shared_run_commands(const struct core *core);
struct shared_lease;
/** This node's lease in the store; NULL: there is no store. Under the lock. */
struct shared_lease *shared_run_lease(const struct core *core);
/** What is to be done where shared_state_is_missing(). Under the lock. */
void shared_run_advise(const struct core *core, char out[CONDITION_TEXT_MAX]);
/**
 * Write @p c, and wait until it is here; a node that decides alone writes it itself. Under the lock, which is given up meanwhile.
 * @param revision  out: where it is done, of what was written; 0: here
 * @return 0 and @p result; -EHOSTUNREACH or as shared_etcd_write(): nothing is written. @p reason says why it failed or is not known
 */
MUST_CHECK int shared_run_decide(struct core *core, const struct shared_change *c,
                                 enum shared_result *result, int64_t *revision,
                                 char reason[ETCD_REASON_MAX]);
/** Fill @p reply: a change is not made, as a version's deadline has passed and it is not marked yet. Under the lock. */
void shared_run_refuse_overdue(const struct core *core, struct http_reply *reply);

#endif
