/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What a token may change: a scope, "pools:web-*,checks:web,label:region=eu", and the objects that a difference touches.
 *
 * An item is KIND:NAME, of a kind at the top as paths have it, or label:KEY=VALUE for all objects with this label; a name may
 * end with '*'. An object covers what is below it. An object that is there before and after a change must be in the scope
 * both times, so that none is taken by changing its label.
 *
 * Implemented in mgmt/rules/scope.c. Pure functions: any thread may call them.
 */
#ifndef WEIR_MGMT_RULES_SCOPE_H
#define WEIR_MGMT_RULES_SCOPE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "weir/object.h"

struct change_plan;

#define SCOPE_MAX   512u /**< bytes of a scope, with the NUL */
#define SCOPE_PATHS 32u  /**< that are listed, of those outside */

/** What is wrong with @p text as a scope, a sentence that never quotes it; NULL: nothing. "" is a scope: of nothing. */
const char *scope_fault(const char *text);

/** Whether the scope has the object at @p path, by each of two models that has it; a model may be NULL. */
bool scope_has(const char *scope, const struct model *from, const struct model *to,
               const struct object_path *path);
/**
 * The objects that are others in @p to than in @p from (NULL: there is none), by their own settings, and are outside the
 * scope; "" has none, and so gives all. What names an object is not touched, nor is what it is in. A setting that is in no
 * object, as "limits/slots", is in no scope. @param plan  of both
 * @return their paths, the first SCOPE_PATHS, as a JSON list, given; an empty one: all are inside. NULL: memory is short
 */
json_t *scope_list_outside(const char *scope, const struct model *from, const struct model *to,
                           const struct change_plan *plan);

#endif
