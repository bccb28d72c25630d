/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What persons' commands share: a refusal, what a person adds, and the end of a hold.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/plain.h"
#include "mgmt/operations/command_internal.h"
#include "mgmt/operations/engine_internal.h"

int command_refuse(char *error, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(error, OPERATION_DETAIL_MAX, format, arguments);
	va_end(arguments);
	plain_cut(error, OPERATION_DETAIL_MAX);
	return code;
}

void operation_add(struct operation *op, const struct operation_person *person)
{
	for (int i = 0; i < OPERATION_GUARD_COUNT; i++)
		op->overridden[i] = op->overridden[i] || person->overridden[i];
	for (size_t i = 0; i < person->without.n && op->n_without < OPERATION_WITHOUT_MAX; i++) {
		if (operation_is_without(op, person->without.items[i]))
			continue;
		(void)snprintf(op->without[op->n_without++], MODEL_NAME_MAX, "%s",
		               person->without.items[i]);
	}
}

void command_add(struct operation *op, const struct operation_person *person,
                 struct command_before *before)
{
	memcpy(before->overridden, op->overridden, sizeof(before->overridden));
	memcpy(before->without, op->without, sizeof(before->without));
	before->n_without = op->n_without;
	operation_add(op, person);
}

void command_undo(struct operation *op, const struct command_before *before)
{
	memcpy(op->overridden, before->overridden, sizeof(op->overridden));
	memcpy(op->without, before->without, sizeof(op->without));
	op->n_without = before->n_without;
}

int command_refuse_by(char *error, enum rule_id guard, const char *format, ...)
{
	va_list arguments;
	int n = snprintf(error, OPERATION_DETAIL_MAX, "%s: ", rule_rows[guard].name);

	va_start(arguments, format);
	(void)vsnprintf(error + n, OPERATION_DETAIL_MAX - (size_t)n, format, arguments);
	va_end(arguments);
	plain_cut(error, OPERATION_DETAIL_MAX);
	return OPERATION_REFUSED + (int)guard;
}

int command_refuse_over(const struct operation *op, char *error)
{
	return command_refuse(error, -EINVAL, "operation %s is over: %s", op->id,
	                      operation_state_text(op->state));
}

/* Go on where the hold stopped it; a step that was stopped on its way is planned again from here. */
void command_go_on(struct tick *t)
{
	struct operation *op = t->op;

	op->key_fingerprint = t->facts->key_fingerprint;
	tick_enter(t, op->hold.from);
	op->hold = (struct operation_hold){ 0 };
	op->reads_levels = false;
	step_note_nodes(t);
	if (!op->step_runs)
		operation_plan(op, t->facts);
}
