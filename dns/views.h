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
struct page;
struct place;

#define VIEWS_MAX          64 /**< nodes; more than that are not looked at */
#define VIEWS_MAJORITY_MIN 3  /**< sites of a document from which on views are counted */

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
	size_t n, n_targets, n_sites; /**< sites of the document */
	struct view *items;
	uint64_t *targets;
};

/** What there is to be seen now. */
struct views_seen {
	const struct health_page *own; /**< NULL: none yet */
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
/** The word in force for a target: the own one, from VIEWS_MAJORITY_MIN sites on the majority's. */
struct majority views_of(const struct views *v, size_t target);
/** The same as seen by the nodes of all other sites than @p site alone. */
struct majority views_from_outside(const struct views *v, size_t target,
                                   const struct model_site *site);

#endif
