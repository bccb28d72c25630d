/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What a thread has counted since the last flush. All threads count into the same words of the
 * stats page, so that these are sums; a thread gathers a batch's counts here first, so that the
 * words' cache lines do not go to and fro with each query. One thread only.
 */
#ifndef WEIR_DNS_TALLY_H
#define WEIR_DNS_TALLY_H

#include <stdint.h>

#include "weir/stats.h"

#define TALLY_SLOTS 64 /* a power of two: several times the words that a query touches */

struct tally {
	unsigned n_used;
	uint8_t used[TALLY_SLOTS];
	struct {
		uint64_t *word;
		uint64_t n;
	} slots[TALLY_SLOTS];
};

/** Count @p n more for @p word; NULL: there is no page, nothing is counted. A word that is in the way is flushed. */
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
