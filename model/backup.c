/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables of a site: each pair of a pool and its backup once. All entries are listed, sorted and
 * merged, because a document may have thousands of services. A pool enters once more by itself, so
 * that a pool without a service has a table, too.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "weir/model.h"

/* By position in the model's array; a pool alone before the same pool with a backup. */
static int by_pair(const void *a, const void *b)
{
	const struct model_table *x = a, *y = b;
	uintptr_t p = (uintptr_t)x->pool, q = (uintptr_t)y->pool;

	if (p == q) {
		p = (uintptr_t)x->backup;
		q = (uintptr_t)y->backup;
	}
	return (p > q) - (p < q);
}

static void add_up(struct model_table *to, const struct model_table *from)
{
	to->backup_max_flows += from->backup_max_flows;
	to->backup_max_bits += from->backup_max_bits;
	if (from->backup_mtu && (!to->backup_mtu || from->backup_mtu < to->backup_mtu))
		to->backup_mtu = from->backup_mtu;
}

/* References are NULL while an erroneous document is checked. */
static size_t list_pairs(const struct model *m, const struct model_site *site,
                         struct model_table *out)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_services; i++)
		for (size_t k = 0; k < m->services[i].n_at; k++) {
			const struct model_at *at = &m->services[i].at[k];

			if (at->site != site || !at->pool || at->pool->site != site)
				continue;
			out[n] = (struct model_table){
				.pool = at->pool,
				.backup = at->backup,
				.backup_max_flows = at->backup_max_flows,
				.backup_max_bits = at->backup_max_bits,
				.backup_mtu = at->backup_mtu,
			};
			n++;
			break; /* a site is named once */
		}
	return n;
}

/* Pools without a service: the others are listed by their services. */
static size_t list_unused(const struct model *m, const struct model_site *site,
                          struct model_table *out, size_t n)
{
	size_t listed = n, at = 0;

	for (size_t i = 0; i < m->n_pools; i++) {
		while (at < listed && out[at].pool < &m->pools[i])
			at++;
		if (m->pools[i].site == site && (at == listed || out[at].pool != &m->pools[i]))
			out[n++] = (struct model_table){ .pool = &m->pools[i] };
	}
	return n;
}

/*
 * A pool's first table has the pool's own id. So a pool that gets a backup, or loses it, keeps its
 * slots and their flows.
 */
static void set_ids(struct model_table *tables, size_t n)
{
	char both[2 * MODEL_NAME_MAX];

	for (size_t i = 0; i < n; i++) {
		const struct model_table *t = &tables[i];

		tables[i].id = hash_text(t->pool->name);
		if (i == 0 || tables[i - 1].pool != t->pool)
			continue;
		snprintf(both, sizeof(both), "%s %s", t->pool->name, t->backup->name);
		tables[i].id = hash_text(both);
	}
}

size_t model_tables_max(const struct model *m)
{
	return m->n_services + m->n_pools;
}

size_t model_tables(const struct model *m, const struct model_site *site, struct model_table *out)
{
	size_t n = list_pairs(m, site, out), kept = 0;

	if (n)
		qsort(out, n, sizeof(*out), by_pair);
	for (size_t i = 0; i < n; i++) {
		if (kept && by_pair(&out[kept - 1], &out[i]) == 0)
			add_up(&out[kept - 1], &out[i]);
		else
			out[kept++] = out[i];
	}
	n = list_unused(m, site, out, kept);
	if (n)
		qsort(out, n, sizeof(*out), by_pair);
	set_ids(out, n);
	return n;
}

const struct model_table *model_table(const struct model_table *tables, size_t n,
                                      const struct model_pool *pool,
                                      const struct model_pool *backup)
{
	const struct model_table key = { .pool = pool, .backup = backup };

	return n ? bsearch(&key, tables, n, sizeof(key), by_pair) : NULL;
}
