/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all parts of the engine use: notes, reasons, and the change of a state, which starts all
 * times again that a state waits by.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/plain.h"
#include "mgmt/operations/engine_internal.h"

void tick_note(struct tick *t, const char *format, ...)
{
	struct operation_act *act = t->act;
	va_list arguments;

	if (!act || act->n_events == OPERATION_EVENTS_MAX)
		return;
	char *text = act->events[act->n_events++];

	va_start(arguments, format);
	(void)vsnprintf(text, OPERATION_DETAIL_MAX, format, arguments);
	va_end(arguments);
	plain_cut(text, OPERATION_DETAIL_MAX);
}

void tick_wait(struct tick *t, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(t->op->waits, sizeof(t->op->waits), format, arguments);
	va_end(arguments);
	plain_cut(t->op->waits, sizeof(t->op->waits));
}

/* What held it does so no longer. */
static void end_failures(struct tick *t)
{
	for (uint32_t i = 0; i < t->op->n_failures; i++)
		if (!t->op->failures[i].overridden && !t->op->failures[i].until_ms)
			t->op->failures[i].until_ms = t->now_ms;
}

void tick_enter(struct tick *t, enum operation_state state)
{
	struct operation *op = t->op;

	if (state != OPERATION_HELD && state != OPERATION_EXPIRED_HELD)
		end_failures(t);
	op->state = state;
	op->state_ms = 0;
	op->waited_ms = 0;
	op->unknown_ms = 0;
	op->unnamed_ms = 0;
	op->waits[0] = '\0';
	tick_note(t, "is %s", operation_state_text(state));
	tick_change(t);
}

__attribute__((format(printf, 3, 0))) static void
write_reason(struct tick *t, enum rule_id rule, const char *format, va_list arguments)
{
	struct operation_hold *hold = &t->op->hold;

	(void)snprintf(hold->code, sizeof(hold->code), "%s",
	               rule == RULE_NONE ? "" : rule_rows[rule].name);
	(void)vsnprintf(hold->detail, sizeof(hold->detail), format, arguments);
	plain_cut(hold->detail, sizeof(hold->detail));
	hold->since_ms = t->now_ms;
}

void tick_end(struct tick *t, enum operation_state state, enum rule_id rule, const char *format,
              ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_reason(t, rule, format, arguments);
	va_end(arguments);
	t->op->step_runs = false;
	t->op->ended_ms = t->now_ms;
	tick_enter(t, state);
	tick_note(t, "%s", t->op->hold.detail);
}

/* --- holds --- */

/* A hold: levels stop first, then the record says why. The state before is kept for a resume. */
__attribute__((format(printf, 3, 0))) static void stop_levels(struct tick *t, enum rule_id rule,
                                                              const char *format, va_list arguments)
{
	if (!operation_is_held(t->op)) {
		level_freeze(t);
		t->op->hold.from = t->op->state;
		t->op->holds++;
	}
	write_reason(t, rule, format, arguments);
	history_hold(t);
	tick_enter(t, OPERATION_HELD);
	tick_note(t, "held by %s: %s", t->op->hold.code, t->op->hold.detail);
}

void tick_hold(struct tick *t, enum rule_id rule, const char *format, ...)
{
	va_list arguments;

	if (operation_is_held(t->op) || operation_is_over(t->op))
		return;
	va_start(arguments, format);
	stop_levels(t, rule, format, arguments);
	va_end(arguments);
}

void tick_hold_instead(struct tick *t, enum rule_id rule, const char *format, ...)
{
	va_list arguments;

	if (operation_is_over(t->op))
		return;
	va_start(arguments, format);
	stop_levels(t, rule, format, arguments);
	va_end(arguments);
}
