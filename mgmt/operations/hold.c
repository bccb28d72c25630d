/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hold: levels stop first, then the record says why. The state before is kept for a resume.
 */
#include <stdarg.h>

#include "mgmt/operations/engine_internal.h"

void tick_hold(struct tick *t, const char *code, const char *format, ...)
{
	struct operation *op = t->op;
	va_list arguments;

	if (operation_is_held(op) || operation_is_over(op))
		return;
	level_freeze(t);
	va_start(arguments, format);
	tick_write_reason(t, code, format, arguments);
	va_end(arguments);
	op->hold.from = op->state;
	op->holds++;
	history_hold(t);
	tick_enter(t, OPERATION_HELD);
	tick_note(t, true, "held by %s: %s", op->hold.code, op->hold.detail);
}
