/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hot words that somebody else has overwritten. Only the owners store into them, and keep what they
 * stored (struct owners, `hot`): so any other value is damage, and storing the word again is all that
 * it takes. A packet that met the wrong word meanwhile went to the wrong backend, as it would have
 * without this.
 */
#include "dataplane/owners/owners_internal.h"

uint32_t owners_scrub(struct owners *o, uint32_t from, uint32_t n)
{
	uint32_t found = 0;

	if (from >= o->tables.n_slots)
		return 0;
	if (n > o->tables.n_slots - from)
		n = o->tables.n_slots - from;
	if (!memcmp(owners_hot(o, from), &o->hot[from], n * sizeof(*o->hot)))
		return 0;
	for (uint32_t s = from; s < from + n; s++) {
		uint16_t *at = owners_hot(o, s);

		if (__atomic_load_n(at, __ATOMIC_RELAXED) == o->hot[s])
			continue;
		owners_note_damage(o, s);
		__atomic_store_n(at, o->hot[s], __ATOMIC_RELEASE);
		found++;
	}
	return found;
}

uint32_t owners_damaged(struct owners *o, uint32_t *first, uint32_t *last)
{
	uint32_t n = o->n_damaged;

	if (n) {
		*first = o->first_damaged;
		*last = o->last_damaged;
	}
	o->n_damaged = 0;
	return n;
}
