/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The levels of an operation's ways: out over gates (10, 25, 50, 75, 100 %), back over the same.
 *
 * | way  | from        | levels, percent of clients sent elsewhere                |
 * |------|-------------|----------------------------------------------------------|
 * | out  | 0           | 10, 25, 50, 75, 100, up to its goal, the goal last       |
 * | out  | a level     | those of these that are above it                         |
 * | out  | --now, down | the goal alone                                           |
 * | back | 100         | 99 (1 % of the clients for 2 minutes), 90, 75, 50, 25, 0 |
 * | back | a level     | those of these that are below it, but 99                 |
 *
 * Pure; implemented in mgmt/operations/plan.c. Any thread.
 */
#ifndef WEIR_MGMT_OPERATIONS_PLAN_H
#define WEIR_MGMT_OPERATIONS_PLAN_H

#include "mgmt/operations/operation.h"

/** Of the clients that a returning site gets first: 1 %. */
#define PLAN_CANARY_PPM 990000u
/** How long it has no more than these. */
#define PLAN_CANARY_MS 120000

/**
 * The levels from @p from_ppm to @p to_ppm; none if they are equal.
 * @param out  room for OPERATION_PLAN_MAX; each of @p out is further than the one before it
 * @return how many
 */
uint32_t plan_levels(uint32_t from_ppm, uint32_t to_ppm, bool one_step, uint32_t *out);
/** How long the steps of the plan take that have not ended, if nothing holds them. */
int64_t plan_expected_ms(const struct operation *op, uint64_t ttl_s);

#endif
