/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The record of an operation as records of shared intent (mgmt/store/shared.h), each small:
 *
 *   operation/ID                       all but what was seen
 *   observed/ID/before, after, signs, late, failures
 *   observed/ID/step/00012                 step 12 of its history, the first is 0
 *
 * All that one change made is written in one change, so the parts that are there are one record.
 *
 * Implemented in mgmt/operations/record_parts.c. Pure: any thread.
 */
#ifndef WEIR_MGMT_OPERATIONS_RECORD_PARTS_H
#define WEIR_MGMT_OPERATIONS_RECORD_PARTS_H

#include <jansson.h>

#include "base/checked.h"
#include "mgmt/operations/operation.h"
#include "mgmt/store/shared.h"

#define OPERATION_STATES_AT "operation/" /**< the names of all states begin so */
#define OPERATION_PARTS_MAX (6u + OPERATION_HISTORY_MAX)

struct operation_part {
	char name[SHARED_NAME_MAX];
	json_t *json; /**< {}: nothing was seen */
};

/** The name of the state of operation @p id; of all that was seen of it, up to the last slash. @return @p out */
const char *operation_state_name(const char *id, char out[SHARED_NAME_MAX]);
const char *operation_observed_name(const char *id, char out[SHARED_NAME_MAX]);
/** The name of the step that the history of @p op lost last; NULL: it has lost none. */
const char *operation_lost_name(const struct operation *op, char out[SHARED_NAME_MAX]);

/**
 * The parts of a record: the state first, steps last, the newest of these first.
 * @return how many, for operation_parts_free(); 0: out of memory
 */
MUST_CHECK size_t operation_parts_make(const struct operation *op,
                                       struct operation_part out[OPERATION_PARTS_MAX]);
void operation_parts_free(struct operation_part *parts, size_t n);

/** Begin to read a record with the text of its state. @return given; NULL: it is none, or out of memory */
MUST_CHECK json_t *operation_parts_begin(const char *state);
/** Add what was seen: a record below operation_observed_name(), in the order of names. @return 0, -EBADMSG or -ENOMEM */
MUST_CHECK int operation_parts_add(json_t *whole, const char *text);
/** End, and read what was added; @p whole is freed. @return as operation_from_json(); NULL is -EINVAL */
MUST_CHECK int operation_parts_end(json_t *whole, struct operation *out);

#endif
