/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Ranges of the slot table, one for each pool: a power of two of slots, aligned to
 * FWD_SLOTS_PER_BLOCK.
 *
 * A range that is no longer used is in quarantine for a while, since a packet
 * under way may still read its slots. Implemented in tables/ranges.c. Pure; the loop's thread calls it.
 */
#ifndef WEIR_DATAPLANE_TABLES_RANGES_H
#define WEIR_DATAPLANE_TABLES_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

#define RANGES_MAX  4096u /**< ranges in use or in quarantine */
#define RANGE_BLOCK 32u   /**< FWD_SLOTS_PER_BLOCK */

struct range {
	uint32_t first, n;
	bool quarantined;
	uint64_t since_ms;
};

/** Sorted by first; a plain value, so that a change can be tried on a copy. */
struct ranges {
	uint32_t n_slots; /**< of the table */
	uint32_t n_items;
	struct range items[RANGES_MAX];
};

/**
 * Allocate @p n slots (rounded up to whole blocks), as low as possible. @return 0 with @p first,
 * or -ENOSPC
 */
int ranges_allocate(struct ranges *r, uint32_t n, uint32_t *first) MUST_CHECK NONNULL();
/**
 * Note that [@p first, @p first + @p n) is used already. @return 0, -EEXIST when it overlaps,
 * -ERANGE, -ENOSPC
 */
int ranges_adopt(struct ranges *r, uint32_t first, uint32_t n) MUST_CHECK NONNULL();
/** Put the range that begins at @p first into quarantine. */
void ranges_quarantine(struct ranges *r, uint32_t first, uint64_t now_ms) NONNULL();
/** Free ranges that are in quarantine since before @p before_ms. */
void ranges_release(struct ranges *r, uint64_t before_ms) NONNULL();

#endif
