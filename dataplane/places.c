/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An array of table elements, and a hash table from keys to their indexes, chained through the
 * array. `scan` remembers that no element before it is free, so that allocation does not walk the
 * array again. An element in quarantine stays in the hash table: its owner finds it when it
 * returns.
 */
#include "dataplane/places.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Chains of eight at 32,768 backends, the largest table. */
#define BUCKETS 4096u

struct place {
	uint64_t key;
	uint64_t since_ms;
	uint32_t next; /* in its bucket */
	uint8_t state;
};

struct places {
	struct place *items;
	uint32_t first, n, n_free, scan; /* scan: no free place lies before it */
	uint32_t buckets[BUCKETS];
};

static uint32_t bucket(uint64_t key)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 32) % BUCKETS;
}

struct places *places_new(uint32_t first, uint32_t n)
{
	struct places *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->first = p->scan = p->n = first;
	memset(p->buckets, 0xff, sizeof(p->buckets));
	if (places_grow(p, n)) {
		places_free(p);
		return NULL;
	}
	return p;
}

void places_free(struct places *p)
{
	if (p)
		free(p->items);
	free(p);
}

int places_grow(struct places *p, uint32_t n)
{
	struct place *items = n > p->n ? realloc(p->items, n * sizeof(*items)) : NULL;

	if (n <= p->n)
		return 0;
	if (!items)
		return -ENOMEM;
	memset(items + p->n, 0, (n - p->n) * sizeof(*items));
	p->n_free += n - p->n;
	p->items = items;
	p->n = n;
	return 0;
}

uint32_t places_find(const struct places *p, uint64_t key)
{
	uint32_t i = p->buckets[bucket(key)];

	while (i != PLACE_NONE && p->items[i].key != key)
		i = p->items[i].next;
	return i;
}

static void enter(struct places *p, uint32_t i, uint64_t key)
{
	uint32_t *head = &p->buckets[bucket(key)];

	p->items[i] = (struct place){ .key = key, .next = *head, .state = PLACE_USED };
	*head = i;
	p->n_free--;
}

uint32_t places_take(struct places *p, uint64_t key)
{
	uint32_t i = places_find(p, key);

	if (i != PLACE_NONE) {
		p->items[i].state = PLACE_USED;
		return i;
	}
	if (!p->n_free)
		return PLACE_NONE;
	while (p->items[p->scan].state != PLACE_FREE)
		p->scan++;
	enter(p, p->scan, key);
	return p->scan;
}

bool places_adopt(struct places *p, uint32_t i, uint64_t key)
{
	if (i < p->first || i >= p->n || p->items[i].state != PLACE_FREE ||
	    places_find(p, key) != PLACE_NONE)
		return false;
	enter(p, i, key);
	return true;
}

void places_rest(struct places *p, uint32_t i, uint64_t now_ms)
{
	assert(p->items[i].state == PLACE_USED);
	p->items[i].state = PLACE_RESTING;
	p->items[i].since_ms = now_ms;
}

void places_release(struct places *p, uint32_t i)
{
	uint32_t *link = &p->buckets[bucket(p->items[i].key)];

	assert(p->items[i].state == PLACE_RESTING);
	while (*link != i)
		link = &p->items[*link].next;
	*link = p->items[i].next;
	p->items[i] = (struct place){ 0 };
	p->n_free++;
	if (i < p->scan)
		p->scan = i;
}

enum place_state places_state(const struct places *p, uint32_t i)
{
	return (enum place_state)p->items[i].state;
}

uint64_t places_key(const struct places *p, uint32_t i)
{
	return p->items[i].key;
}

uint64_t places_since_ms(const struct places *p, uint32_t i)
{
	return p->items[i].since_ms;
}

uint32_t places_n_free(const struct places *p)
{
	return p->n_free;
}

uint32_t places_n(const struct places *p)
{
	return p->n;
}
