/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Facts for the judgement, read from the pages (implemented in gather.c and process.c). Reading
 * only; any thread may call these, on what is its own.
 */
#ifndef WEIR_MGMT_JUDGE_GATHER_H
#define WEIR_MGMT_JUDGE_GATHER_H

#include "base/checked.h"
#include "mgmt/judge/judge.h"
#include "mgmt/store/override.h"
#include "weir/effect.h"
#include "weir/health.h"
#include "weir/model.h"

#define GATHER_STALE_MS 3000u /**< health and effect pages: older is unknown */

/** What facts about pools are read from; borrowed. */
struct gather_from {
	const struct model *m;
	const struct overrides *overrides;
	int64_t wall_clock_ms;
	const struct health_page *health; /**< NULL: there is none, or it is stale */
	const struct effect *effect;      /**< NULL: there is none, or it is stale */
};

/**
 * Gather the facts of the pools of this node's own site. @p pools is from calloc(); the caller
 * frees it. The names are borrowed from the model. @return 0 or -ENOMEM
 */
int gather_pools(const struct gather_from *from, struct judge_pool **pools, size_t *n) MUST_CHECK;

/**
 * What a site's checks see of it from here, counted over its services' targets; n is 0 without a
 * page. Up is what a check sees up now: an old verdict, while probes are inconclusive, is none.
 */
struct gather_site {
	size_t n, up, down;
};
void gather_site(const struct model *m, const struct health_page *health,
                 const struct model_site *site, struct gather_site *out);

/**
 * What is in force for all backends of a pool, sorted by id; @p rows is from malloc(); the caller
 * frees it.
 * @return how many, or -1 when the pool is not in the tables
 */
int gather_rows(const struct effect *e, const char *pool, struct effect_backend **rows) MUST_CHECK;
/** The row of @p id, or NULL. */
const struct effect_backend *gather_row(const struct effect_backend *rows, int n, uint64_t id);

/** A process's stats page, as far as it says how the process is. */
struct gather_process {
	bool present, running;
	bool exists;          /**< its process does, hanging or not */
	int64_t pid;          /**< of the process that wrote the page; 0: of none */
	bool workers_forward; /**< of weir run: it sees DPDK's workers count */
	uint64_t age_ms;
	bool refused, learning; /**< of the dataplane */
	bool has_ports, dpdk;   /**< of the dataplane with a document: n_ports is known */
	uint64_t n_ports;
	bool has_conditions;
	bool conditions_unread; /**< they cannot be read */
};

/** What was seen of the supervisor's page as a fact; @p conditions is borrowed. */
struct judge_process gather_supervisor(const struct gather_process *observed,
                                       const struct conditions *conditions);

/**
 * Look at the stats page of @p process; @p conditions (NULL: not wanted) is filled if
 * has_conditions.
 */
void gather_process(const char *run_dir, const char *process, struct gather_process *out,
                    struct conditions *conditions);

/** Whether the kernel says that no port of the own node, which has some, runs an XDP program. */
bool gather_no_program(const struct model *m);

#endif
