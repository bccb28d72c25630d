/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One question to all: which levels are in force at a node, and what it measures. An answer is a
 * peer's: it is read field by field, and what is malformed is as if it were not there.
 */
#include "mgmt/api/operations_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/auth.h"
#include "mgmt/api/to_json.h"
#include "mgmt/store/shared_intent.h"
#include "weir/json.h"

struct asking {
	struct core *core;
	struct intent_shared *shared;
	const struct model *m;
	const struct model_node *nodes[PEERS_MAX];
	size_t n;
	char *body; /* the same for all */
	uint64_t sent_ms;
	bool measure;
	const char *announced_at;
};

/* --- what a peer has --- */

const struct operations_said *operations_said_of(const struct core *core, const char *node)
{
	const struct operations *o = core->operations;

	for (size_t i = 0; o && i < o->n_said; i++)
		if (!strcmp(o->said[i].node, node))
			return &o->said[i];
	return NULL;
}

/* --- the question --- */

/* Under the lock. @return the body from malloc(), or NULL when out of memory */
static char *make_body(struct core *core, const struct asking *a)
{
	int64_t revision;
	json_t *body = json_pack("{s:s, s:s, s:b}", "node", core->dirs.node, "cluster",
	                         a->m ? a->m->cluster : "", "measure", a->measure);
	bool shares = core->shared && !shared_intent_revision(core->intent, &revision);

	if (a->announced_at)
		json_object_set_new(body, "announced_at", json_string(a->announced_at));
	if (shares)
		json_object_set_new(body, "revision", json_integer(revision));
	return json_line(body);
}

/* All other nodes of the document that have an API. Under the lock. */
static void list_queried_peers(struct asking *a)
{
	a->shared = intent_share(a->core->intent);
	a->m = intent_shared_model(a->shared);
	for (size_t i = 0; a->m && i < a->m->n_nodes && a->n < PEERS_MAX; i++) {
		const struct model_node *node = &a->m->nodes[i];

		if (strcmp(node->name, a->core->dirs.node) != 0 && *node->api)
			a->nodes[a->n++] = node;
	}
	a->body = make_body(a->core, a);
}

/* --- the answer --- */

/* The row of a peer, made where there is none; a peer that left the document gives its row. */
static struct operations_said *said_row(struct core *core, const char *node)
{
	struct operations *o = core->operations;
	const struct model *m = intent_model(core->intent);
	size_t at = 0;

	while (at < o->n_said && strcmp(o->said[at].node, node) != 0)
		at++;
	if (at < o->n_said)
		return &o->said[at];
	for (at = 0; at < o->n_said; at++)
		if (!m || !model_node(m, o->said[at].node))
			break;
	if (at == o->n_said && o->n_said == PEERS_MAX)
		return NULL;
	o->n_said += at == o->n_said;
	json_decref(o->said[at].levels);
	json_decref(o->said[at].measure);
	o->said[at] = (struct operations_said){ .heard_ms = 0 };
	snprintf(o->said[at].node, sizeof(o->said[at].node), "%s", node);
	return &o->said[at];
}

static void keep_part(json_t **part, json_t *value)
{
	json_decref(*part);
	*part = json_incref(value);
}

/* A number that is none is not known: 0. */
static uint64_t read_boot_clock(const json_t *answer)
{
	json_int_t ms = json_integer_value(json_object_get(answer, "boot_ms"));

	return ms > 0 && ms < CLOCK_END_MS ? (uint64_t)ms : 0;
}

/* Keep what a peer answered. Under the lock. */
static void accept_answer(struct asking *a, const struct model_node *node,
                          const struct client_request *r)
{
	struct operations_said *row = said_row(a->core, node->name);
	json_t *measure = json_object_get(r->answer, "measure");

	if (!row)
		return;
	if (!r->answer || !json_has_text(r->answer, "node", node->name) ||
	    !json_has_text(r->answer, "cluster", a->m->cluster)) {
		/* one that refuses says nothing of operations, and so is not reached */
		row->refuses = r->status == 410;
		return;
	}
	row->heard_ms = clock_mono_ms();
	row->boot_ms = read_boot_clock(r->answer);
	row->refuses = false;
	keep_part(&row->levels, json_object_get(r->answer, "levels"));
	row->dns = json_has_true(r->answer, "dns");
	if (json_is_object(measure)) {
		keep_part(&row->measure, measure);
		row->measured_ms = a->sent_ms;
	}
}

void operations_query(struct core *core, struct peer_client *client, bool measure,
                      const char *announced_at)
{
	struct asking *a = calloc(1, sizeof(*a));
	struct client_request *requests = calloc(PEERS_MAX, sizeof(*requests));

	auth_peer_token(core->dirs.conf, client->token);
	if (!a || !requests || !client->token[0]) {
		free(requests);
		free(a);
		return;
	}
	a->core = core;
	a->measure = measure;
	a->announced_at = announced_at;
	core_lock(core);
	list_queried_peers(a);
	core_unlock(core);
	for (size_t i = 0; i < a->n; i++) {
		requests[i] = (struct client_request){ .post = 1,
			                               .body = a->body,
			                               .timeout_ms = OPERATIONS_TIMEOUT_MS,
			                               .answer_max = OPERATIONS_ANSWER_MAX };
		snprintf(requests[i].url, sizeof(requests[i].url), "%s/v1/peer/operations",
		         a->nodes[i]->api);
	}
	a->sent_ms = clock_mono_ms();
	client_send(client, requests, a->n);
	core_lock(core);
	for (size_t i = 0; i < a->n; i++)
		accept_answer(a, a->nodes[i], &requests[i]);
	core_unlock(core);
	for (size_t i = 0; i < a->n; i++)
		json_decref(requests[i].answer);
	intent_unshare(a->shared);
	free(a->body);
	free(requests);
	free(a);
}
