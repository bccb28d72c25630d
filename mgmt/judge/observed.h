/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What is observed of a node by the pages of its processes, and from that the facts of its judgement: the same for
 * weir-mgmt and for `weir status` without it.
 *
 * Implemented in mgmt/judge/observed.c. Any thread, on what is its own.
 */
#ifndef WEIR_MGMT_JUDGE_OBSERVED_H
#define WEIR_MGMT_JUDGE_OBSERVED_H

#include "base/checked.h"
#include "mgmt/judge/gather.h"

#define OBSERVE_STALE_MS GATHER_STALE_MS

enum observe_process {
	OBSERVE_DATAPLANE,
	OBSERVE_HEALTH,
	OBSERVE_DNS,
	OBSERVE_ANNOUNCE,
	OBSERVE_MGMT,
	OBSERVE_COUNT
};

/** "dataplane", "health", "dns", "announce", "mgmt" */
const char *observe_name(enum observe_process p);
/**
 * Whether a process is shown: all are, but weir-announce only where it runs or ought to run. Most
 * nodes do not start it.
 */
bool observe_is_shown(enum observe_process p, const struct gather_process *s);
/** The supervisor, as its pages are called; it is none of the processes above. */
#define OBSERVE_SUPERVISOR "run"

/** What health and dataplane show, opened for one look. */
struct observe_pages {
	struct page *health_page;
	const struct health_page *health; /**< NULL: there is none */
	uint64_t health_age_ms;
	bool health_fresh;
	struct effect *effect; /**< the forwarding tables' state; NULL: there is none */
	struct effect_total total;
	bool effect_fresh;
};

/** Open the pages in @p run_dir, which are the caller's own. The effect is frozen: of one instant. */
void observe_open(const char *run_dir, struct observe_pages *out);
/** The same of the health page alone, or of the effect, which is not frozen. */
void observe_open_health(const char *run_dir, struct observe_pages *out);
void observe_open_effect(const char *run_dir, struct observe_pages *out);
void observe_close(struct observe_pages *p);

/** All that was observed of a node; borrowed. */
struct observe_node {
	const struct model *m; /**< NULL: there is no configuration */
	const struct overrides *overrides;
	int64_t now_ms; /**< wall time */
	const struct observe_pages *pages;
	const struct gather_process *processes; /**< [OBSERVE_COUNT] */
	const struct conditions *conditions;    /**< the same, where the process has_conditions */
	const struct gather_process *supervisor;
	const struct conditions *supervisor_conditions;
};

/** The memory that facts point to. Zeroed at the start, ended by observe_forget(). */
struct observe_memory {
	struct judge_process processes[OBSERVE_COUNT];
	struct judge_pool *pools;
	struct judge_site *sites;
};

/** Fill the facts of processes, ports, pools and sites. @return 0 or -ENOMEM */
int observe_facts(const struct observe_node *node, struct observe_memory *memory,
                  struct judge_facts *f) MUST_CHECK;
void observe_forget(struct observe_memory *memory);

#endif
