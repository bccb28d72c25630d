/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is remembered of each step, for the evidence: when it was, what was measured, how near its
 * guards were to a hold. The newest OPERATION_HISTORY_MAX steps are kept.
 */
#include <stdio.h>
#include <string.h>

#include "mgmt/operations/engine_internal.h"

struct operation_step *history_last(struct operation *op)
{
	return op->n_steps ? &op->steps[op->n_steps - 1] : NULL;
}

uint32_t history_loads(const struct tick *t, struct operation_load *out)
{
	uint32_t n = 0, point = facts_point(t->op);

	for (size_t i = 0; i < t->facts->n_sites && n < OPERATION_SITES_MAX; i++) {
		const struct operation_site *site = &t->facts->sites[i];
		struct operation_load *load = &out[n++];

		*load = (struct operation_load){
			.flows = site->arrivals,
			.bits = site->bits,
			.capacity_flows = site->capacity_flows,
			.capacity_bits = site->capacity_bits,
			.expected_flows = site->at[point].flows,
		};
		(void)snprintf(load->site, sizeof(load->site), "%s", site->name);
	}
	return n;
}

void history_begin(struct tick *t, uint32_t from_ppm, uint32_t to_ppm)
{
	struct operation *op = t->op;
	struct operation_step *step;

	if (op->n_steps == OPERATION_HISTORY_MAX) {
		memmove(op->steps, op->steps + 1, sizeof(op->steps) - sizeof(op->steps[0]));
		op->n_steps--;
		op->steps_lost++;
	}
	step = &op->steps[op->n_steps++];
	*step = (struct operation_step){
		.from_ppm = from_ppm,
		.to_ppm = to_ppm,
		.write_step = op->writes,
		.state = op->state,
		.begun_ms = t->now_ms,
		.ttl_s = t->facts->ttl_s,
	};
	for (int i = 0; i < OPERATION_GUARD_COUNT; i++)
		step->margins[i] = INT64_MAX;
}

void history_margins(struct operation *op, const struct operation_verdict *verdicts)
{
	struct operation_step *step = history_last(op);

	for (int i = 0; step && i < OPERATION_GUARD_COUNT; i++) {
		int64_t margin = (int64_t)verdicts[i].margin.value;

		if (verdicts[i].margin.known && margin < step->margins[i])
			step->margins[i] = margin;
	}
}

void history_measure(struct tick *t)
{
	struct operation_step *step = history_last(t->op);

	if (!step)
		return;
	step->n_loads = history_loads(t, step->loads);
	step->share_ppm = facts_share(t->op, t->facts);
	step->expected_ppm = facts_expected(t->op, t->facts);
	tick_change(t);
}
