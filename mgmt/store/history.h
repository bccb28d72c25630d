/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The versions as this node knows them from shared intent, and the changes that a node may make to them.
 *
 * Memory alone: records come in, the version in force comes out (mgmt/store/chain.h), and changes are made
 * to be decided elsewhere (mgmt/store/shared.h). A version that was made since this node came begins its deadline
 * here, whenever it is heard of: by a watch, by a list, or from the disk where the deadline was lost. One that was
 * there before, by its revision, begins none, and only its mark ends it. So a node that joins late neither ends a
 * version early nor keeps one alive.
 *
 * What rests on what:
 *
 *   change            rests on
 *   apply             the head; no version of its number; and no mark of the version in force, where that is open
 *   end               the head; each version that ends; and no mark of it
 *   confirm           that version; and no mark of it
 *
 * A version with a place (weir/canary.h) is in force at the nodes of its place alone, until it is confirmed; elsewhere the one
 * before it stays. It is the newest meanwhile, for all nodes: nothing is made on it, and it is made on nothing that is open.
 *
 * No more than so many versions are kept. A new one lets the oldest go that can never be in force again: those
 * below the newest that cannot end, and those that are marked as ended. So what a version goes back to stays.
 *
 * Implemented in mgmt/store/history.c. One thread at a time; time is passed in.
 */
#ifndef WEIR_MGMT_STORE_HISTORY_H
#define WEIR_MGMT_STORE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/store/chain.h"
#include "mgmt/store/pending.h"
#include "mgmt/store/shared.h"
#include "mgmt/store/store.h"

/** The record "head". */
struct history_head {
	uint64_t number;
};
extern const struct record_kind history_head_record;

/** The record "mark/N": who decided what of version N, and why. */
struct history_mark {
	enum chain_mark mark; /**< CHAIN_CONFIRMED or CHAIN_ENDED */
	char author[VERSION_AUTHOR_MAX], reason[VERSION_REASON_MAX], node[MODEL_NAME_MAX];
	char principal[PRINCIPAL_MAX];
	int64_t time_ms;
};
extern const struct record_kind history_mark_record;

struct version_history;

/** @param keep  versions, at most STORE_VERSIONS_MAX. @return for history_free() */
MUST_CHECK struct version_history *history_new(size_t keep);
void history_free(struct version_history *h);
/** This is @p node, of @p site; "": not known, so it is none of a place's. By it history_in_force() and the like say "here". */
void history_set_here(struct version_history *h, const char *node, const char *site);

/**
 * Take a record that has changed, or is gone (no text). Names that are not of versions are ignored.
 * @param clock  of now: the deadline of a version that is new here begins, if it was made since this node came
 * @return 0; -EBADMSG: what it holds cannot be a version, a mark or a head, and nothing is taken; -ENOMEM
 */
MUST_CHECK int history_receive(struct version_history *h, const struct shared_record *r,
                               const struct pending_clock *clock);
/** Whether history_receive() could take @p r, as far as it alone shows. @return 0, -EBADMSG or -ENOMEM */
MUST_CHECK int history_check(const struct shared_record *r);
/** The store was at @p revision when this node came, with nothing: it has no deadline of what was there. 0 at first. */
void history_join(struct version_history *h, int64_t revision);
/** Forget all records, but not their deadlines: the list that follows is all there is. */
void history_clear(struct version_history *h);

/**
 * Know @p v, without a record, as the newest version. No change can rest on it before its record is written.
 * @return 0; -EBADMSG: it cannot be a version, and nothing changes
 */
MUST_CHECK int history_recall(struct version_history *h, const struct version *v,
                              const struct pending_clock *clock);

/** The next version above @p number that is known; NULL: there is none. */
const struct version *history_after(const struct version_history *h, uint64_t number);
/** Whether version @p number is to be confirmed and has no mark, whatever the time. */
bool history_waits(const struct version_history *h, uint64_t number);
/** Whether the head's version is known, and, where it waits, one that it goes back to; also if there is no head. */
bool history_is_whole(const struct version_history *h);
/** The newest version; NULL: there is none. Valid until a record is taken. */
const struct version *history_head(const struct version_history *h);
/** The version in force here; NULL: the head is not known. Valid until a record is taken. */
const struct version *history_in_force(const struct version_history *h, int64_t now_ms);
/** The same at @p node of @p site, as far as it knows what is known here. */
const struct version *history_in_force_at(const struct version_history *h, const char *node,
                                          const char *site, int64_t now_ms);
/** The newest version that has not ended: in force at its place at least. What changes rest on. As history_in_force() */
const struct version *history_standing(const struct version_history *h, int64_t now_ms);
/**
 * Whether the version @p number of these files was in force at all nodes, for good: it needed no confirmation, or has it, by its own
 * mark or that of one which joined it. What is not known was not.
 */
bool history_is_final(const struct version_history *h, uint64_t number, const char *digest);
/** A version and what was decided of it; NULL: not known. Valid until a record is taken. */
const struct version *history_version(const struct version_history *h, uint64_t number,
                                      enum chain_mark *mark);
/**
 * Leave out of @p list versions that have ended, whose changes were taken back; but not version @p head, which is in force. @return
 * how many stay, in their order
 */
size_t history_drop_ended(const struct version_history *h, uint64_t head, struct version *list,
                          size_t n);
/** Whether history_standing() may still be confirmed; @p left_ms  until this node lets it end, CHAIN_NEVER: it does not */
bool history_is_open(const struct version_history *h, int64_t now_ms, int64_t *left_ms);
/** The version that this node is to end now, 0: none. */
uint64_t history_overdue(const struct version_history *h, int64_t now_ms);

/** The version that is in force if nobody confirms what is open; NULL: the head is not known. As history_in_force(). */
const struct version *history_final(const struct version_history *h);

/** A version was in force from an instant on, until the next period's. */
struct history_period {
	uint64_t number;
	int64_t since_ms; /**< wall time, as records have it, so it is equal at all nodes */
};
/**
 * What was in force here by records alone, the last @p max periods, oldest first. A version begins at its effective_ms, and
 * ends @p ahead_ms after the time of its mark; where this node is none of its place it begins then, if it was confirmed. What
 * this node decided alone is not among them.
 * @return how many
 */
size_t history_periods(const struct version_history *h, int64_t ahead_ms,
                       struct history_period *out, size_t max);

#define HISTORY_PENDING_MAX                                                                        \
	64u /**< deadlines that are kept over a restart, of the newest versions */
/** The deadlines that run, to be kept on disk. @return how many */
size_t history_pending(const struct version_history *h, const struct pending_clock *clock,
                       struct pending out[HISTORY_PENDING_MAX]);
/**
 * Go on with deadlines from the disk, before the first record is taken. One that had passed lets its version
 * end at once.
 */
void history_resume(struct version_history *h, const struct pending *list, size_t n,
                    const struct pending_clock *clock);

/** What a new version does about the one that stands, where that is open. */
enum history_open {
	HISTORY_REFUSE,  /**< it is not made: -EBUSY */
	HISTORY_CONFIRM, /**< the one in force is confirmed with it, as @p mark says */
	/** both stay open, and end if the new one is not confirmed: one that needs no confirmation is refused, -EBUSY */
	HISTORY_JOIN,
};

/**
 * Make version @p v from the one that stands; where either has a place and the latter is open it is refused, -EBUSY, whatever
 * @p open says. Its number and what it is made from are set here: the next, or a
 * higher one that it asks for. The first needs no confirmation.
 * @param mark  for HISTORY_CONFIRM; else NULL
 * @return 0, and @p c is to be decided; -EBUSY (see enum history_open); -EAGAIN: a version is overdue, and is to be
 *   ended first; -ENOSPC: all that are kept may be in force again, as they are open; -EBADMSG: what is known does not hold together (no version in force, or a mark of the number that
 *   is free); or the change's err
 */
MUST_CHECK int history_apply(const struct version_history *h, int64_t now_ms,
                             enum history_open open, const struct history_mark *mark,
                             struct version *v, struct shared_change *c);
#define HISTORY_BACK_MAX                                                                           \
	3u /**< versions that one change marks as ended; those that these joined are overdue then */
/**
 * End all that is open, so that history_final() is in force.
 * @return 0, and @p c is to be decided; -EALREADY: nothing is open; or the change's err
 */
MUST_CHECK int history_go_back(const struct version_history *h, const struct history_mark *mark,
                               struct shared_change *c);
/**
 * Confirm version @p number, or end it, and with it what it joined.
 * @return 0, and @p c is to be decided; -ENOENT (no such version); -EALREADY (it is decided, or needs no
 *   confirmation); -EBUSY: it does not stand, so it cannot be confirmed; or the change's err
 */
MUST_CHECK int history_decide(const struct version_history *h, int64_t now_ms, uint64_t number,
                              const struct history_mark *mark, struct shared_change *c);

#endif
