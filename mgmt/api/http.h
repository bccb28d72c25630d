/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * HTTP requests and replies as values, and the servers that carry them.
 *
 * Each connection has a thread of its own (libmicrohttpd), at most HTTP_CLIENTS_MAX a server. What
 * a handler needs of the process it reaches through struct core, under its lock.
 */
#ifndef WEIR_MGMT_API_HTTP_H
#define WEIR_MGMT_API_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mgmt/store/store.h"

#define HTTP_BODY_MAX    ((size_t)32 << 20)
#define HTTP_CLIENTS_MAX 128u /* of which each peer keeps one */
#define HTTP_PARTS_MAX   4u
#define HTTP_QUERY_MAX   8u
#define HTTP_TEXT_MAX    256u

struct core;

/** What a principal may do; of VIEWER to ADMIN each may what those before it may. */
enum http_role {
	HTTP_NOBODY,
	HTTP_METRICS, /**< the metrics alone */
	HTTP_PEER,    /**< the peers' requests alone */
	HTTP_VIEWER,
	HTTP_ONCALL,
	HTTP_OPERATOR,
	HTTP_ADMIN,
};

struct http_pair {
	char name[32], value[HTTP_TEXT_MAX];
};

/** A request, read whole. */
struct http_request {
	char method[8], path[HTTP_TEXT_MAX];
	struct http_pair query[HTTP_QUERY_MAX];
	size_t n_query;
	char if_match[HTTP_TEXT_MAX], if_none_match[HTTP_TEXT_MAX], key[HTTP_TEXT_MAX];
	const char *body; /**< NUL-terminated; "" for none */
	size_t n_body;
	bool body_is_json; /**< its Content-Type says so */
	enum http_role role;
	char principal[64]; /**< who it is: a user's or a token's name */
	char identity
	        [PRINCIPAL_MAX]; /**< the same with how that is known: "user:root", "token:ada" */
	struct store_request request; /**< of its Idempotency-Key: mgmt/api/idempotent.h */
	/* filled by the dispatcher */
	json_t *json;                              /**< the body; NULL for none */
	char parts[HTTP_PARTS_MAX][HTTP_TEXT_MAX]; /**< what stood for {} in the route */
};

/** A reply, zeroed at the start. */
struct http_reply {
	unsigned status;
	json_t *json;     /**< given; or else */
	char *text;       /**< given, from malloc() */
	const char *type; /**< of a text */
	char etag[HTTP_TEXT_MAX];
	char challenge[64]; /**< WWW-Authenticate */
	char allow[64];     /**< Allow */
	bool replayed;
};

/** The value of query parameter @p name, or NULL. */
const char *http_query(const struct http_request *r, const char *name);
/** Make @p reply a problem (RFC 9457): "code" gives type and title. */
void http_problem(struct http_reply *reply, unsigned status, const char *code, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
/** The text of a reply's body, from malloc(), given. @return NULL when out of memory */
char *http_reply_text(const struct http_reply *reply);
void http_reply_fini(struct http_reply *reply);

struct http_server;

/** Answers a request; @p request->json and parts are the callee's to fill and to free. */
typedef void http_handler(struct core *core, struct http_request *request,
                          struct http_reply *reply);
/** Finds out who asks: sets role and principal. @p fd is the connection's socket. */
typedef void http_authenticator(struct core *core, int fd, const char *authorization,
                                struct http_request *request);

struct http_options {
	int listen_fd;          /**< taken */
	const char *cert, *key; /**< PEM; NULL: no TLS */
	struct core *core;
	http_handler *handler;
	http_authenticator *authenticator;
};

/** Serve. @return 0, -EINVAL (certificate or key) or -EIO */
int http_serve(const struct http_options *options, struct http_server **out);
/** Stop: ends when all requests are answered. NULL is fine. */
void http_stop(struct http_server *s);

#endif
