/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A step has no state of its own: what it does follows from its fields, as for any override.
 */
#include "mgmt/store/step.h"

#include <string.h>

void override_leave_operation(struct override *o, uint64_t generation)
{
	o->prior = o->generation;
	o->generation = generation;
	o->epoch = o->step = 0;
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
	if (o->to_ppm == MODEL_PPM_ALL)
		return "drained";
	return *o->operation ? "shifted" : "held"; /* a person's: nobody goes on with it */
}
