/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a change does to clients and routers. Answers are asked of the code that weir-dns answers by, for client prefixes
 * that are spread over all addresses. A name that is steered as before has no row, and costs nothing.
 */
#include <errno.h>
#include <string.h>

#include "mgmt/rules/plan.h"
#include "mgmt/rules/risk_internal.h"
#include "weir/steering.h"

#define PREFIXES     10000u
#define PREFIXES_MIN 1000u
/* Scores of (client, site) for all names together: about a second. */
#define SCORES_MAX 40000000u

/* Both models as weir-dns would answer by them, all sites up and none drained. */
struct answers_work {
	struct arena *arena;
	const struct steering *before, *after;
	const struct steering_state *up[2];
};

/* --- which names are steered otherwise --- */

static bool has_same_addresses(const struct steering_site *a, const struct steering_site *b,
                               bool ip4)
{
	return a->n_addresses[ip4] == b->n_addresses[ip4] &&
	       !memcmp(a->addresses[ip4], b->addresses[ip4],
	               a->n_addresses[ip4] * sizeof(a->addresses[ip4][0]));
}

static bool is_same_site(const struct steering_site *a, const struct steering_site *b)
{
	return a->id == b->id && a->weight == b->weight && has_same_addresses(a, b, false) &&
	       has_same_addresses(a, b, true);
}

static bool is_steered_alike(const struct answers_work *w, const struct steering_name *a,
                             const struct steering_name *b)
{
	const struct steering_service *s = a->service, *t = b->service;

	if (a->policy != b->policy || s->n_sites != t->n_sites ||
	    memcmp(&w->before->key, &w->after->key, sizeof(w->after->key)) != 0)
		return false;
	for (uint32_t i = 0; i < s->n_sites; i++)
		if (!is_same_site(&s->sites[i], &t->sites[i]))
			return false;
	return true;
}

/* --- answers --- */

/* Client number @p i: /24s and /56s in turn, each another one, spread over all. */
static struct steering_key client_key(uint32_t i)
{
	uint32_t range = i / 2 * 2654435761u;
	struct steering_key key = { .bytes = { 4 }, .bits = 24 };

	if (i % 2) {
		key.bits = 56;
		key.bytes[0] = 6;
		key.bytes[1] = (uint8_t)(0x20 | range >> 27);
	}
	for (int k = 0; k < 3; k++)
		key.bytes[1 + k + i % 2] = (uint8_t)(range >> (24 - 8 * k));
	return key;
}

/* The site that answers a client in one family; NULL: none does. */
static const struct steering_site *choose_site(const struct steering *p,
                                               const struct steering_state *up,
                                               const struct steering_name *name, bool ip4,
                                               const struct steering_key *key)
{
	struct steering_choice c = steering_choose(p, up, (uint32_t)(name - p->names), ip4, key, 0);

	return c.site < 0 ? NULL : &name->service->sites[c.site];
}

bool plan_is_same_answer(const struct steering_site *a, const struct steering_site *b, bool ip4)
{
	return a && b ? has_same_addresses(a, b, ip4) : a == b;
}

/* A row's site: those before the change first, then what the change adds. */
static void count_site(struct plan_name *row, struct plan_share *sites,
                       const struct steering_site *site, bool after)
{
	size_t i = 0;

	if (!site)
		return;
	while (i < row->n_sites && strcmp(sites[i].site, site->name) != 0)
		i++;
	if (i == row->n_sites)
		sites[row->n_sites++] = (struct plan_share){ .site = site->name };
	++*(after ? &sites[i].after_ppm : &sites[i].before_ppm); /* a count, until all are asked */
}

static uint32_t share_ppm(uint32_t n, uint32_t of)
{
	return of ? (uint32_t)((uint64_t)n * MODEL_PPM_ALL / of) : 0;
}

/* @param b  NULL: the name goes */
static struct plan_name measure_name(const struct answers_work *w, const struct steering_name *a,
                                     const struct steering_name *b, uint32_t n_prefixes)
{
	struct plan_name row = { .name = a->name, .n_prefixes = n_prefixes };
	struct plan_share *sites = ARENA_ARRAY(w->arena, struct plan_share, STEERING_SITES_MAX * 2);
	uint32_t n_answered[2] = { 0 }, n_moved = 0, n_pairs = 0;

	for (uint32_t i = 0; sites && i < n_prefixes * 2; i++) {
		struct steering_key key = client_key(i / 2);
		bool ip4 = i % 2;
		const struct steering_site *x = choose_site(w->before, w->up[0], a, ip4, &key);
		const struct steering_site *y =
		        b ? choose_site(w->after, w->up[1], b, ip4, &key) : NULL;

		count_site(&row, sites, x, false);
		count_site(&row, sites, y, true);
		n_answered[0] += x != NULL;
		n_answered[1] += y != NULL;
		n_pairs += x || y;
		n_moved += !plan_is_same_answer(x, y, ip4);
	}
	for (size_t i = 0; i < row.n_sites; i++) {
		sites[i].before_ppm = share_ppm(sites[i].before_ppm, n_answered[0]);
		sites[i].after_ppm = share_ppm(sites[i].after_ppm, n_answered[1]);
	}
	row.moved_ppm = share_ppm(n_moved, n_pairs);
	row.sites = sites;
	return row;
}

static const struct steering_state *all_up(const struct steering *p, struct arena *a)
{
	struct steering_state *s = arena_alloc(
	        a, 1,
	        sizeof(*s) + p->n_states * sizeof(s->sites[0])); /* zero: not known, so serving */

	if (s)
		s->n_sites = p->n_states;
	for (size_t i = 0; s && i < p->n_states; i++)
		s->sites[i].next_ms = MODEL_TIME_NEVER;
	return s;
}

/* As many clients as are asked about each of @p n names. */
static uint32_t prefixes_for(size_t n, uint32_t n_sites)
{
	size_t each = SCORES_MAX / (n * 4 * (n_sites ? n_sites : 1));

	return each > PREFIXES ? PREFIXES : each < PREFIXES_MIN ? PREFIXES_MIN : (uint32_t)each;
}

static void add_names(struct change_plan *p, const struct answers_work *w)
{
	const struct steering_name *pairs[PLAN_NAMES_SHOWN][2];
	struct plan_name *names = ARENA_ARRAY(w->arena, struct plan_name, PLAN_NAMES_SHOWN);
	uint32_t most_sites = 0;
	size_t n;

	for (size_t i = 0; i < w->before->n_names; i++) {
		const struct steering_name *a = &w->before->names[i];
		const struct steering_name *b = risk_named(w->after->names, w->after->n_names,
		                                           sizeof(*w->after->names), a->name);

		if (b && is_steered_alike(w, a, b))
			continue;
		if (p->n_names_all < PLAN_NAMES_SHOWN) {
			pairs[p->n_names_all][0] = a;
			pairs[p->n_names_all][1] = b;
			most_sites =
			        a->service->n_sites > most_sites ? a->service->n_sites : most_sites;
		}
		p->n_names_all++;
	}
	n = p->n_names_all < PLAN_NAMES_SHOWN ? p->n_names_all : PLAN_NAMES_SHOWN;
	for (size_t i = 0; names && i < n; i++)
		names[i] = measure_name(w, pairs[i][0], pairs[i][1], prefixes_for(n, most_sites));
	p->names = names;
	p->n_names = n;
}

/* --- announcements --- */

static void add_withdrawn(struct change_plan *p, struct plan_withdrawn *rows,
                          const struct model_node *a, const struct model_node *b)
{
	struct risk_announced before = risk_announced(p->arena, &a->announce), after = { 0 };

	if (b)
		after = risk_announced(p->arena, &b->announce);
	for (size_t i = 0; i < before.n; i++) {
		char text[ADDR_TEXT_MAX];

		if (risk_announces(&after, &before.sorted[i]))
			continue;
		if (p->n_withdrawn_all++ < PLAN_WITHDRAWN_SHOWN)
			rows[p->n_withdrawn++] = (struct plan_withdrawn){
				a->name, arena_strdup(p->arena, addr_text(&before.sorted[i], text))
			};
	}
}

int plan_add_effects(struct change_plan *p, const struct model *from, const struct model *to)
{
	struct answers_work w = { .arena = p->arena,
		                  .before = steering_new(from, p->arena),
		                  .after = steering_new(to, p->arena) };
	struct plan_withdrawn *rows =
	        ARENA_ARRAY(p->arena, struct plan_withdrawn, PLAN_WITHDRAWN_SHOWN);

	if (!w.before || !w.after || !rows)
		return -ENOMEM;
	w.up[0] = all_up(w.before, p->arena);
	w.up[1] = all_up(w.after, p->arena);
	if (!w.up[0] || !w.up[1])
		return -ENOMEM;
	add_names(p, &w);
	for (size_t i = 0; i < from->n_nodes; i++)
		add_withdrawn(p, rows, &from->nodes[i], model_node(to, from->nodes[i].name));
	p->withdrawn = rows;
	return arena_failed(p->arena) ? -ENOMEM : 0;
}
