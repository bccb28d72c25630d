/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each tick carries the believed time on by the boot clock, then compares it with the kernel's
 * clock. A small error is slewed by at most a tenth of the time that passed, so the believed time
 * never stands still or leaps, and two processes that tick at different instants stay close
 * together. The table in base/wall_clock.h is the specification.
 */
#include "base/wall_clock.h"

#include <stdlib.h>

void wall_clock_begin(struct wall_clock *w, uint64_t mono_ms, int64_t believed_ms, bool booted,
                      bool confirmed)
{
	*w = (struct wall_clock){ .started = true,
		                  .booted = booted,
		                  .confirmed = confirmed && !booted,
		                  .at_ms = believed_ms,
		                  .mono_ms = mono_ms };
}

int64_t wall_clock_accept(struct wall_clock *w, uint64_t mono_ms, int64_t clock_ms)
{
	wall_clock_begin(w, mono_ms, clock_ms, false, true);
	return clock_ms;
}

static int64_t slew_error(int64_t error_ms, int64_t passed_ms)
{
	int64_t most_ms = passed_ms / 10;

	return error_ms > most_ms ? most_ms : error_ms < -most_ms ? -most_ms : error_ms;
}

static bool is_confirmed(const struct wall_clock_now *now)
{
	if (now->peers == WALL_CLOCK_PEERS_AGREE)
		return now->synchronised || now->trusted;
	return now->synchronised && now->peers == WALL_CLOCK_PEERS_NONE;
}

/* Whether a clock that is off has kept one course, and was confirmed, for long enough. */
static bool has_settled(struct wall_clock *w, const struct wall_clock_now *now)
{
	int64_t course_ms = now->clock_ms - (int64_t)now->mono_ms;

	if (llabs(course_ms - w->course_ms) > WALL_CLOCK_STEP_MS || !is_confirmed(now))
		w->agreed_ms = 0;
	w->course_ms = course_ms;
	if (!is_confirmed(now))
		return false;
	if (w->agreed_ms == 0)
		w->agreed_ms = now->mono_ms ? now->mono_ms : 1;
	return now->mono_ms >= w->agreed_ms + WALL_CLOCK_SETTLE_MS;
}

int64_t wall_clock_tick(struct wall_clock *w, const struct wall_clock_now *now)
{
	if (!w->started)
		wall_clock_begin(w, now->mono_ms, now->clock_ms, false, now->synchronised);
	int64_t passed_ms = (int64_t)(now->mono_ms - w->mono_ms);
	int64_t error_ms = now->clock_ms - (w->at_ms + passed_ms);

	w->at_ms += passed_ms;
	w->mono_ms = now->mono_ms;
	w->off_by_ms = 0;
	if (error_ms <= WALL_CLOCK_STEP_MS && error_ms >= -WALL_CLOCK_STEP_MS) {
		w->agreed_ms = 0;
		w->booted = false; /* the clock follows on from the time before the boot */
		w->confirmed |= now->synchronised;
		w->at_ms += slew_error(error_ms, passed_ms);
		return w->at_ms;
	}
	if (has_settled(w, now)) {
		wall_clock_begin(w, now->mono_ms, now->clock_ms, false,
		                 w->confirmed || now->synchronised);
		return w->at_ms;
	}
	w->off_by_ms = error_ms;
	return w->at_ms;
}

enum wall_clock_hold wall_clock_hold(const struct wall_clock *w, bool trusted)
{
	if (w->booted)
		return WALL_CLOCK_BOOTED;
	if (w->off_by_ms && (w->confirmed || trusted))
		return WALL_CLOCK_STEPPED;
	return w->confirmed || trusted ? WALL_CLOCK_RUNS : WALL_CLOCK_UNSYNCHRONISED;
}

bool wall_clock_holds_ramps(enum wall_clock_hold hold)
{
	return hold == WALL_CLOCK_UNSYNCHRONISED || hold == WALL_CLOCK_BOOTED;
}

const char *wall_clock_hold_text(enum wall_clock_hold hold)
{
	static const char *const texts[WALL_CLOCK_HOLD_COUNT] = { "good", "stepped",
		                                                  "unsynchronised", "booted" };

	return texts[hold];
}
