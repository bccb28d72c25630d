/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The owner and the list of each slot in pools with agents (owners/owners.h): which backend gets new
 * flows, and which earlier owners packets name.
 *
 * A list is filled in this order:
 *   1. earlier owners of the slot's line (owners/line.c) whose claims last;
 *   2. *temporary owners* whose claims last: backends that had the slot while its owner was dead;
 *   3. in the room that is left, those of both kinds whose claims have ended.
 * If the claims of 1 and 2 do not all find room, the slot stays with its current owner until one
 * ends: a move would leave flows behind that no packet names.
 *
 * Nodes must decide alike, although each sees deaths at other times or not at all:
 *   - The line is the same on all nodes. So the claims of its dead backends count as if they lived
 *     (`claims`), although they are not named (`list`): else one node would move the slot and
 *     another not.
 *   - A SYN names backends of the line only, not temporary owners (OWNER_LIST_TEMPORARY): if the
 *     owner is dead and no node knows it yet, the new connection ends at a backend where all nodes
 *     look for it.
 *   - If the owner is dead, all nodes choose the same substitute: see owners_list_target().
 * A node that has just started gets its temporary owners from a peer (owners/handover.c).
 *
 * How a list is stored while packets read it: owners_slot_store_list().
 */
#include "dataplane/owners/owners_internal.h"

#include <string.h>

#include "base/hash.h"

/*
 * A fallback owner costs a hash for each member, and a mass death asks for one in each slot. In a
 * table of more slots times members, about a million hashes, the ring decides instead.
 */
#define FALLBACK_WORK_MAX (1u << 20)

/* A slot's owner and list while they are computed. */
struct new_list {
	const struct owners *o;
	uint16_t to; /* the owner */
	uint32_t n;  /* entries of the list */
	struct owner_list list;
	/*
	 * Backends other than `to` that have a claim, whether or not they are in the list: the owner
	 * until now, the line's owner and earlier owners, and the entries of the list until now.
	 */
	uint16_t claims[1 + 1 + SECOND_OWNERS_MAX + OWNER_LIST_MAX];
	uint32_t n_claims;
};

/* The position of @p backend in the list, or new->n. */
static uint32_t position_in_list(const struct new_list *new, uint16_t backend)
{
	uint32_t i = 0;

	while (i < new->n && owner_list_at(new->list.earlier, i) != backend)
		i++;
	return i;
}

/*
 * Add @p backend to the list if it is alive and there is room. Its claim ends with unit @p end; if
 * it is in the list already, the later end counts. @param mark OWNER_LIST_TEMPORARY, or 0 for a
 * backend of the line
 */
static void add_backend(struct new_list *new, uint16_t backend, uint16_t end, uint16_t mark)
{
	uint32_t i = position_in_list(new, backend);

	if (i < new->n) {
		if ((int16_t)(end - new->list.end[i]) > 0)
			new->list.end[i] = end;
		if (!mark)
			new->list.earlier &= ~((uint64_t)OWNER_LIST_TEMPORARY << 16 * i);
		return;
	}
	if (backend == 0 || backend == new->to || owners_has(&new->o->dead, backend) ||
	    new->n == SECOND_OWNERS_MAX)
		return;
	new->list.end[i] = end;
	new->list.earlier = owner_list_with(new->list.earlier, new->n++, backend | mark);
}

uint16_t owners_list_end(int64_t until_ms, const struct owners_clock *clock)
{
	uint32_t now_s = owners_seconds(clock), end_s = owners_end_in_seconds(until_ms, clock);

	if (end_s == 0)
		return (uint16_t)(owners_list_unit(now_s) - 1);
	return owners_list_unit(end_s - now_s > OWNERS_LIST_MAX_S ? now_s + OWNERS_LIST_MAX_S
	                                                          : end_s);
}

void owners_list_begin(struct owners *o)
{
	memset(&o->serves, 0, sizeof(o->serves));
	for (uint32_t s = 0; s < o->tables.n_slots; s++)
		if (o->now.target[s] != 0)
			owners_add(&o->serves, o->now.target[s]);
}

/*
 * The fallback owner: the member with the highest hash of slot and member (rendezvous hashing,
 * Thaler and Ravishankar, 1996). It stays the same while other members come and go, so a slot does
 * not wander from one substitute to the next with each change of the ring. 0: none, or too much
 * work.
 */
static uint16_t fallback_owner(const struct owners *o, uint32_t s)
{
	uint64_t seed = hash_mix(o->key[0] + hash_mix(o->key[1] + s)), best = 0;
	uint16_t fallback = 0;

	if ((uint64_t)o->now.n_members * o->tables.n_slots > FALLBACK_WORK_MAX)
		return 0;
	for (size_t i = 0; i < o->now.n_members; i++) {
		const struct owners_member *m = &o->now.members[i];
		uint64_t draw = hash_mix(seed ^ m->id);

		if (m->weight == 0 || !owners_has(&o->serves, m->backend) || draw < best)
			continue;
		best = draw;
		fallback = m->backend;
	}
	return fallback;
}

/*
 *   the line's owner                          target owner
 *   gets new flows, or is alive and loses     the line's owner
 *   the slot by the set in force
 *   is dead, or waits for its first verdict   its newest earlier owner that gets new flows;
 *                                             if there is none, the fallback owner;
 *                                             if there is none, the owner by the ring
 *
 * An earlier owner comes first because packets of all nodes name it already, also of nodes that
 * have not seen the death.
 */
uint16_t owners_list_target(const struct owners *o, uint32_t s)
{
	const struct owners_line *line = &o->lines[s];
	uint16_t fallback;

	if (line->owner == 0)
		return o->now.target[s];
	if (!owners_has(&o->dead, line->owner) &&
	    (o->now.filled[s] != line->owner || o->now.target[s] == line->owner))
		return line->owner;
	for (uint32_t i = 0; i < SECOND_OWNERS_MAX; i++)
		if (owners_has(&o->serves, line->earlier[i]))
			return line->earlier[i];
	fallback = fallback_owner(o, s);
	return fallback != 0 ? fallback : o->now.target[s];
}

/* Note that @p backend has a claim, and add it to the list. */
static void note_claim(struct new_list *new, uint16_t backend, uint16_t end, uint16_t mark)
{
	bool known = backend == new->to;

	for (uint32_t i = 0; i < new->n_claims; i++)
		known |= new->claims[i] == backend;
	if (!known)
		new->claims[new->n_claims++] = backend;
	add_backend(new, backend, end, mark);
}

/* Add the line's backends whose claims last, or (@p over) those whose claims have ended. */
static void add_line(struct new_list *new, const struct owners_line *line, bool over,
                     const struct owners_clock *clock)
{
	if (!over && line->owner != 0)
		note_claim(new, line->owner, owners_list_end(INT64_MAX, clock), 0);
	for (uint32_t i = 0; i < SECOND_OWNERS_MAX; i++) {
		if (line->earlier[i] == 0 || (line->until_ms[i] <= clock->wall_clock_ms) != over)
			continue;
		if (over)
			add_backend(new, line->earlier[i], owners_list_end(0, clock), 0);
		else
			note_claim(new, line->earlier[i], owners_list_end(line->until_ms[i], clock),
			           0);
	}
}

/*
 * Add the entries of the list until now whose claims last, or (@p over) those whose claims have
 * ended. They count as temporary owners. If the line has one of them, add_backend() removes that
 * mark when the line is added.
 */
static void add_current_list(struct new_list *new, uint32_t s, bool over, uint32_t now_s)
{
	const struct owners *o = new->o;
	struct owner_list list =
	        owners_is_unsettled(o, s) ? owners_cold(o, s)->list : (struct owner_list){ 0 };

	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++) {
		uint16_t earlier = (uint16_t)owner_list_at(list.earlier, i);

		if (earlier == 0 || owners_has(&o->dead, earlier) ||
		    owner_list_is_over(list.end[i], now_s) != over)
			continue;
		if (over)
			add_backend(new, earlier, list.end[i], OWNER_LIST_TEMPORARY);
		else
			note_claim(new, earlier, list.end[i], OWNER_LIST_TEMPORARY);
	}
}

/* Add the owner until now, if it loses the slot: its flows get the settling time. */
static void add_current_owner(struct new_list *new, uint32_t s, const struct owners_clock *clock)
{
	const struct owners *o = new->o;
	uint16_t current = owners_current(o, s);

	if (current != 0 && current != new->to && !owners_has(&o->dead, current))
		note_claim(new, current,
		           owners_list_end(clock->wall_clock_ms + o->times.settle_ms, clock),
		           OWNER_LIST_TEMPORARY);
}

/*
 * Compute the list as if @p to owned the slot: the backends with claims, in their order of rank.
 *
 * @param full  the claims do not all fit: the entries of the list until now come first, because
 *              their backends certainly have had flows
 */
static struct new_list compute_list(const struct owners *o, uint32_t s, uint16_t to, bool full,
                                    const struct owners_clock *clock)
{
	struct new_list new = { .o = o, .to = to };
	uint32_t now_s = owners_seconds(clock);

	add_current_owner(&new, s, clock);
	if (full)
		add_current_list(&new, s, false, now_s);
	add_line(&new, &o->lines[s], false, clock);
	add_current_list(&new, s, false, now_s);
	return new;
}

/* Whether full claims keep the slot from its target, or its line from the set in force. */
static bool is_waiting(const struct owners *o, uint32_t s, uint16_t to, uint16_t target)
{
	const struct owners_line *line = &o->lines[s];

	return target != 0 && (to != target || (line->owner != o->line_target[s] &&
	                                        !owners_has(&o->dead, line->owner)));
}

/*
 * A list is computed for the target owner. If its claims do not all fit, it is computed once more
 * for the current owner, which keeps the slot; the slot then counts as waiting. If the current owner
 * is dead, the slot moves all the same: staying would drop new flows, too. A living owner also keeps
 * a slot that no backend can have (target 0).
 */
void owners_list_update(struct owners *o, uint32_t s, const struct owners_clock *clock)
{
	const struct owners_line *line = &o->lines[s];
	uint16_t current = owners_current(o, s), target = owners_list_target(o, s);
	uint32_t now_s = owners_seconds(clock);
	bool lives = current != 0 && !owners_has(&o->dead, current);
	struct new_list new;

	if (!owners_is_unsettled(o, s) && current == target && line->earlier[0] == 0)
		return;
	new = compute_list(o, s, target == 0 && lives ? current : target, false, clock);
	if (new.n_claims > SECOND_OWNERS_MAX)
		new = compute_list(o, s, lives ? current : target, true, clock);
	add_line(&new, line, true, clock);
	if ((int32_t)(o->temporary_end_s - now_s) > 0)
		add_current_list(&new, s, true, now_s);
	owners_slot_store_list(o, s, new.to, &new.list, now_s);
	o->n_waiting += is_waiting(o, s, new.to, target);
}

bool owners_list_names(const struct owners *o, uint32_t s, uint16_t backend)
{
	uint64_t word = owners_is_unsettled(o, s) ? owners_cold(o, s)->list.earlier : 0;
	bool found = o->lines && o->lines[s].owner == backend;

	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
		found |= owner_list_at(word, i) == backend;
	for (uint32_t i = 0; o->lines && i < SECOND_OWNERS_MAX; i++)
		found |= o->lines[s].earlier[i] == backend;
	return found;
}
