/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The start on empty tables (owners/owners.h): a node that was not there must have the owners and the
 * claims of one that was. Each slot is taken through the document's sets, oldest first, as if the
 * node had seen them begin; a claim that has ended by then is dropped. Deaths of the past are not
 * known: every backend that is not dead now is taken to have served in the earlier sets.
 *
 * With agents the result counts for UDP alone; TCP's earlier owners come from lines
 * (owners/line.c).
 */
#include "dataplane/owners/owners_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * One slot while it is taken through the sets: its owner, and the earlier owner with a claim by
 * class.
 */
struct past {
	uint16_t owner;
	uint16_t base[OWNER_CLASSES];
	int64_t end_ms[OWNER_CLASSES];
};

/*
 * The slot goes to @p target at @p at_ms, and the claims of its owner until then end at @p end_ms.
 * As in owners/slot.c, a claim that lasts keeps its base.
 */
static void past_step(struct past *p, uint16_t target, int64_t at_ms,
                      const int64_t end_ms[OWNER_CLASSES])
{
	for (int c = 0; c < OWNER_CLASSES; c++) {
		if (p->end_ms[c] <= at_ms)
			p->base[c] = p->owner;
		if (p->base[c] == p->owner)
			p->end_ms[c] = end_ms[c];
	}
	p->owner = target;
}

/*
 * When the claims of the set before @p member_set end. This is the latest time: a slot may have
 * settled before, which a node that was not there cannot know.
 */
static void past_ends(const struct owners *o, const struct owners_set *member_set,
                      int64_t end_ms[OWNER_CLASSES])
{
	end_ms[OWNER_CLASS_TCP] = owners_claims_end_ms(o, member_set, member_set[-1].until_ms);
	end_ms[OWNER_CLASS_UDP] =
	        o->times.udp_idle_ms == 0
	                ? member_set->from_ms
	                : member_set->from_ms + (int64_t)owners_udp_window_s(o) * OWNERS_SECOND_MS;
}

/*
 * The states in earlier sets. A backend that waits for its first verdict now is taken to have
 * served then.
 */
static void past_states(uint8_t *served, const uint8_t *states)
{
	for (size_t i = 0; i < FWD_BACKENDS_MAX; i++)
		served[i] = states[i] == OWNERS_WAITS ? OWNERS_SERVES : states[i];
}

/*
 * Take all slots through @p member_sets, of which the last is in force. It alone is repaired by
 * today's verdicts.
 */
static int past_walk(const struct owners *o, const struct owners_set *member_sets, size_t n_sets,
                     const uint8_t *states, struct past *past)
{
	uint8_t served[FWD_BACKENDS_MAX];

	past_states(served, states);
	for (size_t i = 0; i < n_sets; i++) {
		struct owners_computed computed;
		int64_t end_ms[OWNER_CLASSES] = { 0 };
		int result = owners_computed_copy(&member_sets[i], o->tables.n_slots, &computed);

		if (result != 0)
			return result;
		result = owners_computed_repair(&computed, o, i + 1 < n_sets ? served : states);
		if (i > 0)
			past_ends(o, &member_sets[i], end_ms);
		for (uint32_t s = 0; result == 0 && s < o->tables.n_slots; s++) {
			if (i == 0)
				past[s] = (struct past){ computed.target[s],
					                 { computed.target[s], computed.target[s] },
					                 { 0 } };
			else if (computed.target[s] != past[s].owner)
				past_step(&past[s], computed.target[s], member_sets[i].from_ms,
				          end_ms);
		}
		owners_computed_fini(&computed);
		if (result != 0)
			return result;
	}
	return 0;
}

/* Slots that have an owner already are left alone: the tables were taken over. */
int owners_seed(struct owners *o, const struct owners_set *member_sets, size_t n_sets,
                const uint8_t *states, const struct owners_clock *clock)
{
	struct past *past = calloc(o->tables.n_slots, sizeof(*past));
	int result = past ? past_walk(o, member_sets, n_sets, states, past) : -ENOMEM;

	if (result == 0 && o->times.agents)
		owners_list_begin(o);
	for (uint32_t s = 0; result == 0 && s < o->tables.n_slots; s++) {
		const struct past *p = &past[s];
		uint32_t end_s[OWNER_CLASSES];
		uint16_t to = o->times.agents ? owners_list_target(o, s) : o->now.target[s];

		if (owners_current(o, s) != 0 || to == 0)
			continue;
		for (int c = 0; c < OWNER_CLASSES; c++)
			end_s[c] = owners_end_in_seconds(p->end_ms[c], clock);
		owners_slot_seed(o, s, to, p->base, end_s, owners_seconds(clock));
	}
	free(past);
	return result;
}
