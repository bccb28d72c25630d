/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Whether a pool's new flows go to its own backends or to those of its backup, a pool of another
 * site, and to how many of the slots.
 *
 * The backup is *needed*
 *   late    when this site's drain is complete and late clients are due (an override says from when);
 *   failed  when less than min_healthy of the own weight is up by evidence. A check without a
 *           verdict is no evidence, so an inconclusive one switches nothing.
 * The backup is *used* only if its site is neither drained nor down, and if enough of its weight is
 * up. A pool that is on its own backup has too few backends up, or a drained site: so it is no
 * backup for another pool, and two sites that back each other up cannot loop. A backup of which
 * nothing is known is used only where no own backend is left: never for late clients.
 *
 * Own backends take the new flows again when the backup has not been needed for BACKUP_RETURN_MS; at
 * once when the backup can no longer be used.
 *
 * The limit is of the load that was measured: a share of the slots goes to the backup, the others
 * stay with own backends if these are up, else their packets are dropped (FWD_REASON_BACKUP_FULL).
 *
 * Implemented in tables/backup.c. Pure: time is passed in; any thread may call.
 */
#ifndef WEIR_DATAPLANE_TABLES_BACKUP_H
#define WEIR_DATAPLANE_TABLES_BACKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "dataplane/tables/guard.h"
#include "weir/effect.h"

/** A backup that is no longer needed serves for so long more: own backends may fail again. */
#define BACKUP_RETURN_MS 10000u
/** Shares are of so many parts of the slots. */
#define BACKUP_SHARE_ALL 1024u
/** Load is measured over at least so long. */
#define BACKUP_MEASURE_MS 1000u

/** Weights of a pool's backends by what is known of them. */
struct backup_weights {
	uint64_t total; /**< without those that a person has disabled */
	uint64_t up;    /**< a check or a person says so, or the pool has no check */
	uint64_t down;  /**< by evidence; the rest is unknown */
};

/** What the decision is made from. */
struct backup_facts {
	bool late;         /**< late clients of this site's drain are due */
	bool site_drained; /**< the backup's site */
	bool site_down;    /**< the backup's site, by its VIPs' checks from here */
	uint32_t own_min_percent, backup_min_percent;
	struct backup_weights own, backup;
};

/** The decision in force; the caller keeps one for each table, zeroed at the start. */
struct backup_state {
	uint8_t class;      /**< enum effect_class */
	uint8_t cause;      /**< enum effect_backup_cause: why it is needed */
	uint8_t unused;     /**< enum effect_backup_unused: why it is needed and not used */
	uint8_t obstacle;   /**< the same, needed or not, for late clients */
	uint16_t share;     /**< of BACKUP_SHARE_ALL, while it is used; else 0 */
	uint64_t since_ms;  /**< since when the class is so; 0: since the start */
	uint64_t needed_ms; /**< when it was last needed */
};

/** Load that was measured between two moments. */
struct backup_load {
	uint64_t flows_per_s, bits_per_s;
	bool known;
};

/** What may go to the backup at most, from this node. */
struct backup_limit {
	uint64_t flows_per_s, bits_per_s;
};

/** Add up weights as the guards see them, before they decide. */
struct backup_weights backup_add_up(const struct guard_backend *b, size_t n) NONNULL();
/**
 * Decide on the class; the share is BACKUP_SHARE_ALL where the backup begins to be used.
 * @return when to ask again though nothing changed, or UINT64_MAX
 */
uint64_t backup_decide(struct backup_state *s, const struct backup_facts *f, uint64_t now_ms)
        NONNULL();
/**
 * The share to begin with, when @p own is the load that the own backends had and the backup is going
 * to get. Where it is not known, just after a start: an eighth of the late clients, as own backends serve
 * the others; but all clients of own backends that have failed, as the others would be dropped, and a
 * second later the load is known.
 */
void backup_begin_share(struct backup_state *s, const struct backup_load *own,
                        const struct backup_limit *limit) NONNULL();
/**
 * Follow the load @p at_backup that was measured while `share` was in force: less at once, more by
 * at most a quarter. @return whether the share has changed
 */
bool backup_follow_load(struct backup_state *s, const struct backup_load *at_backup,
                        const struct backup_limit *limit) NONNULL();

#endif
