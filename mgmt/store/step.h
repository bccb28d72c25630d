/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Steps: overrides by which operations move a site's level (struct override with is_step).
 *
 * A step's generation holds, from its high end: the epoch of its operation, whether a person or the
 * operation's owner wrote it, and its number. Of two steps the higher generation wins, so a step of
 * an earlier epoch never does, and a person wins over the owner of the same epoch.
 *
 * Pure: implemented in mgmt/store/step.c; any thread.
 */
#ifndef WEIR_MGMT_STORE_STEP_H
#define WEIR_MGMT_STORE_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "mgmt/store/override.h"

#define OVERRIDE_STEPS_MAX ((1u << 19) - 1) /**< steps of one epoch */

/** The generation of step @p step (up to OVERRIDE_STEPS_MAX) in @p epoch (1 or more). */
uint64_t override_generation(uint32_t epoch, bool person, uint32_t step);
/** Its epoch; 0: it is none of an operation. */
uint32_t override_epoch(uint64_t generation);
/** Whether a person wrote this generation of an operation's override. */
bool override_is_persons(uint64_t generation);
/** The number of its step; 0 if it is none of an operation. */
uint32_t override_step(uint64_t generation);

/**
 * A person changes @p o, so its operation no longer moves it: a step, or what followed one, gets the
 * next epoch, any other override the next number. It is no step any more, unless it drains one
 * service alone.
 */
void override_leave_operation(struct override *o);
/**
 * The level that a step has in force: by its schedule, or further where weir-dns says so. What weir-dns
 * said last, @p known_ppm, may be of a moment before the step.
 */
uint32_t override_step_level(const struct override *o, uint32_t known_ppm, uint32_t scheduled_ppm);
/** Make @p o a step that stays at @p level_ppm from @p now_ms on, until a command changes it. */
void override_keep_level(struct override *o, uint32_t level_ppm, int64_t now_ms);
/** Whether @p o is an operation's step at @p site, whatever service it drains there. */
bool override_is_step_at(const struct override *o, const char *site);
/** The state of a step in a word while it neither waits for its ramp nor returns by itself. */
const char *override_step_state(const struct override *o, int64_t now_ms);

#endif
