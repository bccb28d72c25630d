/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Places: which element of a table belongs to whom.
 *
 * An element keeps its owner (a 64-bit identity) as long as anything may lead to it: one
 * that is no longer wanted *rests*, and becomes free only when its time has passed and its
 * user says that nothing leads there.  An owner that returns meanwhile finds its element.
 */
#ifndef WEIR_DATAPLANE_PLACES_H
#define WEIR_DATAPLANE_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLACE_NONE UINT32_MAX

enum place_state { PLACE_FREE, PLACE_USED, PLACE_RESTING };

struct places;

/** Places @p first .. @p n - 1. @return NULL when out of memory */
struct places *places_new(uint32_t first, uint32_t n);
/** NULL is fine. */
void places_free(struct places *p);
/** Have @p n places from now on, more than before. @return 0 or -ENOMEM */
int places_grow(struct places *p, uint32_t n);

/** The place of @p key, used or resting, or PLACE_NONE. */
uint32_t places_find(const struct places *p, uint64_t key);
/** The place of @p key, a new one if it has none; used afterwards. @return PLACE_NONE when all are taken */
uint32_t places_take(struct places *p, uint64_t key);
/** Note that @p key has place @p i already, as found in the tables. @return false if it is another's, or @p key has one */
bool places_adopt(struct places *p, uint32_t i, uint64_t key);
/** @p i is no longer wanted since @p now_ms. */
void places_rest(struct places *p, uint32_t i, uint64_t now_ms);
/** Make resting place @p i free. */
void places_release(struct places *p, uint32_t i);

enum place_state places_state(const struct places *p, uint32_t i);
uint64_t places_key(const struct places *p, uint32_t i);
/** Since when @p i rests. */
uint64_t places_since_ms(const struct places *p, uint32_t i);
uint32_t places_n_free(const struct places *p);
/** One beyond the last place. */
uint32_t places_n(const struct places *p);

#endif
