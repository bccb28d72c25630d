/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Which objects a difference touches, and whether they are in a scope (weir/scope.h).
 *
 * Implemented in mgmt/rules/scope.c. Pure functions: any thread may call them.
 */
#ifndef WEIR_MGMT_RULES_SCOPE_H
#define WEIR_MGMT_RULES_SCOPE_H

#include <jansson.h>
#include <stdbool.h>

#include "weir/scope.h"

struct change_plan;

#define SCOPE_PATHS 32u /**< that are listed, of those outside */

/**
 * The objects that are others in @p to than in @p from (NULL: there is none), by their own settings, and are outside the
 * scope; "" has none, and so gives all. What names an object is not touched, nor is what it is in. A setting that is in no
 * object, as "limits/slots", is in no scope. @param plan  of both
 * @return their paths, the first SCOPE_PATHS, as a JSON list, given; an empty one: all are inside. NULL: memory is short
 */
json_t *scope_list_outside(const char *scope, const struct model *from, const struct model *to,
                           const struct change_plan *plan);
/** Whether one of them is in the scope, by one of the models, or is in no object; "" catches every difference. */
bool scope_catches(const char *scope, const struct model *from, const struct model *to,
                   const struct change_plan *plan);

#endif
