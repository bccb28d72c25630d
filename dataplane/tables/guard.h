/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Guards: from the results of checks and the decisions of people to the backends in force, so that
 * automation can neither empty a pool nor remove capacity too fast.
 * Implemented in tables/guard.c. Pure: time is passed in; any thread may call.
 *
 * For one backend, where + is in force, - is not, = is as it was:
 *
 *   intent      verdict    result
 *   disabled    anything   -
 *   forced up   anything   +
 *   nothing     unchecked  +
 *   nothing     up         +
 *   nothing     unknown    = if it was in force, or out by evidence; else + only if no
 *                            other backend serves
 *   nothing     down       -, but = where one of these holds it, the first that applies:
 *                            all are down and on_all_down is last_good: see below
 *                            less than min_healthy_percent of the weight would be left
 *                            max_remove_percent of the weight went within the last 10 s
 *                            (the first removal of a window always may)
 *                            it was held as last good, another one is up now, and its check has not
 *                            had the time to see it up since (recover_ms): all recover, perhaps
 *   all down and on_all_down is fail_closed: all -, no guard holds
 *   the pool's backup takes the new flows (tables/backup.h): all that are down -, no guard holds
 *   all down and on_all_down is last_good: + all that were good in the minute before the share of
 *                            the good ones (by weight) first fell below min_healthy_percent, or to
 *                            nothing; - the others. It has fallen until it is up to that again.
 *                            If none is known to have been good then (the process has just
 *                            started): = those in force; + all if none was. One that a person
 *                            took out, by disabling or by draining it (weight 0), stays out
 *
 * A backend whose next hop cannot be used is down, whatever its check sees (tables/compiler_next_hops.c).
 */
#ifndef WEIR_DATAPLANE_TABLES_GUARD_H
#define WEIR_DATAPLANE_TABLES_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/effect.h"

/** max_remove counts the weight that left within so long. */
#define GUARD_WINDOW_MS 10000u
/** last_good: a backend that was not good within so long before the fall is not brought back. */
#define GUARD_GOOD_MS 60000u
/** Removals that a window can hold: bounds its memory; further ones are held back. */
#define GUARD_REMOVED_MAX 256u

enum guard_verdict { GUARD_UNCHECKED, GUARD_UNKNOWN, GUARD_UP, GUARD_DOWN };
enum guard_intent { GUARD_NOTHING, GUARD_DISABLED, GUARD_FORCED_UP };

struct guard_backend {
	uint64_t id;
	uint32_t weight;     /**< 0 when it is drained: it may leave without asking */
	uint8_t verdict;     /**< enum guard_verdict */
	uint8_t intent;      /**< enum guard_intent */
	uint8_t down_reason; /**< enum effect_reason: why it is down, if not by its check; else 0 */
	bool known;          /**< it was in the tables before, so that alive means something */
	bool dead;           /**< its check took it out: it stays out without a new verdict */
	bool alive;          /**< in: is in force; out: is to be in force */
	uint8_t reason;      /**< out: enum effect_reason */
	bool good;           /**< in and out: it is up, unchecked, or in force without a verdict */
	uint64_t good_ms;    /**< in and out: when it was last seen good; 0: never */
};

struct guard_pool {
	uint32_t min_healthy_percent, max_remove_percent;
	bool fail_closed;
	bool on_backup; /**< its backup takes the new flows: nothing holds a backend that is down */
	/** how long a check takes at most to see that a backend is up again */
	uint32_t recover_ms;
};

/** Recent removals of a pool. The caller keeps one for each pool, zeroed at the start. */
struct guard_window {
	struct {
		uint64_t id, at_ms;
		uint32_t weight;
	} removed[GUARD_REMOVED_MAX];
	size_t n_removed;
	uint64_t fell_ms;  /**< since when too few are good; 0: enough are */
	bool last_good;    /**< nobody serves but those that are held as last good */
	uint64_t risen_ms; /**< when one was up again after that; 0: never */
};

/**
 * Decide for a pool. A backend that returns gives back what its removal took of the window.
 *
 * @param b  in and out; when fewer may leave than want to, the first leave
 * @return when to ask again though nothing changed (a window ends), or UINT64_MAX
 */
uint64_t guard_apply(const struct guard_pool *pool, struct guard_window *window, uint64_t now_ms,
                     struct guard_backend *b, size_t n);

/** Whether @p reason is one of the holds. */
bool guard_is_hold(enum effect_reason reason);

#endif
