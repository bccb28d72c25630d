/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Facts of sites: up as observed from outside, taken out by others, pools, announcements, answers.
 * What arrives at them is in operation_site_flows.c.
 */
#include "mgmt/api/operation_sites_internal.h"

#include <stdio.h>
#include <string.h>

#include "mgmt/api/keys_gather.h"
#include "mgmt/api/operation_backups.h"

/* --- as observed from outside --- */

struct outside_votes {
	unsigned n_up, n_down, n_failing, n_checked;
};

static void count_vote(const struct operation_report *report, const char *site,
                       struct outside_votes *votes)
{
	const json_t *row =
	        operation_find_row(json_object_get(report->measure, "sites"), "site", site);

	if (!row)
		return;
	votes->n_up += json_has_true(row, "up");
	votes->n_down += json_is_false(json_object_get(row, "up"));
	votes->n_failing += json_has_true(row, "failing");
	votes->n_checked += json_has_true(row, "checked");
}

/* Nodes of other sites say; only where there is none of them, the site's own do. */
static void gather_outside(const struct operation_snapshot *v, struct operation_site *s)
{
	struct outside_votes votes = { 0 };

	for (int own = 0; own < 2 && votes.n_up + votes.n_down == 0; own++)
		for (size_t i = 0; i < v->n_reports; i++)
			if (!strcmp(v->reports[i].node->site->name, s->name) == (own != 0))
				count_vote(&v->reports[i], s->name, &votes);
	s->checked = votes.n_checked > 0;
	if (votes.n_up + votes.n_down == 0)
		return;
	if (votes.n_up != votes.n_down)
		s->up = operation_truth_of(votes.n_up > votes.n_down);
	if (s->checked)
		s->failing = operation_truth_of(votes.n_failing > 0);
}

/* --- taken out by others --- */

static bool puts_site_out(const struct operation_snapshot *v, const struct operation *op,
                          const struct override *o, const char *site)
{
	if (o->target != MODEL_TARGET_SITE || strcmp(o->name, site) != 0 ||
	    operation_has_override(op, o->id) || override_is_done(o, v->now_ms))
		return false;
	if (o->is_step && *o->service && strcmp(o->service, op->service) != 0)
		return false;
	if (o->kind == MODEL_OVERRIDE_DISABLE)
		return o->from_ms <= v->now_ms;
	return o->kind == MODEL_OVERRIDE_DRAIN &&
	       overrides_level(&v->overrides, o, v->now_ms) == MODEL_PPM_ALL;
}

static bool is_node_drained(const struct operation_snapshot *v, const char *node)
{
	for (size_t i = 0; i < v->overrides.n_items; i++) {
		const struct override *o = &v->overrides.items[i];

		if (o->target == MODEL_TARGET_NODE && !strcmp(o->name, node) &&
		    (o->kind == MODEL_OVERRIDE_DRAIN || o->kind == MODEL_OVERRIDE_DISABLE) &&
		    o->from_ms <= v->now_ms && !override_is_done(o, v->now_ms))
			return true;
	}
	return false;
}

static bool are_nodes_drained(const struct operation_snapshot *v, const char *site)
{
	size_t n = 0, n_drained = 0;

	for (size_t i = 0; i < v->n_reports; i++) {
		if (strcmp(v->reports[i].node->site->name, site) != 0)
			continue;
		n++;
		n_drained += is_node_drained(v, v->reports[i].node->name);
	}
	return n > 0 && n == n_drained;
}

static void gather_out(const struct operation_snapshot *v, const struct operation *op,
                       struct operation_site *s)
{
	s->out = operation_truth_of(are_nodes_drained(v, s->name));
	for (size_t i = 0; i < v->overrides.n_items; i++)
		if (puts_site_out(v, op, &v->overrides.items[i], s->name))
			s->out = OPERATION_YES;
	for (size_t i = 0; i < v->n_held; i++)
		s->held = s->held ||
		          (!strcmp(v->held[i].site, s->name) && strcmp(v->held[i].id, op->id) != 0);
}

/* --- pools --- */

/* Whether a node of the site says that @p pool is above its least. */
static enum operation_truth pool_is_well(const json_t *measure, const char *pool)
{
	const json_t *row = operation_find_row(json_object_get(measure, "pools"), "pool", pool);
	uint64_t up, unknown, least;

	if (!row || !operation_read_count(row, "up_ppm", &up) ||
	    !operation_read_count(row, "unknown_ppm", &unknown) ||
	    !operation_read_count(row, "min_ppm", &least))
		return OPERATION_UNKNOWN;
	if (up > 0 && up >= least)
		return OPERATION_YES;
	return up + unknown < least || up + unknown == 0 ? OPERATION_NO : OPERATION_UNKNOWN;
}

/* What one node of the site says of all pools that the operation's services have there. */
static enum operation_truth pools_by_node(const struct operation_snapshot *v,
                                          const struct operation *op, const char *site,
                                          const json_t *measure)
{
	enum operation_truth all = OPERATION_YES;

	for (size_t i = 0; i < v->m->n_services; i++) {
		const struct model_at *at = model_service_at(&v->m->services[i], site);

		if (at && operation_moves_service(op, v->m->services[i].name))
			all = operation_both(all, pool_is_well(measure, at->pool->name));
	}
	return all;
}

/* One node that knows is enough; if nodes disagree, the worse counts. */
static void gather_pools(const struct operation_snapshot *v, const struct operation *op,
                         struct operation_site *s)
{
	for (size_t i = 0; i < v->n_reports; i++) {
		if (strcmp(v->reports[i].node->site->name, s->name) != 0 || !v->reports[i].measure)
			continue;
		enum operation_truth one = pools_by_node(v, op, s->name, v->reports[i].measure);

		if (one == OPERATION_NO || s->pools == OPERATION_UNKNOWN)
			s->pools = one;
	}
}

/* --- the rest of a site --- */

static bool is_name_served(const struct operation_snapshot *v, const struct operation *op,
                           const char *site)
{
	for (size_t i = 0; i < v->m->n_dns_names; i++)
		if (operation_moves_service(op, v->m->dns_names[i].service->name) &&
		    model_service_at(v->m->dns_names[i].service, site))
			return true;
	return false;
}

/* Whether a target has a backup pool at the site. */
static bool has_backup_of_target(const struct operation_snapshot *v, const struct operation *op,
                                 const char *site)
{
	for (size_t i = 0; i < v->m->n_services; i++) {
		const struct model_service *s = &v->m->services[i];

		for (size_t k = 0; operation_moves_service(op, s->name) && k < s->n_at; k++)
			if (s->at[k].backup && !strcmp(s->at[k].backup->site->name, site) &&
			    operation_targets_site(op, s->at[k].site->name))
				return true;
	}
	return false;
}

static bool was_reached(const struct operation *op, const char *node)
{
	for (uint32_t i = 0; i < op->n_nodes; i++)
		if (!strcmp(op->nodes[i], node))
			return true;
	return op->n_nodes == 0;
}

/* Whether all nodes of the site are named absent, or none was reached when the operation began. */
static bool is_absent(const struct operation_snapshot *v, const struct operation *op,
                      const char *site)
{
	for (size_t i = 0; i < v->n_reports; i++) {
		const struct model_node *node = v->reports[i].node;

		if (!strcmp(node->site->name, site) && !operation_is_without(op, node->name) &&
		    was_reached(op, node->name))
			return false;
	}
	return true;
}

/* The answers of one node. @return whether those of all moved services are known */
static bool add_answers(const struct operation_snapshot *v, const struct operation *op,
                        const char *node, const char *site, uint64_t *milli)
{
	for (size_t i = 0; i < v->m->n_services; i++) {
		const struct model_service *service = &v->m->services[i];
		uint64_t one;

		if (!operation_moves_service(op, service->name) || !model_service_at(service, site))
			continue;
		if (!keys_gather_rate(v->keys, node, service->name, site, &one))
			return false;
		*milli += one;
	}
	return true;
}

/* A node of a target that was off when the way began answers nobody. */
static bool may_answer(const struct operation_snapshot *v, const struct operation *op,
                       const struct model_node *node)
{
	if (!node->n_dns_listen || operation_is_without(op, node->name))
		return false;
	for (size_t i = 0; i < v->n_reports; i++)
		if (!strcmp(v->reports[i].node->name, node->name))
			return v->reports[i].reached || was_reached(op, node->name) ||
			       !operation_targets_site(op, node->site->name);
	return true;
}

/*
 * Answers of the moved services that name the site, a second: of all nodes that serve DNS, but for
 * those named absent. One in ten seconds is not none.
 */
static struct operation_value answers_naming(const struct operation_snapshot *v,
                                             const struct operation *op, const char *site)
{
	bool known = v->keys != NULL;
	uint64_t milli = 0;
	size_t n = 0;

	for (size_t i = 0; known && i < v->m->n_nodes; i++) {
		const struct model_node *node = &v->m->nodes[i];

		if (!may_answer(v, op, node))
			continue;
		n++;
		known = add_answers(v, op, node->name, site, &milli);
	}
	return operation_value_of(known && n > 0, (milli + 999) / 1000);
}

static void gather_site(const struct operation_snapshot *v, const struct operation *op,
                        const struct model_site *site, struct operation_site *s,
                        struct operation_flow_sums *sums)
{
	s->name = site->name;
	s->serves = is_name_served(v, op, site->name);
	s->backs = has_backup_of_target(v, op, site->name);
	s->absent = is_absent(v, op, site->name);
	gather_outside(v, s);
	gather_out(v, op, s);
	gather_pools(v, op, s);
	operation_gather_flows(v, op, s, sums);
	operation_gather_vips(v, op, s);
	operation_gather_backups(v, op, s);
	s->named = answers_naming(v, op, site->name);
	s->capacity_flows = operation_value_of(site->capacity_flows != 0, site->capacity_flows);
	s->capacity_bits = operation_value_of(site->capacity_bits != 0, site->capacity_bits);
}

void operation_gather_sites(const struct operation_snapshot *v, const struct operation *op,
                            struct operation_observed *out)
{
	const size_t max = sizeof(out->sites) / sizeof(out->sites[0]);
	uint64_t window_flows = 0;
	bool known = v->m != NULL;

	for (size_t i = 0; v->m && i < v->m->n_sites && i < max; i++) {
		struct operation_flow_sums sums;

		gather_site(v, op, &v->m->sites[i], &out->sites[i], &sums);
		out->facts.n_sites++;
		known &= sums.known || !out->sites[i].serves;
		window_flows += sums.arrived * sums.window_ms / 1000000;
	}
	out->facts.sites = out->sites;
	out->facts.window_flows = operation_value_of(known, window_flows);
	operation_gather_late(v, op, out);
}
