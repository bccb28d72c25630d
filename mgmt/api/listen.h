/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The API's servers: the UNIX socket always, TCP where the node's `api` says so.
 *
 * Implemented in mgmt/api/listen.c; called by the main thread only.
 */
#ifndef WEIR_MGMT_API_LISTEN_H
#define WEIR_MGMT_API_LISTEN_H

#include <stdbool.h>

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/http/http.h"

/** Serve RUN/api.sock, or the socket handed down as "api". @return 0 or -errno */
int listen_local(struct core *core, struct http_server **out) MUST_CHECK;
/**
 * Serve the address of @p api ("https://ADDRESS:PORT") with CONF/tls.crt and
 * CONF/tls.key. @return 0, -EINVAL (not such an address, or a bad certificate), -ENOENT (no certificate) or -errno
 */
int listen_tcp(struct core *core, const char *api, struct http_server **out) MUST_CHECK;
/** Read "https://ADDRESS:PORT". @return 0 or -EINVAL */
int listen_parse(const char *api, struct addr *address, uint16_t *port) MUST_CHECK;

/** Whether this host has the address of @p api: the API is bound before it comes. */
bool listen_host_has(const char *api);

#endif
