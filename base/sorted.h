/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Where a key is in a sorted array, or belongs. (If only the element with that key is of interest,
 * use bsearch(3).)
 *
 * Implemented in base/sorted.c. Pure functions: any thread may call them.
 */
#ifndef WEIR_BASE_SORTED_H
#define WEIR_BASE_SORTED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"

/** As for bsearch(3): negative if @p key belongs before @p item, 0 if it is the item's. */
typedef int sorted_compare(const void *key, const void *item);

/**
 * The index of the first of the @p n elements of @p size bytes that is not before @p key, or @p n.
 * @p found (may be NULL) says whether that element has the key.
 */
NONNULL(1, 5)
size_t sorted_index(const void *key, const void *items, size_t n, size_t size,
                    sorted_compare *compare, bool *found);

#endif
