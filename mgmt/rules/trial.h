/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Whether a change may be tried at a place first (weir/canary.h): each of its differences must be one that may differ at so small a
 * place, and have an effect there; what is tried must be a part of the nodes.
 *
 * Implemented in mgmt/rules/trial.c. Pure.
 */
#ifndef WEIR_MGMT_RULES_TRIAL_H
#define WEIR_MGMT_RULES_TRIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "mgmt/rules/plan.h"
#include "weir/canary.h"

#define TRIAL_FIELDS_MAX 32u /**< that are listed; all are counted */

/** A difference that cannot be tried there. */
struct trial_field {
	const char *path;        /**< of the plan */
	enum model_extent least; /**< the smallest place for it */
	bool is_elsewhere;       /**< another node's or site's: nothing would be tried */
};

struct trial_verdict {
	char canary[CANARY_MAX]; /**< the place that was meant */
	const char *fault;       /**< what is wrong with the place itself; NULL: nothing */
	struct trial_field fields[TRIAL_FIELDS_MAX];
	size_t n_fields; /**< in all; the first are listed */
};

/**
 * Judge a change by @p plan, as plan_compare() made it of both models.
 * @param text  the place as a person names it
 * @return whether it may be tried there
 */
bool trial_judge(const char *text, const struct model *from, const struct model *to,
                 const struct change_plan *plan, struct trial_verdict *out);

#endif
