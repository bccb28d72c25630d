/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Which keys asked for which dynamic names since the last hand-over, as one thread saw them.
 *
 * Each thread that answers counts into a table of its own, without a lock and without a shared
 * word. About once a second it hands the table over to the main thread and takes an empty one: two
 * tables in turn, each of which belongs to one thread at a time. A timer that the first query of a
 * table sets does that, so a thread that has nothing to do hands over what it has, too.
 *
 * The table is bounded. A bucket is one cache line of four keys. A key that finds no place takes one
 * query from the smallest key of its bucket, and one that has none left goes (Misra and Gries, 1982):
 * so heavy keys stay, however many others there are. Queries that no key has any more are counted
 * among the `others` of their name.
 *
 * key_table_count() and key_table_add() are for the thread that owns the table; key_table_open() and key_table_close() for the main
 * thread while the other does not run; key_table_receive() and key_table_give_back() for the main thread at any
 * time. Implemented in dns/key_table.c.
 */
#ifndef WEIR_DNS_KEY_TABLE_H
#define WEIR_DNS_KEY_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/checked.h"
#include "base/loop.h"
#include "weir/steering.h"

#define KEY_TABLE_BUCKET_BITS 9
#define KEY_TABLE_BUCKETS     (1u << KEY_TABLE_BUCKET_BITS)
#define KEY_TABLE_WAYS        4u
#define KEY_TABLE_NAMES       1024u /**< a power of two */
#define KEY_TABLE_PROBES      8u    /**< places at which a name may be */
#define KEY_TABLE_EVERY_MS    1000u /**< between two hand-overs */
#define KEY_TABLE_BEGIN_EVERY                                                                      \
	4096u /**< queries, after which a timer that could not be set is tried again */

struct key_table_key {
	uint64_t key; /**< steering_key.bytes */
	uint32_t name;
	uint32_t n; /**< queries; 0: free */
};

struct key_table_name {
	uint32_t name;
	uint32_t n;      /**< queries of all keys; 0: free */
	uint32_t others; /**< of them: of keys that have no place */
	uint32_t longest_ttl_s;
};

struct key_table {
	uint64_t salt;   /**< another one after each hand-over: who meets in a bucket changes */
	uint64_t n;      /**< queries */
	uint32_t n_lost; /**< of them: of names that had no place */
	uint32_t lost_ttl_s;
	struct key_table_key keys[KEY_TABLE_BUCKETS][KEY_TABLE_WAYS] __attribute__((aligned(64)));
	struct key_table_name names[KEY_TABLE_NAMES];
};

/** A thread's tables. */
struct key_tables {
	struct key_table *own;   /**< the thread counts here; NULL: it has no memory for that */
	struct key_table *full;  /**< handed over; exchanged by both sides */
	struct key_table *spare; /**< given back, empty; likewise */
	struct loop *loop;       /**< the thread's */
	struct loop_timer timer;
};

/** Make both tables. On failure nothing is counted. @return 0 or -ENOMEM */
int key_table_open(struct key_tables *t, struct loop *loop) NONNULL();
void key_table_close(struct key_tables *t) NONNULL();
/** What the thread has handed over; to be given back. @return NULL: nothing */
struct key_table *key_table_receive(struct key_tables *t) NONNULL();
/** Empty @p table and give it back to its thread. */
void key_table_give_back(struct key_tables *t, struct key_table *table) NONNULL();
/** Set the timer that hands the table over. */
void key_table_begin(struct key_tables *t) NONNULL();
/** Count a query of a key without a place; key_table_add() calls it. */
void key_table_add_other(struct key_table *t, struct key_table_key *bucket, uint64_t key,
                         uint32_t name) NONNULL();

/** The row of a name. @return NULL: there is no place */
static inline struct key_table_name *key_table_name(struct key_table *t, uint32_t name)
{
	for (uint32_t i = 0; i < KEY_TABLE_PROBES; i++) {
		struct key_table_name *row = &t->names[(name + i) & (KEY_TABLE_NAMES - 1)];

		if (row->n && row->name != name)
			continue;
		row->name = name;
		return row;
	}
	return NULL;
}

static inline void key_table_count_name(struct key_table *t, uint32_t name, uint32_t ttl_s)
{
	struct key_table_name *row = key_table_name(t, name);
	uint32_t *longest_ttl_s = row ? &row->longest_ttl_s : &t->lost_ttl_s;

	*(row ? &row->n : &t->n_lost) += 1;
	if (*longest_ttl_s < ttl_s)
		*longest_ttl_s = ttl_s;
}

/** Count an answer with @p ttl_s for dynamic name @p name (steering_name.id). */
static inline void key_table_add(struct key_table *t, const struct steering_key *client,
                                 uint32_t name, uint32_t ttl_s)
{
	struct key_table_key *bucket;
	uint64_t key, at;

	memcpy(&key, client->bytes, sizeof(key));
	at = (key ^ t->salt ^ (uint64_t)name << 20) * 0x9e3779b97f4a7c15u;
	bucket = t->keys[at >> (64 - KEY_TABLE_BUCKET_BITS)];
	t->n++;
	key_table_count_name(t, name, ttl_s);
	for (uint32_t i = 0; i < KEY_TABLE_WAYS; i++) {
		if (bucket[i].key != key || bucket[i].name != name)
			continue;
		bucket[i].n++;
		return;
	}
	key_table_add_other(t, bucket, key, name);
}

/** key_table_add() to the thread's own table, if it has one, which is handed over before long. */
static inline void key_table_count(struct key_tables *t, const struct steering_key *client,
                                   uint32_t name, uint32_t ttl_s)
{
	if (!t->own)
		return;
	key_table_add(t->own, client, name, ttl_s);
	if (t->own->n % KEY_TABLE_BEGIN_EVERY == 1 && !t->timer.heap_index)
		key_table_begin(t);
}

#endif
