/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways to backends: what next hops say against a backend, and what checks say of next hops.
 *
 *     mode     next hop                                    against the backend
 *     any      the route refuses (hop.bad)                 EFFECT_WHY_ROUTE
 *     any      answers none of the kernel's questions      EFFECT_WHY_NEIGHBOUR
 *     l2       a gateway                                   EFFECT_WHY_GATEWAY
 *     any      none, not resolved yet, or by a port        nothing: that is the node's own trouble
 *              without carrier
 *
 * What speaks against a backend in force counts after NODE_CUT_MS; what is out stays out with it. A
 * good verdict of a check through the tunnel outranks it: users' packets get there. One that a probe
 * has spoken against since does not, or a slow check would keep a backend whose packets are dropped.
 */
#include "dataplane/node_inside.h"

#include <stdlib.h>

#include "base/clock.h"
#include "weir/health.h"
#include "weir/model.h"

static enum effect_why cut_of(const struct hop *hop, bool l2)
{
	if (hop->bad == HOP_BAD_ROUTE)
		return EFFECT_WHY_ROUTE;
	if (hop->bad == HOP_BAD_NEIGHBOUR)
		return EFFECT_WHY_NEIGHBOUR;
	return l2 && hop->state != HOP_NO_ROUTE && hop->state != HOP_NO_PORT && !hop->on_link
	               ? EFFECT_WHY_GATEWAY
	               : EFFECT_WHY_UNKNOWN;
}

static enum effect_hop shown_hop(const struct hop *hop, bool l2)
{
	static const enum effect_hop by_state[] = {
		[HOP_KNOWN] = EFFECT_HOP_KNOWN,
		[HOP_NO_ROUTE] = EFFECT_HOP_NO_ROUTE,
		[HOP_NO_PORT] = EFFECT_HOP_NO_PORT,
		[HOP_NO_NEIGHBOUR] = EFFECT_HOP_UNRESOLVED,
	};

	switch (cut_of(hop, l2)) {
	case EFFECT_WHY_ROUTE:
		return EFFECT_HOP_REFUSED;
	case EFFECT_WHY_NEIGHBOUR:
		return EFFECT_HOP_SILENT;
	case EFFECT_WHY_GATEWAY:
		return EFFECT_HOP_GATEWAY;
	default:
		return by_state[hop->state];
	}
}

void node_look_way(struct node *n, uint32_t index, const struct addr *address, bool l2)
{
	struct node_way *way = &n->ways[index], now = { 0 };
	struct hop hop;

	if (!n->hops || !hops_get(n->hops, address, &hop))
		return;
	now.cut = (uint8_t)cut_of(&hop, l2);
	now.hop = (uint8_t)shown_hop(&hop, l2);
	now.since_ms = hop.since_ms;
	n->ways_changed |= now.cut != way->cut;
	*way = now;
}

/* The word of a check that sends what users send, if it counts. */
static bool is_reached(const struct node_pool *p, health_word word)
{
	return p->plan->model->check && p->plan->model->check->via == MODEL_VIA_TUNNEL &&
	       health_state(word) == HEALTH_UP && !health_in_doubt(word) &&
	       !health_inconclusive(word) && !health_restored(word);
}

/* An earlier process may have taken it out for the same reason; what is not known counts as that. */
static bool is_out_by_way(const struct node_backend *b)
{
	return b->known && !b->alive &&
	       (b->why == EFFECT_WHY_UNKNOWN || effect_why_is_way((enum effect_why)b->why));
}

enum effect_why node_cut(const struct node *n, const struct node_pool *p,
                         const struct node_backend *b, health_word word,
                         const struct node_time *time, uint64_t *at_ms)
{
	const struct node_way *way = &n->ways[b->index];
	uint64_t due_ms = way->since_ms + NODE_CUT_MS;

	if (!way->cut || is_reached(p, word))
		return EFFECT_WHY_UNKNOWN;
	if (due_ms <= time->now_ms || is_out_by_way(b))
		return (enum effect_why)way->cut;
	if (due_ms < *at_ms)
		*at_ms = due_ms;
	return EFFECT_WHY_UNKNOWN;
}

static enum hop_heard heard_by(health_word word)
{
	switch (health_reason(word)) {
	case HEALTH_REASON_NONE:
	case HEALTH_REASON_LOCAL:
		return HOP_HEARD_NOTHING;
	case HEALTH_REASON_TIMEOUT:
	case HEALTH_REASON_UNREACHABLE:
		return HOP_HEARD_SILENCE;
	default:
		return HOP_HEARD_ANSWERS;
	}
}

void node_hear(struct node *n, struct node_backend *b, health_word word)
{
	uint8_t heard = (uint8_t)heard_by(word);
	bool down = health_state(word) == HEALTH_DOWN;

	if (!n->hops)
		return;
	if (heard != b->heard)
		hops_heard(n->hops, &b->plan->address, (enum hop_heard)heard);
	if (down && !b->heard_down)
		hops_doubt(n->hops, &b->plan->address);
	b->heard = heard;
	b->heard_down = down;
}
