/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Peer health: what all nodes see of the services' targets, from the own health page and the peers'
 * peer health pages (weir/peer_page.h), copied into memory of a generation. A word that was read stays when its
 * page goes, changes its layout or gets old.
 *
 * Implemented in dns/steering/peer_health.c; called by the thread that owns the generation.
 */
#ifndef WEIR_DNS_STEERING_PEER_HEALTH_H
#define WEIR_DNS_STEERING_PEER_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "dns/steering/majority.h"
#include "weir/health.h"
#include "weir/model.h"

struct arena;
struct decided;
struct page;
struct steering;

#define PEER_HEALTH_NODES_MAX    256 /**< nodes, as in the schema */
#define PEER_HEALTH_MAJORITY_MIN 3   /**< voting sites from which on their votes are counted */

/** What one node sees. */
struct node_health {
	const char *node;
	const struct model_site *site;
	bool own, fresh;
	struct page *page;  /**< a peer's; NULL: there is none yet */
	uint32_t epoch;     /**< of the page when it was read */
	uint64_t tried_ms;  /**< when the page was looked for; 0: never */
	uint32_t layout;    /**< health_page.generation that `indices` was made for */
	bool found;         /**< `indices` is valid */
	int *indices;       /**< each target's index in the page; -1: not there */
	health_word *words; /**< of each target */
};

/** All nodes; those of one site are neighbours. Target 2 * state + ip4 as in steering_state. */
struct peer_health {
	size_t n, n_targets;
	struct node_health *items;
	uint64_t *targets;
	const struct model_site **site_of_state;       /**< each state's site */
	const struct model_service **service_of_state; /**< each state's service; NULL: not known */
	/** Sites that a person took out: they do not vote; bits by model_site.index. */
	uint64_t sites_out;
	health_word *read; /**< the words of one page until it is known to be sound */
	bool votes; /**< enough sites are left to vote, rather than each node trusting itself */
	const struct decided *decided; /**< the targets that were down; NULL: not known */
};

/** The sites that vote: all with a node, but for those that a person has taken out. */
struct peer_health_sites {
	uint32_t n, n_heard; /**< heard: an observation of the site is fresh */
	uint64_t lost;       /**< the others, one bit each */
};

/** Where peer_health_read() looks. */
struct peer_health_input {
	const struct health_page *own; /**< NULL: none yet */
	/** Whose payload `own` is; NULL: none that could be damaged. */
	const struct page *own_page;
	uint64_t own_good_until_ms;
	const char *run_dir; /**< where the peers' pages are; NULL: peers are not read */
	uint64_t now_ms;
};

/** Make room for the nodes of @p m in @p a, names borrowed. @return NULL when out of memory */
struct peer_health *peer_health_new(const struct model *m, const struct steering *p,
                                    struct arena *a) MUST_CHECK NONNULL();
/** Unmap the peers' pages. NULL is fine. */
void peer_health_close(struct peer_health *v);
/** The own page was replaced: look its targets up again. */
void peer_health_forget_own(struct peer_health *v) NONNULL();
/** Read what has changed. */
void peer_health_read(struct peer_health *v, const struct peer_health_input *input) NONNULL();
/** Count the sites that vote. */
struct peer_health_sites peer_health_sites(const struct peer_health *v) NONNULL();
/**
 * Whether enough was seen to decide: most of the sites that vote are heard, or else the own words were read.
 */
bool peer_health_is_settled(const struct peer_health *v) NONNULL();
/** Whether @p site has a node. */
bool peer_health_has_nodes(const struct peer_health *v, const struct model_site *site) NONNULL();
/** Whether @p site counts, as a voter and in the total, when it is decided that a site is dead. */
bool peer_health_decides(const struct peer_health *v, const struct model_site *site) NONNULL();
/** From now on @p sites (as peer_health.sites_out) do not vote. */
void peer_health_exclude(struct peer_health *v, uint64_t sites) NONNULL();
/**
 * The word in force for a target: with PEER_HEALTH_MAJORITY_MIN voting sites or more the
 * majority's, else the own one. If no other site checks the target (no check, or a default one that
 * never succeeded from any other node), its own site alone votes.
 */
struct majority peer_health_of_target(const struct peer_health *v, size_t target) NONNULL();
/** What the nodes of all sites but @p site see, whether these sites vote or not. */
struct majority peer_health_from_outside(const struct peer_health *v, size_t target,
                                         const struct model_site *site) NONNULL();
/** What the nodes of @p site itself see, whether it votes or not. */
struct majority peer_health_from_inside(const struct peer_health *v, size_t target,
                                        const struct model_site *site) NONNULL();
/**
 * Whether every node outside of @p site says of its check that it never succeeded there, or says
 * nothing.
 */
bool peer_health_is_unproven(const struct peer_health *v, size_t target,
                             const struct model_site *site) NONNULL();
/**
 * Whether the VIP behind a target at @p site came with a later version and no node outside has seen
 * it up. About the own site, a peer must have said so lately: lost observations take nothing out.
 */
bool peer_health_is_new(const struct peer_health *v, size_t target, const struct model_site *site)
        NONNULL();

#endif
