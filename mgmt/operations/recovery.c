/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways back: the return of a drained site, and the abort of a way out.
 *
 * A return first waits, in this order: own pools up, VIPs announced with proof, up as seen from
 * outside, backup members gone. Clients come only then, 1 % for two minutes and then step by step.
 * An abort takes the same steps without these waits, because the site still serves; but no step
 * back is ever made towards a site that is not up as seen from outside (step.c).
 *
 * Each turn takes a new epoch. So all writes of one epoch go in one direction, and the levels of
 * nodes with one epoch can be compared. A way back begins at the highest level of any name server,
 * because none comes back but by a step.
 */
#include "mgmt/operations/engine_internal.h"

void back_turn(struct tick *t, enum operation_way way)
{
	struct operation *op = t->op;

	level_freeze(t);
	op->step_runs = false;
	op->step = 0;
	op->n_plan = 0;
	op->way = way;
	if (way == OPERATION_OUT)
		op->full_ms = op->drained_ms = 0; /* they are of the drain that begins now */
	op->epoch++;
	op->writes = 0;
	op->seq = 0;
	if (way == OPERATION_BACK && apart_highest(t) > op->level_ppm)
		op->level_ppm = apart_highest(t);
	level_keep(t);
	op->met_ppm = way == OPERATION_OUT && apart_holds(op) ? apart_highest(t) : 0;
	tick_change(t);
}

/*
 * The end is level 0 at once, also where its steps have not been. So it needs a majority of all nodes, those
 * named absent too: a side that was only said to be all of them comes back to 0, and waits there.
 */
static bool may_end(struct tick *t)
{
	size_t n = t->facts->n_nodes, reached = 0;

	for (size_t i = 0; i < n; i++)
		reached += t->facts->nodes[i].reached;
	if (!t->op->write.epoch || reached * 2 > n)
		return true;
	tick_wait(t, "it ends once most nodes are reached, also those named absent: %zu of %zu are",
	          reached, n);
	return false;
}

static void end_override(struct tick *t)
{
	struct operation *op = t->op;

	if (!op->write.epoch)
		return; /* nothing was ever written */
	op->late_from_ms = 0;
	level_write(t, 0, 0, t->now_ms, 0);
	op->write.ended = true;
}

static void end_return(struct tick *t)
{
	end_override(t);
	t->op->n_after = history_loads(t, t->op->after);
	tick_end(t, OPERATION_DONE, RULE_NONE, "the site has all its clients again");
}

void back_begin(struct tick *t)
{
	struct operation *op = t->op;

	back_turn(t, OPERATION_BACK);
	op->began_ppm = op->level_ppm;
	op->stage = op->level_ppm ? OPERATION_STAGE_POOLS : OPERATION_STAGE_STEPS;
	tick_enter(t, OPERATION_RETURNING);
	operation_plan(op, t->facts);
}

/* What a stage waits for at one target. */
static enum operation_truth is_target_ready(enum operation_stage stage,
                                            const struct operation_site *site)
{
	if (!site)
		return OPERATION_UNKNOWN;
	switch (stage) {
	case OPERATION_STAGE_POOLS:
		return site->pools;
	case OPERATION_STAGE_ANNOUNCE:
		return site->announced;
	case OPERATION_STAGE_OUTSIDE:
		return facts_is_up(site);
	case OPERATION_STAGE_BACKUP:
		return site->has_backup ? site->backup_left : OPERATION_YES;
	default:
		return OPERATION_YES;
	}
}

static const char *find_unready(const struct tick *t)
{
	for (uint32_t i = 0; i < t->op->n_targets; i++) {
		const char *name = t->op->targets[i].site;

		if (is_target_ready(t->op->stage, facts_site(t->facts, name)) != OPERATION_YES)
			return name;
	}
	return NULL;
}

/* The backup leaves before DNS sends clients, so that they all find the site's own backends. */
static void close_backup(struct tick *t)
{
	struct operation *op = t->op;

	if (!op->late_from_ms)
		return;
	op->late_from_ms = 0;
	level_write(t, op->level_ppm, op->level_ppm, t->now_ms + OPERATION_AHEAD_MS, 0);
}

static void next_stage(struct tick *t)
{
	struct operation *op = t->op;

	op->stage++;
	op->state_ms = 0;
	op->unknown_ms = 0;
	if (op->stage == OPERATION_STAGE_BACKUP)
		close_backup(t);
	if (op->stage == OPERATION_STAGE_STEPS)
		step_begin_way(t);
	tick_change(t);
}

/* Of two returns that are ready only one may begin: the steps of the other must have ended. */
static void run_stage(struct tick *t)
{
	static const enum rule_id holds[OPERATION_STAGE_STEPS] = { OPERATION_HOLD_POOLS,
		                                                   OPERATION_HOLD_ANNOUNCE,
		                                                   OPERATION_HOLD_SITE_DOWN,
		                                                   OPERATION_HOLD_BACKUP_LEAVES };
	static const char *const waits[OPERATION_STAGE_COUNT] = {
		"its own pools are up by its own checks", "its VIPs are announced, with proof",
		"it is up as seen from outside", "backup members have left", ""
	};
	const char *unready, *mover = facts_find_mover(t->op, t->facts);

	absent_return(t);
	unready = find_unready(t);
	if (!unready && t->op->stage == OPERATION_STAGE_BACKUP && mover) {
		tick_wait(t, "the steps begin once operation %s moves no more", mover);
		return;
	}
	if (!unready) {
		next_stage(t);
		return;
	}
	tick_wait(t, "site %s returns once %s", unready, waits[t->op->stage]);
	if (t->op->state_ms >= TICK_STAGE_MS)
		tick_hold(t, holds[t->op->stage],
		          "site %s returns once %s; without waiting: weir undrain site NAME "
		          "--scheduled --reason TEXT",
		          unready, waits[t->op->stage]);
}

void back_return(struct tick *t)
{
	struct operation *op = t->op;

	if (op->stage != OPERATION_STAGE_STEPS)
		run_stage(t);
	else if (((op->level_ppm == 0 && !op->step_runs) || step_run(t)) && may_end(t))
		end_return(t);
}

void back_abort(struct tick *t)
{
	struct operation *op = t->op;

	if (!step_run(t))
		return;
	if (op->began_ppm == 0) {
		if (!may_end(t))
			return;
		end_override(t);
		tick_end(t, OPERATION_ABORTED, RULE_NONE, "went back to where it began");
		return;
	}
	op->kind = OPERATION_SHIFT;
	op->goal_ppm = op->began_ppm;
	op->way = OPERATION_OUT;
	op->expired = false; /* an end that came meanwhile comes now */
	level_keep(t);
	tick_enter(t, OPERATION_RESTING);
}
