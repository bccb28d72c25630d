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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/store/store.h"

struct journal;

/** An empty journal of @p node that keeps @p max events. */
MUST_CHECK struct journal *journal_new(const char *node, size_t max);
void journal_free(struct journal *j);
/**
 * Load the events of the store, once. Events noted before, while the store could not be opened, get
 * new ids behind them: an id that a client saw is never given to an earlier event. @return 0 or
 * -errno, and nothing has changed
 */
MUST_CHECK int journal_load(struct journal *j, struct store *s);
/** The store is new and empty: the next flush writes all events that are kept. */
void journal_renew(struct journal *j);
/**
 * Note an event. Texts that are too long are cut; the message ends with the whole of a cut subject.
 * @return its id
 */
uint64_t journal_add(struct journal *j, int64_t now_ms, const char *kind, const char *subject,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));
/**
 * Write the events that the store does not have; load it first if that was not possible so far.
 * @return 0 or -errno: the next call tries again
 */
int journal_flush(struct journal *j, struct store *s);
/** The newest id, 0 for none; and the oldest that is kept. */
uint64_t journal_last(const struct journal *j);
uint64_t journal_oldest(const struct journal *j);
#define JOURNAL_OFTEN                                                                              \
	5u /**< events of one thing in ten minutes: more are of one that comes and goes */
/**
 * Whether one more event of @p kind and @p subject whose message begins with @p prefix is not too much: @p most in ten
 * minutes are not, nor is one a minute. What comes again and again must not push all else out.
 */
bool journal_has_room(const struct journal *j, int64_t now_ms, const char *kind,
                      const char *subject, const char *prefix, size_t most);
/** The event with @p id. @return NULL if it is not kept; valid until the next journal_add() */
const struct event *journal_find(const struct journal *j, uint64_t id);

#endif
