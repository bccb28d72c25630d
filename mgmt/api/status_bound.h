/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The limit of the lists in a status.
 *
 * Implemented in mgmt/api/status_bound.c; any thread, on a status of its own.
 */
#ifndef WEIR_MGMT_API_STATUS_BOUND_H
#define WEIR_MGMT_API_STATUS_BOUND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/** Leave at most @p limit items in each list of @p status (0: all), those that stand out first. */
void status_bound(json_t *status, uint64_t limit);

#endif
