/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables of a site: each pair of a pool and its backup once. All entries are listed, sorted and
 * merged, because a document may have thousands of services. A pool enters once more by itself, so
 * that a pool without a service has a table, too.
 */
#include <stdlib.h>

#include "weir/model.h"

/* A pool alone before the same pool with a backup. */
static int by_pair(const void *a, const void *b)
{
	const struct model_table *x = a, *y = b;
	uint64_t p = (uint64_t)x->pool->index << 32 | (x->backup ? x->backup->index + 1 : 0);
	uint64_t q = (uint64_t)y->pool->index << 32 | (y->backup ? y->backup->index + 1 : 0);

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
			out[n] = (struct model_table){ .pool = at->pool };
			if (at->backup)
				out[n] =
				        (struct model_table){ at->pool, at->backup,
					                      at->backup_max_flows,
					                      at->backup_max_bits, at->backup_mtu };
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
		while (at < listed && out[at].pool->index < m->pools[i].index)
			at++;
		if (m->pools[i].site == site && (at == listed || out[at].pool != &m->pools[i]))
			out[n++] = (struct model_table){ .pool = &m->pools[i] };
	}
	return n;
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
	return n;
}
