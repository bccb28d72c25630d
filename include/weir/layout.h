/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * How many elements each table has for the requested sizes: one place for all code that makes
 * tables. All of it is in this header; any thread.
 */
#ifndef WEIR_LAYOUT_H
#define WEIR_LAYOUT_H

#include "weir/driver.h"
#include "weir/fwd/destinations.h"
#include "weir/fwd/user.h"

/**
 * Set the elements of @p t to those of @p sizes with counters for @p n_cpus; no product may exceed
 * 32 bits.
 */
static inline void layout_count(struct fwd_tables *t, const struct driver_sizes *sizes,
                                uint32_t n_cpus)
{
	t->n_services = 2 * sizes->services;
	t->n_pools = sizes->pools;
	t->n_slots = sizes->slots / FWD_SLOTS_PER_BLOCK;
	t->n_colds = sizes->slots;
	t->n_backends = sizes->backends;
	t->n_exceptions = sizes->exception_sets;
	t->n_fragments = FWD_FRAGMENT_SETS;
	t->n_destinations = fwd_destination_sets(sizes->backends);
	t->n_macs = FWD_MAC_SETS;
	t->n_cpus = n_cpus;
	t->n_service_counts = n_cpus * sizes->service_counts;
	t->n_backend_counts = n_cpus * sizes->backends;
}

/** Write into @p t's root what packets must know of the tables' layout; the elements are set. */
static inline void layout_root(const struct fwd_tables *t, const struct driver_sizes *sizes)
{
	struct fwd_root *root = t->root;

	root->layout = FWD_TABLES_LAYOUT;
	root->n_services = sizes->services;
	root->n_service_counts = sizes->service_counts;
	root->n_backends = sizes->backends;
	root->n_exception_sets = sizes->exception_sets;
	root->n_slots = sizes->slots;
	root->n_fragment_sets = t->n_fragments;
	root->n_destination_sets = t->n_destinations;
	root->n_cpus = t->n_cpus;
}

#endif
