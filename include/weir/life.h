/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Whether a process lives: one pure function over what its stats page and the kernel show of it. Each
 * process that must know calls it itself, and asks no other. Implemented in pages/life.c; any thread
 * may call these, on what is its own.
 */
#ifndef WEIR_LIFE_H
#define WEIR_LIFE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * How long a process may be silent, ms, by what follows from it: then it hangs. And how long it must have been
 * silent, once it has ended, to be gone: until then another one may take its place.
 */
#define LIFE_LIMITS(X)                                                                             \
	X(STATUS, 2000, 0, "a page is signed twice a second; a wrong status is put right as soon") \
	X(COUNTS, 3000, 0, "older numbers are not of now; one lost second makes no gap")           \
	X(OFFLINE, 2500, 0, "a command kills weir-mgmt, but a person waits for it")                \
	X(ANSWERS, 2000, 5000, "its addresses leave once it is gone: weir run takes less")         \
	X(STOP, 5000, 0, "weir run --stop kills: a disk may hold a supervisor for seconds")        \
	X(RESTART, 10000, 0, "weir run kills, unless --hang-time says otherwise")

enum life_use {
#define LIFE_USE(name, hung_ms, gone_ms, reason) LIFE_FOR_##name,
	LIFE_LIMITS(LIFE_USE)
#undef LIFE_USE
	        LIFE_USE_COUNT
};

struct life_limit {
	uint64_t hung_ms, gone_ms;
};
extern const struct life_limit life_limits[LIFE_USE_COUNT];

/** What is seen of a process. */
struct life_signs {
	bool is_shown;       /**< there is a page, of the process that is meant */
	bool has_ended;      /**< the process that wrote it has, so its lock is free */
	bool begins;         /**< it shows a job, and no other sign of life yet */
	bool has_job;        /**< it announces a job whose time is not over */
	uint64_t silent_ms;  /**< since its last sign of life (life_silent_ms()) */
	uint64_t watched_ms; /**< of that, what the watcher saw: it may have been paused, too */
};

enum life {
	LIFE_UNKNOWN,  /**< nothing is shown, or the watcher was paused itself */
	LIFE_STARTING, /**< in a job, before its first turn */
	LIFE_RUNNING,
	LIFE_BUSY, /**< silent, in a job that may take so long */
	LIFE_HUNG,
	LIFE_GONE, /**< it has ended, and none has taken its place */
};

/** How it is; the table is at the top of pages/life.c. @p limit: of life_limits, or of the operator */
enum life life_judge(const struct life_signs *s, const struct life_limit *limit);

/** How long ago @p beat_ms was; what is yet to come is now. */
static inline uint64_t life_silent_ms(uint64_t beat_ms, uint64_t now_ms)
{
	return now_ms > beat_ms ? now_ms - beat_ms : 0;
}

/** Whether what a page shows is of now, whose writer's last sign of life was at @p beat_ms. */
bool life_is_fresh(uint64_t beat_ms, enum life_use use, uint64_t now_ms);

/** Whether a watcher that looked @p since_ms ago was paused: it had no half of the limit to see. */
static inline bool life_was_away(uint64_t since_ms, uint64_t limit_ms)
{
	return since_ms >= limit_ms / 2;
}

/** When the watcher itself was there. Zeroed at first: then all that a page shows counts. One thread looks. */
struct life_watch {
	uint64_t looked_ms; /**< last */
	uint64_t since_ms;  /**< without a pause since then */
	uint64_t hung_ms;   /**< who signed last before it hung before a pause, and still does */
};

/** The watcher looks; it does so several times in the limit of @p use. */
void life_look(struct life_watch *w, enum life_use use, uint64_t now_ms);

/**
 * The signs of a process by its page alone, whose writer's last sign of life was at @p beat_ms. @p w (NULL: a single
 * look, of which no pause is known) may be another thread's.
 */
struct life_signs life_signs_at(uint64_t beat_ms, bool has_ended, const struct life_watch *w,
                                enum life_use use, uint64_t now_ms);

#endif
