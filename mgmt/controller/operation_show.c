/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an operation has observed: each step with its shares, loads and margins; at the end, all of it as evidence. What a plan
 * will bring: the load of receivers before and after, how long it takes, what it does to the name servers. A value that is not
 * known is null.
 *
 * A hold always has the command that ends it, and each operation the one that undoes it.
 */
#include "mgmt/controller/operation_show.h"

#include <string.h>

#include "mgmt/controller/operation_command.h"
#include "mgmt/controller/operation_snapshot.h"
#include "mgmt/core/to_json.h"
#include "mgmt/operations/plan.h"
#include "mgmt/operations/record_json.h"
#include "weir/json.h"

/* --- what it has observed --- */

json_t *operation_value_json(const struct operation_value *v)
{
	return json_number_or_null(v->known, v->value);
}

/* The smallest margin of each guard over all steps. */
static json_t *least_margins_json(const struct operation *op)
{
	json_t *o = json_object();

	for (int g = 0; g < OPERATION_GUARD_COUNT; g++) {
		int64_t least = INT64_MAX;

		for (uint32_t i = 0; i < op->n_steps; i++)
			if (op->steps[i].margins[g] < least)
				least = op->steps[i].margins[g];
		if (least != INT64_MAX)
			json_object_set_new(o, operation_guard_text((enum operation_guard)g),
			                    json_integer(least));
	}
	return o;
}

static json_t *levels_json(const struct operation *op)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < op->n_steps; i++) {
		const struct operation_step *s = &op->steps[i];

		json_array_append_new(
		        list, json_pack("{s:o, s:I, s:o, s:o}", "at", time_to_json(s->ended_ms),
		                        "level_ppm", (json_int_t)s->to_ppm, "share_ppm",
		                        operation_value_json(&s->share_ppm), "expected_share_ppm",
		                        operation_value_json(&s->expected_ppm)));
	}
	return list;
}

/* A person's hold, and the one of a new owner who reads the levels, are no failures. */
static bool is_failure(const struct operation_failure *f)
{
	return strcmp(f->code, "person") != 0 && strcmp(f->code, "taken") != 0;
}

static json_t *failures_json(const struct operation *op)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < op->n_failures; i++)
		if (is_failure(&op->failures[i]))
			json_array_append_new(
			        list, record_shown(&operation_failure_record, &op->failures[i]));
	return list;
}

/* --- the time line --- */

/*
 * Put a moment where its time has it, behind those of the same; an instant that is not there yet is none.
 * @param event  a word of docs/api.md; @param code  of a hold; NULL: none. @param level_ppm  -1: none
 */
static void add_moment(json_t *list, int64_t at_ms, const char *event, const char *code,
                       int64_t level_ppm)
{
	json_t *at = time_to_json(at_ms);
	size_t i = json_array_size(list);

	if (!json_is_string(at)) {
		json_decref(at);
		return;
	}
	while (i &&
	       strcmp(json_text_of(json_array_get(list, i - 1), "at"), json_string_value(at)) > 0)
		i--;
	json_array_insert_new(list, i,
	                      json_pack("{s:o, s:s, s:s*, s:o*}", "at", at, "event", event, "code",
	                                code, "level_ppm",
	                                level_ppm < 0 ? NULL : json_integer(level_ppm)));
}

static json_t *time_line_json(const struct operation *op)
{
	json_t *l = json_array();

	add_moment(l, op->began_ms, "began", NULL, -1);
	for (uint32_t i = 0; i < op->n_steps; i++) {
		const struct operation_step *s = &op->steps[i];

		add_moment(l, s->begun_ms, "step", NULL, s->to_ppm);
		add_moment(l, s->in_force_ms, "in_force", NULL, s->to_ppm);
		add_moment(l, s->ended_ms, "step_ended", NULL, s->to_ppm);
	}
	for (uint32_t i = 0; i < op->n_failures; i++) {
		const struct operation_failure *f = &op->failures[i];

		add_moment(l, f->at_ms, f->overridden ? "overridden" : "held", f->code, -1);
		add_moment(l, f->until_ms, "went_on", f->code, -1);
	}
	add_moment(l, op->full_ms, "full", NULL, -1);
	add_moment(l, op->drained_ms, "drained", NULL, -1);
	add_moment(l, op->ended_ms, "ended", NULL, -1);
	return l;
}

/* Whether packets say that it is drained, or that it was so before its return. */
static bool is_confirmed(const struct operation *op)
{
	enum operation_state state = operation_unheld_state(op);

	return op->drained_ms && state != OPERATION_LATE && state != OPERATION_DRAINED_UNCONFIRMED;
}

static json_t *evidence_json(const struct operation *op)
{
	if (!op->drained_ms && op->state != OPERATION_DRAINED_UNCONFIRMED && !operation_is_over(op))
		return json_null();
	return json_pack(
	        "{s:{s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:I, s:b}",
	        "times", "began", time_to_json(op->began_ms), "full", time_to_json(op->full_ms),
	        "drained", time_to_json(op->drained_ms), "ended", time_to_json(op->ended_ms),
	        "time_line", time_line_json(op), "load_before",
	        record_list_shown(&operation_load_record, op->before, op->n_before), "load_after",
	        record_list_shown(&operation_load_record, op->after, op->n_after), "levels",
	        levels_json(op), "late",
	        record_list_shown(&operation_late_record, op->was_late, op->n_was_late), "failures",
	        failures_json(op), "failures_left_out", (json_int_t)op->failures_lost,
	        "least_margins_percent", least_margins_json(op), "holds", (json_int_t)op->holds,
	        "confirmed_by_packets", is_confirmed(op));
}

/* --- what a plan will bring --- */

static json_t *receiver_json(const struct model_site *site, const struct operation_site *s,
                             const struct operation_projected *after)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "site", site->name,
	                 "before_flows", operation_value_json(&s->arrivals), "after_flows",
	                 operation_value_json(&after->flows), "capacity_flows",
	                 json_number_or_null(site->capacity_flows, site->capacity_flows),
	                 "before_bits", operation_value_json(&s->bits), "after_bits",
	                 operation_value_json(&after->bits), "capacity_bits",
	                 json_number_or_null(site->capacity_bits, site->capacity_bits),
	                 "backup_flows", operation_value_json(&after->backup_flows), "known",
	                 after->flows.known && after->bits.known);
}

static json_t *receivers_json(const struct model *m, const struct operation *op,
                              const struct operation_observed *observed)
{
	json_t *list = json_array();

	for (size_t i = 0; i < observed->facts.n_sites && m && i < m->n_sites; i++) {
		const struct operation_site *s = &observed->sites[i];
		const struct operation_projected *after =
		        &s->at[op->n_plan < OPERATION_POINTS ? op->n_plan : 0];

		if (after->receives == OPERATION_YES && !operation_targets_site(op, s->name))
			json_array_append_new(list, receiver_json(&m->sites[i], s, after));
	}
	return list;
}

json_t *operation_outlook_json(const struct operation_snapshot *v, const struct operation *op,
                               const struct operation_observed *observed)
{
	int64_t expected_ms = observed->facts.ttl_s.known
	                              ? plan_expected_ms(op, observed->facts.ttl_s.value)
	                              : -1;
	json_t *o = json_pack("{s:o, s:o, s:o}", "expected_s",
	                      expected_ms >= 0 ? json_integer(expected_ms / 1000) : json_null(),
	                      "receivers", receivers_json(v->m, op, observed), "backups",
	                      operation_backups_json(v, op));

	if (o && observed->projection)
		json_object_set_new(
		        o, "queries_per_s_at_min_ttl",
		        json_integer((json_int_t)observed->projection->queries_per_s_min_ttl));
	if (o && observed->facts.unheard)
		json_object_set_new(o, "unheard", json_string(observed->facts.unheard));
	if (o && observed->projection)
		json_object_set_new(
		        o, "projection",
		        json_pack("{s:b, s:I, s:I, s:I, s:I, s:o}", "by_keys",
		                  observed->projection->by_keys, "covered_s",
		                  (json_int_t)observed->projection->covered_s, "queries",
		                  (json_int_t)observed->projection->queries, "nodes",
		                  (json_int_t)observed->projection->n_nodes, "heaviest_ppm",
		                  (json_int_t)observed->projection->heaviest_ppm, "unseen_ppm",
		                  operation_value_json(&observed->facts.unseen_ppm)));
	return o;
}

/* --- all of it --- */

static json_t *hold_json(const struct operations_item *item)
{
	char text[OPERATION_COMMAND_MAX];

	if (!operation_is_held(&item->op))
		return json_null();
	json_t *o = record_shown(&operation_hold_record, &item->op.hold);
	json_object_set_new(o, "resume", json_string(operation_resume_text(item, text)));
	const char *back = operation_back_text(&item->op, text);

	json_object_set_new(o, "back", back ? json_string(back) : json_null());
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

	/* nobody looks at them for one that is over */
	for (size_t i = 0; i < item->n_nodes && !operation_is_over(&item->op); i++) {
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

	const char *undo = operation_undo_text(op, text);

	json_object_set_new(o, "undo", undo ? json_string(undo) : json_null());
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
	bool is_judged = item->judged && !operation_is_over(&item->op);
	json_t *o =
	        is_judged ? json_pack("{s:o, s:I}", "guards", operation_guards_json(item->verdicts),
	                              "deciding_sites", (json_int_t)item->deciding)
	                  : json_null();

	if (is_judged && item->outlook)
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
	json_object_set_new(o, "evidence", evidence_json(op));
	json_object_set_new(o, "preflight", preflight_json(item));
	return o;
}
