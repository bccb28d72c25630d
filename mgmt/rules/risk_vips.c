/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a change does to VIPs as routers see them. Where routers choose among the sites of a VIP, one site
 * more or less leads them to other backends. A VIP is known by its addresses, so that renaming it
 * changes nothing. One that moves from a site to another has lost its entries (risk_services.c).
 */
#include <string.h>

#include "mgmt/rules/risk_internal.h"

/* The first VIP of the new model that has an address of @p vip. */
static const struct model_vip *find_vip(const struct model *m, const struct model_vip *vip)
{
	for (size_t i = 0; i < m->n_vips; i++)
		if (risk_addresses_gone(vip->addresses, vip->n_addresses, m->vips[i].addresses,
		                        m->vips[i].n_addresses) < vip->n_addresses)
			return &m->vips[i];
	return NULL;
}

/* How many sites of @p a the VIP @p b, of another model, does not have; @p name: the last. */
static size_t sites_gone(const struct model_vip *a, const struct model_vip *b, const char **name)
{
	size_t gone = 0;

	for (size_t i = 0; i < a->n_sites; i++) {
		size_t k = 0;

		while (k < b->n_sites && strcmp(a->sites[i]->name, b->sites[k]->name) != 0)
			k++;
		if (k < b->n_sites)
			continue;
		gone++;
		*name = a->sites[i]->name;
	}
	return gone;
}

static bool is_announced(const struct model *m, const struct model_vip *vip)
{
	for (size_t i = 0; i < m->n_nodes; i++) {
		const struct model_announce *a = &m->nodes[i].announce;

		for (size_t k = 0; a->daemon != MODEL_DAEMON_NONE && k < a->n_vips; k++)
			if (a->vips[k] == vip)
				return true;
	}
	return false;
}

static void measure_when(struct risk_work *w, const struct model_vip *a, const struct model_vip *b)
{
	risk_note(w, RISK_ANNOUNCE_WHEN,
	          a->announce_when != b->announce_when && is_announced(w->from, a) &&
	                  is_announced(w->to, b),
	          risk_text(w, "VIP %s", a->name), "announce_when is %s",
	          b->announce_when == MODEL_ANNOUNCE_ALL ? "all" : "any");
}

static void measure_vip_sites(struct risk_work *w, const struct model_vip *a,
                              const struct model_vip *b)
{
	const char *lost = "", *won = "";
	const char *subject = risk_text(w, "VIP %s", a->name);
	size_t n_lost = sites_gone(a, b, &lost), n_won = sites_gone(b, a, &won);

	if (a->n_sites < 2 && b->n_sites < 2)
		return;
	risk_note(w, RISK_VIP_SITES, (double)n_lost / (double)a->n_sites, subject,
	          "%zu of its %zu sites are removed (%s)", n_lost, a->n_sites, lost);
	risk_note(w, RISK_VIP_SITES, (double)n_won / (double)b->n_sites, subject,
	          "%zu of its %zu sites are new (%s)", n_won, b->n_sites, won);
}

void risk_measure_vips(struct risk_work *w)
{
	for (size_t i = 0; i < w->from->n_vips; i++) {
		const struct model_vip *a = &w->from->vips[i], *b = find_vip(w->to, a);

		if (!b)
			continue;
		measure_vip_sites(w, a, b);
		measure_when(w, a, b);
	}
}
