/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The projection's input from a snapshot, and its result as facts. What is not measured is not listed;
 * the projection then says of each site whether its load is known.
 */
#include "mgmt/controller/operation_snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/sorted.h"

#define NO_SERVICE (PROJECTION_ALL - 1) /* one that the document does not have: no gate is its */

/* The input with what it points to. */
struct projecting {
	struct projection_input in;
	struct projection_site_now sites[PROJECTION_SITES_MAX];
	struct projection_flows *flows; /* of each service at each of its sites, at most */
	struct projection_gate *gates;  /* of each override, at most */
	struct projection_gate targets[OPERATION_TARGETS_MAX];
	uint32_t steps_ppm[PROJECTION_STEPS_MAX];
};

static void free_projecting(struct projecting *p)
{
	if (!p)
		return;
	free(p->flows);
	free(p->gates);
	free(p);
}

/* @return NULL: out of memory */
static struct projecting *make_projecting(const struct operation_snapshot *v)
{
	struct projecting *p = MEMORY_NEW(struct projecting);
	size_t n_pairs = 0;

	for (size_t i = 0; v->m && i < v->m->n_services; i++)
		n_pairs += v->m->services[i].n_at;
	p->flows = calloc(n_pairs + 1, sizeof(*p->flows));
	p->gates = calloc(v->overrides.n_items + 1, sizeof(*p->gates));
	if (p->flows && p->gates)
		return p;
	free_projecting(p);
	return NULL;
}

static uint32_t service_index(const struct model *m, const char *name)
{
	const struct model_service *service = model_service(m, name);

	if (!*name)
		return PROJECTION_ALL;
	return service ? (uint32_t)(service - m->services) : NO_SERVICE;
}

static uint32_t site_index(const struct model *m, const char *name)
{
	const struct model_site *site = model_site(m, name);

	return site ? (uint32_t)(site - m->sites) : UINT32_MAX;
}

/* --- input --- */

/* For qsort(3) and bsearch(3). */
static int compare_pairs(const void *a, const void *b)
{
	const struct operation_begin_row *x = a, *y = b;
	int by_service = sorted_by_u64(&x->service, &y->service);

	return by_service ? by_service : sorted_by_u64(&x->site, &y->site);
}

static bool was_at_begin(const struct operation_begin_flows *begin, const char *service,
                         const char *site, uint64_t *per_s)
{
	const struct operation_begin_row pair = { .service = hash_text(service),
		                                  .site = hash_text(site) };
	const struct operation_begin_row *row =
	        bsearch(&pair, begin->rows, begin->n, sizeof(pair), compare_pairs);

	if (row)
		*per_s = row->per_s;
	return row;
}

/* New flows of a service at a site, without the checks by other sites: these do not move. */
static bool read_flows(const struct operation_snapshot *v, const struct operation *op,
                       const struct model_service *service, const char *site, uint64_t *per_s)
{
	uint64_t checks = operation_checks_of(v, service, site, NULL) / 1000;

	if (!operation_flows_at(v, op, service, site, per_s))
		return false;
	*per_s -= *per_s < checks ? *per_s : checks;
	return true;
}

static void list_flows(const struct operation_snapshot *v, const struct operation *op,
                       const struct operation_begin_flows *begin, struct projecting *p)
{
	const struct model *m = v->m;
	bool is_known = begin && begin->known;

	/* pairs that are not measured are not listed: they are not known */
	for (uint32_t i = 0; i < m->n_services; i++)
		for (size_t k = 0; k < m->services[i].n_at; k++) {
			const char *site = m->services[i].at[k].site->name;
			struct projection_flows *f = &p->flows[p->in.n_flows];

			f->service = i;
			f->site = site_index(m, site);
			if (!read_flows(v, op, &m->services[i], site, &f->now_per_s))
				continue;
			if (!is_known ||
			    !was_at_begin(begin, m->services[i].name, site, &f->begin_per_s))
				f->begin_per_s = f->now_per_s;
			p->in.n_flows++;
		}
	p->in.flows = p->flows;
}

static size_t begin_size(size_t n_rows)
{
	return sizeof(struct operation_begin_flows) + n_rows * sizeof(struct operation_begin_row);
}

struct operation_begin_flows *operation_list_flows(const struct operation_snapshot *v,
                                                   const struct operation *op)
{
	struct projecting *p = make_projecting(v);
	struct operation_begin_flows *out = NULL;

	if (p && v->m)
		list_flows(v, op, NULL, p);
	if (p)
		out = calloc(1, begin_size(p->in.n_flows));
	if (out) {
		out->known = v->m != NULL;
		out->level_ppm = op->level_ppm;
		out->n = p->in.n_flows;
	}
	for (size_t i = 0; out && i < out->n; i++)
		out->rows[i] = (struct operation_begin_row){
			.service = hash_text(v->m->services[p->flows[i].service].name),
			.site = hash_text(v->m->sites[p->flows[i].site].name),
			.per_s = p->flows[i].now_per_s,
		};
	if (out)
		qsort(out->rows, out->n, sizeof(out->rows[0]), compare_pairs);
	free_projecting(p);
	return out;
}

struct operation_begin_flows *operation_copy_flows(const struct operation_begin_flows *begin)
{
	struct operation_begin_flows *copy = malloc(begin_size(begin->n));

	return copy ? memcpy(copy, begin, begin_size(begin->n)) : NULL;
}

/* New flows of all services at the site: a receiver's capacity is for all, whatever moves. */
static bool sum_flows(const struct operation_snapshot *v, const struct projecting *p, uint32_t site,
                      uint64_t *per_s)
{
	size_t n_listed = 0, n_services = 0;

	*per_s = 0;
	for (size_t i = 0; i < p->in.n_flows; i++)
		if (p->flows[i].site == site) {
			*per_s += p->flows[i].now_per_s;
			n_listed++;
		}
	for (size_t i = 0; i < v->m->n_services; i++)
		for (size_t k = 0; k < v->m->services[i].n_at; k++)
			n_services += v->m->services[i].at[k].site->index == site;
	return n_listed == n_services;
}

static void list_sites(const struct operation_snapshot *v,
                       const struct operation_observed *observed, struct projecting *p)
{
	for (size_t i = 0; i < observed->facts.n_sites && i < PROJECTION_SITES_MAX; i++) {
		const struct operation_site *s = &observed->sites[i];
		uint64_t flows;
		bool known = sum_flows(v, p, (uint32_t)i, &flows);

		p->sites[i] = (struct projection_site_now){
			.out = s->up == OPERATION_NO,
			.flows = operation_value_of(known, flows),
			.bits = s->bits,
		};
	}
	p->in.sites = p->sites;
}

/* A site that a person has disabled gets no clients. */
static void list_disabled(const struct operation_snapshot *v, struct projecting *p)
{
	for (size_t i = 0; i < v->overrides.n_items; i++) {
		const struct override *o = &v->overrides.items[i];
		uint32_t site = site_index(v->m, o->name);

		if (o->kind == MODEL_OVERRIDE_DISABLE && o->target == MODEL_TARGET_SITE &&
		    site < PROJECTION_SITES_MAX && o->from_ms <= v->now_ms &&
		    !override_is_done(o, v->now_ms))
			p->sites[site].out = true;
	}
}

static void list_gates(const struct operation_snapshot *v, const struct operation *op,
                       struct projecting *p)
{
	for (size_t i = 0; i < v->overrides.n_items; i++) {
		const struct override *o = &v->overrides.items[i];

		if (o->kind != MODEL_OVERRIDE_DRAIN || o->target != MODEL_TARGET_SITE ||
		    operation_has_override(op, o->id) ||
		    overrides_is_over(&v->overrides, o, v->now_ms))
			continue;
		p->gates[p->in.n_gates++] =
		        (struct projection_gate){ .site = site_index(v->m, o->name),
			                          .service = service_index(v->m, o->service),
			                          .level_ppm = overrides_level(&v->overrides, o,
			                                                       v->now_ms) };
	}
	p->in.gates = p->gates;
}

/* The clients are placed at the level that was in force when they were measured. */
static void list_targets(const struct operation_snapshot *v, const struct operation *op,
                         const struct operation_begin_flows *begin, struct projecting *p)
{
	uint32_t level_ppm = begin && begin->known ? begin->level_ppm : op->plan_from_ppm;

	for (uint32_t i = 0; i < op->n_targets; i++)
		p->targets[p->in.n_targets++] =
		        (struct projection_gate){ .site = site_index(v->m, op->targets[i].site),
			                          .service = service_index(v->m, op->service),
			                          .level_ppm = level_ppm };
	p->in.targets = p->targets;
	for (uint32_t i = 0; i < op->n_plan && i < PROJECTION_STEPS_MAX; i++)
		p->steps_ppm[p->in.n_steps++] = op->plan_ppm[i];
	p->in.steps_ppm = p->steps_ppm;
	p->in.at_once = op->now;
}

/* Who is unseen is asked when the way begins: later, those that are seen have left. */
static void note_unseen(const struct operation_begin_flows *begin, struct projecting *p)
{
	if (!begin || !begin->known)
		return;
	p->in.unseen_fixed = begin->unseen_fixed;
	p->in.unseen_ppm = begin->unseen_ppm;
}

/* --- result --- */

static void accept_point(const struct projection_step *from, size_t n, size_t point,
                         struct operation_observed *out)
{
	for (size_t i = 0; i < n && i < out->facts.n_sites; i++)
		out->sites[i].at[point] = from->sites[i];
	out->facts.share[point] = from->targets;
}

/* A name server of which it is not known who asks it; one that is named absent does not count. */
static const char *find_unheard(const struct operation_snapshot *v, const struct operation *op)
{
	for (size_t i = 0; i < v->n_reports; i++) {
		const struct operation_report *report = &v->reports[i];

		if (report->node->n_dns_listen && !report->keys &&
		    !operation_is_without(op, report->node->name))
			return report->node->name;
	}
	return NULL;
}

void operation_project(const struct operation_snapshot *v, const struct operation *op,
                       const struct operation_begin_flows *begin, struct operation_observed *out)
{
	struct projecting *p = make_projecting(v);
	struct projection *result = MEMORY_NEW(struct projection);
	bool ok;

	out->facts.unheard = find_unheard(v, op);
	ok = p && v->projector && !out->facts.unheard;
	if (ok) {
		list_flows(v, op, begin, p);
		list_sites(v, out, p);
		list_disabled(v, p);
		list_gates(v, op, p);
		list_targets(v, op, begin, p);
		note_unseen(begin, p);
		ok = !projection_make(v->projector, &p->in, result);
	}
	if (ok) {
		accept_point(&result->begin, result->n_sites, 0, out);
		for (size_t i = 0; i < result->n_steps && i + 1 < OPERATION_POINTS; i++)
			accept_point(&result->steps[i], result->n_sites, i + 1, out);
		out->facts.window_answers = operation_value_of(true, result->queries);
		out->facts.unseen_ppm = result->unseen_ppm;
		out->projection = result;
	} else {
		free(result);
	}
	free_projecting(p);
}
