/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members of a lower class (struct owners_backup). They have a ring of their own, so that the ring of
 * the sets' members is the same with and without them. The share is laid over the targets: which
 * slots it takes depends on the slot alone, so all nodes with the same share agree.
 */
#include "dataplane/owners/owners_internal.h"

int owners_backup_compute(const struct owners *o, const struct owners_backup *from,
                          const uint8_t *states, struct owners_computed *out)
{
	const struct owners_set all = { .members = from->members, .n_members = from->n_members };
	int result = owners_computed_copy(&all, o->tables.n_slots, out);

	if (result != 0)
		return result;
	owners_computed_reuse(out, &o->backup, o->tables.n_slots);
	return owners_computed_repair(out, o, states);
}

/* A slot's place in the order in which slots join the share: 0..OWNERS_SHARE_ALL - 1. */
static uint32_t slot_order(uint32_t s)
{
	return s * 0x9e3779b1u >> 22;
}

void owners_backup_lay_over(const struct owners_computed *computed,
                            const struct owners_backup *from, struct owners_computed *to,
                            uint32_t n_slots)
{
	for (uint32_t s = 0; s < n_slots && from->share; s++) {
		if (slot_order(s) < from->share && computed->target[s])
			to->target[s] = computed->target[s];
		else if (!to->target[s])
			to->target[s] = from->full;
	}
}

/*
 * What packets read of a slot is stored before the slot is unsettled; one that is unsettled already
 * changes with one store. A slot beyond the share keeps drills' flows with its owner.
 */
void owners_backup_lay_drill(struct owners *o, const struct owners_clock *clock)
{
	for (uint32_t s = 0; o->is_drilled && o->backup.target && s < o->tables.n_slots; s++) {
		uint16_t to = slot_order(s) < o->drill_share ? o->backup.target[s] : 0;

		owners_slot_unsettle(o, s, owners_seconds(clock));
		__atomic_store_n(&owners_cold(o, s)->claim[OWNER_CLASS_UDP].drill, to,
		                 __ATOMIC_RELEASE);
	}
}

/*
 * Members of a lower class keep their flows after they have lost their slots, but UDP flows with
 * policy `migrate` only for the settling time.
 */
void owners_backup_set_leases(struct owners *o, const struct owners_backup *backup,
                              const struct owners_clock *clock)
{
	uint32_t end_s = (owners_seconds(clock) + o->times.settle_ms / OWNERS_SECOND_MS) | 1;

	owners_memory_use(o->memory, backup->full);
	for (size_t m = 0; m < backup->n_members; m++) {
		uint32_t *lease = &o->memory->lease_end_s[backup->members[m].backend];

		owners_memory_use(o->memory, backup->members[m].backend);
		if (backup->share && backup->members[m].weight > 0)
			*lease = 0;
		else if (*lease == 0)
			*lease = end_s;
	}
}
