/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An array of pointers, sorted once and searched by bisection. Equal targets keep the order of the
 * set, whose items lie in one array: their addresses decide.
 */
#include "mgmt/overrides/override_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted.h"

/* What is looked for; an override itself is large. */
struct target_key {
	enum model_target_kind kind;
	const char *pool, *name;
};

static int compare_key(const void *key, const void *item)
{
	const struct target_key *k = key;
	const struct override *o = *(const struct override *const *)item;
	int by_kind = ((int)k->kind > (int)o->target) - ((int)k->kind < (int)o->target);
	int by_pool = by_kind ? by_kind : strcmp(k->pool, o->pool);

	return by_pool ? by_pool : strcmp(k->name, o->name);
}

static int compare_items(const void *a, const void *b)
{
	const struct override *x = *(const struct override *const *)a;
	const struct override *y = *(const struct override *const *)b;
	const struct target_key key = { x->target, x->pool, x->name };
	int by_target = compare_key(&key, b);

	return by_target ? by_target : (x > y) - (x < y);
}

int override_index_init(struct override_index *index, const struct overrides *overrides)
{
	size_t n = overrides ? overrides->n_items : 0;

	*index = (struct override_index){ .n = 0 };
	if (!n)
		return 0;
	index->items = calloc(n, sizeof(*index->items));
	if (!index->items)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		index->items[i] = &overrides->items[i];
	qsort(index->items, n, sizeof(*index->items), compare_items);
	index->n = n;
	return 0;
}

void override_index_fini(struct override_index *index)
{
	free(index->items);
	*index = (struct override_index){ .n = 0 };
}

size_t override_index_find(const struct override_index *index, enum model_target_kind kind,
                           const char *pool, const char *name, const struct override *const **out)
{
	const struct target_key key = { kind, pool, name };
	size_t n = 0, first;

	if (!index->n)
		return 0;
	first = sorted_index(&key, index->items, index->n, sizeof(*index->items), compare_key,
	                     NULL);
	while (first + n < index->n && !compare_key(&key, &index->items[first + n]))
		n++;
	*out = (const struct override *const *)index->items + first;
	return n;
}
