/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each target member meets the one of its name, and the one of its address:
 *
 * | of the name | the target one is |
 * |---|---|
 * | none | put |
 * | the source's, with the same address | put where it differs or leaves, else renewed |
 * | the source's, with another address | blocked, and the one that is there leaves |
 * | leaves, with another address | blocked |
 * | another's | an error; blocked while that one leaves |
 *
 * | of the address | |
 * |---|---|
 * | leaves already, or is the source's and is to leave | put behind it: the address goes over |
 * | another's | an error |
 *
 * What is put comes before what leaves, so that a pool whose members are all exchanged is never without.
 */
#include "mgmt/cli/members/difference.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* A comparison under way. */
struct comparing {
	const struct list_members *target;
	const struct difference_present *present;
	const char *source;
	const struct difference_pool *pool;
	struct list_errors *errors;
	struct member_entry **by_address; /* those present */
	bool *is_own;                     /* of those present: the source's */
	size_t n_others;                  /* that stay, which are not */
	struct difference out;
};

static void add_step(struct comparing *c, enum difference_kind kind, const struct member_entry *m)
{
	c->out.steps[c->out.n++] = (struct difference_step){ kind, m };
	c->out.of_kind[kind]++;
}

static size_t index_of(const struct comparing *c, const struct member_entry *m)
{
	return (size_t)(m - c->present->members.items);
}

/* Whether one that is there will leave by this list, or does. */
static bool is_leaving(const struct comparing *c, const struct member_entry *m)
{
	size_t i = index_of(c, m);
	const struct member_entry *w = list_find(c->target, m->id);

	return c->present->leaves[i] ||
	       (c->is_own[i] && (!w || !addr_equal(&w->address, &m->address)));
}

static int compare_addresses(const void *a, const void *b)
{
	return addr_compare(&(*(struct member_entry *const *)a)->address,
	                    &(*(struct member_entry *const *)b)->address);
}

static int is_address_of(const void *key, const void *item)
{
	return addr_compare(key, &(*(struct member_entry *const *)item)->address);
}

/* Another member that has the address; of several, since one may have left, one that does not leave. NULL: nobody */
static const struct member_entry *find_holder(const struct comparing *c,
                                              const struct member_entry *w)
{
	size_t n = c->present->members.n;
	struct member_entry **at =
	        n ? bsearch(&w->address, c->by_address, n, sizeof(*c->by_address), is_address_of)
	          : NULL;
	const struct member_entry *found = NULL;

	if (!at)
		return NULL;
	while (at > c->by_address && addr_equal(&at[-1]->address, &w->address))
		at--;
	for (; at < c->by_address + n && addr_equal(&(*at)->address, &w->address); at++)
		if (strcmp((*at)->id, w->id) != 0 && (!found || !is_leaving(c, *at)))
			found = *at;
	return found;
}

static bool is_within(const struct difference_pool *p, const struct addr *address)
{
	for (size_t i = 0; i < p->n; i++)
		if (prefix_has(&p->prefixes[i], address))
			return true;
	return !p->n;
}

static bool is_equal(const struct member_entry *w, const struct member_entry *m)
{
	return w->weight == m->weight && w->ttl_s == m->ttl_s && !strcmp(w->labels, m->labels);
}

/* What the one of its name lets become of a target member. */
static enum difference_kind meet_name(struct comparing *c, const struct member_entry *w)
{
	const struct member_entry *m = list_find(&c->present->members, w->id);

	if (!m)
		return DIFFERENCE_PUT;
	bool leaves = c->present->leaves[index_of(c, m)],
	     is_same = addr_equal(&w->address, &m->address);

	if (!c->is_own[index_of(c, m)]) {
		if (!leaves)
			list_refuse(c->errors, "%s is a backend, or a member, of others", w->id);
		return DIFFERENCE_BLOCKED;
	}
	if (!is_same) {
		if (!leaves)
			add_step(c, DIFFERENCE_LEAVE, m);
		return DIFFERENCE_BLOCKED;
	}
	return leaves || !is_equal(w, m) ? DIFFERENCE_PUT : DIFFERENCE_RENEW;
}

static void compare_target(struct comparing *c, const struct member_entry *w)
{
	const struct member_entry *holder = find_holder(c, w);
	char text[ADDR_TEXT_MAX];

	addr_text(&w->address, text);
	if (!is_within(c->pool, &w->address))
		list_refuse(c->errors, "%s: %s is in none of the pool's registration.prefixes",
		            w->id, text);
	if (holder && !is_leaving(c, holder))
		list_refuse(c->errors, "%s: %s is the address of %s, which is of others", w->id,
		            text, holder->id);
	enum difference_kind kind = meet_name(c, w);

	add_step(c, kind == DIFFERENCE_PUT && holder ? DIFFERENCE_REUSE : kind, w);
}

static int compare_steps(const void *a, const void *b)
{
	const struct difference_step *x = a, *y = b;
	int order = (x->kind > y->kind) - (x->kind < y->kind);

	return order ? order : strcmp(x->member->id, y->member->id);
}

static void open_comparing(struct comparing *c)
{
	const struct list_members *there = &c->present->members;

	c->by_address = memory_must(calloc(there->n + 1, sizeof(struct member_entry *)));
	c->is_own = memory_must(calloc(there->n + 1, sizeof(*c->is_own)));
	c->out.steps = memory_must(calloc(there->n + c->target->n + 1, sizeof(*c->out.steps)));
	for (size_t i = 0; i < there->n; i++) {
		c->by_address[i] = &there->items[i];
		c->is_own[i] = list_has_source(there->items[i].labels, c->source);
		c->out.n_had += c->is_own[i] && !c->present->leaves[i];
		c->n_others += !c->is_own[i] && !c->present->leaves[i];
	}
	qsort(c->by_address, there->n, sizeof(struct member_entry *), compare_addresses);
}

void difference_fini(struct difference *d)
{
	free(d->steps);
	*d = (struct difference){ .n = 0 };
}

bool difference_make(const struct list_members *target, const struct difference_present *present,
                     const char *source, const struct difference_pool *pool, struct difference *out,
                     struct list_errors *errors)
{
	struct comparing c = { .target = target,
		               .present = present,
		               .source = source,
		               .pool = pool,
		               .errors = errors };

	*errors = (struct list_errors){ .n = 0 };
	open_comparing(&c);
	if (pool->max_backends && target->n + c.n_others > pool->max_backends)
		list_refuse(errors, "it has %zu members and others have %zu: max_backends is %zu",
		            target->n, c.n_others, pool->max_backends);
	for (size_t i = 0; i < target->n; i++)
		compare_target(&c, &target->items[i]);
	for (size_t i = 0; i < present->members.n; i++) {
		const struct member_entry *m = &present->members.items[i];

		if (c.is_own[i] && !present->leaves[i] && !list_find(target, m->id))
			add_step(&c, DIFFERENCE_LEAVE, m);
	}
	qsort(c.out.steps, c.out.n, sizeof(*c.out.steps), compare_steps);
	free(c.by_address);
	free(c.is_own);
	if (errors->n) {
		difference_fini(&c.out);
		return false;
	}
	*out = c.out;
	return true;
}

bool difference_shrinks(const struct difference *d)
{
	return d->of_kind[DIFFERENCE_LEAVE] * 2 > d->n_had;
}
