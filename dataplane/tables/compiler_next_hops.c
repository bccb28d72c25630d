/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network paths to backends. A next hop that cannot be used takes a backend out of force, as a
 * check's *down* does; and checks tell next hops what they see.
 *
 *     mode     next hop                                    takes the backend out as
 *     any      the route refuses (hop.bad)                 EFFECT_REASON_ROUTE
 *     any      answers none of the kernel's requests       EFFECT_REASON_NEIGHBOUR
 *     l2       a gateway                                   EFFECT_REASON_GATEWAY
 *     any      none, not resolved yet, or its port has     not at all: this is the node's own
 *              no carrier                                  trouble, and no news of the backend
 *
 * A backend in force is taken out after COMPILER_CUT_MS; a backend that is out already stays out. A
 * good verdict of a check through the tunnel outranks the next hop, since users' packets take the
 * same way. It does not if a probe has failed since: otherwise a slow check would keep a backend in
 * force whose packets are dropped.
 */
#include "dataplane/tables/compiler_internal.h"

#include <stdlib.h>

#include "base/clock.h"
#include "weir/health.h"
#include "weir/model.h"

/* Why the next hop takes a backend out: the table above. EFFECT_REASON_UNKNOWN: it does not. */
static enum effect_reason cut_of(const struct hop *hop, bool l2)
{
	if (hop->bad == HOP_BAD_ROUTE)
		return EFFECT_REASON_ROUTE;
	if (hop->bad == HOP_BAD_NEIGHBOUR)
		return EFFECT_REASON_NEIGHBOUR;
	return l2 && hop->state != HOP_NO_ROUTE && hop->state != HOP_NO_PORT && !hop->on_link
	               ? EFFECT_REASON_GATEWAY
	               : EFFECT_REASON_UNKNOWN;
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
	case EFFECT_REASON_ROUTE:
		return EFFECT_HOP_REFUSED;
	case EFFECT_REASON_NEIGHBOUR:
		return EFFECT_HOP_SILENT;
	case EFFECT_REASON_GATEWAY:
		return EFFECT_HOP_GATEWAY;
	default:
		return by_state[hop->state];
	}
}

void compiler_update_next_hop(struct compiler *n, uint32_t index, const struct addr *address,
                              bool l2)
{
	struct compiler_next_hop *next = &n->paths[index].next_hop, now = { 0 };
	struct hop hop;

	if (!n->hops || !hops_get(n->hops, address, &hop))
		return;
	now.cut = (uint8_t)cut_of(&hop, l2);
	now.hop = (uint8_t)shown_hop(&hop, l2);
	now.since_ms = hop.since_ms;
	n->next_hops_changed |= now.cut != next->cut;
	*next = now;
}

/*
 * Whether the check proves that users' packets arrive: it goes through the tunnel (to a backup it
 * always does), says up, and is not in doubt, inconclusive or restored from an earlier process.
 */
static bool is_reached(const struct compiler_pool *p, const struct compiler_backend *b,
                       health_word word)
{
	const struct model_check *check = plan_pool_of(p->plan, b->plan)->check;

	return check && check->type != MODEL_CHECK_EXTERNAL &&
	       (check->via == MODEL_VIA_TUNNEL || b->plan->class == PLAN_BACKUP) &&
	       health_state(word) == HEALTH_UP && !health_in_doubt(word) &&
	       !health_inconclusive(word) && !health_restored(word);
}

/*
 * Whether the backend is out because of its next hop. After a restart the reason is unknown and
 * counts as that.
 */
static bool is_out_by_next_hop(const struct compiler_backend *b)
{
	return b->known && !b->alive &&
	       (b->reason == EFFECT_REASON_UNKNOWN ||
	        effect_reason_is_path((enum effect_reason)b->reason));
}

/*
 * A backend in force is given COMPILER_CUT_MS: most troubles of next hops pass sooner. One that is
 * out for its path stays out at once, or it would come back for that long at each restart.
 */
enum effect_reason compiler_next_hop_reason(const struct compiler *n, const struct compiler_pool *p,
                                            const struct compiler_backend *b, health_word word,
                                            const struct compiler_time *time, uint64_t *at_ms)
{
	const struct compiler_next_hop *next = &n->paths[b->index].next_hop;
	uint64_t due_ms = next->since_ms + COMPILER_CUT_MS;

	if (!next->cut || is_reached(p, b, word))
		return EFFECT_REASON_UNKNOWN;
	if (due_ms <= time->now_ms || is_out_by_next_hop(b))
		return (enum effect_reason)next->cut;
	if (due_ms < *at_ms)
		*at_ms = due_ms;
	return EFFECT_REASON_UNKNOWN;
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

void compiler_report_check(struct compiler *n, struct compiler_backend *b, health_word word)
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
