/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hold: levels stop first, then the record says why. The state before is kept for a resume.
 */
#include <stdarg.h>

#include "mgmt/operations/engine_internal.h"

/* Write the reason, and remember it. */
__attribute__((format(printf, 3, 0))) static void enter_hold(struct tick *t, const char *code,
                                                             const char *format, va_list arguments)
{
	tick_write_reason(t, code, format, arguments);
	history_hold(t);
	tick_enter(t, OPERATION_HELD);
	tick_note(t, true, "held by %s: %s", t->op->hold.code, t->op->hold.detail);
}

void tick_hold(struct tick *t, const char *code, const char *format, ...)
{
	struct operation *op = t->op;
	va_list arguments;

	if (operation_is_held(op) || operation_is_over(op))
		return;
	level_freeze(t);
	op->hold.from = op->state;
	op->holds++;
	va_start(arguments, format);
	enter_hold(t, code, format, arguments);
	va_end(arguments);
}

void tick_hold_instead(struct tick *t, const char *code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	enter_hold(t, code, format, arguments);
	va_end(arguments);
}
