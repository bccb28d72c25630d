/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state that nodes hand over, in pools with agents (owners/owners.h).
 *
 * Lines follow from the document, so every node can compute them. Two things are known only to a
 * node that was running: which temporary owners had a slot while its owner was dead, and which
 * slots stay with their owner because their lists are full. A node that starts on empty tables gets
 * both from a peer: for each slot that differs from its line, the current owner and the whole list.
 * It then continues as if it had been running all the time.
 *
 * The giving side writes ends of claims as wall time, since the list's units count by each node's
 * own clock.
 */
#include "dataplane/owners/owners_internal.h"

/*
 * The wall time of the end of unit @p end: the list compares units modulo 2^16, peers need a real
 * time.
 */
static int64_t until_ms(uint16_t end, const struct owners_clock *clock)
{
	uint32_t now_s = owners_seconds(clock);
	int32_t units = (int16_t)(end - owners_list_unit(now_s));
	int64_t from_s = (int64_t)(now_s % OWNER_LIST_UNIT_S);

	return clock->wall_clock_ms +
	       ((units + 1) * (int64_t)OWNER_LIST_UNIT_S - from_s) * OWNERS_SECOND_MS;
}

/*
 * Fill @p out from the slot. @return whether the slot has to be handed over: another owner than its
 * line, or a temporary owner whose claim lasts
 */
static bool differs_from_line(const struct owners *o, uint32_t s, const struct owners_clock *clock,
                              struct owners_handover *out)
{
	const struct owner_list *list = &owners_cold(o, s)->list;
	uint32_t now_s = owners_seconds(clock);
	bool differs;

	*out = (struct owners_handover){ .slot = s, .owner = owners_current(o, s) };
	differs = out->owner != 0 && out->owner != o->lines[s].owner;
	for (uint32_t i = 0; owners_is_unsettled(o, s) && i < OWNER_LIST_MAX; i++) {
		bool is_temporary = owner_list_is_temporary(list->earlier, i);

		out->named[i] = (uint16_t)(list->earlier >> 16 * i);
		if (out->named[i] == 0)
			continue;
		out->until_ms[i] = until_ms(list->end[i], clock);
		differs |= is_temporary && !owner_list_is_over(list->end[i], now_s);
	}
	return differs;
}

bool owners_handover_find(const struct owners *o, uint32_t from, const struct owners_clock *clock,
                          struct owners_handover *out)
{
	for (uint32_t s = from; o->lines && s < o->tables.n_slots; s++)
		if (differs_from_line(o, s, clock, out))
			return true;
	return false;
}

/* Add @p backend (perhaps with OWNER_LIST_TEMPORARY) at the end of the list, unless it is there. */
static void add_to_list(struct owner_list *list, uint16_t to, uint16_t backend, uint16_t end)
{
	uint32_t n = owner_list_n(list->earlier);

	for (uint32_t i = 0; i < n; i++)
		if (owner_list_at(list->earlier, i) == (backend & FWD_SLOT_BACKEND))
			return;
	if ((backend & FWD_SLOT_BACKEND) == 0 || (backend & FWD_SLOT_BACKEND) == to ||
	    n == SECOND_OWNERS_MAX)
		return;
	list->end[n] = end;
	list->earlier = owner_list_with(list->earlier, n, backend);
}

/*
 * Store the slot as the peer has it. This node has forwarded since its start, so its own owner and
 * list may have received flows: they are named in the room that is left, but without a claim. A
 * claim could keep the slot from going where it is on the other nodes.
 */
static void store_peer_slot(struct owners *o, const struct owners_handover *slot,
                            const struct owners_clock *clock)
{
	uint32_t s = slot->slot;
	uint64_t named = owners_is_unsettled(o, s) ? owners_cold(o, s)->list.earlier : 0;
	uint16_t current = owners_current(o, s), over = owners_list_end(0, clock);
	uint16_t to = slot->owner == 0 || owners_has(&o->dead, slot->owner) ? current : slot->owner;
	struct owner_list list = { 0 };

	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
		add_to_list(&list, to, slot->named[i], owners_list_end(slot->until_ms[i], clock));
	if (!owners_has(&o->dead, current))
		add_to_list(&list, to, current | OWNER_LIST_TEMPORARY, over);
	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
		add_to_list(&list, to, (uint16_t)owner_list_at(named, i) | OWNER_LIST_TEMPORARY,
		            over);
	owners_slot_store_list(o, s, to, &list, owners_seconds(clock));
}

void owners_handover_apply(struct owners *o, const struct owners_handover *slots, size_t n,
                           const struct owners_clock *clock)
{
	size_t i = 0;

	for (uint32_t s = 0; o->lines && s < o->tables.n_slots; s++) {
		struct owners_handover none = { .slot = s, .owner = o->lines[s].owner };

		while (i < n && slots[i].slot < s)
			i++;
		store_peer_slot(o, i < n && slots[i].slot == s ? &slots[i] : &none, clock);
	}
	o->temporary_end_s = owners_list_over_s(o, clock);
	owners_lists_update(o, clock);
}
