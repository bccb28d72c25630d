/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drills of this node's site (weir/fwd/drill.h). A drill concerns services whose pool here has a
 * backup; what has none is left alone. weir-mgmt keeps their number within FWD_DRILLS_MAX: of more,
 * which two nodes can make at the same moment, the first ones by their ids count.
 */
#include <string.h>

#include "base/hash.h"
#include "dataplane/tables/plan.h"
#include "weir/model.h"

_Static_assert(FWD_DRILLS_MAX == MODEL_DRILLS_MAX, "the tables have room for all drills");

static bool concerns_service(const struct plan_drill *d, const struct model_service *s)
{
	const char *service = d->override->service;

	return !service || !*service || !strcmp(service, s->name);
}

static uint8_t drills_of(const struct plan *plan, const struct plan_entry *e)
{
	uint8_t bits = 0;

	if (e->service == PLAN_NONE || e->pool == PLAN_NONE || !plan->pools[e->pool].backup ||
	    plan->services[e->service]->protocol != MODEL_TCP)
		return 0;
	for (size_t i = 0; i < plan->n_drills; i++)
		if (concerns_service(&plan->drills[i], plan->services[e->service]))
			bits |= (uint8_t)(1u << i);
	return bits;
}

void plan_list_drills(struct plan *plan)
{
	const struct model *m = plan->model;

	for (size_t i = 0; i < m->n_overrides && plan->n_drills < FWD_DRILLS_MAX; i++) {
		const struct model_override *o = &m->overrides[i];

		if (o->kind == MODEL_OVERRIDE_DRILL && !o->ended &&
		    o->until_ms > m->meta.written_ms && !strcmp(o->name, m->self->site->name))
			plan->drills[plan->n_drills++] =
			        (struct plan_drill){ .id = hash_text(o->id), .override = o };
	}
	for (size_t i = 0; i < plan->n_entries; i++)
		plan->entries[i].entry.drills = drills_of(plan, &plan->entries[i]);
}

static bool is_drilled(const struct plan *plan, const struct plan_pool *p)
{
	for (size_t i = 0; i < plan->n_entries; i++) {
		const struct plan_entry *e = &plan->entries[i];

		if (e->pool == PLAN_NONE || &plan->pools[e->pool] != p)
			continue;
		for (size_t k = 0; k < plan->n_drills; k++)
			if (e->entry.drills >> k & 1 && plan->drills[k].runs)
				return true;
	}
	return false;
}

bool plan_update_drills(struct plan *plan, int64_t wall_clock_ms)
{
	bool changed = false;

	for (size_t i = 0; i < plan->n_drills; i++) {
		const struct model_override *o = plan->drills[i].override;
		bool runs = o->from_ms <= wall_clock_ms && wall_clock_ms < o->until_ms;

		changed |= runs != plan->drills[i].runs;
		plan->drills[i].runs = runs;
	}
	for (size_t i = 0; changed && i < plan->n_pools; i++)
		plan->pools[i].is_drilled = is_drilled(plan, &plan->pools[i]);
	return changed;
}
