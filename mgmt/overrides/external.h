/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * External verdicts: what programs say of targets whose check is of type `external` (PUT /v1/verdicts/POOL/BACKEND).
 *
 * A verdict stands for its ttl, then the target is unknown. Nothing of it is written to a store: nodes tell each other
 * (mgmt/peers/externals.h), and weir-health judges by it (include/weir/external_page.h).
 *
 * Each has a stamp (mgmt/overrides/hlc.h). Of two of one target the later one holds, in whichever order they come; where
 * stamps are equal, what they say decides (compare_said() in external.c). So all nodes that have heard the same have the same.
 *
 * A verdict is remembered beyond its end, until nothing that it replaced could stand any more: else a node that missed
 * it would bring the former one back. One that is taken back is such a memory alone.
 *
 * Times that end a verdict are monotonic, and between nodes their ages go: a node whose wall clock is wrong ends none
 * too early. The stamp alone is wall time.
 *
 * Pure; implemented in mgmt/overrides/external.c. A list belongs to one thread at a time.
 */
#ifndef WEIR_MGMT_OVERRIDES_EXTERNAL_H
#define WEIR_MGMT_OVERRIDES_EXTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/overrides/member.h"
#include "mgmt/overrides/member_pace.h"
#include "mgmt/overrides/override.h"
#include "record/fields.h"
#include "weir/health.h"
#include "weir/model.h"

#define EXTERNAL_REASON_MAX 201u /**< bytes, with the NUL */
#define EXTERNALS_KNOWN_MAX                                                                        \
	20000u                    /**< of all pools together, with those that are only remembered */
#define EXTERNAL_SHOWN_MS 600000u /**< so long one that has ended is shown with who said it */
/** The longest that one may be remembered: the longest ttl, and what is shown behind it. */
#define EXTERNAL_KEPT_MAX_MS (MEMBER_TTL_MOST_S * 1000u + EXTERNAL_SHOWN_MS)

struct external {
	char pool[MODEL_NAME_MAX], backend[MODEL_NAME_MAX];
	enum health_state state; /**< HEALTH_UNKNOWN: it was taken back */
	uint32_t ttl_s;          /**< 0 where it was taken back */
	char reason[EXTERNAL_REASON_MAX];
	char principal[PRINCIPAL_MAX]; /**< who said it */
	char node[MODEL_NAME_MAX];     /**< to which node */
	uint64_t stamp;
	/* between nodes alone: */
	uint64_t age_ms, kept_ms; /**< since it was said; for how long it is remembered yet */
	/* in memory alone: */
	int64_t said_ms,
	        kept_until_ms; /**< monotonic, of this node; before its boot they are negative */
	uint64_t seq;          /**< of the list's changes, at its last one */
};

/** As nodes tell it; read, names, texts and numbers are those of a verdict. */
extern const struct record_kind external_record;

/** Zeroed but for the epoch: nothing was said. */
struct external_list {
	struct external **items; /**< sorted by pool, then backend */
	size_t n, room;
	uint64_t epoch;              /**< of this process: what seq counts */
	uint64_t seq;                /**< counts changes */
	uint64_t own_seq;            /**< the last change that was said to this node */
	uint64_t newest;             /**< the latest stamp of all that were known */
	uint64_t n_ahead, n_no_room; /**< told by other nodes, and not taken */
	struct member_pace pace;     /**< of those that are said here */
};

/** Whether programs give the verdicts on the backends of @p pool. */
bool external_judges(const struct model_pool *pool);
/** The verdict as it stands at @p now_ms; of one whose time is over, or NULL: unknown. */
enum health_state external_state(const struct external *e, uint64_t now_ms);
/** When it ends; monotonic, as said_ms. */
int64_t external_end_ms(const struct external *e);

/** @return NULL: there is none; borrowed until a change of the list */
const struct external *externals_find(const struct external_list *all, const char *pool,
                                      const char *backend);
/**
 * A program says @p e, which has no stamp yet, to this node at @p now_ms, monotonic; it gets the next stamp at @p wall_clock_ms.
 * @return 0; -ENOSPC (EXTERNALS_KNOWN_MAX) or -ENOMEM: nothing has changed
 */
MUST_CHECK int externals_say(struct external_list *all, const struct external *e, uint64_t now_ms,
                             int64_t wall_clock_ms);

/** What became of a verdict that another node told. */
enum external_heard {
	EXTERNAL_ACCEPTED,
	EXTERNAL_NOT_NEWER, /**< it is known, or a later one is */
	EXTERNAL_IS_OVER,   /**< nobody needs to remember it */
	EXTERNAL_IS_AHEAD,  /**< its stamp is too far ahead of this node's clock */
	EXTERNAL_NO_ROOM,
};
/** Another node told @p e, with the ages that it had at @p true_ms, monotonic of this node. */
enum external_heard externals_hear(struct external_list *all, const struct external *e,
                                   uint64_t true_ms, uint64_t now_ms, int64_t wall_clock_ms);
/** Forget what need not be remembered any more. */
void externals_forget(struct external_list *all, uint64_t now_ms);
/**
 * List what has changed since @p seq, the oldest change first, up to @p most.
 * @param out  room for @p most; borrowed until a change of the list
 * @return how many
 */
size_t externals_since(const struct external_list *all, uint64_t seq, const struct external **out,
                       size_t most);
void externals_fini(struct external_list *all);

#endif
