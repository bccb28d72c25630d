/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The scrub: it compares the forwarding tables with what this process wrote into them, a piece at a
 * time, and writes again what differs (tables/shadow.h, owners_scrub()). What packets write is left
 * alone. It also has the driver look for its pins, each second.
 *
 * A turn comes each SCRUB_TURN_MS and takes SCRUB_TURN_NS at most, or one piece: less than 1 % of a
 * core. A pass begins SCRUB_PASS_MS after the one before it began, or when that has ended. Nothing
 * is written between the parts of a turn, so no piece changes while it is compared.
 *
 * Implemented in scrub.c and scrub_findings.c; the loop's thread calls all of this.
 */
#ifndef WEIR_DATAPLANE_SCRUB_H
#define WEIR_DATAPLANE_SCRUB_H

#include "dataplane/tables/compiler.h"
#include "weir/driver.h"

#define SCRUB_TURN_MS      100u    /**< the caller's timer */
#define SCRUB_TURN_NS      500000u /**< 0.5 % of a core */
#define SCRUB_PASS_MS      5000u
#define SCRUB_PIECE_BYTES  4096u
#define SCRUB_SHOWN_MS     60000u /**< a finding is shown so long after it was last so */
#define SCRUB_FINDINGS_MAX 32u
#define SCRUB_NAME_MAX     136u /**< a condition's subject */

/** Where damage was found, and mended. */
struct scrub_finding {
	enum fwd_table table;
	uint32_t first, last; /**< elements of the table; of slots: slots */
	uint32_t key;         /**< what finds it again: the element; of slots, the pool's index */
	char name[SCRUB_NAME_MAX]; /**< for people: "backend web-ams/ams-b1" */
	uint64_t n;                /**< elements that were found damaged */
	uint64_t found_ms;         /**< the last time */
};

/** Pins that were missing (driver_ops.keep_pins()). */
struct scrub_pins {
	uint64_t n;        /**< that were made again */
	uint64_t found_ms; /**< the last time */
	/** why some are missing now; "": all are there */
	struct driver_reason reason;
};

/** All zero before the first turn. */
struct scrub {
	struct compiler *node; /**< borrowed: whose tables they are */
	struct scrub_finding findings[SCRUB_FINDINGS_MAX];
	uint32_t n_findings;
	uint64_t n_more,
	        more_ms; /**< elements for which there was no room, and when the last was */
	struct scrub_pins pins;
	uint64_t changes; /**< of all this */
	uint64_t now_ms;
	uint64_t pass_ms;      /**< when the pass in progress began; 0: there was none */
	bool is_done;          /**< it has ended, and the next one is not due */
	uint32_t step, cursor; /**< where it is: which table or pool, and the element */
};

/** Scrub the tables of @p n from now on, until the next call. */
void scrub_begin(struct scrub *s, struct compiler *n) NONNULL();
/** Do the next turn. @return whether what there is to show has changed */
bool scrub_turn(struct scrub *s, uint64_t now_ms) NONNULL();
/** Look for pins that are missing. @return as scrub_turn() */
bool scrub_pins(struct scrub *s, const struct driver_ops *ops, struct driver *driver,
                uint64_t now_ms) NONNULL();
/** Compare and mend all of the small tables that @p table is one of, before it is written. */
void scrub_table(struct scrub *s, enum fwd_table table) NONNULL();

/** Note that @p n elements from @p first to @p last were damaged (scrub_findings.c). */
void scrub_note(struct scrub *s, enum fwd_table table, uint32_t key, uint32_t first, uint32_t last,
                uint32_t n) NONNULL();
/** The name of a table, as of its map. */
const char *scrub_table_name(enum fwd_table table);
/** Forget findings whose time has passed. */
void scrub_forget(struct scrub *s) NONNULL();

#endif
