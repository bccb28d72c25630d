/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store that nodes of the world share: one record of each operation, which a change replaces only if it was made from
 * that, and a lease of its owner. A change may be written although its node does not learn that.
 */
#include <stdio.h>
#include <string.h>

#include "operations_world.h"

#define LEASE_MS   10000
#define UNOWNED_MS 1500

bool store_reaches(const struct world *w, const struct world_node *n)
{
	return n->alive && w->store_down_ms <= w->now_ms &&
	       (w->store_group == STORE_ALL || w->store_group == n->group);
}

static void renew_lease(struct world *w, const struct world_node *n, uint32_t k)
{
	struct world_stored *s = &w->stored[k];

	(void)snprintf(s->lease_of, sizeof(s->lease_of), "%s", n->name);
	s->lease_ms = w->now_ms + LEASE_MS;
}

enum store_result store_decide(struct world *w, struct world_node *n, uint32_t k,
                               const struct operation *op)
{
	struct world_stored *s = &w->stored[k];

	if (!store_reaches(w, n) || s->revision != n->revision[k])
		return STORE_REFUSED;
	s->rec = *op;
	s->revision++;
	if (!strcmp(op->owner, n->name))
		renew_lease(w, n, k);
	else
		s->lease_ms = w->now_ms;
	if (w->chaos && world_chance(w, 20))
		return STORE_UNKNOWN;
	n->rec[k] = *op;
	n->revision[k] = s->revision;
	world_make_step(n, k);
	return STORE_DECIDED;
}

bool store_owns(struct world *w, struct world_node *n, uint32_t k)
{
	struct world_stored *s = &w->stored[k];

	if (s->lease_ms <= w->now_ms || strcmp(s->lease_of, n->name) != 0)
		return store_decide(w, n, k, &n->rec[k]) == STORE_DECIDED;
	if (store_reaches(w, n))
		renew_lease(w, n, k);
	return true; /* until it ends by this node's clock, too */
}

bool store_is_unowned(const struct world *w, uint32_t k)
{
	const struct world_stored *s = &w->stored[k];

	return s->revision && s->lease_ms + UNOWNED_MS <= w->now_ms && !operation_is_over(&s->rec);
}

void store_follow(struct world *w, struct world_node *n, uint32_t k)
{
	const struct world_stored *s = &w->stored[k];

	if (!store_reaches(w, n) || s->revision == n->revision[k] ||
	    (w->chaos && world_chance(w, 200)))
		return;
	if (strcmp(n->rec[k].owner, s->rec.owner) != 0 || n->rec[k].epoch != s->rec.epoch)
		n->ticked_ms[k] = 0;
	n->rec[k] = s->rec;
	n->revision[k] = s->revision;
	world_forget_times(&n->rec[k]);
	world_make_step(n, k);
}

void store_harm(struct world *w)
{
	if (world_chance(w, 300))
		w->store_down_ms = w->now_ms + world_below(w, 60000);
	else
		w->store_group = world_below(w, STORE_ALL + 1);
}

void store_heal(struct world *w)
{
	w->store_down_ms = 0;
	w->store_group = STORE_ALL;
}
