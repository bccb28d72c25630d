/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rings of a plan: most of the work that a document makes. They are made in the thread that
 * reads the document, so that the loop need not. Pools are independent: several threads fetch the
 * next one by an atomic counter, and each writes the rings of its own pool alone.
 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "dataplane/tables/plan.h"
#include "weir/model.h"
#include "weir/ring.h"

#define HELPERS_MAX 3u /* threads beside the caller's: the machine has other work */
#define HELP_POOLS  8u /* with fewer pools, threads cost more than they save */

_Static_assert(PLAN_SETS_MAX == MODEL_SETS_MAX + 1, "all sets of a pool");

bool plan_same_members(const struct model_set *a, const struct model_set *b)
{
	if (a->n_members != b->n_members)
		return false;
	for (size_t i = 0; i < a->n_members; i++)
		if (a->members[i].id != b->members[i].id ||
		    a->members[i].weight != b->members[i].weight)
			return false;
	return true;
}

/* Whether owners/owners.c has the ring already: it keeps those of the set in force and of the next one. */
static bool has_ring(const struct model_pool *before, const struct model_set *member_set,
                     int64_t wall_clock_ms)
{
	size_t i = before ? before->n_member_sets : 0;

	while (i-- > 0) {
		if (plan_same_members(&before->member_sets[i], member_set))
			return true;
		if (before->member_sets[i].from_ms <= wall_clock_ms)
			return false;
	}
	return false;
}

/*
 * Slots hold positions in the plan's backends + 1, as backend indexes are not known before tables/compiler.c
 * binds them.
 */
static uint16_t *make_plan_ring(const struct plan_pool *p, const struct model_set *member_set,
                                const uint64_t key[2])
{
	struct ring_backend *b = calloc(member_set->n_members + 1, sizeof(*b));
	uint16_t *ring = calloc(p->model->n_slots, sizeof(*ring));
	size_t at = 0; /* members and backends are sorted by id */
	int err = b && ring ? 0 : -1;

	for (size_t i = 0; !err && i < member_set->n_members; i++) {
		while (at < p->n_backends && p->backends[at].id < member_set->members[i].id)
			at++;
		b[i] = (struct ring_backend){ .key = member_set->members[i].id,
			                      .weight = member_set->members[i].weight,
			                      .id = (uint16_t)(at + 1) };
	}
	if (!err)
		err = ring_fill(ring, p->model->n_slots, b, member_set->n_members, key);
	free(b);
	if (!err)
		return ring;
	free(ring);
	return NULL;
}

/* What the fillers share. */
struct fill {
	struct plan *plan;
	const struct model *before; /* NULL: none, or with another key */
	int64_t wall_clock_ms;
	size_t next; /* pool that is to be taken */
};

/*
 * The first set whose ring is needed: owners that go on have been through those before the set in
 * force, and only a pool that is new to them starts with all.
 */
static size_t first_needed(const struct model_pool *m, const struct model_pool *old,
                           int64_t wall_clock_ms)
{
	size_t i = old && old->agent == m->agent && m->n_member_sets ? m->n_member_sets - 1 : 0;

	while (i > 0 && m->member_sets[i].from_ms > wall_clock_ms)
		i--;
	return i;
}

static void fill_pool(const struct fill *f, struct plan_pool *p)
{
	const struct model_pool *m = p->model;
	const struct model_pool *old = f->before ? model_pool(f->before, m->name) : NULL;

	if (old && old->n_slots != m->n_slots)
		old = NULL;
	for (size_t s = first_needed(m, old, f->wall_clock_ms);
	     s < m->n_member_sets && s < PLAN_SETS_MAX; s++)
		if (!p->rings[s] && !has_ring(old, &m->member_sets[s], f->wall_clock_ms))
			p->rings[s] =
			        make_plan_ring(p, &m->member_sets[s], f->plan->model->hash_key);
}

static void *fill_some(void *arg)
{
	struct fill *f = arg;
	size_t i;

	while ((i = __atomic_fetch_add(&f->next, 1, __ATOMIC_RELAXED)) < f->plan->n_pools)
		fill_pool(f, &f->plan->pools[i]);
	return NULL;
}

void plan_fill(struct plan *p, const struct model *before, int64_t wall_clock_ms)
{
	bool same_key = before && model_has_same_key(before, p->model);
	struct fill f = { p, same_key ? before : NULL, wall_clock_ms, 0 };
	pthread_t helpers[HELPERS_MAX];
	size_t n = (size_t)sysconf(_SC_NPROCESSORS_ONLN) - 1, n_started = 0;

	if (n > HELPERS_MAX)
		n = HELPERS_MAX;
	while (n_started < n && p->n_pools >= HELP_POOLS &&
	       !pthread_create(&helpers[n_started], NULL, fill_some, &f))
		n_started++;
	fill_some(&f);
	for (size_t i = 0; i < n_started; i++)
		pthread_join(helpers[i], NULL);
}
