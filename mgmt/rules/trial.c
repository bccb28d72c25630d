/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/rules/trial.h"

static void judge_difference(const struct plan_change *change, const struct model *from,
                             const struct model *to, struct trial_verdict *v)
{
	enum model_extent least = extent_of_path(change->path);
	bool fits = least != EXTENT_EVERYWHERE && canary_extent(v->canary) <= least;
	bool is_elsewhere = fits && !canary_has_path(v->canary, change->path, from, to);

	if (fits && !is_elsewhere)
		return;
	if (v->n_fields < TRIAL_FIELDS_MAX)
		v->fields[v->n_fields] = (struct trial_field){ change->path, least, is_elsewhere };
	v->n_fields++;
}

static bool is_all(const char *canary, const struct model *m)
{
	for (size_t i = 0; i < m->n_nodes; i++)
		if (!canary_covers(canary, m->nodes[i].name, m->nodes[i].site->name))
			return false;
	return true;
}

static const char *find_fault(const char *text, const struct model *from, char canary[CANARY_MAX])
{
	const char *fault = from ? canary_find(from, text, canary)
	                         : "no version is in force, so there is nothing to go back to";

	if (!fault && is_all(canary, from))
		fault = "all nodes are of it, so nothing is left to go on as before";
	return fault;
}

bool trial_judge(const char *text, const struct model *from, const struct model *to,
                 const struct change_plan *plan, struct trial_verdict *out)
{
	*out = (struct trial_verdict){ .canary = "" };
	out->fault = find_fault(text, from, out->canary);
	if (!out->fault && !plan->n_changes)
		out->fault = "no setting differs, so nothing would be tried";
	for (size_t i = 0; !out->fault && i < plan->n_changes; i++)
		judge_difference(&plan->changes[i], from, to, out);
	return !out->fault && !out->n_fields;
}
