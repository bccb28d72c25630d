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

static void stop_levels(struct tick *t)
{
	level_freeze(t);
	t->op->hold.from = t->op->state;
	t->op->holds++;
}

void tick_hold(struct tick *t, const char *code, const char *format, ...)
{
	va_list arguments;

	if (operation_is_held(t->op) || operation_is_over(t->op))
		return;
	stop_levels(t);
	va_start(arguments, format);
	enter_hold(t, code, format, arguments);
	va_end(arguments);
}

void tick_hold_instead(struct tick *t, const char *code, const char *format, ...)
{
	va_list arguments;

	if (operation_is_over(t->op))
		return;
	if (!operation_is_held(t->op))
		stop_levels(t);
	va_start(arguments, format);
	enter_hold(t, code, format, arguments);
	va_end(arguments);
}
