/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who chooses which site of a service: observed keys, and even ones for what was not observed one by
 * one, at the levels of the operation's begin and of its steps.
 */
#include "mgmt/operations/projection_internal.h"

#include <string.h>

#include "base/hash.h"
#include "base/sorted.h"

#define SITES PROJECTION_SITES_MAX
/*
 * Even keys, of all groups together: they stand for clients that were not observed one by one. 4,096
 * of them miss a share of a half by 0.8 points (one standard deviation).
 */
#define EVEN_KEYS     16384u
#define EVEN_KEYS_OF  4096u /* at most of one group */
#define EVEN_KEYS_MIN 16u

size_t projection_n_sites(const struct model *m)
{
	return m->n_sites < SITES ? m->n_sites : SITES;
}

bool projection_is_gate(const struct projection_gate *g, const struct model_service *s,
                        const struct model_at *at)
{
	return g->site == at->site->index &&
	       (g->service == PROJECTION_ALL || g->service == s->index);
}

static bool is_target(const struct projection_run *r, const struct model_service *s,
                      const struct model_at *at)
{
	for (size_t i = 0; i < r->in->n_targets; i++)
		if (projection_is_gate(&r->in->targets[i], s, at))
			return true;
	return false;
}

bool projection_affects(const struct projection_run *r, const struct model_service *s)
{
	for (size_t k = 0; k < s->n_at && k < SITES; k++)
		if (is_target(r, s, &s->at[k]))
			return true;
	return false;
}

bool projection_rises(const struct projection_input *in)
{
	uint32_t begin = in->n_targets ? in->targets[0].level_ppm : 0;

	return in->n_steps == 0 || in->steps_ppm[in->n_steps - 1] >= begin;
}

uint32_t projection_target_level(const struct projection_input *in, uint32_t begin_ppm, size_t step)
{
	uint32_t ppm = step ? in->steps_ppm[step - 1] : begin_ppm;
	bool rises = in->n_steps && in->steps_ppm[in->n_steps - 1] >= begin_ppm;

	if (rises ? ppm < begin_ppm : ppm > begin_ppm)
		ppm = begin_ppm;
	return ppm < MODEL_PPM_ALL ? ppm : MODEL_PPM_ALL;
}

static uint32_t level_at(const struct projection_run *r, const struct model_service *s,
                         const struct model_at *at, size_t step)
{
	const struct projection_input *in = r->in;
	uint32_t level = 0;

	for (size_t i = 0; i < in->n_gates; i++)
		if (projection_is_gate(&in->gates[i], s, at) && in->gates[i].level_ppm > level)
			level = in->gates[i].level_ppm < MODEL_PPM_ALL ? in->gates[i].level_ppm
			                                               : MODEL_PPM_ALL;
	for (size_t i = 0; i < in->n_targets; i++) {
		uint32_t own = projection_target_level(in, in->targets[i].level_ppm, step);

		if (projection_is_gate(&in->targets[i], s, at) && own > level)
			level = own;
	}
	return level;
}

void projection_set_levels(struct projection_run *r, size_t step)
{
	const struct projection_service *of = &r->of;

	for (uint32_t k = 0; k < of->n_at; k++) {
		const struct model_at *at = &of->service->at[k];

		r->state->sites[of->steered->first_state + k] = (struct steering_site_state){
			.drained_ppm = level_at(r, of->service, at, step),
			.disabled = at->site->index < SITES && r->in->sites[at->site->index].out,
			.next_ms = MODEL_TIME_NEVER,
		};
	}
}

int32_t projection_choose(const struct projection_run *r, const struct projection_client *c)
{
	return steering_choose(r->p->steering, r->state, c->name, r->of.ip4, &c->key, 0).site;
}

/* --- the clients of a service --- */

static struct projection_client *add_client(struct projection_run *r, uint32_t name, double queries)
{
	struct projection_service *of = &r->of;

	of->clients[of->n] = (struct projection_client){ .name = name, .queries = queries };
	return &of->clients[of->n++];
}

static void add_even_keys(struct projection_run *r, const struct projector_group *g, double queries,
                          size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct projection_client *c = add_client(r, g->name, queries / (double)n);
		uint64_t h = hash_mix(i + 1);

		c->key = (struct steering_key){ .bytes = { 6 }, .bits = 56 };
		memcpy(c->key.bytes + 1, &h, 7);
	}
}

static int compare_group(const void *key, const void *item)
{
	size_t group = *(const size_t *)key, of = ((const struct projector_key *)item)->group;

	return (group > of) - (group < of);
}

/* Keys are sorted by group. @return the first of @p group, or where it would be */
static size_t first_key_of(const struct projector *p, size_t group)
{
	return sorted_index(&group, p->keys, p->n_keys, sizeof(*p->keys), compare_group, NULL);
}

/* @return the queries whose keys are known */
static double add_observed_keys(struct projection_run *r, size_t group)
{
	const struct projector *p = r->p;
	double sum = 0;

	for (size_t i = first_key_of(p, group); i < p->n_keys && p->keys[i].group == group; i++) {
		struct projection_client *c =
		        add_client(r, p->groups[group].name, (double)p->keys[i].queries);

		memcpy(c->key.bytes, &p->keys[i].key, sizeof(c->key.bytes));
		c->key.bits = c->key.bytes[0] == 4 ? 24 : 56;
		c->observed = true;
		sum += c->queries;
	}
	return sum;
}

size_t projection_even_keys(const struct projection_run *r)
{
	size_t n_groups = 0, n;

	for (size_t g = 0; g < r->p->n_groups; g++)
		n_groups += projection_affects(r, &r->p->m->services[r->p->groups[g].service]);
	n = n_groups ? EVEN_KEYS / n_groups : EVEN_KEYS;
	n = n < EVEN_KEYS_OF ? n : EVEN_KEYS_OF;
	return n > EVEN_KEYS_MIN ? n : EVEN_KEYS_MIN;
}

/* A group's clients: those observed, and even ones for the others. */
static void add_group(struct projection_run *r, size_t group)
{
	const struct projector_group *g = &r->p->groups[group];
	double sum = 0, others = (double)g->others;

	if (r->out->by_keys)
		sum = add_observed_keys(r, group);
	else
		others = 1; /* by weights: each name of a service counts alike */
	add_even_keys(r, g,
	              others + (sum + others) * PROJECTION_EVEN_WEIGHT + PROJECTION_EVEN_WEIGHT,
	              r->n_even);
}

static bool has_ip4(const struct steering_service *s)
{
	for (uint32_t k = 0; k < s->n_sites; k++)
		if (s->sites[k].n_addresses[1])
			return true;
	return false;
}

void projection_begin_service(struct projection_run *r, uint32_t number)
{
	const struct projector *p = r->p;
	struct projection_service *of = &r->of;

	of->service = &p->m->services[number];
	of->steered = &p->steering->services[number];
	of->n = 0;
	of->n_at = of->steered->n_sites;
	of->ip4 = has_ip4(of->steered);
	memset(of->at, 0, sizeof(of->at));
	for (size_t k = 0; k < of->n_at; k++)
		of->at[k].site = of->service->at[k].site->index;
	projection_set_levels(r, 0);
	for (size_t g = projector_first_group(p, number);
	     g < p->n_groups && p->groups[g].service == number; g++)
		add_group(r, g);
	for (size_t i = 0; i < of->n; i++) {
		struct projection_client *c = &of->clients[i];

		c->site = projection_choose(r, c);
		if (c->site >= 0)
			of->at[c->site].queries += c->queries;
	}
}
