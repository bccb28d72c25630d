/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an effective document has beyond a configuration: its origin, member sets, overrides. Weir
 * itself writes it, so an error here is a defect or damage; it is reported all the same, because
 * the document lies on a disk.
 */
#include "model/build.h"

#include <stdlib.h>

#include "base/arena.h"

static void build_meta(struct model_build *b)
{
	const struct item *item = bind_value(b->top, SCHEMA_EFFECTIVE)->items;

	b->model->meta.digest = b->model->meta.hash_key = "";
	if (!item)
		return;
	b->model->meta = (struct model_meta){
		.version = build_n(item, SCHEMA_EFFECTIVE_VERSION),
		.digest = build_text(b, item, SCHEMA_EFFECTIVE_DIGEST),
		.hash_key = build_text(b, item, SCHEMA_EFFECTIVE_HASH_KEY),
		.document = build_n(item, SCHEMA_EFFECTIVE_DOCUMENT),
		.written_ms = (int64_t)build_n(item, SCHEMA_EFFECTIVE_WRITTEN),
	};
}

/* Sorted by identity: duplicates are neighbours then, and all nodes have one order. */
static void build_members(const struct model_build *b, const struct item *item,
                          struct model_set *member_set)
{
	const struct value *list = bind_value(item, SCHEMA_MEMBER_SETS_MEMBERS);
	struct model_member *members = ARENA_ARRAY(b->arena, struct model_member, list->count + 1);

	if (!members)
		return;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct item *from = &list->items[i];

		members[i] = (struct model_member){
			.address = bind_value(from, SCHEMA_MEMBER_SETS_ADDRESS)->prefix.addr,
			.port = build_n16(from, SCHEMA_MEMBER_SETS_PORT),
			.weight = build_n32(from, SCHEMA_MEMBER_SETS_WEIGHT),
		};
		members[i].id = model_backend_id(&members[i].address, members[i].port);
	}
	qsort(members, list->count, sizeof(*members), build_by_member_id);
	for (uint32_t i = 1; i < list->count; i++)
		if (members[i].id == members[i - 1].id)
			bind_error(b->bind, item, SCHEMA_MEMBER_SETS_MEMBERS,
			           "an address and port are given twice");
	member_set->members = members;
	member_set->n_members = list->count;
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
		const struct model_pool *named = build_resolve(
		        b, item, SCHEMA_MEMBER_SETS_POOL, m->pools, m->n_pools, sizeof(*m->pools));

		all[i].from_ms = (int64_t)build_n(item, SCHEMA_MEMBER_SETS_FROM);
		all[i].until_ms = (int64_t)build_n(item, SCHEMA_MEMBER_SETS_UNTIL);
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
	o->service = build_text(b, item, SCHEMA_OVERRIDES_SERVICE);
	o->operation = build_text(b, item, SCHEMA_OVERRIDES_OPERATION);
	o->late_from_ms = (int64_t)build_n(item, SCHEMA_OVERRIDES_LATE_FROM);
	o->own_vips = (enum model_vips)build_n(item, SCHEMA_OVERRIDES_OWN_VIPS);
	o->shared_vips = (enum model_vips)build_n(item, SCHEMA_OVERRIDES_SHARED_VIPS);
	o->is_step = bind_value(item, SCHEMA_OVERRIDES_TO_PPM)->node != NULL;
	if (o->is_step)
		o->to_ppm = build_n32(item, SCHEMA_OVERRIDES_TO_PPM);
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
	struct sources from =
	        build_sort(b, bind_value(b->top, SCHEMA_OVERRIDES), SCHEMA_OVERRIDES_ID);
	struct model_override *overrides = ARENA_ARRAY(b->arena, struct model_override, from.n + 1);

	if (!overrides)
		return;
	for (size_t i = 0; i < from.n; i++) {
		const struct item *item = from.items[i];

		overrides[i] = (struct model_override){
			.id = build_text(b, item, SCHEMA_OVERRIDES_ID),
			.kind = (enum model_override_kind)build_n(item, SCHEMA_OVERRIDES_KIND),
			.target = (enum model_target_kind)build_n(item, SCHEMA_OVERRIDES_TARGET),
			.pool = build_text(b, item, SCHEMA_OVERRIDES_POOL),
			.name = build_text(b, item, SCHEMA_OVERRIDES_NAME),
			.generation = build_n(item, SCHEMA_OVERRIDES_GENERATION),
			.epoch = build_n32(item, SCHEMA_OVERRIDES_EPOCH),
			.step = build_n32(item, SCHEMA_OVERRIDES_STEP),
			.created_ms = (int64_t)build_n(item, SCHEMA_OVERRIDES_CREATED),
			.from_ms = (int64_t)build_n(item, SCHEMA_OVERRIDES_FROM),
			.over_ms = (int64_t)build_n(item, SCHEMA_OVERRIDES_OVER),
			.until_ms = (int64_t)build_n(item, SCHEMA_OVERRIDES_UNTIL),
			.from_ppm = build_n32(item, SCHEMA_OVERRIDES_FROM_PPM),
			.ended = build_n(item, SCHEMA_OVERRIDES_ENDED) != 0,
			.author = build_text(b, item, SCHEMA_OVERRIDES_AUTHOR),
			.reason = build_text(b, item, SCHEMA_OVERRIDES_REASON),
			.node = build_text(b, item, SCHEMA_OVERRIDES_NODE),
		};
		build_step(b, item, &overrides[i]);
		build_drill(b, item, &overrides[i]);
		if (overrides[i].target == MODEL_TARGET_BACKEND && overrides[i].pool[0] == '\0')
			bind_error(b->bind, item, SCHEMA_OVERRIDES_POOL,
			           "is missing, expected the backend's pool");
	}
	b->model->overrides = overrides;
	b->model->n_overrides = from.n;
}

void build_effective(struct model_build *b)
{
	build_meta(b);
	build_member_sets(b);
	build_overrides(b);
}
