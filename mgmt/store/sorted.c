/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A binary search over any array: a callback gives the text of an element, so that one search
 * serves files and overrides.
 */
#include "mgmt/store/sorted.h"

#include <string.h>

size_t sorted_index(const void *items, size_t n_items, sorted_key *key, const char *wanted,
                    bool *found)
{
	size_t low = 0, high = n_items;

	*found = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int c = strcmp(key(items, middle), wanted);

		if (c == 0)
			*found = true;
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
