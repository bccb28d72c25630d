/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a change does to pools: which flows it moves, who gets the load, what automation may do.
 *
 * Slots that move from one member to another are no risk by themselves: flows stay where they are
 * (docs/owners.md). What owners cannot protect is: another hash, another number
 * of slots, the agent's lists, a memory of flows that is cut.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/rules/risk_internal.h"

/* Members by identity. */
struct members {
	const struct model_backend **sorted;
	size_t n;
	double weight;
};

static int compare_identities(const void *a, const void *b)
{
	uint64_t x = (*(const struct model_backend *const *)a)->id;
	uint64_t y = (*(const struct model_backend *const *)b)->id;

	return (x > y) - (x < y);
}

static struct members list_members(const struct model_pool *p, struct arena *arena)
{
	struct members m = { .sorted = ARENA_ARRAY(arena, const struct model_backend *,
		                                   p->n_backends + 1) };

	if (!m.sorted)
		return m;
	for (size_t i = 0; i < p->n_backends; i++) {
		m.sorted[m.n++] = &p->backends[i];
		m.weight += p->backends[i].weight;
	}
	qsort(m.sorted, m.n, sizeof(const struct model_backend *), compare_identities);
	return m;
}

/* The share of the slots that the member @p id has; 0 where it is none. */
static double share_of(const struct members *m, uint64_t id)
{
	const struct model_backend key = { .id = id }, *sought = &key;
	const struct model_backend **found =
	        m->n ? bsearch(&sought, m->sorted, m->n, sizeof(sought), compare_identities) : NULL;

	return found && m->weight > 0 ? (*found)->weight / m->weight : 0;
}

uint32_t risk_moved_ppm(const struct model_pool *a, const struct model_pool *b, struct arena *arena)
{
	struct members before = list_members(a, arena), after = list_members(b, arena);
	double moved = 0;

	if (before.sorted && after.sorted && before.weight <= 0 && after.weight <= 0)
		return 0; /* programs fill it */
	if (!before.sorted || !after.sorted || before.weight <= 0 || after.weight <= 0)
		return MODEL_PPM_ALL;
	for (size_t i = 0; i < b->n_backends; i++)
		moved += fmax(0, share_of(&after, b->backends[i].id) -
		                         share_of(&before, b->backends[i].id));
	return (uint32_t)(moved * 1e6 + 0.5);
}

uint32_t risk_rehashed_ppm(const struct model_pool *a, const struct model_pool *b,
                           struct arena *arena)
{
	struct members before = list_members(a, arena), after = list_members(b, arena);
	double kept = 0;

	if (!before.sorted || !after.sorted)
		return MODEL_PPM_ALL;
	for (size_t i = 0; i < before.n; i++)
		kept += share_of(&before, before.sorted[i]->id) *
		        share_of(&after, before.sorted[i]->id);
	return (uint32_t)((1 - fmin(1, kept)) * 1e6 + 0.5);
}

/* Members are matched by identity, as their order in the file has no meaning. */
static void measure_members(struct risk_work *w, const char *subject, const struct model_pool *a,
                            const struct model_pool *b)
{
	struct members before = list_members(a, w->arena), after = list_members(b, w->arena);
	double leave = 0, unchecked = 0, top = 0,
	       equal = b->n_backends ? 1.0 / (double)b->n_backends : 1;

	for (size_t i = 0; i < before.n; i++)
		if (share_of(&after, before.sorted[i]->id) <= 0)
			leave += share_of(&before, before.sorted[i]->id);
	for (size_t i = 0; i < after.n; i++) {
		double was = share_of(&before, after.sorted[i]->id);
		double is = share_of(&after, after.sorted[i]->id);

		if (was <= 0)
			unchecked += b->check ? 0 : is;
		/* twice an equal share as well: a new member that warms up does not count */
		if (was > 0 && is >= 2 * equal)
			top = fmax(top, is / was);
	}
	risk_note(w, RISK_MEMBERS_LEAVE, leave, subject,
	          "members with %.3g %% of the weight lose their slots (%zu members, were %zu)",
	          leave * 100, after.n, before.n);
	risk_note(w, RISK_LOAD_GATHERS, top, subject, "a member's share of the slots grows");
	risk_note(w, RISK_UNCHECKED_MEMBERS, unchecked, subject,
	          "new members get slots, and the pool has no check");
}

static bool has_prefix_of(const struct model_pool *pool, const struct prefix *prefix)
{
	for (size_t i = 0; i < pool->n_prefixes; i++)
		if (pool->prefixes[i].bits <= prefix->bits &&
		    prefix_overlaps(&pool->prefixes[i], prefix))
			return true;
	return false;
}

static void measure_registration(struct risk_work *w, const char *subject,
                                 const struct model_pool *a, const struct model_pool *b)
{
	char text[ADDR_LONG_TEXT_MAX];

	for (size_t i = 0; i < a->n_prefixes; i++)
		risk_note(w, RISK_REGISTRATION, !has_prefix_of(b, &a->prefixes[i]), subject,
		          "registration.prefixes have %s no more",
		          prefix_text(&a->prefixes[i], text));
}

static void measure_flows(struct risk_work *w, const char *subject, const struct model_pool *a,
                          const struct model_pool *b)
{
	if (a->n_slots != b->n_slots)
		risk_note(w, RISK_FLOWS_REHASHED,
		          1 - fmin(risk_times(a->n_slots, b->n_slots),
		                   risk_times(b->n_slots, a->n_slots)),
		          subject, "max_backends %u, was %u, makes %u slots of %u", b->max_backends,
		          a->max_backends, b->n_slots, a->n_slots);
	risk_note(w, RISK_FLOWS_REHASHED, a->agent != b->agent, subject,
	          "agent is %s: its slots follow other lists of owners",
	          b->agent ? "true" : "false");
	risk_note(w, RISK_ENCAPSULATION, a->mode != b->mode, subject, "mode is %s, was %s",
	          model_mode_text(b->mode), model_mode_text(a->mode));
	risk_note(w, RISK_FLOW_MEMORY, 1 - risk_times(a->idle_ms, b->idle_ms), subject,
	          "idle_time is %u ms, was %u ms", b->idle_ms, a->idle_ms);
	risk_note(w, RISK_FLOW_MEMORY, 1 - risk_times(a->settle_ms, b->settle_ms), subject,
	          "settle_time is %u ms, was %u ms", b->settle_ms, a->settle_ms);
}

static void measure_guards(struct risk_work *w, const char *subject, const struct model_pool *a,
                           const struct model_pool *b)
{
	double min_a = a->min_healthy_percent / 100.0, min_b = b->min_healthy_percent / 100.0;
	double rate_a = a->max_remove_percent / 100.0, rate_b = b->max_remove_percent / 100.0;
	bool off = min_a > 0 && min_b <= 0;

	risk_note(w, RISK_GUARD_LOWERED, off ? fmax(min_a - min_b, 0.15) : min_a - min_b, subject,
	          "min_healthy is %.0f %%, was %.0f %%", min_b * 100, min_a * 100);
	risk_note(w, RISK_GUARD_LOWERED, rate_b - rate_a, subject,
	          "max_remove is %.0f %% in 10 s, was %.0f %%", rate_b * 100, rate_a * 100);
	risk_note(w, RISK_REMOVAL_BLOCKED, min_a < 1 ? 1 - (1 - min_b) / (1 - min_a) : 0, subject,
	          "min_healthy is %.0f %%, was %.0f %%", min_b * 100, min_a * 100);
	risk_note(w, RISK_REMOVAL_SLOWED, risk_times(rate_b, rate_a), subject,
	          "max_remove is %.0f %% in 10 s, was %.0f %%", rate_b * 100, rate_a * 100);
}

void risk_measure_pools(struct risk_work *w)
{
	for (size_t i = 0; i < w->from->n_pools; i++) {
		const struct model_pool *a = &w->from->pools[i], *b = model_pool(w->to, a->name);
		const char *subject = risk_text(w, "pool %s", a->name);

		if (!b) { /* risk_services.c measures the entries that led to it */
			risk_note(
			        w, RISK_REGISTRATION, a->n_prefixes > 0, subject,
			        "it goes, and what programs have registered there with it; that is "
			        "kept, and back with the next pool of this name");
			continue;
		}
		measure_members(w, subject, a, b);
		measure_registration(w, subject, a, b);
		measure_flows(w, subject, a, b);
		measure_guards(w, subject, a, b);
	}
}

static bool has_override(const struct model_override *list, size_t n,
                         const struct model_override *o, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].target == MODEL_TARGET_BACKEND && list[i].kind == o->kind &&
		    !strcmp(list[i].pool, o->pool) && !strcmp(list[i].name, name))
			return true;
	return false;
}

/* The backend that @p o has now, and that stays in the pool @p b with another name; NULL: none. */
static const struct model_backend *
find_renamed(const struct model_pool *a, const struct model_pool *b, const struct model_override *o)
{
	const struct model_backend *was = model_backend(a, o->name);

	for (size_t i = 0; was && i < b->n_backends; i++)
		if (b->backends[i].id == was->id)
			return strcmp(b->backends[i].name, o->name) != 0 ? &b->backends[i] : NULL;
	return NULL;
}

/* A pool that is gone, or renamed, is a risk of its own. */
void risk_measure_lost(struct risk_work *w, const struct model_override *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct model_override *o = &list[i];
		const struct model_pool *a = model_pool(w->from, o->pool),
		                        *b = model_pool(w->to, o->pool);
		const struct model_backend *now = a && b ? find_renamed(a, b, o) : NULL;

		if (now && !has_override(list, n, o, now->name))
			risk_note(w, RISK_OVERRIDE_LOST, 1.0 / (double)b->n_backends,
			          risk_text(w, "pool %s", o->pool),
			          "backend %s becomes %s, without override %s", o->name, now->name,
			          o->id);
	}
}
