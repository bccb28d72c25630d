/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting a record, and checking one that comes from a peer or a store: whatever it says, all
 * counts stay inside their arrays and all texts end.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/operations/operation.h"
#include "mgmt/operations/plan.h"
#include "mgmt/store/hlc.h"

static bool is_text(const char *text, size_t size)
{
	return memchr(text, 0, size) != NULL;
}

/* As in URLs, logs and overrides. */
static bool is_id(const char *text)
{
	return *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

static bool are_enums_ok(const struct operation *op)
{
	return (unsigned)op->kind < OPERATION_KIND_COUNT &&
	       (unsigned)op->state < OPERATION_STATE_COUNT &&
	       (unsigned)op->stage < OPERATION_STAGE_COUNT &&
	       (unsigned)op->hold.from < OPERATION_STATE_COUNT &&
	       (unsigned)op->way <= OPERATION_BACK;
}

static bool are_counts_ok(const struct operation *op)
{
	return op->n_targets >= 1 && op->n_targets <= OPERATION_TARGETS_MAX &&
	       op->n_plan <= OPERATION_PLAN_MAX && op->step <= op->n_plan &&
	       op->n_steps <= OPERATION_HISTORY_MAX && op->n_nodes <= OPERATION_NODES_MAX &&
	       op->n_without <= OPERATION_NODES_MAX && op->n_before <= OPERATION_SITES_MAX &&
	       op->n_after <= OPERATION_SITES_MAX && op->n_signs <= OPERATION_SITES_MAX &&
	       op->n_late <= OPERATION_LATE_MAX && op->n_failures <= OPERATION_FAILURES_MAX &&
	       op->n_was_late <= OPERATION_LATE_MAX;
}

static bool are_levels_ok(const struct operation *op)
{
	for (uint32_t i = 0; i < op->n_plan; i++) {
		if (op->plan_ppm[i] > MODEL_PPM_ALL)
			return false;
	}
	return op->goal_ppm <= MODEL_PPM_ALL && op->began_ppm <= MODEL_PPM_ALL &&
	       op->level_ppm <= MODEL_PPM_ALL && op->met_ppm <= MODEL_PPM_ALL &&
	       op->plan_from_ppm <= MODEL_PPM_ALL && op->write.from_ppm <= MODEL_PPM_ALL &&
	       op->write.to_ppm <= MODEL_PPM_ALL;
}

static bool are_steps_ok(const struct operation *op)
{
	for (uint32_t i = 0; i < op->n_steps; i++) {
		const struct operation_step *step = &op->steps[i];

		if (step->n_loads > OPERATION_SITES_MAX || step->to_ppm > MODEL_PPM_ALL ||
		    step->from_ppm > MODEL_PPM_ALL ||
		    !is_text(step->not_judged, OPERATION_DETAIL_MAX))
			return false;
	}
	/* a running step is in the history and in the plan */
	return !op->step_runs || (op->n_steps && op->step < op->n_plan);
}

static bool are_texts_ok(const struct operation *op)
{
	for (uint32_t i = 0; i < op->n_targets; i++) {
		if (!is_text(op->targets[i].site, MODEL_NAME_MAX) || !*op->targets[i].site ||
		    !is_text(op->targets[i].override_id, MODEL_ID_MAX))
			return false;
	}
	for (uint32_t i = 0; i < op->n_without; i++) {
		if (!is_text(op->without[i], MODEL_NAME_MAX))
			return false;
	}
	return is_text(op->id, MODEL_ID_MAX) && is_id(op->id) &&
	       is_text(op->owner, MODEL_NAME_MAX) && *op->owner &&
	       is_text(op->service, MODEL_NAME_MAX) && is_text(op->author, MODEL_NAME_MAX) &&
	       is_text(op->principal, PRINCIPAL_MAX) && is_text(op->reason, OVERRIDE_REASON_MAX) &&
	       is_text(op->hold.code, OPERATION_CODE_MAX) &&
	       is_text(op->hold.detail, OPERATION_DETAIL_MAX);
}

static bool are_times_ok(const struct operation *op)
{
	return op->created_ms >= 0 && op->until_ms >= 0 && op->over_ms >= 0 &&
	       op->over_ms <= OPERATION_OVER_MAX_MS && op->write.over_ms >= 0 &&
	       op->write.over_ms <= OPERATION_OVER_MAX_MS;
}

/* There is always a higher one: a turn and the next owner count on. */
static bool is_age_ok(const struct operation *op)
{
	return op->stamp && op->stamp < HLC_END && op->epoch >= 1 &&
	       op->epoch < OPERATION_EPOCH_MAX && op->seq <= INT64_MAX / 2;
}

bool operation_ok(const struct operation *op)
{
	return are_enums_ok(op) && are_counts_ok(op) && are_levels_ok(op) && are_steps_ok(op) &&
	       are_texts_ok(op) && are_times_ok(op) && is_age_ok(op);
}

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
	if (goal == 0 || goal > MODEL_PPM_ALL || r->level_ppm > MODEL_PPM_ALL)
		return "the level is not between 0 and 100 %";
	if (r->kind == OPERATION_SHIFT && goal == MODEL_PPM_ALL)
		return "a shift of 100 % is a drain";
	return NULL;
}

int operation_init(struct operation *op, const struct operation_request *r, int64_t now_ms,
                   char *error)
{
	const char *wrong = find_error(r, now_ms);

	memset(op, 0, sizeof(*op));
	if (r->n_targets > OPERATION_TARGETS_MAX || r->person.without.n > OPERATION_NODES_MAX) {
		(void)snprintf(error, OPERATION_DETAIL_MAX,
		               "more than %u sites or %u nodes are named", OPERATION_TARGETS_MAX,
		               OPERATION_NODES_MAX);
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
	return 0;
}
