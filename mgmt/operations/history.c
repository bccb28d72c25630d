/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is remembered for the evidence: of each step when it was, what was measured, how near its
 * guards were to a hold; what stopped the operation; who came late. The newest of each are kept.
 */
#include <stdio.h>
#include <string.h>

#include "mgmt/operations/engine_internal.h"

struct operation_step *history_last(struct operation *op)
{
	return op->n_steps ? &op->steps[op->n_steps - 1] : NULL;
}

/* Note the loads of sites; of more than there is room for, those of all targets and of the first others. */
static uint32_t note_loads(const struct tick *t, struct operation_load *out, uint32_t room)
{
	uint32_t n = 0, targets = t->op->n_targets, point = facts_point(t->op);

	for (size_t i = 0; i < t->facts->n_sites && n < room; i++) {
		const struct operation_site *site = &t->facts->sites[i];
		bool target = operation_targets_site(t->op, site->name);

		if (!target && n + targets == room)
			continue; /* what is left is for targets */
		targets -= target;
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

uint32_t history_loads(const struct tick *t, struct operation_load *out)
{
	return note_loads(t, out, OPERATION_SITES_MAX);
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
	step->n_loads = note_loads(t, step->loads, OPERATION_LOADS_MAX);
	step->share_ppm = facts_share(t->op, t->facts);
	step->expected_ppm = facts_expected(t->op, t->facts);
	tick_change(t);
}

static struct operation_failure *add_failure(struct operation *op)
{
	if (op->n_failures == OPERATION_FAILURES_MAX) {
		memmove(op->failures, op->failures + 1,
		        sizeof(op->failures) - sizeof(op->failures[0]));
		op->n_failures--;
		op->failures_lost++;
	}
	op->failures[op->n_failures] = (struct operation_failure){ .at_ms = 0 };
	return &op->failures[op->n_failures++];
}

void history_hold(struct tick *t)
{
	struct operation_failure *f = add_failure(t->op);

	f->at_ms = t->now_ms;
	(void)snprintf(f->code, sizeof(f->code), "%s", t->op->hold.code);
	(void)snprintf(f->detail, sizeof(f->detail), "%s", t->op->hold.detail);
}

static bool was_overridden(const struct operation *op, const char *code)
{
	for (uint32_t i = 0; i < op->n_failures; i++)
		if (op->failures[i].overridden && !strcmp(op->failures[i].code, code))
			return true;
	return false;
}

void history_overridden(struct tick *t, const struct operation_verdict *verdicts)
{
	for (int i = 0; i < OPERATION_GUARD_COUNT; i++) {
		const char *code = rule_rows[verdicts[i].guard].name;

		/* a guard that cannot tell has seen no failure */
		if (verdicts[i].ok || verdicts[i].unknown || !verdicts[i].overridden ||
		    was_overridden(t->op, code))
			continue;
		struct operation_failure *f = add_failure(t->op);

		f->at_ms = t->now_ms;
		f->overridden = true;
		(void)snprintf(f->code, sizeof(f->code), "%s", code);
		(void)snprintf(f->detail, sizeof(f->detail), "%s", verdicts[i].detail);
		tick_change(t);
	}
}

/* The prefix's own row, a new one, or that of the fewest flows if these are more; NULL: none. */
static struct operation_late *find_late_row(struct operation *op, const struct operation_late *seen)
{
	struct operation_late *least = &op->was_late[0];

	for (uint32_t i = 0; i < op->n_was_late; i++) {
		if (!strcmp(op->was_late[i].prefix, seen->prefix))
			return &op->was_late[i];
		if (op->was_late[i].flows.value < least->flows.value)
			least = &op->was_late[i];
	}
	if (op->n_was_late < OPERATION_LATE_MAX)
		return &op->was_late[op->n_was_late++];
	return seen->flows.value > least->flows.value ? least : NULL;
}

void history_late(struct tick *t)
{
	struct operation *op = t->op;

	op->n_late = 0;
	for (size_t i = 0; i < t->facts->n_late; i++) {
		const struct operation_late *seen = &t->facts->late[i];
		struct operation_late *row = find_late_row(op, seen);

		if (op->n_late < OPERATION_LATE_MAX)
			op->late[op->n_late++] = *seen;
		if (row && (strcmp(row->prefix, seen->prefix) != 0 ||
		            row->flows.value < seen->flows.value))
			*row = *seen;
	}
}
