/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conditions of network paths to backends: of checks through tunnels, of next hops, and of agents.
 *
 *     probe-path-missing  checks through the tunnel cannot be sent, so they give no verdict
 *     next-hop-unusable   a next hop takes the backend out (tables/compiler_next_hops.c), or a guard keeps it in
 *     next-hop-missing    a backend is in force and owns slots, and nothing can be sent to it; with
 *                         subject "all" and severity down: that is so of all that own slots
 *     next-hop-no-port    the same, and its packets are sent by an interface that is none of the
 *                         node's ports, which XDP can: whether they leave is not known
 *     agents-unseen       (a note) a pool relies on options of its agents, which no node sees
 *
 * Of each kind the first 16 backends are listed, since a broken link may concern thousands.
 */
#include "dataplane/conditions.h"

#include <stdio.h>

#include "dataplane/export/effect_internal.h"
#include "dataplane/probes.h"
#include "dataplane/process.h"
#include "dataplane/export/publish.h"
#include "weir/condition.h"
#include "weir/model.h"

#define LISTED_MAX 16u   /* backends by name; the others are counted */
#define STATE_MS   1000u /* shorter troubles are not stated: a next hop is being resolved */

static void state_probes(const struct process *p, struct stats *s)
{
	const struct probes_path *trouble = probes_trouble(p->probes, loop_now_ms(p->loop));

	if (trouble)
		conditions_add(s, "probe-path-missing", CONDITION_DEGRADED, trouble->subject,
		               "%s; until then checks through the tunnel give no verdict",
		               trouble->reason);
}

/* One round over all backends. */
struct path_round {
	const struct process *p;
	struct stats *s;
	struct driver_port ports[DRIVER_PORTS_MAX];
	size_t n_ports;
	struct effect_page *effect;
	size_t n_serve, n_lost; /* backends with slots that packets can be sent to, and cannot */
	size_t n_unusable, n_missing, n_no_port;
};

static uint32_t slots_of(const struct path_round *r, const struct compiler_pool *pool,
                         const struct compiler_backend *b)
{
	const struct effect_backend *rows = effect_page_backends(r->effect);
	uint32_t n = r->effect->total.n_backends;
	uint32_t i = effect_row(rows, n, pool->plan->id, b->plan->id);

	return i < n && rows[i].pool == pool->plan->id && rows[i].id == b->plan->id ? rows[i].slots
	                                                                            : 0;
}

static bool is_driver_port(const struct path_round *r, uint32_t ifindex)
{
	for (size_t i = 0; i < r->n_ports; i++)
		if (r->ports[i].ifindex == ifindex)
			return true;
	return false;
}

static bool leaves_by_no_port(const struct path_round *r, const struct compiler_backend *b)
{
	struct hop hop;

	return hops_get(r->p->node.hops, &b->plan->address, &hop) &&
	       !is_driver_port(r, hop.ifindex);
}

/* A driver in user space has its ports alone; XDP hands frames to any interface. */
static bool sends_by_ports_only(const struct path_round *r)
{
	return r->p->ops->workers != NULL;
}

/* @return why nothing can be sent to @p b, or NULL */
static const char *lost_by(const struct path_round *r, const struct compiler_backend *b)
{
	const struct compiler *n = &r->p->node;

	if (n->t.backends[b->index].flags & FWD_BACKEND_NO_NEXT_HOP)
		return effect_hop_text((enum effect_hop)n->paths[b->index].next_hop.hop);
	if (sends_by_ports_only(r) && leaves_by_no_port(r, b))
		return "its route leaves by an interface that is not one of the node's ports";
	return NULL;
}

static const char *path_advice(enum effect_reason cut)
{
	switch (cut) {
	case EFFECT_REASON_ROUTE:
		return "the route to it says unreachable, blackhole or prohibit: see ip route get";
	case EFFECT_REASON_NEIGHBOUR:
		return "its next hop does not answer the kernel's requests: see ip neigh; check that "
		       "it is switched on and on this link";
	default:
		return "mode l2 reaches only backends on a link of this node, and this one is "
		       "behind a gateway: use ipip or gue";
	}
}

/*
 * Stated only of backends that the next hop has taken out, or would have if no guard kept them:
 * other reasons for being out come first for the operator. Who is not configured any more gets no
 * traffic that a way could bring back.
 */
static void state_unusable(struct path_round *r, const struct compiler_backend *b,
                           const char *subject)
{
	enum effect_reason cut = (enum effect_reason)r->p->node.paths[b->index].next_hop.cut;
	char address[ADDR_TEXT_MAX];
	bool held = guard_is_hold((enum effect_reason)b->reason);

	if (!cut || !*b->plan->name || b->plan->intent == GUARD_DISABLED ||
	    !(held || effect_reason_is_path((enum effect_reason)b->reason)) ||
	    r->n_unusable++ >= LISTED_MAX)
		return;
	conditions_add(r->s, "next-hop-unusable", CONDITION_DEGRADED, subject,
	               "%s: %s; the backend %s%s", addr_text(&b->plan->address, address),
	               path_advice(cut),
	               held ? "is kept in force, " : "gets no traffic until that is solved",
	               held ? effect_reason_text((enum effect_reason)b->reason) : "");
}

/* Packets may arrive all the same, so nothing is said to be dropped, and the state is not down. */
static void state_no_port(struct path_round *r, const struct compiler_backend *b,
                          const char *subject)
{
	char address[ADDR_TEXT_MAX];

	if (leaves_by_no_port(r, b) && r->n_no_port++ < LISTED_MAX)
		conditions_add(r->s, "next-hop-no-port", CONDITION_DEGRADED, subject,
		               "the packets for %s are sent by an interface that is not one of the "
		               "node's ports; whether its driver takes them is not known: name it "
		               "in nodes[].ports, or correct the route (ip route get)",
		               addr_text(&b->plan->address, address));
}

/* Only backends with slots count: without slots no packet is dropped. */
static void state_missing(struct path_round *r, const struct compiler_pool *pool,
                          const struct compiler_backend *b, const char *subject)
{
	char address[ADDR_TEXT_MAX];
	const char *reason;

	if (!b->alive || !slots_of(r, pool, b))
		return;
	reason = lost_by(r, b);
	r->n_serve += !reason;
	r->n_lost += reason != NULL;
	if (!reason)
		state_no_port(r, b, subject);
	if (!reason ||
	    r->p->node.paths[b->index].next_hop.since_ms + STATE_MS > loop_now_ms(r->p->loop) ||
	    r->n_missing++ >= LISTED_MAX)
		return;
	conditions_add(
	        r->s, "next-hop-missing", CONDITION_DEGRADED, subject,
	        "%s owns slots, and its packets are dropped: %s; see ip route get and ip neigh",
	        addr_text(&b->plan->address, address), reason);
}

static void state_others(struct path_round *r, const char *code, size_t n)
{
	if (n > LISTED_MAX)
		conditions_add(r->s, code, CONDITION_DEGRADED, "",
		               "%zu more backends have the same trouble: weir status lists them",
		               n - LISTED_MAX);
}

/* Who is not configured any more has no name: its address says where packets still go. */
static void path_subject(const struct compiler_pool *pool, const struct compiler_backend *b,
                         char subject[CONDITION_SUBJECT_MAX])
{
	char address[ADDR_TEXT_MAX];

	snprintf(subject, CONDITION_SUBJECT_MAX, "%s/%s", plan_pool_of(pool->plan, b->plan)->name,
	         *b->plan->name ? b->plan->name : addr_text(&b->plan->address, address));
}

/* Read the slots from the effect page, so that what is stated matches what packets meet. */
static void state_hops(const struct process *p, struct stats *s)
{
	struct path_round r = { .p = p, .s = s, .effect = publisher_effect(p->publisher) };
	char subject[CONDITION_SUBJECT_MAX];

	if (!r.effect || !p->node.hops)
		return;
	r.n_ports = p->ops->ports(p->driver, r.ports);
	for (size_t i = 0; i < p->node.n_pools; i++) {
		const struct compiler_pool *pool = &p->node.pools[i];

		for (size_t k = 0; k < pool->plan->n_backends; k++) {
			const struct compiler_backend *b = &pool->backends[k];

			if (b->plan->class == PLAN_FULL)
				continue;
			path_subject(pool, b, subject);
			state_unusable(&r, b, subject);
			state_missing(&r, pool, b, subject);
		}
	}
	state_others(&r, "next-hop-unusable", r.n_unusable);
	state_others(&r, "next-hop-missing", r.n_missing);
	state_others(&r, "next-hop-no-port", r.n_no_port);
	if (r.n_missing && !r.n_serve)
		conditions_add(
		        s, "next-hop-missing", CONDITION_DOWN, "all",
		        "nothing can be sent to any of the %zu backends that own slots: packets "
		        "to VIPs are dropped",
		        r.n_lost);
}

/*
 * Only the backends can see whether their agents pass packets on, so this is a note for the
 * operator.
 */
static void state_agents(const struct compiler *n, struct stats *s)
{
	size_t n_agents = 0;

	for (size_t i = 0; i < n->n_pools; i++) {
		const struct plan_pool *plan = n->pools[i].plan;

		if (!plan->model->agent || plan->backup || plan->n_backends < 2 ||
		    n_agents++ >= LISTED_MAX)
			continue;
		conditions_add(
		        s, "agents-unseen", CONDITION_NOTE, plan->model->name,
		        "agent = true: when slots move, connections continue only if the agent on "
		        "every backend has --owners; load balancers cannot see that: check `weir "
		        "agent status` on each backend");
	}
}

void conditions_state_paths(const struct process *p, struct stats *s)
{
	state_probes(p, s);
	state_hops(p, s);
	state_agents(&p->node, s);
}
