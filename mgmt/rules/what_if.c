/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each observed key chooses by both configurations, by the code that weir-dns answers by. A part of all queries that has no key
 * of its own is counted and not guessed.
 */
#include "mgmt/rules/what_if.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/sorted.h"
#include "mgmt/rules/risk_internal.h"
#include "mgmt/rules/rings.h"
#include "weir/placement.h"
#include "weir/steering.h"

/* --- queries --- */

/* A name by its identity. */
struct named {
	uint32_t id; /* first: sorted by it */
	uint32_t index;
};

/* A configuration as weir-dns would answer by it now. */
struct what_if_side {
	const struct model *m;
	struct steering *steering;
	struct steering_state *state;
	struct named *names;
};

/* What became of the queries for a name of the configuration in force. */
struct name_sums {
	uint64_t all, moved, lost;
};

struct queries_work {
	const struct what_if_observed *observed;
	struct arena *arena;
	struct what_if_side sides[2];
	struct name_sums *sums; /* by name, in the order of the first side */
	struct what_if_client *clients;
	size_t n_clients;
};

/* An observed key at both sides. */
struct key_choices {
	const struct steering_name *name;                /* of the first side; NULL: it has none */
	const struct steering_site *was[2], *becomes[2]; /* by family; NULL: no address */
};

static bool is_of(const struct what_if_site *s, const struct steering_service *service,
                  const struct steering_site *site)
{
	return !strcmp(s->site, site->name) && (!*s->service || !strcmp(s->service, service->name));
}

static void set_state(const struct what_if_observed *o, const struct steering_service *service,
                      struct steering_state *state)
{
	for (uint32_t k = 0; k < service->n_sites; k++) {
		struct steering_site_state *s = &state->sites[service->first_state + k];

		*s = (struct steering_site_state){ .next_ms = MODEL_TIME_NEVER };
		for (size_t i = 0; i < o->n_sites; i++) {
			const struct what_if_site *now = &o->sites[i];

			if (!is_of(now, service, &service->sites[k]))
				continue;
			s->disabled |= now->is_out;
			if (now->drained_ppm > s->drained_ppm)
				s->drained_ppm = now->drained_ppm;
		}
	}
}

static int begin_side(const struct model *m, const struct what_if_observed *o, struct arena *a,
                      struct what_if_side *side)
{
	struct placement placement;

	*side = (struct what_if_side){ .m = m, .steering = steering_new(m, a) };
	if (!side->steering)
		return -ENOMEM;
	placement_make(m->hash_key, &placement);
	side->steering->key = (struct hash_key){ placement.key[0], placement.key[1] };
	explicit_bzero(&placement, sizeof(placement));
	side->state = arena_alloc(a, 1,
	                          sizeof(*side->state) +
	                                  side->steering->n_states * sizeof(side->state->sites[0]));
	side->names = ARENA_ARRAY(a, struct named, side->steering->n_names + 1);
	if (!side->state || !side->names)
		return -ENOMEM;
	side->state->n_sites = side->steering->n_states;
	for (size_t i = 0; i < side->steering->n_services; i++)
		set_state(o, &side->steering->services[i], side->state);
	for (size_t i = 0; i < side->steering->n_names; i++)
		side->names[i] = (struct named){ side->steering->names[i].id, (uint32_t)i };
	qsort(side->names, side->steering->n_names, sizeof(*side->names), sorted_by_u32);
	return 0;
}

static const struct steering_name *find_name(const struct what_if_side *side, uint32_t id)
{
	const struct named key = { .id = id };
	const struct named *found = side->steering->n_names
	                                    ? bsearch(&key, side->names, side->steering->n_names,
	                                              sizeof(key), sorted_by_u32)
	                                    : NULL;

	return found ? &side->steering->names[found->index] : NULL;
}

/* By family; NULL: no site answers in it. */
static void choose_sites(const struct what_if_side *side, const struct steering_name *name,
                         const struct steering_key *key, const struct steering_site *out[2])
{
	for (int ip4 = 0; ip4 < 2; ip4++) {
		struct steering_choice c =
		        steering_choose(side->steering, side->state,
		                        (uint32_t)(name - side->steering->names), ip4, key, 0);
		const struct steering_site *site =
		        c.site < 0 ? NULL : &name->service->sites[c.site];

		out[ip4] = site && site->n_addresses[ip4] ? site : NULL;
	}
}

static struct key_choices choose_at_both(const struct queries_work *w,
                                         const struct steer_key *observed)
{
	const struct steering_key key = steering_key_from(observed->key);
	struct key_choices a = { .name = find_name(&w->sides[0], observed->name) };
	const struct steering_name *then = find_name(&w->sides[1], observed->name);

	if (a.name)
		choose_sites(&w->sides[0], a.name, &key, a.was);
	if (then)
		choose_sites(&w->sides[1], then, &key, a.becomes);
	return a;
}

/* Of the two families one that had an address has none. */
static bool is_lost(const struct key_choices *a)
{
	return (a->was[0] && !a->becomes[0]) || (a->was[1] && !a->becomes[1]);
}

static bool is_moved(const struct key_choices *a)
{
	return !plan_is_same_answer(a->was[0], a->becomes[0], false) ||
	       !plan_is_same_answer(a->was[1], a->becomes[1], true);
}

/* The site that stands for both: A and AAAA come from one where that has both. */
static const struct steering_site *main_site(const struct steering_site *const by_family[2])
{
	return by_family[1] ? by_family[1] : by_family[0];
}

static void write_prefix(const struct steer_key *observed, char out[ADDR_LONG_TEXT_MAX])
{
	struct prefix p = { .bits = steering_key_from(observed->key).bits };
	uint8_t four[4] = { 0 };

	if (observed->key[0] == 4) {
		memcpy(four, observed->key + 1, 3);
		p.addr = addr_from4(four);
	} else {
		memcpy(p.addr.bytes, observed->key + 1, 7);
	}
	prefix_text(&p, out);
}

static void note_client(struct queries_work *w, const struct steer_key *observed,
                        const struct key_choices *a, struct what_if *out)
{
	const struct steering_site *was = main_site(a->was), *becomes = main_site(a->becomes);

	out->n_clients_all++;
	if (w->n_clients == WHAT_IF_CLIENTS_MAX)
		return;
	struct what_if_client *c = &w->clients[w->n_clients++];

	*c = (struct what_if_client){ .name = a->name->name,
		                      .queries = observed->queries,
		                      .from = was ? was->name : NULL,
		                      .to = becomes ? becomes->name : NULL };
	write_prefix(observed, c->prefix);
}

static void count_key(struct queries_work *w, const struct steer_key *observed, struct what_if *out)
{
	struct key_choices a = choose_at_both(w, observed);

	if (!a.name) {
		out->queries_elsewhere += observed->queries;
		return;
	}
	struct name_sums *s = &w->sums[a.name - w->sides[0].steering->names];

	s->all += observed->queries;
	if (is_moved(&a)) {
		note_client(w, observed, &a, out);
		*(is_lost(&a) ? &s->lost : &s->moved) += observed->queries;
	}
}

static uint32_t part_ppm(uint64_t n, uint64_t of)
{
	return of ? (uint32_t)((double)n * MODEL_PPM_ALL / (double)of + 0.5) : 0;
}

static struct what_if_part queries_part(const struct name_sums *s)
{
	return (struct what_if_part){ .all = s->all,
		                      .moved_ppm = part_ppm(s->moved, s->all),
		                      .lost_ppm = part_ppm(s->lost, s->all) };
}

static uint64_t *share_of(struct plan_share *shares, uint64_t sums[][2], size_t *n,
                          const char *site, int side)
{
	size_t i = 0;

	while (i < *n && strcmp(shares[i].site, site) != 0)
		i++;
	if (i == *n)
		shares[(*n)++] = (struct plan_share){ .site = site };
	return &sums[i][side];
}

/* The sites of one name, with their parts of its queries. */
static void add_shares(const struct queries_work *w, const struct steering_name *name,
                       struct what_if_name *row)
{
	struct plan_share *shares =
	        ARENA_ARRAY(w->arena, struct plan_share, 2 * STEERING_SITES_MAX);
	uint64_t sums[2 * STEERING_SITES_MAX][2] = { 0 };
	const struct steer_keys *keys = w->observed->keys;

	for (size_t i = 0; shares && i < keys->n_keys; i++) {
		if (keys->keys[i].name != name->id)
			continue;
		struct key_choices a = choose_at_both(w, &keys->keys[i]);

		const struct steering_site *was = main_site(a.was), *becomes = main_site(a.becomes);

		if (was)
			*share_of(shares, sums, &row->n_sites, was->name, 0) +=
			        keys->keys[i].queries;
		if (becomes)
			*share_of(shares, sums, &row->n_sites, becomes->name, 1) +=
			        keys->keys[i].queries;
	}
	for (size_t i = 0; i < row->n_sites; i++) {
		shares[i].before_ppm = part_ppm(sums[i][0], row->queries.all);
		shares[i].after_ppm = part_ppm(sums[i][1], row->queries.all);
	}
	row->sites = shares;
}

static void add_names(struct queries_work *w, struct what_if *out)
{
	const struct steering *before = w->sides[0].steering;
	struct what_if_name *rows = ARENA_ARRAY(w->arena, struct what_if_name, WHAT_IF_ROWS_MAX);
	struct name_sums all = { 0 };

	for (size_t i = 0; rows && i < before->n_names; i++) {
		const struct name_sums *s = &w->sums[i];

		all.all += s->all;
		all.moved += s->moved;
		all.lost += s->lost;
		if (!(s->moved + s->lost) || out->n_names == WHAT_IF_ROWS_MAX)
			continue;
		rows[out->n_names] = (struct what_if_name){ .name = before->names[i].name,
			                                    .queries = queries_part(s) };
		add_shares(w, &before->names[i], &rows[out->n_names++]);
	}
	out->names = rows;
	out->queries = queries_part(&all);
}

static int compare_queries(const struct model *from, const struct model *to,
                           const struct what_if_observed *observed, struct arena *arena,
                           struct what_if *out)
{
	struct queries_work w = { .observed = observed, .arena = arena };
	const struct steer_keys *keys = observed->keys;
	int err = begin_side(from, observed, arena, &w.sides[0]);

	if (!err)
		err = begin_side(to, observed, arena, &w.sides[1]);
	if (err)
		return err;
	w.sums = ARENA_ARRAY(arena, struct name_sums, w.sides[0].steering->n_names + 1);
	w.clients = ARENA_ARRAY(arena, struct what_if_client, WHAT_IF_CLIENTS_MAX);
	if (!w.sums || !w.clients)
		return -ENOMEM;
	for (size_t i = 0; i < keys->n_keys; i++)
		count_key(&w, &keys->keys[i], out);
	for (size_t i = 0; i < keys->n_names; i++)
		out->queries_elsewhere += keys->names[i].others;
	add_names(&w, out);
	out->clients = w.clients;
	out->n_clients = w.n_clients;
	out->queries_covered_s = keys->covered_s;
	out->queries_known = true;
	return 0;
}

/* --- new flows --- */

/* The address of a service that clients of a family come to: the first one. */
static const struct addr *address_of(const struct model_vip *vip, bool ip4)
{
	for (size_t i = 0; i < vip->n_addresses; i++)
		if (addr_is4(&vip->addresses[i]) == ip4)
			return &vip->addresses[i];
	return NULL;
}

/* What both configurations make of them. */
struct flows_work {
	const struct model *from, *to;
	const struct what_if_observed *observed;
	struct arena *arena;
};

/* Of what is hashed alike the rings say it; of what is not, and where the configuration names no backends, shares do. */
static uint32_t backends_moved_ppm(const struct flows_work *w, const struct risk_entry *was,
                                   const struct risk_entry *becomes)
{
	const struct model_pool *a = was->at->pool, *b = becomes->at->pool;
	bool is_hashed_alike =
	        model_has_same_key(w->from, w->to) && was->service->hash == becomes->service->hash;
	bool is_one_pool = !strcmp(a->name, b->name) && a->n_slots == b->n_slots;
	uint32_t by_shares = is_hashed_alike && is_one_pool ? risk_moved_ppm(a, b, w->arena)
	                                                    : risk_rehashed_ppm(a, b, w->arena);
	uint32_t by_rings;

	if (!by_shares || !is_hashed_alike || rings_moved_ppm(a, b, w->from->hash_key, &by_rings))
		return by_shares;
	return by_rings;
}

/* What becomes of a service's flows; in flows, until all are counted. */
struct flow_fates {
	double all, moved, pool, lost;
};

/* All of one family have one fate. */
static void count_family(const struct flows_work *w, const struct risk_entry *was, double flows,
                         struct flow_fates *sums)
{
	const struct risk_entry becomes = risk_find_entry(w->to, was);

	sums->all += flows;
	if (!becomes.at) {
		sums->lost += flows;
		return;
	}
	if (strcmp(was->at->pool->name, becomes.at->pool->name) != 0)
		sums->pool += flows;
	sums->moved += flows * backends_moved_ppm(w, was, &becomes) / MODEL_PPM_ALL;
}

/* Flows to a service, by family: [0] IPv6, [1] IPv4. */
static void sum_flows(const struct what_if_observed *observed, const struct model_service *service,
                      uint64_t sums[2])
{
	uint64_t id = hash_text(service->name);

	for (size_t i = 0; i < observed->n_flows; i++)
		if (observed->flows[i].service == id)
			sums[addr_is4(&observed->flows[i].prefix.addr)] += observed->flows[i].flows;
}

static struct flow_fates count_service(const struct flows_work *w,
                                       const struct model_service *service,
                                       const struct model_at *at)
{
	struct flow_fates sums = { 0 };
	uint64_t flows[2] = { 0 };

	sum_flows(w->observed, service, flows);
	for (int ip4 = 0; ip4 < 2; ip4++) {
		const struct risk_entry was = { address_of(at->vip, ip4), service, at };

		if (flows[ip4] && was.address) /* which the VIP may have had when they came */
			count_family(w, &was, (double)flows[ip4], &sums);
	}
	return sums;
}

static struct what_if_part flows_part(const struct flow_fates *s)
{
	return (struct what_if_part){
		.all = (uint64_t)s->all,
		.moved_ppm = part_ppm((uint64_t)s->moved, (uint64_t)s->all),
		.pool_ppm = part_ppm((uint64_t)s->pool, (uint64_t)s->all),
		.lost_ppm = part_ppm((uint64_t)s->lost, (uint64_t)s->all),
	};
}

static int compare_flows(const struct model *from, const struct model *to,
                         const struct what_if_observed *observed, struct arena *arena,
                         struct what_if *out)
{
	struct what_if_service *rows = ARENA_ARRAY(arena, struct what_if_service, WHAT_IF_ROWS_MAX);
	const char *site = from->self ? from->self->site->name : "";
	const struct flows_work w = { from, to, observed, arena };
	struct flow_fates all = { 0 };

	for (size_t i = 0; rows && i < from->n_services; i++) {
		const struct model_at *at = model_service_at(&from->services[i], site);
		struct flow_fates own = { 0 };

		if (at)
			own = count_service(&w, &from->services[i], at);
		all.all += own.all;
		all.moved += own.moved;
		all.pool += own.pool;
		all.lost += own.lost;
		if (own.moved + own.pool + own.lost > 0 && out->n_services < WHAT_IF_ROWS_MAX)
			rows[out->n_services++] =
			        (struct what_if_service){ from->services[i].name, at->pool->name,
				                          flows_part(&own) };
	}
	out->services = rows;
	out->flows = flows_part(&all);
	out->flows_covered_s = observed->flows_covered_s;
	out->flows_known = true;
	return rows ? 0 : -ENOMEM;
}

int what_if_make(const struct model *from, const struct model *to,
                 const struct what_if_observed *observed, struct arena *arena, struct what_if *out)
{
	int err = 0;

	*out = (struct what_if){ .queries_known = false };
	if (observed->keys)
		err = compare_queries(from, to, observed, arena, out);
	if (!err && observed->flows)
		err = compare_flows(from, to, observed, arena, out);
	return err || arena_failed(arena) ? -ENOMEM : 0;
}
