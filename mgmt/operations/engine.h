/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The engine of operations: from a record and facts to the next record and to what must be done.
 *
 * Pure: no clock, no socket, no lock, no memory. The owner calls operation_next() each second. The
 * caller then, in this order: stores the record and sends it to all nodes; merges the override that
 * `write` describes for each target, and sends it to all nodes. All of that may be repeated: a
 * write with one epoch and step is always the same.
 *
 * | state               | what happens                         | what ends it                         |
 * |---------------------|--------------------------------------|--------------------------------------|
 * | starting            | nodes get the record; guards; owner  | guards pass: moving; trip: held      |
 * |                     | outside the target                   |                                      |
 * | moving              | steps out, one at a time (step.c)    | last step: late, of a shift resting; |
 * |                     |                                      | a guard or wait: held; until:        |
 * |                     |                                      | returning; abort: aborting           |
 * | late                | 100 %; backup pools take late        | own new flows below max(1 %, 1/s):   |
 * |                     | clients after one TTL                | drained; no packets, two TTLs        |
 * |                     |                                      | unnamed: drained_unconfirmed         |
 * | drained             | VIPs leave as demanded               | established flows silent: empty;     |
 * |                     |                                      | new flows for 30 s: late;            |
 * |                     |                                      | until, undrain: returning            |
 * | drained_unconfirmed |                                      | packets seen, few: drained           |
 * | empty               |                                      | new or established flows for 30 s:   |
 * |                     |                                      | drained; until, undrain: returning   |
 * | resting             |                                      | until, undrain: returning; of a      |
 * |                     |                                      | shift also a drain: starting         |
 * | held                | levels stay; on a way out nodes that | resume: the state before; abort;     |
 * |                     | had gone further are followed        | until: expired_held                  |
 * | expired_held        | levels stay                          | resume: returning                    |
 * | returning           | stages, then steps back (recovery.c)     | level 0: done; abort: out again      |
 * | aborting            | steps back to where it began         | there: aborted, of a shift resting   |
 * | done, aborted,      | nothing                              | nothing                              |
 * | failed              |                                      |                                      |
 *
 * In each state: a person's command at a target ends it (aborted); `take` by another node makes that
 * the owner (takeover.c); a site or service that is gone holds it, and so do levels of a later change than
 * the record (stale_record.c).
 *
 * Implemented in engine.c (operation_next()), command.c (persons), takeover.c (operation_own()) and plan.c
 * (operation_plan()); which other file does what: engine_internal.h.
 * Any thread; one at a time for a record. The simulator tests/sim/operations_sim.c drives it.
 */
#ifndef WEIR_MGMT_OPERATIONS_ENGINE_H
#define WEIR_MGMT_OPERATIONS_ENGINE_H

#include "mgmt/operations/guards.h"
#include "mgmt/operations/operation.h"
#include "mgmt/operations/operation_facts.h"

#define OPERATION_AHEAD_MS   2000   /**< how far ahead a step is announced */
#define OPERATION_NOTICE_MS  900000 /**< an event so long before until */
#define OPERATION_EVENTS_MAX 8u

/** What the owner must do now. */
struct operation_act {
	bool changed;                     /**< the record: nothing follows before that is decided */
	char handed_over[MODEL_NAME_MAX]; /**< the new owner; "": this node stays it */
	char events[OPERATION_EVENTS_MAX][OPERATION_DETAIL_MAX];
	size_t n_events;
};

/** Run one tick of an operation that this node owns. @p now_ms: the wall clock. */
void operation_next(struct operation *op, const struct operation_facts *facts, int64_t now_ms,
                    struct operation_act *act);

/** What a person's command returns when a guard refuses it, plus that guard. */
#define OPERATION_REFUSED 1

/**
 * Commands of persons, at the owner (but take). @p error has room for OPERATION_DETAIL_MAX bytes
 * and says why not. @return 0; -EALREADY: it is so already; -EINVAL: not in this state; -EBUSY: not
 * here, or not by this configuration; OPERATION_REFUSED + a guard: that refuses. Unless it is 0, the
 * record is as before.
 */
typedef int operation_command(struct operation *op, const struct operation_facts *facts,
                              const struct operation_person *person, int64_t now_ms, char *error);
MUST_CHECK operation_command operation_hold;
/** Go on; of expired_held: return. */
MUST_CHECK operation_command operation_resume;
/** Go back to where the running way began, at the same pace. */
MUST_CHECK operation_command operation_abort;
/** Return to normal (weir undrain). */
MUST_CHECK operation_command operation_return;
/**
 * Send more clients elsewhere from here (a shift that rests, a return): the level runs on. What the person says of
 * the end, the pace and the VIPs holds from now on, as of an operation that begins. The goal is above
 * its level; all clients: a drain, else a shift.
 */
MUST_CHECK operation_command operation_redirect;
/**
 * Become the owner (`weir operation ID take`), in a new epoch. It holds until the levels of all nodes that are reached are
 * known, and goes on from the highest; an operation that was held stays held.
 */
MUST_CHECK operation_command operation_own;
/** Add what a person overrides by name, and whom a person names absent. */
void operation_add(struct operation *op, const struct operation_person *person);

/** From where a write holds the level of @p op: just beside it, on the side that its way comes from. */
uint32_t operation_hold_from(const struct operation *op, uint32_t level_ppm);

/** Which levels a way takes, as written to the record; for dry runs and the projection. */
void operation_plan(struct operation *op, const struct operation_facts *facts);

#endif
