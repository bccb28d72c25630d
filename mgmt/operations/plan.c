/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Levels of ways. Back takes the same gates as out, mirrored: a site that returns has 1 % of its
 * clients, then 10, 25, 50, 75, 100 %. So each way is a walk over one list in one direction.
 */
#include "mgmt/operations/plan.h"

#include "mgmt/operations/engine.h"
#include "mgmt/operations/facts.h"

static const uint32_t gates[] = { 100000, 250000, 500000, 750000 };
#define N_GATES (sizeof(gates) / sizeof(gates[0]))

uint32_t plan_levels(uint32_t from_ppm, uint32_t to_ppm, bool one_step, uint32_t *out)
{
	const bool is_out = from_ppm < to_ppm;
	uint32_t n = 0;

	if (from_ppm == to_ppm)
		return 0;
	if (!one_step && from_ppm == MODEL_PPM_ALL && to_ppm < PLAN_CANARY_PPM)
		out[n++] = PLAN_CANARY_PPM;
	for (size_t i = 0; !one_step && i < N_GATES; i++) {
		uint32_t gate = is_out ? gates[i] : MODEL_PPM_ALL - gates[i];

		if (is_out ? gate > from_ppm && gate < to_ppm : gate < from_ppm && gate > to_ppm)
			out[n++] = gate;
	}
	out[n++] = to_ppm;
	return n;
}

/* The level at which the running way ends. */
static uint32_t find_aim(const struct operation *op)
{
	enum operation_state state = operation_unheld_state(op);

	if (op->way == OPERATION_OUT)
		return op->goal_ppm;
	return state == OPERATION_ABORTING ? op->began_ppm : 0;
}

/* How long a step takes at least. */
static int64_t count_step_ms(const struct operation *op, uint64_t ttl_s)
{
	int64_t pace = op->n_plan ? op->over_ms / op->n_plan : 0;
	int64_t wait = OPERATION_AHEAD_MS + (int64_t)ttl_s * 1000 + MODEL_AFTER_TTL_MS;

	return pace > wait ? pace : wait;
}

int64_t plan_expected_ms(const struct operation *op, uint64_t ttl_s)
{
	int64_t sum = 0;

	for (uint32_t i = op->step; i < op->n_plan; i++) {
		int64_t step = count_step_ms(op, ttl_s);

		if (op->way == OPERATION_BACK && op->plan_ppm[i] == PLAN_CANARY_PPM &&
		    step < PLAN_CANARY_MS)
			step = PLAN_CANARY_MS;
		sum += step;
	}
	return sum;
}

void operation_plan(struct operation *op, const struct operation_facts *facts)
{
	bool one_step = op->now || (op->way == OPERATION_OUT && facts_targets_down(op, facts));
	uint32_t aim_ppm = find_aim(op);

	op->plan_from_ppm = op->level_ppm;
	op->step = 0;
	op->n_plan = 0;
	if (op->way == OPERATION_OUT ? aim_ppm > op->level_ppm : aim_ppm < op->level_ppm)
		op->n_plan = plan_levels(op->level_ppm, aim_ppm, one_step, op->plan_ppm);
}
