/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Members: backends that programs put into a pool and take away, outside versions (pools[].registration).
 *
 * A member says since when it has which weight, and from when on it leaves. With that all nodes compose the same member
 * sets from the same members (mgmt/overrides/compose.h), whenever they heard of them. What begins at one instant is one
 * all, so instants are rounded up to MEMBER_GRID_MS: programs may change a thousand members a second, and a pool has two
 * sets a second at most.
 *
 * A member that leaves is drained: weight 0, and gone once no earlier set has a claim on its flows. When that is its record
 * says, by the settling time that is in force when it leaves: no later version brings back who is gone. The record stays
 * for as long again, so that a node that starts composes what the others have.
 *
 * A member whose pool does not have it any more by the version in force (another registration, or a backend of the same
 * name or address) is none, and is one again with a version that has it.
 *
 * Pure; implemented in mgmt/overrides/member.c. A set belongs to one thread at a time.
 */
#ifndef WEIR_MGMT_OVERRIDES_MEMBER_H
#define WEIR_MGMT_OVERRIDES_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"
#include "mgmt/overrides/override.h"
#include "record/fields.h"
#include "weir/model.h"

#define MEMBER_GRID_MS      500
#define MEMBER_INSTANTS_MAX 4u     /**< that are known of a member: the last ones */
#define MEMBER_LABELS_MAX   96u    /**< bytes of all its labels, "rack=7,zone=a", with the NUL */
#define MEMBER_LABELS_N     4u     /**< labels */
#define MEMBER_RECORD_MAX   512u   /**< bytes of its record */
#define MEMBER_WEIGHT_MAX   65535u /**< as of a backend */
#define MEMBER_TTL_LEAST_S  5u
#define MEMBER_TTL_MOST_S   86400u
#define MEMBERS_KNOWN_MAX   20000u /**< of all pools together, with those that leave */

struct member {
	char pool[MODEL_NAME_MAX], id[MODEL_NAME_MAX];
	struct prefix address;                /**< of one host */
	uint32_t ttl_s;                       /**< 0: it stays until it is taken away */
	int64_t since_ms;                     /**< it was put there; of the first instant */
	int64_t left_ms;                      /**< it leaves from then on; 0: it does not */
	int64_t gone_ms;                      /**< and is gone then; 0 with left_ms */
	uint32_t n_from, n_weights;           /**< the same number, 1 or more */
	int64_t from_ms[MEMBER_INSTANTS_MAX]; /**< rising */
	uint32_t weights[MEMBER_INSTANTS_MAX];
	char labels[MEMBER_LABELS_MAX]; /**< sorted by name */
	char principal[PRINCIPAL_MAX];  /**< who put it last */
	/* not in the record: */
	int64_t revision;    /**< of its record; 0: there is none */
	uint64_t key;        /**< member_key() */
	uint64_t heard_ms;   /**< monotonic: when its ttl began, as far as this node knows */
	uint64_t renewed_ms; /**< monotonic: a program last renewed it here; 0: never */
};

/** What another node heard of a member. */
struct member_heard {
	uint64_t key;
	uint64_t heard_ms; /**< monotonic, of this node */
};

/** How nodes call a member: 48 bits of a digest of pool and name. */
uint64_t member_key(const char *pool, const char *id);
/** Words of a renewal may be under way for so long. */
#define MEMBER_GRACE_MS 6000u
/** Whether its ttl is over since anybody heard of it, and nobody can have heard of it since. */
bool member_is_expired(const struct member *m, uint64_t now_ms);

/** Sorted by pool and name; zeroed is the empty set. */
struct member_list {
	struct member **items;
	size_t n, room;
};

/** A record as the store has it: of its name are pool and id. */
extern const struct record_kind member_record;
#define MEMBER_PREFIX "member/"
/** "member/POOL/ID". @return @p out */
const char *member_record_name(const char *pool, const char *id, char *out, size_t size);
/** Read a record, which may be a stranger's. @return whether @p text is one of a member with that name */
bool member_read(const char *name, const char *text, int64_t revision, struct member *out);

/** The instant at which a change that is made now takes effect: @p ahead_ms later, on the grid. */
int64_t member_instant_ms(int64_t now_ms, int64_t ahead_ms);
/** The weight for new flows at @p at_ms; -1: it is no member then. */
int64_t member_weight_at(const struct member *m, int64_t at_ms);
/** The weight that it has or will have; 0 if it leaves. */
uint32_t member_weight(const struct member *m);
/** When it is gone; MODEL_TIME_NEVER: it does not leave. */
int64_t member_gone_ms(const struct member *m);
/** Let it have @p weight from @p at_ms on: at the end, and at once with what begins then. */
void member_set_weight(struct member *m, uint32_t weight, int64_t at_ms);
/** Let it leave from @p at_ms on, and be gone after @p settle_ms. */
void member_leave(struct member *m, int64_t at_ms, uint32_t settle_ms);
/** Let it stay, or come back. */
void member_stay(struct member *m, uint32_t weight, int64_t at_ms);

/** Let what begins after @p after_ms, up to @p until_ms, begin at @p now_ms: a clock was wrong. */
void member_begin_now(struct member *m, int64_t after_ms, int64_t until_ms, int64_t now_ms);

/**
 * Whether @p pool has room for a backend with that name and address: registration, and none of its own has either.
 */
enum member_fit {
	MEMBER_FITS,
	MEMBER_NO_REGISTRATION,
	MEMBER_OUTSIDE, /**< of all prefixes */
	MEMBER_NAME_IN_USE,
	MEMBER_ADDRESS_IN_USE,
};
/** @param other  out: the static backend that has the address already; may be NULL */
enum member_fit member_fits(const struct model_pool *pool, const char *id,
                            const struct addr *address, const struct model_backend **other);

/** @return NULL: there is none; borrowed until a change of the set */
const struct member *members_find(const struct member_list *all, const char *pool, const char *id);
/** Those of a pool, in the order of their names. @return how many, from @p first on */
size_t members_of(const struct member_list *all, const char *pool, size_t *first);
/** Add or replace. @return 0; -ENOSPC (MEMBERS_KNOWN_MAX) or -ENOMEM */
MUST_CHECK int members_put(struct member_list *all, const struct member *m);
void members_remove(struct member_list *all, const char *pool, const char *id);
void members_fini(struct member_list *all);

/** The members that a version's pool has, with its own backends: what compose makes sets of. */
struct member_pool {
	struct model_pool pool; /**< with all of them as backends, by name */
	/** of each backend; NULL: a static one. NULL as a whole: it has none */
	const struct member **of;
};
struct arena;
/**
 * Merge the members into @p pool: those that fit, gone ones too while there is a record of them. Where two have one
 * address the one that is not gone counts, then the one that does not leave, then the one that came first. Beyond
 * max_backends, without those that are gone, those that leave are left out, then those that came last.
 * @return 0 or -ENOMEM
 */
MUST_CHECK int member_pool_make(const struct model_pool *pool, const struct member_list *all,
                                int64_t now_ms, struct arena *arena, struct member_pool *out);

#endif
