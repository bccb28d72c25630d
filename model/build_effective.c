/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an effective document has beyond a configuration: member sets, overrides. Weir itself writes
 * it, so an error here is a defect or damage; it is reported all the same, because the document lies
 * on a disk.
 */
#include "model/build.h"

#include <stdlib.h>

#include "base/arena.h"

/* Sorted by identity: duplicates are neighbours then, and all nodes have one order. */
static void build_members(const struct model_build *b, const struct item *item,
                          struct model_set *member_set)
{
	struct sources from = build_list(b, item, SCHEMA_MEMBER_SETS_MEMBERS, member_set);
	struct model_member *members = from.elements;

	for (size_t i = 0; i < from.n; i++)
		members[i].id = model_backend_id(&members[i].address, members[i].port);
	if (from.n)
		qsort(members, from.n, sizeof(*members), build_by_member_id);
	for (size_t i = 1; i < from.n; i++)
		if (members[i].id == members[i - 1].id)
			bind_error(b->bind, item, SCHEMA_MEMBER_SETS_MEMBERS,
			           "an address and port are given twice");
}

/* Replace the first sets of the pools by those of the document, which lists them oldest first. */
static void build_member_sets(struct model_build *b)
{
	const struct value *list = bind_value(b->top, SCHEMA_MEMBER_SETS);
	struct model *m = b->model;
	struct model_set *all = ARENA_ARRAY(b->arena, struct model_set, list->count + 1);
	bool *seen = ARENA_ARRAY(b->bind->arena, bool, m->n_pools + 1);
	const struct model_pool *last = NULL;

	if (!all || !seen)
		return;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct item *item = &list->items[i];
		const struct model_pool *named = build_resolve(b, item, SCHEMA_MEMBER_SETS_POOL);

		build_settings(b, item, SCHEMA_MEMBER_SETS, &all[i]);
		build_members(b, item, &all[i]);
		if (!named)
			continue;
		struct model_pool *pool = (struct model_pool *)(uintptr_t)named;
		if (pool == last && pool->n_member_sets <= MODEL_SETS_MAX &&
		    all[i].from_ms >= all[i - 1].from_ms) {
			pool->n_member_sets++;
		} else if (seen[pool->index]) {
			bind_error(
			        b->bind, item, SCHEMA_MEMBER_SETS_POOL,
			        "the member sets of a pool must follow each other, oldest first, at "
			        "most %d",
			        MODEL_SETS_MAX + 1);
		} else {
			pool->member_sets = &all[i];
			pool->n_member_sets = 1;
		}
		seen[pool->index] = true;
		last = pool;
	}
}

/* What a step has beyond any other override: it is one if it says where it goes. */
static void build_step(const struct model_build *b, const struct item *item,
                       struct model_override *o)
{
	o->is_step = bind_value(item, SCHEMA_OVERRIDES_TO_PPM)->node != NULL;
	if (!o->is_step)
		o->to_ppm = 0;
	if (o->is_step && (o->kind != MODEL_OVERRIDE_DRAIN || o->target != MODEL_TARGET_SITE))
		bind_error(b->bind, item, SCHEMA_OVERRIDES_TO_PPM, "is for drains of sites only");
	if (!o->is_step &&
	    ((*o->service && o->kind != MODEL_OVERRIDE_DRILL) || *o->operation || o->late_from_ms ||
	     o->own_vips || o->shared_vips || o->epoch || o->step))
		bind_error(b->bind, item, SCHEMA_OVERRIDES_TO_PPM,
		           "is missing, expected where the step goes to");
}

static void build_drill(const struct model_build *b, const struct item *item,
                        struct model_override *o)
{
	bool is_drill = o->kind == MODEL_OVERRIDE_DRILL && o->target == MODEL_TARGET_SITE;
	const char *clients = build_text(b, item, SCHEMA_OVERRIDES_CLIENTS);

	if (is_drill != (*clients != '\0') || (o->kind == MODEL_OVERRIDE_DRILL && !is_drill))
		bind_error(b->bind, item, SCHEMA_OVERRIDES_CLIENTS,
		           "is for drills of sites, which need it");
	else if (is_drill && prefix_parse(clients, &o->clients))
		bind_error(b->bind, item, SCHEMA_OVERRIDES_CLIENTS,
		           "is no prefix, expected such as 198.51.100.0/24");
}

/* Names are not resolved to pointers: an override may outlive its target. */
static void build_overrides(struct model_build *b)
{
	struct sources from = build_list(b, b->top, SCHEMA_OVERRIDES, b->model);
	struct model_override *overrides = from.elements;

	for (size_t i = 0; i < from.n; i++) {
		build_step(b, from.items[i], &overrides[i]);
		build_drill(b, from.items[i], &overrides[i]);
		if (overrides[i].target == MODEL_TARGET_BACKEND && overrides[i].pool[0] == '\0')
			bind_error(b->bind, from.items[i], SCHEMA_OVERRIDES_POOL,
			           "is missing, expected the backend's pool");
	}
}

void build_effective(struct model_build *b)
{
	build_member_sets(b);
	build_overrides(b);
}
