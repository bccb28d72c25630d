/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The thread polls the own dataplane, which answers at once, and asks peers only while the
 * dataplane wants connection state for the document in force. All peers of the site are asked
 * together. The first that knows something and agrees on head and overrides is used: states of two
 * peers are not merged.
 */
#include "mgmt/peers/state_fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "mgmt/peers/peer_query.h"
#include "mgmt/peers/peers.h"
#include "weir/conn_state.h"
#include "weir/json.h"

#define DATAPLANE_QUERY_MS 1000 /* for the own dataplane, over its control socket */

struct state_fetch {
	struct thread thread;
	struct peer_query query;
	bool agrees[PEERS_MAX]; /* the node has our head and our overrides */
};

/* The dataplane's answer to a question, given; NULL: none. */
static json_t *query_dataplane(struct core *core, const char *line)
{
	char path[PATH_MAX], *text = NULL;
	json_t *answer = NULL;

	if (!proc_path(core->dirs.run, "dataplane.ctl", path) &&
	    !ctl_request(path, line, DATAPLANE_QUERY_MS, &text))
		answer = json_read(text, strlen(text), 0, NULL);
	free(text);
	return answer;
}

json_t *state_fetch_to_json(struct core *core)
{
	json_t *answer = query_dataplane(core, "{\"do\":\"connections\"}");

	core_lock(core);
	const struct model *m = intent_model(core->intent);
	json_object_set_new(answer, "node", json_string(core->dirs.node));
	json_object_set_new(answer, "cluster", json_string(m ? m->cluster : ""));
	core_unlock(core);
	return answer;
}

enum state_fetch_word state_fetch_read(const json_t *answer, const char **text)
{
	const json_t *learning = json_object_get(answer, "learning");
	const char *text_found = json_get_text(answer, "connections");

	if (!json_is_boolean(learning) || !text_found || strlen(text_found) > CONN_STATE_TEXT_MAX)
		return STATE_FETCH_MALFORMED;
	if (json_is_true(learning))
		return STATE_FETCH_NOTHING;
	*text = text_found;
	return STATE_FETCH_KNOWS;
}

static bool peer_agrees(const struct core *core, const char *node)
{
	const struct peers_report *reports;
	size_t n = peers_report(core, &reports);
	const struct peers_report *v = peers_find(reports, n, node);

	return v && v->state == PEERS_AGREED;
}

/* The nodes of this site that have an API. Under the lock. */
static void list_site_peers(struct core *core, struct state_fetch *l, const struct model *m)
{
	l->query = (struct peer_query){ .core = core,
		                        .path = "/v1/peer/connections",
		                        .timeout_ms = STATE_FETCH_TIMEOUT_MS,
		                        .answer_max = STATE_FETCH_ANSWER_MAX };
	snprintf(l->query.cluster, sizeof(l->query.cluster), "%s", m->cluster);
	for (size_t i = 0; m->self && i < m->n_nodes; i++) {
		const struct model_node *node = &m->nodes[i];

		if (node->site == m->self->site && peer_query_add(&l->query, node, NULL, NULL))
			l->agrees[l->query.n - 1] = peer_agrees(core, node->name);
	}
}

static void hand_over_state(struct core *core, const char *node, const char *text)
{
	int err = conn_state_write(core->dirs.run, node, clock_mono_ms(), text);

	if (err)
		log_error("connection-state-not-kept", "from=%s error=\"%s\"", node,
		          strerror(-err));
	else
		log_note("connection-state-received", "from=%s bytes=%zu", node, strlen(text));
}

/*
 * Make something of the answers: of the first who knows and agrees; else nobody knows if all say
 * so.
 */
static void choose_answer(struct core *core, const struct state_fetch *l)
{
	const struct peer_query *q = &l->query;
	const char *text = NULL;
	size_t n_nothing = 0;

	for (size_t i = 0; i < q->n; i++) {
		enum state_fetch_word word = state_fetch_read(q->requests[i].answer, &text);

		n_nothing += word == STATE_FETCH_NOTHING;
		if (word != STATE_FETCH_KNOWS || !l->agrees[i])
			continue;
		hand_over_state(core, q->nodes[i].name, text);
		return;
	}
	if (n_nothing == q->n && !q->is_short)
		hand_over_state(core, CONN_STATE_NO_PEER, "");
}

static void query_site_peers(struct core *core, struct state_fetch *l)
{
	(void)peer_query_send(&l->query);
	choose_answer(core, l);
	peer_query_end(&l->query);
}

/*
 * Whether the own dataplane, with the document of now in force, wants to learn. Not under the
 * lock.
 */
static bool wants_state(struct core *core, uint64_t document)
{
	json_t *status = query_dataplane(core, "{\"do\":\"status\"}");
	bool yes = json_has_true(status, "wants_connections") &&
	           (uint64_t)json_integer_value(json_object_get(status, "document")) == document;

	json_decref(status);
	return yes;
}

/*
 * The lock is held only to list the peers: a round waits for the dataplane and for them. One whose document is replaced
 * meanwhile ends there.
 */
static void fetch_state_once(struct core *core)
{
	struct state_fetch *l = core->state_fetch;
	uint64_t document = intent_document(core->intent);

	if (!intent_model(core->intent))
		return;
	core_unlock(core);
	bool needs_state = wants_state(core, document);

	core_lock(core);
	if (!needs_state || document != intent_document(core->intent))
		return;
	list_site_peers(core, l, intent_model(core->intent));
	core_unlock(core);
	query_site_peers(core, l);
	core_lock(core);
}

static uint64_t fetch_round(void *core)
{
	uint64_t next_ms = clock_mono_ms() + STATE_FETCH_EVERY_MS;

	fetch_state_once(core);
	return next_ms;
}

static void *run_state_fetch(void *core)
{
	core_run_rounds(core, fetch_round, core, STATE_FETCH_EVERY_MS);
	return NULL;
}

int state_fetch_start(struct core *core)
{
	core->state_fetch = MEMORY_NEW(struct state_fetch);
	return thread_start(&core->state_fetch->thread, run_state_fetch, core);
}

void state_fetch_stop(struct core *core)
{
	if (!core->state_fetch)
		return;
	thread_join(&core->state_fetch->thread);
	free(core->state_fetch);
	core->state_fetch = NULL;
}
