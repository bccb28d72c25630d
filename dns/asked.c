/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hand-over: `full` and `spare` are exchanged as pointers, with release and acquire, so whoever
 * gets a table sees all that was written to it. A thread that finds no spare table (the main thread
 * is late) goes on with its own and tries again later.
 */
#include "dns/asked.h"

#include <errno.h>
#include <stdlib.h>

/* On the worker's thread. */
static void hand_over(void *arg)
{
	struct asked_tables *t = arg;
	struct asked *spare = __atomic_exchange_n(&t->spare, NULL, __ATOMIC_ACQUIRE);

	if (!spare) {
		asked_begin(t);
		return;
	}
	__atomic_store_n(&t->full, t->own, __ATOMIC_RELEASE);
	t->own = spare;
}

int asked_open(struct asked_tables *t, struct loop *loop)
{
	*t = (struct asked_tables){ .loop = loop };
	t->timer = (struct loop_timer){ .cb = hand_over, .arg = t };
	t->own = aligned_alloc(64, sizeof(*t->own));
	t->spare = aligned_alloc(64, sizeof(*t->spare));
	if (!t->own || !t->spare) {
		asked_close(t);
		return -ENOMEM;
	}
	memset(t->own, 0, sizeof(*t->own));
	memset(t->spare, 0, sizeof(*t->spare));
	return 0;
}

void asked_close(struct asked_tables *t)
{
	if (t->loop)
		loop_timer_cancel(t->loop, &t->timer);
	free(t->own);
	free(t->full);
	free(t->spare);
	*t = (struct asked_tables){ 0 };
}

struct asked *asked_receive(struct asked_tables *t)
{
	return __atomic_exchange_n(&t->full, NULL, __ATOMIC_ACQUIRE);
}

void asked_give_back(struct asked_tables *t, struct asked *table)
{
	uint64_t salt = hash_mix(table->salt + 1);

	memset(table, 0, sizeof(*table));
	table->salt = salt;
	__atomic_store_n(&t->spare, table, __ATOMIC_RELEASE);
}

void asked_begin(struct asked_tables *t)
{
	(void)loop_timer_set(t->loop, &t->timer, loop_now_ms(t->loop) + ASKED_EVERY_MS);
}

static void add_others(struct asked *t, uint32_t name, uint32_t n)
{
	struct asked_name *row = n ? asked_name(t, name) : NULL;

	if (row)
		row->others += n;
}

static struct asked_key *smallest_of(struct asked_key *bucket)
{
	struct asked_key *least = bucket;

	for (uint32_t i = 1; i < ASKED_WAYS; i++)
		if (bucket[i].n < least->n)
			least = &bucket[i];
	return least;
}

void asked_add_other(struct asked *t, struct asked_key *bucket, uint64_t key, uint32_t name)
{
	struct asked_key *least = smallest_of(bucket);

	if (least->n > 1) {
		least->n--;
		add_others(t, least->name, 1);
		add_others(t, name, 1);
		return;
	}
	add_others(t, least->name, least->n);
	*least = (struct asked_key){ .key = key, .name = name, .n = 1 };
}
