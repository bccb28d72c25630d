/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * One word out of what several nodes see of one target (a service at a site in one address
 * family). Pure.
 *
 * Sites vote, not nodes: a site's vote is down if most of its nodes that have one say down.
 * A target is down if a strict majority of the voting sites says so. A view that is not
 * fresh, or whose word is unknown, inconclusive or restored, has no vote; a site's view of itself
 * (from its pools) is one vote like any other. When nobody has a vote, nothing new is known:
 * then the last words that anybody had decide in the same way, so that what is in force stays.
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

struct majority {
	uint32_t n_up, n_down; /**< sites that voted so */
	bool last_known;       /**< nobody had a vote: these are from the last words */
	health_word word;      /**< in doubt when a voter is, or when the sites disagree */
};

/** Whether a view has a vote. */
bool majority_has_vote(const struct majority_view *view);
/** Count @p n views, which may be none (the word is 0 then). */
struct majority majority_of(const struct majority_view *views, size_t n);

#endif
