/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What all nodes see of the services' targets: the own health page and the peers' view pages
 * (weir/view.h), read into memory of a generation. Words that were read stay when a page goes, is
 * laid out anew or ages.
 */
#ifndef WEIR_DNS_VIEWS_H
#define WEIR_DNS_VIEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/majority.h"
#include "weir/health.h"
#include "weir/model.h"

struct arena;
struct decided;
struct page;
struct place;

#define VIEWS_MAX          64 /**< nodes, as in the schema */
#define VIEWS_MAJORITY_MIN 3  /**< voting sites from which on views are counted */

/** What one node sees. */
struct view {
	const char *node;
	const struct model_site *site;
	bool own, fresh;
	struct page *page; /**< another node's; NULL: there is none yet */
	uint32_t epoch;    /**< of the page when it was read */
	uint64_t tried_ms; /**< when the page was looked for; 0: never */
	uint32_t layout;   /**< health_page.generation that the places are of */
	bool found;
	int *places;        /**< of each target in the page; -1: not there */
	health_word *words; /**< of each target */
};

/** All views; those of one site stand side by side. Target 2 * state + ip4 as in place_state. */
struct views {
	size_t n, n_targets;
	struct view *items;
	uint64_t *targets;
	const struct model_site **at;      /**< where each state of the place is */
	const struct model_service **what; /**< and of which service; NULL: not known */
	uint64_t
	        sites_out; /**< model_site.index, one bit each, that do not vote: a person has taken them out */
	health_word *read; /**< room for the words of one page until it is known to be sound */
	bool votes; /**< enough sites are left to vote, rather than each node trusting its own view */
	const struct decided *decided; /**< what is in force; NULL: nothing is known of that */
};

/** The sites that vote: those that have a node, without those that a person has taken out. */
struct views_sites {
	uint32_t n, n_heard; /**< heard: a view of the site is fresh */
	uint64_t lost;       /**< the others, one bit each */
};

/** What there is to be seen now. */
struct views_seen {
	const struct health_page *own; /**< NULL: none yet */
	const struct page
	        *own_page; /**< of which it is the payload; NULL: of none that could be damaged */
	uint64_t own_good_until_ms;
	const char *run_dir; /**< where the others' views are; NULL: they are not looked for */
	uint64_t now_ms;
};

/** Make room for the nodes of @p m in @p a, names borrowed. @return NULL when out of memory */
struct views *views_new(const struct model *m, const struct place *p, struct arena *a);
/** Unmap the others' pages. NULL is fine. */
void views_close(struct views *v);
/** The own page is another one from now on: its places are looked up again. */
void views_forget_own(struct views *v);
/** Read what has changed. */
void views_read(struct views *v, const struct views_seen *seen);
/** Count the sites that vote. */
struct views_sites views_sites(const struct views *v);
/** From now on @p sites (as views.sites_out) do not vote. */
void views_take_out(struct views *v, uint64_t sites);
/**
 * The word in force for a target: the own one, from VIEWS_MAJORITY_MIN voting sites on the majority's. Where nobody looks
 * from outside (no check, or a default one that every other node says never succeeded) the site itself is the only one that votes.
 */
struct majority views_of(const struct views *v, size_t target);
/** What the nodes of all other sites than @p site see, whether these vote or not. */
struct majority views_from_outside(const struct views *v, size_t target,
                                   const struct model_site *site);
/** Whether every node outside of @p site says of its check that it never succeeded there, or says nothing. */
bool views_unproven(const struct views *v, size_t target, const struct model_site *site);
/**
 * Whether the VIP behind a target at @p site came with a later version and no node outside has seen it up.
 * Of the own site others must say so, and lately; so what is lost takes nothing out.
 */
bool views_is_new(const struct views *v, size_t target, const struct model_site *site);

#endif
