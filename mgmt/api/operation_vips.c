/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which VIPs are announced with proof. A VIP is announced by a node when a neighbour gets each of its
 * addresses, of both families. Each node says which of its VIPs are not, as these are few; a node
 * without a routing daemon announces by other means, and is asked nothing.
 *
 * A site is announced when each of its nodes announces all that it should. A VIP that it shares is
 * announced elsewhere when one node of another site announces that VIP, not just any.
 */
#include "mgmt/api/operation_sites_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "mgmt/api/guard_facts.h"
#include "mgmt/api/operation_measure.h"
#include "mgmt/json/announcement.h"
#include "weir/proof.h"

#define VIPS_MAX 256u /* of one node that are listed; if there are more, the others are unknown */

/* --- what this node says --- */

json_t *operation_vips_json(struct core *core, const struct model *m)
{
	struct guard_said own;
	json_t *list = !guard_facts_own(core, &own) && own.words ? json_object() : NULL;

	for (size_t i = 0; list && i < m->n_vips && json_object_size(list) < VIPS_MAX; i++) {
		enum guard_announced said = guard_said_of(&own, hash_text(m->vips[i].name));

		if (model_node_announces(m->self, &m->vips[i]) && said != GUARD_ANNOUNCED)
			json_object_set_new(
			        list, m->vips[i].name,
			        json_string(said == GUARD_ANNOUNCED_UNKNOWN ? "unknown" : "no"));
	}
	guard_said_free(&own);
	return list;
}

json_t *operation_announced_json(const struct core *core, const struct model *m)
{
	struct announcements a;
	char text[ADDR_TEXT_MAX];
	json_t *all = NULL;

	if (!announcements_read(core->dirs.run, m, clock_mono_ms(), &a))
		all = json_object();
	for (size_t i = 0; all && i < a.n; i++)
		json_object_set_new(
		        all, addr_text(&a.items[i].address, text),
		        json_pack("{s:s, s:s}", "intended", announcement_intended(&a.items[i]),
		                  "exported",
		                  proof_fact_text((enum proof_fact)announcement_exported(
		                          &a, &a.items[i]))));
	announcements_fini(&a);
	return all;
}

/* --- what all say --- */

/* Whether a node that should announce the VIP does. */
static enum operation_truth is_announced(const struct operation_report *report,
                                         const struct model_vip *vip)
{
	const json_t *left = json_object_get(report->measure, "unannounced");
	const char *word = json_get_text(left, vip->name);

	if (!json_is_object(left))
		return OPERATION_UNKNOWN;
	if (word)
		return strcmp(word, "no") != 0 ? OPERATION_UNKNOWN : OPERATION_NO;
	return json_object_size(left) < VIPS_MAX ? OPERATION_YES : OPERATION_UNKNOWN;
}

/* Whether another site, that the operation does not move, announces it. */
static enum operation_truth is_elsewhere(const struct operation_snapshot *v,
                                         const struct operation *op, const struct model_vip *vip)
{
	enum operation_truth best = OPERATION_NO;

	for (size_t i = 0; i < v->n_reports; i++) {
		const struct operation_report *report = &v->reports[i];

		if (operation_targets_site(op, report->node->site->name) ||
		    !model_node_announces(report->node, vip))
			continue;
		enum operation_truth one = is_announced(report, vip);
		if (one == OPERATION_YES)
			return one;
		if (one == OPERATION_UNKNOWN)
			best = one;
	}
	return best;
}

/* All nodes of the site that are not named absent. */
static enum operation_truth is_here(const struct operation_snapshot *v, const struct operation *op,
                                    const struct model_vip *vip, const char *site)
{
	enum operation_truth all = OPERATION_YES;

	for (size_t i = 0; i < v->n_reports; i++) {
		const struct operation_report *report = &v->reports[i];

		if (!strcmp(report->node->site->name, site) &&
		    !operation_is_without(op, report->node->name) &&
		    model_node_announces(report->node, vip))
			all = operation_both(all, is_announced(report, vip));
	}
	return all;
}

static bool has_node(const struct operation_snapshot *v, const struct operation *op,
                     const char *site)
{
	for (size_t i = 0; i < v->n_reports; i++)
		if (!strcmp(v->reports[i].node->site->name, site) &&
		    !operation_is_without(op, v->reports[i].node->name))
			return true;
	return false;
}

/* The VIPs of what the operation moves. */
static enum operation_truth are_here(const struct operation_snapshot *v, const struct operation *op,
                                     const char *site)
{
	enum operation_truth all = OPERATION_YES;

	for (size_t i = 0; i < v->m->n_services; i++) {
		const struct model_service *s = &v->m->services[i];

		for (size_t k = 0; operation_moves_service(op, s->name) && k < s->n_at; k++)
			if (s->at[k].vip && !strcmp(s->at[k].site->name, site))
				all = operation_both(all, is_here(v, op, s->at[k].vip, site));
	}
	return all;
}

void operation_gather_vips(const struct operation_snapshot *v, const struct operation *op,
                           struct operation_site *s)
{
	const struct model_site *site = model_site(v->m, s->name);

	s->announced = has_node(v, op, s->name) ? are_here(v, op, s->name) : OPERATION_UNKNOWN;
	s->elsewhere = OPERATION_YES;
	for (size_t i = 0; site && i < v->m->n_vips; i++)
		if (v->m->vips[i].n_sites > 1 && model_vip_is_at(&v->m->vips[i], site))
			s->elsewhere =
			        operation_both(s->elsewhere, is_elsewhere(v, op, &v->m->vips[i]));
}
