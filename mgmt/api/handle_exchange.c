/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answering side of the exchange (mgmt/peers/exchange.h). A question says what the asking node has;
 * the answer has the words that differ. Without any the answer is held, and the server runs this again
 * when there is news. A question with a `query` is about another thing, or an order: it is answered at once,
 * in a thread of its own, so it waits for no held answer and holds up none.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/peers/exchange_internal.h"
#include "mgmt/api/handle.h"
#include "mgmt/peers/timekeep.h"
#include "mgmt/store/bootstrap.h"

/* A question, borrowed from its request. */
struct exchange_question {
	const char *node, *cluster;
	bool site; /* the words of the whole site are wanted */
	uint64_t wait_ms;
	const json_t *have;
};

static bool read_question(const json_t *json, struct exchange_question *out)
{
	const json_t *site = json_object_get(json, "site");
	const json_t *wait_ms = json_object_get(json, "wait_ms");

	*out = (struct exchange_question){
		.node = json_get_text(json, "node"),
		.cluster = json_get_text(json, "cluster"),
		.site = json_is_true(site),
		.wait_ms = (uint64_t)json_integer_value(wait_ms),
		.have = json_object_get(json, "have"),
	};
	return out->node && *out->node && strlen(out->node) < MODEL_NAME_MAX && out->cluster &&
	       json_is_boolean(site) && json_is_integer(wait_ms) &&
	       out->wait_ms <= EXCHANGE_WAIT_MAX_MS && json_is_object(out->have);
}

/* A peer that asks can be asked: the pause after a failure becomes a short one. Under the lock. */
static void hear_asking(struct exchange *x, const char *node)
{
	uint64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < x->n; i++) {
		struct exchange_peer *p = x->peers[i];

		if (!strcmp(p->node, node) && p->is_failed &&
		    p->next_ms > now_ms + EXCHANGE_LOOK_MS)
			p->next_ms = now_ms + EXCHANGE_LOOK_MS;
	}
}

/* The words of the peer at @p i are passed on: it is of this site, and the whole site is asked for. */
static bool is_relayed(const struct exchange *x, const struct exchange_question *q, size_t i)
{
	return q->site && x->peers[i]->is_own_site;
}

/* Under the lock. */
static bool is_news(const struct exchange *x, const struct exchange_question *q, uint64_t now_ms)
{
	bool news = exchange_is_news(x->own, json_get_text(q->have, x->core->dirs.node), now_ms);

	for (size_t i = 0; i < x->n && !news; i++)
		news = is_relayed(x, q, i) &&
		       exchange_is_news(x->peers[i]->words,
		                        json_get_text(q->have, x->peers[i]->node), now_ms);
	return news;
}

static void add_words(json_t *nodes, const struct exchange_question *q, const char *node,
                      const struct exchange_word *words, uint64_t now_ms)
{
	json_object_set_new(nodes, node,
	                    exchange_encode(words, json_get_text(q->have, node), now_ms));
}

/*
 * The words that @p q asks for, given: this node's, and those that it heard itself from the nodes of
 * its site. Under the lock.
 */
static json_t *gather_words(const struct exchange *x, const struct exchange_question *q,
                            uint64_t now_ms)
{
	json_t *nodes = json_object();

	add_words(nodes, q, x->core->dirs.node, x->own, now_ms);
	for (size_t i = 0; i < x->n; i++)
		if (is_relayed(x, q, i))
			add_words(nodes, q, x->peers[i]->node, x->peers[i]->words, now_ms);
	return nodes;
}

/*
 * Answers that end without news end together, a few times a second: each turn of a thread has its price. Each node has its own
 * instant for that, since nodes may share a machine.
 */
static uint64_t end_of_hold(const struct exchange *x, uint64_t now_ms, uint64_t wait_ms)
{
	return (now_ms + wait_ms + x->phase_ms) / EXCHANGE_LOOK_MS * EXCHANGE_LOOK_MS - x->phase_ms;
}

/* Under the lock. */
static void answer_question(struct core *core, const struct http_request *r,
                            const struct exchange_question *q, struct http_reply *reply)
{
	unsigned bell = q->site ? EXCHANGE_SITE_NEWS : EXCHANGE_OWN_NEWS;
	uint64_t rung = atomic_load(&core->bells.rung[bell]), now_ms = clock_mono_ms();

	if (q->wait_ms && !r->held_ms && !is_news(core->exchange, q, now_ms)) {
		reply->hold = (struct http_hold){ .until_ms = end_of_hold(core->exchange, now_ms,
			                                                  q->wait_ms),
			                          .rung = rung,
			                          .bell = bell };
		return;
	}
	reply->json =
	        json_pack("{s:s, s:s, s:I, s:I, s:o}", "node", core->dirs.node, "cluster",
	                  core->exchange->cluster, "waited_ms",
	                  (json_int_t)(r->held_ms && now_ms > r->held_ms ? now_ms - r->held_ms : 0),
	                  "clock_ms", (json_int_t)timekeep_shown_ms(core), "nodes",
	                  gather_words(core->exchange, q, now_ms));
	reply->dense = true;
	reply->status = 200;
}

/* Whether the sender is of the cluster of @p m; else @p reply says that it is not. Under the lock. */
static bool is_of_cluster(const struct model *m, const char *cluster, struct http_reply *reply)
{
	if (m && !strcmp(m->cluster, cluster))
		return true;
	http_problem(reply, 409, "other-cluster",
	             "this node belongs to another cluster or has no configuration yet");
	return false;
}

/* Queries about other things than words; each answer names who gives it. */
static const struct exchange_query {
	const char *name;
	http_handler *handler;
	bool in_force; /* a node that waits for its first version says nothing of the document in force */
} queries[] = {
	{ "audit", handle_peer_audit, false },
	{ "keys", handle_peer_keys, false },
	{ "operations", handle_peer_operations, true },
	{ "order", handle_peer_operation_order, false },
	{ "overrides", handle_peer_overrides, false },
	{ "stage", handle_peer_stage, false },
	{ "store", handle_peer_store, false },
	{ "verdicts", handle_peer_verdicts, false },
	{ "version", handle_peer_version, false },
	{ "withdrawals", handle_peer_withdrawals, true },
};

static const struct exchange_query *find_query(const char *name)
{
	for (size_t i = 0; name && i < sizeof(queries) / sizeof(queries[0]); i++)
		if (!strcmp(queries[i].name, name))
			return &queries[i];
	return NULL;
}

static void answer_query(struct core *core, struct http_request *r, struct http_reply *reply)
{
	const char *node = json_get_text(r->json, "node");
	const char *cluster = json_get_text(r->json, "cluster");
	const struct exchange_query *query = find_query(json_get_text(r->json, "query"));

	if (!query || !node || !*node || strlen(node) >= MODEL_NAME_MAX || !cluster) {
		http_problem(reply, 400, "bad-request",
		             "expected node, cluster and a query that this release knows");
		return;
	}
	core_lock(core);
	bool is_ours = is_of_cluster(query->in_force ? intent_model(core->intent)
	                                             : join_model(core->intent),
	                             cluster, reply);
	core_unlock(core);
	if (!is_ours)
		return;
	query->handler(core, r, reply);
	if (reply->status != 200)
		return;
	json_object_set_new(reply->json, "node", json_string(core->dirs.node));
	json_object_set_new(reply->json, "cluster", json_string(cluster));
}

static void answer_words(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct exchange_question q;

	if (!read_question(r->json, &q)) {
		http_problem(reply, 400, "bad-request",
		             "expected node, cluster, site, wait_ms and have");
		return;
	}
	core_lock(core);
	bool is_ours = is_of_cluster(join_model(core->intent), q.cluster, reply);
	bool is_ready = core->exchange && core->exchange->own[EXCHANGE_HEAD].stamp[0];

	if (is_ours && is_ready) {
		hear_asking(core->exchange, q.node);
		answer_question(core, r, &q, reply);
	} else if (is_ours) {
		http_problem(reply, 503, "busy", "this node starts");
	}
	core_unlock(core);
}

void handle_peer_exchange(struct core *core, struct http_request *r, struct http_reply *reply)
{
	if (json_object_get(r->json, "query"))
		answer_query(core, r, reply);
	else
		answer_words(core, r, reply);
}
