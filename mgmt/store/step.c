/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A step has no state of its own: what it does follows from its fields, as for any override.
 */
#include "mgmt/store/step.h"

#include <string.h>

/* A generation from its high end: 33 bits of the epoch, one for persons, 19 of the step. */
#define EPOCH_SHIFT MODEL_STEP_EPOCH_SHIFT
#define PERSON_BIT  ((uint64_t)1 << 19)

uint64_t override_generation(uint32_t epoch, bool person, uint32_t step)
{
	return (uint64_t)epoch << EPOCH_SHIFT | (person ? PERSON_BIT : 0) |
	       (step < OVERRIDE_STEPS_MAX ? step : OVERRIDE_STEPS_MAX);
}

/* An epoch has 32 bits here: a generation beyond, which nobody makes, counts as of the last one. */
uint32_t override_epoch(uint64_t generation)
{
	uint64_t epoch = generation >> EPOCH_SHIFT;

	return epoch < UINT32_MAX ? (uint32_t)epoch : UINT32_MAX;
}

bool override_is_persons(uint64_t generation)
{
	return override_epoch(generation) && generation & PERSON_BIT;
}

uint32_t override_step(uint64_t generation)
{
	return override_epoch(generation) ? (uint32_t)(generation & OVERRIDE_STEPS_MAX) : 0;
}

/* The generation that a person's command gives. */
static uint64_t persons_generation(const struct override *o)
{
	uint32_t epoch = override_epoch(o->generation);
	bool of_operation = o->is_step || epoch;
	uint64_t next = o->generation + 1;

	if (of_operation && epoch < UINT32_MAX)
		next = override_generation(epoch + 1, true, 0);
	return next < OVERRIDE_GENERATION_END ? next : OVERRIDE_GENERATION_END - 1;
}

void override_leave_operation(struct override *o)
{
	o->generation = persons_generation(o);
	o->operation[0] = '\0';
	o->late_from_ms = 0;
	o->level_known = false;
	if (*o->service)
		return;
	o->is_step = false;
	o->to_ppm = 0;
	o->own_vips = o->shared_vips = MODEL_VIPS_ANNOUNCED;
}

uint32_t override_step_level(const struct override *o, uint32_t known_ppm, uint32_t scheduled_ppm)
{
	return (o->to_ppm < o->from_ppm) == (known_ppm < scheduled_ppm) ? known_ppm : scheduled_ppm;
}

void override_keep_level(struct override *o, uint32_t level_ppm, int64_t now_ms)
{
	o->is_step = true;
	o->from_ppm = o->to_ppm = level_ppm;
	o->from_ms = now_ms;
	o->over_ms = 0;
	o->until_ms = MODEL_TIME_NEVER;
}

bool override_is_step_at(const struct override *o, const char *site)
{
	return o->is_step && *o->operation && !strcmp(o->name, site);
}

const char *override_step_state(const struct override *o, int64_t now_ms)
{
	if (o->from_ppm > o->to_ppm)
		return "returning";
	if (now_ms - o->from_ms < o->over_ms)
		return "ramping";
	if (o->to_ppm == 1000000)
		return "drained";
	return *o->operation ? "shifted" : "held"; /* a person's: nobody goes on with it */
}
