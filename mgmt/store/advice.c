/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists over the new model in its order, with all texts copied to the plan's arena, so that a plan
 * outlives both models. Nothing here returns an error: without memory a list stays empty, and the
 * arena has failed, which the plan's maker checks.
 */
#include "mgmt/store/advice.h"

#include <string.h>

#include "base/arena.h"
#include "mgmt/store/advice_backup.h"

const char *advice_unwatched(const struct model_service *service)
{
	if (!model_service_is_unwatched(service))
		return NULL;
	if (service->vip_check_from != MODEL_VIP_CHECK_OFF && model_service_is_shared(service))
		return "a VIP of several sites has no check, so when all of its sites are dead, "
		       "its addresses stay in the answers until an operator drains these sites";
	return service->vip_check_from == MODEL_VIP_CHECK_OFF
	               ? "vip_check is \"none\": no other site probes the VIPs, so a dead site "
	                 "stays in the answers until an operator drains it"
	               : "UDP has no default check of the VIPs, so a dead site stays in the "
	                 "answers until an operator drains it; name a check in "
	                 "services[].vip_check";
}

/* The daemon is "none" by default, so a group without it looks complete and does nothing. */
const char *advice_unannounced(const struct model_node *node)
{
	const struct model_announce *a = &node->announce;

	if (a->daemon != MODEL_DAEMON_NONE || (!a->lists_vips && !a->n_dns))
		return NULL;
	return "announce.daemon is \"none\", so the node announces nothing; name bird or frr, or "
	       "leave the group announce out";
}

static void add_warnings(const struct model *from, const struct model *to, struct arena *arena,
                         struct advice *out)
{
	const char **list = ARENA_ARRAY(arena, const char *,
	                                to->n_services + to->n_nodes + advice_backups_max(to) + 1);

	for (size_t i = 0; list && i < to->n_services; i++) {
		const char *reason = advice_unwatched(&to->services[i]);

		if (reason)
			list[out->n_warnings++] =
			        arena_printf(arena, "service %s: %s", to->services[i].name, reason);
	}
	for (size_t i = 0; list && i < to->n_nodes; i++) {
		const char *reason = advice_unannounced(&to->nodes[i]);

		if (reason)
			list[out->n_warnings++] =
			        arena_printf(arena, "node %s: %s", to->nodes[i].name, reason);
	}
	if (list)
		out->n_warnings += advice_backups(from, to, arena, list + out->n_warnings);
	out->warnings = list;
}

static const struct model_vip *vip_called(const struct model *m, const char *name)
{
	for (size_t i = 0; i < m->n_vips; i++)
		if (strcmp(m->vips[i].name, name) == 0)
			return &m->vips[i];
	return NULL;
}

static void add_probes(const struct model *from, const struct model *to, struct arena *arena,
                       struct advice *out)
{
	struct advice_probes *list = ARENA_ARRAY(arena, struct advice_probes, to->n_vips + 1);

	for (size_t i = 0; list && i < to->n_vips; i++) {
		const struct model_vip *was = from ? vip_called(from, to->vips[i].name) : NULL;
		struct advice_probes *p = &list[out->n_probes++];

		p->vip = arena_strdup(arena, to->vips[i].name);
		p->n_nodes = model_probes(to, &to->vips[i], &p->milli_per_s);
		if (was)
			model_probes(from, was, &p->milli_per_s_before);
	}
	out->probes = list;
}

static void add_nodes(const struct model *to, struct arena *arena, struct advice *out)
{
	struct advice_node *list = ARENA_ARRAY(arena, struct advice_node, to->n_nodes + 1);

	for (size_t s = 0; list && s < to->n_sites; s++)
		for (size_t i = 0; i < to->n_nodes; i++)
			if (to->nodes[i].site == &to->sites[s])
				list[out->n_nodes++] = (struct advice_node){
					arena_strdup(arena, to->sites[s].name),
					arena_strdup(arena, to->nodes[i].name),
				};
	out->nodes = list;
}

/* The backends are counted first, as an arena cannot grow a list. */
static void add_backends(const struct model *to, struct arena *arena, struct advice *out)
{
	struct advice_backend *list;
	size_t n = 0;

	for (size_t i = 0; i < to->n_pools; i++)
		n += to->pools[i].n_backends;
	list = ARENA_ARRAY(arena, struct advice_backend, n + 1);
	for (size_t i = 0; list && i < to->n_pools; i++) {
		const struct model_pool *pool = &to->pools[i];
		const char *site = arena_strdup(arena, pool->site->name);
		const char *name = arena_strdup(arena, pool->name);

		for (size_t k = 0; k < pool->n_backends; k++)
			list[out->n_backends++] = (struct advice_backend){
				site, name, arena_strdup(arena, pool->backends[k].name),
				pool->backends[k].address, pool->mode == MODEL_MODE_L2
			};
	}
	out->backends = list;
}

struct advice advice_of(const struct model *from, const struct model *to, struct arena *arena)
{
	struct advice out = { 0 };

	add_warnings(from, to, arena, &out);
	add_probes(from, to, arena, &out);
	add_nodes(to, arena, &out);
	add_backends(to, arena, &out);
	return out;
}
