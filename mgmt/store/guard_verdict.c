/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all guards need: their names, verdicts, and which targets an override has taken out.
 */
#include "mgmt/store/guard_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char guard_names[] = GUARD_LAST_SITE ", " GUARD_LAST_BACKEND ", " GUARD_LAST_ANNOUNCER
                                           ", " GUARD_ROOM " or " GUARD_UNSETTLED;

bool guard_known(const char *name)
{
	static const char *const names[] = { GUARD_LAST_SITE, GUARD_LAST_BACKEND,
		                             GUARD_LAST_ANNOUNCER, GUARD_ROOM, GUARD_UNSETTLED };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

bool guard_can_wait(const char *guard)
{
	return !strcmp(guard, GUARD_UNSETTLED);
}

/* A step to a part of a site, or of one service, leaves it to the others: no target is gone. */
bool guard_removes_target(const struct override *o, int64_t now_ms)
{
	if (o->is_step && (o->to_ppm < MODEL_PPM_ALL || *o->service))
		return false;
	return !override_is_done(o, now_ms) && override_time(o, now_ms) < o->until_ms &&
	       (o->kind == MODEL_OVERRIDE_DRAIN || o->kind == MODEL_OVERRIDE_DISABLE);
}

bool guard_is_out(const struct overrides *overrides, enum model_target_kind kind, const char *pool,
                  const char *name, int64_t now_ms)
{
	for (size_t i = 0; i < overrides->n_items; i++) {
		const struct override *o = &overrides->items[i];

		if (o->target == kind && !strcmp(o->pool, pool) && !strcmp(o->name, name) &&
		    guard_removes_target(o, now_ms))
			return true;
	}
	return false;
}

struct guard_verdict *guard_add_verdict(struct guard_result *r, const char *guard, bool ok,
                                        const char *format, ...)
{
	struct guard_verdict *v = &r->verdicts[r->n_verdicts++];
	va_list list;

	v->guard = guard;
	v->ok = ok;
	v->unknown = false;
	v->wait_s = 0;
	va_start(list, format);
	vsnprintf(v->detail, sizeof(v->detail), format, list);
	va_end(list);
	return v;
}
