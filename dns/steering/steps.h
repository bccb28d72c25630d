/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The level of a step (model_override.is_step) in this node's answers.
 *
 * - Before its instant, a step changes nothing: the level stays as the step before has left it.
 * - From then on the level follows the step's ramp, but never against its direction: while a site is
 *   drained further, its level does not fall, and in a return it does not rise. So a step that a
 *   node has late, or that starts lower than another node was, moves no client twice.
 * - A level falls only by a step that begins at it or above. One that is higher stays, in whichever
 *   epoch: after two sides of a cut have each had an owner, the owner that is left does not know that
 *   level, and the site may be off by now. It rises at once to where a step is: away from the site.
 * - A step that goes nowhere moves nobody who has a level, unless it is a person's command at the
 *   site: that is in force at once.
 *
 * Pure: implemented in dns/steering/steps.c; any thread.
 */
#ifndef WEIR_DNS_STEERING_STEPS_H
#define WEIR_DNS_STEERING_STEPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/model.h"
#include "weir/ramp.h"

/** What was in force for an override, and what its answers may have had since. */
struct steps_before {
	const struct ramp_record *was; /**< of whichever generation; NULL: none */
	uint64_t now_ms;               /**< monotonic */
	uint32_t ttl_shift_s;          /**< TTL of its names while its level is between the ends */
	uint32_t ttl_max_s;            /**< the longest that they have otherwise */
	bool over;                     /**< the ramp's end has been reached, and nothing holds it */
};

/** Complete @p r, whose generation and instant in force are set, with the level and what follows. */
void steps_follow(const struct model_override *o, const struct steps_before *before,
                  struct ramp_record *r) NONNULL();

#endif
