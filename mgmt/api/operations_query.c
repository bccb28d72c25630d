/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request does all: it carries the records and the overrides that the peer lacked at its last
 * answer, and the answer says what the peer has now. So a record is sent until it arrives, and to nobody
 * twice. What the peer has newer is fetched, a few records at a time: nodes that were away catch up.
 *
 * An answer is a peer's: it is read field by field, and what is malformed is as if it were not there.
 */
#include "mgmt/api/operations_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/api/auth.h"
#include "mgmt/api/to_json.h"
#include "mgmt/operations/record_json.h"
#include "mgmt/store/step.h"
#include "mgmt/store/records.h"

#define FETCH_MAX        4u        /* records fetched from one peer in a round */
#define FETCHES_MAX      PEERS_MAX /* and from all */
#define FETCH_TIMEOUT_MS (OPERATIONS_TIMEOUT_MS / 2)

/* A peer while it is asked. */
struct queried_peer {
	char node[MODEL_NAME_MAX], api[256];
	char *body;
	char fetch[FETCH_MAX][MODEL_ID_MAX]; /* records that it has newer */
	size_t n_fetch;
};

struct asking {
	struct core *core;
	char cluster[MODEL_NAME_MAX];
	struct queried_peer peers[PEERS_MAX];
	size_t n;
	uint64_t sent_ms;
	bool measure;
};

/* --- what a peer has --- */

/* Whether (epoch, owner, seq) comes after the other: the order of operation_is_newer(). */
static bool is_after(json_int_t epoch, const char *owner, json_int_t seq, const json_t *other)
{
	json_int_t other_epoch = json_integer_value(json_array_get(other, 0));
	json_int_t other_seq = json_integer_value(json_array_get(other, 1));
	const char *other_owner = json_string_value(json_array_get(other, 2));

	if (!other_owner || epoch != other_epoch)
		return !other_owner || epoch > other_epoch;
	int order = strcmp(owner, other_owner);
	return order < 0 || (order == 0 && seq > other_seq);
}

static bool peer_lacks_record(const struct operations_said *said, const struct operation *op)
{
	const json_t *has = said && said->have ? json_object_get(said->have, op->id) : NULL;

	return said && said->have &&
	       is_after((json_int_t)op->epoch, op->owner, (json_int_t)op->seq, has);
}

static bool peer_lacks_override(const struct operations_said *said, const struct override *o)
{
	for (size_t i = 0; said && i < json_array_size(said->levels); i++) {
		const json_t *row = json_array_get(said->levels, i);
		const char *id = json_string_value(json_object_get(row, "override"));

		if (id && !strcmp(id, o->id))
			return json_integer_value(json_object_get(row, "generation")) <
			       (json_int_t)o->generation;
	}
	return said && said->levels;
}

const struct operations_said *operations_said_of(const struct core *core, const char *node)
{
	const struct operations *o = core->operations;

	for (size_t i = 0; o && i < o->n_said; i++)
		if (!strcmp(o->said[i].node, node))
			return &o->said[i];
	return NULL;
}

/* --- the question --- */

static json_t *lacked_records(struct core *core, const struct operations_said *said)
{
	const struct operations *o = core->operations;
	json_t *list = json_array();

	for (size_t i = 0; i < o->n && json_array_size(list) < OPERATIONS_SEND_MAX; i++)
		if (peer_lacks_record(said, &o->items[i]->op))
			json_array_append_new(list, operation_to_json(&o->items[i]->op));
	return list;
}

/* Steps alone: all other overrides go the usual way (mgmt/api/peers.h). */
static json_t *lacked_overrides(struct core *core, const struct operations_said *said)
{
	const struct overrides *all = intent_overrides(core->intent);
	json_t *list = json_array();

	for (size_t i = 0; i < all->n_items && json_array_size(list) < 64; i++)
		if (override_epoch(all->items[i].generation) &&
		    peer_lacks_override(said, &all->items[i]))
			json_array_append_new(list,
			                      record_to_json(&override_record, &all->items[i]));
	return list;
}

/* Under the lock. @return the body from malloc(), or NULL when out of memory */
static char *make_body(struct core *core, const struct asking *a, const char *node)
{
	const struct operations_said *said = operations_said_of(core, node);
	json_t *body =
	        json_pack("{s:s, s:s, s:b, s:o, s:o}", "node", core->dirs.node, "cluster",
	                  a->cluster, "measure", a->measure, "records", lacked_records(core, said),
	                  "overrides", lacked_overrides(core, said));
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	json_decref(body);
	return text;
}

/* All other nodes of the document that have an API. Under the lock. */
static void list_queried_peers(struct asking *a)
{
	const struct model *m = intent_model(a->core->intent);

	if (m)
		snprintf(a->cluster, sizeof(a->cluster), "%s", m->cluster);
	for (size_t i = 0; m && i < m->n_nodes && a->n < PEERS_MAX; i++) {
		const struct model_node *node = &m->nodes[i];
		struct queried_peer *p = &a->peers[a->n];

		if (!strcmp(node->name, a->core->dirs.node) || !*node->api ||
		    strlen(node->api) >= sizeof(p->api))
			continue;
		*p = (struct queried_peer){ .n_fetch = 0 };
		snprintf(p->node, sizeof(p->node), "%s", node->name);
		snprintf(p->api, sizeof(p->api), "%s", node->api);
		p->body = make_body(a->core, a, p->node);
		a->n++;
	}
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
	json_decref(o->said[at].have);
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

/* Note which records the peer has newer. Under the lock. */
static void list_newer(struct core *core, struct queried_peer *p, json_t *have)
{
	const char *id;
	json_t *has;

	json_object_foreach(have, id, has)
	{
		const struct operations_item *item = operations_find(core, id);
		const char *owner = json_string_value(json_array_get(has, 2));
		json_t *own = item ? json_pack("[I, I, s]", (json_int_t)item->op.epoch,
		                               (json_int_t)item->op.seq, item->op.owner)
		                   : NULL;

		if (owner && p->n_fetch < FETCH_MAX && strlen(id) < MODEL_ID_MAX &&
		    is_after(json_integer_value(json_array_get(has, 0)), owner,
		             json_integer_value(json_array_get(has, 1)), own))
			snprintf(p->fetch[p->n_fetch++], MODEL_ID_MAX, "%s", id);
		json_decref(own);
	}
}

/*
 * A peer of a former release has no such resource: it is there, but cannot take part. One that refuses
 * says nothing of operations, and so is not reached.
 */
static void note_silence(struct operations_said *row, const struct client_request *r)
{
	row->refuses = r->status == 410;
	row->lacks = r->status == 404 || r->status == 405;
	if (!row->lacks)
		return;
	row->heard_ms = clock_mono_ms();
	row->boot_ms = 0;
}

/* A number that is none is not known: 0. */
static uint64_t read_boot_clock(const json_t *answer)
{
	json_int_t ms = json_integer_value(json_object_get(answer, "boot_ms"));

	return ms > 0 && ms < CLOCK_END_MS ? (uint64_t)ms : 0;
}

static bool has_text(const json_t *answer, const char *field, const char *expected)
{
	const char *text = json_string_value(json_object_get(answer, field));

	return text && !strcmp(text, expected);
}

/* Keep what a peer answered. Under the lock. */
static void accept_answer(struct asking *a, struct queried_peer *p, const struct client_request *r)
{
	struct operations_said *row = said_row(a->core, p->node);
	json_t *measure = json_object_get(r->answer, "measure");

	if (!row)
		return;
	if (!r->answer || !has_text(r->answer, "node", p->node) ||
	    !has_text(r->answer, "cluster", a->cluster)) {
		note_silence(row, r);
		return;
	}
	row->heard_ms = clock_mono_ms();
	row->boot_ms = read_boot_clock(r->answer);
	row->lacks = row->refuses = false;
	keep_part(&row->have, json_object_get(r->answer, "have"));
	keep_part(&row->levels, json_object_get(r->answer, "levels"));
	row->dns = json_is_true(json_object_get(r->answer, "dns"));
	if (json_is_object(measure)) {
		keep_part(&row->measure, measure);
		row->measured_ms = a->sent_ms;
	}
	list_newer(a->core, p, row->have);
}

/* --- records that peers have newer --- */

static bool is_safe_id(const char *id)
{
	return *id && id[strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                            "0123456789._:-")] == '\0';
}

/* Keep a record that a peer sent, if it is the one that was asked for. */
static void accept_record(struct core *core, const char *id, const json_t *answer)
{
	struct operation *op = calloc(1, sizeof(*op));

	if (op && answer && !operation_from_json(answer, op) && !strcmp(op->id, id)) {
		core_lock(core);
		int err = operations_receive(core, op);
		core_unlock(core);
		if (err < 0)
			log_warn("operation-not-kept", "id=%s error=\"%s\"", id, strerror(-err));
	}
	free(op);
}

/*
 * All at once and within FETCH_TIMEOUT_MS, so that a peer that stalls does not make old what the others
 * said. The first of each peer goes first: none keeps another from its turn.
 */
static void fetch_records(struct asking *a, struct peer_client *client)
{
	struct client_request *requests = calloc(FETCHES_MAX, sizeof(*requests));
	const char *ids[FETCHES_MAX];
	size_t n = 0;

	for (size_t k = 0; requests && k < FETCH_MAX; k++)
		for (size_t i = 0; i < a->n && n < FETCHES_MAX; i++) {
			const struct queried_peer *p = &a->peers[i];

			if (k >= p->n_fetch || !is_safe_id(p->fetch[k]))
				continue;
			requests[n].timeout_ms = FETCH_TIMEOUT_MS;
			requests[n].answer_max = OPERATIONS_ANSWER_MAX;
			snprintf(requests[n].url, sizeof(requests[n].url),
			         "%s/v1/peer/operations/%s", p->api, p->fetch[k]);
			ids[n++] = p->fetch[k];
		}
	if (n)
		client_send(client, requests, n);
	for (size_t i = 0; i < n; i++) {
		accept_record(a->core, ids[i], requests[i].answer);
		json_decref(requests[i].answer);
	}
	core_lock(a->core);
	operations_store_unstored(a->core);
	core_unlock(a->core);
	free(requests);
}

void operations_query(struct core *core, struct peer_client *client, bool measure)
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
	core_lock(core);
	list_queried_peers(a);
	core_unlock(core);
	for (size_t i = 0; i < a->n; i++) {
		requests[i] = (struct client_request){ .post = 1,
			                               .body = a->peers[i].body,
			                               .timeout_ms = OPERATIONS_TIMEOUT_MS,
			                               .answer_max = OPERATIONS_ANSWER_MAX };
		snprintf(requests[i].url, sizeof(requests[i].url), "%s/v1/peer/operations",
		         a->peers[i].api);
	}
	a->sent_ms = clock_mono_ms();
	client_send(client, requests, a->n);
	core_lock(core);
	for (size_t i = 0; i < a->n; i++)
		accept_answer(a, &a->peers[i], &requests[i]);
	core_unlock(core);
	for (size_t i = 0; i < a->n; i++) {
		json_decref(requests[i].answer);
		free(a->peers[i].body);
	}
	fetch_records(a, client);
	free(requests);
	free(a);
}
