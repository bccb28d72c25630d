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
#include "mgmt/overrides/override.h"
#include "weir/effect.h"
#include "weir/health.h"
#include "weir/life.h"
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

/** A process as it is seen, for the most part by its stats page. */
struct gather_process {
	bool present;         /**< it has a stats page */
	bool running;         /**< it exists, and showed a sign of life lately */
	bool exists;          /**< its process does, hanging or not */
	int64_t pid;          /**< of the process that wrote the page; 0: of none */
	bool workers_forward; /**< of weir run: it sees DPDK's workers count */
	uint64_t age_ms;      /**< since its last sign of life */
	bool refused;         /**< of the dataplane: it has refused a newer document */
	bool learning;    /**< of the dataplane: it started on empty tables and asks its peers */
	bool has_ports;   /**< of the dataplane, with a document in force: n_ports is known */
	uint64_t n_ports; /**< interfaces that carry its program */
	bool dpdk;        /**< if has_ports: DPDK moves packets, not XDP */
	bool has_conditions;
	bool conditions_unread; /**< they cannot be read */
	/* of observe_look() */
	uint64_t document;   /**< that it has taken; 0: not known */
	uint64_t pending_ms; /**< for how long it has had a newer one to take */
	bool announces;      /**< of weir-announce: the configuration names a routing daemon here */
};

/** What was seen of process @p name as a fact; it and @p conditions are borrowed. */
struct judge_process gather_fact(const char *name, const struct gather_process *observed,
                                 const struct conditions *conditions);

/**
 * Look at the stats page of @p process; @p conditions (NULL: not wanted) is filled if
 * has_conditions. @p watch: when this process was there itself (NULL: it looks once)
 */
void gather_process(const char *run_dir, const char *process, const struct life_watch *watch,
                    struct gather_process *out, struct conditions *conditions);

/**
 * What moves packets, as far as weir-dataplane, weir run and the kernel say so, and by @p m (NULL: not
 * known) what the own node is meant to do.
 */
void gather_ports(const struct model *m, const struct gather_process *dataplane,
                  const struct gather_process *supervisor, struct judge_facts *f);

#endif
