/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Operations as the API shows them (docs/api.md): plan, steps, nodes, evidence.
 *
 * Implemented in mgmt/controller/operation_show.c; under the core's lock where an item is given.
 */
#ifndef WEIR_MGMT_CONTROLLER_OPERATION_SHOW_H
#define WEIR_MGMT_CONTROLLER_OPERATION_SHOW_H

#include <jansson.h>

#include "base/checked.h"
#include "mgmt/sync/operations.h"

struct operation_observed;
struct operation_snapshot;

/**
 * What the plan will bring, given: {expected_s, queries_per_s_at_min_ttl, receivers, backups}.
 * Not under the lock.
 */
MUST_CHECK json_t *operation_outlook_json(const struct operation_snapshot *v,
                                          const struct operation *op,
                                          const struct operation_observed *observed);
/** The rows of both. */
extern const struct record_kind operation_summary_record, operation_shown_record;
/** A short form for lists, given. */
MUST_CHECK json_t *operation_summary_json(const struct operations_item *item);
/** All of it, given. */
MUST_CHECK json_t *operation_show_json(const struct operations_item *item);

#endif
