/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The operations of the cluster as this node knows them; mgmt/controller/operations_run.h runs those which it owns.
 *
 * Records are shared intent: each change of one is decided (mgmt/controller/operation_decide.h), and each node follows its copy.
 *
 * Implemented in mgmt/sync/operations.c; for any thread, under the core's lock unless it says otherwise.
 */
#ifndef WEIR_MGMT_SYNC_OPERATIONS_H
#define WEIR_MGMT_SYNC_OPERATIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/http/http.h"
#include "mgmt/operations/guards.h"
#include "mgmt/operations/operation.h"

#define OPERATIONS_MAX 64u /**< records in memory */
#define OPERATIONS_UNWRITTEN_MAX                                                                   \
	(2 * OPERATION_TARGETS_MAX)  /**< of those that begin: one moves at a time */
#define OPERATIONS_EVERY_MS   1000u  /**< between two rounds of an owner */
#define OPERATIONS_FAST_MS    250u   /**< the same while a step is announced */
#define OPERATIONS_SLOW_MS    2000u  /**< of a node that owns none of those that are not over */
#define OPERATIONS_IDLE_MS    10000u /**< when all are over */
#define OPERATIONS_TIMEOUT_MS 900    /**< for a peer's answer: a round stays on time */
#define OPERATIONS_HEARD_MS   2000u  /**< so long after its answer a node counts as reached */
#define OPERATIONS_LOST_MS    10000u /**< so long the store has to send a record */
#define OPERATIONS_FRESH_MS   3000u  /**< so long what a node measured counts */
#define OPERATIONS_ANSWER_MAX                                                                      \
	((size_t)4 << 20) /**< bytes of a peer's answer: with the most rows, 2 MiB */

/** What a node has of an operation, as it was observed in the last round. */
struct operations_node {
	char node[MODEL_NAME_MAX];
	bool reached, absent; /**< absent: named so by a person */
	bool level_known;
	uint32_t epoch, step, level_ppm; /**< of the first target */
};

/** An operation with what this node knows of it besides the record. */
struct operations_item {
	struct operation op;
	int64_t revision;   /**< of the copy's record that it is; 0: it has none yet */
	uint64_t ticked_ms; /**< monotonic: when its engine last ran here; 0: never */
	/** monotonic: since when the store has no owner of it; 0: it has one */
	uint64_t unowned_ms;
	uint64_t own_again_ms; /**< when this node may try to become its owner */
	/** monotonic: since when this node decides no change of it; 0: the last was decided, or there is none */
	uint64_t undecided_ms;
	bool unread; /**< the copy has a later record that cannot be read, so nobody goes on from it */
	bool judged; /**< verdicts are those of the last round here */
	struct operation_verdict verdicts[OPERATION_GUARD_COUNT];
	struct operations_node nodes[OPERATION_NODES_MAX]; /**< as this node sees them */
	size_t n_nodes;
	uint64_t deciding; /**< how many sites decide that a site is dead, if judged */
	/** of the owner, from when the running plan began; NULL: not known */
	struct operation_begin_flows *begin;
	enum operation_way begin_way; /**< if begin; the plan's, with the level it began at */
	uint32_t begin_ppm;
	json_t *outlook; /**< what the projection says, as the API shows it; NULL: not known */
};

struct operations;
struct operation_begin_flows;
struct ramp_levels;

/** @return NULL: there is none; valid until the lock is given up */
struct operations_item *operations_find(struct core *core, const char *id);
/** Number @p i of them, the newest first; NULL: there are no more. */
struct operations_item *operations_at(struct core *core, size_t i);
/** The operation that is not over and has @p site among its targets (its service apart). */
struct operations_item *operations_of_site(struct core *core, const char *site);
/** Whether there is room for one more that is not over. */
bool operations_have_room(const struct core *core);
/**
 * Let the list have the record as it is in the copy at @p revision, and this node's overrides its last step.
 * @return 0; -ENOSPC: it is over, and there are newer ones, or too many are not over; -ENOMEM
 */
int operations_put(struct core *core, const struct operation *op, int64_t revision) MUST_CHECK;
/**
 * Let the list have what the copy of shared intent has (mgmt/operations/record_parts.h), where that is newer than what the list
 * has: after each change of it. Nothing is done before the thread has begun.
 */
void operations_follow(struct core *core);
struct shared_records;
/** The same with all that the store has, @p l: also where this node's disk does not keep it, and whatever the list had. */
void operations_follow_list(struct core *core, const struct shared_records *l);
/** Whether this node owns it. */
bool operations_is_own(const struct core *core, const struct operation *op);
/** A stamp for a command at the sites of @p n targets that is later than all that this node knows of them (mgmt/overrides/hlc.h). Under the lock. */
uint64_t operations_next_stamp(struct core *core, const struct operation_target *targets, size_t n,
                               int64_t now_ms);
/** Run a round now. */
void operations_poke(struct core *core);
/**
 * The levels of all site drains at this node, given: [{override, site, in_force: {generation, epoch, step}, level_ppm}].
 * in_force, with its level, is that of weir-dns: missing, it is not
 * known. @p levels  of weir-dns; NULL: it does not run, and the document's are in force
 */
MUST_CHECK json_t *operations_levels_json(struct core *core, const struct ramp_levels *levels);
/**
 * What operations that are not over, and have no override at this node yet, would write first: for
 * a person's command (struct command). @return how many
 */
size_t operations_list_unwritten(struct core *core, struct override out[OPERATIONS_UNWRITTEN_MAX]);
/**
 * Add to overrides, as shown, until when an operation keeps them: a time, null (it does not return by itself),
 * nothing where its record is not here. @p list: an array of them, or one. Under the lock.
 */
void operations_add_until(struct core *core, json_t *list);

#endif
