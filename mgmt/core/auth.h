/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Who asks: peer credentials on the UNIX socket, bearer tokens and certificates of clients over TCP.
 *
 * Tokens stand hashed in CONF/tokens, one a line (mgmt/store/tokens.h); the file is read for each request. The
 * token in CONF/peer.token, which all nodes share, has the role of a peer.
 *
 * Implemented in mgmt/core/auth.c. The authenticators are called by the thread of their server;
 * auth_peer_token() by any thread. Nothing here needs the core's lock.
 */
#ifndef WEIR_MGMT_CORE_AUTH_H
#define WEIR_MGMT_CORE_AUTH_H

#include <stdbool.h>

#include "base/checked.h"
#include "mgmt/http/http.h"
#include "mgmt/store/tokens.h"

/** http_authenticator for the UNIX socket. */
void auth_local(struct core *core, int fd, const char *authorization, struct http_request *request);
/**
 * http_authenticator for TCP. The end of a token, and of a certificate, is judged by the believed time, prefixes by the
 * connection's other end. A request that has a token is of that, whatever certificate its connection has.
 */
void auth_token(struct core *core, int fd, const char *authorization, struct http_request *request);
/**
 * Find the line of @p token in the text of a tokens file, @p n bytes; of a request without one ("") that of @p client, else
 * the one of requests without either. Mistaken lines give nothing. Whether the entry has ended, or is for other addresses, is
 * not judged.
 */
bool auth_find(const char *tokens, size_t n, const char *token,
               const struct http_tls_client *client, struct tokens_entry *out) MUST_CHECK;
/**
 * Read the shared token of peers; @p out is "" when there is none that can be used.
 * @return 0, or -errno: it cannot be read for a shortage that may be over in a moment
 */
int auth_peer_token(const char *conf_dir, char out[HTTP_TEXT_MAX]);

#endif
