/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The level of an override is a function of time alone (a rise from its start, a return from its
 * end), so all nodes agree on it without talking, and a restart changes nothing.
 */
#include "weir/model.h"

/* A ramp from @p from_ppm to @p to_ppm that starts at @p start_ms. */
static uint32_t ramp_level_ppm(int64_t from_ppm, int64_t to_ppm, int64_t start_ms, int64_t over_ms,
                               int64_t now_ms)
{
	if (now_ms < start_ms)
		return (uint32_t)from_ppm;
	if (now_ms - start_ms >= over_ms)
		return (uint32_t)to_ppm;
	return (uint32_t)(from_ppm +
	                  (int64_t)((__int128)(to_ppm - from_ppm) * (now_ms - start_ms) / over_ms));
}

static bool has_ramp(const struct model_override *o)
{
	return o->over_ms > 0 && o->kind != MODEL_OVERRIDE_DISABLE;
}

uint32_t model_override_ppm(const struct model_override *o, int64_t wall_clock_ms)
{
	int64_t over_ms = has_ramp(o) ? o->over_ms : 0;
	uint32_t to_ppm = o->is_step ? o->to_ppm : MODEL_PPM_ALL;

	if (o->ended || o->kind == MODEL_OVERRIDE_DRILL)
		return 0;
	if (wall_clock_ms < o->until_ms)
		return ramp_level_ppm(o->from_ppm, to_ppm, o->from_ms, over_ms, wall_clock_ms);
	return ramp_level_ppm(ramp_level_ppm(o->from_ppm, to_ppm, o->from_ms, over_ms, o->until_ms),
	                      0, o->until_ms, over_ms, wall_clock_ms);
}

static int64_t add_clamped_ms(int64_t ms, int64_t more_ms)
{
	int64_t sum;

	return __builtin_add_overflow(ms, more_ms, &sum) ? MODEL_TIME_NEVER : sum;
}

int64_t model_override_next_ms(const struct model_override *o, int64_t wall_clock_ms)
{
	int64_t over_ms = has_ramp(o) ? o->over_ms : 0;
	const int64_t turns[] = { o->from_ms, add_clamped_ms(o->from_ms, over_ms), o->until_ms,
		                  add_clamped_ms(o->until_ms, over_ms) };
	int64_t next = MODEL_TIME_NEVER;

	if (o->ended)
		return next;
	for (size_t i = 0; i < 4; i++) {
		/* The rise is cut off where the return starts. */
		if (i < 2 && turns[i] > o->until_ms)
			continue;
		if (turns[i] > wall_clock_ms && turns[i] < next)
			next = turns[i];
	}
	return next;
}

int64_t model_override_answers_ms(const struct model *m, const struct model_override *o)
{
	int64_t risen_ms = add_clamped_ms(o->from_ms, has_ramp(o) ? o->over_ms : 0);

	return add_clamped_ms(risen_ms,
	                      (int64_t)model_site_ttl_s(m, o->name) * 1000 + MODEL_AFTER_TTL_MS);
}
