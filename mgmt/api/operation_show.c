/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hold always has the command that ends it, and each operation the one that undoes it.
 */
#include "mgmt/api/operation_show.h"

#include <string.h>

#include "mgmt/api/operation_command.h"
#include "mgmt/api/to_json.h"
#include "mgmt/operations/record_json.h"
#include "weir/json.h"

/* --- parts --- */

static json_t *hold_json(const struct operations_item *item)
{
	char text[OPERATION_COMMAND_MAX];

	if (!operation_is_held(&item->op))
		return json_null();
	json_t *o = record_shown(&operation_hold_record, &item->op.hold);
	json_object_set_new(o, "resume", json_string(operation_resume_text(item, text)));
	return o;
}

static json_t *ended_json(const struct operation *op)
{
	if (!operation_is_over(op))
		return json_null();
	return json_pack("{s:o, s:s, s:s}", "at", time_to_json(op->ended_ms), "code", op->hold.code,
	                 "detail", op->hold.detail);
}

static json_t *names_json(const char names[][MODEL_NAME_MAX], size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(names[i]));
	return list;
}

static json_t *nodes_json(const struct operations_item *item)
{
	json_t *list = json_array();

	for (size_t i = 0; i < item->n_nodes; i++) {
		const struct operations_node *n = &item->nodes[i];

		json_array_append_new(
		        list,
		        json_pack("{s:s, s:b, s:b, s:o, s:I, s:I}", "node", n->node, "reached",
		                  n->reached, "named_absent", n->absent, "level_ppm",
		                  json_number_or_null(n->level_known, n->level_ppm), "epoch",
		                  (json_int_t)n->epoch, "step", (json_int_t)n->step));
	}
	return list;
}

static json_t *plan_json(const struct operation *op, const json_t *outlook)
{
	json_t *steps = json_array();

	for (uint32_t i = 0; i < op->n_plan; i++)
		json_array_append_new(
		        steps,
		        json_pack("{s:I, s:s}", "level_ppm", (json_int_t)op->plan_ppm[i],
		                  "waits_for",
		                  "all name servers that are reached report the level; the longest "
		                  "TTL of earlier answers and 5 s have passed; receivers are well; "
		                  "new flows at the site are as projected"));
	json_t *o =
	        json_pack("{s:I, s:o}", "from_ppm", (json_int_t)op->plan_from_ppm, "steps", steps);
	json_object_set(o, "expected_s", json_object_get(outlook, "expected_s"));
	json_object_set(o, "queries_per_s_at_min_ttl",
	                json_object_get(outlook, "queries_per_s_at_min_ttl"));
	return o;
}

/* --- the whole --- */

json_t *operation_summary_json(const struct operations_item *item)
{
	json_t *o = record_shown(&operation_record, &item->op);

	json_object_set_new(o, "hold", hold_json(item));
	json_object_set_new(o, "ended", ended_json(&item->op));
	return o;
}

static void add_texts(const struct operation *op, json_t *o)
{
	char text[OPERATION_COMMAND_MAX];

	json_object_set_new(o, "undo", json_string(operation_undo_text(op, text)));
	json_object_set_new(o, "command_node", json_string(op->command_node));
	json_object_set_new(o, "now", json_boolean(op->now));
	json_object_set_new(o, "over_ms", op->over_ms ? json_integer(op->over_ms) : json_null());
	json_object_set_new(o, "withdraw", json_boolean(op->withdraw));
	json_object_set_new(o, "expired", json_boolean(op->expired));
	json_object_set_new(o, "stage",
	                    op->state == OPERATION_RETURNING || op->way == OPERATION_BACK
	                            ? json_string(operation_stage_text(op->stage))
	                            : json_null());
}

static json_t *preflight_json(const struct operations_item *item)
{
	json_t *o = item->judged ? json_pack("{s:o, s:I}", "guards",
	                                     operation_guards_json(item->verdicts),
	                                     "deciding_sites", (json_int_t)item->deciding)
	                         : json_null();

	if (item->judged && item->outlook)
		json_object_update(o, item->outlook);
	return o;
}

json_t *operation_show_json(const struct operations_item *item)
{
	const struct operation *op = &item->op;
	json_t *o = operation_summary_json(item);

	add_texts(op, o);
	json_object_set_new(o, "step", json_integer(op->step));
	json_object_set_new(o, "plan", plan_json(op, item->outlook));
	json_object_set_new(o, "steps",
	                    record_list_shown(&operation_step_record, op->steps, op->n_steps));
	json_object_set_new(o, "nodes", nodes_json(item));
	json_object_set_new(o, "without", names_json(op->without, op->n_without));
	json_object_set_new(o, "late",
	                    record_list_shown(&operation_late_record, op->late, op->n_late));
	json_object_set_new(o, "evidence", operation_evidence_json(op));
	json_object_set_new(o, "preflight", preflight_json(item));
	return o;
}
