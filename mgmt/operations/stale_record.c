/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A record that is older than the levels. Each change of a level is in the record before any node has
 * it. So a level of a higher epoch, or of a later step of this one, comes from a record that is on its way
 * from its owner, or that is lost: its owner left the configuration, or no node could store it before
 * all were restarted.
 *
 * The owner of the older record writes nothing: levels stay as they are. It waits for the later record, and
 * then is held. What was ordered last is not known any more, so a person decides: resume, hold, abort
 * and return all go on from the levels, in an epoch above theirs, by the same rules as a new owner.
 */
#include <string.h>

#include "mgmt/operations/engine_internal.h"

#define LOST                                                                                       \
	"nodes have levels of a later change (epoch %u), and no node that is reached has the "     \
	"record of it"

bool behind_is(const struct operation *op, const struct operation_facts *facts)
{
	for (struct facts_level at = { 0 }; facts_next_level(op, facts, &at);) {
		const struct operation_level *level = at.level;

		if (!level->known || level->person || level->epoch < op->epoch)
			continue;
		if (level->epoch > op->epoch || (level->step > op->writes && !op->reads_levels))
			return true;
	}
	return false;
}

bool behind_count_steps(struct tick *t)
{
	struct operation *op = t->op;
	uint32_t writes = op->writes;

	for (struct facts_level at = { 0 }; facts_next_level(op, t->facts, &at);)
		if (at.level->known && at.level->epoch == op->epoch && at.level->step > op->writes)
			op->writes = at.level->step;
	return op->writes != writes;
}

static void hold_behind(struct tick *t)
{
	struct operation *op = t->op;

	if (!operation_is_held(op) || rule_is(OPERATION_HOLD_NEW_OWNER, op->hold.code))
		tick_hold_instead(t, OPERATION_HOLD_RECORD_BEHIND, LOST, facts_epoch(op, t->facts));
}

bool behind_watch(struct tick *t)
{
	struct operation *op = t->op;

	if (!behind_is(op, t->facts)) {
		op->behind_ms = 0;
		return false;
	}
	if (op->behind_ms >= TICK_BEHIND_MS)
		hold_behind(t);
	tick_wait(t, "nodes have levels of a later change (epoch %u): its record is not here",
	          facts_epoch(op, t->facts));
	return true;
}

/* What rests does not move by itself: a level that differs was on its way back. */
static void correct_state(struct operation *op, uint32_t was_ppm)
{
	enum operation_state state = operation_unheld_state(op);
	bool rests = state == OPERATION_LATE || state == OPERATION_DRAINED ||
	             state == OPERATION_DRAINED_UNCONFIRMED || state == OPERATION_EMPTY ||
	             state == OPERATION_RESTING;

	if (!rests || op->level_ppm == was_ppm)
		return;
	op->way = OPERATION_BACK;
	op->now = false; /* as a return that nobody hurries */
	op->stage = op->level_ppm ? OPERATION_STAGE_POOLS : OPERATION_STAGE_STEPS;
	op->began_ppm = op->level_ppm > was_ppm ? op->level_ppm : was_ppm;
	op->step = op->n_plan = 0;
	if (operation_is_held(op))
		op->hold.from = OPERATION_RETURNING;
	else
		op->state = OPERATION_RETURNING;
}

void behind_follow(struct tick *t)
{
	struct operation *op = t->op;
	uint32_t was_ppm = op->level_ppm;

	op->level_ppm = level_of_epoch(t);
	op->step_runs = false;
	op->reads_levels = true;
	correct_state(op, was_ppm);
}
