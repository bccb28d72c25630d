/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ramp is one number: the instant of its schedule that is in force. Each step moves it towards
 * the wall clock, at most by the time that has passed, and not past a stop (an untrusted clock, a
 * site that is not up). The level follows from the instant by a pure function of the model, so
 * nodes that agree on instants agree on levels.
 *
 * A schedule has four stretches: before, down (the ramp out), drained, and back (the ramp in). Only
 * the second and the fourth take time; elsewhere an instant may jump. The file is written only when
 * a restart would otherwise go wrong.
 */
#include "dns/steering/ramps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dns/steering/steps.h"

#define KEEP_MS 1000 /* a ramp that runs late is written to the file so often */
/* A pause between two ticks counts at most so much: a ramp must not jump. */
#define PASSED_MAX_MS 1000

/* The inputs of one step of one ramp. */
struct ramp_inputs {
	int64_t wall_clock_ms;
	int64_t passed_ms; /* how far a ramp may go */
	bool clock_held;
	bool site_up; /* as seen from outside */
};

static int64_t add_time_ms(int64_t ms, int64_t more_ms)
{
	int64_t sum;

	return __builtin_add_overflow(ms, more_ms, &sum) ? MODEL_TIME_NEVER : sum;
}

static int64_t override_end_ms(const struct model_override *o)
{
	return add_time_ms(o->until_ms, o->over_ms);
}

/*
 * Which stretch of the schedule an instant lies in: 0 before, 1 ramp out, 2 drained, 3 ramp back,
 * 4 over.
 */
static int find_stretch(const struct model_override *o, int64_t at_ms)
{
	if (at_ms >= override_end_ms(o))
		return 4;
	if (at_ms >= o->until_ms)
		return 3;
	if (at_ms >= add_time_ms(o->from_ms, o->over_ms))
		return 2;
	return at_ms >= o->from_ms;
}

static bool level_moves(const struct model_override *o, int64_t at_ms)
{
	return find_stretch(o, at_ms) == 1 || find_stretch(o, at_ms) == 3;
}

/*
 * When the level begins to move next: at_ms itself if it moves now, MODEL_TIME_NEVER if it never
 * will.
 */
static int64_t next_move_ms(const struct model_override *o, int64_t at_ms)
{
	if (o->over_ms == 0 || at_ms >= override_end_ms(o))
		return MODEL_TIME_NEVER;
	if (level_moves(o, at_ms))
		return at_ms;
	return at_ms < o->from_ms && o->from_ms < o->until_ms ? o->from_ms : o->until_ms;
}

static int64_t smaller_time(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/*
 * The last instant that a ramp may reach while the site is not up: just before the return, or
 * where the return is.
 */
static int64_t site_stop_ms(const struct model_override *o, int64_t at_ms)
{
	return at_ms < o->until_ms ? o->until_ms - 1 : at_ms;
}

/* The next instant of the schedule of @p o after @p was; it may be the same one. */
static struct ramp_record step_ramp(const struct model_override *o, const struct ramp_record *was,
                                    const struct ramp_inputs *now)
{
	struct ramp_record r = *was;
	int64_t move = next_move_ms(o, was->at_ms), to = now->wall_clock_ms;
	int64_t most = add_time_ms(move, now->passed_ms);

	/* each limit may only shorten the way; the last one that did is the reason shown */
	r.how = RAMP_FREE;
	to = smaller_time(to, most);
	if (!now->site_up && to > site_stop_ms(o, was->at_ms)) {
		to = site_stop_ms(o, was->at_ms);
		r.how = RAMP_HELD_SITE;
	}
	if (now->clock_held && to > move) {
		to = move;
		r.how = RAMP_HELD_CLOCK;
	}
	/*
	 * The clock has gone back: a level on the move waits for it, any other follows the
	 * schedule.
	 */
	if (to < was->at_ms && level_moves(o, was->at_ms) &&
	    find_stretch(o, to) == find_stretch(o, was->at_ms))
		to = was->at_ms;
	r.at_ms = to;
	if (r.how == RAMP_FREE && to != now->wall_clock_ms)
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
		if (r->items[i].how != RAMP_FREE || r->items[i].level_known)
			r->items[n++] = r->items[i];
	r->n = n;
}

/*
 * Continue a record from before a restart. A ramp that was held or late resumes where it was. A
 * free one follows its schedule, except that a return which fell due meanwhile begins now.
 */
static void restore_record(const struct model_override *o, struct ramp_record *r,
                           int64_t wall_clock_ms)
{
	if (r->how != RAMP_FREE)
		return;
	r->at_ms = r->at_ms < o->until_ms && o->until_ms <= wall_clock_ms ? o->until_ms - 1
	                                                                  : wall_clock_ms;
}

/*
 * The instant from which @p o continues. @return false if the drain is over by its schedule, and no
 * ramp of it lags behind
 */
static bool resume_ramp(const struct ramps *r, const struct model_override *o,
                        int64_t wall_clock_ms, struct ramp_record *out)
{
	const struct ramp_record *old = ramp_find(r->items, r->n, o);

	if (old) {
		*out = *old;
		if (r->restored)
			restore_record(o, out, wall_clock_ms);
		return old->at_ms < override_end_ms(o) || wall_clock_ms < override_end_ms(o);
	}
	*out = (struct ramp_record){ .generation = o->generation,
		                     .epoch = o->epoch,
		                     .step = o->step,
		                     .at_ms = wall_clock_ms };
	memcpy(out->id, o->id, strnlen(o->id, sizeof(out->id) - 1));
	return wall_clock_ms < override_end_ms(o);
}

static bool is_site_drain(const struct model_override *o)
{
	return o->kind == MODEL_OVERRIDE_DRAIN && o->target == MODEL_TARGET_SITE && !o->ended;
}

/* Whether the kept record of @p o would mislead this process after a restart. */
static bool record_differs(const struct ramps *r, const struct model_override *o,
                           const struct ramp_record *now)
{
	const struct ramp_record *was = ramp_find(r->items, r->n, o);

	return !was || was->how != now->how || was->arrived != now->arrived ||
	       find_stretch(o, was->at_ms) != find_stretch(o, now->at_ms);
}

/* Whether a restart would lose some of a step's level if it were not written now and then. */
static bool is_on_its_way(const struct ramp_record *now)
{
	return now->level_known && !now->arrived && now->level_ppm > 0;
}

/*
 * How far a ramp may move now: as far as the wall clock has moved, but not further than monotonic
 * time has passed plus an eighth, as the clock may be slewed. The wall clock may be the same in
 * several steps: then nothing has passed yet.
 */
static int64_t passed_time_ms(struct ramps *r, const struct ramps_step_input *in)
{
	int64_t mono_ms = smaller_time((int64_t)(in->now_ms - r->stepped_ms), PASSED_MAX_MS);
	int64_t wall_clock_ms = in->wall_clock_ms - r->wall_clock_ms;

	if (wall_clock_ms == 0)
		return 0;
	if (r->stepped_ms == 0)
		mono_ms = 0;
	r->wall_clock_ms = in->wall_clock_ms;
	r->stepped_ms = in->now_ms;
	return wall_clock_ms < 0 ? 0 : smaller_time(wall_clock_ms, mono_ms + mono_ms / 8);
}

int64_t ramps_person_hold_ms(const struct model *m, const struct model_override *own,
                             int64_t wall_clock_ms)
{
	int64_t since_ms = MODEL_TIME_NEVER;

	for (size_t i = 0; i < m->n_overrides; i++) {
		const struct model_override *o = &m->overrides[i];

		if (o->kind == MODEL_OVERRIDE_HOLD && o->target == MODEL_TARGET_SITE && !o->ended &&
		    o->from_ms <= wall_clock_ms && wall_clock_ms < o->until_ms &&
		    strcmp(o->name, own->name) == 0 &&
		    (!own->epoch || o->generation >= own->generation))
			since_ms = smaller_time(since_ms, o->from_ms);
	}
	return since_ms;
}

/* The level of a step whose instant is @p now's. */
static void follow_step(const struct ramps *r, const struct ramps_step_input *in,
                        const struct model_override *o, struct ramp_record *now)
{
	int64_t hold_ms = ramps_person_hold_ms(in->model, o, in->wall_clock_ms);
	const struct steps_before before = {
		.was = ramp_find_any(r->items, r->n, o->id),
		.now_ms = in->now_ms,
		.ttl_shift_s = in->ttl(in->arg, o, true),
		.ttl_max_s = in->ttl(in->arg, o, false),
		.over = find_stretch(o, smaller_time(now->at_ms, hold_ms)) >= 2,
	};

	now->at_ms = smaller_time(now->at_ms, hold_ms);
	steps_follow(o, &before, now);
}

void ramps_step_all(struct ramps *r, const struct ramps_step_input *in)
{
	struct ramp_inputs now = { .wall_clock_ms = in->wall_clock_ms,
		                   .clock_held = in->clock_held,
		                   .passed_ms = passed_time_ms(r, in) };
	struct ramp_record *items = r->items;
	bool changed = false, late = false;
	size_t n = 0;

	for (size_t i = 0; i < in->model->n_overrides && n < RAMP_RECORDS_MAX; i++) {
		const struct model_override *o = &in->model->overrides[i];
		const struct model_site *site =
		        is_site_drain(o) ? model_site(in->model, o->name) : NULL;
		struct ramp_record was;

		if (!site || !resume_ramp(r, o, in->wall_clock_ms, &was))
			continue;
		now.site_up = in->wall_clock_ms < o->until_ms || in->is_up(in->arg, site);
		r->next[n] = step_ramp(o, &was, &now);
		if (o->is_step)
			follow_step(r, in, o, &r->next[n]);
		changed |= r->restored || record_differs(r, o, &r->next[n]);
		late |= r->next[n].how == RAMP_LATE || is_on_its_way(&r->next[n]);
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
	return r && is_site_drain(o) ? ramp_find(r->items, r->n, o) : NULL;
}

int64_t ramps_time(const struct ramps *r, const struct model_override *o, int64_t wall_clock_ms)
{
	const struct ramp_record *found = record_of(r, o);

	return found ? found->at_ms : wall_clock_ms;
}

bool ramps_level(const struct ramps *r, const struct model_override *o, uint32_t *level_ppm)
{
	const struct ramp_record *found = o->is_step ? record_of(r, o) : NULL;

	if (!found)
		return false;
	*level_ppm = found->level_ppm;
	return true;
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
