/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far new flows may be from a projection by queries.
 *
 * A key is the prefix of clients where these, or a resolver that sends their prefix (ECS), ask; else it
 * is that of a resolver, which asks once in a TTL for however many there are behind it. Such clients
 * are not seen among the keys. New flows tell how many they are: those from prefixes that no key is.
 *
 *   unseen = part of the new flows, at the sites that lose clients, from prefixes that are no key
 *   moved  = part of the queries of these sites that the step moves
 *
 * What is seen follows the queries. Of the unseen part, the step moves `moved` as well, but by whole
 * resolvers: with n keys of about the same weight, moved ± 2 s, where s = sqrt(moved (1 - moved) / n)
 * by the binomial law. Queries make resolvers more alike than their clients are, so n is taken as a
 * quarter of the effective number of keys, (sum q)^2 / sum q^2. With four or fewer, all or nothing
 * may move. Where the list of prefixes was cut, a key of clients looks like one of a resolver, and n
 * is one.
 */
#include "mgmt/operations/projection_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PPM          1e6
#define SEEN_MIN     50u /* flows of the sample: a part of a half is then known to 7 points */
#define FEW_KEYS     4.0
#define ALIKE_FACTOR 4.0 /* 2 s with a quarter of the keys */

static uint64_t key_of(const struct projection_arrival *a)
{
	uint64_t key;

	memcpy(&key, a->key, sizeof(key));
	return key;
}

static int by_service_and_key(const void *x, const void *y)
{
	const struct projection_arrival *a = x, *b = y;
	int order = (a->service > b->service) - (a->service < b->service);

	return order ? order : (key_of(a) > key_of(b)) - (key_of(a) < key_of(b));
}

int projector_set_arrivals(struct projector *p, const struct projection_arrival *list, size_t n,
                           bool whole)
{
	struct projection_arrival *copy = calloc(n + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	if (n) {
		memcpy(copy, list, n * sizeof(*copy));
		qsort(copy, n, sizeof(*copy), by_service_and_key);
	}
	free(p->arrivals);
	p->arrivals = copy;
	p->n_arrivals = n;
	p->arrivals_whole = whole;
	return 0;
}

/* Whether clients of this prefix were seen themselves, so that it is no resolver's. */
static bool is_prefix_of_clients(const struct projector *p, uint32_t service,
                                 const struct steering_key *key)
{
	struct projection_arrival probe = { .service = service };

	memcpy(probe.key, key->bytes, sizeof(probe.key));
	return p->n_arrivals &&
	       bsearch(&probe, p->arrivals, p->n_arrivals, sizeof(probe), by_service_and_key);
}

/* Whether the steps take clients from a site: out, the targets; back, all others. */
static bool does_lose(const struct projection_run *r, uint32_t service, uint32_t site)
{
	bool is_target = false;

	for (size_t i = 0; i < r->in->n_targets; i++) {
		const struct projection_gate *g = &r->in->targets[i];

		is_target |=
		        g->site == site && (g->service == PROJECTION_ALL || g->service == service);
	}
	return is_target == projection_rises(r->in);
}

void projection_measure_unseen(struct projection_run *r)
{
	const struct projector *p = r->p;
	uint64_t sampled = 0;
	double all = 0, unseen = 0;

	for (size_t i = 0; i < p->n_arrivals; i++) {
		const struct projection_arrival *a = &p->arrivals[i];

		if (a->service >= p->m->n_services ||
		    !projection_affects(r, &p->m->services[a->service]) ||
		    !does_lose(r, a->service, a->site))
			continue;
		sampled += a->sampled;
		all += (double)a->flows;
		if (!projector_has_key(p, a->service, key_of(a)))
			unseen += (double)a->flows;
	}
	r->out->unseen_known = sampled >= SEEN_MIN && all > 0;
	r->out->unseen_ppm = r->out->unseen_known ? (uint32_t)lround(unseen / all * PPM) : 0;
	if (r->in->unseen_fixed) {
		r->out->unseen_known = r->in->unseen_known;
		r->out->unseen_ppm = r->in->unseen_known ? r->in->unseen_ppm : 0;
	}
}

void projection_count_resolvers(struct projection_run *r)
{
	const struct projection_service *of = &r->of;
	double sum = 0, squares = 0, n;

	for (size_t i = 0; i < of->n; i++) {
		const struct projection_client *c = &of->clients[i];

		if (!c->observed || c->site < 0 ||
		    !does_lose(r, of->service->index, of->at[c->site].site) ||
		    is_prefix_of_clients(r->p, of->service->index, &c->key))
			continue;
		sum += c->queries;
		squares += c->queries * c->queries;
	}
	if (squares <= 0)
		return;
	n = r->p->arrivals_whole ? sum * sum / squares : 1;
	if (r->n_resolvers <= 0 || n < r->n_resolvers) /* the same ones may ask for each service */
		r->n_resolvers = n;
}

static double limit_part(double part)
{
	return part < 0 ? 0 : part > 1 ? 1 : part;
}

static double sum_targets(const struct projection_run *r, const struct projection_step *step)
{
	double sum = 0;

	for (size_t i = 0; i < r->out->n_sites; i++) {
		bool is_target = false;

		for (size_t k = 0; k < r->in->n_targets; k++)
			is_target |= r->in->targets[k].site == i;
		sum += is_target ? step->sites[i].share_ppm : 0;
	}
	return limit_part(sum / PPM);
}

void projection_write_band(const struct projection_run *r, struct projection_step *to)
{
	bool rises = projection_rises(r->in);
	double begin = sum_targets(r, &r->out->begin), at = sum_targets(r, to);
	double whole = rises ? begin : 1 - begin, unseen = r->out->unseen_ppm / PPM;
	double moved = whole > 0 ? limit_part(fabs(at - begin) / whole) : 0, slack = 0;

	to->targets_least_ppm = to->targets_most_ppm = (uint32_t)lround(at * PPM);
	if (!r->out->unseen_known)
		return;
	if (moved > 0 && moved < 1)
		slack = r->n_resolvers > FEW_KEYS
		                ? ALIKE_FACTOR * sqrt(moved * (1 - moved) / r->n_resolvers)
		                : 1;
	double less = whole * ((1 - unseen) * moved + unseen * limit_part(moved - slack));
	double more = whole * ((1 - unseen) * moved + unseen * limit_part(moved + slack));
	to->targets_least_ppm =
	        (uint32_t)lround(limit_part(rises ? begin - more : begin + less) * PPM);
	to->targets_most_ppm =
	        (uint32_t)lround(limit_part(rises ? begin - less : begin + more) * PPM);
}
