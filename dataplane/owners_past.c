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
	/* With agents, instead of TCP's base: earlier owners, newest first, and their times. */
	uint16_t earlier[OWNER_LIST_MAX];
	int64_t until_ms[OWNER_LIST_MAX];
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

/* Take @p backend out of the list. */
static void past_drop(struct past *p, uint16_t backend)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++) {
		if (p->earlier[i] == 0 || p->earlier[i] == backend)
			continue;
		p->earlier[n] = p->earlier[i];
		p->until_ms[n++] = p->until_ms[i];
	}
	for (; n < OWNER_LIST_MAX; n++)
		p->earlier[n] = 0;
}

/* As past_step(), in a pool with agents: the same rule as owners_list_has_room(). */
static void past_step_listed(struct past *p, uint16_t wanted, int64_t at_ms, int64_t end_ms)
{
	const uint32_t last = SECOND_OWNERS_MAX - 1;
	bool returns = false;

	for (uint32_t i = 0; i <= last; i++)
		returns |= p->earlier[i] == wanted;
	if (!returns && p->earlier[last] != 0 && p->until_ms[last] > at_ms)
		return; /* it waits */
	past_drop(p, wanted);
	memmove(p->earlier + 1, p->earlier, last * sizeof(p->earlier[0]));
	memmove(p->until_ms + 1, p->until_ms, last * sizeof(p->until_ms[0]));
	p->earlier[0] = p->owner;
	p->until_ms[0] = end_ms;
	if (p->owner == 0)
		past_drop(p, 0);
	p->owner = wanted;
}

/* When claims of the set before @p set end, for one that was not there to see more. */
static void past_ends(const struct owners *o, const struct owners_set *set,
                      int64_t end_ms[OWNER_CLASSES])
{
	int64_t until_ms = set[-1].until_ms;

	end_ms[OWNER_CLASS_TCP] =
	        until_ms > set->from_ms ? until_ms : set->from_ms + o->times.settle_ms;
	end_ms[OWNER_CLASS_UDP] =
	        o->times.udp_idle_ms == 0
	                ? set->from_ms
	                : set->from_ms + (int64_t)owners_udp_window_s(o) * OWNERS_SECOND_MS;
}

static void past_take(const struct owners *o, struct past *p, uint16_t wanted, int64_t at_ms,
                      const int64_t end_ms[OWNER_CLASSES])
{
	struct past before = *p;

	if (wanted == p->owner)
		return;
	if (o->times.agents)
		past_step_listed(p, wanted, at_ms, end_ms[OWNER_CLASS_TCP]);
	if (p->owner == before.owner && o->times.agents)
		return;
	p->owner = before.owner;
	past_step(p, wanted, at_ms, end_ms);
}

/* Write a slot's list, oldest first. */
static void seed_list(struct owners *o, uint32_t s, const struct past *p,
                      const struct owners_clock *clock)
{
	uint32_t now_s = owners_seconds(clock);

	for (uint32_t i = OWNER_LIST_MAX; i-- > 0;) {
		uint32_t end_s = owners_end_in_seconds(p->until_ms[i], clock);

		if (p->earlier[i] == 0 || o->dead[p->earlier[i]])
			continue;
		owners_slot_look(o, s, now_s);
		owners_list_push(o, s, p->earlier[i],
		                 end_s != 0 ? end_s : now_s - 2 * OWNER_LIST_UNIT_S, now_s);
	}
}

/* What a slot that has an owner missed: name those whom it does not name while there is room. */
static void merge_list(struct owners *o, uint32_t s, const struct past *p,
                       const struct owners_clock *clock)
{
	uint32_t now_s = owners_seconds(clock);

	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++) {
		uint16_t earlier = p->earlier[i];
		uint32_t end_s = owners_end_in_seconds(p->until_ms[i], clock);

		if (earlier == 0 || o->dead[earlier] || end_s == 0 ||
		    earlier == owners_current(o, s) || owners_list_names(o, s, earlier) ||
		    !owners_list_has_room(o, s, earlier, now_s))
			continue;
		owners_slot_look(o, s, now_s);
		owners_list_push(o, s, earlier, end_s, now_s);
		owners_list_trim(o, s, owners_current(o, s));
	}
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
					                 { 0 },
					                 { 0 },
					                 { 0 } };
			else
				past_take(o, &past[s], made.wanted[s], sets[i].from_ms, end_ms);
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

	for (uint32_t s = 0; result == 0 && s < o->tables.n_slots; s++) {
		const struct past *p = &past[s];
		uint32_t end_s[OWNER_CLASSES];
		uint16_t to = o->times.agents && p->owner != 0 ? p->owner : o->now.wanted[s];

		if (owners_current(o, s) != 0 && o->times.agents)
			merge_list(o, s, p, clock);
		if (owners_current(o, s) != 0 || o->now.wanted[s] == 0)
			continue;
		if (o->times.agents)
			seed_list(o, s, p, clock);
		for (int c = 0; c < OWNER_CLASSES; c++)
			end_s[c] = owners_end_in_seconds(p->end_ms[c], clock);
		owners_slot_seed(o, s, to, p->base, end_s, owners_seconds(clock));
	}
	free(past);
	return result;
}
