/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What a thread has counted since the last flush. All threads add to the same counters of the stats page. So that the
 * counters' cache lines do not travel between CPUs with each query, a thread collects a batch's counts here first.
 * Inline; only the thread that owns the tally.
 */
#ifndef WEIR_DNS_TALLY_H
#define WEIR_DNS_TALLY_H

#include <stdint.h>

#include "weir/stats.h"

/* 2^6, as tally_add() hashes to 6 bits: several times the counters that a query touches. */
#define TALLY_SLOTS 64

struct tally {
	unsigned n_used;
	uint8_t used[TALLY_SLOTS];
	struct {
		uint64_t *word;
		uint64_t n;
	} slots[TALLY_SLOTS];
};

/**
 * Add @p n to counter @p word; NULL: there is no page, nothing is counted. Another counter in the same slot is
 * flushed.
 */
static inline void tally_add(struct tally *t, uint64_t *word, uint64_t n)
{
	unsigned i = (unsigned)(((uintptr_t)word * UINT64_C(0x9e3779b97f4a7c15)) >> 58);

	if (!word)
		return;
	if (t->slots[i].word != word) {
		if (t->slots[i].word)
			stats_add(t->slots[i].word, t->slots[i].n);
		else
			t->used[t->n_used++] = (uint8_t)i;
		t->slots[i].word = word;
		t->slots[i].n = 0;
	}
	t->slots[i].n += n;
}

/** Add all to their words. */
static inline void tally_flush(struct tally *t)
{
	for (unsigned k = 0; k < t->n_used; k++) {
		stats_add(t->slots[t->used[k]].word, t->slots[t->used[k]].n);
		t->slots[t->used[k]].word = 0;
	}
	t->n_used = 0;
}

#endif
