/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Target owners (owners/owners.h): which owner each slot of a pool is to have, by a member set and
 * verdicts.
 *
 * First a ring of all members (ring_fill(): expensive, so it is kept as long as it fits); then a
 * repair for those that must not have slots (ring_repair(): cheap, repeated at each verdict). Which
 * members may have slots, and in which shares:
 *
 *   there are members that   serve, have weight   yes   no    no    no    no
 *                            serve                yes   yes   no    no    no
 *                            wait, have weight    any   any   yes   no    no
 *                            wait                 any   any   yes   yes   no
 *   the ring is filled by    weights (w), equal   w     equal w     equal w
 *   slots only for those     that                 serve serve wait  wait  wait (none)
 */
#include "dataplane/owners/owners_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "weir/ring.h"

void owners_computed_fini(struct owners_computed *computed)
{
	free(computed->members);
	free(computed->filled);
	free(computed->target);
	*computed = (struct owners_computed){ 0 };
}

int owners_computed_copy(const struct owners_set *from, uint32_t n_slots,
                         struct owners_computed *out)
{
	struct owners_computed computed = { .from_ms = from->from_ms, .until_ms = from->until_ms };

	computed.members = calloc(from->n_members + 1, sizeof(*computed.members));
	computed.filled = calloc(n_slots, sizeof(*computed.filled));
	computed.target = calloc(n_slots, sizeof(*computed.target));
	if (!computed.members || !computed.filled || !computed.target) {
		owners_computed_fini(&computed);
		return -ENOMEM;
	}
	if (from->n_members > 0)
		memcpy(computed.members, from->members,
		       from->n_members * sizeof(*computed.members));
	computed.n_members = from->n_members;
	if (from->filled) {
		memcpy(computed.filled, from->filled, n_slots * sizeof(*computed.filled));
		computed.is_filled = computed.by_weight = true;
	}
	*out = computed;
	return 0;
}

static size_t next_weighted(const struct owners_computed *computed, size_t i)
{
	while (i < computed->n_members && computed->members[i].weight == 0)
		i++;
	return i;
}

/* Members without weight are skipped: they own nothing in a ring that was filled by weights. */
static bool same_weighted_members(const struct owners_computed *a, const struct owners_computed *b)
{
	size_t i = next_weighted(a, 0), k = next_weighted(b, 0);

	for (; i < a->n_members && k < b->n_members;
	     i = next_weighted(a, i + 1), k = next_weighted(b, k + 1))
		if (a->members[i].id != b->members[k].id ||
		    a->members[i].weight != b->members[k].weight ||
		    a->members[i].backend != b->members[k].backend)
			return false;
	return i == a->n_members && k == b->n_members;
}

void owners_computed_reuse(struct owners_computed *computed, const struct owners_computed *other,
                           uint32_t n_slots)
{
	if (computed->is_filled || !other->is_filled || !other->by_weight ||
	    !same_weighted_members(computed, other))
		return;
	memcpy(computed->filled, other->filled, n_slots * sizeof(*computed->filled));
	computed->is_filled = true;
	computed->by_weight = other->by_weight;
}

/* Fill the ring by weights, or (where all weights are 0) in equal shares. */
static int fill_ring(struct owners_computed *computed, const struct owners *o, bool by_weight)
{
	struct ring_backend *b = calloc(computed->n_members + 1, sizeof(*b));
	int result;

	if (!b)
		return -ENOMEM;
	for (size_t i = 0; i < computed->n_members; i++)
		b[i] = (struct ring_backend){ .key = computed->members[i].id,
			                      .weight = by_weight ? computed->members[i].weight : 1,
			                      .id = computed->members[i].backend };
	result = ring_fill(computed->filled, o->tables.n_slots, b, computed->n_members, o->key);
	computed->is_filled = result == 0;
	computed->by_weight = by_weight;
	free(b);
	return result;
}

/* Whether a member is in @p state, and has a weight if @p weighted. */
static bool has_member(const struct owners_computed *computed, const uint8_t *states,
                       enum owners_state state, bool weighted)
{
	for (size_t i = 0; i < computed->n_members; i++)
		if (states[computed->members[i].backend] == state &&
		    (!weighted || computed->members[i].weight > 0))
			return true;
	return false;
}

int owners_computed_fill(struct owners_computed *computed, const struct owners *o)
{
	bool by_weight = next_weighted(computed, 0) < computed->n_members;

	return computed->is_filled && computed->by_weight == by_weight
	               ? 0
	               : fill_ring(computed, o, by_weight);
}

/* The table at the top of this file, from left to right. */
int owners_computed_repair(struct owners_computed *computed, const struct owners *o,
                           const uint8_t *states)
{
	bool serves = has_member(computed, states, OWNERS_SERVES, false);
	enum owners_state who = serves ? OWNERS_SERVES : OWNERS_WAITS;
	bool by_weight = has_member(computed, states, who, true) ||
	                 !has_member(computed, states, who, false);
	bool *out = calloc(RING_ID_MAX + 1, sizeof(*out));
	int result = out ? 0 : -ENOMEM;

	if (result == 0 && (!computed->is_filled || by_weight != computed->by_weight))
		result = fill_ring(computed, o, by_weight);
	if (result == 0) {
		for (size_t i = 0; i < computed->n_members; i++)
			out[computed->members[i].backend] =
			        states[computed->members[i].backend] != who;
		ring_repair(computed->target, computed->filled, o->tables.n_slots, out, o->key);
	}
	free(out);
	return result;
}
