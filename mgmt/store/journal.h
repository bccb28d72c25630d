/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The journal: the last events in memory, numbered without gaps, handed to the store
 * in batches. With the store failing it goes on from memory.
 *
 * Implemented in mgmt/store/journal.c. One thread at a time (under the intent's lock).
 */
#ifndef WEIR_MGMT_STORE_JOURNAL_H
#define WEIR_MGMT_STORE_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "mgmt/store/store.h"

struct journal;

/** An empty journal of @p node that keeps @p max events. @return NULL when out of memory */
struct journal *journal_new(const char *node, size_t max);
void journal_free(struct journal *j);
/**
 * Start from what the store has kept, once. What was noted before, while the store could not be opened, follows
 * under new ids: an id that somebody saw is never given to an earlier event. @return 0 or -errno, and nothing has changed
 */
int journal_load(struct journal *j, struct store *s);
/** The store is new and empty: all that is kept goes to it with the next flush. */
void journal_renew(struct journal *j);
/** Note an event; texts that are too long are cut, a cut subject stands whole at the message's end. @return its id */
uint64_t journal_add(struct journal *j, int64_t now_ms, const char *kind, const char *subject,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));
/** Hand what the store does not have to it; loads it before if that was not possible so far. @return 0 or -errno: tried again with the next */
int journal_flush(struct journal *j, struct store *s);
/** The newest id, 0 for none; and the oldest that is kept. */
uint64_t journal_last(const struct journal *j);
uint64_t journal_oldest(const struct journal *j);
/** The event with @p id. @return NULL if it is not kept; valid until the next journal_add() */
const struct event *journal_find(const struct journal *j, uint64_t id);

#endif
