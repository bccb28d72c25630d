/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Inside the effect: its layout on the page, and how it is read from the tables. Implemented in
 * export/effect.c and export/effect_scan.c; any thread may call, each with its own page.
 */
#ifndef WEIR_DATAPLANE_EXPORT_EFFECT_INTERNAL_H
#define WEIR_DATAPLANE_EXPORT_EFFECT_INTERNAL_H

#include "base/checked.h"
#include "weir/effect.h"

struct fwd_tables;

/** The page's payload; max_pools pools and then max_backends backends follow it. */
struct effect_page {
	uint32_t seq; /**< odd while it is written; readers copy and compare */
	uint32_t max_pools, max_backends;
	uint32_t reserved;
	struct effect_total total;
};

static inline size_t effect_page_bytes(uint32_t max_pools, uint32_t max_backends)
{
	return sizeof(struct effect_page) + max_pools * sizeof(struct effect_pool) +
	       max_backends * sizeof(struct effect_backend);
}

static inline struct effect_pool *effect_page_pools(struct effect_page *p)
{
	return (struct effect_pool *)(void *)(p + 1);
}

static inline struct effect_backend *effect_page_backends(struct effect_page *p)
{
	return (struct effect_backend *)(void *)(effect_page_pools(p) + p->max_pools);
}

/**
 * Read what is in force from @p t into @p out, whose max_* are set. Rows are sorted by pool and id.
 * The tables do not hold `reason` and `held`, which stay 0; `seq` is left alone.
 * @return 0, -ENOSPC (rows are missing) or -ENOMEM
 */
int effect_scan(const struct fwd_tables *t, uint32_t now_s, struct effect_page *out) MUST_CHECK;
/**
 * The position of backend @p id of @p pool in @p rows (sorted by pool and id), or where it belongs.
 * @return 0..n; n: all rows are before it
 */
uint32_t effect_row(const struct effect_backend *rows, uint32_t n, uint64_t pool, uint64_t id);

#endif
