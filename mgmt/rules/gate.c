/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/rules/gate.h"

#include <stdio.h>
#include <string.h>

#include "mgmt/rules/scope.h"

/* Whether @p name is one of @p names. */
static bool is_listed(const char *names, const char *name)
{
	size_t n = strlen(name);

	while (names && *names) {
		size_t n_first = strcspn(names, ",");

		if (n_first == n && !strncmp(names, name, n))
			return true;
		names += n_first + (names[n_first] == ',');
	}
	return false;
}

/* Whether the change is one of the gate itself: however little the gate is about, that would weaken it. */
static bool is_own(const struct model_gate *gate, const struct change_plan *plan)
{
	struct object_path path;
	const char *behind;

	for (size_t i = 0; i < plan->n_changes; i++)
		if (!object_path_read(plan->changes[i].path, &behind, &path) &&
		    path.kind == OBJECT_GATE && path.n_names == 1 &&
		    !strcmp(path.names[0], gate->name))
			return true;
	return false;
}

static bool is_about(const struct model_gate *gate, const struct model *from,
                     const struct model *to, const struct change_plan *plan)
{
	if (is_own(gate, plan))
		return true;
	return (!gate->risky || plan->n_risks_all) && scope_catches(gate->scope, from, to, plan);
}

#define MORE ",*" /* than have room: what goes back passes all, and names none */

static void add_name(const char *name, char passed[GATE_NAMES_MAX])
{
	size_t n = strlen(passed);
	bool has_more = n >= strlen(MORE) && !strcmp(passed + n - strlen(MORE), MORE);

	if (n + strlen(name) + strlen(",") + sizeof(MORE) <= GATE_NAMES_MAX && !has_more)
		snprintf(passed + n, GATE_NAMES_MAX - n, "%s%s", n ? "," : "", name);
	else if (!has_more)
		snprintf(passed + n, GATE_NAMES_MAX - n, MORE);
}

int64_t gate_end_ms(const struct model_gate *gate)
{
	return gate->until_ms ? gate->until_ms : MODEL_TIME_NEVER;
}

/* Whether @p gate is harder to pass than @p other: one that only time opens, then one that asks for more persons. */
static bool is_harder(const struct model_gate *gate, const struct model_gate *other)
{
	if (!other || !gate->approvals != !other->approvals)
		return !other || !gate->approvals;
	if (gate->approvals != other->approvals)
		return gate->approvals > other->approvals;
	return gate_end_ms(gate) > gate_end_ms(other);
}

static bool has_approvals(const struct model_gate *gate, const struct gate_pass *pass)
{
	return gate->approvals && pass->approvals >= gate->approvals;
}

const struct model_gate *gate_find(const struct model *from, const struct model *to,
                                   const struct change_plan *plan, int64_t now_ms,
                                   const struct gate_pass *pass, char passed[GATE_NAMES_MAX])
{
	const struct model_gate *found = NULL;

	passed[0] = '\0';
	for (size_t i = 0; from && i < from->n_gates; i++) {
		const struct model_gate *gate = &from->gates[i];

		if (now_ms < gate->from_ms || now_ms >= gate_end_ms(gate) ||
		    has_approvals(gate, pass) || !is_about(gate, from, to, plan))
			continue;
		if (pass->is_way_back || is_listed(pass->without, gate->name))
			add_name(gate->name, passed);
		else if (is_harder(gate, found))
			found = gate;
	}
	return found;
}
