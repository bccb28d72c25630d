/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What makes a change of configuration risky, worked out from its effect: both models are measured,
 * and the table of rules says from which figure on a measure counts. Pure; any thread.
 *
 * Implemented in mgmt/rules/risk.c and risk_*.c.
 */
#ifndef WEIR_MGMT_RULES_RISK_H
#define WEIR_MGMT_RULES_RISK_H

#include <stddef.h>

#include "mgmt/rules/rule.h"
#include "weir/model.h"

struct arena;

#define RISK_SHOWN_MAX 64u /**< risks that are named one by one; all are counted */

/** A rule that a change breaks. */
struct risk {
	const struct rule_row *rule;
	double figure;
	const char *text; /**< a sentence with subject, figure, limit and the rule's name */
};

/** From which figure on a rule is broken. */
double risk_limit(const struct rule_row *rule);
/**
 * Measure the change from @p from to @p to.
 * @param out    the first RISK_SHOWN_MAX risks, in @p arena
 * @param n_all  how many there are
 * @return how many are in @p out; with too little memory 0, and the arena has failed
 */
size_t risk_find(const struct model *from, const struct model *to, struct arena *arena,
                 const struct risk **out, size_t *n_all);

/**
 * Measure in addition which of the overrides @p list (@p n, none of them over) the change takes their backends from.
 * @param risks  as risk_find() gave them, from @p arena; likewise @p n_all
 * @return how many there are in @p risks now
 */
size_t risk_find_lost(const struct model *from, const struct model *to,
                      const struct model_override *list, size_t n, struct arena *arena,
                      const struct risk *risks, size_t n_risks, size_t *n_all);

/** Of a pool's registered backends: how many are left out after a change. */
struct risk_left_out {
	const char *pool;
	size_t n_out, n_all;
};
/** Likewise note those. */
size_t risk_find_left_out(const struct risk_left_out *list, size_t n, struct arena *arena,
                          const struct risk *risks, size_t n_risks, size_t *n_all);

/** The share of slots of a pool that must move: the sum of what members gain. */
uint32_t risk_moved_ppm(const struct model_pool *a, const struct model_pool *b,
                        struct arena *arena);

/** The share of flows that come to another member where all are placed again, independently of before. */
uint32_t risk_rehashed_ppm(const struct model_pool *a, const struct model_pool *b,
                           struct arena *arena);

#endif
