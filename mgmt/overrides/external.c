/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sorted array of pointers, so that a change moves pointers alone. Which of two holds is a total order over all that
 * they say: nodes need no further rule to agree.
 */
#include "mgmt/overrides/external.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "mgmt/overrides/hlc.h"

#define ROOM_LEAST 64u

bool external_judges(const struct model_pool *pool)
{
	return pool->check && pool->check->type == MODEL_CHECK_EXTERNAL;
}

/* --- one verdict --- */

static bool is_sound(const void *record)
{
	const struct external *e = record;
	bool has_ttl = e->ttl_s >= MEMBER_TTL_LEAST_S && e->ttl_s <= MEMBER_TTL_MOST_S;

	return model_name_ok(e->pool) && model_name_ok(e->backend) && model_name_ok(e->node) &&
	       (e->state == HEALTH_UNKNOWN ? !e->ttl_s : has_ttl) && plain_may_give(e->reason) &&
	       plain_is(e->principal) && e->stamp && e->stamp < HLC_END &&
	       e->age_ms <= EXTERNAL_KEPT_MAX_MS && e->kept_ms <= EXTERNAL_KEPT_MAX_MS;
}

static const char *state_word(int state)
{
	return health_state_text((enum health_state)state);
}

const struct record_kind external_record = RECORD_OF(
        struct external, "verdict", is_sound, RECORD_TEXT(struct external, pool),
        RECORD_TEXT(struct external, backend),
        RECORD_WORD(struct external, state, state_word, HEALTH_DOWN + 1),
        RECORD_VALUE(struct external, ttl_s, FIELD_U32), RECORD_TEXT(struct external, reason),
        RECORD_TEXT(struct external, principal), RECORD_TEXT(struct external, node),
        RECORD_VALUE(struct external, stamp, FIELD_U64),
        RECORD_VALUE(struct external, age_ms, FIELD_U64),
        RECORD_VALUE(struct external, kept_ms, FIELD_U64));

int64_t external_end_ms(const struct external *e)
{
	return e->said_ms + (int64_t)e->ttl_s * 1000;
}

enum health_state external_state(const struct external *e, uint64_t now_ms)
{
	return e && (int64_t)now_ms < external_end_ms(e) ? e->state : HEALTH_UNKNOWN;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* What they say, without times that each node measures. */
static int compare_said(const struct external *a, const struct external *b)
{
	int order = compare_numbers(a->stamp, b->stamp);

	if (!order)
		order = compare_numbers(a->state, b->state);
	if (!order)
		order = compare_numbers(a->ttl_s, b->ttl_s);
	if (!order)
		order = strcmp(a->node, b->node);
	if (!order)
		order = strcmp(a->principal, b->principal);
	return order ? order : strcmp(a->reason, b->reason);
}

/* Whether @p a holds over @p b, of the same target. Of two that are equal neither does. */
static bool is_newer(const struct external *a, const struct external *b)
{
	return compare_said(a, b) > 0;
}

/* --- the list --- */

static int compare_targets(const struct external *e, const char *pool, const char *backend)
{
	int order = strcmp(e->pool, pool);

	return order ? order : strcmp(e->backend, backend);
}

/* Where it is, or would be. */
static size_t find_index(const struct external_list *all, const char *pool, const char *backend)
{
	size_t from = 0, to = all->n;

	while (from < to) {
		size_t at = from + (to - from) / 2;

		if (compare_targets(all->items[at], pool, backend) < 0)
			from = at + 1;
		else
			to = at;
	}
	return from;
}

static bool is_at(const struct external_list *all, size_t at, const struct external *e)
{
	return at < all->n && !compare_targets(all->items[at], e->pool, e->backend);
}

const struct external *externals_find(const struct external_list *all, const char *pool,
                                      const char *backend)
{
	size_t at = find_index(all, pool, backend);

	return at < all->n && !compare_targets(all->items[at], pool, backend) ? all->items[at]
	                                                                      : NULL;
}

static int make_room(struct external_list *all)
{
	size_t room = all->room ? 2 * all->room : ROOM_LEAST;

	if (all->n >= EXTERNALS_KNOWN_MAX)
		return -ENOSPC;
	if (all->n < all->room)
		return 0;
	struct external **items = realloc(all->items, room * sizeof(struct external *));

	if (!items)
		return -ENOMEM;
	all->items = items;
	all->room = room;
	return 0;
}

/* An empty item at @p at. */
static int insert_item(struct external_list *all, size_t at)
{
	int err = make_room(all);
	struct external *item = err ? NULL : calloc(1, sizeof(*item));

	if (err || !item)
		return err ? err : -ENOMEM;
	memmove(all->items + at + 1, all->items + at, (all->n - at) * sizeof(*all->items));
	all->items[at] = item;
	all->n++;
	return 0;
}

static int64_t later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Put @p e, with all its times, in the place of what is there. It is remembered as long as that at least. */
static int put_external(struct external_list *all, const struct external *e)
{
	size_t at = find_index(all, e->pool, e->backend);
	int64_t kept_until_ms = 0;

	if (is_at(all, at, e)) {
		kept_until_ms = all->items[at]->kept_until_ms;
	} else {
		int err = insert_item(all, at);

		if (err)
			return err;
	}
	*all->items[at] = *e;
	all->items[at]->kept_until_ms = later_of(e->kept_until_ms, kept_until_ms);
	all->items[at]->seq = ++all->seq;
	if (all->newest < e->stamp)
		all->newest = e->stamp;
	return 0;
}

int externals_say(struct external_list *all, const struct external *e, uint64_t now_ms,
                  int64_t wall_clock_ms)
{
	struct external said = *e;

	said.stamp = hlc_next(all->newest, wall_clock_ms);
	said.said_ms = (int64_t)now_ms;
	said.kept_until_ms = external_end_ms(&said) + EXTERNAL_SHOWN_MS;
	int err = put_external(all, &said);

	if (!err)
		all->own_seq = all->seq;
	return err;
}

/*
 * A verdict that is not taken: what holds is remembered as long as that. Ages only grow on their way, so of one that is known
 * the smallest is the nearest to the truth.
 */
static void note_times(struct external *known, const struct external *heard)
{
	known->kept_until_ms = later_of(known->kept_until_ms, heard->kept_until_ms);
	if (!is_newer(known, heard))
		known->said_ms = later_of(known->said_ms, heard->said_ms);
}

enum external_heard externals_hear(struct external_list *all, const struct external *e,
                                   uint64_t true_ms, uint64_t now_ms, int64_t wall_clock_ms)
{
	struct external heard = *e;
	size_t at = find_index(all, e->pool, e->backend);

	heard.said_ms = (int64_t)true_ms - (int64_t)e->age_ms;
	heard.kept_until_ms = (int64_t)(true_ms + e->kept_ms);
	if (hlc_is_ahead(e->stamp, wall_clock_ms)) {
		all->n_ahead++;
		return EXTERNAL_IS_AHEAD;
	}
	if (is_at(all, at, e) && !is_newer(e, all->items[at])) {
		note_times(all->items[at], &heard);
		return EXTERNAL_NOT_NEWER;
	}
	if (!is_at(all, at, e) && heard.kept_until_ms <= (int64_t)now_ms)
		return EXTERNAL_IS_OVER;
	if (put_external(all, &heard)) {
		all->n_no_room++;
		return EXTERNAL_NO_ROOM;
	}
	return EXTERNAL_ACCEPTED;
}

void externals_forget(struct external_list *all, uint64_t now_ms)
{
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++) {
		if (all->items[i]->kept_until_ms > (int64_t)now_ms)
			all->items[n++] = all->items[i];
		else
			free(all->items[i]);
	}
	all->n = n;
}

static int by_seq(const void *a, const void *b)
{
	const struct external *x = *(const struct external *const *)a;
	const struct external *y = *(const struct external *const *)b;

	return compare_numbers(x->seq, y->seq);
}

size_t externals_since(const struct external_list *all, uint64_t seq, const struct external **out,
                       size_t most)
{
	const struct external **list = calloc(all->n + 1, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; list && i < all->n; i++)
		if (all->items[i]->seq > seq)
			list[n++] = all->items[i];
	if (n)
		qsort(list, n, sizeof(*list), by_seq);
	n = n < most ? n : most;
	if (n)
		memcpy(out, list, n * sizeof(*list));
	free(list);
	return n;
}

void externals_fini(struct external_list *all)
{
	for (size_t i = 0; i < all->n; i++)
		free(all->items[i]);
	free(all->items);
	*all = (struct external_list){ .epoch = all->epoch };
}
