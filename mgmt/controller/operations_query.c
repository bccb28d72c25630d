/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One question to all: which levels are in force at a node, and what it measures. An answer is a
 * peer's: it is read field by field, and what is malformed is as if it were not there.
 */
#include "mgmt/sync/operations_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/controller/operations_run.h"
#include "mgmt/peers/peer_query.h"
#include "mgmt/core/to_json.h"
#include "mgmt/store/shared_intent.h"
#include "weir/json.h"

/* --- what a peer has --- */

const struct operations_said *operations_said_of(const struct core *core, const char *node)
{
	const struct operations *o = core->operations;

	for (size_t i = 0; o && i < o->n_said; i++)
		if (!strcmp(o->said[i].node, node))
			return &o->said[i];
	return NULL;
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

/* Keep what a peer answered to a question that was sent at @p sent_ms. Under the lock. */
static void accept_answer(struct core *core, const char *node, const struct client_request *r,
                          uint64_t sent_ms)
{
	struct operations_said *row = said_row(core, node);
	json_t *measure = json_object_get(r->answer, "measure");

	if (!row)
		return;
	/* one that refuses says nothing of operations, and so is not reached */
	row->refuses = r->status == 410;
	if (!r->answer)
		return;
	row->heard_ms = clock_mono_ms();
	row->boot_ms = read_boot_clock(r->answer);
	keep_part(&row->levels, json_object_get(r->answer, "levels"));
	row->dns = json_has_true(r->answer, "dns");
	if (json_is_object(measure)) {
		keep_part(&row->measure, measure);
		row->measured_ms = sent_ms;
	}
}

/* --- the question --- */

#define LEVELS_QUESTION_ROWS(X, t)                                                                 \
	X(t, bool, measure)                                                                        \
	X(t, json_t *, announced_at, .spare = true)                                                \
	X(t, int64_t, revision, KNOWN_IF(t, is_shared), .spare = true)                             \
	X(t, bool, is_shared, HIDDEN)
RECORD_SHOWN(levels_question, "question", LEVELS_QUESTION_ROWS);

/* What the question says, given. Under the lock. */
static json_t *make_question(struct core *core, bool measure, const char *announced_at)
{
	struct levels_question q = { .measure = measure,
		                     .announced_at =
		                             announced_at ? json_string(announced_at) : NULL };

	q.is_shared = core->shared && !shared_intent_revision(core->intent, &q.revision);
	return record_shown(&levels_question_kind, &q);
}

void operations_query(struct core *core, struct peer_client *client, bool measure,
                      const char *announced_at)
{
	struct peer_query q = { .core = core,
		                .client = client,
		                .query = "operations",
		                .timeout_ms = OPERATIONS_TIMEOUT_MS,
		                .answer_max = OPERATIONS_ANSWER_MAX };

	core_lock(core);
	const struct model *m = intent_model(core->intent);
	snprintf(q.cluster, sizeof(q.cluster), "%s", m ? m->cluster : "");
	q.more = make_question(core, measure, announced_at);
	for (size_t i = 0; m && i < m->n_nodes; i++)
		(void)peer_query_add(&q, &m->nodes[i], NULL, NULL);
	core_unlock(core);
	uint64_t sent_ms = clock_mono_ms();
	if (peer_query_send(&q)) {
		core_lock(core);
		for (size_t i = 0; i < q.n; i++)
			accept_answer(core, q.nodes[i].name, &q.requests[i], sent_ms);
		core_unlock(core);
	}
	peer_query_end(&q);
}
