/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables say how many slots wait. The time is an upper bound: a full list holds three earlier
 * owners, so the oldest of them is from the third member set before the one in force, or from an
 * older one; and no claim lasts longer than settle_time.
 */
#include "mgmt/judge/waiting_slots.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "weir/fwd/second.h"

static size_t members_in_force(const struct model_pool *pool, int64_t wall_clock_ms)
{
	size_t i = pool->n_member_sets;

	while (i-- > 1 && pool->member_sets[i].from_ms > wall_clock_ms)
		;
	return i;
}

static int64_t oldest_claims_end(const struct model_pool *pool, int64_t wall_clock_ms)
{
	int64_t most_ms = wall_clock_ms + pool->settle_ms, end_ms = 0;
	size_t in_force = pool->n_member_sets ? members_in_force(pool, wall_clock_ms) : 0;
	size_t n = in_force >= SECOND_OWNERS_MAX ? in_force - SECOND_OWNERS_MAX + 1 : in_force;

	for (size_t i = 0; i < n; i++)
		if (pool->member_sets[i].until_ms > end_ms)
			end_ms = pool->member_sets[i].until_ms;
	return end_ms > wall_clock_ms && end_ms < most_ms ? end_ms : most_ms;
}

bool waiting_find(const struct model_pool *pool, const struct effect *effect, uint64_t id,
                  int64_t wall_clock_ms, struct waiting *out)
{
	struct effect_backend b;
	struct effect_pool p;

	if (!pool->agent || !effect || effect_pool(effect, pool->name, &p) || !p.full ||
	    effect_backend(effect, pool->name, id, &b) || !b.slots)
		return false;
	*out = (struct waiting){ .n_slots = p.n_slots,
		                 .n_full = p.full,
		                 .n_own = b.slots < p.full ? b.slots : p.full,
		                 .until_ms = oldest_claims_end(pool, wall_clock_ms) };
	return true;
}

const char *waiting_text(const struct waiting *w, const char *pool, char text[WAITING_TEXT_MAX])
{
	char until[CLOCK_TEXT_MAX];

	snprintf(text, WAITING_TEXT_MAX,
	         "%" PRIu32 " of %" PRIu32
	         " slots of pool %s have a full list of earlier owners and do "
	         "not move yet: up to %" PRIu32
	         " slots of this backend take new flows until %s at the "
	         "latest (disable moves them at once)",
	         w->n_full, w->n_slots, pool, w->n_own, clock_text(w->until_ms, until));
	return text;
}
