/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Asking other nodes: one request to each of some, all at once, with the peers' token. Nobody but the exchange
 * (mgmt/peers/exchange.h), which never waits, asks nodes in another way.
 *
 * Implemented in mgmt/peers/peer_query.c. Any thread, and never under the core's lock, peer_query_add() apart.
 */
#ifndef WEIR_MGMT_PEERS_PEER_QUERY_H
#define WEIR_MGMT_PEERS_PEER_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "mgmt/core/core.h"
#include "mgmt/http/client.h"

/** A node that is asked. */
struct peer_node {
	char name[MODEL_NAME_MAX], api[256];
	void *arg; /**< the caller's */
};

/** A query, zeroed but for what the caller sets; peer_query_end() frees what is in it. */
struct peer_query {
	struct core *core;
	/** keeps connections for the next query, zeroed before the first, closed by the caller; NULL: they are not kept */
	struct peer_client *client;
	const char *path; /**< behind the address of a node; NULL: of the exchange */
	/** what those are asked that have no body of their own, with what @c more says (owned); NULL: they get a GET */
	const char *query;
	json_t *more;
	int timeout_ms;
	size_t answer_max; /**< bytes; 0: CLIENT_ANSWER_MAX */
	/** where it is not "": an answer counts only if it names the node that was asked and this cluster */
	char cluster[MODEL_NAME_MAX];
	/** called for number @p i when it has ended, while others may be under way; NULL: all are waited for */
	void (*done)(struct peer_query *q, size_t i);
	bool is_short;                   /**< for want of memory nobody is asked */
	char *text;                      /**< of the query */
	size_t n;                        /**< nodes that are asked: */
	struct peer_node *nodes;         /**< [n] */
	struct client_request *requests; /**< [n], each with its answer or the failure */
};

#define PEER_EXCHANGE "/v1/peer/exchange"

/**
 * A question about another thing than words, or an order: @p query (mgmt/api/handle_exchange.c), with what @p more says (taken;
 * NULL: nothing). From malloc(); NULL: out of memory.
 */
char *peer_query_text(const struct core *core, const char *cluster, const char *query,
                      json_t *more);

/**
 * Ask the node at @p api alone, and wait. @p client as below, @p more as above; @p r has its times and bounds, and gets the
 * answer or the failure.
 */
void peer_query_one(struct core *core, struct peer_client *client, const char *api,
                    const char *query, json_t *more, struct client_request *r);

/**
 * Ask @p node, too, unless it is this one, or has no address. Under the lock, for the model.
 * @param body  of peer_query_text(), for this node alone, taken; NULL: that of all
 * @return whether it is asked
 */
bool peer_query_add(struct peer_query *q, const struct model_node *node, char *body, void *arg);
/** Send the requests, and wait for all. @return false: without a token all fail, and none is done() */
bool peer_query_send(struct peer_query *q);
void peer_query_end(struct peer_query *q);

/** Send @p n requests that have their URLs, and wait for all. @param client  as above @return as above */
bool peer_query_run(const struct core *core, struct peer_client *client,
                    struct client_request *requests, size_t n);

#endif
