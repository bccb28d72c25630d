/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/json/judged.h"

#include "mgmt/json/command.h"
#include "weir/json.h"

json_t *judged_texts_json(const struct judge_verdict *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n_reasons; i++)
		json_array_append_new(list, json_text(v->reasons[i].text));
	if (v->n_left_out)
		json_array_append_new(list, json_sprintf("and %zu more reasons", v->n_left_out));
	return list;
}

json_t *judged_reasons_json(const struct judge_reason *reasons, size_t n, bool dated)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct judge_reason *r = &reasons[i];

		json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:o, s:o*}", "code", r->code,
		                                      "subject", json_text(r->subject), "state",
		                                      judge_state_text(r->state), "text",
		                                      json_text(r->text), "since",
		                                      dated ? time_to_json(r->since_at_ms) : NULL));
	}
	return list;
}
