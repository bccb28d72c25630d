/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What an operator should know of a configuration that is neither an error nor a risk: which nodes
 * probe its VIPs from other sites and how often, and which sites vote on the removal of a site.
 *
 * Implemented in mgmt/rules/advice.c. Pure functions: any thread may call them.
 */
#ifndef WEIR_MGMT_RULES_ADVICE_H
#define WEIR_MGMT_RULES_ADVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/model.h"

struct arena;

/** How often a VIP is probed by nodes of other sites while nothing is in doubt. */
struct advice_probes {
	const char *vip;
	size_t n_nodes;
	uint64_t milli_per_s, milli_per_s_before; /**< a thousandth of a probe a second */
};

/** A node and its site: the sites that have one vote. */
struct advice_node {
	const char *site, *node;
};

/** A backend that the nodes of a site must be able to reach. */
struct advice_backend {
	const char *site, *pool, *backend;
	struct addr address;
	bool l2; /**< on a link of the node's, without a gateway between */
};

struct advice {
	const char *const *warnings; /**< sentences */
	size_t n_warnings;
	const struct advice_probes *probes; /**< of each VIP */
	size_t n_probes;
	const struct advice_node *nodes; /**< those of a site side by side */
	size_t n_nodes;
	const struct advice_backend *backends; /**< of each backend */
	size_t n_backends;
};

/**
 * Collect the advice on @p to. Texts are in @p arena, which has failed if there was no memory.
 * @param from  the model before; NULL: there was none
 */
struct advice advice_of(const struct model *from, const struct model *to, struct arena *arena);
/**
 * Why no other site probes the VIPs of @p service, as a sentence. NULL: one does, or the service
 * has one VIP.
 */
const char *advice_unwatched(const struct model_service *service);
/**
 * Why what @p node is given to announce is not announced, as a sentence. NULL: it is announced, or
 * the node is given nothing.
 */
const char *advice_unannounced(const struct model_node *node);

#endif
