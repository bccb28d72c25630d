/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Objects by name, kind and label: a scope, as "pools:web-*,checks:web,label:region=eu".
 *
 * An item is KIND:NAME, of a kind at the top as paths have it, or label:KEY=VALUE for all objects with this label; a name may
 * end with '*'. An object covers what is below it.
 *
 * Implemented in model/scope.c. Pure functions: any thread may call them.
 */
#ifndef WEIR_SCOPE_H
#define WEIR_SCOPE_H

#include <stdbool.h>

#include "weir/object.h"

#define SCOPE_MAX 512u /**< bytes of a scope, with the NUL */

/** What is wrong with @p text as a scope, a sentence that never quotes it; NULL: nothing. "" is a scope: of nothing. */
const char *scope_fault(const char *text);
/**
 * Whether the scope has the object at @p path, by each of two models that has it; a model may be NULL. So none is taken by
 * changing its label.
 */
bool scope_has(const char *scope, const struct model *from, const struct model *to,
               const struct object_path *path);
/** The same by one of them. */
bool scope_meets(const char *scope, const struct model *from, const struct model *to,
                 const struct object_path *path);

#endif
