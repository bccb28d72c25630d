/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Asking peers over HTTP (libcurl): several at a time, each within a time, answers bounded.
 *
 * Implemented in mgmt/http/client.c. Any thread, each with a struct peer_client of its own, and
 * never under the core's lock.
 */
#ifndef WEIR_MGMT_HTTP_CLIENT_H
#define WEIR_MGMT_HTTP_CLIENT_H

#include <jansson.h>
#include <stddef.h>

#include "base/checked.h"
#include "base/loop.h"
#include "mgmt/http/http.h"

#define CLIENT_URL_MAX    512u               /**< bytes: an api address (255) and a path */
#define CLIENT_ANSWER_MAX ((size_t)64 << 20) /**< bytes: a version with all files that go as text */

#define CLIENT_CONNECT_MS 1000 /**< for a connection with its TLS, where nothing else is said */

struct transfer;

/** What all requests to peers have in common. */
struct peer_client {
	char token[HTTP_TEXT_MAX];
	/** CONF/tls.ca, or tls.crt, verifies peers: PEM, read for each connection */
	char conf[4096];
	void *multi; /**< keeps connections from one call to the next; NULL before the first */
	struct transfer *transfers; /**< requests under way */
};

struct client_request {
	char url[CLIENT_URL_MAX];
	int post;         /**< a POST instead of a GET */
	const char *body; /**< of a POST: JSON; NULL: an empty object */
	int timeout_ms;
	int connect_ms;    /**< of it, for a connection with its TLS; 0: CLIENT_CONNECT_MS */
	size_t answer_max; /**< bytes; 0: CLIENT_ANSWER_MAX */
	/** Called when this request has ended, while others may run; may be NULL. */
	void (*done)(struct client_request *r);
	void *arg;                   /**< the caller's */
	json_t *answer;              /**< the caller drops it; NULL on failure */
	long status;                 /**< of HTTP; 0: there was no answer */
	char failure[HTTP_TEXT_MAX]; /**< why there is no answer; "": there is one */
};

/** Find the file by which peers are verified: tls.ca, else tls.crt, below @p conf_dir. */
void client_open(struct peer_client *c, const char *conf_dir);
/** Requests under way end without an outcome. */
void client_close(struct peer_client *c);
/** Send @p n requests at once and wait for all. */
void client_send(struct peer_client *c, struct client_request *requests, size_t n);

/** Requests from an event loop: they begin at any time, and none waits for another. Called by the loop's thread alone. */
struct client_loop {
	struct peer_client *client;
	struct loop *loop;
	struct loop_timer timer;
};

/** Open @p client, as client_open(), and drive its requests from @p loop. @return 0 or -ENOMEM */
int client_loop_open(struct client_loop *l, struct peer_client *client, const char *conf_dir,
                     struct loop *loop) MUST_CHECK;
/** Begin @p r, which stays in place until its done() is called. */
void client_loop_begin(struct client_loop *l, struct client_request *r);

#endif
