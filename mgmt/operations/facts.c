/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions about facts. Each answer is unknown as soon as one part of it is: there is no default.
 */
#include "mgmt/operations/facts.h"

#include <string.h>

const struct operation_site *facts_site(const struct operation_facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->n_sites; i++) {
		if (!strcmp(facts->sites[i].name, name))
			return &facts->sites[i];
	}
	return NULL;
}

static const struct operation_node *find_node(const struct operation_facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->n_nodes; i++) {
		if (!strcmp(facts->nodes[i].name, name))
			return &facts->nodes[i];
	}
	return NULL;
}

bool facts_is_counted(const struct operation *op, const struct operation_node *node)
{
	return node->reached && !operation_is_without(op, node->name);
}

static bool is_name_server(const struct operation *op, const struct operation_node *node)
{
	return facts_is_counted(op, node) && node->dns != OPERATION_NO;
}

static bool can_own(const struct operation *op, const struct operation_node *node)
{
	return facts_is_counted(op, node) && node->site && !operation_targets_site(op, node->site);
}

const struct operation_node *facts_find_better_owner(const struct operation *op,
                                                     const struct operation_facts *facts)
{
	const struct operation_node *self = find_node(facts, facts->self), *best = NULL;

	if (!self || !self->site || !operation_targets_site(op, self->site))
		return NULL;
	for (size_t i = 0; i < facts->n_nodes; i++) {
		const struct operation_node *node = &facts->nodes[i];

		if (can_own(op, node) && (!best || strcmp(node->name, best->name) < 0))
			best = node;
	}
	return best;
}

/* One alone may have an old configuration itself. */
const struct operation_node *facts_find_remover(const struct operation_facts *facts)
{
	const struct operation_node *found = NULL;
	size_t n = 0;

	for (size_t i = 0; i < facts->n_nodes; i++) {
		if (!facts->nodes[i].refuses)
			continue;
		found = &facts->nodes[i];
		n++;
	}
	return 2 * n > facts->n_nodes - 1 ? found : NULL;
}

bool facts_next_level(const struct operation *op, const struct operation_facts *facts,
                      struct facts_level *at)
{
	while (at->next < facts->n_nodes * op->n_targets) {
		at->node = &facts->nodes[at->next / op->n_targets];
		at->target = (uint32_t)(at->next++ % op->n_targets);
		at->level = &at->node->levels[at->target];
		if (!at->of_servers || is_name_server(op, at->node))
			return true;
	}
	return false;
}

uint32_t facts_epoch(const struct operation *op, const struct operation_facts *facts)
{
	uint32_t epoch = op->epoch;

	for (struct facts_level at = { 0 }; facts_next_level(op, facts, &at);)
		if (at.level->known && at.level->epoch > epoch)
			epoch = at.level->epoch;
	return epoch;
}

const char *facts_find_mover(const struct operation *op, const struct operation_facts *facts)
{
	for (size_t i = 0; i < facts->n_others; i++) {
		if (facts->others[i].moves && strcmp(facts->others[i].id, op->id) != 0)
			return facts->others[i].id;
	}
	return NULL;
}

bool facts_is_older(const struct operation_other *other, const struct operation *op)
{
	return other->created_ms < op->created_ms ||
	       (other->created_ms == op->created_ms && strcmp(other->id, op->id) < 0);
}

enum operation_truth facts_is_up(const struct operation_site *site)
{
	if (site->up == OPERATION_UNKNOWN && !site->checked)
		return site->pools;
	return site->up;
}

bool facts_gains(const struct operation *op, const struct operation_site *site)
{
	bool target = operation_targets_site(op, site->name);

	if (op->way == OPERATION_BACK)
		return target;
	return !target && site->serves && site->out != OPERATION_YES &&
	       facts_is_up(site) != OPERATION_NO;
}

bool facts_receives(const struct operation *op, const struct operation_site *site)
{
	return facts_gains(op, site) ||
	       (op->way == OPERATION_OUT && op->goal_ppm == MODEL_PPM_ALL && site->backs &&
	        !operation_targets_site(op, site->name) && site->out != OPERATION_YES &&
	        facts_is_up(site) != OPERATION_NO);
}

bool facts_targets_down(const struct operation *op, const struct operation_facts *facts)
{
	for (uint32_t i = 0; i < op->n_targets; i++) {
		const struct operation_site *site = facts_site(facts, op->targets[i].site);

		if (!site || site->up != OPERATION_NO)
			return false;
	}
	return op->n_targets > 0;
}

bool facts_is_measured(const struct operation_site *target)
{
	return !target->absent && target->up != OPERATION_NO;
}

uint32_t facts_point(const struct operation *op)
{
	uint32_t point = op->step + 1;

	return point <= op->n_plan ? point : op->n_plan;
}

bool facts_is_complete(const struct operation *op)
{
	return op->goal_ppm == MODEL_PPM_ALL && !*op->service;
}

/* Sum of the sites' new flows, for targets only or all that serve; unknown if one is. */
static struct operation_value sum_arrivals(const struct operation *op,
                                           const struct operation_facts *facts, bool targets_only)
{
	struct operation_value sum = { .known = true };

	for (size_t i = 0; i < facts->n_sites; i++) {
		const struct operation_site *site = &facts->sites[i];

		if (targets_only ? !operation_targets_site(op, site->name) : !site->serves)
			continue;
		sum = operation_value_add(sum, site->arrivals);
	}
	return sum;
}

struct operation_value facts_share(const struct operation *op, const struct operation_facts *facts)
{
	struct operation_value part = sum_arrivals(op, facts, true);
	struct operation_value all = sum_arrivals(op, facts, false);

	if (!part.known || !all.known || all.value == 0 || part.value > UINT64_MAX / MODEL_PPM_ALL)
		return (struct operation_value){ 0 };
	return (struct operation_value){ true, part.value * MODEL_PPM_ALL / all.value };
}

struct operation_value facts_expected(const struct operation *op,
                                      const struct operation_facts *facts)
{
	struct operation_value sum = { .known = true };
	uint32_t point = facts_point(op);

	for (uint32_t i = 0; i < op->n_targets; i++) {
		const struct operation_site *site = facts_site(facts, op->targets[i].site);

		if (!site)
			return (struct operation_value){ 0 };
		sum = operation_value_add(sum, site->at[point].share_ppm);
	}
	return sum;
}
