/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overrides of sites as gates and classes. A drain's level is the model's; of several the
 * highest counts. A hold stops the ramps of its site at the instant when it began.
 */
#include "dns/place.h"

#include <string.h>

static bool is_active(const struct model_override *o, int64_t wall_ms)
{
	return !o->ended && o->from_ms <= wall_ms && wall_ms < o->until_ms;
}

/* Time as @p site's ramps see it: a hold stops it. */
static int64_t ramp_time(const struct model *m, const char *site, int64_t wall_ms)
{
	int64_t at = wall_ms;

	for (size_t i = 0; i < m->n_overrides; i++) {
		const struct model_override *o = &m->overrides[i];

		if (o->kind == MODEL_OVERRIDE_HOLD && o->target == MODEL_TARGET_SITE &&
		    strcmp(o->name, site) == 0 && is_active(o, wall_ms) && o->from_ms < at)
			at = o->from_ms;
	}
	return at;
}

static void add_override(const struct model_override *o, int64_t ramp_ms, int64_t wall_ms,
                         struct place_site_state *s)
{
	int64_t next_ms = model_override_next_ms(o, wall_ms);
	uint32_t ppm = model_override_ppm(o, o->kind == MODEL_OVERRIDE_DRAIN ? ramp_ms : wall_ms);

	if (o->ended)
		return;
	if (next_ms < s->next_ms)
		s->next_ms = next_ms;
	if (o->kind == MODEL_OVERRIDE_DISABLE)
		s->disabled = s->disabled || is_active(o, wall_ms);
	if (o->kind == MODEL_OVERRIDE_FORCE_UP)
		s->forced_up = s->forced_up || is_active(o, wall_ms);
	if (o->kind != MODEL_OVERRIDE_DRAIN)
		return;
	if (s->drained_ppm < ppm)
		s->drained_ppm = ppm;
	s->shifting = s->shifting || (ppm > 0 && ppm < PLACE_PPM_ALL);
}

void place_state_overrides(const struct place *p, const struct model *m, int64_t wall_ms,
                           struct place_state *out)
{
	for (size_t i = 0; i < p->n_services; i++) {
		const struct place_service *service = &p->services[i];

		for (uint32_t k = 0; k < service->n_sites; k++) {
			struct place_site_state *s = &out->sites[service->first_state + k];
			const char *site = service->sites[k].name;
			int64_t ramp_ms = ramp_time(m, site, wall_ms);

			*s = (struct place_site_state){
				.words = { s->words[0], s->words[1] },
				.next_ms = MODEL_WALL_NEVER,
			};
			for (size_t j = 0; j < m->n_overrides; j++)
				if (m->overrides[j].target == MODEL_TARGET_SITE &&
				    strcmp(m->overrides[j].name, site) == 0)
					add_override(&m->overrides[j], ramp_ms, wall_ms, s);
		}
	}
}
