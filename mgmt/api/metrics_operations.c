/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Metrics of operations that are not over: state and level. Bounded by OPERATIONS_MAX.
 */
#include "mgmt/api/metrics_internal.h"

#include "mgmt/api/operations.h"

/* A value of each, by @p put; nothing where all are over. */
static void put_family(FILE *out, struct core *core, const char *name, const char *help,
                       void (*put)(FILE *out, const struct operation *op))
{
	const struct operations_item *item;
	bool has_head = false;

	for (size_t i = 0; (item = operations_at(core, i)); i++) {
		const struct operation *op = &item->op;

		if (operation_is_over(op))
			continue;
		if (!has_head)
			metrics_put_head(out, name, "gauge", help);
		has_head = true;
		fprintf(out, "%s{operation=\"%s\",site=\"%s\"", name, op->id, op->targets[0].site);
		put(out, op);
	}
}

static void put_state(FILE *out, const struct operation *op)
{
	fprintf(out, ",state=\"%s\"} 1\n", operation_state_text(op->state));
}

static void put_level(FILE *out, const struct operation *op)
{
	fprintf(out, "} %.6f\n", op->level_ppm / 1e6);
}

void metrics_put_operations(FILE *out, struct core *core)
{
	core_lock(core);
	put_family(out, core, "weir_operation_state",
	           "1: the state of an operation that is not over.", put_state);
	put_family(out, core, "weir_operation_level_ratio",
	           "The part of the site's clients that an operation sends elsewhere.", put_level);
	core_unlock(core);
}
