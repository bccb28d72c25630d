/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whom packets name beside a slot's owner, in pools with agents (owners.h).
 *
 * First those of the slot's line (owners_line.c) that live. Then *guests*: those who had the slot here
 * while its owner was dead. They have claims, too: while not all can be named the slot stays where it
 * is, so that nodes that saw the same deaths do the same. For this the dead of a line count as
 * if they lived: nodes see deaths one after another. Then, in what room is left, those whose time is over.
 * A node that has just started has guests from its peers (owners_guests.c). Nodes differ in all but the line, so a SYN names the line alone: where the owner is dead and no node knows it
 * yet, the new flow ends where all of them would look for it.
 *
 * Packets read a list by one load, some nanoseconds before or after they read the hot word. So
 * the owner that a slot leaves is named before the hot word changes, the one it is given to is
 * dropped from the list afterwards, and for that moment there is room for one more than a
 * packet names. What a packet finds twice it names once.
 */
#include "dataplane/owners_parts.h"

#include <string.h>

#include "base/hash.h"

/* Heirs by rendezvous are looked for in tables of so many slots times members. */
#define HEIRS_WORK_MAX (1u << 20)

static uint16_t unit_of(uint32_t at_s)
{
	return (uint16_t)(at_s / OWNER_LIST_UNIT_S);
}

/* A slot's owner and list while they are worked out. */
struct names {
	const struct owners *o;
	uint16_t to;
	uint32_t n;
	struct owner_list list;
	uint16_t claims[1 + 2 * OWNER_LIST_MAX]; /* who has one, beside to; the line's dead, too */
	uint32_t n_claims;
};

/* The place of @p backend in the list, or names->n. */
static uint32_t place_of(const struct names *names, uint16_t backend)
{
	uint32_t i = 0;

	while (i < names->n && owner_list_at(names->list.earlier, i) != backend)
		i++;
	return i;
}

/*
 * Name @p backend, whose claim ends with unit @p end, if it lives and there is room; of two ends the
 * later counts. @param guest OWNER_LIST_GUEST, or 0 for one of the line
 */
static void name(struct names *names, uint16_t backend, uint16_t end, uint16_t guest)
{
	uint32_t i = place_of(names, backend);

	if (i < names->n) {
		if ((int16_t)(end - names->list.end[i]) > 0)
			names->list.end[i] = end;
		if (!guest)
			names->list.earlier &= ~((uint64_t)OWNER_LIST_GUEST << 16 * i);
		return;
	}
	if (backend == 0 || backend == names->to || owners_has(&names->o->dead, backend) ||
	    names->n == SECOND_OWNERS_MAX)
		return;
	names->list.end[i] = end;
	names->list.earlier = owner_list_with(names->list.earlier, names->n++, backend | guest);
}

uint16_t owners_list_end(int64_t until_ms, const struct owners_clock *clock)
{
	uint32_t now_s = owners_seconds(clock), end_s = owners_end_in_seconds(until_ms, clock);

	if (end_s == 0)
		return (uint16_t)(unit_of(now_s) - 1);
	return unit_of(end_s - now_s > OWNERS_LIST_MAX_S ? now_s + OWNERS_LIST_MAX_S : end_s);
}

void owners_list_begin(struct owners *o)
{
	memset(&o->serves, 0, sizeof(o->serves));
	for (uint32_t s = 0; s < o->tables.n_slots; s++)
		if (o->now.wanted[s] != 0)
			owners_add(&o->serves, o->now.wanted[s]);
}

/* Who gets the slot when its owner is dead; 0: nobody, or there are too many to ask. */
static uint16_t heir_of(const struct owners *o, uint32_t s)
{
	uint64_t seed = hash_mix(o->key[0] + hash_mix(o->key[1] + s)), best = 0;
	uint16_t heir = 0;

	if ((uint64_t)o->now.n_members * o->tables.n_slots > HEIRS_WORK_MAX)
		return 0;
	for (size_t i = 0; i < o->now.n_members; i++) {
		const struct owners_member *m = &o->now.members[i];
		uint64_t draw = hash_mix(seed ^ m->id);

		if (m->weight == 0 || !owners_has(&o->serves, m->backend) || draw < best)
			continue;
		best = draw;
		heir = m->backend;
	}
	return heir;
}

/*
 *   the line's owner   takes new flows, or   is dead, or waits for a verdict
 *                      is to leave
 *   wanted is          he                    the newest earlier one that takes new flows, else the heir, else by the ring
 *
 * An earlier owner is named already, and on nodes that have seen nothing of the death or have the verdict. An heir is chosen by
 * rendezvous (Thaler and Ravishankar, 1996): it stays the same while others change, so that
 * no slot goes from one to the next for a change of the ring.
 */
uint16_t owners_list_wanted(const struct owners *o, uint32_t s)
{
	const struct owners_line *line = &o->lines[s];
	uint16_t heir;

	if (line->owner == 0)
		return o->now.wanted[s];
	if (!owners_has(&o->dead, line->owner) &&
	    (o->now.filled[s] != line->owner || o->now.wanted[s] == line->owner))
		return line->owner;
	for (uint32_t i = 0; i < SECOND_OWNERS_MAX; i++)
		if (owners_has(&o->serves, line->earlier[i]))
			return line->earlier[i];
	heir = heir_of(o, s);
	return heir != 0 ? heir : o->now.wanted[s];
}

/* Note a claim, and name who has it. */
static void claim(struct names *names, uint16_t backend, uint16_t end, uint16_t guest)
{
	bool known = backend == names->to;

	for (uint32_t i = 0; i < names->n_claims; i++)
		known |= names->claims[i] == backend;
	if (!known)
		names->claims[names->n_claims++] = backend;
	name(names, backend, end, guest);
}

/* The line's, whose claims are over if @p over. */
static void name_line(struct names *names, const struct owners_line *line, bool over,
                      const struct owners_clock *clock)
{
	if (!over && line->owner != 0)
		claim(names, line->owner, owners_list_end(INT64_MAX, clock), 0);
	for (uint32_t i = 0; i < SECOND_OWNERS_MAX; i++) {
		if (line->earlier[i] == 0 || (line->until_ms[i] <= clock->wall_ms) != over)
			continue;
		if (over)
			name(names, line->earlier[i], owners_list_end(0, clock), 0);
		else
			claim(names, line->earlier[i], owners_list_end(line->until_ms[i], clock),
			      0);
	}
}

/* Those that the list names until now, whose claims are over if @p over. */
static void name_named(struct names *names, uint32_t s, bool over, uint32_t now_s)
{
	const struct owners *o = names->o;
	struct owner_list list =
	        owners_looks(o, s) ? owners_cold(o, s)->list : (struct owner_list){ 0 };

	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++) {
		uint16_t guest = (uint16_t)owner_list_at(list.earlier, i);

		if (guest == 0 || owners_has(&o->dead, guest) ||
		    owner_list_is_over(list.end[i], now_s) != over)
			continue;
		if (over)
			name(names, guest, list.end[i], OWNER_LIST_GUEST);
		else
			claim(names, guest, list.end[i], OWNER_LIST_GUEST);
	}
}

/* The owner until now, if it leaves: its flows have the settling time. */
static void name_leaver(struct names *names, uint32_t s, const struct owners_clock *clock)
{
	const struct owners *o = names->o;
	uint16_t current = owners_current(o, s);

	if (current != 0 && current != names->to && !owners_has(&o->dead, current))
		claim(names, current, owners_list_end(clock->wall_ms + o->times.settle_ms, clock),
		      OWNER_LIST_GUEST);
}

/* Names with the slot at @p to. @param full whom it names has had flows, the line's may not all have */
static struct names names_with(const struct owners *o, uint32_t s, uint16_t to, bool full,
                               const struct owners_clock *clock)
{
	struct names names = { .o = o, .to = to };
	uint32_t now_s = owners_seconds(clock);

	name_leaver(&names, s, clock);
	if (full)
		name_named(&names, s, false, now_s);
	name_line(&names, &o->lines[s], false, clock);
	name_named(&names, s, false, now_s);
	return names;
}

void owners_list_show(struct owners *o, uint32_t s, const struct owners_clock *clock)
{
	const struct owners_line *line = &o->lines[s];
	uint16_t current = owners_current(o, s), wanted = owners_list_wanted(o, s);
	uint32_t now_s = owners_seconds(clock);
	bool lives = current != 0 && !owners_has(&o->dead, current);
	struct names names;

	if (!owners_looks(o, s) && current == wanted && line->earlier[0] == 0)
		return;
	names = names_with(o, s, wanted == 0 && lives ? current : wanted, false, clock);
	if (names.n_claims > SECOND_OWNERS_MAX)
		names = names_with(o, s, lives ? current : wanted, true, clock);
	name_line(&names, line, true, clock);
	if ((int32_t)(o->guests_end_s - now_s) > 0)
		name_named(&names, s, true, now_s);
	owners_slot_name(o, s, names.to, &names.list, now_s);
	o->n_waiting += wanted != 0 && (names.to != wanted || (line->owner != o->wished[s] &&
	                                                       !owners_has(&o->dead, line->owner)));
}

void owners_list_age(struct owners *o, uint32_t s, uint32_t now_s)
{
	struct owner_list *list = &owners_cold(o, s)->list;

	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
		if (owner_list_at(list->earlier, i) != 0 && owner_list_is_over(list->end[i], now_s))
			list->end[i] = (uint16_t)(unit_of(now_s) - 1);
}

bool owners_list_names(const struct owners *o, uint32_t s, uint16_t backend)
{
	uint64_t word = owners_looks(o, s) ? owners_cold(o, s)->list.earlier : 0;
	bool found = o->lines && o->lines[s].owner == backend;

	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
		found |= owner_list_at(word, i) == backend;
	for (uint32_t i = 0; o->lines && i < SECOND_OWNERS_MAX; i++)
		found |= o->lines[s].earlier[i] == backend;
	return found;
}
