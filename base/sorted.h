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
#include <stdint.h>
#include <string.h>

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

/** For qsort(3), bsearch(3) and sorted_index(): the order of elements that begin with a uint64_t. */
static inline int sorted_by_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/** The same of elements that begin with a uint32_t. */
static inline int sorted_by_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/** For bsearch(3) and sorted_index(): the key is a text, and elements begin with theirs, a const char *. */
static inline int sorted_by_text(const void *key, const void *item)
{
	return strcmp(key, *(const char *const *)item);
}

/** The same of elements that begin with a char[]. */
static inline int sorted_by_chars(const void *key, const void *item)
{
	return strcmp(key, item);
}

#endif
