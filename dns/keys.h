/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The window of observed keys: what all threads have handed over (key_table.h) in the last 10 minutes,
 * and its page (weir/steer_keys.h).
 *
 * Ten slots of a minute each; the oldest is cleared when a new minute begins. The table of keys is
 * bounded as a thread's is: a key that finds no place takes queries from the smallest of its bucket.
 * What no key has counts among the `others` of its name. A name of the document has a row; what
 * was asked for other names is dropped.
 *
 * Implemented in dns/keys.c; called by the main thread only.
 */
#ifndef WEIR_DNS_KEYS_H
#define WEIR_DNS_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "dns/key_table.h"
#include "weir/steer_keys.h"
#include "weir/steering.h"

struct page;

#define KEYS_SLOTS   10u
#define KEYS_SLOT_MS (STEER_KEYS_WINDOW_S / KEYS_SLOTS * 1000u)
#define KEYS_BUCKETS 1024u
#define KEYS_WAYS    8u

struct keys_row {
	uint64_t key; /**< steering_key.bytes */
	uint32_t name;
	uint32_t total; /**< of all slots; 0: free */
	uint32_t slots[KEYS_SLOTS];
};

struct keys_name {
	uint32_t name; /* first: sorted by it */
	uint32_t queries[KEYS_SLOTS], others[KEYS_SLOTS], longest_ttl_s[KEYS_SLOTS];
	uint64_t cached_until_ms;
};

/** Answers of a service that named a site: given by whoever counts them. */
typedef bool keys_answers(void *arg, size_t service, uint32_t site, uint64_t *answers);

struct keys {
	struct page *page; /**< NULL: it cannot be made; tried again */
	char path[4096];
	uint64_t started_ms, minute; /**< minute: which slot is filled, counted on */
	uint64_t tried_ms;           /**< when the page was tried last; 0: never */
	struct keys_row *rows;       /**< KEYS_BUCKETS times KEYS_WAYS; NULL: without memory */
	uint64_t salt;
	size_t n_names;
	struct keys_name *names;       /**< by id, rising */
	const struct keys_row **order; /**< room for all rows, to sort them */
};

/** Begin an empty window at @p now_ms (monotonic). @return 0, -ENOMEM (then all calls do nothing) */
int keys_open(struct keys *k, const char *run_dir, uint64_t now_ms) NONNULL();
void keys_close(struct keys *k) NONNULL();
/** From now on count for the names of @p p; names that stay keep what was counted. */
void keys_set_names(struct keys *k, const struct steering *p) NONNULL();
/** Begin another minute when it is time. */
void keys_turn(struct keys *k, uint64_t now_ms) NONNULL();
/** Add what a thread has handed over. */
void keys_add(struct keys *k, const struct key_table *t, uint64_t now_ms) NONNULL();
/**
 * Write the page, and a sign of life.
 * @param answers  called for each service and site of @p p, and once more for `no site`
 */
void keys_write(struct keys *k, const struct steering *p, keys_answers *answers, void *arg,
                uint64_t now_ms) NONNULL(1, 2, 3);

#endif
