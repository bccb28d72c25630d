/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Ranges of the slot table, one a pool: powers of two, aligned to FWD_SLOTS_PER_BLOCK.
 *
 * A range that is no longer wanted rests: its slots may still be read by a packet under way.
 */
#ifndef WEIR_DATAPLANE_RANGES_H
#define WEIR_DATAPLANE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RANGES_MAX  4096u /**< ranges that are used or rest */
#define RANGE_BLOCK 32u   /**< FWD_SLOTS_PER_BLOCK */

struct range {
	uint32_t first, n;
	bool resting;
	uint64_t since_ms;
};

/** Sorted by first; a plain value, so that a change can be tried on a copy. */
struct ranges {
	uint32_t n_slots; /**< of the table */
	uint32_t n_items;
	struct range items[RANGES_MAX];
};

/** Take @p n slots (rounded up to whole blocks), as low as possible. @return 0 with @p first, or -ENOSPC */
int ranges_take(struct ranges *r, uint32_t n, uint32_t *first);
/** Note that [@p first, @p first + @p n) is used already. @return 0, -EEXIST when it overlaps, -ERANGE, -ENOSPC */
int ranges_adopt(struct ranges *r, uint32_t first, uint32_t n);
/** The range at @p first is no longer wanted. */
void ranges_rest(struct ranges *r, uint32_t first, uint64_t now_ms);
/** Free what has rested since before @p before_ms. */
void ranges_release(struct ranges *r, uint64_t before_ms);
/** Slots that are neither used nor resting. */
uint32_t ranges_n_free(const struct ranges *r);

#endif
