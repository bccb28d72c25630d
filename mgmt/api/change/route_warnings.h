/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What the routes of this node say about the backends of a configuration, before it is in force.
 *
 * Implemented in mgmt/api/change/route_warnings.c; called by the threads of handlers, under the core's lock.
 */
#ifndef WEIR_MGMT_API_ROUTE_WARNINGS_H
#define WEIR_MGMT_API_ROUTE_WARNINGS_H

#include <jansson.h>

#include "mgmt/core/core.h"
#include "mgmt/rules/advice.h"

/**
 * Add a sentence to @p warnings for each backend at this node's site to which its routes refuse to
 * lead, and for each of mode l2 that is behind a gateway: the first ones, and how many more there
 * are.
 */
void route_warnings_add(struct core *core, const struct advice *advice, json_t *warnings);

#endif
