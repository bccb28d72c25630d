/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/store/chain.h"

/* How many of the list, which is sorted, are below @p number. */
static size_t count_below(const struct version_chain *c, uint64_t number)
{
	size_t low = 0, high = c->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->list[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The newest version below @p number that is known; NULL: there is none. */
static const struct chain_version *find_below(const struct version_chain *c, uint64_t number)
{
	size_t i = count_below(c, number);

	while (i > 0 && !c->list[i - 1].is_known)
		i--;
	return i ? &c->list[i - 1] : NULL;
}

bool chain_is_open(const struct chain_version *v)
{
	return v->is_to_confirm && v->mark == CHAIN_UNMARKED;
}

/* When @p v ends at this node without a mark. */
static int64_t give_up_ms(const struct chain_version *v)
{
	return v->due_ms < CHAIN_NEVER - CHAIN_ANSWER_MS ? v->due_ms + CHAIN_ANSWER_MS
	                                                 : CHAIN_NEVER;
}

static bool has_ended(const struct chain_version *v, int64_t now_ms)
{
	return v->is_to_confirm &&
	       (v->mark == CHAIN_ENDED || (chain_is_open(v) && give_up_ms(v) <= now_ms));
}

/*
 * Step from @p v to the version before it, if @p v has ended.
 * @param joined  in: the version above it has ended, so that @p v ends with it where it is open; out: the same of the one before
 * @return NULL: @p v stays
 */
static const struct chain_version *step_back(const struct version_chain *c,
                                             const struct chain_version *v, int64_t now_ms,
                                             bool *joined)
{
	*joined = has_ended(v, now_ms) || (*joined && chain_is_open(v));
	return *joined ? find_below(c, v->number) : NULL;
}

static const struct chain_version *find_head(const struct version_chain *c)
{
	const struct chain_version *v = find_below(c, c->head + 1);

	return v && v->number == c->head ? v : NULL;
}

const struct chain_version *chain_in_force(const struct version_chain *c, int64_t now_ms)
{
	const struct chain_version *v = find_head(c), *before;
	bool joined = false;

	while (v && (before = step_back(c, v, now_ms, &joined)) != NULL)
		v = before;
	return v;
}

const struct chain_version *chain_overdue(const struct version_chain *c, int64_t now_ms)
{
	bool joined = false;

	for (const struct chain_version *v = find_head(c); v; v = step_back(c, v, now_ms, &joined))
		if (chain_is_open(v) && (joined || v->due_ms <= now_ms) && find_below(c, v->number))
			return v;
	return NULL;
}
