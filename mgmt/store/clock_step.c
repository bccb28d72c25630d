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
#include "mgmt/overrides/compose.h"
#include "mgmt/overrides/hlc.h"
#include "mgmt/store/intent_internal.h"

void intent_expect_skew(struct intent *in, int64_t skew_ms)
{
	in->skew_ms = skew_ms < INTENT_SKEW_MAX_MS ? skew_ms : INTENT_SKEW_MAX_MS;
}

int64_t intent_ahead_ms(const struct intent *in)
{
	return COMPOSE_AHEAD_MS + in->skew_ms;
}

void intent_stamp_by(struct intent *in, int64_t off_ms)
{
	in->stamp_off_ms = off_ms;
}

int64_t intent_stamp_ms(const struct intent *in, int64_t now_ms)
{
	return now_ms + in->stamp_off_ms;
}

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
	out->prior = o->generation;
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

/* The earliest override with a stamp that is ahead; NULL: there is none. */
static struct override *find_ahead(struct overrides *overrides, int64_t now_ms)
{
	struct override *first = NULL;

	for (size_t i = 0; i < overrides->n_items; i++) {
		struct override *o = &overrides->items[i];

		if (!o->epoch && hlc_is_ahead(o->generation, now_ms) &&
		    (!first || o->generation < first->generation))
			first = o;
	}
	return first;
}

/*
 * Commands that were stamped by the wrong clock are of when they were given by the right one, in their order: no other node
 * has taken them, and people may have commanded something there since. @return how many
 */
static size_t stamp_again(struct intent *in, int64_t was_ms, int64_t now_ms)
{
	uint64_t newest = 0;
	struct override *o;
	size_t n = 0;

	for (; (o = find_ahead(&in->overrides, now_ms)); n++) {
		int64_t given_ms = hlc_ms(o->generation) - (was_ms - now_ms);

		newest = hlc_next(newest, given_ms < now_ms ? given_ms : now_ms);
		o->generation = newest;
		o->prior = o->prior < newest ? o->prior : newest - 1;
		o->how = RAMP_FREE;
	}
	overrides_note_edit(&in->overrides);
	return n;
}

/* What came by a clock that was behind may not have been ahead: it is taken when it is offered again. */
static void judge_ahead_again(struct intent *in, int64_t moved_ms)
{
	for (size_t i = 0; i < AHEAD_NOTES; i++) {
		struct ahead_note *note = &in->ahead[i];

		note->came_ms += moved_ms;
		if (note->generation && !hlc_is_ahead(note->generation, note->came_ms))
			*note = (struct ahead_note){ 0 };
	}
}

void intent_clock_moved(struct intent *in, int64_t was_ms, int64_t now_ms)
{
	struct override *list = calloc(in->overrides.n_items + 1, sizeof(*list));
	size_t n = 0;

	judge_ahead_again(in, now_ms - was_ms);
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
	n = stamp_again(in, was_ms, now_ms);
	if (n > 0) {
		log_note("overrides-stamped-again", "n=%zu moved_ms=%" PRId64, n, now_ms - was_ms);
		merge_settle(in, now_ms);
		if (in->store && !in->failing)
			intent_stored(in, store_put_overrides(in->store, &in->overrides), now_ms);
		in->is_changed = true;
		effective_follow(in, now_ms);
	}
	free(list);
	member_records_clock_moved(in, was_ms, now_ms);
	in->next_ms = now_ms; /* instants fall due again */
}
