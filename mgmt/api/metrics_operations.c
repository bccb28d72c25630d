/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Metrics of operations that are not over: state and level. Bounded by OPERATIONS_MAX.
 */
#include "mgmt/api/metrics_internal.h"

#include "mgmt/api/operations.h"

static void put_labels(FILE *out, const char *name, const struct operation *op)
{
	fprintf(out, "%s{operation=\"%s\",site=\"%s\"", name, op->id, op->targets[0].site);
}

static void put_states(FILE *out, struct core *core)
{
	const struct operations_item *item;

	metrics_put_head(out, "weir_operation_state", "gauge",
	                 "1: the state of an operation that is not over.");
	for (size_t i = 0; (item = operations_at(core, i)); i++) {
		if (operation_is_over(&item->op))
			continue;
		put_labels(out, "weir_operation_state", &item->op);
		fprintf(out, ",state=\"%s\"} 1\n", operation_state_text(item->op.state));
	}
}

static void put_levels(FILE *out, struct core *core)
{
	const struct operations_item *item;

	metrics_put_head(out, "weir_operation_level_ratio", "gauge",
	                 "The part of the site's clients that an operation sends elsewhere.");
	for (size_t i = 0; (item = operations_at(core, i)); i++) {
		if (operation_is_over(&item->op))
			continue;
		put_labels(out, "weir_operation_level_ratio", &item->op);
		fprintf(out, "} %.6f\n", item->op.level_ppm / 1e6);
	}
}

static bool has_live(struct core *core)
{
	const struct operations_item *item;

	for (size_t i = 0; (item = operations_at(core, i)); i++)
		if (!operation_is_over(&item->op))
			return true;
	return false;
}

void metrics_put_operations(FILE *out, struct core *core)
{
	core_lock(core);
	if (has_live(core)) {
		put_states(out, core);
		put_levels(out, core);
	}
	core_unlock(core);
}
