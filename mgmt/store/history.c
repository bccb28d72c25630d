/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One list, by number: each entry has a version, its mark, and its deadline here, of which any may come
 * first. Records may arrive in any order within a revision, and a mark may outlive its version. What is an
 * entry's version or mark is not there until its record has come.
 */
#include "mgmt/store/history.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/plain.h"
#include "base/sorted.h"
#include "mgmt/store/records.h"

#define HEAD      "head"
#define VERSION   "version"
#define MARK      "mark"
#define KNOWN_MAX (STORE_VERSIONS_MAX + 2 * HISTORY_PENDING_MAX)
#define RECALLED  1 /* the revision of what has no record */

static const char *mark_word(int value)
{
	static const char *const words[] = { "none", "confirmed", "ended" };

	return words[value];
}

static bool is_head_sound(const void *record)
{
	uint64_t number = ((const struct history_head *)record)->number;

	return number >= 1 && number < SHARED_NUMBER_END;
}

static bool is_mark_sound(const void *record)
{
	const struct history_mark *m = record;

	return m->mark != CHAIN_UNMARKED && clock_is_time(m->time_ms) && plain_is(m->author) &&
	       plain_is(m->reason) && plain_is(m->node) && plain_is(m->principal);
}

const struct record_kind history_head_record =
        RECORD_OF(struct history_head, "head", is_head_sound,
                  RECORD_VALUE(struct history_head, number, FIELD_U64));
const struct record_kind history_mark_record = RECORD_OF(
        struct history_mark, "mark", is_mark_sound,
        RECORD_WORD(struct history_mark, mark, mark_word, CHAIN_ENDED + 1),
        RECORD_TEXT(struct history_mark, author), RECORD_TEXT(struct history_mark, reason),
        RECORD_TEXT(struct history_mark, node), RECORD_TEXT(struct history_mark, principal),
        RECORD_VALUE(struct history_mark, time_ms, FIELD_I64));

/** What is known of a number. */
struct history_entry {
	struct version version; /* number 0: its record has not come, or is gone */
	int64_t revision;       /* of its record */
	int64_t marked_ms;      /* when it was marked, by the mark */
	/* its deadline here; number 0: none runs. It is of the change that made the version: a restored store may
	 * give its number, and the same files, to another one */
	struct pending pending;
	char change[SHARED_ID_MAX];
};
_Static_assert(SHARED_ID_MAX <= sizeof(((struct pending *)0)->digest), "an id fits");

struct version_history {
	/* [n] each, by number */
	struct chain_version links[KNOWN_MAX];
	struct history_entry entries[KNOWN_MAX];
	size_t n;
	size_t keep; /* versions, at most */
	uint64_t head;
	char node[MODEL_NAME_MAX], site[MODEL_NAME_MAX]; /* this node; "": not known */
	int64_t head_revision;                           /* 0: there is no head */
	int64_t joined_revision; /* what was there by then has no deadline here */
};

struct version_history *history_new(size_t keep)
{
	struct version_history *h = memory_must(calloc(1, sizeof(*h)));

	h->keep = keep < STORE_VERSIONS_MAX ? keep : STORE_VERSIONS_MAX;
	return h;
}

void history_join(struct version_history *h, int64_t revision)
{
	h->joined_revision = revision;
}

void history_set_here(struct version_history *h, const char *node, const char *site)
{
	snprintf(h->node, sizeof(h->node), "%s", node);
	snprintf(h->site, sizeof(h->site), "%s", site);
}

void history_free(struct version_history *h)
{
	free(h);
}

/* Where @p number is, or belongs. */
static size_t find_index(const struct version_history *h, uint64_t number)
{
	return sorted_index(&number, h->links, h->n, sizeof(*h->links), sorted_by_u64, NULL);
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

/* A deadline runs for a version that is open and has one. One without its version may be of one that comes yet. */
static void settle_deadline(struct version_history *h, size_t at)
{
	struct chain_version *link = &h->links[at];
	struct history_entry *e = &h->entries[at];
	const struct version *v = &e->version;

	if (link->mark != CHAIN_UNMARKED || (v->number && !v->confirm_within_ms) ||
	    (v->number && !pending_is_of(&e->pending, v->number, e->change)))
		e->pending = (struct pending){ 0 };
	link->due_ms = e->pending.number ? e->pending.due_ms : CHAIN_NEVER;
}

static void start_deadline(struct version_history *h, size_t at, const struct pending_clock *clock)
{
	struct history_entry *e = &h->entries[at];
	const struct version *v = &e->version;

	if (!chain_is_open(&h->links[at]) || e->pending.number || e->revision <= h->joined_revision)
		return;
	pending_start(&e->pending, v->number, e->change, v->confirm_within_ms, clock);
	h->links[at].due_ms = e->pending.due_ms;
}

/* The record of a version is gone, and what was kept of it. */
static void forget_version(struct version_history *h, size_t at)
{
	h->entries[at] = (struct history_entry){ 0 };
	h->links[at].is_known = h->links[at].is_to_confirm = false;
	h->links[at].due_ms = CHAIN_NEVER;
	drop_empty_entry(h, at);
}

static int read_version(const struct shared_record *r, uint64_t number, struct version *out,
                        char change[SHARED_ID_MAX])
{
	struct version v;
	int err = record_from_text(&version_record, r->text, &v, NULL);

	if (err)
		return err;
	if (v.number != number)
		return -EINVAL;
	err = shared_change_of(r->text, change);
	if (!err)
		*out = v;
	return err;
}

/* Let entry @p at be of version @p v, as change @p change made it at @p revision. */
static void set_version(struct version_history *h, size_t at, const struct version *v,
                        int64_t revision, const char *change, const struct pending_clock *clock)
{
	struct history_entry *e = &h->entries[at];
	bool is_new = !e->version.number;

	e->version = *v;
	e->revision = revision;
	snprintf(e->change, sizeof(e->change), "%s", change);
	h->links[at].is_known = true;
	h->links[at].is_to_confirm = v->confirm_within_ms > 0;
	settle_deadline(h, at);
	if (is_new)
		start_deadline(h, at, clock);
}

static int receive_version(struct version_history *h, uint64_t number,
                           const struct shared_record *r, const struct pending_clock *clock)
{
	char change[SHARED_ID_MAX];
	struct version v;
	size_t at;
	int err = r->text ? read_version(r, number, &v, change) : 0;

	if (!err)
		err = ensure_entry(h, number, &at);
	if (!err && r->text)
		set_version(h, at, &v, r->revision, change, clock);
	else if (!err)
		forget_version(h, at);
	return err;
}

int history_recall(struct version_history *h, const struct version *v,
                   const struct pending_clock *clock)
{
	size_t at;
	int err = version_record.is_sound(v) ? ensure_entry(h, v->number, &at) : -EBADMSG;

	if (err)
		return err;
	set_version(h, at, v, RECALLED, "", clock);
	h->head = v->number;
	h->head_revision = RECALLED;
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
	h->entries[at].marked_ms = m.time_ms;
	settle_deadline(h, at);
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

int history_check(const struct shared_record *r)
{
	uint64_t version = shared_number(VERSION, r->name), mark = shared_number(MARK, r->name);
	struct history_head head;
	struct history_mark m;
	struct version v;
	char change[SHARED_ID_MAX];
	int err = !r->text  ? 0
	          : version ? read_version(r, version, &v, change)
	          : mark    ? record_from_text(&history_mark_record, r->text, &m, NULL)
	          : !strcmp(r->name, HEAD)
	                  ? record_from_text(&history_head_record, r->text, &head, NULL)
	                  : 0;

	return err == -EINVAL ? -EBADMSG : err;
}

void history_clear(struct version_history *h)
{
	h->head = 0;
	h->head_revision = 0;
	for (size_t at = h->n; at-- > 0;) {
		struct history_entry *e = &h->entries[at];

		h->links[at] = (struct chain_version){ .number = h->links[at].number,
			                               .due_ms = h->links[at].due_ms };
		if (!e->version.number) /* the last list did not have it either */
			e->pending = (struct pending){ 0 };
		e->version = (struct version){ 0 };
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

size_t history_drop_ended(const struct version_history *h, uint64_t head, struct version *list,
                          size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		enum chain_mark mark = CHAIN_UNMARKED;

		(void)history_version(h, list[i].number, &mark);
		if (mark != CHAIN_ENDED || list[i].number == head)
			list[kept++] = list[i];
	}
	return kept;
}

const struct version *history_after(const struct version_history *h, uint64_t number)
{
	for (size_t at = find_index(h, number + 1); at < h->n; at++)
		if (h->entries[at].version.number)
			return &h->entries[at].version;
	return NULL;
}

bool history_waits(const struct version_history *h, uint64_t number)
{
	size_t at = find_index(h, number);

	return is_at(h, at, number) && h->links[at].is_known && chain_is_open(&h->links[at]);
}

bool history_is_whole(const struct version_history *h)
{
	const struct version *head = history_head(h), *final = history_final(h);

	return !h->head ||
	       (head && (!history_waits(h, head->number) || final->number < head->number));
}

const struct version *history_head(const struct version_history *h)
{
	return history_version(h, h->head, NULL);
}

const struct version *history_standing(const struct version_history *h, int64_t now_ms)
{
	const struct version_chain c = chain_of(h);
	const struct chain_version *link = chain_in_force(&c, now_ms);

	return link ? history_version(h, link->number, NULL) : NULL;
}

const struct version *history_in_force_at(const struct version_history *h, const char *node,
                                          const char *site, int64_t now_ms)
{
	const struct version *v = history_standing(h, now_ms);

	return !v || canary_covers(v->canary, node, site) ||
	                       !chain_is_open(&h->links[find_index(h, v->number)])
	               ? v
	               : history_final(h);
}

const struct version *history_in_force(const struct version_history *h, int64_t now_ms)
{
	return history_in_force_at(h, h->node, h->site, now_ms);
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

/*
 * The newest version that cannot end: what is older is never in force again. @param confirmed  one that is confirmed with
 * the change
 */
static uint64_t newest_final(const struct version_history *h, uint64_t confirmed)
{
	uint64_t first = 0;

	for (size_t at = h->n; at-- > 0;) {
		const struct chain_version *link = &h->links[at];

		if (!link->is_known || link->number > h->head)
			continue;
		if (link->number == confirmed || !link->is_to_confirm ||
		    link->mark == CHAIN_CONFIRMED)
			return link->number;
		first = link->number; /* the oldest stays in any case (chain.h) */
	}
	return first;
}

bool history_is_final(const struct version_history *h, uint64_t number, const char *digest)
{
	enum chain_mark mark;
	const struct version *v = history_version(h, number, &mark);

	if (!v || number > h->head || mark == CHAIN_ENDED || strcmp(v->digest, digest) != 0)
		return false;
	/* what is below and has not ended was confirmed with another one, or before it */
	return !v->confirm_within_ms || mark == CHAIN_CONFIRMED || number < newest_final(h, 0);
}

const struct version *history_final(const struct version_history *h)
{
	return history_head(h) ? history_version(h, newest_final(h, 0), NULL) : NULL;
}

/* From when on version number @p at is in force here; INT64_MAX: it is not, or not yet. */
static int64_t begin_ms(const struct version_history *h, size_t at, int64_t ahead_ms)
{
	const struct history_entry *e = &h->entries[at];

	return canary_covers(e->version.canary, h->node, h->site) || !e->version.confirm_within_ms
	               ? e->version.effective_ms
	       : h->links[at].mark == CHAIN_CONFIRMED ? e->marked_ms + ahead_ms
	                                              : INT64_MAX;
}

/* Whether version number @p at is in force at @p time_ms unless a newer one is; the oldest that is known always is. */
static bool is_standing_at(const struct version_history *h, size_t at, int64_t time_ms,
                           int64_t ahead_ms)
{
	const struct history_entry *e = &h->entries[at];

	return e->version.number && e->version.number <= h->head &&
	       begin_ms(h, at, ahead_ms) <= time_ms &&
	       !(h->links[at].mark == CHAIN_ENDED && e->version.confirm_within_ms &&
	         e->marked_ms + ahead_ms <= time_ms);
}

static uint64_t in_force_at(const struct version_history *h, int64_t time_ms, int64_t ahead_ms)
{
	size_t at = h->n;

	while (at-- > 0)
		if (is_standing_at(h, at, time_ms, ahead_ms))
			return h->links[at].number;
	return 0;
}

/* The last instant before @p before_ms at which a version began or ended; INT64_MIN: there is none. */
static int64_t instant_before(const struct version_history *h, int64_t before_ms, int64_t ahead_ms)
{
	int64_t last_ms = INT64_MIN;

	for (size_t at = 0; at < h->n; at++) {
		const struct history_entry *e = &h->entries[at];
		int64_t from_ms = begin_ms(h, at, ahead_ms), end_ms = e->marked_ms + ahead_ms;

		if (!e->version.number || e->version.number > h->head)
			continue;
		if (from_ms < before_ms && from_ms > last_ms)
			last_ms = from_ms;
		if (h->links[at].mark == CHAIN_ENDED && end_ms < before_ms && end_ms > last_ms)
			last_ms = end_ms;
	}
	return last_ms;
}

size_t history_periods(const struct version_history *h, int64_t ahead_ms,
                       struct history_period *out, size_t max)
{
	int64_t at_ms = instant_before(h, INT64_MAX, ahead_ms);
	size_t n = 0;

	/* backwards: an instant at which nothing changes belongs to the period that it is in */
	for (; at_ms > INT64_MIN; at_ms = instant_before(h, at_ms, ahead_ms)) {
		uint64_t number = in_force_at(h, at_ms, ahead_ms);

		if (number && n && out[n - 1].number == number)
			out[n - 1].since_ms = at_ms;
		else if (n == max)
			break;
		else if (number)
			out[n++] = (struct history_period){ number, at_ms };
	}
	for (size_t i = 0; i < n / 2; i++) {
		struct history_period last = out[n - 1 - i];

		out[n - 1 - i] = out[i];
		out[i] = last;
	}
	return n;
}

size_t history_pending(const struct version_history *h, const struct pending_clock *clock,
                       struct pending out[HISTORY_PENDING_MAX])
{
	uint64_t final = newest_final(h, 0);
	size_t n = 0;

	for (size_t at = h->n; at-- > 0 && n < HISTORY_PENDING_MAX;) {
		if (!h->entries[at].pending.number || h->links[at].number < final)
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

static bool has_records(const struct version_history *h, size_t at)
{
	return h->links[at].is_known || h->links[at].mark != CHAIN_UNMARKED;
}

/*
 * Let the oldest go that can never be in force again, until with a new one no more than h->keep are there, or the change
 * is full.
 * @return 0; -ENOSPC: there are too many, and none can go
 */
static int remove_oldest(const struct version_history *h, uint64_t final, struct shared_change *c)
{
	size_t n = 1, removed = 0;

	for (size_t at = 0; at < h->n; at++)
		n += has_records(h, at);
	for (size_t at = 0; at < h->n && n > h->keep && c->n_puts + 2 <= SHARED_CHANGE_MAX; at++) {
		const struct chain_version *link = &h->links[at];
		char name[SHARED_NAME_MAX];

		if (!has_records(h, at) || link->number == final ||
		    (link->number > final && link->is_known && link->mark != CHAIN_ENDED))
			continue;
		shared_change_remove(c, shared_numbered(VERSION, link->number, name));
		shared_change_remove(c, shared_numbered(MARK, link->number, name));
		n--;
		removed++;
	}
	return n > h->keep && !removed ? -ENOSPC : 0;
}

/* Whether no record is known of @p number; a deadline may be left of a version that is gone. */
static bool is_free(const struct version_history *h, uint64_t number)
{
	size_t at = find_index(h, number);

	return !is_at(h, at, number) || !has_records(h, at);
}

int history_apply(const struct version_history *h, int64_t now_ms, enum history_open open,
                  const struct history_mark *mark, struct version *v, struct shared_change *c)
{
	const struct version *from = history_standing(h, now_ms);
	struct history_head head = { v->number > h->head ? v->number : h->head + 1 };
	int64_t left_ms;
	bool is_open = history_is_open(h, now_ms, &left_ms);
	char name[SHARED_NAME_MAX];

	if ((h->head && !from) || !is_free(h, head.number))
		return -EBADMSG;
	if (history_overdue(h, now_ms))
		return -EAGAIN;
	if (is_open && (open == HISTORY_REFUSE || *from->canary || *v->canary ||
	                (open == HISTORY_JOIN && !v->confirm_within_ms)))
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
	int err = remove_oldest(
	        h, newest_final(h, is_open && open == HISTORY_CONFIRM ? from->number : 0), c);

	return c->err ? c->err : err;
}

/*
 * Let @p c mark the open versions from @p newest on as ended: those that they joined end with them.
 * @return how many there are; it marks HISTORY_BACK_MAX of them at most
 */
static size_t put_ends(const struct version_history *h, uint64_t newest,
                       const struct history_mark *mark, struct shared_change *c)
{
	const struct version *final = history_final(h);
	char name[SHARED_NAME_MAX];
	size_t n = 0;

	for (size_t at = h->n; final && at-- > 0;) {
		const struct chain_version *link = &h->links[at];

		if (!link->is_known || link->number > newest || link->number <= final->number ||
		    !chain_is_open(link) || n++ >= HISTORY_BACK_MAX)
			continue;
		shared_change_see(c, shared_numbered(VERSION, link->number, name),
		                  h->entries[at].revision);
		see_unmarked(c, link->number);
		put_mark(c, link->number, mark);
	}
	return n;
}

int history_go_back(const struct version_history *h, const struct history_mark *mark,
                    struct shared_change *c)
{
	shared_change_see(c, HEAD, h->head_revision);
	return put_ends(h, h->head, mark, c) ? c->err : -EALREADY;
}

int history_decide(const struct version_history *h, int64_t now_ms, uint64_t number,
                   const struct history_mark *mark, struct shared_change *c)
{
	const struct version *standing = history_standing(h, now_ms);
	size_t at = find_index(h, number);
	char name[SHARED_NAME_MAX];

	if (!history_version(h, number, NULL))
		return -ENOENT;
	if (!chain_is_open(&h->links[at]))
		return -EALREADY;
	if (mark->mark == CHAIN_CONFIRMED && (!standing || standing->number != number))
		return -EBUSY;
	if (mark->mark == CHAIN_ENDED)
		shared_change_see(c, HEAD, h->head_revision);
	shared_change_see(c, shared_numbered(VERSION, number, name), h->entries[at].revision);
	see_unmarked(c, number);
	put_mark(c, number, mark);
	if (mark->mark == CHAIN_ENDED)
		(void)put_ends(h, number - 1, mark, c); /* more than fit are to be ended next */
	return c->err;
}
