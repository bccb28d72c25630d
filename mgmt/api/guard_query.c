/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request is that of the exchange between nodes that announce (POST /v1/peer/announcements),
 * without a question and without a state that is known here, so that the answer has all addresses.
 * An answer whose announce page is old says nothing.
 */
#include "mgmt/api/guard_query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "mgmt/api/announce_exchange.h"
#include "mgmt/api/announce_reply.h"
#include "mgmt/api/auth.h"
#include "mgmt/api/client.h"
#include "mgmt/api/peers.h"

/* All that is asked at a time. */
struct guard_round {
	struct intent_shared *shared;
	const struct model *m;
	struct peer_client client;
	const struct model_node *nodes[PEERS_MAX];
	struct client_request requests[PEERS_MAX];
	size_t n;
};

int guard_said_make(struct guard_said *out, size_t n)
{
	*out = (struct guard_said){ .vips = calloc(n + 1, sizeof(*out->vips)),
		                    .unsure = calloc(n + 1, sizeof(*out->unsure)) };
	if (out->vips && out->unsure)
		return 0;
	guard_said_free(out);
	return -ENOMEM;
}

void guard_said_add(struct guard_said *s, uint64_t key, enum guard_announced said)
{
	if (said == GUARD_ANNOUNCED)
		s->vips[s->n_vips++] = key;
	else if (said == GUARD_ANNOUNCED_UNKNOWN)
		s->unsure[s->n_unsure++] = key;
}

void guard_said_end(struct guard_said *s)
{
	guard_sort_keys(s->vips, s->n_vips);
	guard_sort_keys(s->unsure, s->n_unsure);
}

void guard_said_free(struct guard_said *s)
{
	free(s->vips);
	free(s->unsure);
	*s = (struct guard_said){ .n_vips = 0 };
}

/* A VIP is announced with all its addresses: the least that is said of one of them. */
static enum guard_announced read_vip(const json_t *addresses, const struct model_vip *vip)
{
	enum guard_announced least = vip->n_addresses ? GUARD_ANNOUNCED : GUARD_NOT_ANNOUNCED;

	for (size_t i = 0; i < vip->n_addresses; i++) {
		enum guard_announced one = announce_reply_of(addresses, &vip->addresses[i]);

		least = one < least ? one : least;
	}
	return least;
}

/* @return whether the answer says what @p node announces; @p out is given then */
static bool read_said(const struct model *m, const struct model_node *node, const json_t *json,
                      struct guard_said *out)
{
	const struct model_announce *it = &node->announce;
	struct announce_reply a;
	const char *reason;

	if (announce_reply_read(json, node->name, m->cluster, "", 0, &a, &reason) || !a.has_age ||
	    a.age_ms > ANNOUNCE_EXCHANGE_GOOD_MS || guard_said_make(out, m->n_vips + it->n_dns))
		return false;
	for (size_t i = 0; i < m->n_vips; i++)
		if (model_node_announces(node, &m->vips[i]))
			guard_said_add(out, hash_text(m->vips[i].name),
			               read_vip(a.addresses, &m->vips[i]));
	for (size_t i = 0; i < it->n_dns; i++)
		guard_said_add(out, guard_dns_key(&it->dns[i]),
		               announce_reply_of(a.addresses, &it->dns[i]));
	guard_said_end(out);
	snprintf(out->node, sizeof(out->node), "%s", node->name);
	return true;
}

static void list_nodes(struct guard_round *r)
{
	const struct model *m = r->m;

	for (size_t i = 0; i < m->n_nodes && r->n < PEERS_MAX; i++) {
		const struct model_node *node = &m->nodes[i];

		if (node != m->self && *node->api && node->announce.daemon != MODEL_DAEMON_NONE)
			r->nodes[r->n++] = node;
	}
}

static void send_requests(struct core *core, struct guard_round *r, const char *body)
{
	client_open(&r->client, core->dirs.conf);
	auth_peer_token(core->dirs.conf, r->client.token);
	for (size_t i = 0; i < r->n; i++) {
		r->requests[i] =
		        (struct client_request){ .post = 1,
			                         .body = body,
			                         .timeout_ms = GUARD_QUERY_TIMEOUT_MS,
			                         .answer_max = ANNOUNCE_EXCHANGE_ANSWER_MAX };
		snprintf(r->requests[i].url, CLIENT_URL_MAX, "%s/v1/peer/announcements",
		         r->nodes[i]->api);
	}
	if (*r->client.token)
		client_send(&r->client, r->requests, r->n);
	client_close(&r->client);
}

static char *make_body(const struct core *core, const struct model *m)
{
	json_t *body =
	        json_pack("{s:s, s:s, s:s, s:s, s:[]}", "node", core->dirs.node, "cluster",
	                  m->cluster, "known", "", "incarnation", "0000000000000000", "questions");
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	json_decref(body);
	return text;
}

size_t guard_query(struct core *core, struct guard_said *out, size_t max)
{
	struct guard_round *r = calloc(1, sizeof(*r));
	char *body = NULL;
	size_t n = 0;

	if (!r)
		return 0;
	core_lock(core);
	r->shared = intent_share(core->intent);
	core_unlock(core);
	r->m = intent_shared_model(r->shared);
	if (r->m && r->m->self) {
		list_nodes(r);
		body = r->n ? make_body(core, r->m) : NULL;
	}
	if (body)
		send_requests(core, r, body);
	for (size_t i = 0; i < r->n; i++) {
		if (n < max && r->requests[i].answer &&
		    read_said(r->m, r->nodes[i], r->requests[i].answer, &out[n]))
			n++;
		json_decref(r->requests[i].answer);
	}
	free(body);
	intent_unshare(r->shared);
	free(r);
	return n;
}

void guard_query_free(struct guard_said *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		guard_said_free(&list[i]);
}
