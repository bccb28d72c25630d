/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The thread polls the own dataplane, which answers at once, and asks peers only while the
 * dataplane wants connection state for the document in force. All peers of the site are asked
 * together. The first that knows something and agrees on head and overrides is used: states of two
 * peers are not merged.
 */
#include "mgmt/api/state_fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "base/log.h"
#include "base/thread.h"
#include "mgmt/api/auth.h"
#include "mgmt/api/peers.h"
#include "mgmt/http/client.h"
#include "weir/conn_state.h"
#include "weir/json.h"

#define DATAPLANE_QUERY_MS 1000 /* for the own dataplane, over its control socket */

struct site_peer {
	char node[MODEL_NAME_MAX], api[256];
	bool agrees; /* it has our head and our overrides */
};

struct state_fetch {
	struct thread thread;
	struct peer_client client;
	char cluster[MODEL_NAME_MAX];
	struct site_peer site_peers[PEERS_MAX];
	size_t n;
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

enum state_fetch_word state_fetch_read(const json_t *answer, const char *node, const char *cluster,
                                       const char **text)
{
	const json_t *learning = json_object_get(answer, "learning");
	const char *text_found = json_get_text(answer, "connections");

	if (!json_has_text(answer, "node", node) || !json_has_text(answer, "cluster", cluster) ||
	    !json_is_boolean(learning) || !text_found || strlen(text_found) > CONN_STATE_TEXT_MAX)
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

	for (size_t i = 0; i < n; i++)
		if (!strcmp(reports[i].node, node))
			return reports[i].state == PEERS_AGREED;
	return false;
}

/* The nodes of this site that have an API. Under the lock. */
static void list_site_peers(struct core *core, struct state_fetch *l, const struct model *m)
{
	l->n = 0;
	snprintf(l->cluster, sizeof(l->cluster), "%s", m->cluster);
	for (size_t i = 0; i < m->n_nodes && l->n < PEERS_MAX; i++) {
		const struct model_node *node = &m->nodes[i];
		struct site_peer *f = &l->site_peers[l->n];

		if (node == m->self || node->site != m->self->site || !*node->api ||
		    strlen(node->api) >= sizeof(f->api))
			continue;
		snprintf(f->node, sizeof(f->node), "%s", node->name);
		snprintf(f->api, sizeof(f->api), "%s", node->api);
		f->agrees = peer_agrees(core, node->name);
		l->n++;
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
static void choose_answer(struct core *core, const struct state_fetch *l,
                          const struct client_request *requests)
{
	const char *text = NULL;
	size_t n_nothing = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct site_peer *f = &l->site_peers[i];
		enum state_fetch_word word =
		        requests[i].answer
		                ? state_fetch_read(requests[i].answer, f->node, l->cluster, &text)
		                : STATE_FETCH_MALFORMED;

		n_nothing += word == STATE_FETCH_NOTHING;
		if (word != STATE_FETCH_KNOWS || !f->agrees)
			continue;
		hand_over_state(core, f->node, text);
		return;
	}
	if (n_nothing == l->n)
		hand_over_state(core, CONN_STATE_NO_PEER, "");
}

static void query_site_peers(struct core *core, struct state_fetch *l)
{
	struct client_request *requests = calloc(PEERS_MAX, sizeof(*requests));

	for (size_t i = 0; requests && i < l->n; i++) {
		requests[i] = (struct client_request){ .timeout_ms = STATE_FETCH_TIMEOUT_MS,
			                               .answer_max = STATE_FETCH_ANSWER_MAX };
		snprintf(requests[i].url, sizeof(requests[i].url), "%s/v1/peer/connections",
		         l->site_peers[i].api);
	}
	if (requests && l->n > 0)
		client_send(&l->client, requests, l->n);
	if (requests)
		choose_answer(core, l, requests);
	for (size_t i = 0; requests && i < l->n; i++)
		json_decref(requests[i].answer);
	free(requests);
	client_close(&l->client); /* it may be long until the next time */
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
 * The lock is held only to copy what a round needs: the round waits for the dataplane and for
 * peers.
 */
static void fetch_state_once(struct core *core)
{
	struct state_fetch *l = core->state_fetch;
	uint64_t document = intent_document(core->intent);
	const struct model *m = intent_model(core->intent);

	if (m && m->self)
		list_site_peers(core, l, m);
	core_unlock(core);
	if (m && wants_state(core, document)) {
		auth_peer_token(core->dirs.conf, l->client.token);
		query_site_peers(core, l);
	}
	core_lock(core);
}

static void *run_state_fetch(void *core)
{
	core_run_rounds(core, fetch_state_once, STATE_FETCH_EVERY_MS);
	return NULL;
}

int state_fetch_start(struct core *core)
{
	core->state_fetch = calloc(1, sizeof(*core->state_fetch));
	if (!core->state_fetch)
		return -ENOMEM;
	client_open(&core->state_fetch->client, core->dirs.conf);
	return thread_start(&core->state_fetch->thread, run_state_fetch, core);
}

void state_fetch_stop(struct core *core)
{
	if (!core->state_fetch)
		return;
	thread_join(&core->state_fetch->thread);
	client_close(&core->state_fetch->client);
	free(core->state_fetch);
	core->state_fetch = NULL;
}
