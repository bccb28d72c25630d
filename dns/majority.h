/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * One word out of what several nodes see of one target (a service at a site in one address
 * family). Pure.
 *
 * Sites vote, and all that have a node: those that cannot be heard are counted too. A view that is not
 * fresh, or whose word is unknown, inconclusive or restored, is *lost*. With the lost ones either way:
 *
 *   a site's vote    nodes that say down      down of the target   sites that say down
 *   down             most of its nodes        down                 most of the sites
 *   up               not most, whatever the   up                   not most, whatever the
 *                    lost ones would say                           lost ones would say
 *   lost             otherwise                as it was            otherwise
 *
 * So lost views change nothing: what is up is not removed for them, and what is down stays out. A site's
 * view of itself (from its pools) is one vote like any other.
 */
#ifndef WEIR_DNS_MAJORITY_H
#define WEIR_DNS_MAJORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/health.h"

/** What one node sees of the target. Views of one site stand side by side. */
struct majority_view {
	uint32_t site;
	bool own; /**< this node's: of equal words its reason is told */
	bool fresh;
	health_word word;
};

/** What is in force before the views are counted. */
enum majority_was {
	MAJORITY_WAS_UP, /**< or unknown: it is answered */
	MAJORITY_WAS_DOWN,
	MAJORITY_WAS_UNKNOWN, /**< nothing was kept: lost views count by their last words this once */
};

struct majority {
	uint32_t n_up, n_down, n_lost; /**< sites by their votes */
	bool held;                     /**< the views do not suffice: it is as it was */
	health_word word;              /**< in doubt when a voter is, or when the sites disagree */
};

/** Whether a view has a vote. */
bool majority_has_vote(const struct majority_view *view);
/** Count @p n views, which may be none (the word is 0 then). */
struct majority majority_of(const struct majority_view *views, size_t n, enum majority_was was);

#endif
