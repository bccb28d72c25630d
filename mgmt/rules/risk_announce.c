/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a change does to the addresses that a node announces to routers: which of them it stops
 * announcing, and whether the routing daemon looks for them elsewhere. Addresses are compared, so
 * that a renamed VIP changes nothing, and neither does a list that names what was announced before.
 */
#include <stdlib.h>

#include "mgmt/rules/risk_internal.h"

static int compare_announced(const void *a, const void *b)
{
	return addr_compare(a, b);
}

struct risk_announced risk_announced(struct arena *arena, const struct model_announce *a)
{
	struct risk_announced out = { NULL, 0 };
	size_t n = a->n_dns;

	if (a->daemon == MODEL_DAEMON_NONE)
		return out;
	for (size_t i = 0; i < a->n_vips; i++)
		n += a->vips[i]->n_addresses;
	out.sorted = ARENA_ARRAY(arena, struct addr, n + 1);
	if (!out.sorted)
		return out;
	for (size_t i = 0; i < a->n_vips; i++)
		for (size_t k = 0; k < a->vips[i]->n_addresses; k++)
			out.sorted[out.n++] = a->vips[i]->addresses[k];
	for (size_t i = 0; i < a->n_dns; i++)
		out.sorted[out.n++] = a->dns[i];
	qsort(out.sorted, out.n, sizeof(*out.sorted), compare_announced);
	return out;
}

bool risk_announces(const struct risk_announced *list, const struct addr *address)
{
	return list->n &&
	       bsearch(address, list->sorted, list->n, sizeof(*list->sorted), compare_announced);
}

static const char *daemon_text(enum model_daemon daemon)
{
	return daemon == MODEL_DAEMON_BIRD ? "BIRD" : "FRR";
}

static void measure_announcement(struct risk_work *w, const char *subject,
                                 const struct model_announce *a, const struct model_announce *b)
{
	struct risk_announced before = risk_announced(w->arena, a),
	                      after = risk_announced(w->arena, b);
	size_t gone = 0;

	for (size_t i = 0; i < before.n; i++)
		gone += !risk_announces(&after, &before.sorted[i]);
	if (!before.n)
		return;
	risk_note(w, RISK_ANNOUNCE_STOPPED, (double)gone / (double)before.n, subject,
	          "%zu of its %zu announced addresses are not announced any more", gone, before.n);
	risk_note(w, RISK_ANNOUNCE_MOVED,
	          after.n && (a->daemon != b->daemon || a->table != b->table ||
	                      a->gshut_table != b->gshut_table),
	          subject, "announces by %s from tables %u and %u, was by %s from %u and %u",
	          daemon_text(b->daemon), b->table, b->gshut_table, daemon_text(a->daemon),
	          a->table, a->gshut_table);
}

void risk_measure_announcements(struct risk_work *w)
{
	for (size_t i = 0; i < w->from->n_nodes; i++) {
		const struct model_node *a = &w->from->nodes[i], *b = model_node(w->to, a->name);

		if (b) /* risk_nodes.c measures a node that is gone */
			measure_announcement(w, risk_text(w, "node %s", a->name), &a->announce,
			                     &b->announce);
	}
}
