/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * By what a version is confirmed without a person, in words: "well for 5m".
 *
 * Implemented in mgmt/core/confirm_if.c. Pure; any thread may call.
 */
#ifndef WEIR_MGMT_CORE_CONFIRM_IF_H
#define WEIR_MGMT_CORE_CONFIRM_IF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"

#define CONFIRM_IF_MAX     40u /**< bytes of the words with their NUL */
#define CONFIRM_IF_PATTERN "^well for ([0-9]+(d|h|m|s|ms))+$"

/**
 * Read @p text. @param well_for_ms  out: for how long all nodes are to be well, 1 ms to INTENT_CONFIRM_MAX_MS
 * @return false: it is malformed, or of another length
 */
MUST_CHECK bool confirm_if_read(const char *text, int64_t *well_for_ms);
/** The words for so long, which are read as the same again; 0: "". @return @p out */
const char *confirm_if_text(int64_t well_for_ms, char out[CONFIRM_IF_MAX]);

#endif
