/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The facts that a look holds, in the judgement's own terms; nothing is decided here. Everything
 * points into the look, so the look has to outlive the judgement.
 */
#include "mgmt/api/facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* The memory that the facts point to. */
struct holder {
	struct judge_process processes[OBSERVE_COUNT];
	struct judge_pool *pools;
	struct judge_site *sites;
	struct judge_peer *peers;
};

static void fill_process_facts(const struct look *l, struct holder *h, struct judge_facts *f)
{
	for (int p = 0; p < OBSERVE_COUNT; p++) {
		const struct gather_process *s = &l->processes[p];

		if (!observe_is_shown((enum observe_process)p, s))
			continue;
		h->processes[f->n_processes++] =
		        gather_fact(observe_name((enum observe_process)p), s, &l->conditions[p]);
	}
}

static bool drain_is_held(const struct look *l, const char *site)
{
	for (size_t i = 0; i < l->overrides.n_items; i++) {
		const struct override *o = &l->overrides.items[i];

		if (o->target == MODEL_TARGET_SITE && !strcmp(o->name, site) &&
		    !strcmp(overrides_state(&l->overrides, o, l->now_ms), "expired_held"))
			return true;
	}
	return false;
}

static void fill_site_facts(const struct look *l, struct holder *h, struct judge_facts *f)
{
	for (size_t i = 0; i < l->m->n_sites; i++) {
		const struct model_site *site = &l->m->sites[i];
		struct gather_site observed;

		gather_site(l->m, l->pages.health_fresh ? l->pages.health : NULL, site, &observed);
		h->sites[f->n_sites++] = (struct judge_site){
			.name = site->name,
			.down = observed.n && observed.down == observed.n &&
			        !overrides_withdrawn_by(&l->overrides, site->name),
			.drain_held = drain_is_held(l, site->name),
		};
	}
}

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
static void fill_peer_facts(const struct look *l, struct holder *h, struct judge_facts *f)
{
	for (size_t i = 0; i < l->m->n_nodes; i++) {
		const struct model_node *node = &l->m->nodes[i];
		const struct peers_report *v = look_peer(l, node->name);

		if (node == l->m->self)
			continue;
		h->peers[f->n_peers++] = (struct judge_peer){
			.node = node->name,
			.detail = v ? v->unreachable_reason : "",
			.state = v ? peer_state(v) : JUDGE_PEER_NEVER,
			.age_ms = v && v->answered_ms ? clock_mono_ms() - v->answered_ms : 0,
			.behind_ms = v && v->behind_ms ? clock_mono_ms() - v->behind_ms : 0,
		};
	}
	f->has_peers = l->m->self && f->n_peers > 0;
	f->has_token = l->has_token;
}

/* The intent of the model, and what is observed of it. */
static int fill_model(const struct look *l, struct holder *h, struct judge_facts *f)
{
	const struct model *m = l->m;
	const struct gather_from from = {
		.m = m,
		.overrides = &l->overrides,
		.wall_clock_ms = l->now_ms,
		.health = l->pages.health_fresh ? l->pages.health : NULL,
		.effect = l->pages.effect_fresh ? l->pages.effect : NULL,
	};
	int err = gather_pools(&from, &h->pools, &f->n_pools);

	if (err)
		return err;
	h->sites = calloc(m->n_sites + 1, sizeof(*h->sites));
	h->peers = calloc(m->n_nodes + 1, sizeof(*h->peers));
	if (!h->sites || !h->peers)
		return -ENOMEM;
	f->pools = h->pools;
	f->sites = h->sites;
	f->peers = h->peers;
	fill_site_facts(l, h, f);
	fill_peer_facts(l, h, f);
	return 0;
}

int facts_judge(const struct look *l, struct judge_verdict *out)
{
	struct holder h = { .pools = NULL };
	struct judge_facts f = {
		.has_intent = true,
		.has_configuration = l->has_head || l->joins,
		.store_reason = l->store_reason,
		.unwritten_reason = l->unwritten_reason,
		.unconfirmed = l->has_head && l->head.confirm_by_ms ? l->head.number : 0,
		.document = l->document,
		.document_age_ms = l->document_age_ms,
		.processes = h.processes,
		.effect_fresh = l->pages.effect_fresh,
	};

	fill_process_facts(l, &h, &f);
	gather_ports(l->m, &l->processes[OBSERVE_DATAPLANE], &l->supervisor, &f);
	f.supervisor = gather_fact(OBSERVE_SUPERVISOR, &l->supervisor, &l->supervisor_conditions);
	int err = l->m ? fill_model(l, &h, &f) : 0;

	if (!err)
		judge(&f, out);
	free(h.pools);
	free(h.sites);
	free(h.peers);
	return err;
}
