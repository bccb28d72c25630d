/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guards about the cluster as a whole: who is reached, which clock they have, what else
 * is going on. Most of them cannot be overridden by name, because another command is meant for it.
 */
#include "mgmt/operations/facts.h"
#include "mgmt/operations/guard_internal.h"

void guard_majority(const struct guard_question *q, struct operation_verdict *v)
{
	size_t counted = 0, reached = 0;

	for (size_t i = 0; i < q->facts->n_nodes; i++) {
		const struct operation_node *node = &q->facts->nodes[i];

		if (operation_is_without(q->op, node->name))
			continue;
		counted++;
		reached += node->reached;
	}
	if (reached * 2 > counted)
		guard_pass(v, "%zu of %zu nodes are reached", reached, counted);
	else
		guard_trip(v, "%zu of %zu nodes are reached, which is no majority", reached,
		           counted);
}

void guard_clock(const struct guard_question *q, struct operation_verdict *v)
{
	if (q->facts->clock == OPERATION_YES)
		guard_pass(v, "the clock of node %s is believed", q->facts->self);
	else if (q->facts->clock == OPERATION_NO)
		guard_trip(v, "the clock of node %s is not believed", q->facts->self);
	else
		guard_miss(v, "whether the clock of node %s is right is not known", q->facts->self);
}

void guard_unconfirmed(const struct guard_question *q, struct operation_verdict *v)
{
	if (q->facts->unconfirmed == OPERATION_NO)
		guard_pass(v, "no change waits to be confirmed");
	else if (q->facts->unconfirmed == OPERATION_YES)
		guard_trip(v, "a change waits to be confirmed (weir confirm)");
	else
		guard_miss(v, "whether a change waits to be confirmed is not known");
}

/* An abort gives way to none: it takes back what brings others into trouble. */
void guard_other(const struct guard_question *q, struct operation_verdict *v)
{
	if (q->op->state == OPERATION_ABORTING)
		return;
	for (size_t i = 0; i < q->facts->n_others; i++) {
		const struct operation_other *other = &q->facts->others[i];

		if (other->moves && facts_is_older(other, q->op))
			guard_trip(v, "operation %s moves, and is older", other->id);
	}
	guard_pass(v, "no older operation moves");
}

void guard_no_dns(const struct guard_question *q, struct operation_verdict *v)
{
	if (q->facts->document == OPERATION_DOCUMENT_NO_DNS)
		guard_trip(v, "no DNS name chooses the site, so no client can be sent elsewhere");
	else if (q->facts->document == OPERATION_DOCUMENT_UNKNOWN)
		guard_miss(v, "whether a DNS name chooses the site is not known");
	else
		guard_pass(v, "DNS names choose the site");
}
