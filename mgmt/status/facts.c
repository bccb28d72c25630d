/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The facts that a look holds, in the judgement's own terms; nothing is decided here. Everything
 * points into the look, so the look has to outlive the judgement.
 */
#include "mgmt/status/facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static enum judge_peer_state peer_state(const struct peers_report *v)
{
	if (v->refused)
		return JUDGE_PEER_REFUSED;
	if (!v->answered_ms)
		return JUDGE_PEER_NEVER;
	return v->state == PEERS_DIFFERS       ? JUDGE_PEER_DIFFERS
	       : v->state == PEERS_UNREACHABLE ? JUDGE_PEER_UNREACHABLE
	       : v->state == PEERS_BEHIND      ? JUDGE_PEER_BEHIND
	                                       : JUDGE_PEER_WELL;
}

/* Every other node of the configuration is a peer, asked or not. */
static int fill_peer_facts(const struct look *l, struct judge_peer **peers, struct judge_facts *f)
{
	*peers = calloc(l->m->n_nodes + 1, sizeof(**peers));
	if (!*peers)
		return -ENOMEM;
	f->peers = *peers;
	for (size_t i = 0; i < l->m->n_nodes; i++) {
		const struct model_node *node = &l->m->nodes[i];
		const struct peers_report *v = look_peer(l, node->name);

		if (node == l->m->self)
			continue;
		(*peers)[f->n_peers++] = (struct judge_peer){
			.node = node->name,
			.detail = v ? v->unreachable_reason : "",
			.state = v ? peer_state(v) : JUDGE_PEER_NEVER,
			.behind_ms = v && v->behind_ms ? clock_mono_ms() - v->behind_ms : 0,
		};
	}
	f->has_peers = l->m->self && f->n_peers > 0;
	f->has_token = l->has_token;
	return 0;
}

int facts_judge(const struct look *l, struct judge_verdict *out)
{
	const struct observe_node node = {
		.m = l->m,
		.overrides = &l->overrides,
		.now_ms = l->now_ms,
		.pages = &l->pages,
		.processes = l->processes,
		.conditions = l->conditions,
		.supervisor = &l->supervisor,
		.supervisor_conditions = &l->supervisor_conditions,
	};
	struct observe_memory memory = { .pools = NULL };
	struct judge_peer *peers = NULL;
	struct judge_facts f = {
		.has_intent = true,
		.has_configuration = l->has_head || l->joins,
		.store_reason = l->store_reason,
		.unwritten_reason = l->unwritten_reason,
		.unconfirmed = l->waiting.number,
		.unconfirmed_at = l->waiting.canary,
		.unconfirmed_waits = l->waits,
		.document = l->document,
		.starts = l->running_ms < JUDGE_START_MS,
	};
	int err = observe_facts(&node, &memory, &f);

	if (!err && l->m)
		err = fill_peer_facts(l, &peers, &f);
	if (!err)
		judge(&f, out);
	observe_forget(&memory);
	free(peers);
	return err;
}
