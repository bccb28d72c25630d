/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The progress of site drains on this node: STATE/dns.ramps, written by weir-dns, read by any
 * process that shows or continues them.
 *
 * A drain's level follows from an instant of its schedule (model_override_ppm()). That instant is
 * the wall clock's, unless the ramp was held: then the instant stops, and continues afterwards,
 * later than the schedule. A step also has the level itself (dns/steering/steps.h). Implemented in
 * pages/ramp.c; any thread.
 */
#ifndef WEIR_RAMP_H
#define WEIR_RAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/model.h"

#define RAMP_FILE        "dns.ramps" /* state */
#define RAMP_RECORDS_MAX 4096u

enum ramp_how {
	RAMP_FREE,       /**< by its schedule */
	RAMP_LATE,       /**< on its way, later than by its schedule */
	RAMP_HELD_CLOCK, /**< held: the wall clock has stepped or is not synchronised */
	RAMP_HELD_SITE,  /**< expired, held: the site is not up as seen from outside */
	RAMP_HOW_COUNT
};

struct ramp_record {
	char id[MODEL_ID_MAX]; /**< the override's */
	/** likewise: with others the ramp starts again */
	uint64_t generation;
	uint32_t epoch, step;
	int64_t at_ms; /**< the instant of the schedule that is in force */
	enum ramp_how how;
	bool level_known;   /**< it is a step's, which has what follows */
	bool falls;         /**< its level moves, or moved last, towards 0 */
	bool arrived;       /**< the level is reached: it no longer moves */
	uint32_t level_ppm; /**< in force in this node's answers */
	/** seconds for which earlier answers may be used, from its arrival or else from now */
	uint32_t longest_ttl_s;
	uint64_t answers_until_ms; /**< monotonic, not in the file: the same as an instant */
};

#define RAMP_LEVELS_MAX                                                                            \
	64u /**< steps in one answer: more drains of sites than there are sites are none of operations */

/** The levels in force, as weir-dns says them on its control socket: of steps alone, without what says how a ramp goes. */
struct ramp_levels {
	bool ok; /**< set: nobody else writes such a line */
	uint32_t n;
	struct ramp_record items[RAMP_LEVELS_MAX];
};
struct record_kind;
/** Of struct ramp_levels (record/fields.h). Read: generations below 2^53, levels and TTLs in their ranges. */
extern const struct record_kind ramp_levels_record;

/** "free", "late", "held-clock", "held-site" */
const char *ramp_how_text(enum ramp_how how);
/**
 * Read the records below @p state_dir, taken whole or not at all.
 * @param out room for RAMP_RECORDS_MAX; untouched on failure
 * @return how many; 0 also when there is no file; -EINVAL when it is malformed; or -errno
 */
MUST_CHECK int ramp_read(const char *state_dir, struct ramp_record *out);
/** Replace the file. @return 0 or -errno (the old one stays) */
int ramp_write(const char *state_dir, const struct ramp_record *records, size_t n);
/** The record of @p o as it is now. @return NULL when there is none */
const struct ramp_record *ramp_find(const struct ramp_record *records, size_t n,
                                    const struct model_override *o);
/** The record of an override in whichever generation. @return NULL when there is none */
const struct ramp_record *ramp_find_any(const struct ramp_record *records, size_t n,
                                        const char *id);

#endif
