/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A model as a sorted list of paths and values, for comparing.
 *
 * Implemented in model/flatten.c. Pure functions: any thread may call them.
 */
#ifndef WEIR_FLATTEN_H
#define WEIR_FLATTEN_H

#include <stddef.h>

#include "base/checked.h"
#include "weir/model.h"

struct arena;

struct flat_item {
	const char *path, *value; /**< value "": the object itself */
};

struct flat {
	struct flat_item *items; /**< sorted by flat_compare() */
	size_t n, max;
};

/** List @p m; all in @p arena. @return 0 or -ENOMEM */
MUST_CHECK int flatten_model(const struct model *m, struct arena *arena, struct flat *out);
/** Order of paths: everything below an object follows it directly. */
int flat_compare(const char *a, const char *b);

#endif
