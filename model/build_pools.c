/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pools, their backends, and the member set that they start with. A backend's identity is its
 * address and port, hashed; its name is for people. So renaming a backend moves no flow, and two
 * names for one address are an error.
 */
#include "model/build.h"

#include <stdlib.h>

#include "base/arena.h"

#define SLOTS_MIN        4096u      /* of the smallest pool */
#define SLOTS_MAX        (1u << 20) /* of the largest pool: 10,000 backends with 100 each fit */
#define SLOTS_PER_MEMBER 100u       /* at least, so that a slot is at most 1 % of an equal share */

uint32_t model_pool_slots(uint32_t max_backends)
{
	uint32_t n = SLOTS_MIN;

	while (n < SLOTS_MAX && n < max_backends * SLOTS_PER_MEMBER)
		n *= 2;
	return n;
}

int build_by_member_id(const void *a, const void *b)
{
	const struct model_member *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int compare_backend_ids(const void *a, const void *b)
{
	const struct model_backend *x = *(const struct model_backend *const *)a;
	const struct model_backend *y = *(const struct model_backend *const *)b;

	return (x->id > y->id) - (x->id < y->id);
}

/* Two backends with one address and port would be one identity with two names. */
static void check_identities(const struct model_build *b, const struct model_pool *pool,
                             const struct sources *from)
{
	struct arena *scratch = b->bind->arena;
	const struct model_backend **sorted =
	        ARENA_ARRAY(scratch, const struct model_backend *, pool->n_backends + 1);

	if (!sorted)
		return;
	for (size_t i = 0; i < pool->n_backends; i++)
		sorted[i] = &pool->backends[i];
	qsort(sorted, pool->n_backends, sizeof(*sorted), compare_backend_ids);
	for (size_t i = 1; i < pool->n_backends; i++) {
		const struct item *item = from->items[sorted[i] - pool->backends];

		if (sorted[i]->id == sorted[i - 1]->id &&
		    bind_value(item, SCHEMA_POOLS_BACKENDS_ADDRESS)->ok)
			bind_error(b->bind, item, SCHEMA_POOLS_BACKENDS_ADDRESS,
			           "has the same address and port as backend \"%s\"",
			           sorted[i - 1]->name);
	}
}

/* Sorted by name, so that their order in the file means nothing. */
static void build_backends(const struct model_build *b, const struct item *item,
                           struct model_pool *pool)
{
	struct sources from =
	        build_sort(b, bind_value(item, SCHEMA_POOLS_BACKENDS), SCHEMA_POOLS_BACKENDS_NAME);
	struct model_backend *backends = ARENA_ARRAY(b->arena, struct model_backend, from.n + 1);

	if (!backends)
		return;
	for (size_t i = 0; i < from.n; i++) {
		struct model_backend *backend = &backends[i];

		*backend = (struct model_backend){
			.name = build_text(b, from.items[i], SCHEMA_POOLS_BACKENDS_NAME),
			.address = bind_value(from.items[i], SCHEMA_POOLS_BACKENDS_ADDRESS)
			                   ->prefix.addr,
			.port = build_n16(from.items[i], SCHEMA_POOLS_BACKENDS_PORT),
			.weight = build_n32(from.items[i], SCHEMA_POOLS_BACKENDS_WEIGHT),
			.pool = pool,
		};
		backend->id = model_backend_id(&backend->address, backend->port);
	}
	pool->backends = backends;
	pool->n_backends = from.n;
	check_identities(b, pool, &from);
}

/* A pool has one set, of all its backends, unless an effective document has others. */
static void build_first_set(const struct model_build *b, struct model_pool *pool)
{
	struct model_set *member_set = ARENA_ARRAY(b->arena, struct model_set, 1);
	struct model_member *members =
	        ARENA_ARRAY(b->arena, struct model_member, pool->n_backends + 1);

	if (!member_set || !members)
		return;
	for (size_t i = 0; i < pool->n_backends; i++)
		members[i] =
		        (struct model_member){ pool->backends[i].id, pool->backends[i].address,
			                       pool->backends[i].port, pool->backends[i].weight };
	qsort(members, pool->n_backends, sizeof(*members), build_by_member_id);
	*member_set = (struct model_set){ 0, MODEL_TIME_NEVER, members, pool->n_backends };
	pool->member_sets = member_set;
	pool->n_member_sets = 1;
}

void build_pools(struct model_build *b)
{
	b->pools = build_sort(b, bind_value(b->top, SCHEMA_POOLS), SCHEMA_POOLS_NAME);
	struct model_pool *pools = ARENA_ARRAY(b->arena, struct model_pool, b->pools.n + 1);

	if (!pools)
		return;
	for (size_t i = 0; i < b->pools.n; i++) {
		const struct item *item = b->pools.items[i];

		pools[i] = (struct model_pool){
			.name = build_text(b, item, SCHEMA_POOLS_NAME),
			.site = build_site(b, item, SCHEMA_POOLS_SITE),
			.check = build_check(b, item, SCHEMA_POOLS_CHECK),
			.mode = (enum model_mode)build_n(item, SCHEMA_POOLS_MODE),
			.agent = build_n(item, SCHEMA_POOLS_AGENT),
			.max_backends = build_n32(item, SCHEMA_POOLS_MAX_BACKENDS),
			.n_slots = model_pool_slots(build_n32(item, SCHEMA_POOLS_MAX_BACKENDS)),
			.min_healthy_percent = build_n32(item, SCHEMA_POOLS_MIN_HEALTHY),
			.max_remove_percent = build_n32(item, SCHEMA_POOLS_MAX_REMOVE),
			.settle_ms = build_n32(item, SCHEMA_POOLS_SETTLE_TIME),
			.idle_ms = build_n32(item, SCHEMA_POOLS_IDLE_TIME),
			.index = (uint32_t)i,
		};
		build_backends(b, item, &pools[i]);
		build_first_set(b, &pools[i]);
	}
	b->model->pools = pools;
	b->model->n_pools = b->pools.n;
}
