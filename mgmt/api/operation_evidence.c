/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an operation has observed: each step with its shares, loads and margins; at the end, all of it as
 * evidence. A value that is not known is null.
 */
#include "mgmt/api/operation_show.h"

#include "mgmt/api/to_json.h"

json_t *operation_value_json(const struct operation_value *v)
{
	return v->known ? json_integer((json_int_t)v->value) : json_null();
}

static json_t *operation_loads_json(const struct operation_load *loads, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
		        list,
		        json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "site", loads[i].site,
		                  "flows_per_s", operation_value_json(&loads[i].flows),
		                  "expected_flows_per_s",
		                  operation_value_json(&loads[i].expected_flows), "bits_per_s",
		                  operation_value_json(&loads[i].bits), "capacity_flows_per_s",
		                  operation_value_json(&loads[i].capacity_flows),
		                  "capacity_bits_per_s",
		                  operation_value_json(&loads[i].capacity_bits)));
	return list;
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

json_t *operation_step_json(const struct operation_step *s)
{
	return json_pack(
	        "{s:I, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:s, s:o, s:o}",
	        "from_ppm", (json_int_t)s->from_ppm, "level_ppm", (json_int_t)s->to_ppm, "state",
	        operation_state_text(s->state), "begun", time_to_json(s->begun_ms), "in_force",
	        time_to_json(s->in_force_ms), "ended", time_to_json(s->ended_ms), "ttl_s",
	        operation_value_json(&s->ttl_s), "share_measured_ppm",
	        operation_value_json(&s->share_ppm), "share_expected_ppm",
	        operation_value_json(&s->expected_ppm), "share_least_ppm",
	        operation_value_json(&s->least_ppm), "share_most_ppm",
	        operation_value_json(&s->most_ppm), "judged", s->judged, "not_judged",
	        s->not_judged, "loads", operation_loads_json(s->loads, s->n_loads),
	        "margins_percent", margins_json(s->margins));
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

json_t *operation_evidence_json(const struct operation *op)
{
	if (!op->drained_ms && op->state != OPERATION_DRAINED_UNCONFIRMED && !operation_is_over(op))
		return json_null();
	return json_pack("{s:{s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:o, s:I, s:b}", "times", "began",
	                 time_to_json(op->began_ms), "full", time_to_json(op->full_ms), "drained",
	                 time_to_json(op->drained_ms), "ended", time_to_json(op->ended_ms),
	                 "load_before", operation_loads_json(op->before, op->n_before),
	                 "load_after", operation_loads_json(op->after, op->n_after), "levels",
	                 levels_json(op), "least_margins_percent", least_margins_json(op), "holds",
	                 (json_int_t)op->holds, "confirmed_by_packets", op->drained_ms != 0);
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
