/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hand-over: `full` and `spare` are exchanged as pointers, with release and acquire, so whoever
 * gets a table sees all that was written to it. A thread that finds no spare table (the main thread
 * is late) goes on with its own and tries again later.
 */
#include "dns/key_table.h"

#include <errno.h>
#include <stdlib.h>

/* On the worker's thread. */
static void hand_over(void *arg)
{
	struct key_tables *t = arg;
	struct key_table *spare = __atomic_exchange_n(&t->spare, NULL, __ATOMIC_ACQUIRE);

	if (!spare) {
		key_table_begin(t);
		return;
	}
	__atomic_store_n(&t->full, t->own, __ATOMIC_RELEASE);
	t->own = spare;
}

int key_table_open(struct key_tables *t, struct loop *loop)
{
	*t = (struct key_tables){ .loop = loop };
	t->timer = (struct loop_timer){ .cb = hand_over, .arg = t };
	t->own = aligned_alloc(64, sizeof(*t->own));
	t->spare = aligned_alloc(64, sizeof(*t->spare));
	if (!t->own || !t->spare) {
		key_table_close(t);
		return -ENOMEM;
	}
	memset(t->own, 0, sizeof(*t->own));
	memset(t->spare, 0, sizeof(*t->spare));
	return 0;
}

void key_table_close(struct key_tables *t)
{
	if (t->loop)
		loop_timer_cancel(t->loop, &t->timer);
	free(t->own);
	free(t->full);
	free(t->spare);
	*t = (struct key_tables){ 0 };
}

struct key_table *key_table_receive(struct key_tables *t)
{
	return __atomic_exchange_n(&t->full, NULL, __ATOMIC_ACQUIRE);
}

void key_table_give_back(struct key_tables *t, struct key_table *table)
{
	uint64_t salt = hash_mix(table->salt + 1);

	memset(table, 0, sizeof(*table));
	table->salt = salt;
	__atomic_store_n(&t->spare, table, __ATOMIC_RELEASE);
}

void key_table_begin(struct key_tables *t)
{
	(void)loop_timer_set(t->loop, &t->timer, loop_now_ms(t->loop) + KEY_TABLE_EVERY_MS);
}

static void add_others(struct key_table *t, uint32_t name, uint32_t n)
{
	struct key_table_name *row = n ? key_table_name(t, name) : NULL;

	if (row)
		row->others += n;
}

static struct key_table_key *smallest_of(struct key_table_key *bucket)
{
	struct key_table_key *least = bucket;

	for (uint32_t i = 1; i < KEY_TABLE_WAYS; i++)
		if (bucket[i].n < least->n)
			least = &bucket[i];
	return least;
}

void key_table_add_other(struct key_table *t, struct key_table_key *bucket, uint64_t key,
                         uint32_t name)
{
	struct key_table_key *least = smallest_of(bucket);

	if (least->n > 1) {
		least->n--;
		add_others(t, least->name, 1);
		add_others(t, name, 1);
		return;
	}
	add_others(t, least->name, least->n);
	*least = (struct key_table_key){ .key = key, .name = name, .n = 1 };
}
