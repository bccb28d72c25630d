/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The steps of operations as overrides. Each node makes them itself, from the record that was decided; so a step needs
 * nobody who sends it, and one that was decided is made even if its owner dies at once.
 *
 * Implemented in mgmt/api/operation_steps.c. Under the core's lock.
 */
#ifndef WEIR_MGMT_API_OPERATION_STEPS_H
#define WEIR_MGMT_API_OPERATION_STEPS_H

#include "mgmt/api/core.h"
#include "mgmt/operations/operation.h"

/** The override that makes @p write of @p op, its last one or one to come, at one target. */
void operation_step_override(const struct operation *op, const struct operation_write *write,
                             const struct operation_target *target, struct override *out);
/**
 * Let this node's overrides have the write of @p op. A later one that is there stays; one that is there already, or of
 * an operation that is over and has none any more, changes nothing; what cannot be written is in the log, and is tried again with the next call.
 */
void operation_steps_make(struct core *core, const struct operation *op);

#endif
