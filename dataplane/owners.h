/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Owners of a pool's slots, from the document's member sets and from verdicts, stored
 * into the tables while packets flow; and the table of exceptions, which all pools share.
 *
 * The rules of the packet path are in weir/fwd/owner.h; this is the other half: the
 * thread that alone stores hot words, bases and settlings. Nothing that matters is kept
 * outside of the tables: a process that starts anew on them goes on where the last one
 * ended, and one that starts on empty tables computes the same owners from the document.
 *
 * A change of a slot's owner takes two steps unless the owner is dead: the slot is *warned*
 * (looks further, owner as before), and OWNERS_WARN_MS later moved. A set whose from_ms
 * lies ahead is warned at once and moved at from_ms.
 *
 * In a pool with agents nothing is warned: slots move at once, and their earlier owners stand in a
 * list that packets carry along. Owners and lists follow from the document alone (a slot's
 * *line*, owners_line.c); what verdicts add stands behind them (owners_list.c). A line is full with
 * three earlier owners; then the slot waits until the oldest of them has had its time, unless its
 * owner is dead. Claims do not end by themselves. Who had a slot by a death is all that the document
 * does not tell: nodes tell each other (struct owners_guests).
 *
 * All functions of one struct owners_memory and its pools are for one thread.
 */
#ifndef WEIR_DATAPLANE_OWNERS_H
#define WEIR_DATAPLANE_OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/fwd/owner.h"

struct fwd_slots;
struct fwd_exceptions;

/** Member sets taken for a pool: MODEL_SETS_MAX and the next one. */
#define OWNERS_SETS_MAX 65u
/** A slot is warned at least so long before its living owner loses it: a SYN's first repetition. */
#define OWNERS_WARN_MS 1500u
/** A pass over the exceptions takes so long at most. */
#define OWNERS_PASS_MS 16000u
/** How often owners_tick() wants to be called when nothing is in progress. */
#define OWNERS_IDLE_MS 1000u

/** Time, as the packet path counts it (root's ticks) and as the document does. */
struct owners_clock {
	uint64_t now_ms; /**< of the packet path's clock: its seconds are now_ms / 1000 */
	int64_t wall_ms;
};

/** What a backend may be used for; an array by backend index belongs to the node. */
enum owners_state {
	OWNERS_SERVES, /**< takes slots by its weight (zero-initialised arrays serve) */
	OWNERS_WAITS,  /**< takes none while another serves, keeps the flows that it has */
	OWNERS_DEAD,   /**< nothing goes there; its flows are forgotten */
};

/** A member; a backend's index belongs to one pool alone. */
struct owners_member {
	uint64_t id;      /**< model_backend_id() */
	uint32_t weight;  /**< 0: takes no new flows */
	uint16_t backend; /**< its index in the backends table, 1.. */
	uint16_t reserved;
};

/** A pool's members from one instant on; as struct model_set. */
struct owners_set {
	int64_t from_ms, until_ms;           /**< wall time; until when its flows have a claim */
	const struct owners_member *members; /**< borrowed for the call */
	size_t n_members;
	const uint16_t *
	        filled; /**< ring_fill() of the members by weight, [n_slots], borrowed; NULL: not made yet */
};

/** Times of a pool, and of the UDP services that it serves. */
struct owners_times {
	uint32_t settle_ms;
	uint32_t idle_ms;
	uint32_t udp_idle_ms; /**< the longest of its UDP services; 0: it has none */
	bool agents;          /**< as when the pool was made; see owners_new() */
};

/** Where the tables are; the packet path uses them meanwhile. */
struct owners_tables {
	struct fwd_slots *slots;  /**< the array's beginning */
	struct owner_cold *colds; /**< the array's beginning */
	uint32_t first_slot;      /**< of the pool: a multiple of FWD_SLOTS_PER_BLOCK */
	uint32_t n_slots;         /**< of the pool: a power of two, at least FWD_SLOTS_PER_BLOCK */
};

/* --- the exceptions of a node --- */

struct owners_memory;

/** @return 0 or -ENOMEM. @param n_sets a power of two, or 0 */
int owners_memory_new(struct fwd_exceptions *sets, uint32_t n_sets, struct owners_memory **out);
/** The table lies elsewhere from now on (a resize). */
void owners_memory_move(struct owners_memory *m, struct fwd_exceptions *sets, uint32_t n_sets);
void owners_memory_free(struct owners_memory *m);
/**
 * Walk a bounded part of the table: remove what has ended and what its backend's lease no longer
 * covers, and count. A whole pass takes OWNERS_PASS_MS at most if called at least each second.
 */
void owners_memory_tick(struct owners_memory *m, const struct owners_clock *clock);
/** A pass over the whole table at once: as many ticks. For tests and a first count. */
void owners_memory_pass(struct owners_memory *m, const struct owners_clock *clock);
/**
 * No set names @p backend any more: flows that traffic alone holds leave it at @p end_s by the packet
 * path's clock, unless it is known when they do. (A process that starts may know it of no set.)
 */
void owners_memory_rest(struct owners_memory *m, uint16_t backend, uint32_t end_s);
/** Live exceptions of a backend, as of the last whole pass. */
uint32_t owners_memory_of(const struct owners_memory *m, uint16_t backend);
/** All live exceptions, and of them the embryonic, as of the last whole pass. */
uint32_t owners_memory_total(const struct owners_memory *m, uint32_t *embryonic);
/** Places in the table. */
uint32_t owners_memory_size(const struct owners_memory *m);
/**
 * Whether a flow of @p backend may still be remembered: as long as this holds, or one of
 * the pools' owners_uses() does, its index and its entry must not be given to another.
 */
bool owners_memory_uses(const struct owners_memory *m, uint16_t backend);

/* --- a pool --- */

/** What the packet path needs as fwd_pool.learn_s: the last part of the settling time. */
uint16_t owners_learn_s(const struct owners_times *times);

struct owners;

/**
 * Make the owner of a pool's slots. Tables are not touched before the first owners_apply().
 *
 * @param memory  borrowed; outlives the pool
 * @param key     the cluster's secret
 * @return 0, -EINVAL for sizes, -ENOMEM
 */
int owners_new(const struct owners_tables *tables, struct owners_memory *memory,
               const uint64_t key[2], struct owners **out);
/** Forget the pool. The tables stay as they are. NULL is fine. */
void owners_free(struct owners *o);
/** The tables lie elsewhere from now on, with the same content (a resize). */
void owners_move(struct owners *o, const struct owners_tables *tables);

/**
 * Take member sets and verdicts, and do what they ask for at once: slots of the dead move
 * in this call and their flows are forgotten, others are warned. Slots that belong to
 * nobody (empty tables) get their owner at once, their base from the earlier sets.
 *
 * With no backend that serves with weight, those that serve without; then those that wait;
 * with none of these, slots are nobody's.
 *
 * @param sets     oldest first, 1..OWNERS_SETS_MAX; the last whose from_ms is past is in force,
 *                 one after it is the next
 * @param state    by backend index, [n_state]; an index beyond serves
 * @return 0, -EINVAL (sets, members or weights), -ENOMEM: nothing changed
 */
int owners_apply(struct owners *o, const struct owners_times *times, const struct owners_set *sets,
                 size_t n_sets, const uint8_t *state, size_t n_state,
                 const struct owners_clock *clock);

/**
 * Do what time asks for, in bounded steps: take the next set when its time has come, move warned
 * slots, settle, let settled slots look no further.
 * @return how many ms from now the next call is due; 1..OWNERS_IDLE_MS
 */
uint32_t owners_tick(struct owners *o, const struct owners_clock *clock);

struct owners_stats {
	uint32_t n_slots;
	uint32_t empty;     /**< nobody's */
	uint32_t unsettled; /**< with a base that is not the owner, or warned */
	uint32_t looking;   /**< that look further: unsettled, or with exceptions */
	uint32_t due;       /**< warned, to be moved within OWNERS_WARN_MS or by the next set */
	uint32_t
	        waiting; /**< to be moved when the oldest claim of their full list has had its time */
	uint64_t moved;   /**< words stored since owners_new() that changed an owner */
	uint64_t settled; /**< slots settled since then */
};

/** Count slots by reading the tables. @param owned, based  NULL, or [n] by backend index, to be added to */
void owners_count(const struct owners *o, struct owners_stats *out, uint32_t *owned,
                  uint32_t *based, size_t n);
/** Whether a slot of the pool has @p backend as owner or base, or a set names it. */
bool owners_uses(const struct owners *o, uint16_t backend);

/* --- what nodes tell each other, in pools with agents --- */

/** A slot of which the document alone does not tell who has it and whom it names. */
struct owners_guests {
	uint32_t slot;
	uint16_t owner;                   /**< by backend index, as all that follow */
	uint16_t named[OWNER_LIST_MAX];   /**< newest first, maybe with OWNER_LIST_GUEST; 0: none */
	int64_t until_ms[OWNER_LIST_MAX]; /**< when their claims end */
};

/** The first slot from @p from on that is to be told of. @return whether there is one */
bool owners_tell(const struct owners *o, uint32_t from, const struct owners_clock *clock,
                 struct owners_guests *out);
/**
 * Take over what a node told that knows more, after owners_apply(): this one started on empty tables.
 * A slot of which nothing was told stands there as its line does.
 * @param told  by slot, rising; of backends of the pool
 */
void owners_take(struct owners *o, const struct owners_guests *told, size_t n,
                 const struct owners_clock *clock);

#endif
