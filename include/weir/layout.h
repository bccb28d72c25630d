/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The forwarding tables as a list, and how many elements each has for the requested sizes: one
 * place for all code that makes tables or treats them alike. Made from FWD_TABLES
 * (weir/fwd/tables.h). All of it is in this header; any thread.
 */
#ifndef WEIR_LAYOUT_H
#define WEIR_LAYOUT_H

#include "weir/driver.h"
#include "weir/fwd/destinations.h"
#include "weir/fwd/user.h"

/** A table as an array of bytes. */
struct layout_table {
	const char *name;
	size_t element_bytes;
	uint64_t elements;
	void *memory; /**< NULL: not mapped */
};

static inline size_t layout_bytes(const struct layout_table *table)
{
	return table->elements * table->element_bytes;
}

/** List all tables of @p t, root too, by enum fwd_table. */
static inline void layout_list(const struct fwd_tables *t, struct layout_table out[FWD_TABLE_COUNT])
{
	out[FWD_TABLE_ROOT] = (struct layout_table){ "root", sizeof(*t->root), 1, t->root };
#define LAYOUT_LIST_(name, element, count)                                                         \
	out[FWD_TABLE_##name] =                                                                    \
	        (struct layout_table){ #name, sizeof(element), t->n_##name, t->name };
	FWD_TABLES(LAYOUT_LIST_)
#undef LAYOUT_LIST_
}

/** Let @p t have the arrays and the numbers of elements of the list @p in; at most 32 bits each. */
static inline void layout_set(struct fwd_tables *t, const struct layout_table in[FWD_TABLE_COUNT])
{
	t->root = in[FWD_TABLE_ROOT].memory;
#define LAYOUT_SET_(name, element, count)                                                          \
	t->name = in[FWD_TABLE_##name].memory;                                                     \
	t->n_##name = (uint32_t)in[FWD_TABLE_##name].elements;
	FWD_TABLES(LAYOUT_SET_)
#undef LAYOUT_SET_
}

/** Set the elements in the list @p out to those of @p sizes with counters for @p cpus. */
static inline void layout_size(const struct driver_sizes *sizes, uint64_t cpus,
                               struct layout_table out[FWD_TABLE_COUNT])
{
	out[FWD_TABLE_ROOT].elements = 1;
#define LAYOUT_SIZE_(name, element, count) out[FWD_TABLE_##name].elements = (count);
	FWD_TABLES(LAYOUT_SIZE_)
#undef LAYOUT_SIZE_
}

/**
 * Set the elements of @p t to those of @p sizes with counters for @p n_cpus; no product may exceed
 * 32 bits.
 */
static inline void layout_count(struct fwd_tables *t, const struct driver_sizes *sizes,
                                uint32_t n_cpus)
{
	struct layout_table tables[FWD_TABLE_COUNT];

	layout_list(t, tables);
	layout_size(sizes, n_cpus, tables);
	layout_set(t, tables);
}

/** Write into @p t's root what packets must know of the tables' layout; the elements are set. */
static inline void layout_root(const struct fwd_tables *t, const struct driver_sizes *sizes)
{
	struct fwd_root *root = t->root;

	root->layout = FWD_TABLES_LAYOUT;
	root->n_services = sizes->services;
	root->n_service_counts = sizes->service_counts;
	root->n_backends = sizes->backends;
	root->n_exception_buckets = sizes->exception_buckets;
	root->n_slots = sizes->slots;
	root->n_fragment_buckets = t->n_fragments;
	root->n_destination_buckets = t->n_destinations;
	root->n_cpus = t->n_cpus;
}

#endif
