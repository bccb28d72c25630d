/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables in ordinary memory, all zero. */
#ifndef WEIR_TESTS_FWD_MEMORY_H
#define WEIR_TESTS_FWD_MEMORY_H

#include <stdlib.h>
#include <string.h>

#include "weir/layout.h"

/* Tables begin with a cache line, as drivers have them. */
#define MEMORY_TABLE(t, name, n) ((t)->name = memory_zeros(n, sizeof(*(t)->name)))

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
	*t = (struct fwd_tables){ 0 };
	layout_count(t, sizes, n_cpus);
	MEMORY_TABLE(t, root, 1);
	MEMORY_TABLE(t, services, t->n_services);
	MEMORY_TABLE(t, pools, t->n_pools);
	MEMORY_TABLE(t, slots, t->n_slots);
	MEMORY_TABLE(t, colds, t->n_colds);
	MEMORY_TABLE(t, backends, t->n_backends);
	MEMORY_TABLE(t, exceptions, t->n_exceptions);
	MEMORY_TABLE(t, fragments, t->n_fragments);
	MEMORY_TABLE(t, destinations, t->n_destinations);
	MEMORY_TABLE(t, macs, t->n_macs);
	MEMORY_TABLE(t, cpus, t->n_cpus);
	MEMORY_TABLE(t, service_counts, t->n_service_counts);
	MEMORY_TABLE(t, backend_counts, t->n_backend_counts);
}

static inline void memory_free(struct fwd_tables *t)
{
	void *all[] = { t->root,  t->services,       t->pools,          t->slots,
		        t->colds, t->backends,       t->exceptions,     t->fragments,
		        t->cpus,  t->service_counts, t->backend_counts, t->destinations,
		        t->macs };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		free(all[i]);
}

#endif
