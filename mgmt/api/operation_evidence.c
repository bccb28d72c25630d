/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an operation has observed: each step with its shares, loads and margins; at the end, all of it as
 * evidence. A value that is not known is null.
 */
#include "mgmt/api/operation_show.h"

#include <string.h>

#include "mgmt/api/to_json.h"
#include "mgmt/operations/record_json.h"
#include "weir/json.h"

json_t *operation_value_json(const struct operation_value *v)
{
	return json_number_or_null(v->known, v->value);
}

static json_t *margins_json(const int64_t margins[OPERATION_GUARD_COUNT])
{
	json_t *o = json_object();

	for (int g = 0; g < OPERATION_GUARD_COUNT; g++)
		if (margins[g] != INT64_MAX)
			json_object_set_new(o, operation_guard_text((enum operation_guard)g),
			                    json_integer(margins[g]));
	return o;
}

/* The smallest margin of each guard over all steps. */
static json_t *least_margins_json(const struct operation *op)
{
	int64_t least[OPERATION_GUARD_COUNT];

	for (int g = 0; g < OPERATION_GUARD_COUNT; g++) {
		least[g] = INT64_MAX;
		for (uint32_t i = 0; i < op->n_steps; i++)
			if (op->steps[i].margins[g] < least[g])
				least[g] = op->steps[i].margins[g];
	}
	return margins_json(least);
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

/* --- all --- */

json_t *operation_evidence_json(const struct operation *op)
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
	        "confirmed_by_packets", op->drained_ms != 0);
}

json_t *operation_guards_json(const struct operation_verdict *verdicts)
{
	json_t *list = json_array();

	for (int g = 0; g < OPERATION_GUARD_COUNT; g++) {
		const struct operation_verdict *v = &verdicts[g];

		json_array_append_new(
		        list,
		        json_pack("{s:s, s:b, s:b, s:b, s:s, s:b, s:o, s:s}", "guard",
		                  operation_guard_text((enum operation_guard)g), "ok",
		                  v->ok || v->overridden, "overridden", v->overridden && !v->ok,
		                  "unknown", v->unknown || !v->checked, "state",
		                  v->overridden && !v->ok ? "overridden"
		                  : v->unknown            ? "unknown"
		                  : !v->ok                ? "refused"
		                  : !v->checked           ? "not_checked"
		                                          : "ok",
		                  "may_be_overridden",
		                  operation_guard_is_optional((enum operation_guard)g),
		                  "margin_percent", operation_value_json(&v->margin), "detail",
		                  v->detail));
	}
	return list;
}
