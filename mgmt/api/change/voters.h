/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Whether the sites that this node ever heard are enough to take a dead site out of DNS answers.
 *
 * Implemented in mgmt/api/change/voters.c; called by the threads of handlers.
 */
#ifndef WEIR_MGMT_API_VOTERS_H
#define WEIR_MGMT_API_VOTERS_H

#include <jansson.h>

#include "mgmt/core/core.h"
#include "mgmt/rules/advice.h"

/**
 * Add a sentence to @p warnings when sites that this node never heard make a removal impossible.
 * Under the lock.
 */
void voters_add_warning(struct core *core, const struct advice *advice, json_t *warnings);

#endif
