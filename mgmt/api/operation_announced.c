/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What nodes announce, as their announce part knows it: for whoever asks what keeps a site from
 * being switched off. There may be thousands of addresses, so nobody is sent them each second.
 */
#include "mgmt/api/operation_measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/auth.h"
#include "mgmt/api/operations.h"
#include "mgmt/api/peers.h"
#include "mgmt/json/announcement.h"
#include "weir/json.h"
#include "weir/proof.h"

json_t *operation_announced_json(const struct core *core, const struct model *m)
{
	struct announcements a;
	char text[ADDR_TEXT_MAX];
	json_t *all = NULL;

	if (!announcements_apply(m))
		return NULL;
	if (!announcements_read(core->dirs.run, m, clock_mono_ms(), &a))
		all = json_object();
	for (size_t i = 0; all && i < a.n; i++)
		json_object_set_new(
		        all, addr_text(&a.items[i].address, text),
		        json_pack("{s:s, s:s}", "intended", announcement_intended(&a.items[i]),
		                  "exported",
		                  proof_fact_text((enum proof_fact)announcement_exported(
		                          &a, &a.items[i]))));
	announcements_fini(&a);
	return all;
}

/* The requests to peers, all at once. */
struct announced_round {
	const struct model_node *nodes[PEERS_MAX];
	struct client_request requests[PEERS_MAX];
	size_t n;
};

static void list_peers(struct announced_round *r, const struct core *core, const struct model *m,
                       const struct model_site *site)
{
	for (size_t i = 0; i < m->n_nodes && r->n < PEERS_MAX; i++) {
		const struct model_node *node = &m->nodes[i];

		if (node->site != site || node->announce.daemon == MODEL_DAEMON_NONE ||
		    !strcmp(node->name, core->dirs.node) || !*node->api ||
		    strlen(node->api) > CLIENT_URL_MAX - 32)
			continue;
		r->requests[r->n] = (struct client_request){ .timeout_ms = OPERATIONS_TIMEOUT_MS,
			                                     .answer_max = OPERATIONS_ANSWER_MAX };
		snprintf(r->requests[r->n].url, CLIENT_URL_MAX, "%s/v1/peer/measure", node->api);
		r->nodes[r->n++] = node;
	}
}

/* An answer is a peer's: it counts if it is that of the node in this cluster. */
static void accept_announced(const struct model *m, const struct model_node *node,
                             const json_t *answer, json_t *all)
{
	json_t *announced = json_object_get(answer, "announcements");

	if (json_has_text(answer, "node", node->name) &&
	    json_has_text(answer, "cluster", m->cluster) && json_is_object(announced))
		json_object_set(all, node->name, announced);
}

json_t *operation_announced_at(struct core *core, const struct model *m,
                               const struct model_site *site)
{
	struct announced_round *r = calloc(1, sizeof(*r));
	json_t *all = r ? json_object() : NULL, *own = NULL;

	if (!all) {
		free(r);
		return NULL;
	}
	if (m->self && m->self->site == site)
		own = operation_announced_json(core, m);
	if (own)
		json_object_set_new(all, m->self->name, own);
	list_peers(r, core, m, site);
	if (r->n)
		auth_query_peers(core, r->requests, r->n);
	for (size_t i = 0; i < r->n; i++) {
		accept_announced(m, r->nodes[i], r->requests[i].answer, all);
		json_decref(r->requests[i].answer);
	}
	free(r);
	return all;
}
