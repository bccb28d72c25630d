/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Owners: which backend owns each slot of a pool, and the table of remembered flows (exceptions)
 * that all pools share.
 *
 * A flow's hash picks a slot, and the slot's owner receives the flow. Packets only read slots;
 * their rules are in weir/fwd/owner.h. This module computes the owners from the document's member
 * sets and from health verdicts, and stores them into the tables while packets flow.
 *
 * All lasting state is in the tables. A process that takes over filled tables continues where the
 * last one ended; from then on it believes only what it stored itself (owners/scrub.c). A process that starts on empty tables computes the same owners from the document.
 *
 * When a slot changes its owner, the flows that began there must still reach the old owner. A pool
 * does that in one of two ways:
 *
 *   Without agents the load balancer remembers flows. A living owner loses a slot in three steps:
 *     scheduled  the owner is unchanged; from now on each new flow is remembered, so that a SYN
 *                which is repeated after the move finds the backend of the first one
 *     moved      OWNERS_SCHEDULE_MS later; a flow that is not remembered goes to the *base*, the owner
 *                when the slot last settled, which has a *claim* on such flows for a while
 *     settled    no flow needs the base any more; the claim ends
 *   A member set that begins later is scheduled some seconds ahead and moved when it begins.
 *
 *   With agents (second chance, docs/second-chance.md) the load balancer remembers no TCP flow. A
 *   slot moves at once, and each packet names the slot's earlier owners. The agents on the backends
 *   pass the packet on until it reaches the backend that has the connection.
 *     line   a slot's owner and its earlier owners by the document alone (owners/line.c). All nodes
 *            with the same document have the same lines.
 *     list   the earlier owners that packets name: those of the line, and behind them *temporary
 *            owners*, which had the slot while its owner was dead (owners/list.c).
 *   A line has room for three earlier owners. While it is full, the slot waits until the oldest
 *   claim ends, unless its owner is dead. The document does not tell who was a temporary owner, so
 *   a node that starts on empty tables gets that from a peer (struct owners_handover).
 *
 * A dead owner loses its slots at once in both kinds of pool, and its remembered flows are deleted.
 *
 * Implemented in dataplane/owners/ (owners/owners_internal.h says which file does what). All functions of one struct
 * owners_memory and of its pools must be called by one thread: in weir-dataplane, the loop's.
 */
#ifndef WEIR_DATAPLANE_OWNERS_OWNERS_H
#define WEIR_DATAPLANE_OWNERS_OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/fwd/owner.h"

struct fwd_slots;
struct fwd_exceptions;

/** Member sets that a pool can have: MODEL_SETS_MAX and the next one. */
#define OWNERS_SETS_MAX 65u
/**
 * A slot is scheduled at least so long before its living owner loses it: TCP repeats a SYN after
 * 1 s (RFC 6298).
 */
#define OWNERS_SCHEDULE_MS 1500u
/** The longest time that one pass over the exceptions takes. */
#define OWNERS_PASS_MS 16000u
/** The interval of owners_tick() while nothing is in progress. */
#define OWNERS_IDLE_MS 1000u

/** Time, as the packet path counts it (root's ticks) and as the document does. */
struct owners_clock {
	uint64_t now_ms; /**< of the packet path's clock: its seconds are now_ms / 1000 */
	int64_t wall_clock_ms;
};

/** What a backend may be used for; the caller keeps an array of them by backend index. */
enum owners_state {
	OWNERS_SERVES, /**< owns slots by its weight (zero-initialised arrays serve) */
	OWNERS_WAITS, /**< has no verdict yet: owns no slot while another serves, keeps its flows */
	OWNERS_DEAD,  /**< receives nothing; its remembered flows are deleted */
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
	int64_t from_ms;  /**< wall clock: when the set begins */
	int64_t until_ms; /**< wall clock: when the claims of its owners end, after the set */
	const struct owners_member *members; /**< borrowed for the call */
	size_t n_members;
	/** ring_fill() of the members by weight, [n_slots], borrowed; NULL: not made yet. */
	const uint16_t *filled;
};

/** Shares of a pool's slots are of so many parts. */
#define OWNERS_SHARE_ALL 1024u

/**
 * The members of a lower class: they own slots only while they have a share. Slots of the share go
 * to them; the others stay with the members of the sets, or go to `full` where none of those serves.
 * A larger share contains a smaller one. Not in pools with agents.
 */
struct owners_backup {
	const struct owners_member *members; /**< borrowed for the call; none of the sets has one */
	size_t n_members;
	uint16_t share; /**< of OWNERS_SHARE_ALL; 0: they own no slot, but keep their flows */
	uint16_t full;  /**< index of the element that drops the flows of its slots */
	/** All slots are unsettled: new flows of drills may go to the members (weir/fwd/drill.h). */
	bool is_drilled;
	uint16_t drill_share; /**< of OWNERS_SHARE_ALL: the slots whose new flows of drills do */
};

/** Times of a pool, and of the UDP services that it serves. */
struct owners_times {
	uint32_t settle_ms;
	uint32_t idle_ms;
	uint32_t udp_idle_ms;               /**< the longest of its UDP services; 0: it has none */
	bool agents;                        /**< as when the pool was made; see owners_new() */
	const struct owners_backup *backup; /**< borrowed for the call; NULL: there is none */
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

/** @return 0 or -ENOMEM. @param n_buckets a power of two, or 0 */
int owners_memory_new(struct fwd_exceptions *buckets, uint32_t n_buckets,
                      struct owners_memory **out) MUST_CHECK NONNULL(3);
/** The table lies elsewhere from now on (a resize). */
void owners_memory_move(struct owners_memory *m, struct fwd_exceptions *buckets, uint32_t n_buckets)
        NONNULL();
void owners_memory_free(struct owners_memory *m);
/**
 * Walk a bounded part of the table: count live exceptions, and remove those that have ended or
 * whose backend's lease has ended. A whole pass takes OWNERS_PASS_MS at most if this is called each
 * second.
 */
void owners_memory_tick(struct owners_memory *m, const struct owners_clock *clock) NONNULL();
/**
 * No set names @p backend any more. Its UDP flows with policy `migrate` leave it at @p end_s by the
 * packet path's clock, unless an end is known already. (A process that has just started may know no
 * set that names the backend.)
 */
void owners_memory_drain(struct owners_memory *m, uint16_t backend, uint32_t end_s) NONNULL();
/**
 * Whether a flow of @p backend may still be remembered. While this or owners_uses() of one of the
 * pools is true, the backend's index must not be given to another backend.
 */
bool owners_memory_uses(const struct owners_memory *m, uint16_t backend) NONNULL();

/* --- a pool --- */

/**
 * The last part of the settling time, in which packets remember each active flow: for
 * fwd_pool.remember_s.
 */
uint16_t owners_remember_s(const struct owners_times *times) NONNULL();

struct owners;

/**
 * Make the owner of a pool's slots. Tables are not touched before the first owners_apply().
 *
 * @param memory  borrowed; outlives the pool
 * @param key     the cluster's secret
 * @return 0, -EINVAL for sizes, -ENOMEM
 */
int owners_new(const struct owners_tables *tables, struct owners_memory *memory,
               const uint64_t key[2], struct owners **out) MUST_CHECK NONNULL();
/** Forget the pool. The tables stay as they are. NULL is fine. */
void owners_free(struct owners *o);
/** The tables lie elsewhere from now on, with the same content (a resize). */
void owners_move(struct owners *o, const struct owners_tables *tables) NONNULL();

/**
 * Accept member sets and verdicts. In this call the slots of dead backends move, their remembered
 * flows are deleted, and slots that other changes concern are scheduled. A slot without an owner
 * (empty tables) gets its owner at once, and its base from the earlier sets.
 *
 * If no backend with a weight serves, backends without weight get the slots; if none of them
 * serves, backends that wait for a verdict; if there are none, the slots have no owner.
 *
 * @param member_sets  oldest first, 1..OWNERS_SETS_MAX; the last one whose from_ms is past is in
 *                     force, the one after it is the next set
 * @param state        enum owners_state by backend index, [n_state]; an index beyond n_state serves
 * @return 0, -EINVAL (sets, members or weights), -ENOMEM: nothing changed
 */
int owners_apply(struct owners *o, const struct owners_times *times,
                 const struct owners_set *member_sets, size_t n_sets, const uint8_t *state,
                 size_t n_state, const struct owners_clock *clock) MUST_CHECK NONNULL(1, 2, 3, 7);

/**
 * Do what is due, in bounded steps: bring the next set into force, move scheduled slots, settle
 * slots, and return settled slots to the fast path.
 * @return in how many ms the next call is due: 1..OWNERS_IDLE_MS
 */
uint32_t owners_tick(struct owners *o, const struct owners_clock *clock) NONNULL();

/**
 * Compare the hot words of slots @p from .. @p from + @p n - 1 with what was stored there, and store
 * those that differ again. Cheap enough for thousands of slots in a call. @return how many differed
 */
uint32_t owners_scrub(struct owners *o, uint32_t from, uint32_t n) NONNULL();
/**
 * How many hot words were found to differ since the last call of this, by owners_scrub() or before
 * another word was stored in their place. @param first, last  out, if there are any: the lowest and the
 * highest slot
 */
uint32_t owners_damaged(struct owners *o, uint32_t *first, uint32_t *last) NONNULL();

/** Whether a slot of the pool has @p backend as owner or base, or a set names it. */
bool owners_uses(const struct owners *o, uint16_t backend) NONNULL();

/* --- the state that nodes hand over, in pools with agents (owners/handover.c) --- */

/**
 * One slot whose owner or list does not follow from the document alone, because a death changed it.
 * Slots that are not handed over have the owner and the list of their line.
 */
struct owners_handover {
	uint32_t slot;
	uint16_t owner; /**< a backend index, as all that follow */
	/** Newest first, 0: none; OWNER_LIST_TEMPORARY marks temporary owners. */
	uint16_t named[OWNER_LIST_MAX];
	int64_t until_ms[OWNER_LIST_MAX]; /**< wall clock: when their claims end */
};

/**
 * Find the first slot, from slot @p from on, that has to be handed over. @return whether there is
 * one
 */
bool owners_handover_find(const struct owners *o, uint32_t from, const struct owners_clock *clock,
                          struct owners_handover *out) NONNULL();
/**
 * Accept a peer's state, on a node that started on empty tables. Call it after owners_apply().
 * @param slots  by ascending slot, with this node's backend indexes; any other slot gets the owner
 *               of its line
 */
void owners_handover_apply(struct owners *o, const struct owners_handover *slots, size_t n,
                           const struct owners_clock *clock) NONNULL(1, 4);

#endif
