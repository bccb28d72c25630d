/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first row that fits decides.
 *
 *   no page                                          unknown
 *   it has ended, and was silent for gone_ms         gone      (watched: weir run may have been paused, too)
 *   it begins, and its job's time is not over        starting
 *   it begins                                        hung
 *   silent for no more than hung_ms                  running
 *   the watcher saw no more than hung_ms of it       unknown   a paused machine is no hung process
 *   its job's time is not over, and it has not ended busy
 *   else                                             hung
 */
#include "weir/life.h"

#include <stddef.h>

const struct life_limit life_limits[LIFE_USE_COUNT] = {
#define LIFE_LIMIT(name, hung_ms, gone_ms, reason) { hung_ms, gone_ms },
	LIFE_LIMITS(LIFE_LIMIT)
#undef LIFE_LIMIT
};

enum life life_judge(const struct life_signs *s, const struct life_limit *limit)
{
	if (!s->is_shown)
		return LIFE_UNKNOWN;
	if (s->has_ended && s->watched_ms >= limit->gone_ms)
		return LIFE_GONE;
	if (s->begins)
		return s->has_job ? LIFE_STARTING : LIFE_HUNG;
	if (s->silent_ms <= limit->hung_ms)
		return LIFE_RUNNING;
	if (s->watched_ms <= limit->hung_ms)
		return LIFE_UNKNOWN;
	return s->has_job && !s->has_ended ? LIFE_BUSY : LIFE_HUNG;
}

bool life_is_fresh(uint64_t beat_ms, enum life_use use, uint64_t now_ms)
{
	return life_silent_ms(beat_ms, now_ms) <= life_limits[use].hung_ms;
}

/* The longest time that a use of @p limit counts. */
static uint64_t longest_ms(const struct life_limit *limit)
{
	return limit->gone_ms > limit->hung_ms ? limit->gone_ms : limit->hung_ms;
}

/* In this order, since another thread reads them in the other: what was seen to hang hangs during the pause, too. */
static void set_watch(struct life_watch *w, uint64_t hung_ms, uint64_t since_ms)
{
	__atomic_store_n(&w->hung_ms, hung_ms, __ATOMIC_RELAXED);
	__atomic_store_n(&w->since_ms, since_ms, __ATOMIC_RELEASE);
}

void life_look(struct life_watch *w, enum life_use use, uint64_t now_ms)
{
	uint64_t looked_ms = __atomic_load_n(&w->looked_ms, __ATOMIC_RELAXED);
	uint64_t since_ms = __atomic_load_n(&w->since_ms, __ATOMIC_RELAXED);
	uint64_t most_ms = longest_ms(&life_limits[use]), hung_ms = life_limits[use].hung_ms;

	if (life_was_away(life_silent_ms(now_ms, looked_ms), most_ms)) {
		set_watch(w, 0, 0); /* another clock: as at first */
	} else if (looked_ms && life_was_away(life_silent_ms(looked_ms, now_ms), most_ms)) {
		bool saw_hung = life_silent_ms(since_ms, looked_ms) > hung_ms;

		set_watch(w, saw_hung ? looked_ms - hung_ms : w->hung_ms, now_ms);
	}
	__atomic_store_n(&w->looked_ms, now_ms, __ATOMIC_RELEASE);
}

struct life_signs life_signs_at(uint64_t beat_ms, bool has_ended, const struct life_watch *w,
                                enum life_use use, uint64_t now_ms)
{
	struct life_watch watch = { 0 };

	if (w) {
		watch.looked_ms = __atomic_load_n(&w->looked_ms, __ATOMIC_ACQUIRE);
		watch.since_ms = __atomic_load_n(&w->since_ms, __ATOMIC_ACQUIRE);
		watch.hung_ms = __atomic_load_n(&w->hung_ms, __ATOMIC_RELAXED);
		life_look(&watch, use, now_ms); /* it may not have looked since its pause */
	}
	uint64_t silent_ms = life_silent_ms(beat_ms, now_ms);
	uint64_t watched_ms = life_silent_ms(watch.since_ms, now_ms);

	if (beat_ms < watch.hung_ms && watched_ms <= life_limits[use].hung_ms)
		watched_ms = life_limits[use].hung_ms + 1; /* before the pause */
	return (struct life_signs){
		.is_shown = true,
		.has_ended = has_ended,
		.silent_ms = silent_ms,
		.watched_ms = silent_ms < watched_ms ? silent_ms : watched_ms,
	};
}
