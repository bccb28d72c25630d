/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From bound items to the model (build.c), and what must hold between its parts (check.c).
 *
 * Both go on after mistakes, so that all are told at once: a pointer may be NULL where its reference
 * has been complained of.
 */
#ifndef WEIR_MODEL_BUILD_H
#define WEIR_MODEL_BUILD_H

#include "model/bind.h"

/** The items that became a model array's elements, in the same order. */
struct sources {
	const struct item **items;
	size_t n;
};

struct build {
	const struct bind *bind;
	const struct item *top;
	const char *dir; /**< absolute; relative paths are below it; NULL: only absolute ones */
	struct model *model;
	struct arena *arena; /**< the model's */
	struct sources sites, nodes, checks, pools, vips, services, zones, names;
};

/** Fill @p b->model from @p b->top. Mistakes go to the binding's collection. @return 0 or -ENOMEM */
int build_model(struct build *b);
/** Look at the whole. */
void check_model(const struct build *b);

/** Find by name in an array, sorted by it, of structures that begin with their name. @return NULL when there is none */
const void *build_find(const void *array, size_t n, size_t size, const char *name);

#endif
