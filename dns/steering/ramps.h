/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The ramps of sites' drains as this node follows them: for each drain, which instant of its
 * schedule is in force.
 *
 * - Without a reason to hold it, a ramp follows its schedule: so all nodes agree.
 * - While the wall clock cannot be trusted, no level moves, and no ramp starts.
 * - A return neither starts nor continues while the site is not up as seen from outside: *expired,
 *   held*.
 * - The clock does not hold a drain without a ramp, which takes no time.
 * - A ramp that was held resumes where it stopped, at the speed that was configured.
 * - A step of an operation also has a level, which never moves against its direction (steps.h).
 *
 * Implemented in dns/steering/ramps.c; called by the thread that owns the generation. Pure, but for
 * ramps_open().
 */
#ifndef WEIR_DNS_STEERING_RAMPS_H
#define WEIR_DNS_STEERING_RAMPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/model.h"
#include "weir/ramp.h"

struct ramps {
	size_t n;
	struct ramp_record *items, *next; /**< RAMP_RECORDS_MAX each, sorted by id */
	bool restored;                    /**< read from the file: no step was made yet */
	bool changed;                     /**< the file must be written again */
	int64_t wall_clock_ms;            /**< of the last step */
	uint64_t stepped_ms;              /**< monotonic: when wall_clock_ms changed */
	uint64_t kept_ms;                 /**< monotonic: when `changed` was set */
};

/**
 * A TTL of the names that have the site of @p o, seconds: the one that they have while the level is
 * between the ends (@p shifting), or the longest that they have otherwise.
 */
typedef uint32_t ramps_ttl(void *arg, const struct model_override *o, bool shifting);
/** Whether a site is up as seen from outside. */
typedef bool ramps_is_up(void *arg, const struct model_site *site);

/** The inputs of a step of all ramps. */
struct ramps_step_input {
	const struct model *model;
	int64_t wall_clock_ms;
	uint64_t now_ms;
	bool clock_held;
	ramps_is_up *is_up;
	ramps_ttl *ttl;
	void *arg;
};

/**
 * Read the file below @p state_dir, if there is one. @return 0, -ENOMEM, or why the file was not
 * used
 */
int ramps_open(struct ramps *r, const char *state_dir) MUST_CHECK NONNULL();
void ramps_close(struct ramps *r) NONNULL();
/**
 * Forget ramps that follow their schedule, and are no steps: ramps_time() then gives the requested
 * time for these.
 */
void ramps_only_held(struct ramps *r) NONNULL();
/** Step all drains of sites that the model has. */
void ramps_step_all(struct ramps *r, const struct ramps_step_input *in) NONNULL();
/** The instant in force for @p o; the wall time where nothing else is known. @p r may be NULL. */
int64_t ramps_time(const struct ramps *r, const struct model_override *o, int64_t wall_clock_ms)
        NONNULL(2);
/** The level of a step that is in force. @return whether it is known; @p r may be NULL */
bool ramps_level(const struct ramps *r, const struct model_override *o, uint32_t *level_ppm)
        NONNULL(2, 3);
/**
 * Since when a person's hold stops a site's drain @p own; MODEL_TIME_NEVER: there is none. Steps of an operation are not
 * stopped by a hold from before it began: that is of a drain by the clock.
 */
int64_t ramps_person_hold_ms(const struct model *m, const struct model_override *own,
                             int64_t wall_clock_ms) NONNULL();
/** What holds the ramp of @p o; RAMP_FREE if nothing else is known. @p r may be NULL. */
enum ramp_how ramps_how(const struct ramps *r, const struct model_override *o) NONNULL(2);
/** How many ramps are in state @p how. */
size_t ramps_held(const struct ramps *r, enum ramp_how how) NONNULL();

#endif
