/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables in ordinary memory, all zero. */
#ifndef WEIR_TESTS_FWD_MEMORY_H
#define WEIR_TESTS_FWD_MEMORY_H

#include <stdlib.h>
#include <string.h>

#include "weir/layout.h"

/* Tables begin with a cache line, as drivers have them. */
static inline void *memory_zeros(size_t n, size_t size)
{
	void *p = aligned_alloc(64, (n * size + 63) / 64 * 64);

	if (!p)
		abort();
	return memset(p, 0, n * size);
}

/** Make tables of these sizes; their root is for layout_root(). */
static inline void memory_new(struct fwd_tables *t, const struct driver_sizes *sizes,
                              uint32_t n_cpus)
{
	struct layout_table tables[FWD_TABLE_COUNT];

	*t = (struct fwd_tables){ 0 };
	layout_list(t, tables);
	layout_size(sizes, n_cpus, tables);
	for (int i = 0; i < FWD_TABLE_COUNT; i++)
		tables[i].memory = memory_zeros(tables[i].elements, tables[i].element_bytes);
	layout_set(t, tables);
}

static inline void memory_free(struct fwd_tables *t)
{
	struct layout_table tables[FWD_TABLE_COUNT];

	layout_list(t, tables);
	for (int i = 0; i < FWD_TABLE_COUNT; i++)
		free(tables[i].memory);
}

#endif
