/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of sources is a set-associative cache: a flood from many sources pushes out what is
 * known of others that have no connection now, never one that has.
 */
#include "mgmt/http/limit.h"

#include <string.h>

static void refill_tokens(struct http_tokens *t, struct http_rate rate, uint64_t now_ms)
{
	uint64_t back_milli = now_ms > t->at_ms ? (now_ms - t->at_ms) * rate.a_second : 0;

	t->used_milli -= back_milli < t->used_milli ? back_milli : t->used_milli;
	t->at_ms = now_ms;
}

bool http_tokens_left(struct http_tokens *t, struct http_rate rate, uint64_t now_ms)
{
	refill_tokens(t, rate, now_ms);
	return t->used_milli + 1000 <= (uint64_t)rate.burst * 1000;
}

bool http_tokens_spend(struct http_tokens *t, struct http_rate rate, uint64_t now_ms)
{
	if (!http_tokens_left(t, rate, now_ms))
		return false;
	t->used_milli += 1000;
	return true;
}

struct addr http_source_of(const struct addr *a)
{
	struct addr key = *a;

	if (!addr_is4(a))
		memset(key.bytes + 8, 0, 8);
	return key;
}

struct http_source *http_sources_find(struct http_sources *s, const struct addr *key,
                                      uint64_t now_ms)
{
	struct http_source *bucket =
	        s->at[hash_bytes(&s->key, key->bytes, sizeof(key->bytes)) % HTTP_SOURCES_BUCKETS];
	struct http_source *best = NULL;

	for (size_t i = 0; i < HTTP_SOURCES_WAYS; i++) {
		struct http_source *at = &bucket[i];

		if (at->used && addr_equal(&at->key, key)) {
			at->active_ms = now_ms;
			return at;
		}
		if (at->n_conns == 0 &&
		    (!best || !at->used || (best->used && at->active_ms < best->active_ms)))
			best = at;
	}
	if (best)
		*best = (struct http_source){ .key = *key, .used = true, .active_ms = now_ms };
	return best;
}

bool http_budget_reserve(struct http_budget *b, bool stranger, size_t n)
{
	if (n > b->all - b->used)
		return false;
	if (stranger && n > b->strangers - b->used_by_strangers)
		return false;
	b->used += n;
	b->used_by_strangers += stranger ? n : 0;
	return true;
}

void http_budget_give(struct http_budget *b, bool stranger, size_t n)
{
	b->used -= n;
	b->used_by_strangers -= stranger ? n : 0;
}
