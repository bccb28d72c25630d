/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Levels: which a node has, which is written next.
 *
 * Nodes may differ for a moment: one has got a step, another not yet. A hold stops at the highest of
 * their levels, never beyond what was written and never behind what was in force everywhere. On a
 * way out the others follow. On a way back they are ahead, and the steps reach them later: a hold
 * sends no client to the site. So a level never goes back by itself.
 *
 * The direction of a write is in its levels: back is from above to below (dns/steering/steps.h). A
 * hold therefore comes from 1 ppm beside its level, so that nodes that had gone further stay. A turn
 * back comes from a little above, so that a node that ran on for a moment turns, too. A name server
 * that is higher than that holds the operation (partition.c).
 */
#include "mgmt/operations/engine_internal.h"

#define REACH_MS 500  /* in which a write reaches the nodes */
#define STALE_MS 3000 /* how old a level that was read may be */
/* By a clock that is ahead, a node may be so much higher on a ramp than it is thought to be. */
#define SLACK_PPM 50000

static bool is_beyond(const struct operation *op, uint32_t level_ppm, uint32_t than_ppm)
{
	return op->way == OPERATION_OUT ? level_ppm > than_ppm : level_ppm < than_ppm;
}

/* A node that was further already does not go back, and has what the write asks for. */
static bool has_write(const struct operation *op, const struct operation_level *level)
{
	const struct operation_write *write = &op->write;

	return level->epoch == write->epoch && level->step == write->step &&
	       !is_beyond(op, write->to_ppm, level->level_ppm);
}

/* Or it is higher than the hold takes back. */
static bool has_hold(const struct operation *op, const struct operation_level *level)
{
	return has_write(op, level) ||
	       (level->epoch == op->write.epoch && level->step == op->write.step &&
	        level->level_ppm > level_bound(op));
}

static bool is_at_level(const struct operation *op, const struct operation_level *level)
{
	return !op->write.epoch || !is_beyond(op, op->level_ppm, level->level_ppm);
}

/* Whether all targets at all name servers that count pass a test. */
static enum operation_truth test_all(const struct tick *t, const char **missing,
                                     bool (*test)(const struct operation *,
                                                  const struct operation_level *))
{
	const struct operation *op = t->op;
	enum operation_truth all = OPERATION_YES;
	struct facts_level at = { .of_servers = true };

	while (facts_next_level(op, t->facts, &at)) {
		if (at.level->known && test(op, at.level))
			continue;
		*missing = at.node->name;
		if (at.level->known)
			return OPERATION_NO;
		all = OPERATION_UNKNOWN;
	}
	return all;
}

enum operation_truth level_in_force(const struct tick *t, const char **missing)
{
	return test_all(t, missing, has_write);
}

enum operation_truth level_is_held(const struct tick *t, const char **missing)
{
	return test_all(t, missing, has_hold);
}

enum operation_truth level_is_reached(const struct tick *t, const char **missing)
{
	return test_all(t, missing, is_at_level);
}

/* Between where the way has been everywhere and where its last write ends. */
static uint32_t clamp_level(const struct operation *op, uint32_t level_ppm)
{
	uint32_t low = op->level_ppm, high = op->write.epoch ? op->write.to_ppm : op->level_ppm;

	if (low > high) {
		low = high;
		high = op->level_ppm;
	}
	if (level_ppm < low)
		return low;
	return level_ppm > high ? high : level_ppm;
}

/* Of all name servers that count, between where the way has been and where its last write ends. */
static uint32_t find_furthest(const struct tick *t)
{
	const struct operation *op = t->op;
	uint32_t furthest = op->level_ppm;
	struct facts_level at = { .of_servers = true };

	while (facts_next_level(op, t->facts, &at))
		if (at.level->known && at.level->epoch &&
		    is_beyond(op, at.level->level_ppm, furthest))
			furthest = at.level->level_ppm;
	return clamp_level(op, furthest);
}

void level_write(struct tick *t, uint32_t from_ppm, uint32_t to_ppm, int64_t from_ms,
                 int64_t over_ms)
{
	struct operation *op = t->op;

	op->write = (struct operation_write){
		.epoch = op->epoch,
		.step = ++op->writes,
		.from_ms = from_ms,
		.over_ms = over_ms,
		.from_ppm = from_ppm,
		.to_ppm = to_ppm,
		.late_from_ms = op->late_from_ms,
		.own = op->write.own,
		.shared = op->write.shared,
	};
	tick_change(t);
}

uint32_t level_of_epoch(const struct tick *t)
{
	const struct operation *op = t->op;
	uint32_t epoch = op->epoch, highest = op->level_ppm;
	struct facts_level at = { .of_servers = true };

	while (facts_next_level(op, t->facts, &at)) {
		const struct operation_level *level = at.level;

		if (!level->known || !level->epoch || level->epoch < epoch)
			continue;
		if (level->epoch > epoch || level->level_ppm > highest)
			highest = level->level_ppm;
		epoch = level->epoch;
	}
	return highest;
}

static uint32_t find_greater(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/*
 * The highest level that a node may have by a step that a hold stopped, or by the override that the operation went on from;
 * 0: there is none.
 */
static uint32_t find_top(const struct operation *op)
{
	const struct operation_step *last = op->n_steps ? &op->steps[op->n_steps - 1] : NULL;
	uint32_t top_ppm;

	if (!last)
		return op->level_ppm <= op->met_ppm ? op->met_ppm : 0;
	if (last->in_force_ms || !operation_is_under_way(op) ||
	    (op->way == OPERATION_BACK && last->to_ppm < last->from_ppm))
		return 0;
	top_ppm = find_greater(last->from_ppm, last->to_ppm);
	return op->level_ppm <= top_ppm ? top_ppm : 0;
}

uint32_t level_bound(const struct operation *op)
{
	uint32_t written = find_greater(op->write.from_ppm, op->write.to_ppm);

	if (op->way == OPERATION_BACK)
		return written;
	return find_greater(written, find_greater(find_top(op), op->met_ppm));
}

uint32_t operation_hold_from(const struct operation *op, uint32_t level_ppm)
{
	if (op->way == OPERATION_BACK)
		return level_ppm + (level_ppm < MODEL_PPM_ALL);
	return level_ppm - (level_ppm > 0);
}

/* The hold itself: at once, because it is no step. */
void level_stop(struct tick *t, uint32_t level_ppm)
{
	struct operation *op = t->op;
	uint32_t from_ppm = operation_hold_from(op, level_ppm), top_ppm = find_top(op);

	if (op->way == OPERATION_BACK && top_ppm > from_ppm)
		from_ppm = top_ppm - level_ppm > SLACK_PPM ? level_ppm + SLACK_PPM : top_ppm;
	level_write(t, from_ppm, level_ppm, t->now_ms, 0);
	op->level_ppm = level_ppm;
}

void level_keep(struct tick *t)
{
	if (t->op->write.epoch)
		level_stop(t, t->op->level_ppm);
}

/* The level that a write has at an instant, by its own schedule. */
static uint32_t level_scheduled(const struct operation_write *w, int64_t at_ms)
{
	int64_t way_ppm = (int64_t)w->to_ppm - w->from_ppm;

	if (at_ms < w->from_ms)
		return w->from_ppm;
	if (at_ms - w->from_ms >= w->over_ms)
		return w->to_ppm;
	return (uint32_t)(w->from_ppm + way_ppm * (at_ms - w->from_ms) / w->over_ms);
}

/* Of a step back: where no node is called back that did not have it. */
static uint32_t find_nearest(const struct tick *t)
{
	const struct operation *op = t->op;
	uint32_t nearest = op->write.to_ppm;
	struct facts_level at = { .of_servers = true };

	while (facts_next_level(op, t->facts, &at)) {
		if (!at.level->known)
			return op->level_ppm;
		nearest = find_greater(nearest, at.level->level_ppm);
	}
	return clamp_level(op, nearest);
}

/*
 * Nodes have the step by its schedule, also those whose level was read just before: a write without a
 * direction would take it back.
 */
void level_freeze(struct tick *t)
{
	struct operation *op = t->op;

	uint32_t furthest, scheduled;

	if (!op->step_runs || history_last(op)->in_force_ms)
		return; /* nothing moves */
	op->step_runs = false;
	history_measure(t);
	if (op->way == OPERATION_BACK) {
		level_stop(t, find_nearest(t));
		return;
	}
	furthest = find_furthest(t);
	scheduled = clamp_level(op, level_scheduled(&op->write, t->now_ms + REACH_MS));
	if (t->now_ms - op->write.from_ms < op->write.over_ms + STALE_MS &&
	    is_beyond(op, scheduled, furthest))
		furthest = scheduled;
	level_stop(t, furthest);
}

/* Where nodes may have gone that had the running step before the hold that stopped it. */
static uint32_t find_followed(struct tick *t)
{
	struct operation *op = t->op;
	uint32_t to_ppm = op->write.to_ppm, furthest;

	if (op->way == OPERATION_BACK || !find_top(op))
		return to_ppm; /* nobody is called back who did not have the step */
	op->write.to_ppm = find_top(op);
	furthest = find_furthest(t);
	op->write.to_ppm = to_ppm;
	return furthest;
}

bool level_follow(struct tick *t)
{
	struct operation *op = t->op;
	uint32_t followed;

	if (op->step_runs || !op->write.epoch)
		return false;
	followed = find_followed(t);
	if (followed == op->write.to_ppm)
		return false;
	level_stop(t, followed);
	return true;
}
