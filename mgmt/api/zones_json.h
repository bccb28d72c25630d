/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What a change says of zones, as JSON.
 *
 * Implemented in mgmt/api/zones_json.c; called by the threads of handlers.
 */
#ifndef WEIR_MGMT_API_ZONES_JSON_H
#define WEIR_MGMT_API_ZONES_JSON_H

#include <jansson.h>

#include "mgmt/store/intent.h"

/**
 * Add to a change's @p answer which zones keep their files ("skipped_zones"), and to @p warnings
 * what zones say.
 */
void zones_add_json(const struct intent_changed *c, json_t *warnings, json_t *answer);
/**
 * Add to the plan of @p answer the zones that keep their files because those on the disk cannot
 * be read.
 */
void unread_zones_add_json(const struct model_errors *unread, json_t *answer);

#endif
