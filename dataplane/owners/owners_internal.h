/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What the files of this module share; other files include owners/owners.h, which explains the terms.
 *
 *   owners/targets.c    which owner each slot is to have, from members and verdicts (the target)
 *   owners/owners.c     when a slot changes from its current owner to the target
 *   owners/slot.c       the stores that change one slot while packets read it
 *   owners/past.c       empty tables: the claims that the earlier sets have left
 *   owners/memory.c     the sweep of the exceptions
 *   owners/scrub.c      hot words that somebody else has overwritten
 *   owners/backup.c     slots that members of a lower class get
 * In pools with agents:
 *   owners/line.c       a slot's owner and earlier owners by the document alone
 *   owners/list.c       the owner and the earlier owners that packets name, by line and verdicts
 *   owners/handover.c   the state that nodes hand over
 *
 * The loop's thread calls all of this; packets read and write the tables at the same time.
 */
#ifndef WEIR_DATAPLANE_OWNERS_OWNERS_INTERNAL_H
#define WEIR_DATAPLANE_OWNERS_OWNERS_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/checked.h"
#include "dataplane/owners/owners.h"
#include "weir/fwd/owner.h"

#define OWNERS_SECOND_MS 1000
/** The longest claim: a week. Claims without an end get it; the clock's 32 bits compare modulo. */
#define OWNERS_CLAIM_MAX_S (7u * 86400u)

/** A subset of all backends: one bit each by index, since there are thousands of pools. */
struct owners_backends {
	uint64_t bits[FWD_BACKENDS_MAX / 64];
};

static inline bool owners_has(const struct owners_backends *bitmap, uint16_t backend)
{
	return bitmap->bits[backend / 64] >> backend % 64 & 1;
}

static inline void owners_add(struct owners_backends *bitmap, uint16_t backend)
{
	bitmap->bits[backend / 64] |= 1ull << backend % 64;
}

struct owners_memory {
	struct fwd_exceptions *buckets; /**< of the set-associative table of exceptions */
	uint32_t n_buckets;
	uint32_t cursor; /**< next bucket of the pass in progress */
	uint32_t passes;
	uint64_t ticked_ms;
	/* By backend index: */
	uint32_t live[FWD_BACKENDS_MAX];     /**< exceptions that the last whole pass counted */
	uint32_t counting[FWD_BACKENDS_MAX]; /**< those that the pass in progress has counted */
	uint32_t used_in[FWD_BACKENDS_MAX];  /**< the pass in which a slot or set last named it */
	/** When UDP flows with policy `migrate` leave a drained backend; 0: it is not drained. */
	uint32_t lease_end_s[FWD_BACKENDS_MAX];
};

/** Delete all exceptions of the backends that are @p dead, in this call. */
void owners_memory_forget(struct owners_memory *m, const struct owners_backends *dead);
/** Note that a slot or a set names @p backend. */
void owners_memory_use(struct owners_memory *m, uint16_t backend);

/** A member set with the rings that were computed from it. */
struct owners_computed {
	int64_t from_ms, until_ms;
	struct owners_member *members; /**< NULL: there is no set */
	size_t n_members;
	uint16_t *filled; /**< [n_slots], owners by the members alone, as if all were alive */
	/** [n_slots], target owners by members and verdicts; 0: none can serve */
	uint16_t *target;
	bool is_filled;
	bool by_weight; /**< filled by weights, not in equal shares */
};

/** A slot's owner and earlier owners by the document's sets alone, in a pool with agents. */
struct owners_line {
	uint16_t owner;                      /**< 0: none yet */
	uint16_t earlier[SECOND_OWNERS_MAX]; /**< newest first; 0: no more */
	int64_t until_ms[SECOND_OWNERS_MAX]; /**< wall clock: when their claims end */
};

struct owners {
	struct owners_tables tables;
	/** [n_slots], what was stored into the hot words: the state that all this is computed from. */
	uint16_t *hot;
	uint32_t n_damaged; /**< hot words found otherwise, since owners_damaged() said so */
	uint32_t first_damaged, last_damaged; /**< the lowest and the highest of their slots */
	struct owners_memory *memory;
	struct owners_times times;
	uint64_t key[2];
	struct owners_computed now,
	        next; /**< the set in force; the one after it, if there is one */
	/**
	 * [n_slots], the owner that the set in force took the slot from, 0: none; NULL: not
	 * known.
	 */
	uint16_t *before;
	uint32_t leave_s;              /**< when the claims of those owners end */
	struct owners_computed backup; /**< members of a lower class, if there are any */
	uint16_t full;                 /**< as owners_backup.full; 0: none */
	bool is_drilled;               /**< as in owners_backup */
	uint16_t drill_share;          /**< likewise */
	struct owners_backends dead;
	struct owners_backends serves; /**< with agents: backends that get new flows */
	bool is_scheduled_next;        /**< the next set begins soon enough to schedule its slots */
	uint32_t cursor;               /**< the slot at which the next settling step begins */
	uint64_t settled_ms;           /**< when the last one was made */
	uint32_t n_due;                /**< slots whose owner is not the target */
	uint32_t n_coming;             /**< slots whose owner is not the target of the next set */
	uint32_t n_waiting;            /**< with agents: slots that a full list keeps from moving */
	/* With agents, [n_slots]: lines, and the owner that the last set gives each slot. */
	struct owners_line *lines;
	uint16_t *line_target;
	/** Digests of the sets that the lines have been taken through, oldest first. */
	uint64_t walked[OWNERS_SETS_MAX];
	size_t n_walked;
	/** until when lists keep temporary owners whose claim has ended */
	uint32_t temporary_end_s;
};

/** Copy @p from, without its rings. @return 0 or -ENOMEM */
int owners_computed_copy(const struct owners_set *from, uint32_t n_slots,
                         struct owners_computed *out) MUST_CHECK;
void owners_computed_fini(struct owners_computed *computed);
/** Copy the filled ring of @p other, if it has the same members: saves ring_fill(). */
void owners_computed_reuse(struct owners_computed *computed, const struct owners_computed *other,
                           uint32_t n_slots);
/** Compute `filled`, the owners as if all members were alive. @return 0, -EINVAL or -ENOMEM */
int owners_computed_fill(struct owners_computed *computed, const struct owners *o) MUST_CHECK;
/**
 * Compute `target`, the target owners, by @p states, [FWD_BACKENDS_MAX]. @return 0, -EINVAL or
 * -ENOMEM
 */
int owners_computed_repair(struct owners_computed *computed, const struct owners *o,
                           const uint8_t *states) MUST_CHECK;

/** Compute the targets of @p from's members by @p states. @return 0, -EINVAL or -ENOMEM */
int owners_backup_compute(const struct owners *o, const struct owners_backup *from,
                          const uint8_t *states, struct owners_computed *out) MUST_CHECK;
/** Give the share of @p from its slots, in the targets @p to of the sets' members. */
void owners_backup_lay_over(const struct owners_computed *computed,
                            const struct owners_backup *from, struct owners_computed *to,
                            uint32_t n_slots);

/** While drills run: unsettle all slots, and store where the drills' new flows go. */
void owners_backup_lay_drill(struct owners *o, const struct owners_clock *clock);

/** Note until when UDP flows may hold the members of @p backup, and that their indexes are in use. */
void owners_backup_set_leases(struct owners *o, const struct owners_backup *backup,
                              const struct owners_clock *clock);

/** Whether flows that began at @p backend can continue there. */
static inline bool owners_keeps_flows(const struct owners *o, uint16_t backend)
{
	return backend != 0 && backend != o->full && !owners_has(&o->dead, backend);
}

static inline uint32_t owners_seconds(const struct owners_clock *clock)
{
	return (uint32_t)(clock->now_ms / OWNERS_SECOND_MS);
}

/**
 * Convert wall time @p end_ms to the packet path's seconds, rounded up so that no claim ends early;
 * 0: it is past.
 */
static inline uint32_t owners_end_in_seconds(int64_t end_ms, const struct owners_clock *clock)
{
	const int64_t most_ms = (int64_t)OWNERS_CLAIM_MAX_S * OWNERS_SECOND_MS;

	if (end_ms <= clock->wall_clock_ms)
		return 0;
	if (end_ms > clock->wall_clock_ms + most_ms)
		end_ms = clock->wall_clock_ms + most_ms;
	return (uint32_t)((clock->now_ms + (uint64_t)(end_ms - clock->wall_clock_ms)) /
	                  OWNERS_SECOND_MS) +
	       1;
}

/** The slot's hot word where packets read it. */
static inline uint16_t *owners_hot(const struct owners *o, uint32_t s)
{
	uint32_t at = o->tables.first_slot + s;

	return &o->tables.slots[at / FWD_SLOTS_PER_BLOCK].slot[at % FWD_SLOTS_PER_BLOCK];
}

/** Note that the slot's hot word is not what was stored there. */
static inline void owners_note_damage(struct owners *o, uint32_t s)
{
	if (o->n_damaged == 0 || s < o->first_damaged)
		o->first_damaged = s;
	if (o->n_damaged == 0 || s > o->last_damaged)
		o->last_damaged = s;
	o->n_damaged++;
}

static inline struct owner_cold *owners_cold(const struct owners *o, uint32_t s)
{
	return &o->tables.colds[o->tables.first_slot + s];
}

static inline uint16_t owners_current(const struct owners *o, uint32_t s)
{
	return o->hot[s] & FWD_SLOT_BACKEND;
}

static inline bool owners_is_unsettled(const struct owners *o, uint32_t s)
{
	return o->hot[s] & FWD_SLOT_UNSETTLED;
}

/* Four slots in one load. */
#define OWNERS_FOUR_UNSETTLED 0x8000800080008000ull

static inline uint64_t owners_four(const struct owners *o, uint32_t s)
{
	uint64_t four;

	memcpy(&four, &o->hot[s], sizeof(four));
	return four;
}

static inline bool owners_is_scheduled(const struct owners *o, uint32_t s)
{
	return !o->times.agents && owners_is_unsettled(o, s) &&
	       __atomic_load_n(&owners_cold(o, s)->scheduled_at, __ATOMIC_RELAXED) != 0;
}

/**
 * When the claims of owners that lose slots by @p member_set end: at @p until_ms, or, if that is
 * past, after the settling time.
 */
static inline int64_t owners_claims_end_ms(const struct owners *o,
                                           const struct owners_set *member_set, int64_t until_ms)
{
	return until_ms > member_set->from_ms ? until_ms : member_set->from_ms + o->times.settle_ms;
}

/* --- lines and lists, in pools with agents --- */

/**
 * The longest time that a list keeps a claim: its 16-bit units of 16 s compare modulo, half of
 * them are 6 days.
 */
#define OWNERS_LIST_MAX_S (5u * 86400u)

/** The list's time unit that second @p at_s is in. */
static inline uint16_t owners_list_unit(uint32_t at_s)
{
	return (uint16_t)(at_s / OWNER_LIST_UNIT_S);
}

/** When all claims in lists have ended that begin now: they last to the end of a unit, those that a peer told to the next one's. */
static inline uint32_t owners_list_over_s(const struct owners *o, const struct owners_clock *clock)
{
	uint32_t settle_s = (uint32_t)(o->times.settle_ms / OWNERS_SECOND_MS);

	return owners_seconds(clock) + settle_s + 2 * OWNER_LIST_UNIT_S + 1;
}

/**
 * Take all lines through those of @p member_sets that they have not been through yet. All sets have
 * begun.
 * @param known  a set whose ring is filled already, or NULL
 * @return 0, -EINVAL or -ENOMEM: some sets are left for the next call
 */
int owners_lines_follow(struct owners *o, const struct owners_set *member_sets, size_t n_sets,
                        const struct owners_computed *known, int64_t now_ms);
/** Move slots that waited for a full line, if its oldest claim has ended by @p now_ms. */
void owners_lines_wait(struct owners *o, int64_t now_ms);

/** Note which backends get new flows; call it before owners_list_target(). */
void owners_list_begin(struct owners *o);
/** The slot's target owner by line and verdicts; 0: none. */
uint16_t owners_list_target(const struct owners *o, uint32_t s);
/** The list's time unit in which a claim ends; for a claim that has ended, a unit of the past. */
uint16_t owners_list_end(int64_t until_ms, const struct owners_clock *clock);
/** Store all slots' owners and lists. */
void owners_lists_update(struct owners *o, const struct owners_clock *clock);
/**
 * Work out the slot's owner and list from its line, the verdicts and its list until now, and
 * store them.
 */
void owners_list_update(struct owners *o, uint32_t s, const struct owners_clock *clock);
/** Whether @p backend is an earlier owner of the slot. */
bool owners_list_names(const struct owners *o, uint32_t s, uint16_t backend);
/** Give the slot to @p to, which may own it already, with @p list as its earlier owners. */
void owners_slot_store_list(struct owners *o, uint32_t s, uint16_t to,
                            const struct owner_list *list, uint32_t now_s);

/**
 * Give slots without an owner the owner and the claims that they have on nodes which saw all @p
 * sets come. @return 0 or -ENOMEM
 */
int owners_seed(struct owners *o, const struct owners_set *member_sets, size_t n_sets,
                const uint8_t *states, const struct owners_clock *clock) MUST_CHECK;

/** For how long after a move all UDP flows of a slot go to its earlier owner and are remembered. */
uint32_t owners_udp_window_s(const struct owners *o);
/** Schedule a change of the slot's owner: new flows are remembered from now on. */
void owners_slot_schedule(struct owners *o, uint32_t s, const struct owners_clock *clock);
/** Cancel the scheduled change. */
void owners_slot_unschedule(struct owners *o, uint32_t s);
/** Give the slot to @p to; the owner until now becomes the base of the flows that it has. */
void owners_slot_move(struct owners *o, uint32_t s, uint16_t to, uint32_t now_s);
/**
 * Give a slot without an owner to @p to, with claims by class that end at @p end_s (0: no claim).
 */
void owners_slot_seed(struct owners *o, uint32_t s, uint16_t to, const uint16_t base[OWNER_CLASSES],
                      const uint32_t end_s[OWNER_CLASSES], uint32_t now_s);
/** Put a slot on the slow path, with a cold part that holds no claim. */
void owners_slot_unsettle(struct owners *o, uint32_t s, uint32_t now_s);
/** End the claims of dead backends. */
void owners_slot_expire_dead(struct owners *o, uint32_t s);
/** End claims that are due; return the slot to the fast path when none is left. */
void owners_slot_settle(struct owners *o, uint32_t s, uint32_t now_s);

#endif
