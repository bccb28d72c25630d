/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The record of an operation as JSON: what nodes exchange and what the store keeps. Instants are
 * integers, so that a record comes back the same. What only the owner's process counts (elapsed
 * times) is not part of it.
 *
 * Implemented in mgmt/operations/record_json.c. Pure: any thread.
 */
#ifndef WEIR_MGMT_OPERATIONS_RECORD_JSON_H
#define WEIR_MGMT_OPERATIONS_RECORD_JSON_H

#include <jansson.h>

#include "base/checked.h"
#include "mgmt/operations/operation.h"
#include "record/fields.h"

/** The record and its parts, as people are shown them, too: without what the API makes of them (mgmt/controller/operation_show.h). */
extern const struct record_kind operation_record, operation_step_record, operation_load_record,
        operation_hold_record, operation_late_record, operation_failure_record;

/** Given; NULL when out of memory. The same record gives the same text with JSON_SORT_KEYS. */
MUST_CHECK json_t *operation_to_json(const struct operation *op);
/**
 * Read a record that may come from a stranger. A field that a later release added is ignored.
 * @return 0, or -EINVAL: malformed, or not operation_ok(); @p out is untouched then. -ENOMEM
 */
MUST_CHECK int operation_from_json(const json_t *json, struct operation *out);

#endif
