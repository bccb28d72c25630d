/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The table of the API's routes, and the one way through it: role, path, query, body,
 * idempotency key, handler.
 */
#ifndef WEIR_MGMT_API_ROUTE_H
#define WEIR_MGMT_API_ROUTE_H

#include "mgmt/api/http.h"

/** http_handler: answer a request by the table. */
void route_handle(struct core *core, struct http_request *request, struct http_reply *reply);

#endif
