/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The node's state followed in time (implemented in state.c): since when each reason is there, events when
 * state or reasons change, and the metrics weir_status and weir_status_reasons. The observer's thread
 * looks, judges and follows; the state that is shown is judged afresh at each request by the same function.
 */
#ifndef WEIR_MGMT_STATUS_STATE_H
#define WEIR_MGMT_STATUS_STATE_H

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/judge/judge.h"

struct look;

/** Begin to follow it: core->state is set. */
void state_open(struct core *core);
void state_close(struct core *core);
/**
 * Tell what has changed with what @p l sees, judged as @p now, whose reasons get their beginnings. Under the lock.
 * @param began_ms  monotonic: when the look began
 */
void state_follow(struct core *core, const struct look *l, uint64_t began_ms,
                  struct judge_verdict *now);
/** Give the reasons and notes of @p v the time since when they are there. Under the lock. */
void state_since(const struct core *core, struct judge_verdict *v);

#endif
