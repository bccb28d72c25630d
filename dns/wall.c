/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/wall.h"

const char *wall_hold_text(enum wall_hold hold)
{
	static const char *const texts[] = { "good", "stepped", "unsynchronised" };

	return texts[hold];
}

enum wall_hold wall_hold(const struct wall *w, bool synchronised, bool trusted)
{
	if (w->stepped_ms != 0)
		return WALL_STEPPED;
	return synchronised || trusted ? WALL_RUNS : WALL_UNSYNCHRONISED;
}

static int64_t take_over(struct wall *w, uint64_t mono_ms, int64_t clock_ms)
{
	*w = (struct wall){ .started = true, .at_ms = clock_ms, .mono_ms = mono_ms };
	return clock_ms;
}

int64_t wall_tick(struct wall *w, uint64_t mono_ms, int64_t clock_ms)
{
	int64_t passed = (int64_t)(mono_ms - w->mono_ms);
	int64_t error = clock_ms - (w->at_ms + passed), slew = passed / 10;

	if (!w->started)
		return take_over(w, mono_ms, clock_ms);
	if (error > WALL_STEP_MS || error < -WALL_STEP_MS) {
		if (w->stepped_ms == 0)
			w->stepped_ms = mono_ms ? mono_ms : 1;
		if (mono_ms - w->stepped_ms >= WALL_HOLD_MS)
			return take_over(w, mono_ms, clock_ms);
		return w->at_ms;
	}
	w->stepped_ms = 0;
	if (error > slew)
		error = slew;
	if (error < -slew)
		error = -slew;
	w->at_ms += passed + error;
	w->mono_ms = mono_ms;
	return w->at_ms;
}
