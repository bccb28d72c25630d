/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Whether a site that gets clients suffers: signs that have risen since the way began.
 *
 * Pure; implemented in mgmt/operations/regression.c. Any thread.
 */
#ifndef WEIR_MGMT_OPERATIONS_REGRESSION_H
#define WEIR_MGMT_OPERATIONS_REGRESSION_H

#include "mgmt/operations/operation.h"
#include "mgmt/operations/operation_facts.h"

/** Yes: not risen. Unknown: not measured, now or when the way began. */
enum operation_truth well_repeats(const struct operation *op, const struct operation_site *site);
enum operation_truth well_drops(const struct operation *op, const struct operation_site *site);
/** Remember the signs of sites that get clients as they are now, but for those remembered already. */
void well_begin(struct operation *op, const struct operation_facts *facts);

#endif
