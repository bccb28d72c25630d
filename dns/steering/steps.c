/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long earlier answers live is not counted from answers, which other threads give, but from the
 * TTLs that they may have had: while the level is between the ends, all names of the site have their
 * shortest one (ttl_reason() in model/steering.c), else at most their longest one. That is never
 * too short. A process that has just started does not know what was answered before, so it takes
 * the longest.
 */
#include "dns/steering/steps.h"

static bool is_known(const struct ramp_record *was)
{
	return was && was->level_known;
}

static bool goes_nowhere(const struct model_override *o)
{
	return o->from_ppm == o->to_ppm;
}

/* Whether the level falls at @p at_ms: where a step goes nowhere, as the step before. */
static bool step_falls(const struct model_override *o, const struct ramp_record *was, int64_t at_ms)
{
	if (at_ms >= o->until_ms)
		return true;
	if (!goes_nowhere(o) && (at_ms >= o->from_ms || !is_known(was)))
		return o->from_ppm > o->to_ppm;
	return is_known(was) && was->falls;
}

/* A person's command at the target has no way: its level is the person's. */
static bool is_persons(const struct model_override *o)
{
	return !o->epoch;
}

/*
 * Two owners that know nothing of each other may have moved the nodes of two sides. So a step brings
 * a level back only from where it begins: who is higher waits for one that begins there.
 */
static uint32_t step_level(const struct model_override *o, const struct ramp_record *was,
                           int64_t at_ms, bool falls)
{
	uint32_t ppm = model_override_ppm(o, at_ms);

	if (!is_known(was))
		return ppm;
	if (at_ms < o->until_ms) {
		if (goes_nowhere(o))
			return is_persons(o) ? ppm : was->level_ppm;
		if (at_ms < o->from_ms || (falls && was->level_ppm > o->from_ppm))
			return was->level_ppm;
	}
	if (falls)
		return ppm < was->level_ppm ? ppm : was->level_ppm;
	return ppm > was->level_ppm ? ppm : was->level_ppm;
}

/* Until when answers may be used that were given before now. */
static uint64_t answers_until_ms(const struct steps_before *before)
{
	const struct ramp_record *was = before->was;
	bool known = is_known(was) && was->answers_until_ms;
	bool shifting = known && was->level_ppm > 0 && was->level_ppm < MODEL_PPM_ALL;
	uint32_t ttl_s = shifting ? before->ttl_shift_s : before->ttl_max_s;
	uint64_t until_ms = before->now_ms + (uint64_t)ttl_s * 1000;

	return known && was->answers_until_ms > until_ms ? was->answers_until_ms : until_ms;
}

static uint32_t seconds_left(uint64_t until_ms, uint64_t now_ms)
{
	return until_ms > now_ms ? (uint32_t)((until_ms - now_ms + 999) / 1000) : 0;
}

/* The TTL stays as it was when the level arrived: later answers have the new level. */
void steps_follow(const struct model_override *o, const struct steps_before *before,
                  struct ramp_record *r)
{
	const struct ramp_record *was = before->was;
	bool same = is_known(was) && was->generation == r->generation && was->epoch == r->epoch &&
	            was->step == r->step;

	r->falls = step_falls(o, was, r->at_ms);
	r->level_ppm = step_level(o, was, r->at_ms, r->falls);
	r->level_known = true;
	r->answers_until_ms = answers_until_ms(before);
	r->arrived = before->over || (same && was->arrived); /* also if the clock goes back */
	r->longest_ttl_s = same && was->arrived && r->arrived
	                           ? was->longest_ttl_s
	                           : seconds_left(r->answers_until_ms, before->now_ms);
}
