/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Slots that wait: in a pool with agents a slot whose list of earlier owners is full does not move
 * until the oldest claim has had its time (implemented in waiting_slots.c). So a drain is taken at once
 * and may move nothing for a while.
 *
 * Pure; any thread.
 */
#ifndef WEIR_MGMT_JUDGE_WAITING_SLOTS_H
#define WEIR_MGMT_JUDGE_WAITING_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/effect.h"
#include "weir/model.h"

#define WAITING_TEXT_MAX 320u /**< bytes of the sentence */

struct waiting {
	uint32_t n_slots, n_full; /**< of the pool */
	uint32_t n_own;           /**< of the backend: at most so many of its slots wait */
	int64_t until_ms;         /**< wall time: by then they have moved */
};

/**
 * The slots of backend @p id of pool @p pool that no planned change moves now, by the tables of
 * this node.
 * @return whether there are such; @p out is untouched if not
 */
bool waiting_find(const struct model_pool *pool, const struct effect *effect, uint64_t id,
                  int64_t wall_clock_ms, struct waiting *out) MUST_CHECK;
/** A sentence for the person who drains. @return @p text */
const char *waiting_text(const struct waiting *w, const char *pool, char text[WAITING_TEXT_MAX]);

#endif
