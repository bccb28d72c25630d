/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Steps: overrides by which operations move a site's level (struct override with is_step).
 *
 * Pure: implemented in mgmt/store/step.c; any thread.
 */
#ifndef WEIR_MGMT_STORE_STEP_H
#define WEIR_MGMT_STORE_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "mgmt/store/override.h"

/**
 * A person changes @p o by a command with the stamp @p generation, so its operation no longer moves it. It is no step any more,
 * unless it drains one service alone.
 */
void override_leave_operation(struct override *o, uint64_t generation);
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
