/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The search goes on after it met the key, so that of equal elements the first is found, and a key
 * without an element ends where it belongs.
 */
#include "base/sorted.h"

size_t sorted_index(const void *key, const void *items, size_t n, size_t size,
                    sorted_compare *compare, bool *found)
{
	size_t low = 0, high = n;
	bool met = false;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(key, (const char *)items + middle * size);

		met |= order == 0;
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (found)
		*found = met;
	return low;
}
