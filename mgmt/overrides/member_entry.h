/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What a program asks of a pool's members, judged before any of it is written: all of it is done, or nothing.
 *
 * Pure; implemented in mgmt/overrides/member_entry.c. Entries belong to one thread.
 */
#ifndef WEIR_MGMT_OVERRIDES_MEMBER_ENTRY_H
#define WEIR_MGMT_OVERRIDES_MEMBER_ENTRY_H

#include "mgmt/overrides/guard.h"
#include "mgmt/overrides/member.h"

#define MEMBER_ENTRIES_MAX 1000u /**< of one request */

/** What comes of a entry: X(id, word). */
#define MEMBER_OUTCOMES(X)                                                                         \
	X(MEMBER_JOINS, "joins")     /* it was none, or comes back */                              \
	X(MEMBER_CHANGES, "changes") /* weight, ttl or labels */                                   \
	X(MEMBER_RENEWED, "renewed") /* it is so already: its ttl begins again */                  \
	X(MEMBER_LEAVES, "leaves")                                                                 \
	X(MEMBER_ABSENT, "absent") /* to be taken away, and it leaves or is none already */
#define MEMBER_OUTCOME_ID(id, word) id,
enum member_outcome { MEMBER_OUTCOMES(MEMBER_OUTCOME_ID) MEMBER_OUTCOMES_N };
#undef MEMBER_OUTCOME_ID
const char *member_outcome_text(int outcome);

/** Why a entry is refused. */
enum member_refusal {
	MEMBER_NOT_REFUSED,
	MEMBER_IS_TWICE,    /**< its name, or its address, is in two entries */
	MEMBER_IS_INVALID,  /**< its address is outside the prefixes */
	MEMBER_IS_IN_USE,   /**< its name or its address is somebody else's */
	MEMBER_IS_TOO_MUCH, /**< max_backends, or members of all pools */
};

struct member_entry {
	char id[MODEL_NAME_MAX];
	bool leaves; /**< the rest is not given then */
	struct addr address;
	uint32_t weight, ttl_s;
	char labels[MEMBER_LABELS_MAX];
	/* by member_entries_judge(): */
	enum member_outcome outcome;
	bool writes;          /**< member is to be written */
	struct member member; /**< as it will be, with the revision on which this rests */
	/** whose address it takes over, which leaves: the record is removed with it; "": nobody's */
	char replaced[MODEL_NAME_MAX];
	int64_t replaced_revision;
};

/** What all entries are judged by. */
struct member_judging {
	const struct model_pool *pool; /**< of the version in force, without members */
	const struct member_list *members;
	int64_t now_ms, at_ms; /**< changes take effect then: member_instant_ms() */
	const char *principal;
};
/** The first entry that is refused, and the reason. */
struct member_refused {
	enum member_refusal reason;
	size_t i; /**< which entry */
	char text[256];
};

/**
 * Judge all entries, which name each member once at most.
 * @return 0; -EINVAL: one is refused, and @p refused says which; or -ENOMEM
 */
MUST_CHECK int member_entries_judge(const struct member_judging *by, struct member_entry *list,
                                    size_t n, struct member_refused *refused);

/** Whether it takes new flows away: with weight 0 a backend has none, as if it left. */
bool member_entry_drains(const struct member_entry *w);

/**
 * Whether the pool keeps a backend for new flows when all entries are carried out, as the guard of a drain asks it
 * (GUARD_LAST_BACKEND). One that joins counts.
 * @param pool  with its members, of the effective document
 * @param drained  of each backend of @p pool: it gets no new flows, by what is newer than the document; NULL: none
 */
MUST_CHECK int member_entries_guard(const struct model_pool *pool,
                                    const struct overrides *overrides, const bool *drained,
                                    const struct member_entry *list, size_t n,
                                    const struct guard_observed *seen, int64_t now_ms,
                                    struct guard_result *r);

#endif
