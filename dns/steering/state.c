/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overrides of sites as gates and classes. The level of a drain is the model's function of an
 * instant; of several drains the highest level counts. The instant is the ramp's (dns/steering/ramps.h), and
 * a person's hold of the site stops it at the time when the hold began.
 */
#include "dns/steering/steering.h"

#include <string.h>

#include "dns/steering/ramps.h"

/* Of one that is not ended. */
static bool is_active(const struct model_override *o, int64_t wall_clock_ms)
{
	return o->from_ms <= wall_clock_ms && wall_clock_ms < o->until_ms;
}

/* The instant of the schedule of @p own that is in force: a person's hold of its site stops it. */
static int64_t ramp_time(const struct model *m, const struct ramps *ramps,
                         const struct model_override *own, int64_t wall_clock_ms)
{
	int64_t at_ms = ramps_time(ramps, own, wall_clock_ms);
	int64_t hold_ms = ramps_person_hold_ms(m, own, wall_clock_ms);

	return hold_ms < at_ms ? hold_ms : at_ms;
}

/* The level of a drain, a step's own where weir-dns follows it. */
static uint32_t drain_level(const struct model *m, const struct ramps *ramps,
                            const struct model_override *o, int64_t wall_clock_ms)
{
	uint32_t ppm;

	if (ramps_level(ramps, o, &ppm))
		return ppm;
	return model_override_ppm(o, ramp_time(m, ramps, o, wall_clock_ms));
}

/* When the level starts or stops to change next; not known while it is held. */
static int64_t next_change(const struct ramps *ramps, const struct model_override *o,
                           int64_t wall_clock_ms)
{
	int64_t late_ms = wall_clock_ms - ramps_time(ramps, o, wall_clock_ms);
	int64_t next_ms = model_override_next_ms(o, wall_clock_ms - late_ms);

	switch (ramps_how(ramps, o)) {
	case RAMP_HELD_CLOCK:
	case RAMP_HELD_SITE:
		return MODEL_TIME_NEVER;
	default:
		return next_ms == MODEL_TIME_NEVER ? next_ms : next_ms + late_ms;
	}
}

/* What one override does to a site. */
struct override_effect {
	enum model_override_kind kind;
	bool active;
	uint32_t ppm;
	int64_t next_ms;
};

/*
 * Effects only add up: of several overrides the strongest one counts, in whatever order they are
 * applied.
 */
static void apply_effect(const struct override_effect *e, struct steering_site_state *s)
{
	if (e->next_ms < s->next_ms)
		s->next_ms = e->next_ms;
	if (e->kind == MODEL_OVERRIDE_DISABLE)
		s->disabled = s->disabled || e->active;
	if (e->kind == MODEL_OVERRIDE_FORCE_UP)
		s->forced_up = s->forced_up || e->active;
	if (e->kind != MODEL_OVERRIDE_DRAIN)
		return;
	if (s->drained_ppm < e->ppm)
		s->drained_ppm = e->ppm;
	s->shifting = s->shifting || (e->ppm > 0 && e->ppm < MODEL_PPM_ALL);
}

bool steering_concerns(const struct model_override *o, const char *service)
{
	return !o->service || !*o->service || strcmp(o->service, service) == 0;
}

/* @param site  the site's name as the model has it, so that pointers can be compared */
static void apply_to_services(const struct steering *p, const struct model_override *o,
                              const char *site, const struct override_effect *e,
                              struct steering_state *out)
{
	for (size_t i = 0; i < p->n_services; i++) {
		const struct steering_service *service = &p->services[i];

		if (!steering_concerns(o, service->name))
			continue;
		for (uint32_t k = 0; k < service->n_sites; k++)
			if (service->sites[k].name == site)
				apply_effect(e, &out->sites[service->first_state + k]);
	}
}

void steering_apply_overrides(const struct steering *p, const struct model *m,
                              const struct ramps *ramps, int64_t wall_clock_ms,
                              struct steering_state *out)
{
	for (size_t i = 0; i < out->n_sites; i++)
		out->sites[i] = (struct steering_site_state){
			.words = { out->sites[i].words[0], out->sites[i].words[1] },
			.unproven = { out->sites[i].unproven[0], out->sites[i].unproven[1] },
			.next_ms = MODEL_TIME_NEVER,
		};
	for (size_t i = 0; i < m->n_overrides; i++) {
		const struct model_override *o = &m->overrides[i];
		const struct model_site *site =
		        o->target == MODEL_TARGET_SITE && !o->ended ? model_site(m, o->name) : NULL;

		if (!site)
			continue;
		const struct override_effect e = {
			.kind = o->kind,
			.active = is_active(o, wall_clock_ms),
			.ppm = drain_level(m, ramps, o, wall_clock_ms),
			.next_ms = next_change(ramps, o, wall_clock_ms),
		};

		apply_to_services(p, o, site->name, &e, out);
	}
}

uint64_t steering_sites_out(const struct model *m, const struct ramps *ramps, int64_t wall_clock_ms)
{
	uint64_t out = 0;

	for (size_t i = 0; i < m->n_overrides; i++) {
		const struct model_override *o = &m->overrides[i];
		bool drain = o->kind == MODEL_OVERRIDE_DRAIN;

		if (o->target != MODEL_TARGET_SITE || o->ended ||
		    (!drain && o->kind != MODEL_OVERRIDE_DISABLE))
			continue;
		if (drain ? drain_level(m, ramps, o, wall_clock_ms) < MODEL_PPM_ALL
		          : !is_active(o, wall_clock_ms))
			continue;
		if (o->service && *o->service)
			continue; /* the site serves its other services */
		const struct model_site *site = model_site(m, o->name);

		if (site && site->index < 64)
			out |= (uint64_t)1 << site->index;
	}
	return out;
}
