/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A snapshot of everything at one instant. Under the core's lock, what is small is copied and the
 * model is shared. Then the lock is free, and long lists (there may be ten thousand backends) are
 * made from the snapshot and the pages.
 *
 * Implemented in mgmt/status/look.c. Handlers' threads, the observer and the main thread take looks;
 * each look belongs to the thread that took it.
 */
#ifndef WEIR_MGMT_STATUS_LOOK_H
#define WEIR_MGMT_STATUS_LOOK_H

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/observe/node_drain.h"
#include "mgmt/observe/observe.h"
#include "mgmt/peers/peers.h"
#include "mgmt/sync/confirm_well.h"

/** What is to be said of a registered backend besides that it is one. */
struct look_member {
	uint64_t key; /**< member_key() */
	bool leaves;  /**< else its ttl is over */
};

/** To be read by its owner alone; core is the only thing in it that still changes. */
struct look {
	struct core *core;
	struct intent_shared *shared;
	const struct model *m;       /**< NULL: there is no configuration */
	struct overrides overrides;  /**< a copy */
	struct look_member *members; /**< of which more is to be said, sorted by key */
	size_t n_members;
	struct version head; /**< if has_head */
	bool has_head;
	/** the one that is to be confirmed, here or elsewhere; number 0: none */
	struct version waiting;
	char waits[CONFIRM_WELL_TEXT_MAX]; /**< for what the head waits, as confirm_well_say() */
	bool joins; /**< no version yet, for a reason that is stated: the store is asked, or the document is refused */
	uint64_t document;
	const char *store_state;
	char store_reason[EVENT_TEXT_MAX], unwritten_reason[EVENT_TEXT_MAX];
	struct observe_pages pages;
	uint64_t running_ms; /**< since weir-mgmt started */
	struct gather_process processes[OBSERVE_COUNT];
	struct conditions conditions[OBSERVE_COUNT]; /**< where the process has_conditions */
	struct gather_process supervisor;            /**< weir run, if one was started here */
	struct conditions supervisor_conditions;     /**< if it has_conditions */
	struct peers_report peer_reports[PEERS_MAX];
	size_t n_peer_reports;
	struct node_drain drain; /**< of this node, as node_drain_copy() */
	bool has_token;          /**< a peer.token is there, or it is not known yet */
	json_t *dns;             /**< as observe_dns() */
	struct guard_rate loads[GUARD_SITES_MAX];
	size_t n_loads;
	int64_t now_ms; /**< wall time */
};

/** Take it; @p l is zeroed. Not under the lock. @return 0 or -ENOMEM; then look_fini() all the same */
int look_init(struct core *core, struct look *l) MUST_CHECK;
void look_fini(struct look *l);

/** "registered", "leaving", "expired"; NULL: no program registered @p b. */
const char *look_member_state(const struct look *l, const struct model_pool *pool,
                              const struct model_backend *b);
/** What the peer @p node reported last; NULL: it is not known as a peer. */
const struct peers_report *look_peer(const struct look *l, const char *node);

#endif
