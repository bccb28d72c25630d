/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plan says what the other site must be ready for when a backup is new or has changed, and in each
 * case what limits the backup as it is configured.
 */
#include "mgmt/store/advice_backup.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "weir/model.h"

#define SENTENCES_MAX 4u /* of one service at one site */

static const struct model_at *same_at(const struct model *m, const struct model_service *service,
                                      const struct model_at *at)
{
	const struct model_service *s = m ? model_service(m, service->name) : NULL;

	for (size_t k = 0; s && k < s->n_at; k++)
		if (!strcmp(s->at[k].site->name, at->site->name))
			return &s->at[k];
	return NULL;
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

size_t advice_backups_max(const struct model *to)
{
	size_t n = 0;

	for (size_t i = 0; i < to->n_services; i++)
		n += to->services[i].n_at * SENTENCES_MAX;
	return n;
}

size_t advice_backups(const struct model *from, const struct model *to, struct arena *arena,
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
