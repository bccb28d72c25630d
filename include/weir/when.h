/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Durations and instants as people write them.
 *
 * Implemented in model/when.c. Pure functions: any thread may call them.
 */
#ifndef WEIR_WHEN_H
#define WEIR_WHEN_H

#include <stdint.h>

#include "base/checked.h"

/**
 * Read "90s", "1h30m", "500ms", "2d", "0"; each unit once, largest first; at most 366 days.
 * @return 0 or -EINVAL
 */
MUST_CHECK int when_duration(const char *text, int64_t *ms);
/**
 * Read RFC 3339, "+DURATION" from @p now_ms on, or "never" (MODEL_TIME_NEVER). @return 0 or
 * -EINVAL
 */
MUST_CHECK int when_instant(const char *text, int64_t now_ms, int64_t *wall_clock_ms);

#endif
