/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All measures in their order: those of the cluster and of sites, and those of the other risk_*.c.
 */
#include "mgmt/rules/risk.h"

#include <string.h>

#include "mgmt/rules/risk_internal.h"

/* The figure 1 means all: a renamed cluster or another key concerns everything. */
static void measure_cluster(struct risk_work *w)
{
	const struct model_limits *a = &w->from->limits, *b = &w->to->limits;
	const struct {
		const char *name;
		uint32_t before, after;
	} tables[] = { { "services", a->services, b->services },
		       { "backends", a->backends, b->backends },
		       { "slots", a->slots, b->slots },
		       { "exceptions", a->exceptions, b->exceptions } };

	risk_note(w, RISK_CLUSTER_RENAMED, strcmp(w->from->cluster, w->to->cluster) != 0, "cluster",
	          "its name changes from %s to %s", w->from->cluster, w->to->cluster);
	risk_note(w, RISK_SITES_OUT, 1 - risk_times(w->to->max_sites_out, w->from->max_sites_out),
	          "cluster", "max_sites_out is %u, was %u", w->to->max_sites_out,
	          w->from->max_sites_out);
	bool keys_known =
	        w->from->key_state == MODEL_KEY_GOOD && w->to->key_state == MODEL_KEY_GOOD;

	risk_note(w, RISK_FLOWS_REHASHED,
	          strcmp(w->from->hash_key_id, w->to->hash_key_id) != 0 ||
	                  (keys_known && !model_has_same_key(w->from, w->to)),
	          "cluster", "all flows are hashed by another key (%s, was %s)", w->to->hash_key_id,
	          w->from->hash_key_id);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		risk_note(w, RISK_TABLES_SMALLER, 1 - risk_times(tables[i].before, tables[i].after),
		          risk_text(w, "limits.%s", tables[i].name), "%u, was %u", tables[i].after,
		          tables[i].before);
}

/* Without a capacity the guard `room` allows every drain. */
static void measure_capacity(struct risk_work *w, const char *subject, const char *field,
                             uint64_t before, uint64_t after)
{
	if (before)
		risk_note(w, RISK_CAPACITY_GUARD,
		          after ? risk_times((double)before, (double)after) : 1e6, subject,
		          "capacity.%s is %s", field, after ? "raised" : "removed");
}

static void measure_sites(struct risk_work *w)
{
	for (size_t i = 0; i < w->from->n_sites; i++) {
		const struct model_site *a = &w->from->sites[i], *b = model_site(w->to, a->name);
		const char *subject = risk_text(w, "site %s", a->name);

		if (!b) {
			risk_note(w, RISK_SITE_GONE, 1, subject, "removed");
			continue;
		}
		measure_capacity(w, subject, "bits", a->capacity_bits, b->capacity_bits);
		measure_capacity(w, subject, "new_flows", a->capacity_flows, b->capacity_flows);
	}
	for (size_t i = 0; i < w->from->n_nodes; i++) {
		const struct model_node *a = &w->from->nodes[i], *b = model_node(w->to, a->name);

		if (b)
			measure_capacity(w, risk_text(w, "node %s", a->name), "bits",
			                 a->capacity_bits, b->capacity_bits);
	}
}

size_t risk_find(const struct model *from, const struct model *to, struct arena *arena,
                 const struct risk **out, size_t *n_all)
{
	struct risk_work w = { .from = from, .to = to, .arena = arena };

	*out = NULL;
	*n_all = 0;
	w.items = ARENA_ARRAY(arena, struct risk, RISK_SHOWN_MAX);
	if (!w.items)
		return 0;
	measure_cluster(&w);
	measure_sites(&w);
	risk_measure_nodes(&w);
	risk_measure_services(&w);
	risk_measure_vips(&w);
	risk_measure_announcements(&w);
	risk_measure_pools(&w);
	risk_measure_checks(&w);
	risk_measure_names(&w);
	risk_measure_zones(&w);
	*out = w.items;
	*n_all = w.n_all;
	return w.n;
}

size_t risk_find_left_out(const struct risk_left_out *list, size_t n, struct arena *arena,
                          const struct risk *risks, size_t n_risks, size_t *n_all)
{
	struct risk_work w = {
		NULL, NULL, arena, (struct risk *)(uintptr_t)risks, n_risks, *n_all
	};

	for (size_t i = 0; i < n; i++)
		risk_note(&w, RISK_LEFT_OUT, (double)list[i].n_out,
		          risk_text(&w, "pool %s", list[i].pool),
		          "%zu of %zu registered backends have no place any more (max_backends, "
		          "prefixes, names and addresses)",
		          list[i].n_out, list[i].n_all);
	*n_all = w.n_all;
	return w.n;
}

size_t risk_find_lost(const struct model *from, const struct model *to,
                      const struct model_override *list, size_t n, struct arena *arena,
                      const struct risk *risks, size_t n_risks, size_t *n_all)
{
	struct risk_work w = { from, to, arena, (struct risk *)(uintptr_t)risks, n_risks, *n_all };

	risk_measure_lost(&w, list, n);
	*n_all = w.n_all;
	return w.n;
}
