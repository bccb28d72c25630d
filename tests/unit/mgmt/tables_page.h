/* SPDX-License-Identifier: BSD-2-Clause */
/* The page on which weir-dataplane says what is in force. */
#ifndef WEIR_TESTS_MGMT_TABLES_PAGE_H
#define WEIR_TESTS_MGMT_TABLES_PAGE_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/page.h"
#include "base/proc.h"
#include "dataplane/export/effect_internal.h"

struct tables {
	uint64_t document, alive_ms;
	const struct effect_pool *pools; /* by hash; n_backends of each are its own */
	const struct effect_backend *backends;
	uint32_t n_pools;
};

/* Replace the page of @p run_dir. Each row is given the number of its pool. */
static inline void tables_page_write(const char *run_dir, const struct tables *t)
{
	char path[PATH_MAX];
	struct page *page;
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n_pools; i++)
		n += t->pools[i].n_backends;
	assert_int_equal(proc_path(run_dir, EFFECT_PAGE_FILE, path), 0);
	assert_int_equal(page_create(path, EFFECT_PAGE_KIND, EFFECT_PAGE_LAYOUT,
	                             effect_page_bytes(t->n_pools, n), &page),
	                 0);
	struct effect_page *p = page_payload(page);
	uint32_t odd = page_rows_begin(&p->seq);

	p->max_pools = t->n_pools;
	p->max_backends = n;
	p->total = (struct effect_total){ .document = t->document,
		                          .n_pools = t->n_pools,
		                          .n_backends = n,
		                          .alive_ms = t->alive_ms };
	for (uint32_t i = 0, first = 0; i < t->n_pools; first += t->pools[i++].n_backends) {
		effect_page_pools(p)[i] = t->pools[i];
		effect_page_pools(p)[i].first = first;
		for (uint32_t k = first; k < first + t->pools[i].n_backends; k++) {
			effect_page_backends(p)[k] = t->backends[k];
			effect_page_backends(p)[k].pool = t->pools[i].pool;
		}
	}
	page_rows_end(&p->seq, odd);
	page_alive(page, t->alive_ms);
	page_publish(page);
	page_close(page);
}

/* The same of one pool. */
static inline void tables_page_write_pool(const char *run_dir, uint64_t alive_ms,
                                          const struct effect_pool *pool,
                                          const struct effect_backend *rows)
{
	tables_page_write(run_dir, &(struct tables){ .document = 1,
	                                             .alive_ms = alive_ms,
	                                             .pools = pool,
	                                             .backends = rows,
	                                             .n_pools = 1 });
}

#endif
