/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An array of table elements, and a hash table from keys to their indexes, chained through the
 * array. `scan` remembers that no element before it is free, so that allocation does not walk the
 * array again. An element in quarantine stays in the hash table: its owner finds it when it
 * returns.
 */
#include "dataplane/tables/indexes.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Chains of eight at 32,768 backends, the largest table. */
#define BUCKETS 4096u

struct index_entry {
	uint64_t key;
	uint64_t since_ms;
	uint32_t next; /* in its bucket */
	uint8_t state;
};

struct indexes {
	struct index_entry *items;
	uint32_t first, n, n_free, scan; /* scan: no free place lies before it */
	uint32_t buckets[BUCKETS];
};

static uint32_t key_bucket(uint64_t key)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 32) % BUCKETS;
}

struct indexes *indexes_new(uint32_t first, uint32_t n)
{
	struct indexes *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->first = p->scan = p->n = first;
	memset(p->buckets, 0xff, sizeof(p->buckets));
	if (indexes_grow(p, n)) {
		indexes_free(p);
		return NULL;
	}
	return p;
}

void indexes_free(struct indexes *p)
{
	if (p)
		free(p->items);
	free(p);
}

int indexes_grow(struct indexes *p, uint32_t n)
{
	struct index_entry *items = n > p->n ? realloc(p->items, n * sizeof(*items)) : NULL;

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

uint32_t indexes_find(const struct indexes *p, uint64_t key)
{
	uint32_t i = p->buckets[key_bucket(key)];

	while (i != INDEX_NONE && p->items[i].key != key)
		i = p->items[i].next;
	return i;
}

static void enter_key(struct indexes *p, uint32_t i, uint64_t key)
{
	uint32_t *head = &p->buckets[key_bucket(key)];

	p->items[i] = (struct index_entry){ .key = key, .next = *head, .state = INDEX_USED };
	*head = i;
	p->n_free--;
}

uint32_t indexes_allocate(struct indexes *p, uint64_t key)
{
	uint32_t i = indexes_find(p, key);

	if (i != INDEX_NONE) {
		p->items[i].state = INDEX_USED;
		return i;
	}
	if (!p->n_free)
		return INDEX_NONE;
	while (p->items[p->scan].state != INDEX_FREE)
		p->scan++;
	enter_key(p, p->scan, key);
	return p->scan;
}

bool indexes_adopt(struct indexes *p, uint32_t i, uint64_t key)
{
	if (i < p->first || i >= p->n || p->items[i].state != INDEX_FREE ||
	    indexes_find(p, key) != INDEX_NONE)
		return false;
	enter_key(p, i, key);
	return true;
}

void indexes_quarantine(struct indexes *p, uint32_t i, uint64_t now_ms)
{
	assert(p->items[i].state == INDEX_USED);
	p->items[i].state = INDEX_QUARANTINED;
	p->items[i].since_ms = now_ms;
}

void indexes_release(struct indexes *p, uint32_t i)
{
	uint32_t *link = &p->buckets[key_bucket(p->items[i].key)];

	assert(p->items[i].state == INDEX_QUARANTINED);
	while (*link != i)
		link = &p->items[*link].next;
	*link = p->items[i].next;
	p->items[i] = (struct index_entry){ 0 };
	p->n_free++;
	if (i < p->scan)
		p->scan = i;
}

enum index_state indexes_state(const struct indexes *p, uint32_t i)
{
	return (enum index_state)p->items[i].state;
}

uint64_t indexes_key(const struct indexes *p, uint32_t i)
{
	return p->items[i].key;
}

uint64_t indexes_since_ms(const struct indexes *p, uint32_t i)
{
	return p->items[i].since_ms;
}

uint32_t indexes_n_free(const struct indexes *p)
{
	return p->n_free;
}

uint32_t indexes_n(const struct indexes *p)
{
	return p->n;
}
