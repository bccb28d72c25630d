/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Facts: nodes, levels, other operations, the document. Each number that a node sent is read with
 * its range; what is missing or malformed is not known.
 */
#include "mgmt/api/operation_sites_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "weir/json.h"

/* --- what a node has in force --- */

/* Which change of an override is in force. */
struct in_force {
	json_int_t generation, epoch, step;
};

static bool read_change(const json_t *row, struct in_force *out)
{
	return json_unpack((json_t *)(uintptr_t)row, "{s:{s:I, s:I, s:I}}", "in_force",
	                   "generation", &out->generation, "epoch", &out->epoch, "step",
	                   &out->step) == 0 &&
	       out->generation > 0 && out->epoch >= 0 && out->epoch <= UINT32_MAX &&
	       out->step >= 0 && out->step <= UINT32_MAX;
}

/* Whether a person has commanded something at the target since the operation began, by whichever override. */
static bool has_command(const json_t *levels, const struct operation *op, const char *site)
{
	for (size_t i = 0; i < json_array_size(levels); i++) {
		const json_t *row = json_array_get(levels, i);
		const char *name = json_get_text(row, "site");
		struct in_force change;

		if (name && !strcmp(name, site) && read_change(row, &change) && !change.epoch &&
		    (uint64_t)change.generation > op->stamp)
			return true;
	}
	return false;
}

/* An override that the node does not have is level 0 of no write, as one that was in force before the operation. */
static struct operation_level read_level(const json_t *levels, const struct operation *op, size_t k)
{
	const json_t *row = json_find(levels, "override", op->targets[k].override_id);
	struct operation_level level = { .known = levels && !row };
	struct in_force change;
	uint64_t ppm = 0;

	if (levels && has_command(levels, op, op->targets[k].site))
		level.person = level.known = true;
	if (!row || !read_change(row, &change) ||
	    !json_read_count(json_object_get(row, "level_ppm"), MODEL_PPM_ALL, &ppm))
		return level;
	level.known = true;
	level.level_ppm = (uint32_t)ppm;
	if ((uint64_t)change.generation == op->stamp) {
		level.epoch = (uint32_t)change.epoch;
		level.step = (uint32_t)change.step;
	}
	return level;
}

/* --- nodes --- */

static void gather_nodes(const struct operation_snapshot *v, const struct operation *op,
                         struct operation_observed *out)
{
	for (size_t i = 0; i < v->n_reports; i++) {
		const struct operation_report *report = &v->reports[i];
		struct operation_node *n = &out->nodes[i];

		*n = (struct operation_node){ .name = report->node->name,
			                      .site = report->node->site->name,
			                      .self = report->self,
			                      .reached = report->reached,
			                      .refuses = report->refuses };
		n->dns = report->levels ? operation_truth_of(report->dns) : OPERATION_UNKNOWN;
		for (size_t k = 0; k < op->n_targets; k++)
			n->levels[k] = read_level(report->levels, op, k);
	}
	out->facts.nodes = out->nodes;
	out->facts.n_nodes = v->n_reports;
}

/* --- the document --- */

/* Whether a dynamic name that the operation moves may be answered with a target. */
static bool has_name(const struct model *m, const struct operation *op)
{
	for (size_t i = 0; i < m->n_dns_names; i++) {
		const struct model_service *s = m->dns_names[i].service;

		if (!operation_moves_service(op, s->name))
			continue;
		for (size_t k = 0; k < op->n_targets; k++)
			if (model_service_at(s, op->targets[k].site))
				return true;
	}
	return false;
}

static enum operation_document judge_document(const struct model *m, const struct operation *op)
{
	bool found = !*op->service;

	if (!m)
		return OPERATION_DOCUMENT_UNKNOWN;
	for (size_t k = 0; k < op->n_targets; k++)
		if (!model_site(m, op->targets[k].site))
			return OPERATION_DOCUMENT_SITE_GONE;
	for (size_t i = 0; i < m->n_services && !found; i++)
		for (size_t k = 0; k < op->n_targets && !found; k++)
			found = !strcmp(m->services[i].name, op->service) &&
			        model_service_at(&m->services[i], op->targets[k].site);
	if (!found)
		return OPERATION_DOCUMENT_SERVICE_GONE;
	return has_name(m, op) ? OPERATION_DOCUMENT_FINE : OPERATION_DOCUMENT_NO_DNS;
}

/* The longest TTL that the document allows to names which the operation moves. */
static struct operation_value document_ttl(const struct operation_snapshot *v,
                                           const struct operation *op)
{
	struct operation_value ttl = { .known = v->m != NULL };

	for (size_t i = 0; v->m && i < v->m->n_dns_names; i++) {
		const struct model_dns_name *name = &v->m->dns_names[i];

		for (size_t k = 0; k < op->n_targets; k++)
			if (operation_moves_service(op, name->service->name) &&
			    model_service_at(name->service, op->targets[k].site) &&
			    name->ttl_max_s > ttl.value)
				ttl.value = name->ttl_max_s;
	}
	return ttl;
}

#define TTL_END (7 * 24 * 3600) /* seconds: no name has such a TTL */

/* For how long answers that a name server gave before the last write's level may be used. */
static struct operation_value read_given_ttl(const struct operation *op, const json_t *levels)
{
	struct operation_value ttl = { .known = op->n_targets > 0 && op->write.epoch };

	for (size_t k = 0; k < op->n_targets; k++) {
		const char *id = op->targets[k].override_id;
		struct operation_level level = read_level(levels, op, k);
		const json_t *given =
		        json_object_get(json_find(levels, "override", id), "longest_ttl_s");
		uint64_t ttl_s = 0;

		if (!json_read_count(given, TTL_END - 1, &ttl_s) ||
		    level.epoch != op->write.epoch || level.step != op->write.step)
			return (struct operation_value){ 0 };
		if (ttl_s > ttl.value)
			ttl.value = ttl_s;
	}
	return ttl;
}

/*
 * The longest TTL of an answer that may still be in a cache. Name servers tell it once they have
 * the last write's level: with the shortest TTL while a site is drained in part, that is less than
 * the document allows. Where one does not tell it, the document's counts.
 */
static struct operation_value longest_ttl(const struct operation_snapshot *v,
                                          const struct operation *op)
{
	struct operation_value most = { 0 };

	for (size_t i = 0; i < v->n_reports; i++) {
		if (!v->reports[i].levels || !v->reports[i].dns)
			continue; /* not reached, or it answers nothing */
		struct operation_value given = read_given_ttl(op, v->reports[i].levels);

		if (!given.known)
			return document_ttl(v, op);
		most.known = true;
		if (given.value > most.value)
			most.value = given.value;
	}
	return most.known ? most : document_ttl(v, op);
}

void operation_gather(const struct operation_snapshot *v, const struct operation *op,
                      int64_t elapsed_ms, struct operation_observed *out)
{
	memset(out, 0, sizeof(*out));
	out->facts.elapsed_ms = elapsed_ms;
	out->facts.self = v->self;
	out->facts.clock = operation_truth_of(v->clock_fine);
	out->facts.document = judge_document(v->m, op);
	out->facts.unconfirmed = operation_truth_of(v->unconfirmed);
	out->facts.key_fingerprint = *v->key ? hash_text(v->key) : 0;
	out->facts.max_sites_out =
	        (struct operation_value){ v->m != NULL, v->m ? v->m->max_sites_out : 0 };
	out->facts.ttl_s = longest_ttl(v, op);
	gather_nodes(v, op, out);
	out->facts.others = v->others;
	out->facts.n_others = v->n_others;
	operation_gather_sites(v, op, out);
}
