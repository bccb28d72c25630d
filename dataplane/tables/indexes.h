/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The index allocator: which element of a table belongs to which key (a 64-bit identity).
 *
 * An element keeps its key as long as anything may lead to it. One that is no longer used is in
 * *quarantine*. It becomes free only when the caller releases it, after its time
 * has passed and nothing leads there. A key that returns before that gets its element back.
 *
 * Implemented in tables/indexes.c. The loop's thread calls all of this.
 */
#ifndef WEIR_DATAPLANE_TABLES_INDEXES_H
#define WEIR_DATAPLANE_TABLES_INDEXES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

#define INDEX_NONE UINT32_MAX

enum index_state { INDEX_FREE, INDEX_USED, INDEX_QUARANTINED };

struct indexes;

/** Manage the indexes @p first .. @p n - 1. @return NULL: out of memory */
struct indexes *indexes_new(uint32_t first, uint32_t n) MUST_CHECK;
/** NULL is fine. */
void indexes_free(struct indexes *p);
/** Grow to @p n indexes; fewer than before: no effect. @return 0 or -ENOMEM */
int indexes_grow(struct indexes *p, uint32_t n) MUST_CHECK NONNULL();

/** The index of @p key, in use or in quarantine, or INDEX_NONE. */
uint32_t indexes_find(const struct indexes *p, uint64_t key) NONNULL();
/** Allocate an index for @p key, its own if it has one. @return INDEX_NONE: all are taken */
uint32_t indexes_allocate(struct indexes *p, uint64_t key) NONNULL();
/**
 * Note that @p key has index @p i already, as the tables say. @return false: @p i is not free, or
 * @p key has another
 */
bool indexes_adopt(struct indexes *p, uint32_t i, uint64_t key) NONNULL();
/** Put index @p i into quarantine at @p now_ms. */
void indexes_quarantine(struct indexes *p, uint32_t i, uint64_t now_ms) NONNULL();
/** Free index @p i, which is in quarantine. */
void indexes_release(struct indexes *p, uint32_t i) NONNULL();

enum index_state indexes_state(const struct indexes *p, uint32_t i) NONNULL();
uint64_t indexes_key(const struct indexes *p, uint32_t i) NONNULL();
/** Since when @p i is in quarantine. */
uint64_t indexes_since_ms(const struct indexes *p, uint32_t i) NONNULL();
uint32_t indexes_n_free(const struct indexes *p) NONNULL();
/** One more than the last index. */
uint32_t indexes_n(const struct indexes *p) NONNULL();

#endif
