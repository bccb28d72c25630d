/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands of persons at the owner. Each first says why not, and changes the record only then. What
 * a person adds (guards overridden by name, nodes named absent) counts for the check, and is taken
 * back when the command is refused.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/operations/command_internal.h"
#include "mgmt/operations/engine_internal.h"
#include "mgmt/operations/plan.h"
#include "mgmt/operations/regression.h"
#include "mgmt/overrides/hlc.h"

/* --- the first one: it begins --- */

/* @return whether it fits; else @p error says which text does not */
static bool copy_text(char *out, size_t size, const char *text, const char *field, char *error)
{
	int n = snprintf(out, size, "%s", text ? text : "");

	if (n >= 0 && (size_t)n < size)
		return true;
	(void)snprintf(error, OPERATION_DETAIL_MAX, "%s is longer than %zu bytes", field, size - 1);
	return false;
}

static int copy_texts(struct operation *op, const struct operation_request *r, char *error)
{
	bool fit = copy_text(op->id, sizeof(op->id), r->id, "id", error) &&
	           copy_text(op->owner, sizeof(op->owner), r->node, "node", error) &&
	           copy_text(op->command_node, sizeof(op->command_node), r->node, "node", error) &&
	           copy_text(op->service, sizeof(op->service), r->service, "service", error) &&
	           copy_text(op->author, sizeof(op->author), r->person.author, "author", error) &&
	           copy_text(op->principal, sizeof(op->principal), r->person.principal, "principal",
	                     error) &&
	           copy_text(op->reason, sizeof(op->reason), r->person.reason, "reason", error);

	return fit ? 0 : -EINVAL;
}

static int copy_targets(struct operation *op, const struct operation_request *r, char *error)
{
	for (size_t i = 0; i < r->n_targets; i++) {
		if (operation_targets_site(op, r->targets[i].site)) {
			(void)snprintf(error, OPERATION_DETAIL_MAX, "site %s is named twice",
			               r->targets[i].site);
			return -EINVAL;
		}
		op->targets[op->n_targets++] = r->targets[i];
	}
	return 0;
}

static int copy_without(struct operation *op, const struct operation_request *r, char *error)
{
	for (size_t i = 0; i < r->person.without.n; i++) {
		if (!copy_text(op->without[op->n_without], MODEL_NAME_MAX,
		               r->person.without.items[i], "without", error))
			return -EINVAL;
		op->n_without++;
	}
	return 0;
}

/* What is wrong with the numbers; NULL: nothing. */
static const char *find_error(const struct operation_request *r, int64_t now_ms)
{
	uint32_t goal = r->kind == OPERATION_DRAIN ? MODEL_PPM_ALL : r->person.goal_ppm;

	if (!r->stamp || r->stamp >= HLC_END)
		return "the command has no stamp";
	if (r->n_targets == 0)
		return "no site is named";
	if (r->person.until_ms != MODEL_TIME_NEVER && r->person.until_ms <= now_ms)
		return "until is in the past";
	if (r->person.over_ms < 0 || r->person.over_ms > OPERATION_OVER_MAX_MS)
		return "over is longer than 7 days";
	if (goal == 0 || goal > MODEL_PPM_ALL || r->level_ppm > MODEL_PPM_ALL ||
	    r->ahead_ppm > MODEL_PPM_ALL)
		return "the level is not between 0 and 100 %";
	if (r->kind == OPERATION_SHIFT && goal == MODEL_PPM_ALL)
		return "a shift of 100 % is a drain";
	return NULL;
}

/* What was there ends by its own schedule, so it is the operation's from the first record on. */
static void own_override(struct operation *op, const struct operation_request *r, int64_t now_ms)
{
	struct tick t = { .op = op, .now_ms = now_ms };

	if (!r->has_override)
		return;
	op->met_ppm = r->ahead_ppm;
	op->late_from_ms = r->late_from_ms;
	op->full_ms = op->level_ppm == MODEL_PPM_ALL ? now_ms : 0;
	level_stop(&t, op->level_ppm);
}

int operation_init(struct operation *op, const struct operation_request *r, int64_t now_ms,
                   char *error)
{
	const char *wrong = find_error(r, now_ms);

	memset(op, 0, sizeof(*op));
	if (r->n_targets > OPERATION_TARGETS_MAX || r->person.without.n > OPERATION_WITHOUT_MAX) {
		(void)snprintf(error, OPERATION_DETAIL_MAX,
		               "more than %u sites or %u nodes are named", OPERATION_TARGETS_MAX,
		               OPERATION_WITHOUT_MAX);
		return -E2BIG;
	}
	if (wrong) {
		(void)snprintf(error, OPERATION_DETAIL_MAX, "%s", wrong);
		return -EINVAL;
	}
	if (copy_texts(op, r, error) || copy_targets(op, r, error) || copy_without(op, r, error))
		return -EINVAL;
	op->kind = r->kind;
	op->created_ms = now_ms;
	op->until_ms = r->person.until_ms;
	op->over_ms = r->person.over_ms;
	op->now = r->person.now;
	op->withdraw = r->person.withdraw;
	op->goal_ppm = r->kind == OPERATION_DRAIN ? MODEL_PPM_ALL : r->person.goal_ppm;
	op->level_ppm = r->level_ppm;
	op->began_ppm = r->level_ppm;
	op->stamp = r->stamp;
	op->epoch = operation_owner_epoch(0);
	op->seq = 1;
	memcpy(op->overridden, r->person.overridden, sizeof(op->overridden));
	op->plan_from_ppm = op->level_ppm;
	op->n_plan = plan_levels(op->level_ppm, op->goal_ppm, op->now, op->plan_ppm);
	own_override(op, r, now_ms);
	return 0;
}

/* --- to one that is there --- */

static bool has_added(const struct operation *op, const struct command_before *before)
{
	return op->n_without != before->n_without ||
	       memcmp(op->overridden, before->overridden, sizeof(op->overridden)) != 0;
}

/* What a person says to a new way; what was said to the last one is over. */
static void add_to_way(struct tick *t, const struct operation_person *person)
{
	absent_next_way(t);
	operation_add(t->op, person);
}

static struct tick begin_command(struct operation *op, const struct operation_facts *facts,
                                 int64_t now_ms)
{
	return (struct tick){ .op = op, .facts = facts, .now_ms = now_ms };
}

/* Its levels stay where they are, until a person changes that. */
static bool stays_by_itself(const struct operation *op)
{
	return op->until_ms == MODEL_TIME_NEVER &&
	       (op->state == OPERATION_DRAINED || op->state == OPERATION_EMPTY ||
	        op->state == OPERATION_RESTING);
}

int operation_hold(struct operation *op, const struct operation_facts *facts,
                   const struct operation_person *person, int64_t now_ms, char *error)
{
	struct tick t = begin_command(op, facts, now_ms);
	const char *colon = *person->reason ? ": " : "";
	int err;

	if (operation_is_over(op))
		return command_refuse_over(op, error);
	if (operation_is_held(op) && !own_goes_on(op))
		return command_refuse(error, -EALREADY, "it is held already (%s)", op->hold.code);
	if (stays_by_itself(op))
		return command_refuse(error, -EINVAL,
		                      "nothing moves, and it does not return by itself: "
		                      "there is nothing to hold");
	err = own_catch_up(&t, person, error);
	if (err)
		return err;
	tick_hold_instead(&t, OPERATION_HOLD_PERSON, "%s%s%s", person->author, colon,
	                  person->reason);
	op->seq++;
	return 0;
}

static bool is_gone(const struct operation_facts *facts)
{
	return facts->document == OPERATION_DOCUMENT_SITE_GONE ||
	       facts->document == OPERATION_DOCUMENT_SERVICE_GONE;
}

static int refuse_gone(char *error)
{
	return command_refuse(error, -EBUSY,
	                      "the site or service is not in the configuration; abort the "
	                      "operation");
}

/* Whether the state to go on with moves levels, so that the guards decide. */
static bool would_move(const struct operation *op)
{
	enum operation_state from = op->hold.from;

	if (from == OPERATION_RETURNING)
		return op->stage == OPERATION_STAGE_STEPS;
	return from == OPERATION_STARTING || from == OPERATION_MOVING || from == OPERATION_ABORTING;
}

/* The guards as they would be asked in the next tick; what no one knew before is normal now. */
static int query_guards(struct operation *op, const struct operation_facts *facts, char *error)
{
	struct operation_verdict verdicts[OPERATION_GUARD_COUNT];
	const struct operation_verdict *tripped;
	enum operation_state state = op->state;

	well_begin(op, facts);
	op->state = op->hold.from;
	operation_judge(op, facts, op->step_runs ? OPERATION_DURING : OPERATION_BEFORE, verdicts);
	op->state = state;
	tripped = operation_tripped(verdicts);
	if (!tripped)
		return 0;
	return command_refuse_by(error, tripped->guard, "%s", tripped->detail);
}

static int refuse_turn(const struct operation *op, char *error)
{
	return command_refuse(error, -EINVAL, "no higher epoch is left for operation %s", op->id);
}

/*
 * A person turns away from a return whose time had come: the site stays drained until a person
 * returns it. Its time does not come again, and does not seem to have come.
 */
static void forget_time(struct operation *op)
{
	if (!op->expired)
		return;
	op->until_ms = MODEL_TIME_NEVER;
	op->expired = op->expiry_announced = false;
}

/* Whether it goes on in another epoch: by a return, or back from another level. */
static bool turns_by_resume(const struct tick *t)
{
	const struct operation *op = t->op;

	if (op->state == OPERATION_EXPIRED_HELD)
		return !op->reads_levels;
	return op->way == OPERATION_BACK && apart_is_any(t);
}

static int refuse_resume(const struct tick *t, char *error)
{
	const struct operation_facts *facts = t->facts;
	struct operation *op = t->op;
	const char *mover = facts_find_mover(op, facts);

	if (is_gone(facts))
		return refuse_gone(error);
	if (turns_by_resume(t) && !operation_may_turn(op))
		return refuse_turn(op, error);
	if (op->state == OPERATION_EXPIRED_HELD || !would_move(op))
		return 0;
	if (mover && op->hold.from != OPERATION_ABORTING)
		return command_refuse_by(error, OPERATION_GUARD_OTHER, "operation %s moves", mover);
	return query_guards(op, facts, error);
}

/* A person has seen levels that the owner did not write: go on from them. */
static void meet_levels(struct tick *t)
{
	if (!apart_is_any(t))
		return;
	absent_return(t);
	if (t->op->way == OPERATION_BACK)
		back_turn(t, OPERATION_BACK);
	else
		t->op->met_ppm = apart_highest(t);
}

/* The pace of the way out stays, unless another is given. */
static void set_pace(struct operation *op, const struct operation_person *person)
{
	op->now = person->now;
	if (person->now || person->over_ms > 0)
		op->over_ms = person->now ? 0 : person->over_ms;
}

int operation_resume(struct operation *op, const struct operation_facts *facts,
                     const struct operation_person *person, int64_t now_ms, char *error)
{
	struct tick t = begin_command(op, facts, now_ms);
	struct command_before before;
	int err;

	if (operation_is_over(op))
		return command_refuse_over(op, error);
	if (!operation_is_held(op))
		return command_refuse(error, -EALREADY, "it is not held");
	command_add(op, person, &before);
	err = op->reads_levels && !behind_is(op, facts)
	              ? own_refuse_resume(&t, has_added(op, &before), error)
	              : 0;
	if (!err)
		err = refuse_resume(&t, error);
	if (!err)
		err = own_catch_up(&t, person, error);
	if (err) {
		command_undo(op, &before);
		return err;
	}
	if (op->reads_levels) {
		own_resume(&t);
	} else if (op->state == OPERATION_EXPIRED_HELD) {
		command_undo(op, &before);
		add_to_way(&t, person);
		set_pace(op, person);
		back_begin(&t);
	} else {
		meet_levels(&t);
		command_go_on(&t);
	}
	op->seq++;
	return 0;
}

bool operation_goes_back(const struct operation *op)
{
	return operation_unheld_state(op) == OPERATION_ABORTING && !apart_holds(op);
}

static int refuse_abort(const struct operation *op, char *error)
{
	if (operation_goes_back(op))
		return command_refuse(error, -EALREADY, "it goes back already%s",
		                      operation_is_held(op) ? "; resume it" : "");
	if (!operation_may_abort(op))
		return command_refuse(error, -EINVAL,
		                      "nothing moves: return the site (weir undrain site)");
	if (!operation_may_turn(op))
		return refuse_turn(op, error);
	return 0;
}

static void begin_abort(struct tick *t)
{
	struct operation *op = t->op;

	if (operation_unheld_state(op) == OPERATION_ABORTING) { /* the other side went on */
		back_turn(t, OPERATION_OUT);
		tick_enter(t, OPERATION_MOVING);
	} else if (operation_unheld_state(op) == OPERATION_RETURNING) {
		forget_time(op);
		back_turn(t, OPERATION_OUT);
		op->goal_ppm = op->began_ppm;
		op->began_ppm = 0; /* the return goes on if this is aborted, too */
		tick_enter(t, OPERATION_MOVING);
	} else {
		back_turn(t, OPERATION_BACK);
		tick_enter(t, OPERATION_ABORTING);
	}
	op->late_from_ms = 0;
	op->reads_levels = false;
	op->hold = (struct operation_hold){ 0 };
	step_begin_way(t);
}

int operation_abort(struct operation *op, const struct operation_facts *facts,
                    const struct operation_person *person, int64_t now_ms, char *error)
{
	struct tick t = begin_command(op, facts, now_ms);
	int err;

	if (operation_is_over(op))
		return command_refuse_over(op, error);
	if (is_gone(facts)) {
		level_freeze(&t);
		level_keep(&t);
		tick_end(&t, OPERATION_FAILED, OPERATION_HOLD_SITE_GONE,
		         "its site or service is gone");
		op->seq++;
		return 0;
	}
	err = refuse_abort(op, error);
	if (!err)
		err = own_catch_up(&t, person, error);
	if (err)
		return err;
	add_to_way(&t, person);
	begin_abort(&t);
	op->seq++;
	return 0;
}

/* What is left of the way back is one step now. */
static void hurry_return(struct tick *t, const struct operation_person *person)
{
	operation_add(t->op, person);
	back_turn(t, OPERATION_BACK);
	set_pace(t->op, person);
	tick_enter(t, OPERATION_RETURNING);
	operation_plan(t->op, t->facts);
	step_note_nodes(t);
}

int operation_return(struct operation *op, const struct operation_facts *facts,
                     const struct operation_person *person, int64_t now_ms, char *error)
{
	struct tick t = begin_command(op, facts, now_ms);
	bool returns = operation_unheld_state(op) == OPERATION_RETURNING &&
	               op->state != OPERATION_EXPIRED_HELD;
	int err;

	if (operation_is_over(op))
		return command_refuse_over(op, error);
	if (returns && (op->now || !person->now))
		return command_refuse(error, -EALREADY, "it returns already%s",
		                      operation_is_held(op) ? "; resume it" : "");
	if (is_gone(facts))
		return refuse_gone(error);
	if (!operation_may_turn(op))
		return refuse_turn(op, error);
	err = own_catch_up(&t, person, error);
	if (err)
		return err;
	op->reads_levels = false;
	if (returns) {
		hurry_return(&t, person);
	} else {
		add_to_way(&t, person);
		set_pace(op, person);
		back_begin(&t);
	}
	op->hold = (struct operation_hold){ 0 };
	op->seq++;
	return 0;
}

int operation_redirect(struct operation *op, const struct operation_facts *facts,
                       const struct operation_person *person, int64_t now_ms, char *error)
{
	struct tick t = begin_command(op, facts, now_ms);
	const uint32_t goal_ppm = person->goal_ppm;
	enum operation_state state = operation_unheld_state(op);
	const char *mover = facts_find_mover(op, facts);

	if (operation_is_over(op))
		return command_refuse_over(op, error);
	if (state != OPERATION_RESTING && state != OPERATION_RETURNING)
		return command_refuse(error, -EINVAL, "it is %s: hold or return it first",
		                      operation_state_text(op->state));
	if (behind_is(op, facts))
		return command_refuse(error, -EINVAL,
		                      "its record is older than the levels: resume it, or return "
		                      "the site");
	if (mover)
		return command_refuse_by(error, OPERATION_GUARD_OTHER, "operation %s moves", mover);
	if (goal_ppm > MODEL_PPM_ALL || goal_ppm <= op->level_ppm)
		return command_refuse(error, -EINVAL, "%u%% of the clients are elsewhere already",
		                      op->level_ppm / 10000);
	if (person->until_ms <= now_ms)
		return command_refuse(error, -EINVAL, "until has passed");
	if (!operation_may_turn(op))
		return refuse_turn(op, error);
	add_to_way(&t, person);
	forget_time(op);
	op->until_ms = person->until_ms;
	op->expired = op->expiry_announced = false;
	op->withdraw = person->withdraw;
	back_turn(&t, OPERATION_OUT);
	op->kind = goal_ppm == MODEL_PPM_ALL ? OPERATION_DRAIN : OPERATION_SHIFT;
	op->goal_ppm = goal_ppm;
	op->began_ppm = op->level_ppm;
	op->late_from_ms = 0;
	set_pace(op, person);
	op->reads_levels = false;
	op->hold = (struct operation_hold){ 0 };
	tick_enter(&t, OPERATION_STARTING);
	operation_plan(op, facts);
	op->seq++;
	return 0;
}
