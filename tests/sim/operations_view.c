/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one node of the world knows of an operation, as the shell of weir-mgmt would gather it. Each
 * value may be missing for a moment; a site's measurements may be missing for long.
 */
#include <stdio.h>
#include <string.h>

#include "operations_world.h"

bool world_reaches(const struct world *w, const struct world_node *a, const struct world_node *b)
{
	(void)w;
	return a == b || (a->alive && b->alive && a->group == b->group);
}

static enum operation_truth measure_truth(struct world *w, bool value)
{
	if (w->chaos && world_chance(w, 2))
		return OPERATION_UNKNOWN;
	return value ? OPERATION_YES : OPERATION_NO;
}

static struct operation_value measure_value(struct world *w, bool known, uint64_t value)
{
	if (!known || (w->chaos && world_chance(w, 2)))
		return (struct operation_value){ 0 };
	return (struct operation_value){ true, value };
}

static uint64_t weight_of(const struct world_site *site, uint32_t level_ppm)
{
	return site->up ? site->base * (MODEL_PPM_ALL - level_ppm) / 1000 : 0;
}

/* The new flows of all sites go where the weights are, with the operation's targets at a level. */
static uint64_t flows_at(const struct world *w, const struct operation *op, uint32_t i,
                         uint32_t level_ppm, bool by_plan, uint32_t *share_ppm)
{
	uint64_t all = 0, mine = 0, total = 0;

	for (uint32_t s = 0; s < w->n_sites; s++) {
		const struct world_site *site = &w->site[s];
		bool target = operation_targets_site(op, site->name);
		uint64_t weight = weight_of(site, by_plan && target ? level_ppm : site->level_ppm);

		all += weight;
		total += site->base;
		if (s == i)
			mine = weight;
	}
	if (share_ppm)
		*share_ppm = all ? (uint32_t)(mine * MODEL_PPM_ALL / all) : 0;
	return all ? total * mine / all : 0;
}

static void look_projection(struct world *w, const struct operation *op, uint32_t i, bool known,
                            struct operation_site *out)
{
	uint64_t now = flows_at(w, op, i, 0, false, NULL);

	for (uint32_t p = 0; p <= op->n_plan; p++) {
		uint32_t level = p ? op->plan_ppm[p - 1] : op->plan_from_ppm, share;
		uint64_t then = flows_at(w, op, i, level, true, &share);

		out->at[p].receives = then > now ? OPERATION_YES : OPERATION_UNKNOWN;
		out->at[p].share_ppm = measure_value(w, known, share);
		out->at[p].flows = measure_value(w, known, then > now ? then : now);
		out->at[p].bits = measure_value(w, known, 8000 * then);
		out->at[p].backup_flows = measure_value(w, known, 0);
		out->at[p].backup_bits = measure_value(w, known, 0);
	}
}

/* Whether this node holds that the other operation has taken the site out. */
static bool is_out(struct world *w, const struct world_node *n, uint32_t k, const char *site)
{
	for (uint32_t j = 0; j < w->n_ops; j++) {
		const struct operation *op = world_record(w, j);

		if (j == k || !op || !operation_targets_site(op, site))
			continue;
		if (n->level[j] == MODEL_PPM_ALL || n->over[j].to_ppm == MODEL_PPM_ALL)
			return true;
	}
	return false;
}

/* Whether the other operation is held there. */
static bool is_held(const struct world *w, const struct world_node *n, uint32_t k, const char *site)
{
	for (uint32_t j = 0; j < w->n_ops; j++) {
		if (j != k && n->revision[j] && operation_is_held(&n->rec[j]) &&
		    operation_targets_site(&n->rec[j], site))
			return true;
	}
	return false;
}

/* Whether somebody who measures the site is reached. */
static bool is_measured(const struct world *w, const struct world_node *n, uint32_t i)
{
	if (w->site[i].lost_ms > w->now_ms)
		return false;
	for (uint32_t j = 0; j < w->n_nodes; j++) {
		if (w->node[j].site == i && world_reaches(w, n, &w->node[j]) && w->node[j].alive)
			return true;
	}
	return false;
}

/* Whether each node of the site is named absent, or was never reached. */
static bool is_absent(const struct world *w, const struct operation *op, uint32_t i)
{
	for (uint32_t j = 0; j < w->n_nodes; j++) {
		const struct world_node *other = &w->node[j];
		bool began_with = !op->n_took_part || operation_took_part(op, other->name);

		if (other->site == i && began_with && !operation_is_without(op, other->name))
			return false;
	}
	return true;
}

static void look_site(struct world *w, const struct world_node *n, uint32_t k, uint32_t i,
                      struct operation_site *out)
{
	const struct world_site *site = &w->site[i];
	const struct operation *op = &n->rec[k];
	bool known = is_measured(w, n, i), suffers = site->suffers_ms > w->now_ms;
	uint64_t arrivals = flows_at(w, op, i, 0, false, NULL);

	*out = (struct operation_site){
		.name = site->name,
		.serves = true,
		.absent = is_absent(w, op, i),
		.up = measure_truth(w, site->up),
		.checked = w->n_sites > 1,
		.failing = measure_truth(w, !site->up),
		.pools = measure_truth(w, site->pools),
		.out = measure_truth(w, is_out(w, n, k, site->name)),
		.held = is_held(w, n, k, site->name),
		.flows = measure_value(w, known, arrivals),
		.arrivals = measure_value(w, known, arrivals),
		.bits = measure_value(w, known, 8000 * arrivals),
		.established =
		        measure_value(w, known, site->level_ppm == MODEL_PPM_ALL ? 0 : arrivals),
		.repeats = measure_value(w, known, suffers ? arrivals / 2 + 50 : arrivals / 500),
		.drops = measure_value(w, known, 0),
		.capacity_flows = { site->capacity != 0, site->capacity },
		.has_backup = site->has_backup,
		.backup_ok = measure_truth(w, true),
		.backup_left = measure_truth(w, true),
		.announced = measure_truth(w, true),
		.elsewhere = measure_truth(w, true),
		.named = measure_value(w, true, site->level_ppm == MODEL_PPM_ALL ? 0 : arrivals),
	};
	look_projection(w, op, i, known, out);
}

static void look_node(struct world *w, const struct world_node *n, uint32_t k,
                      const struct world_node *other, struct operation_node *out)
{
	const struct world_override *over = &other->over[k];
	const struct operation *op = &n->rec[k];
	bool reached = world_reaches(w, n, other);

	*out = (struct operation_node){
		.name = other->name,
		.site = other->site_name,
		.self = n == other,
		.reached = reached,
		.dns = reached ? measure_truth(w, other->dns) : OPERATION_UNKNOWN,
	};
	for (uint32_t t = 0; t < op->n_targets; t++) {
		out->levels[t] = (struct operation_level){
			.known = reached && (!w->chaos || !world_chance(w, 5)),
			.epoch = over->epoch,
			.step = over->step,
			.person = over->commanded_ms != 0,
			.level_ppm = other->level[k],
		};
	}
}

static enum operation_document look_document(const struct world *w)
{
	return w->site_gone ? OPERATION_DOCUMENT_SITE_GONE : OPERATION_DOCUMENT_FINE;
}

void world_look(struct world *w, struct world_node *n, uint32_t k, struct world_view *v)
{
	struct operation_facts *f = &v->facts;
	bool all = true;

	memset(v, 0, sizeof(*v));
	for (uint32_t i = 0; i < w->n_sites; i++) {
		look_site(w, n, k, i, &v->sites[i]);
		all = all && v->sites[i].flows.known;
	}
	for (uint32_t i = 0; i < w->n_nodes; i++)
		look_node(w, n, k, &w->node[i], &v->nodes[i]);
	for (uint32_t j = 0; j < w->n_ops; j++) {
		struct operation_other *other = &v->others[f->n_others];

		if (!n->revision[j] || operation_is_over(&n->rec[j]))
			continue;
		*other = (struct operation_other){ .created_ms = n->rec[j].created_ms,
			                           .moves = operation_moves(&n->rec[j]) };
		(void)snprintf(other->id, sizeof(other->id), "%s", n->rec[j].id);
		f->n_others++;
	}
	f->elapsed_ms = n->ticked_ms[k] ? w->now_ms - n->ticked_ms[k] : 0;
	f->self = n->name;
	f->clock = measure_truth(w, n->clock_bad_ms <= w->now_ms);
	f->nodes = v->nodes;
	f->n_nodes = w->n_nodes;
	f->sites = v->sites;
	f->n_sites = w->n_sites;
	f->others = v->others;
	f->document = look_document(w);
	f->unconfirmed = measure_truth(w, false);
	f->key_fingerprint = w->key_changed ? 2 : 1;
	f->max_sites_out = measure_value(w, true, w->max_out);
	f->ttl_s = measure_value(w, true, w->ttl_s);
	f->window_flows = measure_value(w, all, 5000);
	f->window_answers = measure_value(w, true, 5000);
}
