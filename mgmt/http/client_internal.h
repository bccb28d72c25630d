/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request on its way, for those who drive libcurl: client.c (a call that waits) and client_loop.c
 * (an event loop). The functions are in client.c.
 */
#ifndef WEIR_MGMT_HTTP_CLIENT_INTERNAL_H
#define WEIR_MGMT_HTTP_CLIENT_INTERNAL_H

#include "mgmt/http/client.h"

/** Begin @p r; a request that cannot begin has ended with a failure. */
void transfer_begin(struct peer_client *c, struct client_request *r);
/** End the requests that have their outcome: each gets it, and its done() is called. */
void transfers_collect(struct peer_client *c);

#endif
