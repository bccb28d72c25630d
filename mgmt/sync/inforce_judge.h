/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Judges whether the head is in force on this node (mgmt/core/inforce.h), from what its processes show and, where it is
 * refused, from what peers say. The judgement itself is separate from observing, so that a test can choose the observations.
 *
 * Implemented in mgmt/sync/inforce_judge.c. inforce_judge() is under the lock; the others are pure, any thread.
 */
#ifndef WEIR_MGMT_SYNC_INFORCE_JUDGE_H
#define WEIR_MGMT_SYNC_INFORCE_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "mgmt/core/inforce.h"
#include "mgmt/judge/observed.h"
#include "weir/condition.h"

/** How long a refusal must have lasted before it counts. */
#define INFORCE_STAYS_MS 2000u

/**
 * Judge the head now; an unconfirmed one that this node or a peer refuses is rolled back, and one that is due is confirmed
 * (mgmt/sync/confirm_well.h).
 */
void inforce_judge(struct core *core);
/**
 * One process as it was seen: @p s, and @p c if s->has_conditions.
 * @return INFORCE_DONE; INFORCE_REFUSED or INFORCE_PENDING, noted in @p f with the process's @p name
 */
enum inforce_state inforce_judge_process(struct inforce *f, const char *name,
                                         const struct gather_process *s, struct conditions *c,
                                         uint64_t now_ms);
/** The end of a look at which nothing refused the version. @param pending  something is waited for, as @p f says */
void inforce_conclude(struct inforce *f, bool pending, uint64_t now_ms);

#endif
