/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Questions about the facts of one moment, as the engine and the guards ask them.
 *
 * Pure; implemented in mgmt/operations/facts.c. Any thread.
 */
#ifndef WEIR_MGMT_OPERATIONS_FACTS_H
#define WEIR_MGMT_OPERATIONS_FACTS_H

#include "mgmt/operations/operation.h"
#include "mgmt/operations/operation_facts.h"

/** The site with this name; NULL: it is not configured. */
const struct operation_site *facts_site(const struct operation_facts *facts, const char *name);
/** Whether the node counts: reached, and not named absent. */
bool facts_is_counted(const struct operation *op, const struct operation_node *node);
/**
 * The node that should own the operation instead of this one: the first by name that could and is at
 * none of its sites. NULL: there is none, or this node is itself at none of them. A drained site may
 * be switched off, and the owner with it.
 */
const struct operation_node *facts_find_better_owner(const struct operation *op,
                                                     const struct operation_facts *facts);
/** A node whose configuration does not have this one, if most of the others are such nodes; NULL. */
const struct operation_node *facts_find_remover(const struct operation_facts *facts);
/** Where one is that goes over the levels of all targets at all nodes; zeroed at the start. */
struct facts_level {
	bool of_servers; /**< set at the start: only those of nodes that count and are, as far as is known, name servers */
	size_t next;
	const struct operation_node *node;
	const struct operation_level *level;
	uint32_t target; /**< of which target it is */
};
/** Go on to the next level. @return false: there is none */
bool facts_next_level(const struct operation *op, const struct operation_facts *facts,
                      struct facts_level *at);
/** The highest epoch of the record and of all levels that are known. */
uint32_t facts_epoch(const struct operation *op, const struct operation_facts *facts);
/** Another operation that moves levels; NULL: none. @return its id */
const char *facts_find_mover(const struct operation *op, const struct operation_facts *facts);
/** Whether the other operation began before this one: of two that exclude each other it goes on. */
bool facts_is_older(const struct operation_other *other, const struct operation *op);
/**
 * Whether clients can be sent to the site: as seen from outside, or by its own pools where no site
 * can check it.
 */
enum operation_truth facts_is_up(const struct operation_site *site);
/** Whether the running way brings clients to the site. A site that is out or down gets none. */
bool facts_gains(const struct operation *op, const struct operation_site *site);
/**
 * Whether the running way brings load to the site: it gains clients, or a drained target has a backup pool
 * there, although no name chooses it.
 */
bool facts_receives(const struct operation *op, const struct operation_site *site);
/** Whether all targets are down as seen from outside, and that is known. */
bool facts_targets_down(const struct operation *op, const struct operation_facts *facts);
/** Whether packets of a target can be measured: a node of it takes part, and it is not down. */
bool facts_is_measured(const struct operation_site *target);
/** The point of the plan (operation_site.at) of the step that runs, or of the next one. */
uint32_t facts_point(const struct operation *op);
/** Whether it drains whole sites, all of each. */
bool facts_is_complete(const struct operation *op);
/** The targets' part of all new flows, measured and by the projection at the running point. */
struct operation_value facts_share(const struct operation *op, const struct operation_facts *facts);
struct operation_value facts_expected(const struct operation *op,
                                      const struct operation_facts *facts);

#endif
