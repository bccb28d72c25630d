/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What the guards of overrides see: health, loads, and for the drain of a node what the nodes
 * announce and which pools are unsettled.
 *
 * Implemented in mgmt/controller/guard_facts.c; for the threads of handlers.
 */
#ifndef WEIR_MGMT_CONTROLLER_GUARD_FACTS_H
#define WEIR_MGMT_CONTROLLER_GUARD_FACTS_H

#include "base/checked.h"
#include "mgmt/observe/observe.h"
#include "mgmt/peers/peers.h"
#include "mgmt/overrides/guard.h"

#define GUARD_FACTS_TIMEOUT_MS 1500 /**< for all peers together: a person waits */

/** The observations, with what they point to. */
struct guard_facts {
	struct guard_observed observed;
	struct guard_rate loads[GUARD_SITES_MAX];
	struct guard_rate flows[GUARD_SITES_MAX]; /**< of sites where they are known */
	size_t n_flows;
	struct guard_node nodes[PEERS_MAX + 1];
	struct guard_unsettled *pools;
	struct guard_said own;             /**< of this node; without words: not known */
	struct guard_said said[PEERS_MAX]; /**< of the others */
	size_t n_said;
};

/**
 * What this node announces, as its weir-announce shows it: for guard_said_fini(); without words if that
 * is not known. Not under the lock. @return 0 or -ENOMEM
 */
MUST_CHECK int guard_facts_own(const struct core *core, struct guard_said *out);
/**
 * Look at what nodes announce, before the lock is taken; with @p queries also at the other nodes,
 * which takes GUARD_FACTS_TIMEOUT_MS at most. @return 0 or -ENOMEM; then, too, guard_facts_close()
 */
MUST_CHECK int guard_facts_open(struct core *core, bool queries, struct guard_facts *out);
/**
 * Ask all nodes for the new flows of all sites, for the drain of a site; before the lock is taken, after
 * guard_facts_open(). Nobody is asked where no site states a capacity of flows: a person waits for the answers. Where a
 * node is silent, those of its site are a part.
 */
void guard_facts_query_flows(struct core *core, struct guard_facts *out);
/**
 * Gather the rest, for the drain of node @p node; NULL: of something else. Under the lock, and good
 * as long as it is held; @p pages are the caller's.
 * @return 0 or -ENOMEM
 */
MUST_CHECK int guard_facts_gather(struct core *core, const struct observe_pages *pages,
                                  const char *node, struct guard_facts *out);
void guard_facts_close(struct guard_facts *s);

#endif
