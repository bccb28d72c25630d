/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Name servers whose level the owner did not write. Persons may force a majority on both sides of a
 * cut (`--without`); when it heals, the newer epoch wins, and what the other side did is known from its
 * name servers alone. They keep a level that is higher than the last write reaches
 * (dns/steering/steps.h). So the operation is held, and a person says how it goes on: back in steps
 * from the highest level, or out, where those that are ahead stay until the steps reach them.
 *
 * A node that was named absent counts here as soon as it says its level.
 */
#include <stdio.h>
#include <string.h>

#include "mgmt/operations/engine_internal.h"

/* Whether it is known that a name server has a step for a target. */
static bool is_said(const struct operation_node *node, const struct operation_level *level)
{
	return node->reached && node->dns != OPERATION_NO && level->known && level->epoch;
}

uint32_t apart_highest(const struct tick *t)
{
	uint32_t highest = 0;

	for (struct facts_level at = { 0 }; facts_next_level(t->op, t->facts, &at);)
		if (is_said(at.node, at.level) && at.level->level_ppm > highest)
			highest = at.level->level_ppm;
	return highest;
}

/* Whether the node has the last write, and yet a level beyond @p bound_ppm. */
static bool is_apart(const struct tick *t, const struct operation_node *node, uint32_t bound_ppm)
{
	const struct operation_write *write = &t->op->write;

	for (uint32_t k = 0; k < t->op->n_targets; k++) {
		const struct operation_level *level = &node->levels[k];

		if (is_said(node, level) && level->epoch == write->epoch &&
		    level->step == write->step && level->level_ppm > bound_ppm)
			return true;
	}
	return false;
}

/* Their names, as many as fit. @return how many there are */
static size_t list_apart(const struct tick *t, char *names, size_t size)
{
	uint32_t bound_ppm = level_bound(t->op);
	size_t n = 0, used = 0;

	names[0] = '\0';
	for (size_t i = 0; i < t->facts->n_nodes; i++) {
		const struct operation_node *node = &t->facts->nodes[i];

		if (!is_apart(t, node, bound_ppm))
			continue;
		n++;
		if (used + strlen(node->name) + sizeof(", ") <= size)
			used += (size_t)snprintf(names + used, size - used, "%s%s",
			                         used ? ", " : "", node->name);
	}
	return n;
}

static bool can_be_apart(const struct operation *op)
{
	return op->write.epoch && !op->write.ended && !op->reads_levels;
}

bool apart_is_any(const struct tick *t)
{
	char names[OPERATION_DETAIL_MAX];

	return can_be_apart(t->op) && list_apart(t, names, sizeof(names)) > 0;
}

bool apart_holds(const struct operation *op)
{
	return operation_is_held(op) && rule_is(OPERATION_HOLD_LEVELS, op->hold.code);
}

void apart_check(struct tick *t)
{
	struct operation *op = t->op;
	enum operation_state state = op->state;
	bool was_held = operation_is_held(op);
	char names[OPERATION_DETAIL_MAX / 4], detail[OPERATION_DETAIL_MAX];
	size_t n;

	if (operation_is_over(op) || !can_be_apart(op))
		return;
	n = list_apart(t, names, sizeof(names));
	if (!n)
		return;
	(void)snprintf(detail, sizeof(detail),
	               "%s ha%s up to %u %% of the clients elsewhere, the operation %u %%: %s",
	               names, n == 1 ? "s" : "ve", apart_highest(t) / 10000, op->level_ppm / 10000,
	               op->way == OPERATION_BACK
	                       ? "resume goes back from there in steps, abort sends all out"
	                       : "resume goes on and they wait, abort goes back from there");
	if (was_held && !strcmp(op->hold.detail, detail))
		return;
	tick_hold_instead(t, OPERATION_HOLD_LEVELS, "%s", detail);
	if (was_held)
		op->state = state; /* the end that has come stays so */
}
