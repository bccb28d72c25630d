/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * One health word from what several nodes see of one target (a service at a site in one address
 * family).
 *
 * Sites vote. Every site that has a node votes, also if it cannot be heard. An observation that is
 * not fresh, or whose word is unknown, inconclusive or restored, is *lost*. Lost observations could
 * say either:
 *
 *   a site's vote    nodes that say down      down of the target   sites that say down
 *   down             most of its nodes        down                 most of the sites
 *   up               not most, whatever the   up                   not most, whatever the
 *                    lost ones would say                           lost ones would say
 *   lost             otherwise                as it was            otherwise
 *
 * So lost observations change nothing: a site that is up stays in the answers, and a site that is
 * down stays out. What a site observes of itself (from its pools) is one vote like any other.
 *
 * Pure: implemented in dns/steering/majority.c; any thread.
 */
#ifndef WEIR_DNS_STEERING_MAJORITY_H
#define WEIR_DNS_STEERING_MAJORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/health.h"

/** What one node observes of the target. Observations of one site are neighbours. */
struct majority_node {
	uint32_t site;
	bool own; /**< this node's: of equal words, its reason is used */
	bool fresh;
	health_word word;
};

/** What is in force before the observations are counted. */
enum majority_was {
	MAJORITY_WAS_UP, /**< or unknown: the site is in the answers */
	MAJORITY_WAS_DOWN,
	MAJORITY_WAS_UNKNOWN, /**< nothing was kept: what is lost counts by its last word this once */
};

struct majority {
	uint32_t n_up, n_down, n_lost; /**< sites by their votes */
	bool held;                     /**< the observations do not suffice: the last state stays */
	health_word word;              /**< in doubt when a voter is, or when the sites disagree */
};

/** Count what @p n nodes say, which may be none (the word is 0 then). */
struct majority majority_of(const struct majority_node *nodes, size_t n, enum majority_was was);

#endif
