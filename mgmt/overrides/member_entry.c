/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thousand entries meet ten thousand members: entries are sorted by name and by address, and the members are walked once.
 */
#include "mgmt/overrides/member_entry.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/sorted.h"
#include "mgmt/overrides/override_index.h"

#define ARENA_MAX              ((size_t)64 << 20) /* bytes: a pool with all members */
#define OUTCOME_TEXT(id, word) word,

const char *member_outcome_text(int outcome)
{
	static const char *const texts[] = { MEMBER_OUTCOMES(OUTCOME_TEXT) };

	return texts[outcome];
}

/* Entries while they are judged: in the order of their names, and those that put in the order of their addresses. */
struct entry_judging {
	const struct member_judging *by;
	struct member_entry *list;
	size_t n;
	struct member_entry **by_id, **by_address;
	size_t n_puts;
	size_t n_alive;              /* backends that the pool will have */
	struct arena *arena;         /* of composed; NULL: it is not needed */
	struct member_pool composed; /* the pool with who is not left out */
	struct member_refused *refused;
};

__attribute__((format(printf, 4, 5))) static int refuse_entry(struct entry_judging *j,
                                                              const struct member_entry *w,
                                                              enum member_refusal reason,
                                                              const char *format, ...)
{
	va_list list;

	j->refused->reason = reason;
	j->refused->i = (size_t)(w - j->list);
	va_start(list, format);
	vsnprintf(j->refused->text, sizeof(j->refused->text), format, list);
	va_end(list);
	return -EINVAL;
}

/* Equal names stay in the order of the request, so that the later entry is the one that is refused. */
static int compare_by_id(const void *a, const void *b)
{
	const struct member_entry *x = *(struct member_entry *const *)a,
	                          *y = *(struct member_entry *const *)b;
	int order = strcmp(x->id, y->id);

	return order ? order : (x > y) - (x < y);
}

static int compare_by_address(const void *a, const void *b)
{
	const struct member_entry *x = *(struct member_entry *const *)a,
	                          *y = *(struct member_entry *const *)b;
	int order = addr_compare(&x->address, &y->address);

	return order ? order : (x > y) - (x < y);
}

static int find_by_id(const void *key, const void *item)
{
	return strcmp(key, (*(struct member_entry *const *)item)->id);
}

static int find_by_address(const void *key, const void *item)
{
	return addr_compare(key, &(*(struct member_entry *const *)item)->address);
}

static int sort_entries(struct entry_judging *j)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < j->n; i++) {
		j->by_id[i] = &j->list[i];
		if (!j->list[i].leaves)
			j->by_address[j->n_puts++] = &j->list[i];
	}
	qsort(j->by_id, j->n, sizeof(*j->by_id), compare_by_id);
	qsort(j->by_address, j->n_puts, sizeof(*j->by_address), compare_by_address);
	for (size_t i = 1; i < j->n; i++)
		if (!strcmp(j->by_id[i]->id, j->by_id[i - 1]->id))
			return refuse_entry(j, j->by_id[i], MEMBER_IS_TWICE, "is given twice: %s",
			                    j->by_id[i]->id);
	for (size_t i = 1; i < j->n_puts; i++)
		if (addr_equal(&j->by_address[i]->address, &j->by_address[i - 1]->address))
			return refuse_entry(j, j->by_address[i], MEMBER_IS_TWICE,
			                    "%s is also the address of %s",
			                    addr_text(&j->by_address[i]->address, text),
			                    j->by_address[i - 1]->id);
	return 0;
}

/* @return NULL: the request has no entry of that name */
static struct member_entry *entry_of(const struct entry_judging *j, const char *id)
{
	struct member_entry **found =
	        j->n ? bsearch(id, j->by_id, j->n, sizeof(*j->by_id), find_by_id) : NULL;

	return found ? *found : NULL;
}

/* @return 0: the pool has a place for it; else as refuse_entry() */
static int refuse_unfit(struct entry_judging *j, const struct member_entry *w)
{
	const struct model_pool *pool = j->by->pool;
	const struct model_backend *other = NULL;
	char text[ADDR_TEXT_MAX];

	addr_text(&w->address, text);
	switch (member_fits(pool, w->id, &w->address, &other)) {
	case MEMBER_FITS:
		return 0;
	case MEMBER_NO_REGISTRATION:
		return refuse_entry(j, w, MEMBER_IS_INVALID, "pool %s has no registration",
		                    pool->name);
	case MEMBER_OUTSIDE:
		return refuse_entry(j, w, MEMBER_IS_INVALID,
		                    "%s is none of registration.prefixes of pool %s", text,
		                    pool->name);
	case MEMBER_NAME_IN_USE:
		return refuse_entry(j, w, MEMBER_IS_IN_USE,
		                    "the configuration has a backend %s in pool %s", w->id,
		                    pool->name);
	case MEMBER_ADDRESS_IN_USE:
		break;
	}
	return refuse_entry(j, w, MEMBER_IS_IN_USE,
	                    "%s is the address of backend %s of the configuration", text,
	                    other ? other->name : "?");
}

/* No earlier set of members has a claim on its flows any more. */
static bool is_gone(const struct entry_judging *j, const struct member *m)
{
	return j->by->now_ms >= member_gone_ms(m);
}

/*
 * Whether a member is a backend, and not left out for others. Its place among all is found out only where it may have none: where
 * two have one address, or more are there than max_backends. That takes registrations at several nodes at one moment, or a new
 * version. @return 1 or 0, or -ENOMEM
 */
static int is_backend(struct entry_judging *j, const char *id)
{
	if (!j->arena) {
		j->arena = arena_new(ARENA_MAX);
		if (!j->arena || member_pool_make(j->by->pool, j->by->members, j->by->now_ms,
		                                  j->arena, &j->composed))
			return -ENOMEM;
	}
	return model_backend(&j->composed.pool, id) != NULL;
}

/* Whether who has the address of @p w is left out, and @p w is not: so it keeps what it has. @return as is_backend() */
static int keeps_address(struct entry_judging *j, const struct member_entry *w)
{
	const struct member *was = members_find(j->by->members, j->by->pool->name, w->id);

	if (!was || was->left_ms || !addr_equal(&was->address.addr, &w->address))
		return 0;
	return is_backend(j, w->id);
}

/* Another member has the address of @p w: one that leaves gives it away, with its past, as a backend is its address. */
static int meet_holder(struct entry_judging *j, struct member_entry *w, const struct member *holder)
{
	const struct member_entry *of_holder = entry_of(j, holder->id);
	char text[ADDR_TEXT_MAX];

	if (!holder->left_ms && !is_gone(j, holder))
		return refuse_entry(
		        j, w, MEMBER_IS_IN_USE, "%s is the address of member %s%s",
		        addr_text(&w->address, text), holder->id,
		        of_holder && of_holder->leaves
		                ? ", which is to leave first: delete it, then put this one"
		                : "");
	snprintf(w->replaced, sizeof(w->replaced), "%s", holder->id);
	w->replaced_revision = holder->revision;
	memcpy(w->member.from_ms, holder->from_ms, sizeof(holder->from_ms));
	memcpy(w->member.weights, holder->weights, sizeof(holder->weights));
	w->member.n_from = holder->n_from;
	w->member.n_weights = holder->n_weights;
	w->member.since_ms = holder->since_ms;
	w->member.left_ms = holder->left_ms;
	w->member.gone_ms = holder->gone_ms;
	j->n_alive -= !is_gone(j, holder);
	return 0;
}

/* Once over the pool's members: who has which address, and how many are there. */
static int walk_members(struct entry_judging *j)
{
	size_t first, n = members_of(j->by->members, j->by->pool->name, &first);
	int err = 0;

	for (size_t i = 0; !err && i < n; i++) {
		const struct member *m = j->by->members->items[first + i];
		struct member_entry **found =
		        j->n_puts ? bsearch(&m->address.addr, j->by_address, j->n_puts,
		                            sizeof(*j->by_address), find_by_address)
		                  : NULL;

		j->n_alive += !is_gone(j, m);
		if (!found || !strcmp((*found)->id, m->id))
			continue;
		int keeps = keeps_address(j, *found);

		err = keeps < 0 ? keeps : keeps ? 0 : meet_holder(j, *found, m);
	}
	return err;
}

/* What each put says; instants and weights are not of these, as they are the past. */
static void fill_member(const struct entry_judging *j, const struct member_entry *w,
                        struct member *m)
{
	snprintf(m->pool, sizeof(m->pool), "%s", j->by->pool->name);
	snprintf(m->id, sizeof(m->id), "%s", w->id);
	m->address =
	        (struct prefix){ .addr = w->address, .bits = addr_is4(&w->address) ? 32 : 128 };
	m->ttl_s = w->ttl_s;
	snprintf(m->labels, sizeof(m->labels), "%s", w->labels);
	snprintf(m->principal, sizeof(m->principal), "%s", j->by->principal);
}

/* One that has the past of who had its address before (meet_holder()) comes back with it. */
static void judge_new(struct entry_judging *j, struct member_entry *w)
{
	struct member *m = &w->member;
	bool comes_back = m->n_from > 0;

	fill_member(j, w, m);
	if (comes_back) {
		member_stay(m, w->weight, j->by->at_ms);
	} else {
		m->since_ms = j->by->at_ms;
		member_set_weight(m, w->weight, j->by->at_ms);
	}
	j->n_alive++;
	w->outcome = MEMBER_JOINS;
	w->writes = true;
}

/*
 * A put of what is so already is a renewal and writes nothing, so that programs may renew by the thousand. But a member without a
 * record, of which the document alone tells, gets one.
 */
static int judge_put(struct entry_judging *j, struct member_entry *w, const struct member *was)
{
	char text[ADDR_TEXT_MAX];

	if (refuse_unfit(j, w))
		return -EINVAL;
	if (was && is_gone(j, was)) {
		int64_t revision = was->revision;

		judge_new(j, w);
		w->member.revision = revision;
		return 0;
	}
	if (!was) {
		judge_new(j, w);
		return 0;
	}
	if (!addr_equal(&was->address.addr, &w->address))
		return refuse_entry(j, w, MEMBER_IS_IN_USE,
		                    "member %s has the address %s%s: give this one another name",
		                    w->id, addr_text(&was->address.addr, text),
		                    was->left_ms ? " until it is gone" : "");
	w->member = *was;
	bool is_same = !was->left_ms && member_weight(was) == w->weight && was->ttl_s == w->ttl_s &&
	               !strcmp(was->labels, w->labels);

	w->outcome = is_same ? MEMBER_RENEWED : was->left_ms ? MEMBER_JOINS : MEMBER_CHANGES;
	w->writes = !is_same || !was->revision;
	if (!w->writes)
		return 0;
	fill_member(j, w, &w->member);
	if (was->left_ms)
		member_stay(&w->member, w->weight, j->by->at_ms);
	else if (member_weight(was) != w->weight)
		member_set_weight(&w->member, w->weight, j->by->at_ms);
	return 0;
}

/* Who leaves already keeps its time: a delete that is repeated does not put it off. */
static void judge_leave(const struct entry_judging *j, struct member_entry *w,
                        const struct member *was)
{
	w->outcome = !was || was->left_ms ? MEMBER_ABSENT : MEMBER_LEAVES;
	if (was)
		w->member = *was;
	w->writes = w->outcome == MEMBER_LEAVES;
	if (w->writes) {
		member_leave(&w->member, j->by->at_ms, j->by->pool->settle_ms);
		snprintf(w->member.principal, sizeof(w->member.principal), "%s", j->by->principal);
	}
}

/* max_backends may leave out a member that is put again. */
static int refuse_left_out(struct entry_judging *j, const struct member_entry *w,
                           const struct member *was)
{
	const struct model_pool *pool = j->by->pool;

	if (w->leaves || !was || was->left_ms || j->n_alive <= pool->max_backends)
		return 0;
	int is_one = is_backend(j, w->id);

	if (is_one)
		return is_one < 0 ? is_one : 0;
	return refuse_entry(j, w, MEMBER_IS_TOO_MUCH,
	                    "pool %s has max_backends %u, and member %s came later: it is left out",
	                    pool->name, pool->max_backends, w->id);
}

/* In the order of the request, so that the first entry that is one too many is named. */
static int judge_all(struct entry_judging *j)
{
	size_t n_new = 0;
	int err = sort_entries(j);

	j->n_alive = j->by->pool->n_backends;
	if (!err)
		err = walk_members(j);
	for (size_t i = 0; !err && i < j->n; i++) {
		struct member_entry *w = &j->list[i];
		const struct member *was = members_find(j->by->members, j->by->pool->name, w->id);

		if (w->leaves)
			judge_leave(j, w, was);
		else
			err = judge_put(j, w, was);
		if (!err)
			err = refuse_left_out(j, w, was);
		n_new += !err && w->writes && !was && !*w->replaced;
		if (!err && w->outcome == MEMBER_JOINS && !w->leaves &&
		    j->n_alive > j->by->pool->max_backends)
			err = refuse_entry(j, w, MEMBER_IS_TOO_MUCH,
			                   "pool %s has max_backends %u, those that leave included",
			                   j->by->pool->name, j->by->pool->max_backends);
		else if (!err && n_new && j->by->members->n + n_new > MEMBERS_KNOWN_MAX)
			err = refuse_entry(j, w, MEMBER_IS_TOO_MUCH,
			                   "there are %u members, the most of all pools",
			                   MEMBERS_KNOWN_MAX);
	}
	return err;
}

int member_entries_judge(const struct member_judging *by, struct member_entry *list, size_t n,
                         struct member_refused *refused)
{
	struct entry_judging j = { .by = by, .list = list, .n = n, .refused = refused };

	for (size_t i = 0; i < n; i++) {
		list[i].member = (struct member){ .n_from = 0 };
		list[i].replaced[0] = '\0';
		list[i].writes = false;
	}
	j.by_id = calloc(n + 1, sizeof(*j.by_id));
	j.by_address = calloc(n + 1, sizeof(*j.by_address));
	int err = j.by_id && j.by_address ? judge_all(&j) : -ENOMEM;

	free(j.by_id);
	free(j.by_address);
	arena_free(j.arena);
	return err;
}

bool member_entry_drains(const struct member_entry *w)
{
	return w->leaves || !w->weight;
}

int member_entries_guard(const struct model_pool *pool, const struct overrides *overrides,
                         const bool *drained, const struct member_entry *list, size_t n,
                         const struct guard_observed *seen, int64_t now_ms, struct guard_result *r)
{
	bool *leaves = calloc(pool->n_backends + 1, sizeof(*leaves));
	size_t n_more = 0, n_removed = 0;
	int err = leaves ? 0 : -ENOMEM;

	r->n_verdicts = 0;
	if (leaves && drained)
		memcpy(leaves, drained, pool->n_backends * sizeof(*leaves));
	for (size_t i = 0; leaves && i < n; i++) {
		const struct model_backend *b = model_backend(pool, list[i].id);
		size_t at = b ? (size_t)(b - pool->backends) : 0;
		bool has_flows = b && b->weight > 0 && !leaves[at];

		if (b && b->registered && member_entry_drains(&list[i])) {
			leaves[at] = true;
			n_removed += has_flows;
		} else if (!member_entry_drains(&list[i]) && !has_flows) {
			n_more++;
		}
	}
	if (n_removed)
		err = guard_check_backends(pool, overrides, leaves, n_more, seen, now_ms, r);
	free(leaves);
	return err;
}
