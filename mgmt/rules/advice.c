/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists over the new model in its order, with all texts copied to the plan's arena, so that a plan
 * outlives both models. Nothing here returns an error: without memory a list stays empty, and the
 * arena has failed, which the plan's maker checks.
 */
#include "mgmt/rules/advice.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "weir/model.h"

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

/*
 * A plan says what the other site must be ready for when a backup is new or has changed, and in each
 * case what limits the backup as it is configured.
 */

#define SENTENCES_MAX 4u /* of one service at one site */

static const struct model_at *same_at(const struct model *m, const struct model_service *service,
                                      const struct model_at *at)
{
	const struct model_service *s = m ? model_service(m, service->name) : NULL;

	return s ? model_service_at(s, at->site->name) : NULL;
}

/* Whether the other site's backends may have to be made ready for this. */
static bool is_news(const struct model *from, const struct model_service *service,
                    const struct model_at *at)
{
	const struct model_at *was = same_at(from, service, at);

	return !was || !was->backup || strcmp(was->backup->name, at->backup->name) != 0 ||
	       strcmp(was->vip->name, at->vip->name) != 0 || was->backup_mtu != at->backup_mtu ||
	       was->backup->mode != at->backup->mode;
}

/* The tunnel sources of a site's nodes, as a list. */
static const char *list_sources(const struct model *m, const struct model_site *site,
                                struct arena *arena)
{
	const char *list = "";

	for (size_t i = 0; list && i < m->n_nodes; i++) {
		const struct prefix *sources[2] = { &m->nodes[i].tunnel_source4,
			                            &m->nodes[i].tunnel_source6 };
		char text[ADDR_LONG_TEXT_MAX];

		for (size_t k = 0; m->nodes[i].site == site && k < 2; k++)
			if (sources[k]->bits)
				list = arena_printf(arena, "%s%s%s", list, *list ? ", " : "",
				                    prefix_text(sources[k], text));
	}
	return list ? list : "";
}

/* "1500", or of nodes with different MTUs "1500 to 9000" */
static const char *size_text(const struct model *m, const struct model_at *at, struct arena *arena)
{
	unsigned least = 0, most = 0;

	for (size_t i = 0; i < m->n_nodes; i++) {
		const struct model_node *node = &m->nodes[i];
		unsigned mtu = at->backup_mtu ? at->backup_mtu : node->mtu;

		if (node->site != at->site)
			continue;
		least = !least || mtu < least ? mtu : least;
		most = mtu > most ? mtu : most;
	}
	const char *text = least == most ? arena_printf(arena, "%u", most)
	                                 : arena_printf(arena, "%u to %u", least, most);
	return text ? text : "";
}

static bool exceeds_capacity(const struct model_at *at)
{
	const struct model_site *site = at->backup->site;

	return (site->capacity_flows && at->backup_max_flows > site->capacity_flows) ||
	       (site->capacity_bits && at->backup_max_bits > site->capacity_bits);
}

static size_t advise_at(const struct model *from, const struct model *to,
                        const struct model_service *s, const struct model_at *at,
                        struct arena *arena, const char **list)
{
	const char *where = arena_printf(arena, "service %s at site %s: backup pool %s", s->name,
	                                 at->site->name, at->backup->name);
	size_t n = 0;

	if (!where)
		return 0;
	if (is_news(from, s, at))
		list[n++] = arena_printf(
		        arena,
		        "%s: its backends need the addresses of VIP %s on their loopback, their "
		        "agents must accept tunnels (%s) from %s; packets of %s bytes must get "
		        "through, and filters at site %s must permit replies from these "
		        "addresses, which no probe can prove; weir status shows whether probes "
		        "through the tunnel are answered, and what they lack",
		        where, at->vip->name,
		        at->backup->mode == MODEL_MODE_GUE ? "GUE" : "IP in IP",
		        list_sources(to, at->site, arena), size_text(to, at, arena),
		        at->backup->site->name);
	if (!at->backup->check)
		list[n++] = arena_printf(arena,
		                         "%s: it has no check, so it counts as up and serves this "
		                         "site even when it is dead",
		                         where);
	if (at->pool->agent)
		list[n++] = arena_printf(
		        arena,
		        "%s: with a backup the nodes remember flows themselves and agents pass "
		        "none on (no second chance) for services that lead to pool %s",
		        where, at->pool->name);
	if (exceeds_capacity(at))
		list[n++] = arena_printf(
		        arena, "%s: backup_max is more than the stated capacity of site %s", where,
		        at->backup->site->name);
	return n;
}

/* Room for the sentences of add_backups(). */
static size_t count_backups(const struct model *to)
{
	size_t n = 0;

	for (size_t i = 0; i < to->n_services; i++)
		n += to->services[i].n_at * SENTENCES_MAX;
	return n;
}

/* Add sentences to @p list. @return how many */
static size_t add_backups(const struct model *from, const struct model *to, struct arena *arena,
                          const char **list)
{
	size_t n = 0;

	for (size_t i = 0; i < to->n_services; i++)
		for (size_t k = 0; k < to->services[i].n_at; k++)
			if (to->services[i].at[k].backup)
				n += advise_at(from, to, &to->services[i], &to->services[i].at[k],
				               arena, list + n);
	return n;
}

/*
 * Slots of a pool are fixed while it is there: with another number, or with or without agents, it gets new ones beside the
 * old ones, which packets still use.
 */
static bool keeps_slots(const struct model_table *a, const struct model_table *b)
{
	return a->id == b->id && a->pool->n_slots == b->pool->n_slots &&
	       (b->backup || a->pool->agent == b->pool->agent);
}

/* The slots of @p to at a site that are not those of @p from, with those of @p from. */
static uint64_t count_slots(const struct model_table *from, size_t n_from,
                            const struct model_table *to, size_t n_to)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n_from; i++)
		sum += from[i].pool->n_slots;
	for (size_t i = 0; i < n_to; i++) {
		size_t k = 0;

		while (k < n_from && !keeps_slots(&from[k], &to[i]))
			k++;
		sum += k == n_from ? to[i].pool->n_slots : 0;
	}
	return sum;
}

/* Add sites whose nodes will refuse the change. @return how many */
static size_t add_slots(const struct model *from, const struct model *to, struct arena *arena,
                        const char **list)
{
	struct model_table *before = ARENA_ARRAY(arena, struct model_table, model_tables_max(from)),
	                   *after = ARENA_ARRAY(arena, struct model_table, model_tables_max(to));
	size_t n = 0;

	for (size_t i = 0; before && after && i < to->n_sites; i++) {
		const struct model_site *site = model_site(from, to->sites[i].name);
		size_t n_before = site ? model_tables(from, site, before) : 0;
		uint64_t slots = count_slots(before, n_before, after,
		                             model_tables(to, &to->sites[i], after));

		if (n_before && slots > to->limits.slots)
			list[n++] = arena_printf(
			        arena,
			        "site %s: its nodes will refuse the change: pools that change have "
			        "old and new slots at once, %" PRIu64
			        " together; raise limits.slots (%" PRIu32 ")",
			        to->sites[i].name, slots, to->limits.slots);
	}
	return n;
}

static void add_warnings(const struct model *from, const struct model *to, struct arena *arena,
                         struct advice *out)
{
	const char **list =
	        ARENA_ARRAY(arena, const char *,
	                    to->n_services + to->n_nodes + to->n_sites + count_backups(to) + 1);

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
		out->n_warnings += add_backups(from, to, arena, list + out->n_warnings);
	if (list && from)
		out->n_warnings += add_slots(from, to, arena, list + out->n_warnings);
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
