/* SPDX-License-Identifier: BSD-2-Clause */
/* A world for facts of operations: what each of three nodes says is a text. */
#ifndef WEIR_TESTS_MGMT_OPERATION_WORLD_H
#define WEIR_TESTS_MGMT_OPERATION_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/controller/operation_measure.h"
#include "mgmt/controller/operation_show.h"
#include "mgmt/controller/operation_snapshot.h"
#include "mgmt/overrides/override.h"

/* Two sites: ams with two nodes, fra with one; a service at both. */
struct world {
	struct model_site sites[2];
	struct model_node nodes[3];
	struct model_pool pools[2];
	struct model_vip vips[2];
	const struct model_site *vip_sites[2];
	struct model_at at[2];
	struct model_service service;
	struct model_dns_name name;
	struct model m;
	struct operation_snapshot snapshot;
	struct operation op;
	struct operation_observed observed;
};

static struct world *make_world(void)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->sites[0] = (struct model_site){ .name = "ams", .index = 0 };
	w->sites[1] = (struct model_site){ .name = "fra", .index = 1, .capacity_flows = 100 };
	w->nodes[0] = (struct model_node){ .name = "ams-1", .site = &w->sites[0], .api = "" };
	w->nodes[1] = (struct model_node){ .name = "ams-2", .site = &w->sites[0], .api = "" };
	w->nodes[2] = (struct model_node){ .name = "fra-1", .site = &w->sites[1], .api = "" };
	for (size_t i = 0; i < 2; i++) {
		w->pools[i] = (struct model_pool){ .name = i ? "web-fra" : "web-ams",
			                           .site = &w->sites[i] };
		w->vip_sites[i] = &w->sites[i];
		w->vips[i] = (struct model_vip){ .name = i ? "v-fra" : "v-ams",
			                         .sites = &w->vip_sites[i],
			                         .n_sites = 1 };
		w->at[i] = (struct model_at){ .site = &w->sites[i],
			                      .vip = &w->vips[i],
			                      .pool = &w->pools[i] };
	}
	w->service = (struct model_service){ .name = "web", .at = w->at, .n_at = 2 };
	w->name = (struct model_dns_name){ .name = "www", .service = &w->service, .ttl_max_s = 7 };
	w->m = (struct model){ .sites = w->sites,
		               .n_sites = 2,
		               .nodes = w->nodes,
		               .n_nodes = 3,
		               .pools = w->pools,
		               .n_pools = 2,
		               .vips = w->vips,
		               .n_vips = 2,
		               .services = &w->service,
		               .n_services = 1,
		               .dns_names = &w->name,
		               .n_dns_names = 1,
		               .max_sites_out = 1,
		               .self = &w->nodes[2] };
	w->snapshot.m = &w->m;
	w->snapshot.now_ms = 1790000000000;
	w->snapshot.n_reports = 3;
	snprintf(w->snapshot.self, sizeof(w->snapshot.self), "fra-1");
	for (size_t i = 0; i < 3; i++)
		w->snapshot.reports[i].node = &w->nodes[i];
	w->snapshot.reports[2].self = w->snapshot.reports[2].reached = true;
	snprintf(w->op.id, sizeof(w->op.id), "o1");
	snprintf(w->op.owner, sizeof(w->op.owner), "fra-1");
	w->op.epoch = 3;
	w->op.n_targets = 1;
	snprintf(w->op.targets[0].site, sizeof(w->op.targets[0].site), "ams");
	snprintf(w->op.targets[0].override_id, sizeof(w->op.targets[0].override_id), "v1");
	return w;
}

static json_t *parse_text(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	return json;
}

static inline void give_report(struct world *w, size_t node, const char *measure)
{
	json_decref(w->snapshot.reports[node].measure);
	w->snapshot.reports[node].measure = parse_text(measure);
	w->snapshot.reports[node].reached = true;
}

static void free_world(struct world *w)
{
	for (size_t i = 0; i < 3; i++) {
		json_decref(w->snapshot.reports[i].levels);
		json_decref(w->snapshot.reports[i].measure);
	}
	free(w);
}

static inline const struct operation_site *gather_ams(struct world *w)
{
	operation_gather(&w->snapshot, &w->op, 1000, &w->observed);
	assert_int_equal(w->observed.facts.n_sites, 2);
	return &w->observed.sites[0];
}

#define FLOWS(new, own, backup)                                                                    \
	"{\"bits_per_s\":1000,\"flows\":{\"window_ms\":10000,\"services\":[{\"service\":\"web\","  \
	"\"new_milli\":" #new ",\"silent_ppm\":0,\"repeated_ppm\":0}],"                            \
	                      "\"pools\":[{\"pool\":\"web-ams\",\"own_milli\":" #own               \
	                      ",\"backup_milli\":" #backup                                         \
	                      ",\"own_packets_milli\":90000}],\"drops\":{}}}"

#endif
