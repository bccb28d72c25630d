/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Composing the effective document: the configuration, the overrides, and each pool's member sets.
 *
 * Member sets are not stored, they are computed. At any instant a pool's members follow from the
 * version in force then, from the members that programs have put there (mgmt/overrides/member.h), and from the
 * overrides of backends in force then, and all of these carry their instants with them. A registered member is a
 * backend of its pool until it is gone, so that whoever reads documents knows it without further rules. So a node that was away, or has just started, composes the same sets as
 * the others from the same intent. A change takes effect COMPOSE_AHEAD_MS after it was made, and is
 * announced as the next set until then.
 *
 * A pure module: time is passed in, nothing is read or written.
 *
 * Implemented in mgmt/overrides/compose.c. Any thread may call.
 */
#ifndef WEIR_MGMT_OVERRIDES_COMPOSE_H
#define WEIR_MGMT_OVERRIDES_COMPOSE_H

#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/overrides/member.h"
#include "mgmt/overrides/override.h"
#include "weir/model.h"

struct arena;

/** How long before it takes effect a member set is announced. */
#define COMPOSE_AHEAD_MS OVERRIDE_ANNOUNCED_MS

/** A configuration and since when it is in force. */
struct compose_version {
	const struct model *model;
	int64_t time_ms;      /**< it was made */
	int64_t effective_ms; /**< member sets change by it */
};

struct compose_input {
	const struct compose_version *versions; /**< oldest first; the last is the head */
	size_t n_versions;                      /**< at least 1 */
	/** An effective document in place of lost versions; usually NULL. */
	const struct model *seed;
	/**
	 * The document before this one: its sets are used for instants before the versions at hand;
	 * NULL: there is none.
	 */
	const struct model *before;
	const struct overrides *overrides;
	const struct member_list *members; /**< NULL: none */
	struct model_meta meta;            /**< of the document to be */
	int64_t now_ms;
};

/**
 * Compose the effective document. Its sets have at most MODEL_MEMBERS_MAX members together: beyond
 * that the oldest go, those of agents' pools with more than four first; the set in force and the
 * next one stay.
 *
 * @param arena  owns what is new in @p out; the rest is borrowed from the input
 * @param out    a model to be written, not to be freed
 * @return 0 or -ENOMEM
 */
MUST_CHECK int compose_document(const struct compose_input *in, struct arena *arena,
                                struct model *out);

/** The next instant at which the document of @p in would be another one; MODEL_TIME_NEVER. */
int64_t compose_next_ms(const struct compose_input *in);

/**
 * The members of @p p at @p at_ms. @return sorted by id, in @p
 * arena; NULL when out of memory
 */
MUST_CHECK const struct model_member *compose_members(const struct member_pool *p,
                                                      const struct overrides *overrides,
                                                      int64_t at_ms, struct arena *arena,
                                                      size_t *n_members);

#endif
