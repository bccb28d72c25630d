/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What overrides say about a table with a backup. This site's drain must be complete, and a TTL must
 * have passed since then, before late clients are due: an operation says from when on in its
 * override; a drain by the clock is late one TTL of the names after its ramp. A backup is not used
 * while its own site is drained, by whichever override.
 */
#include <string.h>

#include "dataplane/tables/plan.h"
#include "weir/model.h"

/* Where no DNS name leads to a service, clients keep an address for so long. */
#define TTL_DEFAULT_S 60u

static bool is_of_service(const struct model_override *o, const struct model_service *s)
{
	return !o->service || !*o->service || !strcmp(o->service, s->name);
}

/* Whether @p o takes clients from site @p site, by a drain or because nothing is to go there, as far as it has come. */
static bool is_about_site(const struct model_override *o, const struct model_site *site)
{
	return o->target == MODEL_TARGET_SITE &&
	       (o->kind == MODEL_OVERRIDE_DRAIN || o->kind == MODEL_OVERRIDE_DISABLE) &&
	       !strcmp(o->name, site->name);
}

/* The longest TTL by which clients have learned addresses of @p s. */
static int64_t ttl_ms(const struct model *m, const struct model_service *s)
{
	uint32_t ttl_s = 0;

	for (size_t i = 0; i < m->n_dns_names; i++)
		if (m->dns_names[i].service == s && m->dns_names[i].ttl_max_s > ttl_s)
			ttl_s = m->dns_names[i].ttl_max_s;
	return (int64_t)(ttl_s ? ttl_s : TTL_DEFAULT_S) * 1000;
}

/* Whether clients of @p s who still arrive at a site that @p o drains are late. */
static bool makes_late(const struct model *m, const struct model_override *o,
                       const struct model_service *s, int64_t wall_clock_ms)
{
	int64_t from_ms;

	if (o->kind != MODEL_OVERRIDE_DRAIN || !is_of_service(o, s) ||
	    model_override_ppm(o, wall_clock_ms) < MODEL_PPM_ALL)
		return false;
	if (o->is_step)
		return o->late_from_ms && o->late_from_ms <= wall_clock_ms;
	return __builtin_add_overflow(o->from_ms, o->over_ms, &from_ms) == 0 &&
	       wall_clock_ms - from_ms >= ttl_ms(m, s);
}

/* Whether all services that lead to the table are late: they share its slots. */
static bool is_late(const struct plan *plan, const struct plan_pool *p, int64_t wall_clock_ms)
{
	const struct model *m = plan->model;

	for (size_t i = p->last_service; i != PLAN_NONE; i = plan->before[i]) {
		bool late = false;

		for (size_t k = 0; k < m->n_overrides && !late; k++)
			late = is_about_site(&m->overrides[k], m->self->site) &&
			       makes_late(m, &m->overrides[k], plan->services[i], wall_clock_ms);
		if (!late)
			return false;
	}
	return p->last_service != PLAN_NONE;
}

/* Whether the backup's site is drained for a service of the table, or nothing is to go there. */
static bool is_backup_drained(const struct plan *plan, const struct plan_pool *p,
                              int64_t wall_clock_ms)
{
	const struct model *m = plan->model;

	for (size_t k = 0; k < m->n_overrides; k++) {
		const struct model_override *o = &m->overrides[k];

		if (!is_about_site(o, p->backup->site) ||
		    model_override_ppm(o, wall_clock_ms) < MODEL_PPM_ALL)
			continue;
		for (size_t i = p->last_service; i != PLAN_NONE; i = plan->before[i])
			if (is_of_service(o, plan->services[i]))
				return true;
	}
	return false;
}

static bool is_node_drained(const struct model *m, const char *node, int64_t wall_clock_ms)
{
	for (size_t k = 0; k < m->n_overrides; k++) {
		const struct model_override *o = &m->overrides[k];

		if (o->target == MODEL_TARGET_NODE && o->kind == MODEL_OVERRIDE_DRAIN &&
		    !o->ended && o->from_ms <= wall_clock_ms && wall_clock_ms < o->until_ms &&
		    !strcmp(o->name, node))
			return true;
	}
	return false;
}

/* The nodes of this site share what may go to the backup; this one counts in any case. */
static uint32_t count_nodes(const struct model *m, int64_t wall_clock_ms)
{
	uint32_t n = 0;

	for (size_t i = 0; i < m->n_nodes; i++)
		n += m->nodes[i].site == m->self->site &&
		     (&m->nodes[i] == m->self ||
		      !is_node_drained(m, m->nodes[i].name, wall_clock_ms));
	return n ? n : 1;
}

bool plan_update_backup(const struct plan *plan, struct plan_pool *p, int64_t wall_clock_ms)
{
	bool late = is_late(plan, p, wall_clock_ms);
	bool drained = is_backup_drained(plan, p, wall_clock_ms);
	uint32_t n_nodes = count_nodes(plan->model, wall_clock_ms);
	bool changed = late != p->late || drained != p->backup_drained || n_nodes != p->n_nodes;

	p->late = late;
	p->backup_drained = drained;
	p->n_nodes = n_nodes;
	return changed;
}

bool plan_has_agents(const struct plan_pool *p)
{
	return p->model->agent && !p->backup;
}
