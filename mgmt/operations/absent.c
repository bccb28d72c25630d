/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What persons added to an operation counts for the way that it was said for: guards that are
 * overridden by name, and nodes that are named absent. On the next way, and until a return begins
 * its steps, a node that was named absent takes part again as soon as it is there.
 */
#include <string.h>

#include "mgmt/operations/engine_internal.h"

void absent_drop(struct operation *op, const char *node)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < op->n_without; i++) {
		if (!strcmp(op->without[i], node))
			continue;
		if (n != i)
			memcpy(op->without[n], op->without[i], sizeof(op->without[0]));
		n++;
	}
	op->n_without = n;
}

/* It is reached, and says its levels: what a step waits for. */
static bool is_there(const struct operation *op, const struct operation_node *node)
{
	bool known = node->dns != OPERATION_UNKNOWN;

	for (uint32_t i = 0; i < op->n_targets && node->dns == OPERATION_YES; i++)
		known = known && node->levels[i].known;
	return known && node->reached;
}

void absent_return(struct tick *t)
{
	for (size_t i = 0; i < t->facts->n_nodes; i++) {
		const struct operation_node *node = &t->facts->nodes[i];

		if (!operation_is_without(t->op, node->name) || !is_there(t->op, node))
			continue;
		absent_drop(t->op, node->name);
		tick_note(t, "node %s was named absent, and takes part again", node->name);
		tick_change(t);
	}
}

void absent_next_way(struct tick *t)
{
	memset(t->op->overridden, 0, sizeof(t->op->overridden));
	absent_return(t);
}
