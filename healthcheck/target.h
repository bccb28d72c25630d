/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Targets: what is probed, built from the model; and the services of the own site, whose words are
 * derived from their pools. A table belongs to one model and borrows its names; verdicts pass from
 * an old table to its successor by target. Loop's thread only.
 */
#ifndef HEALTHCHECK_TARGET_H
#define HEALTHCHECK_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "base/loop.h"
#include "healthcheck/attempt.h"
#include "healthcheck/pace.h"
#include "healthcheck/verdict.h"
#include "weir/health.h"
#include "weir/model.h"
#include "weir/probe.h"

struct checker;
struct vips;

enum target_phase {
	TARGET_IDLE,   /* the timer says when the next probe is due */
	TARGET_FIRST,  /* one attempt out; the timer says when the second follows */
	TARGET_SECOND, /* two out, or no second was possible; the timer says when time is up */
	TARGET_ASKING, /* silent so far as to fall: waiting for the controls */
};

/* What results have come, over the life of the process. */
struct target_counts {
	uint64_t probes, attempts, ok, failed, inconclusive;
};

/* One thing to connect to: the backend itself, or one of the VIPs and ports that it serves. */
struct target_path {
	struct target *target;
	struct attempt_spec spec;
	struct attempt *attempts; /* two, owned: they stay where they are when a round passes on */
	bool of_udp;              /* only UDP services are there: TCP need not answer */
	bool over;                /* in this round */
};

struct target {
	uint64_t id; /* first: sorted by it */
	struct checker *checker;
	const struct model_pool *pool;       /* of a backend, else NULL */
	const struct model_backend *backend; /* likewise */
	const struct model_service *service; /* of another site's VIP, else NULL */
	const struct model_site *site;       /* where the target is: its group */
	const struct model_check *check;
	struct target_path *paths; /* in the table; a round is good when all of them are */
	uint32_t n_paths;          /* at least 1 */
	struct pace pace;
	struct verdict_rule rule;
	struct damp_rule damp_rule; /* turns 0 for what is no backend */
	int page_index;             /* in the health page */

	/*
	 * Of a tunnel's paths, one bit each: those that were good once in a round that counted; and
	 * those that never were and failed in the last such round, while others were good.
	 */
	uint16_t worked, lacks;

	verdict_word verdict;
	bool restored, inconclusive, failing;
	bool proven;   /* a VIP: a check of this address and port has succeeded here once */
	bool unproven; /* a default check that has never succeeded here: no vote */
	bool is_new;   /* a later document brought the VIP, and nobody has seen it up */
	int64_t moved_s; /* a VIP: when it got this address, as this node took it; 0: not in this process */
	struct damp damp;
	bool spared;            /* held, but up for want of others */
	uint8_t tallied;        /* what it adds to its pool's tally */
	uint16_t tallied_lacks; /* likewise */
	enum health_reason last;
	unsigned last_detail;
	uint32_t last_path; /* the one that decided */
	bool last_late, last_unready;
	uint64_t vague_ms; /* since when no probe has had a vote; 0: the last one had */
	int64_t since_s;
	uint64_t since_document; /* first document with this target and mark */
	struct target_counts counts;

	enum target_phase phase;
	struct loop_timer timer;
	uint64_t due_ms, sent_ms, done_ms; /* of the last probe; 0: none yet */
	uint64_t deadline_ms;
	uint64_t witness_ms; /* from when on controls must answer, so that silence is a failure */
	bool late;
	uint32_t n_over, n_good;             /* paths, in this round */
	uint16_t good_paths, voteless_paths; /* likewise, one bit each */
	/* in this round: the first path without a vote that failed, and how; NULL: none */
	struct target_path *voteless;
	enum health_reason voteless_reason;
	unsigned voteless_detail;
	unsigned good_detail;
	/* in this round: the last path that lacked the means; NULL: none */
	struct target_path *lacking;
	unsigned lacking_detail;
};

/* A service of the own site in one family; its word follows from the pool's backends. */
struct derived {
	uint64_t id;
	const struct model_service *service;
	const struct model_vip *vip;
	const struct model_pool *pool;
	bool ip4;
	int page_index;
	health_word word;
};

/*
 * How a pool's targets stand. @c n_held: they answer, but damping alone holds them down; @c n_tried:
 * probed at least once; @c n_lacking: of those that are up, to how many each path has never worked
 */
struct pool_tally {
	uint32_t n, n_up, n_sure, n_unknown, n_doubt, n_restored, n_vague, n_held, n_tried;
	uint32_t n_lacking[PROBE_PATHS_MAX];
	uint16_t worked;          /* paths that were good once at one of them */
	const struct target *any; /* one of them: all have the same paths */
};

struct targets {
	struct model *model;  /* owned */
	struct target *items; /* sorted by id */
	size_t n;
	struct target_path *paths;
	size_t n_paths;
	struct derived *derived;
	size_t n_derived;
	struct pool_tally *tallies; /* by model_pool.index */
	bool *changed; /* likewise: whether the tally has changed since its services were derived */
};

/*
 * Build the table for @p model, which it owns from now on (also on failure: freed).
 * @return 0, -ENOENT (no own node), -E2BIG (over HEALTH_TARGETS_MAX) or -ENOMEM
 */
MUST_CHECK int targets_new(struct model *model, struct targets **out);
/* No attempt or timer may be running. NULL is fine. */
void targets_free(struct targets *t);
struct target *targets_find(const struct targets *t, uint64_t id);
/* Take over what the target's predecessor knew: the counts, and the verdict unless it is of another address. */
void target_inherit(struct target *t, const struct target *old);
/*
 * Take over the round that is under way, after target_inherit(), if the new document asks the same of
 * the same addresses. @p old is idle then; its timer still runs, and that of @p t does not yet.
 */
void target_inherit_round(struct target *t, struct target *old);
/*
 * The state to publish: the verdict's, unless damping holds the target down, or it has no vote yet.
 */
enum health_state target_state(const struct target *t);
/* Whether programs say what it is: nothing is sent to it. */
bool target_is_external(const struct target *t);
/* Nothing is known of it any more; its turns stay. */
void target_forget(struct target *t);
/*
 * Whether the target has been in service: it is up, or was once. What has served before goes on
 * with the paths that worked here; what is new must have those that work at others of its pool.
 */
bool target_has_joined(const struct target *t);
/*
 * Whether a failure of its @p k-th path is one of the target, where other paths are good. A path that
 * has never worked here has no vote.
 */
bool target_path_votes(const struct target *t, const struct pool_tally *pool, uint32_t k);
/* What path @p k is called in a saved file. */
uint32_t target_path_digest(const struct target *t, uint32_t k);
/* Start from a word of the health page or of the saved file. */
void target_restore(struct target *t, health_word word);
/* The word to publish. */
health_word target_word(const struct target *t);

/*
 * Give each target its place in the health page @p page.
 * @return 0, or -errno of health_set_targets(), -ENOMEM
 */
MUST_CHECK int targets_lay_out(const struct targets *t, struct health_page *page);

/* Mark the targets with what is known of VIPs. @return whether any has changed */
bool targets_mark_vips(struct targets *t, const struct vips *v);
/* Count each pool's targets again. */
void targets_tally(struct targets *t);
/*
 * Count backend @p x again, after its state may have changed. @return whether the tally of its pool has
 * changed
 */
bool targets_retally(struct targets *t, struct target *x);

/*
 * The word of a service from its pool's targets: up when one is up; unknown when none is but one is
 * unknown; else down. Without a check it is up. In doubt when there is doubt about some and none is
 * up without; inconclusive and restored when all are. Down, too, if its own path (@p path of the
 * pool's, -1: none) has never worked at any of those that are up.
 */
health_word derive_word(const struct pool_tally *y, int path, bool has_check, int64_t since_s);
/* Which of the pool's paths is that of @p d; -1: none */
int derived_path(const struct derived *d, const struct pool_tally *y);

#endif
