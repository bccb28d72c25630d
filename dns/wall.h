/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The wall clock as ramps see it: read once a tick, carried on by the monotonic clock.
 * Small errors are slewed; after a step the old course is held for a while, so that no
 * ramp jumps because a clock did. Pure.
 */
#ifndef WEIR_DNS_WALL_H
#define WEIR_DNS_WALL_H

#include <stdbool.h>
#include <stdint.h>

#define WALL_STEP_MS 2000 /**< a larger error is a step */
#define WALL_HOLD_MS                                                                               \
	60000 /**< ramps stand still so long after a step, then the clock is believed */

struct wall {
	bool started;
	int64_t at_ms;       /**< what was given last */
	uint64_t mono_ms;    /**< when */
	uint64_t stepped_ms; /**< when the step was seen; 0: not held */
};

/** @return the time to use now; never less than before, but for a step that was held out */
int64_t wall_tick(struct wall *w, uint64_t mono_ms, int64_t clock_ms);
/** Why ramps stand still because of the clock. */
enum wall_hold {
	WALL_RUNS,
	WALL_STEPPED,        /**< it has stepped lately: the old course is held for a while */
	WALL_UNSYNCHRONISED, /**< the kernel says that nobody disciplines it */
};

/** "good", "stepped", "unsynchronised" */
const char *wall_hold_text(enum wall_hold hold);
/** @param synchronised  what the kernel says; @param trusted  the setting that makes it no matter */
enum wall_hold wall_hold(const struct wall *w, bool synchronised, bool trusted);

#endif
