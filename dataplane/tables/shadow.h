/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Shadow tables: what this process has written into the forwarding tables, kept apart from them.
 *
 * Anyone with rights on a table's map or file can overwrite it, and packets believe what is there.
 * So the compiler's own state is the shadow: it reads the shadow, never the tables, and each store
 * goes to both. An element of the tables that differs from its shadow is *damaged*: it is reported
 * and written again from the shadow, by the scrub (dataplane/scrub.h) or by the next store.
 *
 * Shadowed are root, services (the half in force), pools, backends, destinations, macs and drills.
 * The hot words of slots have their shadow in the owners (owners.h). Bytes of these tables that
 * packets, the driver or the measurer write are left out: backends.learned_mtu, root.sample_wide and
 * root's ticks. Implemented in tables/shadow.c; the loop's thread calls all of this.
 */
#ifndef WEIR_DATAPLANE_TABLES_SHADOW_H
#define WEIR_DATAPLANE_TABLES_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/fwd/user.h"

/** Element @p element of @p table is damaged; its shadow, which is right, can still be read. */
typedef void shadow_damaged(void *arg, enum fwd_table table, uint32_t element);

struct shadow {
	/**
	 * Private memory. Tables without a shadow have none here. Of services there is the half in
	 * force alone: element i is element root->active * N + i of the table.
	 */
	struct fwd_tables t;
	shadow_damaged *on_damaged; /**< NULL: damage is only counted */
	void *arg;
	uint64_t n_damaged; /**< elements found so and written again */
};

/** Make the shadow of @p t as it is now. @return 0 or -ENOMEM */
int shadow_new(const struct fwd_tables *t, struct shadow *out) MUST_CHECK NONNULL();
/**
 * Make the shadow of larger tables @p next: elements of pools, backends, macs and drills as in
 * @p old, and stored into @p next; the others as in @p next. @return 0 or -ENOMEM
 */
int shadow_grow(const struct shadow *old, const struct fwd_tables *next,
                struct shadow *out) MUST_CHECK NONNULL();
/** Free the memory; zeroed is fine. */
void shadow_free(struct shadow *w) NONNULL();

/** How many elements of @p table are shadowed; 0: it has no shadow. */
uint32_t shadow_elements(const struct shadow *w, enum fwd_table table) NONNULL();
/** Bytes of an element of @p table. */
size_t shadow_element_bytes(enum fwd_table table);

/**
 * Give element @p i of @p table the content @p element, in the shadow and in @p t. Words that differ
 * are stored whole, the first one last: it is the one that leads packets to the others. Damage that
 * is found meanwhile is reported.
 */
void shadow_put(struct shadow *w, const struct fwd_tables *t, enum fwd_table table, uint32_t i,
                const void *element) NONNULL();
/** Store elements @p from .. @p from + @p n - 1 of the shadow into @p t; reports nothing. */
void shadow_store(const struct shadow *w, const struct fwd_tables *t, enum fwd_table table,
                  uint32_t from, uint32_t n) NONNULL();
/** Report those of the elements that are damaged, and store them again. @return how many were */
uint32_t shadow_check(struct shadow *w, const struct fwd_tables *t, enum fwd_table table,
                      uint32_t from, uint32_t n) NONNULL();

#endif
