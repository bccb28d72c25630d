/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ring of events of fixed size: event i is at i % max, so nothing is allocated after the start.
 * `stored` is the last id that the store has; a flush hands over the rest, from the ring itself: in one
 * transaction, as each waits for the disk several times, or in two where the ring ends. A store that
 * is opened late has ids of its own: events noted before then get new ids behind them.
 */
#include "base/memory.h"
#include "mgmt/store/journal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FREQUENT_MS 600000 /* of events that are alike within that, those beyond some are */
#define APART_MS    60000  /* apart so much at least */

struct journal {
	char node[MODEL_NAME_MAX];
	size_t max;
	uint64_t last, oldest; /* ids; event i is at i % max */
	uint64_t stored;       /* the store has all up to this */
	bool is_loaded;        /* ids follow on those in the store */
	struct event *ring;
};

struct journal *journal_new(const char *node, size_t max)
{
	struct journal *j = MEMORY_NEW(struct journal);

	j->ring = memory_must(calloc(max, sizeof(*j->ring)));
	j->max = max;
	j->oldest = 1;
	snprintf(j->node, sizeof(j->node), "%s", node);
	return j;
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	free(j->ring);
	free(j);
}

static void put_event(struct journal *j, const struct event *e)
{
	j->ring[e->id % j->max] = *e;
	j->last = e->id;
	if (j->last >= j->oldest + j->max)
		j->oldest = j->last - j->max + 1;
}

/*
 * Fill the new @p ring: first the @p n events of the store, then those noted before, with new ids.
 */
static void merge_stored_events(struct journal *j, struct event *ring, const struct event *events,
                                size_t n)
{
	struct event *noted = j->ring;
	uint64_t first = j->oldest, end = j->last + 1;

	j->ring = ring;
	j->last = 0;
	j->oldest = 1;
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || events[i].id != j->last + 1)
			j->oldest = events[i].id; /* after a gap: what is before it is lost */
		put_event(j, &events[i]);
	}
	j->stored = j->last;
	uint64_t next = first > j->last ? first : j->last + 1; /* no id becomes smaller */
	if (first < end && next > j->last + 1)
		j->oldest = next;
	for (uint64_t id = first; id < end; id++) {
		struct event e = noted[id % j->max];

		e.id = next++;
		put_event(j, &e);
	}
	free(noted);
}

int journal_load(struct journal *j, struct store *s)
{
	if (j->is_loaded)
		return 0;
	struct event *events = calloc(j->max, sizeof(*events));
	struct event *ring = calloc(j->max, sizeof(*ring));
	int n = events && ring ? store_events(s, events, j->max) : -ENOMEM;

	if (n < 0) {
		free(ring);
	} else {
		merge_stored_events(j, ring, events, (size_t)n);
		j->is_loaded = true;
	}
	free(events);
	return n < 0 ? n : 0;
}

void journal_renew(struct journal *j)
{
	j->stored = j->oldest - 1;
	j->is_loaded = true;
}

/* A subject that is too long is cut; the message then ends with all of it. */
static void set_subject(struct event *e, const char *subject)
{
	size_t used = strlen(e->message);

	if (snprintf(e->subject, sizeof(e->subject), "%s", subject) >= (int)sizeof(e->subject))
		snprintf(e->message + used, sizeof(e->message) - used, "; %s", subject);
}

uint64_t journal_add(struct journal *j, int64_t now_ms, const char *kind, const char *subject,
                     const char *format, ...)
{
	struct event e = { .id = j->last + 1, .time_ms = now_ms };
	va_list list;

	snprintf(e.kind, sizeof(e.kind), "%s", kind);
	snprintf(e.node, sizeof(e.node), "%s", j->node);
	va_start(list, format);
	vsnprintf(e.message, sizeof(e.message), format, list);
	va_end(list);
	set_subject(&e, subject);
	put_event(j, &e);
	return e.id;
}

int journal_flush(struct journal *j, struct store *s)
{
	int err = journal_load(j, s);

	if (j->stored + 1 < j->oldest)
		j->stored = j->oldest - 1;
	while (!err && j->stored < j->last) {
		size_t first = (j->stored + 1) % j->max, n = j->last - j->stored;

		n = n < j->max - first ? n : j->max - first;
		err = store_put_events(s, &j->ring[first], n);
		if (!err)
			j->stored += n;
	}
	return err;
}

uint64_t journal_last(const struct journal *j)
{
	return j->last;
}

uint64_t journal_oldest(const struct journal *j)
{
	return j->oldest;
}

const struct event *journal_find(const struct journal *j, uint64_t id)
{
	if (id < j->oldest || id > j->last)
		return NULL;
	return &j->ring[id % j->max];
}

bool journal_has_room(const struct journal *j, int64_t now_ms, const char *kind,
                      const char *subject, const char *prefix, size_t most)
{
	size_t n = 0;
	bool just_now = false;

	for (uint64_t id = j->last; id >= j->oldest && !(just_now && n >= most); id--) {
		const struct event *e = &j->ring[id % j->max];
		int64_t ago_ms = now_ms - e->time_ms; /* < 0: the clock was wrong then */

		if (ago_ms < 0 || ago_ms >= FREQUENT_MS || strcmp(e->kind, kind) != 0 ||
		    strcmp(e->subject, subject) != 0 ||
		    strncmp(e->message, prefix, strlen(prefix)) != 0)
			continue;
		n++;
		just_now |= ago_ms < APART_MS;
	}
	return !just_now || n < most;
}
