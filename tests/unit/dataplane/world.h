/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small world for tests: a document made by hand, whose parts a test may change. It has no
 * arena, so whoever takes it frees nothing.
 */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_WORLD_H
#define WEIR_TESTS_UNIT_DATAPLANE_WORLD_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "weir/model.h"

#define NOW 1000000

/* A small world: two sites, a pool at each, a VIP with both families at ours, two services. */
struct world {
	struct model model;
	struct model_site sites[2];
	struct model_node node;
	struct model_pool pools[2];
	struct model_backend backends[2];
	struct model_member before[2], now[2], next[2];
	struct model_set sets[3];
	struct addr addresses[2];
	const struct model_site *lives_at[2];
	struct model_vip vip; /* at both sites */
	struct model_service services[2];
	struct model_at at[2], web_at[1]; /* the second: use_both_pools() of stage.h */
	struct model_override overrides[2];
};

static inline void addr_of(const char *text, struct addr *out)
{
	int err = addr_parse(text, out);

	assert(!err);
	(void)err;
}

static inline void make_sets(struct world *w)
{
	w->before[0] = (struct model_member){ .id = 5, .weight = 10 };
	w->before[1] = (struct model_member){ .id = 7, .weight = 10 }; /* no longer configured */
	w->now[0] = (struct model_member){ .id = 5, .weight = 20 };
	w->now[1] = (struct model_member){ .id = 9, .weight = 30 };
	w->next[0] = (struct model_member){ .id = 5, .weight = 0 };
	w->next[1] = (struct model_member){ .id = 9, .weight = 30 };
	w->sets[0] = (struct model_set){ 0, NOW + 500, w->before, 2 };
	w->sets[1] = (struct model_set){ NOW - 500, INT64_MAX, w->now, 2 };
	w->sets[2] = (struct model_set){ NOW + 2000, INT64_MAX, w->next, 2 };
}

static inline void make_pools(struct world *w)
{
	w->backends[0] = (struct model_backend){ .name = "a", .id = 5, .pool = &w->pools[0] };
	w->backends[1] = (struct model_backend){ .name = "b", .id = 9, .pool = &w->pools[0] };
	for (int i = 0; i < 2; i++)
		w->pools[i] = (struct model_pool){ .name = i ? "web-fra" : "web-ams",
			                           .site = &w->sites[i],
			                           .n_slots = 4096,
			                           .settle_ms = 60000,
			                           .idle_ms = 30000,
			                           .backends = w->backends,
			                           .n_backends = 2,
			                           .member_sets = w->sets,
			                           .n_member_sets = 3 };
}

static inline void make_services(struct world *w)
{
	addr_of("203.0.113.10", &w->addresses[0]);
	addr_of("2001:db8:1::10", &w->addresses[1]);
	for (size_t i = 0; i < 2; i++)
		w->lives_at[i] = &w->sites[i];
	w->vip = (struct model_vip){ .name = "shop",
		                     .sites = w->lives_at,
		                     .n_sites = 2,
		                     .addresses = w->addresses,
		                     .n_addresses = 2 };
	w->at[0] = (struct model_at){
		.site = &w->sites[0], .vip = &w->vip, .pool = &w->pools[0], .weight = 1
	};
	w->at[1] = (struct model_at){
		.site = &w->sites[1], .vip = &w->vip, .pool = &w->pools[1], .weight = 1
	};
	w->services[0] = (struct model_service){ .name = "dns",
		                                 .protocol = MODEL_UDP,
		                                 .port = 53,
		                                 .udp_idle_ms = 30000,
		                                 .at = w->at,
		                                 .n_at = 1 };
	w->services[1] = (struct model_service){ .name = "web",
		                                 .protocol = MODEL_TCP,
		                                 .port = 80,
		                                 .hash = MODEL_HASH_SOURCE,
		                                 .at = w->at,
		                                 .n_at = 2 };
}

static inline void make_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->sites[0] = (struct model_site){ .name = "ams" };
	w->sites[1] = (struct model_site){ .name = "fra", .index = 1 };
	w->node = (struct model_node){ .name = "ams-1", .site = &w->sites[0] };
	make_sets(w);
	make_pools(w);
	make_services(w);
	w->model = (struct model){ .cluster = "shop",
		                   .limits = { 16, 64, 8192, 1024 },
		                   .sites = w->sites,
		                   .n_sites = 2,
		                   .nodes = &w->node,
		                   .n_nodes = 1,
		                   .pools = w->pools,
		                   .n_pools = 2,
		                   .vips = &w->vip,
		                   .n_vips = 1,
		                   .services = w->services,
		                   .n_services = 2,
		                   .overrides = w->overrides,
		                   .self = &w->node };
}

#endif
