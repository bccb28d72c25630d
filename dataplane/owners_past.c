/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A slot's past by the document's sets (owners.h): what a node that starts on empty tables knows,
 * as one has it that was there all the time.
 */
#include "dataplane/owners_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A slot's past by the document's sets. */
struct past {
	uint16_t owner;
	uint16_t base[OWNER_CLASSES];
	int64_t end_ms[OWNER_CLASSES];
};

/* At @p at_ms the slot's owner was to be @p wanted; the claims of the one before end at @p end_ms. */
static void past_step(struct past *p, uint16_t wanted, int64_t at_ms,
                      const int64_t end_ms[OWNER_CLASSES])
{
	for (int c = 0; c < OWNER_CLASSES; c++) {
		if (p->end_ms[c] <= at_ms)
			p->base[c] = p->owner;
		if (p->base[c] == p->owner)
			p->end_ms[c] = end_ms[c];
	}
	p->owner = wanted;
}

/* An instant of the document by the packet path's clock, never early; 0: it is past. */
uint32_t owners_end_in_seconds(int64_t end_ms, const struct owners_clock *clock)
{
	const int64_t most_ms = (int64_t)OWNERS_CLAIM_MAX_S * OWNERS_SECOND_MS;

	if (end_ms <= clock->wall_ms)
		return 0;
	if (end_ms > clock->wall_ms + most_ms)
		end_ms = clock->wall_ms + most_ms;
	return (uint32_t)((clock->now_ms + (uint64_t)(end_ms - clock->wall_ms)) /
	                  OWNERS_SECOND_MS) +
	       1;
}

/* When claims of the set before @p set end, for one that was not there to see more. */
static void past_ends(const struct owners *o, const struct owners_set *set,
                      int64_t end_ms[OWNER_CLASSES])
{
	end_ms[OWNER_CLASS_TCP] = owners_claims_end_ms(o, set, set[-1].until_ms);
	end_ms[OWNER_CLASS_UDP] =
	        o->times.udp_idle_ms == 0
	                ? set->from_ms
	                : set->from_ms + (int64_t)owners_udp_window_s(o) * OWNERS_SECOND_MS;
}

/* Who served in the sets before: all but the dead. Who waits now does so for want of a verdict. */
static void past_states(uint8_t *served, const uint8_t *states)
{
	for (size_t i = 0; i < FWD_BACKENDS_MAX; i++)
		served[i] = states[i] == OWNERS_WAITS ? OWNERS_SERVES : states[i];
}

/* Let each slot's past go through @p sets, of which the last is in force. */
static int past_walk(const struct owners *o, const struct owners_set *sets, size_t n_sets,
                     const uint8_t *states, struct past *past)
{
	uint8_t served[FWD_BACKENDS_MAX];

	past_states(served, states);
	for (size_t i = 0; i < n_sets; i++) {
		struct owners_made made;
		int64_t end_ms[OWNER_CLASSES] = { 0 };
		int result = owners_made_copy(&sets[i], o->tables.n_slots, &made);

		if (result != 0)
			return result;
		result = owners_made_want(&made, o, i + 1 < n_sets ? served : states);
		if (i > 0)
			past_ends(o, &sets[i], end_ms);
		for (uint32_t s = 0; result == 0 && s < o->tables.n_slots; s++) {
			if (i == 0)
				past[s] = (struct past){ made.wanted[s],
					                 { made.wanted[s], made.wanted[s] },
					                 { 0 } };
			else if (made.wanted[s] != past[s].owner)
				past_step(&past[s], made.wanted[s], sets[i].from_ms, end_ms);
		}
		owners_made_fini(&made);
		if (result != 0)
			return result;
	}
	return 0;
}

int owners_seed(struct owners *o, const struct owners_set *sets, size_t n_sets,
                const uint8_t *states, const struct owners_clock *clock)
{
	struct past *past = calloc(o->tables.n_slots, sizeof(*past));
	int result = past ? past_walk(o, sets, n_sets, states, past) : -ENOMEM;

	if (result == 0 && o->times.agents)
		owners_list_begin(o);
	for (uint32_t s = 0; result == 0 && s < o->tables.n_slots; s++) {
		const struct past *p = &past[s];
		uint32_t end_s[OWNER_CLASSES];
		uint16_t to = o->times.agents ? owners_list_wanted(o, s) : o->now.wanted[s];

		if (owners_current(o, s) != 0 || to == 0)
			continue;
		for (int c = 0; c < OWNER_CLASSES; c++)
			end_s[c] = owners_end_in_seconds(p->end_ms[c], clock);
		owners_slot_seed(o, s, to, p->base, end_s, owners_seconds(clock));
	}
	free(past);
	return result;
}
