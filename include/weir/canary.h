/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A place at which a version is in force before it is everywhere: one node, or the nodes of one site.
 *
 * As text "node/ams-1" or "site/ams"; "" is everywhere. Each setting of the schema says at how small a place it may differ:
 * nodes of a site must place flows alike, and all sites must answer names alike.
 *
 * Implemented in model/canary.c, what needs a model in model/extent.c. Pure functions: any thread may call them.
 */
#ifndef WEIR_CANARY_H
#define WEIR_CANARY_H

#include <stdbool.h>

#include "base/checked.h"
#include "weir/model.h"

#define CANARY_MAX (MODEL_NAME_MAX + 5u) /**< bytes of a place as text, with the NUL */

/** Whether @p text can be a place, or "". */
bool canary_is(const char *text);
/** The name in a place; NULL: it is everywhere, or none. */
const char *canary_name(const char *canary);
/** How large it is. @param canary  as canary_is() says */
enum model_extent canary_extent(const char *canary);
/** Whether @p node of @p site is of the place; each is of "". */
bool canary_covers(const char *canary, const char *node, const char *site);
/**
 * Find the place that a person means: "ams-1", or with its kind, "node/ams-1".
 * @return NULL; or what is wrong, a sentence that never quotes @p text
 */
MUST_CHECK const char *canary_find(const struct model *m, const char *text, char out[CANARY_MAX]);
/** The smallest place for a difference at @p path, as paths of a plan are; what is not known may not differ. */
enum model_extent extent_of_path(const char *path);
/**
 * Whether a difference at @p path has an effect at the place: not what is another node's or another site's own.
 * @param from, to  the models that differ
 */
bool canary_has_path(const char *canary, const char *path, const struct model *from,
                     const struct model *to);
/** "everywhere", "a site", "a node" */
const char *extent_text(int size);

#endif
