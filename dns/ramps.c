/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/ramps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_MS       1000 /* a ramp that goes on late is kept so often */
#define PASSED_MAX_MS 1000 /* a longer silence between two ticks is no time for a ramp */

static int64_t after(int64_t ms, int64_t more_ms)
{
	int64_t sum;

	return __builtin_add_overflow(ms, more_ms, &sum) ? MODEL_WALL_NEVER : sum;
}

static int64_t end_of(const struct model_override *o)
{
	return after(o->until_ms, o->over_ms);
}

/* Which stretch of the schedule an instant lies in; 1 and 3 are on the move. */
static int stretch(const struct model_override *o, int64_t at_ms)
{
	if (at_ms >= end_of(o))
		return 4;
	if (at_ms >= o->until_ms)
		return 3;
	if (at_ms >= after(o->from_ms, o->over_ms))
		return 2;
	return at_ms >= o->from_ms;
}

static bool moves(const struct model_override *o, int64_t at_ms)
{
	return stretch(o, at_ms) == 1 || stretch(o, at_ms) == 3;
}

/* Where the level begins to move next, at_ms itself if it does; never: MODEL_WALL_NEVER. */
static int64_t next_move(const struct model_override *o, int64_t at_ms)
{
	if (o->over_ms == 0 || at_ms >= end_of(o))
		return MODEL_WALL_NEVER;
	if (moves(o, at_ms))
		return at_ms;
	return at_ms < o->from_ms && o->from_ms < o->until_ms ? o->from_ms : o->until_ms;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* How far a return may go while the site is not up. */
static int64_t site_stop(const struct model_override *o, int64_t at_ms)
{
	if (at_ms >= end_of(o))
		return MODEL_WALL_NEVER;
	return at_ms < o->until_ms ? o->until_ms - 1 : at_ms;
}

struct ramp_record ramps_step(const struct model_override *o, const struct ramp_record *was,
                              const struct ramps_now *now)
{
	struct ramp_record r = *was;
	int64_t move = next_move(o, was->at_ms), to = now->wall_ms;
	int64_t most = after(move, now->passed_ms);

	r.how = RAMP_FREE;
	to = least(to, most);
	if (!now->site_up && to > site_stop(o, was->at_ms)) {
		to = site_stop(o, was->at_ms);
		r.how = RAMP_HELD_SITE;
	}
	if (now->clock_held && to > move) {
		to = move;
		r.how = RAMP_HELD_CLOCK;
	}
	/* The clock has gone back: a level on the move waits for it, any other follows the schedule. */
	if (to < was->at_ms && moves(o, was->at_ms) && stretch(o, to) == stretch(o, was->at_ms))
		to = was->at_ms;
	r.at_ms = to;
	if (r.how == RAMP_FREE && to != now->wall_ms)
		r.how = RAMP_LATE;
	return r;
}

int ramps_open(struct ramps *r, const char *state_dir)
{
	int n;

	*r = (struct ramps){ .items = calloc(RAMP_RECORDS_MAX, sizeof(*r->items)),
		             .next = calloc(RAMP_RECORDS_MAX, sizeof(*r->next)) };
	if (!r->items || !r->next)
		return -ENOMEM;
	n = ramp_read(state_dir, r->items);
	r->n = n > 0 ? (size_t)n : 0;
	r->restored = true;
	return n < 0 ? n : 0;
}

void ramps_close(struct ramps *r)
{
	free(r->items);
	free(r->next);
	*r = (struct ramps){ 0 };
}

void ramps_only_held(struct ramps *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->items[i].how != RAMP_FREE)
			r->items[n++] = r->items[i];
	r->n = n;
}

/*
 * What a record from before a restart is worth: one that was held or late goes on from there. A free one
 * goes by the schedule, but for a return that has fallen due meanwhile: that begins now.
 */
static void restore(const struct model_override *o, struct ramp_record *r, int64_t wall_ms)
{
	if (r->how != RAMP_FREE)
		return;
	r->at_ms = r->at_ms < o->until_ms && o->until_ms <= wall_ms ? o->until_ms - 1 : wall_ms;
}

static const struct model_site *site_called(const struct model *m, const char *name)
{
	for (size_t i = 0; i < m->n_sites; i++)
		if (strcmp(m->sites[i].name, name) == 0)
			return &m->sites[i];
	return NULL;
}

/* The instant that @p o is to go on from. @return whether it still has one: what is over by its schedule has not */
static bool begin(const struct ramps *r, const struct model_override *o, int64_t wall_ms,
                  struct ramp_record *out)
{
	const struct ramp_record *old = ramp_find(r->items, r->n, o->id, o->generation);

	if (old) {
		*out = *old;
		if (r->restored)
			restore(o, out, wall_ms);
		return old->at_ms < end_of(o) || wall_ms < end_of(o);
	}
	*out = (struct ramp_record){ .generation = o->generation, .at_ms = wall_ms };
	memcpy(out->id, o->id, strnlen(o->id, sizeof(out->id) - 1));
	return wall_ms < end_of(o);
}

static bool is_one(const struct model_override *o)
{
	return o->kind == MODEL_OVERRIDE_DRAIN && o->target == MODEL_TARGET_SITE && !o->ended;
}

/* Whether what is kept of @p o would mislead a successor. */
static bool differs(const struct ramps *r, const struct model_override *o,
                    const struct ramp_record *now)
{
	const struct ramp_record *was = ramp_find(r->items, r->n, o->id, o->generation);

	return !was || was->how != now->how || stretch(o, was->at_ms) != stretch(o, now->at_ms);
}

/*
 * How far a ramp may go now: as far as the wall clock has, but no further than time has passed (with the tenth by
 * which the clock may be slewed). Several steps may fall between two readings of the clock.
 */
static int64_t passed(struct ramps *r, const struct ramps_step_input *in)
{
	int64_t mono_ms = least((int64_t)(in->now_ms - r->stepped_ms), PASSED_MAX_MS);
	int64_t wall_ms = in->wall_ms - r->wall_ms;

	if (wall_ms == 0)
		return 0;
	if (r->stepped_ms == 0)
		mono_ms = 0;
	r->wall_ms = in->wall_ms;
	r->stepped_ms = in->now_ms;
	return wall_ms < 0 ? 0 : least(wall_ms, mono_ms + mono_ms / 8);
}

void ramps_step_all(struct ramps *r, const struct ramps_step_input *in)
{
	struct ramps_now now = { .wall_ms = in->wall_ms,
		                 .clock_held = in->clock_held,
		                 .passed_ms = passed(r, in) };
	struct ramp_record *items = r->items;
	bool changed = false, late = false;
	size_t n = 0;

	for (size_t i = 0; i < in->model->n_overrides && n < RAMP_RECORDS_MAX; i++) {
		const struct model_override *o = &in->model->overrides[i];
		const struct model_site *site = is_one(o) ? site_called(in->model, o->name) : NULL;
		struct ramp_record was;

		if (!site || !begin(r, o, in->wall_ms, &was))
			continue;
		now.site_up = in->wall_ms < o->until_ms || in->is_up(in->arg, site);
		r->next[n] = ramps_step(o, &was, &now);
		changed |= r->restored || differs(r, o, &r->next[n]);
		late |= r->next[n].how == RAMP_LATE;
		n++;
	}
	changed |= n != r->n || (late && in->now_ms - r->kept_ms >= KEEP_MS);
	if (changed)
		r->kept_ms = in->now_ms;
	r->changed |= changed;
	r->items = r->next;
	r->next = items;
	r->n = n;
	r->restored = false;
}

static const struct ramp_record *record_of(const struct ramps *r, const struct model_override *o)
{
	return r && is_one(o) ? ramp_find(r->items, r->n, o->id, o->generation) : NULL;
}

int64_t ramps_time(const struct ramps *r, const struct model_override *o, int64_t wall_ms)
{
	const struct ramp_record *found = record_of(r, o);

	return found ? found->at_ms : wall_ms;
}

enum ramp_how ramps_how(const struct ramps *r, const struct model_override *o)
{
	const struct ramp_record *found = record_of(r, o);

	return found ? found->how : RAMP_FREE;
}

size_t ramps_held(const struct ramps *r, enum ramp_how how)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->items[i].how == how;
	return n;
}
