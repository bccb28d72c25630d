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

#include "base/hash.h"
#include "base/sorted.h"

#define SITES PROJECTION_SITES_MAX
/* What even keys weigh beside observed ones: nothing, but for a site that no observed key chooses. */
#define EVEN_WEIGHT 1e-6

struct projection_client {
	struct steering_key key;
	uint32_t name;
	int32_t site;  /* at the begin, among the service's; -1: none */
	bool observed; /* no even key */
	double queries;
};

/* A service at one of its sites. */
struct projection_at {
	uint32_t site; /* index in the model */
	bool flows_known, bits_known;
	double now, begin, bits; /* a second; bits: now */
	double queries;          /* of the clients that choose it at the begin */
	double leaving, joining; /* of them, at a step */
};

/* Of the service that is looked at. */
struct projection_service {
	const struct model_service *service;
	const struct steering_service *steered;
	struct projection_client *clients;
	size_t n, n_at;
	bool ip4;
	double scale; /* load now to load at the begin */
	struct projection_at at[SITES];
	double moved[SITES][SITES];
};

/* What the steps do to one site, added up over services. */
struct projection_sum {
	double flows, bits; /* more, or less, a second */
	double backup_flows, backup_bits;
	double share_flows, share_queries;
	bool flows_unknown, bits_unknown, receives;
};

struct projection_run {
	struct projector *p;
	const struct projection_input *in;
	struct projection *out;
	struct steering_state *state;
	uint32_t *rows;             /* by service and site: which of in->flows, from 1; 0: none */
	double listed_flows[SITES]; /* the sum of in->flows by site */
	double site_queries[SITES]; /* of the targets' services, at the begin */
	bool shares_by_flows;       /* the flows of all sites are known */
	double n_resolvers;         /* effective number of keys that are no clients'; 0: none */
	struct projection_service of;
	size_t n_even;                                               /* even keys of a group */
	struct projection_sum sums[PROJECTION_STEPS_MAX + 1][SITES]; /* [0]: the begin */
};

/* --- who chooses which site --- */

/*
 * Who chooses which site of a service: observed keys, and even ones for what was not observed one by
 * one, at the levels of the operation's begin and of its steps.
 */

/*
 * Even keys, of all groups together: they stand for clients that were not observed one by one. 4,096
 * of them miss a share of a half by 0.8 points (one standard deviation).
 */
#define EVEN_KEYS     16384u
#define EVEN_KEYS_OF  4096u /* at most of one group */
#define EVEN_KEYS_MIN 16u

static size_t count_sites(const struct model *m)
{
	return m->n_sites < SITES ? m->n_sites : SITES;
}

/* Whether a gate is of this service at this site, both by their indices. */
static bool is_gate_of(const struct projection_gate *g, uint32_t service, uint32_t site)
{
	return g->site == site && (g->service == PROJECTION_ALL || g->service == service);
}

static bool is_target(const struct projection_run *r, uint32_t service, uint32_t site)
{
	for (size_t i = 0; i < r->in->n_targets; i++)
		if (is_gate_of(&r->in->targets[i], service, site))
			return true;
	return false;
}

static bool is_affected(const struct projection_run *r, const struct model_service *s)
{
	for (size_t k = 0; k < s->n_at && k < SITES; k++)
		if (is_target(r, s->index, s->at[k].site->index))
			return true;
	return false;
}

static bool do_steps_rise(const struct projection_input *in)
{
	uint32_t begin = in->n_targets ? in->targets[0].level_ppm : 0;

	return in->n_steps == 0 || in->steps_ppm[in->n_steps - 1] >= begin;
}

static uint32_t find_target_level(const struct projection_input *in, uint32_t begin_ppm,
                                  size_t step)
{
	uint32_t ppm = step ? in->steps_ppm[step - 1] : begin_ppm;
	bool rises = in->n_steps && in->steps_ppm[in->n_steps - 1] >= begin_ppm;

	if (rises ? ppm < begin_ppm : ppm > begin_ppm)
		ppm = begin_ppm;
	return ppm < MODEL_PPM_ALL ? ppm : MODEL_PPM_ALL;
}

static uint32_t level_at(const struct projection_run *r, uint32_t service, uint32_t site,
                         size_t step)
{
	const struct projection_input *in = r->in;
	uint32_t level = 0;

	for (size_t i = 0; i < in->n_gates; i++)
		if (is_gate_of(&in->gates[i], service, site) && in->gates[i].level_ppm > level)
			level = in->gates[i].level_ppm < MODEL_PPM_ALL ? in->gates[i].level_ppm
			                                               : MODEL_PPM_ALL;
	for (size_t i = 0; i < in->n_targets; i++) {
		uint32_t own = find_target_level(in, in->targets[i].level_ppm, step);

		if (is_gate_of(&in->targets[i], service, site) && own > level)
			level = own;
	}
	return level;
}

static void set_levels(struct projection_run *r, size_t step)
{
	const struct projection_service *of = &r->of;

	for (uint32_t k = 0; k < of->n_at; k++) {
		const uint32_t site = of->at[k].site;

		r->state->sites[of->steered->first_state + k] = (struct steering_site_state){
			.drained_ppm = level_at(r, of->service->index, site, step),
			.disabled = site < SITES && r->in->sites[site].out,
			.next_ms = MODEL_TIME_NEVER,
		};
	}
}

static int32_t choose_site(const struct projection_run *r, const struct projection_client *c)
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

		c->key = steering_key_from((const uint8_t *)&p->keys[i].key);
		c->observed = true;
		sum += c->queries;
	}
	return sum;
}

static size_t count_even_keys(const struct projection_run *r)
{
	size_t n_groups = 0, n;

	for (size_t g = 0; g < r->p->n_groups; g++)
		n_groups += is_affected(r, &r->p->m->services[r->p->groups[g].service]);
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
	add_even_keys(r, g, others + (sum + others) * EVEN_WEIGHT + EVEN_WEIGHT, r->n_even);
}

static bool has_ip4(const struct steering_service *s)
{
	for (uint32_t k = 0; k < s->n_sites; k++)
		if (s->sites[k].n_addresses[1])
			return true;
	return false;
}

static void begin_service(struct projection_run *r, uint32_t number)
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
	set_levels(r, 0);
	for (size_t g = projector_first_group(p, number);
	     g < p->n_groups && p->groups[g].service == number; g++)
		add_group(r, g);
	for (size_t i = 0; i < of->n; i++) {
		struct projection_client *c = &of->clients[i];

		c->site = choose_site(r, c);
		if (c->site >= 0)
			of->at[c->site].queries += c->queries;
	}
}

/* --- how far new flows may be from it --- */

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
	return is_target(r, service, site) == do_steps_rise(r->in);
}

static void measure_unseen(struct projection_run *r)
{
	const struct projector *p = r->p;
	uint64_t sampled = 0;
	double all = 0, unseen = 0;

	for (size_t i = 0; i < p->n_arrivals; i++) {
		const struct projection_arrival *a = &p->arrivals[i];

		if (a->service >= p->m->n_services ||
		    !is_affected(r, &p->m->services[a->service]) ||
		    !does_lose(r, a->service, a->site))
			continue;
		sampled += a->sampled;
		all += (double)a->flows;
		if (!projector_has_key(p, a->service, key_of(a)))
			unseen += (double)a->flows;
	}
	struct operation_value ppm = { .known = sampled >= SEEN_MIN && all > 0 };

	if (ppm.known)
		ppm.value = (uint64_t)lround(unseen / all * PPM);
	if (r->in->unseen_fixed)
		ppm = r->in->unseen_ppm;
	r->out->unseen_ppm = operation_value_of(ppm.known, ppm.value);
}

static void count_resolvers(struct projection_run *r)
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
		sum += is_target ? (double)step->sites[i].share_ppm.value : 0;
	}
	return limit_part(sum / PPM);
}

static struct operation_band make_band(double least, double most)
{
	return (struct operation_band){
		operation_value_of(true, (uint64_t)lround(limit_part(least) * PPM)),
		operation_value_of(true, (uint64_t)lround(limit_part(most) * PPM))
	};
}

static void write_band(const struct projection_run *r, struct projection_step *to)
{
	bool rises = do_steps_rise(r->in);
	double begin = sum_targets(r, &r->out->begin), at = sum_targets(r, to);
	double whole = rises ? begin : 1 - begin, unseen = (double)r->out->unseen_ppm.value / PPM;
	double moved = whole > 0 ? limit_part(fabs(at - begin) / whole) : 0, slack = 0;

	if (!r->out->unseen_ppm.known) {
		to->targets = make_band(at, at);
		return;
	}
	if (moved > 0 && moved < 1)
		slack = r->n_resolvers > FEW_KEYS
		                ? ALIKE_FACTOR * sqrt(moved * (1 - moved) / r->n_resolvers)
		                : 1;
	double less = whole * ((1 - unseen) * moved + unseen * limit_part(moved - slack));
	double more = whole * ((1 - unseen) * moved + unseen * limit_part(moved + slack));
	to->targets = rises ? make_band(begin - more, begin - less)
	                    : make_band(begin + less, begin + more);
}

/* --- the steps --- */

static void read_flows(const struct projection_run *r, struct projection_at *at)
{
	const struct model_service *s = r->of.service;
	uint32_t row = r->rows[s->index * count_sites(r->p->m) + at->site];
	const struct projection_site_now *site = &r->in->sites[at->site];
	double part = 0, sum = r->site_queries[at->site];

	if (r->in->n_flows) {
		at->flows_known = row > 0;
		at->now = row ? (double)r->in->flows[row - 1].now_per_s : 0;
		at->begin = row ? (double)r->in->flows[row - 1].begin_per_s : 0;
		part = r->listed_flows[at->site] > 0 ? at->now / r->listed_flows[at->site] : 0;
	} else {
		part = sum > 0 ? at->queries / sum : 0;
		at->flows_known = site->flows.known;
		at->now = at->begin = site->flows.known ? (double)site->flows.value * part : 0;
	}
	at->bits_known = site->bits.known && (at->flows_known || !r->in->n_flows);
	at->bits = at->bits_known ? (double)site->bits.value * part : 0;
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
	set_levels(r, step);
	for (size_t i = 0; i < of->n; i++) {
		const struct projection_client *c = &of->clients[i];
		int32_t to = choose_site(r, c);

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
		to->receives |= of->moved[from][k] > at->queries * 10 * EVEN_WEIGHT;
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

	if (site >= count_sites(r->p->m) || in->sites[site].out)
		return true;
	for (size_t i = 0; i < in->n_gates; i++)
		if (in->gates[i].site == site && in->gates[i].service == PROJECTION_ALL &&
		    in->gates[i].level_ppm >= MODEL_PPM_ALL)
			return true;
	for (size_t i = 0; i < in->n_targets; i++)
		if (in->targets[i].site == site && in->targets[i].service == PROJECTION_ALL &&
		    find_target_level(in, in->targets[i].level_ppm, step) >= MODEL_PPM_ALL)
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
	uint32_t before = find_target_level(r->in, begin_ppm, step - 1);

	if (r->in->at_once || begin_ppm >= MODEL_PPM_ALL || step == 1 || !r->of.n)
		return 1; /* DNS has moved nothing before */
	return (double)(MODEL_PPM_ALL - before) / (MODEL_PPM_ALL - begin_ppm);
}

static void add_backups(struct projection_run *r, size_t step)
{
	const struct projection_service *of = &r->of;

	for (size_t i = 0; step && i < r->in->n_targets; i++) {
		const struct projection_gate *g = &r->in->targets[i];

		if (find_target_level(r->in, g->level_ppm, step) < MODEL_PPM_ALL ||
		    g->level_ppm >= MODEL_PPM_ALL)
			continue;
		for (size_t k = 0; k < of->n_at; k++)
			if (is_gate_of(g, of->service->index, of->at[k].site))
				add_backup(r, step, k, late_part(r, step, g->level_ppm));
	}
}

static void run_service(struct projection_run *r, uint32_t number)
{
	struct projection_service *of = &r->of;

	begin_service(r, number);
	count_resolvers(r);
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
		if (!is_affected(r, &p->m->services[p->groups[p->keys[i].group].service]))
			continue;
		out->queries += p->keys[i].queries;
		if (p->keys[i].queries > heaviest)
			heaviest = p->keys[i].queries;
	}
	for (size_t i = 0; i < p->n_groups; i++)
		if (is_affected(r, &p->m->services[p->groups[i].service]))
			others += p->groups[i].others;
	for (size_t i = 0; i < p->n_names; i++) {
		const struct model_dns_name *n = &p->m->dns_names[p->names[i].number];

		if (is_affected(r, n->service))
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

		if (f->service >= m->n_services || f->site >= count_sites(m))
			continue;
		r->rows[f->service * count_sites(m) + f->site] = (uint32_t)i + 1;
		r->listed_flows[f->site] += (double)f->now_per_s;
	}
}

/* Without flows by service, a site's load is its services' by their queries. */
static void sum_site_queries(struct projection_run *r)
{
	for (uint32_t s = 0; !r->in->n_flows && s < r->p->m->n_services; s++) {
		if (!is_affected(r, &r->p->m->services[s]))
			continue;
		begin_service(r, s);
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
		bool flows_known = now->flows.known && !sum->flows_unknown;
		bool bits_known = now->bits.known && !sum->bits_unknown;

		to->sites[i] = (struct operation_projected){
			.receives = sum->receives ? OPERATION_YES : OPERATION_NO,
			.share_ppm = operation_value_of(
			        true, whole > 0 ? (uint64_t)lround(share / whole * 1e6) : 0),
			.flows = operation_value_of(flows_known,
			                            load_of(now->flows.value, sum->flows)),
			.bits = operation_value_of(bits_known, load_of(now->bits.value, sum->bits)),
			.backup_flows =
			        operation_value_of(flows_known, load_of(0, sum->backup_flows)),
			.backup_bits = operation_value_of(bits_known, load_of(0, sum->backup_bits)),
		};
	}
}

static void write_projection(const struct projection_run *r)
{
	write_step(r, 0, &r->out->begin);
	write_band(r, &r->out->begin);
	for (size_t i = 0; i < r->out->n_steps; i++) {
		write_step(r, i + 1, &r->out->steps[i]);
		write_band(r, &r->out->steps[i]);
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

	r->n_even = count_even_keys(r);
	n = p->n_keys + most_groups(p) * r->n_even;
	r->of.clients = calloc(n + 1, sizeof(*r->of.clients));
	r->rows = calloc(p->m->n_services * count_sites(p->m) + 1, sizeof(*r->rows));
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
		out->n_sites = count_sites(p->m);
		out->n_steps =
		        in->n_steps < PROJECTION_STEPS_MAX ? in->n_steps : PROJECTION_STEPS_MAX;
		out->covered_s = p->covered_s;
		out->n_nodes = p->n_nodes;
		sum_queries(r);
		measure_unseen(r);
		list_flows(r);
		sum_site_queries(r);
		for (uint32_t s = 0; s < p->m->n_services; s++)
			if (is_affected(r, &p->m->services[s]))
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
