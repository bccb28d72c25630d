/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What people requested of a target, and which targets the filter lets through. Several overrides
 * of one target are shown as one intent: the strongest kind, and the highest level of those that
 * lower it.
 */
#include <string.h>

#include "mgmt/api/status.h"

/* Number @p i of the overrides, if it is a live one of that target; else NULL. */
static const struct override *override_of(const struct look *l, size_t i,
                                          enum model_target_kind kind, const char *pool,
                                          const char *name)
{
	const struct override *o = &l->overrides.items[i];

	return o->target == kind && !strcmp(o->pool, pool) && !strcmp(o->name, name) &&
	                       strcmp(overrides_state(&l->overrides, o, l->now_ms), "done")
	               ? o
	               : NULL;
}

bool status_has_intent(const struct status *s, enum model_target_kind kind, const char *pool,
                       const char *name)
{
	for (size_t i = 0; i < s->look.overrides.n_items; i++)
		if (override_of(&s->look, i, kind, pool, name))
			return true;
	return false;
}

json_t *status_intent(const struct status *s, enum model_target_kind kind, const char *pool,
                      const char *name, uint32_t weight)
{
	const struct look *l = &s->look;
	const char *state = "serve"; /* "disable" weighs most */
	json_t *ids = json_array();
	uint32_t level = 0;

	for (size_t i = 0; i < l->overrides.n_items; i++) {
		const struct override *o = override_of(l, i, kind, pool, name);

		if (!o)
			continue;
		json_array_append_new(ids, json_string(o->id));
		if (o->from_ms > l->now_ms || *o->service || o->kind == MODEL_OVERRIDE_DRILL)
			continue; /* scheduled, or of one service or some clients alone */
		if (strcmp(state, "disable") &&
		    (o->kind != MODEL_OVERRIDE_FORCE_UP || !strcmp(state, "serve")))
			state = override_kind_text(o->kind);
		uint32_t own = overrides_level(&l->overrides, o, l->now_ms);
		if (o->kind != MODEL_OVERRIDE_FORCE_UP && own > level)
			level = own;
	}
	return json_pack("{s:s, s:I, s:I, s:o}", "state", state, "level_ppm", (json_int_t)level,
	                 "weight", (json_int_t)weight, "overrides", ids);
}

bool status_at_site(const struct status *s, const struct model_site *site)
{
	return !s->filter.site || !strcmp(s->filter.site, site->name);
}
