/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * How many packets did not fit in their tunnels: from the counters of weir-dataplane's page. They are
 * counted for the whole node, not for each pool.
 *
 * Implemented in mgmt/observe/too_big.c; any thread.
 */
#ifndef WEIR_MGMT_OBSERVE_TOO_BIG_H
#define WEIR_MGMT_OBSERVE_TOO_BIG_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/checked.h"
#include "record/fields.h"
#include "weir/effect.h"

/**
 * Packets for VIPs that were too big for a tunnel, since the tables were made, whether their senders
 * got an answer or not.
 * @param now_ms  monotonic
 * @param out  untouched when they are not known
 * @return false: not known, as there is no page or its process is silent
 */
MUST_CHECK bool too_big_read(const char *run_dir, uint64_t now_ms, uint64_t *out);

extern const struct record_kind fitting_mss_kind;
/**
 * What a pool's tunnels mean for TCP, as the API has it: the MSS that fits in the smallest of them, and
 * how many packets were too big for a tunnel of this node.
 * @param too_big  NULL: not known
 * @param rows  the pool's, of which those of its backup and those without a way are left out
 * @param n  how many; negative: they are not known
 * @return given; NULL: out of memory
 */
json_t *too_big_mss(const uint64_t *too_big, const struct effect_backend *rows, int n);

#endif
