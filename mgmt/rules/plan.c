/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both models are flattened to sorted lists of (path, value), which are then merged: a field is
 * compared if, and only if, it is listed in one place (model/flatten.c). Everything is in one
 * arena that the plan owns.
 */
#include "mgmt/rules/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "mgmt/rules/rings.h"
#include "weir/flatten.h"

/* Of all pools whose rings a plan fills: a third of a second. */
#define RINGS_SLOTS_MAX ((uint64_t)1 << 20)
#define ARENA_MAX       ((size_t)256 << 20) /* bytes; bounds both lists and what is said of them */

struct plan_work {
	struct arena *arena;
	struct plan_change *changes;
	struct change_plan_pool *pools;
	size_t n_changes, n_pools;
};

static bool is_below(const char *path, const char *object)
{
	size_t n = strlen(object);

	return !strncmp(path, object, n) && path[n] == '/';
}

/* Note a difference, unless its whole object came or went. */
static void note_difference(struct plan_work *w, enum plan_kind kind, const char *path,
                            const char *from, const char *to)
{
	const struct plan_change *last = w->n_changes ? &w->changes[w->n_changes - 1] : NULL;

	if (last && last->kind == kind && kind != PLAN_CHANGED && is_below(path, last->path))
		return;
	w->changes[w->n_changes++] = (struct plan_change){ kind, path, from, to };
}

/* Two sorted lists are walked side by side: a path in one of them only was removed or added. */
static void merge_lists(struct plan_work *w, const struct flat *a, const struct flat *b)
{
	size_t i = 0, k = 0;

	while (i < a->n || k < b->n) {
		int c = i == a->n   ? 1
		        : k == b->n ? -1
		                    : flat_compare(a->items[i].path, b->items[k].path);

		if (c < 0) {
			note_difference(w, PLAN_REMOVED, a->items[i].path, a->items[i].value, "");
			i++;
		} else if (c > 0) {
			note_difference(w, PLAN_ADDED, b->items[k].path, "", b->items[k].value);
			k++;
		} else {
			if (strcmp(a->items[i].value, b->items[k].value))
				note_difference(w, PLAN_CHANGED, b->items[k].path,
				                a->items[i].value, b->items[k].value);
			i++;
			k++;
		}
	}
}

static uint32_t shares_moved_ppm(const struct plan_work *w, const struct model *from,
                                 const struct model *to, const struct model_pool *a,
                                 const struct model_pool *b)
{
	return model_has_same_key(from, to) ? risk_moved_ppm(a, b, w->arena)
	                                    : risk_rehashed_ppm(a, b, w->arena);
}

static void compare_pools(struct plan_work *w, const struct model *from, const struct model *to)
{
	for (size_t i = 0; i < from->n_pools; i++) {
		const struct model_pool *a = &from->pools[i], *b = model_pool(to, a->name);
		uint32_t moved = b ? shares_moved_ppm(w, from, to, a, b) : MODEL_PPM_ALL;

		if (moved || a->n_slots != b->n_slots)
			w->pools[w->n_pools++] =
			        (struct change_plan_pool){ a->name, a->n_backends,
				                           b ? b->n_backends : 0, moved };
	}
}

int plan_compare(const struct model *from, const struct model *to, struct change_plan *out)
{
	struct plan_work w = { .arena = arena_new(ARENA_MAX) };
	struct flat a = { 0 }, b = { 0 };
	int err = w.arena ? 0 : -ENOMEM;

	if (!err && from)
		err = flatten_model(from, w.arena, &a);
	if (!err)
		err = flatten_model(to, w.arena, &b);
	if (!err) {
		w.changes = ARENA_ARRAY(w.arena, struct plan_change, a.n + b.n + 1);
		w.pools = ARENA_ARRAY(w.arena, struct change_plan_pool,
		                      (from ? from->n_pools : 0) + 1);
		err = arena_failed(w.arena) ? -ENOMEM : 0;
	}
	if (err) {
		arena_free(w.arena);
		return err;
	}
	merge_lists(&w, &a, &b);
	struct change_plan plan = { .changes = w.changes, .pools = w.pools, .arena = w.arena };

	if (from) {
		compare_pools(&w, from, to);
		plan.n_risks = risk_find(from, to, w.arena, &plan.risks, &plan.n_risks_all);
	}
	plan.advice = advice_of(from, to, w.arena);
	if (arena_failed(w.arena)) { /* never make a change whose risks are unknown */
		arena_free(w.arena);
		return -ENOMEM;
	}
	plan.n_changes = w.n_changes;
	plan.n_pools = w.n_pools;
	plan.models[0] = from ? arena_share(from->arena) : NULL;
	plan.models[1] = arena_share(to->arena);
	*out = plan;
	return 0;
}

void plan_add_rings(struct change_plan *p, const struct model *from, const struct model *to)
{
	uint64_t n_slots = 0;

	for (size_t i = 0; i < p->n_pools && model_has_same_key(from, to); i++) {
		const struct model_pool *a = model_pool(from, p->pools[i].pool);
		const struct model_pool *b = model_pool(to, p->pools[i].pool);
		uint32_t by_rings;

		if (!b)
			continue;
		n_slots += a->n_slots > b->n_slots ? a->n_slots : b->n_slots;
		if (n_slots <= RINGS_SLOTS_MAX && !rings_moved_ppm(a, b, from->hash_key, &by_rings))
			p->pools[i].moved_ppm = by_rings;
	}
}

int plan_add_left_out(struct change_plan *p, const struct risk_left_out *list, size_t n)
{
	p->n_risks = risk_find_left_out(list, n, p->arena, p->risks, p->n_risks, &p->n_risks_all);
	return arena_failed(p->arena) ? -ENOMEM : 0;
}

int plan_add_overrides(struct change_plan *p, const struct model *from, const struct model *to,
                       const struct model_override *list, size_t n)
{
	p->n_risks =
	        risk_find_lost(from, to, list, n, p->arena, p->risks, p->n_risks, &p->n_risks_all);
	return arena_failed(p->arena) ? -ENOMEM : 0;
}

void plan_fini(struct change_plan *p)
{
	arena_free(p->arena);
	arena_free(p->models[0]);
	arena_free(p->models[1]);
	*p = (struct change_plan){ 0 };
}

const char *plan_kind_text(int kind)
{
	static const char *const texts[] = { "added", "removed", "changed" };

	return texts[kind];
}
