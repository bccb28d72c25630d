/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The believed time: what a process takes for the wall clock. Pure; time is passed in.
 *
 * The kernel's wall clock may step: a person sets it, a time server is wrong, a battery is empty.
 * Schedules, ramps and purges must not follow such a step. So the believed time goes on by elapsed
 * time (boot clock), small errors are slewed, and a larger one is a *step*: the kernel's clock is
 * not followed until it is confirmed.
 *
 *   | kernel's clock against the believed time | believed time                | state          |
 *   |------------------------------------------|------------------------------|----------------|
 *   | within WALL_CLOCK_STEP_MS, confirmed once      | follows it, slewed           | good           |
 *   | within WALL_CLOCK_STEP_MS, never confirmed     | follows it, slewed           | unsynchronised |
 *   | further off                              | goes on by elapsed time      | stepped        |
 *   | after a boot, further off than that      | from the last one known, on  | booted         |
 *
 * The kernel's clock is confirmed when the kernel says that it is synchronised and a peer's clock
 * agrees (without peers the kernel's word is enough), both for WALL_CLOCK_SETTLE_MS; or when a
 * person accepts it. Where the node's setting trusts the clock, a peer that agrees is enough to
 * follow a step, but confirms nothing: with the setting gone, ramps are held as before.
 *
 * Implemented in base/wall_clock.c. Pure functions: any thread may call them.
 */
#ifndef WEIR_BASE_WALL_CLOCK_H
#define WEIR_BASE_WALL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define WALL_CLOCK_STEP_MS 2000 /**< a larger error is a step */
#define WALL_CLOCK_SETTLE_MS                                                                       \
	5000 /**< how long a new time must be confirmed before it is believed */

/** What the peers say about the kernel's clock. */
enum wall_clock_peers {
	WALL_CLOCK_PEERS_NONE,    /**< there are none: the kernel's word is enough */
	WALL_CLOCK_PEERS_UNHEARD, /**< there are some, but none has sent its clock lately */
	WALL_CLOCK_PEERS_AGREE,   /**< one agrees with it within WALL_CLOCK_STEP_MS */
	WALL_CLOCK_PEERS_DIFFER,
};

/** Why the kernel's clock is not followed, or holds ramps. */
enum wall_clock_hold {
	WALL_CLOCK_RUNS,
	WALL_CLOCK_STEPPED,        /**< elapsed time is believed, and everything goes on by it */
	WALL_CLOCK_UNSYNCHRONISED, /**< never confirmed since the boot: ramps are held */
	WALL_CLOCK_BOOTED, /**< the same, and it does not follow from the time before the boot */
	WALL_CLOCK_HOLD_COUNT
};

/** What one tick sees. */
struct wall_clock_now {
	uint64_t mono_ms;  /**< milliseconds since boot */
	int64_t clock_ms;  /**< the kernel's wall clock */
	bool synchronised; /**< the kernel says so */
	bool trusted;      /**< the node's setting: a peer's word is enough without the kernel's */
	enum wall_clock_peers peers;
};

struct wall_clock {
	bool started;
	bool booted;      /**< begun from a time before this boot, not confirmed since */
	bool confirmed;   /**< once since the boot */
	int64_t at_ms;    /**< the believed time of the last tick */
	uint64_t mono_ms; /**< its instant */
	int64_t off_by_ms; /**< the kernel's clock less the believed time, while it is not followed; else 0 */
	int64_t course_ms;  /**< of a stepped clock: clock less boot clock */
	uint64_t agreed_ms; /**< since when that course is confirmed; 0: it is not */
};

/** Begin from what was believed at @p mono_ms of this boot, or (@p booted) before it. */
void wall_clock_begin(struct wall_clock *w, uint64_t mono_ms, int64_t believed_ms, bool booted,
                      bool confirmed);
/**
 * Read the clocks. The first call of a zeroed @p w believes the kernel's clock.
 * @return the believed time
 */
int64_t wall_clock_tick(struct wall_clock *w, const struct wall_clock_now *now);
/** A person accepts the kernel's clock as it is. @return the believed time, which is that */
int64_t wall_clock_accept(struct wall_clock *w, uint64_t mono_ms, int64_t clock_ms);

/** @param trusted the node's setting that makes an unsynchronised clock no matter */
enum wall_clock_hold wall_clock_hold(const struct wall_clock *w, bool trusted);
/** Whether ramps of drains are held. */
bool wall_clock_holds_ramps(enum wall_clock_hold hold);
/** "good", "stepped", "unsynchronised", "booted" */
const char *wall_clock_hold_text(enum wall_clock_hold hold);

#endif
