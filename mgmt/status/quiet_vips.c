/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is not known makes no VIP quiet: neither a counter that cannot be read, nor an export that
 * the routing daemon has not confirmed, nor a peer that is not heard.
 */
#include "mgmt/status/quiet_vips.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/peers/exchange.h"
#include "mgmt/observe/observe.h"
#include "mgmt/status/observer.h"
#include "mgmt/json/announcement.h"
#include "weir/announce.h"
#include "weir/condition.h"
#include "weir/proof.h"

static bool is_quiet(struct core *core, const struct announcements *a,
                     const struct announcement *it)
{
	struct announcement_traffic t;

	if (!it->vip || !it->shown || it->shown->table != ANNOUNCE_NORMAL ||
	    a->now_ms < it->shown->since_ms + QUIET_VIPS_MS ||
	    announcement_exported(a, it) != PROOF_YES || !observe_vip_traffic(core, it->vip, &t))
		return false;
	return a->now_ms >= t.since_ms + QUIET_VIPS_MS && a->now_ms >= t.arrived_ms + QUIET_VIPS_MS;
}

static bool is_listed(const struct quiet_vips *q, const char *vip)
{
	for (size_t i = 0; i < q->n; i++)
		if (!strcmp(q->found[i].vip, vip))
			return true;
	return false;
}

/* Another node of the site at which packets for @vip arrive; NULL: none is known. Under the lock. */
static const char *find_receiver(const struct core *core, const struct model *m, const char *vip,
                                 uint64_t now_ms)
{
	for (size_t i = 0; i < m->n_nodes; i++) {
		const struct model_node *node = &m->nodes[i];

		if (node == m->self || node->site != m->self->site)
			continue;
		const struct exchange_word *w = exchange_hear(core, node->name).arrivals;

		if (w && now_ms < w->true_ms + EXCHANGE_PASS_MS && json_has_true(w->body, vip))
			return node->name;
	}
	return NULL;
}

static void note_quiet(struct core *core, const struct model *m, struct quiet_vips *q,
                       const char *vip, uint64_t now_ms)
{
	struct quiet_vip *to = &q->found[q->n];

	core_lock(core);
	const char *node = find_receiver(core, m, vip, now_ms);

	if (node) {
		snprintf(to->vip, sizeof(to->vip), "%s", vip);
		snprintf(to->node, sizeof(to->node), "%s", node);
		q->n++;
	}
	core_unlock(core);
}

void quiet_vips_look(struct core *core, const struct model *m)
{
	struct quiet_vips *to = &core->observer->quiet, q = { .looked_ms = clock_mono_ms() };
	struct announcements a;

	if (to->looked_ms && q.looked_ms < to->looked_ms + QUIET_VIPS_EVERY_MS)
		return;
	if (announcements_apply(m)) {
		int err = announcements_read(core->dirs.run, m, q.looked_ms, &a);

		for (size_t i = 0; !err && i < a.n && q.n < QUIET_VIPS_MAX; i++)
			if (is_quiet(core, &a, &a.items[i]) && !is_listed(&q, a.items[i].vip))
				note_quiet(core, m, &q, a.items[i].vip, q.looked_ms);
		announcements_fini(&a);
	}
	core_lock(core);
	*to = q;
	core_unlock(core);
}

void quiet_vips_state(const struct core *core)
{
	const struct quiet_vips *q = core->observer ? &core->observer->quiet : NULL;

	for (size_t i = 0; q && i < q->n; i++)
		conditions_add(core->stats, "vip-without-packets", CONDITION_DEGRADED,
		               q->found[i].vip,
		               "announced and exported for a minute, and no packet has arrived, "
		               "while node %s gets some: look at the routers' paths to this node "
		               "(equal cost, next hop) and at the ports",
		               q->found[i].node);
}
