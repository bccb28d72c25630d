/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a plan will bring, for people: the load of receivers before and after, how long it takes, what it
 * does to the name servers. A number that is not known is null.
 */
#include "mgmt/api/operation_show.h"
#include "mgmt/api/operation_snapshot.h"
#include "mgmt/operations/plan.h"
#include "weir/json.h"

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
