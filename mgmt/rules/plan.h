/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What a change of configuration does, computed before it is made: the differences in meaning, the
 * pools whose members change, and the risks.
 *
 * Implemented in mgmt/rules/plan.c and plan_effects.c. Any thread may call; a plan belongs to one.
 */
#ifndef WEIR_MGMT_RULES_PLAN_H
#define WEIR_MGMT_RULES_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/rules/advice.h"
#include "mgmt/rules/risk.h"
#include "weir/model.h"

struct arena;

enum plan_kind { PLAN_ADDED, PLAN_REMOVED, PLAN_CHANGED };

/** A difference; an object that is added or removed is one, without its fields. */
struct plan_change {
	enum plan_kind kind;
	const char *path;      /**< "pools/web-ams/backends/b1/weight" */
	const char *from, *to; /**< "" where the object itself comes or goes */
};

/** A pool whose members or weights change. */
struct change_plan_pool {
	const char *pool;
	size_t n_before, n_after;
	/** the share of its slots whose owner changes, where all are up: by shares, about the least, until plan_add_rings() */
	uint32_t moved_ppm;
};

#define PLAN_NAMES_SHOWN     64u /**< names that are measured one by one; all are counted */
#define PLAN_WITHDRAWN_SHOWN 64u /**< announcements that are listed; likewise */

/** The part of a name's answers that a site has, when all sites are up and none is drained. */
struct plan_share {
	const char *site;
	uint32_t before_ppm, after_ppm;
};

/** A dynamic name that was answered before, and is answered otherwise or not at all. */
struct plan_name {
	const char *name;
	uint32_t n_prefixes; /**< client prefixes, half of them IPv4, that were asked about */
	uint32_t moved_ppm;  /**< of their answers: what has other addresses, or none */
	const struct plan_share *sites;
	size_t n_sites;
};

/** An address that a node stops announcing to routers. */
struct plan_withdrawn {
	const char *node, *address;
};

struct change_plan {
	const struct plan_change *changes;
	size_t n_changes;
	struct change_plan_pool *pools;
	size_t n_pools;
	const struct plan_name *names; /**< by plan_add_effects(), likewise withdrawn */
	size_t n_names, n_names_all;   /**< listed, and in all */
	const struct plan_withdrawn *withdrawn;
	size_t n_withdrawn, n_withdrawn_all;
	const struct risk *risks;    /**< the rules that it breaks (mgmt/rules/risk.h) */
	size_t n_risks, n_risks_all; /**< listed, and in all */
	struct advice advice;        /**< what else an operator should know */
	struct arena *arena;         /**< owns all, with those of both models, whose names it has */
	struct arena *models[2];
};

/**
 * Compare two models; @p from NULL: there was none.
 * @param out  given; plan_fini() frees it
 * @return 0 or -ENOMEM
 */
MUST_CHECK int plan_compare(const struct model *from, const struct model *to,
                            struct change_plan *out);
/**
 * Fill the rings of @p p, as plan_compare() made it of both, for what moves (mgmt/rules/rings.h): those of the first pools, of a
 * million slots together. It takes a third of a second at most.
 */
void plan_add_rings(struct change_plan *p, const struct model *from, const struct model *to);
/**
 * Add to @p p, as plan_compare() made it, what the change does to clients and routers: the names whose answers change, asked
 * of the code that weir-dns answers by (weir/steering.h), and the addresses that nodes stop announcing. It takes a second at
 * most. @return 0 or -ENOMEM
 */
MUST_CHECK int plan_add_effects(struct change_plan *p, const struct model *from,
                                const struct model *to);
/** Add to @p p, as plan_compare() made it, which registered backends the change leaves out. @return 0 or -ENOMEM */
MUST_CHECK int plan_add_left_out(struct change_plan *p, const struct risk_left_out *list, size_t n);
/**
 * Add to @p p, as plan_compare() made it, what the change takes from overrides: @p list, none of them over.
 * @return 0 or -ENOMEM
 */
MUST_CHECK int plan_add_overrides(struct change_plan *p, const struct model *from,
                                  const struct model *to, const struct model_override *list,
                                  size_t n);
void plan_fini(struct change_plan *p);
/** "added", "removed", "changed" */
const char *plan_kind_text(int kind);

#endif
