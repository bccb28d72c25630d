/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What the files owners*.c know of each other; others include owners.h.
 *
 * owners_sets.c: what is wanted of the slots. owners_slot.c: the stores that change one slot.
 * owners.c: which slot is changed when. owners_past.c: what a node that starts on empty tables
 * makes of the document's sets. owners_memory.c: the exceptions. Where the pool has agents,
 * owners_line.c: a slot's owners by the document; owners_list.c: whom packets name; owners_guests.c:
 * what other nodes know of that.
 */
#ifndef WEIR_DATAPLANE_OWNERS_PARTS_H
#define WEIR_DATAPLANE_OWNERS_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/owners.h"
#include "weir/fwd/owner.h"

#define OWNERS_SECOND_MS 1000
/** A claim without end, or with one beyond sense, ends after. */
#define OWNERS_CLAIM_MAX_S (7u * 86400u)

/** Some of all backends, by index: a bit each, for there are thousands of pools. */
struct owners_backends {
	uint64_t bits[FWD_BACKENDS_MAX / 64];
};

static inline bool owners_has(const struct owners_backends *set, uint16_t backend)
{
	return set->bits[backend / 64] >> backend % 64 & 1;
}

static inline void owners_add(struct owners_backends *set, uint16_t backend)
{
	set->bits[backend / 64] |= 1ull << backend % 64;
}

struct owners_memory {
	struct fwd_exceptions *sets;
	uint32_t n_sets;
	uint32_t cursor; /**< next set of the pass in progress */
	uint32_t passes;
	uint64_t ticked_ms;
	uint32_t live_all, live_young;         /**< of the last whole pass */
	uint32_t counting_all, counting_young; /**< of the pass in progress */
	uint32_t live[FWD_BACKENDS_MAX], counting[FWD_BACKENDS_MAX];
	uint32_t used_in[FWD_BACKENDS_MAX]; /**< the pass in which a slot or set last named it */
	/** When flows held by traffic alone leave a drained backend; 0: it is not drained. */
	uint32_t lease_end_s[FWD_BACKENDS_MAX];
};

/** Remove all exceptions of the backends that are @p dead, now. */
void owners_memory_forget(struct owners_memory *m, const struct owners_backends *dead);
/** Note that a slot or a set names @p backend. */
void owners_memory_use(struct owners_memory *m, uint16_t backend);

/** A set of ours, with what was made of it. */
struct owners_made {
	int64_t from_ms, until_ms;
	struct owners_member *members; /**< NULL: there is no set */
	size_t n_members;
	uint16_t *filled; /**< [n_slots], of the members alone */
	uint16_t *wanted; /**< [n_slots], of the members and verdicts; 0: none can serve */
	bool is_filled;
	bool by_weight; /**< filled by weights, not all alike */
};

/** A slot's owners by the document's sets alone, in a pool with agents. */
struct owners_line {
	uint16_t owner;                      /**< 0: there was none yet */
	uint16_t earlier[SECOND_OWNERS_MAX]; /**< newest first; 0: there is none further */
	int64_t until_ms[SECOND_OWNERS_MAX]; /**< when their claims end */
};

struct owners {
	struct owners_tables tables;
	struct owners_memory *memory;
	struct owners_times times;
	uint64_t key[2];
	struct owners_made now, next;
	/** [n_slots], whom the set in force took the slot from, 0 nobody; NULL: not known. */
	uint16_t *before;
	uint32_t leave_s; /**< when the claims of those end */
	struct owners_backends dead;
	struct owners_backends serves; /**< with agents: they take new flows */
	bool is_near;                  /**< the next set is near enough to warn for it */
	uint32_t cursor;
	uint32_t n_due;     /**< slots whose owner is not the wanted one */
	uint32_t n_coming;  /**< slots whose owner is not the next set's */
	uint32_t n_waiting; /**< slots of them whose list is full */
	uint64_t n_moved, n_settled;
	/* With agents, [n_slots]: lines, and their owners by the last set that they went through. */
	struct owners_line *lines;
	uint16_t *wished;
	uint64_t walked
	        [OWNERS_SETS_MAX]; /**< the sets that lines went through, by digest, oldest first */
	size_t n_walked;
	uint32_t guests_end_s; /**< until when lists keep those whose time is over */
};

/** Copy @p from, without its rings. @return 0 or -ENOMEM */
int owners_made_copy(const struct owners_set *from, uint32_t n_slots, struct owners_made *out);
void owners_made_fini(struct owners_made *made);
/** Take over the filled ring of @p other, if it has the same members. */
void owners_made_reuse(struct owners_made *made, const struct owners_made *other, uint32_t n_slots);
/** Make `filled` from members alone, as if all lived. @return 0, -EINVAL or -ENOMEM */
int owners_made_wish(struct owners_made *made, const struct owners *o);
/** Make `wanted` from members and verdicts, [FWD_BACKENDS_MAX]. @return 0, -EINVAL or -ENOMEM */
int owners_made_want(struct owners_made *made, const struct owners *o, const uint8_t *states);

static inline uint32_t owners_seconds(const struct owners_clock *clock)
{
	return (uint32_t)(clock->now_ms / OWNERS_SECOND_MS);
}

static inline uint16_t *owners_hot(const struct owners *o, uint32_t s)
{
	uint32_t at = o->tables.first_slot + s;

	return &o->tables.slots[at / FWD_SLOTS_PER_BLOCK].slot[at % FWD_SLOTS_PER_BLOCK];
}

static inline struct owner_cold *owners_cold(const struct owners *o, uint32_t s)
{
	return &o->tables.colds[o->tables.first_slot + s];
}

static inline uint16_t owners_current(const struct owners *o, uint32_t s)
{
	return __atomic_load_n(owners_hot(o, s), __ATOMIC_RELAXED) & FWD_SLOT_BACKEND;
}

static inline bool owners_looks(const struct owners *o, uint32_t s)
{
	return __atomic_load_n(owners_hot(o, s), __ATOMIC_RELAXED) & FWD_SLOT_LOOK_FURTHER;
}

/* Four slots at once; those of a pool begin at a multiple of four. */
#define OWNERS_FOUR_LOOK 0x8000800080008000ull

static inline uint64_t owners_four(const struct owners *o, uint32_t s)
{
	return __atomic_load_n((const uint64_t *)(const void *)owners_hot(o, s), __ATOMIC_RELAXED);
}

static inline bool owners_is_warned(const struct owners *o, uint32_t s)
{
	return !o->times.agents && owners_looks(o, s) &&
	       __atomic_load_n(&owners_cold(o, s)->warned_at, __ATOMIC_RELAXED) != 0;
}

/** When the claims end that @p set takes slots from, and that were to last until @p until_ms: they have the settling time at least. */
static inline int64_t owners_claims_end_ms(const struct owners *o, const struct owners_set *set,
                                           int64_t until_ms)
{
	return until_ms > set->from_ms ? until_ms : set->from_ms + o->times.settle_ms;
}

/** An instant of the document by the packet path's clock, never early; 0: it is past. */
uint32_t owners_end_in_seconds(int64_t end_ms, const struct owners_clock *clock);

/* --- lines and lists, in pools with agents --- */

/** A claim's end in a list lies no further ahead: its units are compared modulo. */
#define OWNERS_LIST_MAX_S (5u * 86400u)

/**
 * Let lines go through those of @p sets, all of the past, that they have not gone through yet.
 * @param known  a set whose ring is made already, or NULL
 * @return 0, -EINVAL or -ENOMEM: some are left for the next call
 */
int owners_lines_follow(struct owners *o, const struct owners_set *sets, size_t n_sets,
                        const struct owners_made *known, int64_t now_ms);
/** Give slots whose line was full to those who wait for them. */
void owners_lines_wait(struct owners *o, int64_t now_ms);

/** Note who takes new flows, before owners_list_wanted(). */
void owners_list_begin(struct owners *o);
/** Who is to have the slot, by line and verdicts; 0: nobody. */
uint16_t owners_list_wanted(const struct owners *o, uint32_t s);
/** The unit with which a claim ends; one that is past has ended. */
uint16_t owners_list_end(int64_t until_ms, const struct owners_clock *clock);
/** Store all slots' owners and lists. */
void owners_lists_change(struct owners *o, const struct owners_clock *clock);
/** Store the slot's owner and list as line, verdicts, and those whom it names until now ask for */
void owners_list_show(struct owners *o, uint32_t s, const struct owners_clock *clock);
/** Keep times that are over from looking young again when their range wraps. */
void owners_list_age(struct owners *o, uint32_t s, uint32_t now_s);
/** Whether @p backend is an earlier owner of the slot. */
bool owners_list_names(const struct owners *o, uint32_t s, uint16_t backend);
/** Give the slot to @p to, which may be its owner already, and name those of @p list. */
void owners_slot_name(struct owners *o, uint32_t s, uint16_t to, const struct owner_list *list,
                      uint32_t now_s);

/** Give nobody's slots their owners and claims, as a node has them that saw @p sets come. @return 0 or -ENOMEM */
int owners_seed(struct owners *o, const struct owners_set *sets, size_t n_sets,
                const uint8_t *states, const struct owners_clock *clock);

/** How long a UDP slot learns after a change. */
uint32_t owners_udp_window_s(const struct owners *o);
/** Announce that the slot's owner may change. */
void owners_slot_warn(struct owners *o, uint32_t s, const struct owners_clock *clock);
/** Nothing will change after all. */
void owners_slot_unwarn(struct owners *o, uint32_t s);
/** Give the slot to @p to; its owner until now is the base for those who were there. */
void owners_slot_move(struct owners *o, uint32_t s, uint16_t to, uint32_t now_s);
/** Give a slot that is nobody's to @p to, with claims that end at @p end_s (0: none) by class. */
void owners_slot_seed(struct owners *o, uint32_t s, uint16_t to, const uint16_t base[OWNER_CLASSES],
                      const uint32_t end_s[OWNER_CLASSES], uint32_t now_s);
/** Let a slot look further; its cold part says then that nothing is going on. */
void owners_slot_look(struct owners *o, uint32_t s, uint32_t now_s);
/** End claims of dead bases. */
void owners_slot_bury(struct owners *o, uint32_t s);
/** End claims whose time has come; look no further when nothing is left. */
void owners_slot_settle(struct owners *o, uint32_t s, uint32_t now_s);

#endif
