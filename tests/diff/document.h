/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The documents of stage.h: one site, VIP and node, some pools, and what is wanted of their
 * backends.
 */
#ifndef WEIR_TESTS_DIFF_DOCUMENT_H
#define WEIR_TESTS_DIFF_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diff/stage.h"
#include "weir/model.h"

#define DOCUMENT_SETS_MAX  6u /**< that a document keeps of a pool here, the next one counted */
#define DOCUMENT_SERVICES  9u
#define DOCUMENT_SETTLE_MS 60000u

/** A backend, as a person and its check say. */
struct candidate {
	uint32_t weight;
	bool is_member, is_dead, is_disabled;
};

/** A set of members, by value: documents come and go. */
struct set {
	int64_t from_ms, until_ms;
	struct model_member members[STAGE_BACKENDS];
	size_t n;
};

/** What a person wants, and checks see. */
struct document_intent {
	struct candidate candidates[STAGE_POOLS][STAGE_BACKENDS];
	struct set sets[STAGE_POOLS][DOCUMENT_SETS_MAX]; /**< oldest first */
	size_t n_sets[STAGE_POOLS];
};

/** A document; the node has one in force while the next is made. */
struct document {
	struct model model;
	struct model_pool pools[STAGE_POOLS];
	struct model_set sets[STAGE_POOLS][DOCUMENT_SETS_MAX];
	struct set copies[STAGE_POOLS][DOCUMENT_SETS_MAX];
	struct model_override overrides[STAGE_POOLS * STAGE_BACKENDS];
	struct model_at at[DOCUMENT_SERVICES];
	struct model_service services[DOCUMENT_SERVICES];
};

extern const char *const document_pools[STAGE_POOLS];
extern const enum model_mode document_modes[STAGE_POOLS];
/** Set by document_surroundings(). */
extern struct model_backend document_backends[STAGE_POOLS][STAGE_BACKENDS];

struct dpdk;

/** Make what all documents have. */
void document_surroundings(void);
/** Make a document of what is wanted; @p dpdk reads it, too, or is NULL. */
void document_make(const struct document_intent *intent, uint64_t number, const struct dpdk *dpdk,
                   struct document *out);

/**
 * The members as they are wanted now are a set, the last, whose predecessor's claims end later by
 * @p claim_ms.
 */
void intent_announce(struct document_intent *intent, uint32_t pool, int64_t from_ms,
                     int64_t claim_ms);
/** Sets whose claims have ended by @p wall_clock_ms leave. */
void intent_forget(struct document_intent *intent, uint32_t pool, int64_t wall_clock_ms);

#endif
