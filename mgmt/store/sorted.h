/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Looking up in an array that is sorted by a text of its elements.
 *
 * Implemented in mgmt/store/sorted.c. Pure functions: any thread may call them.
 */
#ifndef WEIR_MGMT_STORE_SORTED_H
#define WEIR_MGMT_STORE_SORTED_H

#include <stdbool.h>
#include <stddef.h>

/** The text by which element @p at of @p items is sorted. */
typedef const char *sorted_key(const void *items, size_t at);

/** The place of the element with the text @p wanted, or where it belongs; @p found says which. */
size_t sorted_index(const void *items, size_t n_items, sorted_key *key, const char *wanted,
                    bool *found);

#endif
