/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Guards of an operation: may its next step be made, and may the running one go on?
 *
 * Each guard judges the load now plus what the running step still brings. What is not known trips a
 * guard that needs it: missing is never 0. Implemented in mgmt/operations/guards.c. Any thread.
 */
#ifndef WEIR_MGMT_OPERATIONS_GUARDS_H
#define WEIR_MGMT_OPERATIONS_GUARDS_H

#include "mgmt/operations/operation.h"
#include "mgmt/operations/operation_facts.h"

struct operation_verdict {
	enum rule_id guard;
	bool ok;      /**< it does not trip */
	bool unknown; /**< it cannot tell, and trips */
	bool checked; /**< false: there was nothing to check, and it passes */
	bool overridden;
	struct operation_value margin; /**< percent that is left, of the worst site */
	char detail[OPERATION_DETAIL_MAX];
};

/** When guards are asked. */
enum operation_moment {
	OPERATION_BEGIN,  /**< before the first step: with all that the whole plan brings */
	OPERATION_BEFORE, /**< before the next step of the plan: with all that it brings */
	OPERATION_DURING, /**< while a step runs: with what it still brings */
};

/** Judge all guards. @p out: [OPERATION_GUARD_COUNT], in their order */
void operation_judge(const struct operation *op, const struct operation_facts *facts,
                     enum operation_moment moment, struct operation_verdict *out);
/** The first that trips and is not overridden; NULL: none. */
const struct operation_verdict *operation_tripped(const struct operation_verdict *verdicts);
/** How many sites decide that a site is dead: neither out, nor target of a complete drain. */
size_t operation_count_deciding(const struct operation *op, const struct operation_facts *facts);

#endif
