/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The index allocator: which element of a table belongs to which key (a 64-bit identity).
 *
 * An element keeps its key as long as anything may lead to it. One that is no longer used is in
 * *quarantine* (in code: resting). It becomes free only when the caller releases it, after its time
 * has passed and nothing leads there. A key that returns before that gets its element back.
 *
 * Implemented in places.c. The loop's thread calls all of this.
 */
#ifndef WEIR_DATAPLANE_PLACES_H
#define WEIR_DATAPLANE_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLACE_NONE UINT32_MAX

enum place_state { PLACE_FREE, PLACE_USED, PLACE_RESTING };

struct places;

/** Manage the indexes @p first .. @p n - 1. @return NULL: out of memory */
struct places *places_new(uint32_t first, uint32_t n);
/** NULL is fine. */
void places_free(struct places *p);
/** Grow to @p n indexes; fewer than before: no effect. @return 0 or -ENOMEM */
int places_grow(struct places *p, uint32_t n);

/** The index of @p key, in use or in quarantine, or PLACE_NONE. */
uint32_t places_find(const struct places *p, uint64_t key);
/** Allocate an index for @p key, its own if it has one. @return PLACE_NONE: all are taken */
uint32_t places_take(struct places *p, uint64_t key);
/**
 * Note that @p key has index @p i already, as the tables say. @return false: @p i is not free, or
 * @p key has another
 */
bool places_adopt(struct places *p, uint32_t i, uint64_t key);
/** Put index @p i into quarantine at @p now_ms. */
void places_rest(struct places *p, uint32_t i, uint64_t now_ms);
/** Free index @p i, which is in quarantine. */
void places_release(struct places *p, uint32_t i);

enum place_state places_state(const struct places *p, uint32_t i);
uint64_t places_key(const struct places *p, uint32_t i);
/** Since when @p i is in quarantine. */
uint64_t places_since_ms(const struct places *p, uint32_t i);
uint32_t places_n_free(const struct places *p);
/** One more than the last index. */
uint32_t places_n(const struct places *p);

#endif
