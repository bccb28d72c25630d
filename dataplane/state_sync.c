/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The asking side runs in weir-mgmt: it sees `wants_peer_state` in our status, asks a peer, and
 * writes the answer to a file (weir/conn_state.h). Here the file is looked for each second and applied
 * once.
 *
 * Nothing is asked before every backend has a verdict. With all verdicts this node's slots are
 * those of its peers, except for what only they know; and the state that a peer wrote before then
 * may be older than a verdict that this node has used. So older files are ignored.
 *
 * If the document has no other node of this site with an API, nobody has placed connections here that
 * this node does not know: learning ends with the last verdict, without a question to weir-mgmt.
 */
#include "dataplane/state_sync.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "weir/conn_state.h"
#include "weir/model.h"

static void end_sync(struct state_sync *l, struct compiler *n, const char *from)
{
	n->learning = n->wants_peer_state = false;
	log_note("connection-state-applied", "from=%s", from);
	*l = (struct state_sync){ 0 };
}

static void apply_peer_state(struct state_sync *l, struct compiler *n,
                             const struct conn_state *answer, const struct compiler_time *time)
{
	int err = 0;

	l->accepted_ms = answer->at_ms;
	if (strcmp(answer->node, CONN_STATE_NO_PEER) != 0)
		err = compiler_handover_read(n, answer->text, time);
	if (err)
		log_error("slots-refused", "from=%s error=\"%s\"", answer->node, strerror(-err));
	else
		end_sync(l, n, answer->node);
}

/* A backend of a backup is no reason to wait: the own ones serve. */
static bool is_own(const struct compiler_pool *p, size_t k)
{
	return !p->backup || p->plan->backends[k].class == PLAN_OWN;
}

/* Whether a backend still waits for its first verdict. */
static bool waits_for_verdict(const struct compiler *n)
{
	for (size_t i = 0; i < n->n_pools; i++)
		for (size_t k = 0; k < n->pools[i].plan->n_backends; k++)
			if (n->pools[i].backends[k].reason == EFFECT_REASON_WAITING &&
			    is_own(&n->pools[i], k))
				return true;
	return false;
}

/* Whether another node of the site may know more, and can be asked. */
static bool has_site_peer(const struct model *m)
{
	for (size_t i = 0; i < m->n_nodes; i++)
		if (&m->nodes[i] != m->self && m->nodes[i].site == m->self->site &&
		    *m->nodes[i].api)
			return true;
	return false;
}

void state_sync_tick(struct state_sync *l, struct compiler *n, const char *run_dir,
                     const struct compiler_time *time)
{
	struct conn_state answer;
	int err;

	if (!n->plan || !n->learning)
		return;
	if (l->from_ms == 0)
		*l = (struct state_sync){ time->now_ms, time->now_ms };
	n->wants_peer_state = !waits_for_verdict(n);
	if (n->wants_peer_state && !has_site_peer(n->model)) {
		end_sync(l, n, CONN_STATE_NO_PEER);
		return;
	}
	if (!n->wants_peer_state)
		l->accepted_ms = time->now_ms; /* ignore files from before the last verdict */
	err = conn_state_read(run_dir, l->accepted_ms, &answer);
	if (!err) {
		apply_peer_state(l, n, &answer, time);
		free(answer.text);
	}
	if (n->learning && time->now_ms - l->from_ms >= STATE_SYNC_MAX_MS)
		end_sync(l, n, CONN_STATE_NO_PEER);
}
