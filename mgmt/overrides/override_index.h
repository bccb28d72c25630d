/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Overrides by their target: for whoever looks up the overrides of each of ten thousand backends.
 *
 * Implemented in mgmt/overrides/override_index.c; any thread, on what is its own.
 */
#ifndef WEIR_MGMT_OVERRIDES_OVERRIDE_INDEX_H
#define WEIR_MGMT_OVERRIDES_OVERRIDE_INDEX_H

#include "base/checked.h"
#include "mgmt/overrides/override.h"

/** Sorted by target, pool and name, and of one target as in the set. Zeroed is that of the empty set. */
struct override_index {
	const struct override **items;
	size_t n;
};

/**
 * Index @p overrides (NULL: none), which are borrowed and must not change meanwhile.
 * @return 0 or -ENOMEM; then it is empty
 */
int override_index_init(struct override_index *index, const struct overrides *overrides) MUST_CHECK;
void override_index_fini(struct override_index *index);
/**
 * The overrides of a target, done ones too; @p pool is "" but for a backend.
 * @param out  the first of them, if there is one
 * @return how many there are
 */
size_t override_index_find(const struct override_index *index, enum model_target_kind kind,
                           const char *pool, const char *name, const struct override *const **out);

#endif
