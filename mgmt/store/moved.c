/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of overrides when the believed time is corrected: an operator, or the kernel
 * together with a peer, said that the clock was wrong. Forwards nothing is to be done: what is
 * overdue begins, at its own pace. Backwards, instants that have passed would lie ahead again, and
 * a drain would return by itself; so overrides that had begun or ended get new instants.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mgmt/store/intent_internal.h"

void intent_purge_by(struct intent *in, int64_t purge_ms)
{
	in->purge_ms = purge_ms;
}

/* What @p o must be at @p now_ms, so that it goes on as at @p was_ms. @return whether that differs */
static bool carry_over(const struct overrides *overrides, const struct override *o, int64_t was_ms,
                       int64_t now_ms, struct override *out)
{
	bool was_done = override_is_done(o, was_ms), is_done = override_is_done(o, now_ms);
	bool began = o->from_ms <= was_ms && o->from_ms > now_ms;

	*out = *o;
	out->generation++;
	out->how = RAMP_FREE;
	snprintf(out->principal, sizeof(out->principal), "weir");
	/* weir-dns never takes a step back, and its operation goes on with new instants */
	if (o->is_step || o->ended || is_done || (!was_done && !began))
		return false;
	if (o->from_ms > now_ms)
		out->from_ms = now_ms;
	if (was_done) { /* it is over, and stays so */
		out->until_ms = now_ms;
		out->ended = true;
		return true;
	}
	if (o->kind == MODEL_OVERRIDE_DRAIN && o->target == MODEL_TARGET_SITE)
		out->from_ppm = overrides_level(overrides, o, was_ms);
	return true;
}

void intent_clock_moved(struct intent *in, int64_t was_ms, int64_t now_ms)
{
	struct override *list = calloc(in->overrides.n_items + 1, sizeof(*list));
	size_t n = 0;

	if (!list) {
		log_error("overrides-not-carried-over", "error=\"%s\"", strerror(ENOMEM));
		return;
	}
	for (size_t i = 0; now_ms < was_ms && i < in->overrides.n_items; i++)
		n += carry_over(&in->overrides, &in->overrides.items[i], was_ms, now_ms, &list[n]);
	if (n > 0) {
		log_note("overrides-carried-over", "n=%zu moved_ms=%" PRId64, n, now_ms - was_ms);
		intent_merge(in, list, n, now_ms);
	}
	free(list);
	in->next_ms = now_ms; /* instants fall due again */
}
