/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What a change says of zones, as JSON.
 *
 * Implemented in mgmt/api/change/zones_json.c; called by the threads of handlers.
 */
#ifndef WEIR_MGMT_API_ZONES_JSON_H
#define WEIR_MGMT_API_ZONES_JSON_H

#include <jansson.h>

#include "mgmt/store/intent.h"

/** Add to the @p warnings of a change what zones say. @return a list of the zones that keep their files, given */
MUST_CHECK json_t *zones_add_warnings(const struct intent_changed *c, json_t *warnings);
/**
 * Add to the plan of @p answer the zones that keep their files because those on the disk cannot
 * be read.
 */
void unread_zones_add_json(const struct model_errors *unread, json_t *answer);

#endif
