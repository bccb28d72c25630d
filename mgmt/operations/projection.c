/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steps. Service by service: its clients (observed keys, and even ones for what is not observed)
 * choose at the levels of the operation's begin, and again at those of each step. What they leave
 * and what they join gives a matrix of moved queries; the load moves in proportion.
 *
 * For a site of a service:  kept = load at the begin, less the part of its queries that moves,
 *                                  scaled by the service's whole load now and then
 *                           left = what it still has above that, at most what moves
 * A step still takes `left` away and gives it to the sites that the moved queries join.
 */
#include "mgmt/operations/projection_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SITES PROJECTION_SITES_MAX

static void read_flows(const struct projection_run *r, struct projection_at *at)
{
	const struct model_service *s = r->of.service;
	uint32_t row = r->rows[s->index * projection_n_sites(r->p->m) + at->site];
	const struct projection_site_now *site = &r->in->sites[at->site];
	double part = 0, sum = r->site_queries[at->site];

	if (r->in->n_flows) {
		at->flows_known = row > 0;
		at->now = row ? (double)r->in->flows[row - 1].now_per_s : 0;
		at->begin = row ? (double)r->in->flows[row - 1].begin_per_s : 0;
		part = r->listed_flows[at->site] > 0 ? at->now / r->listed_flows[at->site] : 0;
	} else {
		part = sum > 0 ? at->queries / sum : 0;
		at->flows_known = site->flows_known;
		at->now = at->begin = site->flows_known ? (double)site->flows_per_s * part : 0;
	}
	at->bits_known = site->bits_known && (at->flows_known || !r->in->n_flows);
	at->bits = at->bits_known ? (double)site->bits_per_s * part : 0;
}

static double scale_of(const struct projection_service *of)
{
	double now = 0, begin = 0;

	for (size_t k = 0; k < of->n_at; k++)
		if (of->at[k].flows_known) {
			now += of->at[k].now;
			begin += of->at[k].begin;
		}
	return begin > 0 ? now / begin : 1;
}

/* --- a step --- */

static void move_clients(struct projection_run *r, size_t step)
{
	struct projection_service *of = &r->of;

	memset(of->moved, 0, sizeof(of->moved));
	for (size_t k = 0; k < of->n_at; k++)
		of->at[k].leaving = of->at[k].joining = 0;
	if (!step)
		return;
	projection_set_levels(r, step);
	for (size_t i = 0; i < of->n; i++) {
		const struct projection_client *c = &of->clients[i];
		int32_t to = projection_choose(r, c);

		if (c->site < 0 || to < 0 || to == c->site)
			continue;
		of->moved[c->site][to] += c->queries;
		of->at[c->site].leaving += c->queries;
		of->at[to].joining += c->queries;
	}
}

/* What a site of the service had at the begin and gives away with the step, at today's load. */
static double leaving_flows(const struct projection_service *of, const struct projection_at *at)
{
	return at->queries > 0 ? of->scale * at->begin * at->leaving / at->queries : 0;
}

/* What the step still takes away from it. */
static double left_flows(const struct projection_service *of, const struct projection_at *at)
{
	double leaving = leaving_flows(of, at);
	double above = at->now - (of->scale * at->begin - leaving);

	if (above < 0)
		above = 0;
	return above < leaving ? above : leaving;
}

/* The load that moves away from site @p from of the service. */
static void move_load(struct projection_run *r, struct projection_sum *sums, size_t from)
{
	const struct projection_service *of = &r->of;
	const struct projection_at *at = &of->at[from];
	double left = left_flows(of, at), bits;

	if (at->leaving <= 0)
		return;
	bits = at->now > 0 ? at->bits * left / at->now : at->bits * at->leaving / at->queries;
	sums[at->site].flows -= left;
	sums[at->site].bits -= bits;
	for (size_t k = 0; k < of->n_at; k++) {
		struct projection_sum *to = &sums[of->at[k].site];
		double part = of->moved[from][k] / at->leaving;

		if (part <= 0)
			continue;
		to->flows += left * part;
		to->bits += bits * part;
		to->flows_unknown |= !at->flows_known;
		to->bits_unknown |= !at->bits_known;
		/* even keys alone, in the crumbs that observed ones leave, bring nothing */
		to->receives |= of->moved[from][k] > at->queries * 10 * PROJECTION_EVEN_WEIGHT;
	}
}

/* What each site has of the service after the step. */
static void add_shares(struct projection_run *r, struct projection_sum *sums)
{
	const struct projection_service *of = &r->of;

	for (size_t k = 0; k < of->n_at; k++) {
		const struct projection_at *at = &of->at[k];

		sums[at->site].share_queries += at->queries - at->leaving + at->joining;
		sums[at->site].share_flows += of->scale * at->begin - leaving_flows(of, at);
		for (size_t j = 0; j < of->n_at; j++)
			if (of->moved[j][k] > 0)
				sums[at->site].share_flows += leaving_flows(of, &of->at[j]) *
				                              of->moved[j][k] / of->at[j].leaving;
	}
}

static double smaller_of(double a, double b)
{
	return a < b ? a : b;
}

/* Whether a site is drained as a whole, or out: a backup pool there takes nothing. */
static bool is_site_out(const struct projection_run *r, uint32_t site, size_t step)
{
	const struct projection_input *in = r->in;

	if (site >= projection_n_sites(r->p->m) || in->sites[site].out)
		return true;
	for (size_t i = 0; i < in->n_gates; i++)
		if (in->gates[i].site == site && in->gates[i].service == PROJECTION_ALL &&
		    in->gates[i].level_ppm >= MODEL_PPM_ALL)
			return true;
	for (size_t i = 0; i < in->n_targets; i++)
		if (in->targets[i].site == site && in->targets[i].service == PROJECTION_ALL &&
		    projection_target_level(in, in->targets[i].level_ppm, step) >= MODEL_PPM_ALL)
			return true;
	return false;
}

/*
 * Late clients of a target that is drained completely come to its backup pool. At most, these are
 * all that it had before this step; DNS would have brought a part of them there anyway.
 */
static void add_backup(struct projection_run *r, size_t step, size_t from, double late_part)
{
	const struct projection_service *of = &r->of;
	const struct model_at *at = &of->service->at[from];
	const struct projection_at *p = &of->at[from];
	struct projection_sum *to;
	double there = 0, late, bits;

	if (!at->backup || is_site_out(r, at->backup->site->index, step))
		return;
	to = &r->sums[step][at->backup->site->index];
	for (size_t k = 0; k < of->n_at; k++)
		if (of->at[k].site == at->backup->site->index && p->leaving > 0)
			there = of->moved[from][k] / p->leaving;
	late = p->now * late_part;
	bits = p->bits * late_part;
	if (at->backup_max_flows)
		late = smaller_of(late, (double)at->backup_max_flows);
	if (at->backup_max_bits)
		bits = smaller_of(bits, (double)at->backup_max_bits);
	to->backup_flows += late * (1 - there);
	to->backup_bits += bits * (1 - there);
	to->flows_unknown |= !p->flows_known;
	to->bits_unknown |= !p->bits_known;
	to->receives = true;
}

/* The part of a target's load that may still be there when @p step begins. */
static double late_part(const struct projection_run *r, size_t step, uint32_t begin_ppm)
{
	uint32_t before = projection_target_level(r->in, begin_ppm, step - 1);

	if (r->in->at_once || begin_ppm >= MODEL_PPM_ALL || step == 1 || !r->of.n)
		return 1; /* DNS has moved nothing before */
	return (double)(MODEL_PPM_ALL - before) / (MODEL_PPM_ALL - begin_ppm);
}

static void add_backups(struct projection_run *r, size_t step)
{
	const struct projection_service *of = &r->of;

	for (size_t i = 0; step && i < r->in->n_targets; i++) {
		const struct projection_gate *g = &r->in->targets[i];

		if (projection_target_level(r->in, g->level_ppm, step) < MODEL_PPM_ALL ||
		    g->level_ppm >= MODEL_PPM_ALL)
			continue;
		for (size_t k = 0; k < of->n_at; k++)
			if (projection_is_gate(g, of->service, &of->service->at[k]))
				add_backup(r, step, k, late_part(r, step, g->level_ppm));
	}
}

static void run_service(struct projection_run *r, uint32_t number)
{
	struct projection_service *of = &r->of;

	projection_begin_service(r, number);
	projection_count_resolvers(r);
	for (size_t k = 0; k < of->n_at; k++) {
		read_flows(r, &of->at[k]);
		r->shares_by_flows = r->shares_by_flows && (of->at[k].flows_known || !of->n);
	}
	of->scale = scale_of(of);
	for (size_t step = 0; step <= r->out->n_steps; step++) {
		move_clients(r, step);
		for (size_t k = 0; k < of->n_at; k++)
			move_load(r, r->sums[step], k);
		if (of->n) /* else DNS does not place it */
			add_shares(r, r->sums[step]);
		add_backups(r, step);
	}
}

/* --- around the services --- */

/* Rates for the text of a plan, and whether enough keys were observed. */
static void sum_queries(struct projection_run *r)
{
	const struct projector *p = r->p;
	struct projection *out = r->out;
	uint64_t heaviest = 0, others = 0;
	double most = 0;

	for (size_t i = 0; i < p->n_keys; i++) {
		if (!projection_affects(r, &p->m->services[p->groups[p->keys[i].group].service]))
			continue;
		out->queries += p->keys[i].queries;
		if (p->keys[i].queries > heaviest)
			heaviest = p->keys[i].queries;
	}
	for (size_t i = 0; i < p->n_groups; i++)
		if (projection_affects(r, &p->m->services[p->groups[i].service]))
			others += p->groups[i].others;
	for (size_t i = 0; i < p->n_names; i++) {
		const struct model_dns_name *n = &p->m->dns_names[p->names[i].number];

		if (projection_affects(r, n->service))
			most += p->names[i].queries_per_s * n->ttl_max_s /
			        (n->ttl_min_s ? n->ttl_min_s : 1);
	}
	out->queries += others;
	out->queries_per_s_min_ttl = (uint64_t)ceil(most);
	out->by_keys = out->queries >= PROJECTION_QUERIES_MIN;
	if (out->queries)
		out->heaviest_ppm = (uint32_t)((double)heaviest * 1e6 / (double)out->queries);
}

static void list_flows(struct projection_run *r)
{
	const struct model *m = r->p->m;

	for (size_t i = 0; i < r->in->n_flows; i++) {
		const struct projection_flows *f = &r->in->flows[i];

		if (f->service >= m->n_services || f->site >= projection_n_sites(m))
			continue;
		r->rows[f->service * projection_n_sites(m) + f->site] = (uint32_t)i + 1;
		r->listed_flows[f->site] += (double)f->now_per_s;
	}
}

/* Without flows by service, a site's load is its services' by their queries. */
static void sum_site_queries(struct projection_run *r)
{
	for (uint32_t s = 0; !r->in->n_flows && s < r->p->m->n_services; s++) {
		if (!projection_affects(r, &r->p->m->services[s]))
			continue;
		projection_begin_service(r, s);
		for (size_t k = 0; k < r->of.n_at; k++)
			r->site_queries[r->of.at[k].site] += r->of.at[k].queries;
	}
}

static uint64_t load_of(uint64_t now, double more)
{
	double sum = (double)now + more;

	return sum > 0 ? (uint64_t)llround(sum) : 0;
}

static void write_step(const struct projection_run *r, size_t number, struct projection_step *to)
{
	double by_flows = 0, by_queries = 0;
	bool is_by_flows;

	for (size_t i = 0; i < r->out->n_sites; i++) {
		by_flows += r->sums[number][i].share_flows;
		by_queries += r->sums[number][i].share_queries;
	}
	is_by_flows = r->shares_by_flows && by_flows > 0;
	double whole = is_by_flows ? by_flows : by_queries;
	for (size_t i = 0; i < r->out->n_sites; i++) {
		const struct projection_sum *sum = &r->sums[number][i];
		const struct projection_site_now *now = &r->in->sites[i];
		double share = is_by_flows ? sum->share_flows : sum->share_queries;

		to->sites[i] = (struct projection_site){
			.share_ppm = whole > 0 ? (uint32_t)lround(share / whole * 1e6) : 0,
			.flows_known = now->flows_known && !sum->flows_unknown,
			.bits_known = now->bits_known && !sum->bits_unknown,
			.flows_per_s = load_of(now->flows_per_s, sum->flows),
			.bits_per_s = load_of(now->bits_per_s, sum->bits),
			.backup_flows_per_s = load_of(0, sum->backup_flows),
			.backup_bits_per_s = load_of(0, sum->backup_bits),
			.receives = sum->receives,
		};
	}
}

static void write_projection(const struct projection_run *r)
{
	write_step(r, 0, &r->out->begin);
	projection_write_band(r, &r->out->begin);
	for (size_t i = 0; i < r->out->n_steps; i++) {
		write_step(r, i + 1, &r->out->steps[i]);
		projection_write_band(r, &r->out->steps[i]);
	}
}

/* The groups of the service that has most. */
static size_t most_groups(const struct projector *p)
{
	size_t most = 0, n = 0;

	for (size_t g = 0; g < p->n_groups; g++) {
		n = g && p->groups[g].service == p->groups[g - 1].service ? n + 1 : 1;
		most = n > most ? n : most;
	}
	return most;
}

/* Room for the clients of the service with most: all keys, and all even ones. */
static int make_room(struct projection_run *r)
{
	const struct projector *p = r->p;
	size_t n;

	r->n_even = projection_even_keys(r);
	n = p->n_keys + most_groups(p) * r->n_even;
	r->of.clients = calloc(n + 1, sizeof(*r->of.clients));
	r->rows = calloc(p->m->n_services * projection_n_sites(p->m) + 1, sizeof(*r->rows));
	r->state = calloc(1, sizeof(*r->state) +
	                             (p->steering->n_states + 1) * sizeof(r->state->sites[0]));
	if (!r->of.clients || !r->rows || !r->state)
		return -ENOMEM;
	r->state->n_sites = p->steering->n_states;
	return 0;
}

int projection_make(struct projector *p, const struct projection_input *in, struct projection *out)
{
	struct projection_run *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	memset(out, 0, sizeof(*out));
	if (!r)
		return -ENOMEM;
	projector_merge_keys(p);
	*r = (struct projection_run){ .p = p, .in = in, .out = out, .shares_by_flows = true };
	if (!make_room(r)) {
		out->n_sites = projection_n_sites(p->m);
		out->n_steps =
		        in->n_steps < PROJECTION_STEPS_MAX ? in->n_steps : PROJECTION_STEPS_MAX;
		out->covered_s = p->covered_s;
		out->n_nodes = p->n_nodes;
		sum_queries(r);
		projection_measure_unseen(r);
		list_flows(r);
		sum_site_queries(r);
		for (uint32_t s = 0; s < p->m->n_services; s++)
			if (projection_affects(r, &p->m->services[s]))
				run_service(r, s);
		write_projection(r);
		err = 0;
	}
	free(r->of.clients);
	free(r->rows);
	free(r->state);
	free(r);
	return err;
}
