/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Gates: times in which the configuration is not changed, and changes that other persons are to approve (gates[] of the schema).
 *
 * A change is judged by the gates of what it is made from, so that one binds from the version after the one that brings it,
 * and its own removal has to pass it.
 *
 * Implemented in mgmt/rules/gate.c. Pure functions: any thread may call them.
 */
#ifndef WEIR_MGMT_RULES_GATE_H
#define WEIR_MGMT_RULES_GATE_H

#include <stdint.h>

#include <stdbool.h>

#include "mgmt/rules/plan.h"

#define GATE_NAMES_MAX 256u /**< bytes of names of gates, separated by commas, with the NUL */

/** What a change has, to pass gates. */
struct gate_pass {
	/** names of gates that it may pass, separated by commas; may be NULL */
	const char *without;
	uint32_t approvals; /**< persons who have approved it */
	bool is_way_back;   /**< to what was in force everywhere for good: it passes all */
};

/**
 * Find a gate that refuses a change now. Of several one that no approval passes, the one that ends last; else the one that asks for
 * most approvals.
 * @param from    NULL: there is none, and no gate
 * @param plan    of both
 * @param passed  out: the names of those that it passes without what they ask for, separated by commas; `*` at the end: and more, which have no room
 * @return of @p from; NULL: none refuses it
 */
const struct model_gate *gate_find(const struct model *from, const struct model *to,
                                   const struct change_plan *plan, int64_t now_ms,
                                   const struct gate_pass *pass, char passed[GATE_NAMES_MAX]);
/** When it holds no more; MODEL_TIME_NEVER: it holds for good. */
int64_t gate_end_ms(const struct model_gate *gate);

#endif
