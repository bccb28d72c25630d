/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The token is read for each query, so that a new file needs no restart. Which node an answer is of is looked at
 * before anybody sees it: addresses may have been exchanged, and another cluster may have the same token.
 */
#include "mgmt/peers/peer_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/core/auth.h"
#include "mgmt/peers/peers.h"
#include "mgmt/store/bootstrap.h"
#include "weir/json.h"

char *peer_query_text(const struct core *core, const char *cluster, const char *query, json_t *more)
{
	json_t *body = more ? more : json_object();

	json_object_set_new(body, "node", json_string(core->dirs.node));
	json_object_set_new(body, "cluster", json_string(cluster));
	json_object_set_new(body, "query", json_string(query));
	return json_line(body);
}

bool peer_query_add(struct peer_query *q, const struct model_node *node, char *body, void *arg)
{
	bool is_peer = strcmp(node->name, q->core->dirs.node) != 0 && *node->api &&
	               strlen(node->api) < sizeof(q->nodes->api);

	if (is_peer && !q->nodes)
		q->nodes = calloc(PEERS_MAX, sizeof(*q->nodes));
	if (is_peer && !q->requests)
		q->requests = calloc(PEERS_MAX, sizeof(*q->requests));
	q->is_short |= is_peer && (!q->nodes || !q->requests);
	if (!is_peer || q->is_short || q->n == PEERS_MAX) {
		free(body);
		return false;
	}
	struct peer_node *to = &q->nodes[q->n];

	to->arg = arg;
	snprintf(to->name, sizeof(to->name), "%s", node->name);
	strcpy(to->api, node->api);
	q->requests[q->n++].body = body;
	return true;
}

static void on_query_answer(struct client_request *r)
{
	struct peer_query *q = r->arg;
	size_t i = (size_t)(r - q->requests);

	if (*q->cluster && r->answer &&
	    (!json_has_text(r->answer, "node", q->nodes[i].name) ||
	     !json_has_text(r->answer, "cluster", q->cluster))) {
		json_decref(r->answer);
		r->answer = NULL;
		snprintf(r->failure, sizeof(r->failure),
		         "the answer is from another node or cluster");
	}
	if (q->done)
		q->done(q, i);
}

/* The text of a query to nodes of this cluster, from malloc(); NULL: out of memory. @p more is taken. */
static char *make_text(struct core *core, const char *query, json_t *more)
{
	core_lock(core);
	const struct model *m = join_model(core->intent);
	char *text = peer_query_text(core, m ? m->cluster : "", query, more);
	core_unlock(core);
	return text;
}

bool peer_query_send(struct peer_query *q)
{
	if (q->query && q->n) {
		q->text = make_text(q->core, q->query, q->more);
		q->more = NULL;
		q->n = q->text ? q->n : 0; /* nobody is asked */
		q->is_short |= !q->text;
	}
	for (size_t i = 0; i < q->n; i++) {
		struct client_request *r = &q->requests[i];

		r->body = r->body ? r->body : q->text;
		r->post = r->body != NULL;
		r->timeout_ms = q->timeout_ms;
		r->answer_max = q->answer_max;
		r->done = on_query_answer;
		r->arg = q;
		snprintf(r->url, sizeof(r->url), "%s%s", q->nodes[i].api,
		         q->path ? q->path : PEER_EXCHANGE);
	}
	return !q->n || peer_query_run(q->core, q->client, q->requests, q->n);
}

void peer_query_end(struct peer_query *q)
{
	for (size_t i = 0; i < q->n; i++) {
		json_decref(q->requests[i].answer);
		if (q->requests[i].body != q->text)
			free((char *)(uintptr_t)q->requests[i].body);
	}
	json_decref(q->more);
	free(q->text);
	free(q->requests);
	free(q->nodes);
	q->more = NULL;
	q->text = NULL;
	q->requests = NULL;
	q->nodes = NULL;
	q->n = 0;
}

bool peer_query_run(const struct core *core, struct peer_client *client,
                    struct client_request *requests, size_t n)
{
	struct peer_client own = { .multi = NULL }, *c = client ? client : &own;

	if (!*c->conf)
		client_open(c, core->dirs.conf);
	(void)auth_peer_token(core->dirs.conf, c->token); /* in a shortage the last one stays */
	bool has_token = c->token[0] != '\0';

	if (has_token)
		client_send(c, requests, n);
	else
		for (size_t i = 0; i < n; i++)
			strcpy(requests[i].failure, "there is no usable peer.token on this node");
	client_close(&own);
	return has_token;
}

void peer_query_one(struct core *core, struct peer_client *client, const char *api,
                    const char *query, json_t *more, struct client_request *r)
{
	char *body = make_text(core, query, more);

	r->post = 1;
	r->body = body;
	snprintf(r->url, sizeof(r->url), "%.255s" PEER_EXCHANGE, api);
	if (body)
		(void)peer_query_run(core, client, r, 1);
	else
		strcpy(r->failure, "out of memory");
	r->body = NULL;
	free(body);
}
