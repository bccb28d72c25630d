/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request is that of the exchange between nodes that announce (POST /v1/peer/announcements),
 * without a question and without a state that is known here, so that the answer has all addresses.
 * An answer whose announce page is old says nothing.
 */
#include "mgmt/api/guard_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "mgmt/api/auth.h"
#include "mgmt/api/client.h"
#include "mgmt/api/peers.h"

#define LATE_MS    2000              /* a page without a sign of life for so long says nothing */
#define ANSWER_MAX ((size_t)1 << 20) /* bytes: 4,096 addresses */

/* All that is asked at a time. */
struct guard_round {
	struct intent_shared *shared;
	const struct model *m;
	struct peer_client client;
	const struct model_node *nodes[PEERS_MAX];
	struct client_request requests[PEERS_MAX];
	size_t n;
};

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool has_text(const json_t *object, const char *name, const char *expected)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && !strcmp(text, expected);
}

/* Whether the node is sure of what it says of @p vip. @p all: it announces each address of it */
static bool is_sure(const json_t *addresses, const struct model_vip *vip, bool *all)
{
	char text[ADDR_TEXT_MAX];

	*all = vip->n_addresses > 0;
	for (size_t i = 0; i < vip->n_addresses; i++) {
		const json_t *word =
		        json_object_get(addresses, addr_text(&vip->addresses[i], text));

		if (word && (!json_is_string(word) || strcmp(json_string_value(word), "announced")))
			return false;
		*all &= word != NULL;
	}
	return true;
}

/* @return whether the answer says what @p node announces; @p out is given then */
static bool read_said(const struct model *m, const struct model_node *node, const json_t *answer,
                      struct guard_said *out)
{
	const json_t *age = json_object_get(answer, "age_ms");
	const json_t *addresses = json_object_get(answer, "addresses");
	uint64_t *vips;
	size_t n = 0;

	if (!has_text(answer, "node", node->name) || !has_text(answer, "cluster", m->cluster) ||
	    !json_is_integer(age) || json_integer_value(age) < 0 ||
	    json_integer_value(age) > LATE_MS || !json_is_object(addresses))
		return false;
	vips = calloc(m->n_vips + 1, sizeof(*vips));
	if (!vips)
		return false;
	for (size_t i = 0; i < m->n_vips; i++) {
		bool all;

		if (!model_node_announces(node, &m->vips[i]))
			continue;
		if (!is_sure(addresses, &m->vips[i], &all)) {
			free(vips);
			return false;
		}
		if (all)
			vips[n++] = hash_text(m->vips[i].name);
	}
	if (n)
		qsort(vips, n, sizeof(*vips), by_number);
	*out = (struct guard_said){ .vips = vips, .n_vips = n };
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
		r->requests[i] = (struct client_request){ .post = 1,
			                                  .body = body,
			                                  .timeout_ms = GUARD_QUERY_TIMEOUT_MS,
			                                  .answer_max = ANSWER_MAX };
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
		free(list[i].vips);
}
