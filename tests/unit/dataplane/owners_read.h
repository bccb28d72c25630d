/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tests read of owners and of their memory: slots counted from the tables, and whole passes of
 * the sweep.
 */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_OWNERS_READ_H
#define WEIR_TESTS_UNIT_DATAPLANE_OWNERS_READ_H

#include <string.h>

#include "dataplane/owners/owners_internal.h"

struct owners_stats {
	uint32_t empty;     /* slots without an owner */
	uint32_t unsettled; /* slots with an earlier owner, or scheduled */
	uint32_t looking;   /* slots on the slow path: unsettled, or with remembered flows */
	/* scheduled slots: to be moved within OWNERS_SCHEDULE_MS or by the next set */
	uint32_t due;
	uint32_t waiting; /* slots to be moved when the oldest claim of their full list ends */
};

/* The earlier owner that keeps the slot unsettled; 0: it is settled. */
static inline uint16_t earlier_owner(const struct owners *o, uint32_t s)
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

/* Count slots by reading the tables. @param owned, based  NULL, or [n] by backend, to be added to */
static inline void count_slots(const struct owners *o, struct owners_stats *out, uint32_t *owned,
                               uint32_t *based, size_t n)
{
	*out = (struct owners_stats){ .due = o->n_due + o->n_coming, .waiting = o->n_waiting };
	for (uint32_t s = 0; s < o->tables.n_slots; s++) {
		uint16_t current = owners_current(o, s), earlier = earlier_owner(o, s);

		out->empty += current == 0;
		out->looking += owners_is_unsettled(o, s);
		out->unsettled += earlier != 0 || owners_is_scheduled(o, s);
		if (owned && current < n)
			owned[current]++;
		if (based && earlier != 0 && earlier < n)
			based[earlier]++;
	}
}

/* A whole pass of the sweep, from the beginning, at one time. */
static inline void sweep_whole(struct owners_memory *m, const struct owners_clock *clock)
{
	uint64_t ticked_ms = m->ticked_ms;
	uint32_t passes = m->passes;

	m->cursor = 0;
	memset(m->counting, 0, sizeof(m->counting));
	while (m->passes == passes) {
		m->ticked_ms = 0;
		owners_memory_tick(m, clock);
	}
	m->ticked_ms = ticked_ms;
}

#endif
