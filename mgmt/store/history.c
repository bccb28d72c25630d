/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One list, by number: each entry has a version, its mark, and its deadline here, of which any may come
 * first. Records may arrive in any order within a revision, and a mark may outlive its version. What is an
 * entry's version or mark is not there until its record has come.
 */
#include "mgmt/store/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/plain.h"
#include "base/sorted.h"
#include "mgmt/store/records.h"

#define HEAD      "head"
#define VERSION   "version"
#define MARK      "mark"
#define KNOWN_MAX (STORE_VERSIONS_MAX + 2 * HISTORY_PENDING_MAX)

static const char *mark_word(int value)
{
	static const char *const words[] = { "none", "confirmed", "ended" };

	return words[value];
}

static bool is_head_sound(const void *record)
{
	return ((const struct history_head *)record)->number >= 1;
}

static bool is_mark_sound(const void *record)
{
	const struct history_mark *m = record;

	return m->mark != CHAIN_UNMARKED && m->time_ms >= 0 && m->time_ms < CLOCK_END_MS &&
	       plain_is(m->author) && plain_is(m->reason) && plain_is(m->node) &&
	       plain_is(m->principal);
}

static const struct field head_fields[] = {
	RECORD_VALUE(struct history_head, number, FIELD_U64),
};

static const struct field mark_fields[] = {
	RECORD_WORD(struct history_mark, mark, mark_word, CHAIN_ENDED + 1),
	RECORD_TEXT(struct history_mark, author),
	RECORD_TEXT(struct history_mark, reason),
	RECORD_TEXT(struct history_mark, node),
	RECORD_TEXT(struct history_mark, principal),
	RECORD_VALUE(struct history_mark, time_ms, FIELD_I64),
};

const struct record_kind history_head_record =
        RECORD_OF(struct history_head, "head", head_fields, is_head_sound);
const struct record_kind history_mark_record =
        RECORD_OF(struct history_mark, "mark", mark_fields, is_mark_sound);

/** What is known of a number. */
struct history_entry {
	struct version version; /* number 0: its record has not come, or is gone */
	struct pending pending; /* number 0: no deadline runs here */
};

struct version_history {
	/* [n] each, by number */
	struct chain_version links[KNOWN_MAX];
	struct history_entry entries[KNOWN_MAX];
	size_t n;
	uint64_t head;
	int64_t head_revision; /* 0: there is no head */
};

struct version_history *history_new(void)
{
	return calloc(1, sizeof(struct version_history));
}

void history_free(struct version_history *h)
{
	free(h);
}

static int compare_number(const void *key, const void *item)
{
	uint64_t number = *(const uint64_t *)key, at = ((const struct chain_version *)item)->number;

	return (number > at) - (number < at);
}

/* Where @p number is, or belongs. */
static size_t find_index(const struct version_history *h, uint64_t number)
{
	return sorted_index(&number, h->links, h->n, sizeof(*h->links), compare_number, NULL);
}

static bool is_at(const struct version_history *h, size_t at, uint64_t number)
{
	return at < h->n && h->links[at].number == number;
}

/* Give back a place of which nothing is known any more. */
static void drop_empty_entry(struct version_history *h, size_t at)
{
	if (h->entries[at].version.number || h->entries[at].pending.number ||
	    h->links[at].mark != CHAIN_UNMARKED)
		return;
	h->n--;
	memmove(&h->links[at], &h->links[at + 1], (h->n - at) * sizeof(*h->links));
	memmove(&h->entries[at], &h->entries[at + 1], (h->n - at) * sizeof(*h->entries));
}

/* The place of @p number, made if it is not there. @return 0, or -EBADMSG: there are too many */
static int ensure_entry(struct version_history *h, uint64_t number, size_t *out)
{
	size_t at = find_index(h, number);

	if (!is_at(h, at, number)) {
		if (h->n == KNOWN_MAX)
			return -EBADMSG;
		memmove(&h->links[at + 1], &h->links[at], (h->n - at) * sizeof(*h->links));
		memmove(&h->entries[at + 1], &h->entries[at], (h->n - at) * sizeof(*h->entries));
		h->links[at] = (struct chain_version){ .number = number, .due_ms = CHAIN_NEVER };
		h->entries[at] = (struct history_entry){ 0 };
		h->n++;
	}
	*out = at;
	return 0;
}

/* A deadline runs for a version that is open and has one. */
static void settle_deadline(struct version_history *h, size_t at, const struct pending_clock *clock)
{
	struct chain_version *link = &h->links[at];
	struct history_entry *e = &h->entries[at];
	const struct version *v = &e->version;

	if (link->mark != CHAIN_UNMARKED || (v->number && !v->confirm_within_ms) ||
	    (v->number && !pending_is_of(&e->pending, v->number, v->digest)))
		e->pending = (struct pending){ 0 };
	if (clock && chain_is_open(link) && !e->pending.number)
		pending_start(&e->pending, v->number, v->digest, v->confirm_within_ms, clock);
	link->due_ms = e->pending.number ? e->pending.due_ms : CHAIN_NEVER;
}

static int receive_version(struct version_history *h, uint64_t number,
                           const struct shared_record *r, const struct pending_clock *clock)
{
	struct version v = { 0 };
	size_t at;
	int err = r->text ? record_from_text(&version_record, r->text, &v, NULL) : 0;

	if (!err && r->text && v.number != number)
		err = -EINVAL;
	if (!err)
		err = ensure_entry(h, number, &at);
	if (err)
		return err;
	bool is_new = !h->entries[at].version.number;

	h->entries[at].version = v;
	h->links[at].is_known = v.number != 0;
	h->links[at].is_to_confirm = v.confirm_within_ms > 0;
	settle_deadline(h, at, is_new ? clock : NULL);
	drop_empty_entry(h, at);
	return 0;
}

static int receive_mark(struct version_history *h, uint64_t number, const struct shared_record *r)
{
	struct history_mark m = { 0 };
	size_t at;
	int err = r->text ? record_from_text(&history_mark_record, r->text, &m, NULL) : 0;

	if (!err)
		err = ensure_entry(h, number, &at);
	if (err)
		return err;
	h->links[at].mark = m.mark;
	settle_deadline(h, at, NULL);
	drop_empty_entry(h, at);
	return 0;
}

static int receive_head(struct version_history *h, const struct shared_record *r)
{
	struct history_head head = { 0 };
	int err = r->text ? record_from_text(&history_head_record, r->text, &head, NULL) : 0;

	if (err)
		return err;
	h->head = head.number;
	h->head_revision = r->text ? r->revision : 0;
	return 0;
}

int history_receive(struct version_history *h, const struct shared_record *r,
                    const struct pending_clock *clock)
{
	uint64_t version = shared_number(VERSION, r->name), mark = shared_number(MARK, r->name);
	int err = version                  ? receive_version(h, version, r, clock)
	          : mark                   ? receive_mark(h, mark, r)
	          : !strcmp(r->name, HEAD) ? receive_head(h, r)
	                                   : 0;

	return err == -EINVAL ? -EBADMSG : err;
}

void history_clear(struct version_history *h)
{
	h->head = 0;
	h->head_revision = 0;
	for (size_t at = h->n; at-- > 0;) {
		h->links[at] = (struct chain_version){ .number = h->links[at].number,
			                               .due_ms = h->links[at].due_ms };
		h->entries[at].version = (struct version){ 0 };
		drop_empty_entry(h, at);
	}
}

static struct version_chain chain_of(const struct version_history *h)
{
	return (struct version_chain){ h->links, h->n, h->head };
}

const struct version *history_version(const struct version_history *h, uint64_t number,
                                      enum chain_mark *mark)
{
	size_t at = find_index(h, number);

	if (!number || !is_at(h, at, number) || !h->entries[at].version.number)
		return NULL;
	if (mark)
		*mark = h->links[at].mark;
	return &h->entries[at].version;
}

const struct version *history_head(const struct version_history *h)
{
	return history_version(h, h->head, NULL);
}

const struct version *history_in_force(const struct version_history *h, int64_t now_ms)
{
	const struct version_chain c = chain_of(h);
	const struct chain_version *link = chain_in_force(&c, now_ms);

	return link ? history_version(h, link->number, NULL) : NULL;
}

bool history_is_open(const struct version_history *h, int64_t now_ms, int64_t *left_ms)
{
	const struct version_chain c = chain_of(h);
	const struct chain_version *link = chain_in_force(&c, now_ms);

	if (!link || !chain_is_open(link))
		return false;
	*left_ms = link->due_ms == CHAIN_NEVER ? CHAIN_NEVER
	           : link->due_ms > now_ms     ? link->due_ms - now_ms
	                                       : 0;
	return true;
}

uint64_t history_overdue(const struct version_history *h, int64_t now_ms)
{
	const struct version_chain c = chain_of(h);
	const struct chain_version *link = chain_overdue(&c, now_ms);

	return link ? link->number : 0;
}

int64_t history_next_ms(const struct version_history *h, int64_t now_ms)
{
	const struct version_chain c = chain_of(h);

	return chain_next_ms(&c, now_ms);
}

size_t history_pending(const struct version_history *h, const struct pending_clock *clock,
                       struct pending out[HISTORY_PENDING_MAX])
{
	size_t n = 0;

	for (size_t at = h->n; at-- > 0 && n < HISTORY_PENDING_MAX;) {
		if (!h->entries[at].pending.number)
			continue;
		out[n] = h->entries[at].pending;
		out[n].left_ms = pending_left_ms(&out[n], clock);
		out[n++].noted_ms = clock->now_ms;
	}
	return n;
}

void history_resume(struct version_history *h, const struct pending *list, size_t n,
                    const struct pending_clock *clock)
{
	size_t at;

	for (size_t i = 0; i < n && i < HISTORY_PENDING_MAX; i++) {
		if (!list[i].number || ensure_entry(h, list[i].number, &at))
			continue;
		h->entries[at].pending = list[i];
		pending_resume(&h->entries[at].pending, clock);
		if (list[i].left_ms <=
		    0) /* it had passed: what has ended here does not come back for a moment */
			h->entries[at].pending.due_ms = clock->now_ms - CHAIN_ANSWER_MS;
		h->links[at].due_ms = h->entries[at].pending.due_ms;
	}
}

/* Let @p c write a mark of version @p number, which has none. */
static void put_mark(struct shared_change *c, uint64_t number, const struct history_mark *mark)
{
	char name[SHARED_NAME_MAX];

	shared_change_put(c, shared_numbered(MARK, number, name), &history_mark_record, mark);
}

static void see_unmarked(struct shared_change *c, uint64_t number)
{
	char name[SHARED_NAME_MAX];

	shared_change_see(c, shared_numbered(MARK, number, name), 0);
}

/* Of more than STORE_VERSIONS_MAX versions the oldest goes, unless @p in_force is it, or before it. */
static void remove_oldest(struct shared_change *c, uint64_t newest, uint64_t in_force)
{
	uint64_t oldest = newest > STORE_VERSIONS_MAX ? newest - STORE_VERSIONS_MAX : 0;
	char name[SHARED_NAME_MAX];

	if (!oldest || oldest >= in_force)
		return;
	shared_change_remove(c, shared_numbered(VERSION, oldest, name));
	shared_change_remove(c, shared_numbered(MARK, oldest, name));
}

/* Whether no record is known of @p number; a deadline may be left of a version that is gone. */
static bool is_free(const struct version_history *h, uint64_t number)
{
	size_t at = find_index(h, number);

	return !is_at(h, at, number) ||
	       (!h->links[at].is_known && h->links[at].mark == CHAIN_UNMARKED);
}

int history_apply(const struct version_history *h, int64_t now_ms, enum history_open open,
                  const struct history_mark *mark, struct version *v, struct shared_change *c)
{
	const struct version *from = history_in_force(h, now_ms);
	struct history_head head = { h->head + 1 };
	int64_t left_ms;
	bool is_open = history_is_open(h, now_ms, &left_ms);
	char name[SHARED_NAME_MAX];

	if ((h->head && !from) || !is_free(h, head.number))
		return -EBADMSG;
	if (history_overdue(h, now_ms))
		return -EAGAIN;
	if (is_open && open == HISTORY_REFUSE)
		return -EBUSY;
	v->number = head.number;
	v->base = from ? from->number : 0;
	if (!from)
		v->confirm_within_ms = 0; /* there is nothing to go back to */
	shared_change_see(c, HEAD, h->head_revision);
	shared_change_see(c, shared_numbered(VERSION, v->number, name), 0);
	if (is_open)
		see_unmarked(c, from->number);
	shared_change_put(c, name, &version_record, v);
	shared_change_put(c, HEAD, &history_head_record, &head);
	if (is_open && open == HISTORY_CONFIRM)
		put_mark(c, from->number, mark);
	remove_oldest(c, v->number, v->base);
	return c->err;
}

int history_decide(const struct version_history *h, int64_t now_ms, uint64_t number,
                   const struct history_mark *mark, struct shared_change *c)
{
	const struct version *in_force = history_in_force(h, now_ms);
	size_t at = find_index(h, number);

	if (!history_version(h, number, NULL))
		return -ENOENT;
	if (!chain_is_open(&h->links[at]))
		return -EALREADY;
	if (mark->mark == CHAIN_CONFIRMED && (!in_force || in_force->number != number))
		return -EBUSY;
	if (mark->mark == CHAIN_ENDED)
		shared_change_see(c, HEAD, h->head_revision);
	see_unmarked(c, number);
	put_mark(c, number, mark);
	return c->err;
}
