/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tables say of a pool's slots, read for others: nothing here changes a slot.
 */
#include "dataplane/owners/owners_internal.h"

/* The earlier owner that keeps the slot unsettled; 0: it is settled. */
static uint16_t earlier_of(const struct owners *o, uint32_t s)
{
	const struct owner_cold *cold = owners_cold(o, s);
	uint16_t current = owners_current(o, s), earlier = 0;

	if (!owners_is_unsettled(o, s))
		return 0;
	for (int c = o->times.agents ? OWNER_CLASS_UDP : 0; c < OWNER_CLASSES; c++)
		if (cold->claim[c].settle_at != 0 && cold->claim[c].base != current)
			earlier = cold->claim[c].base;
	if (o->times.agents && cold->list.earlier != 0)
		earlier = (uint16_t)owner_list_at(cold->list.earlier, 0);
	return earlier;
}

static void count_slot(const struct owners *o, uint32_t s, struct owners_stats *out,
                       uint32_t *owned, uint32_t *based, size_t n)
{
	uint16_t current = owners_current(o, s), earlier = earlier_of(o, s);

	out->empty += current == 0;
	out->looking += owners_is_unsettled(o, s);
	out->unsettled += earlier != 0 || owners_is_scheduled(o, s);
	if (owned && current < n)
		owned[current]++;
	if (based && earlier != 0 && earlier < n)
		based[earlier]++;
}

void owners_count(const struct owners *o, struct owners_stats *out, uint32_t *owned,
                  uint32_t *based, size_t n)
{
	*out = (struct owners_stats){
		.n_slots = o->tables.n_slots,
		.due = o->n_due + o->n_coming,
		.waiting = o->n_waiting,
		.moved = o->n_moved,
		.settled = o->n_settled,
	};
	for (uint32_t s = 0; s < o->tables.n_slots; s++)
		count_slot(o, s, out, owned, based, n);
}

static bool set_has_backend(const struct owners_computed *computed, uint16_t backend)
{
	for (size_t i = 0; i < computed->n_members; i++)
		if (computed->members[i].backend == backend)
			return true;
	return false;
}

bool owners_uses(const struct owners *o, uint16_t backend)
{
	if (set_has_backend(&o->now, backend) || set_has_backend(&o->next, backend) ||
	    set_has_backend(&o->backup, backend) || backend == o->full)
		return true;
	for (uint32_t s = 0; s < o->tables.n_slots; s++) {
		const struct owner_cold *cold = owners_cold(o, s);

		if (owners_current(o, s) == backend)
			return true;
		if (o->times.agents && owners_list_names(o, s, backend))
			return true;
		for (int c = o->times.agents ? OWNER_CLASS_UDP : 0;
		     owners_is_unsettled(o, s) && c < OWNER_CLASSES; c++)
			if (cold->claim[c].settle_at != 0 && cold->claim[c].base == backend)
				return true;
	}
	return false;
}
