/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * First fit over a sorted array: there are as many ranges as pools, and they change only with
 * documents, so an insertion that shifts the array is cheap, and a change can be tried on a copy.
 */
#include "dataplane/tables/ranges.h"

#include <errno.h>
#include <string.h>

static uint32_t round_up(uint32_t n)
{
	return (n + RANGE_BLOCK - 1) / RANGE_BLOCK * RANGE_BLOCK;
}

static void insert_range(struct ranges *r, uint32_t at, uint32_t first, uint32_t n)
{
	memmove(&r->items[at + 1], &r->items[at], (r->n_items - at) * sizeof(r->items[0]));
	r->items[at] = (struct range){ .first = first, .n = n };
	r->n_items++;
}

int ranges_allocate(struct ranges *r, uint32_t n, uint32_t *first)
{
	uint32_t at = 0, start = 0, need = round_up(n);

	if (r->n_items == RANGES_MAX || need < n)
		return -ENOSPC;
	while (at < r->n_items && r->items[at].first - start < need) {
		start = r->items[at].first + r->items[at].n;
		at++;
	}
	if (r->n_slots < start || r->n_slots - start < need)
		return -ENOSPC;
	insert_range(r, at, start, need);
	*first = start;
	return 0;
}

int ranges_adopt(struct ranges *r, uint32_t first, uint32_t n)
{
	uint32_t at = 0, need = round_up(n);

	if (r->n_items == RANGES_MAX)
		return -ENOSPC;
	if (first % RANGE_BLOCK || need < n || first > r->n_slots || r->n_slots - first < need)
		return -ERANGE;
	while (at < r->n_items && r->items[at].first + r->items[at].n <= first)
		at++;
	if (at < r->n_items && r->items[at].first < first + need)
		return -EEXIST;
	insert_range(r, at, first, need);
	return 0;
}

void ranges_quarantine(struct ranges *r, uint32_t first, uint64_t now_ms)
{
	for (uint32_t i = 0; i < r->n_items; i++) {
		if (r->items[i].first != first)
			continue;
		r->items[i].quarantined = true;
		r->items[i].since_ms = now_ms;
	}
}

void ranges_release(struct ranges *r, uint64_t before_ms)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n_items; i++)
		if (!r->items[i].quarantined || r->items[i].since_ms >= before_ms)
			r->items[n++] = r->items[i];
	r->n_items = n;
}
