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
	struct sources from = build_list(b, item, SCHEMA_POOLS_BACKENDS, pool);
	struct model_backend *backends = from.elements;

	for (size_t i = 0; i < from.n; i++) {
		backends[i].pool = pool;
		backends[i].id = model_backend_id(&backends[i].address, backends[i].port);
	}
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
	b->pools = build_list(b, b->top, SCHEMA_POOLS, b->model);
	struct model_pool *pools = b->pools.elements;

	for (size_t i = 0; i < b->pools.n; i++) {
		pools[i].n_slots = model_pool_slots(pools[i].max_backends);
		pools[i].index = (uint32_t)i;
		build_backends(b, b->pools.items[i], &pools[i]);
		build_first_set(b, &pools[i]);
	}
}
