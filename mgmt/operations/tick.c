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

static void add_event(struct tick *t, bool warning, const char *text)
{
	struct operation_act *act = t->act;

	if (!act || act->n_events == OPERATION_EVENTS_MAX)
		return;
	act->events[act->n_events].warning = warning;
	(void)snprintf(act->events[act->n_events].text, OPERATION_DETAIL_MAX, "%s", text);
	act->n_events++;
}

void tick_note(struct tick *t, bool warning, const char *format, ...)
{
	char text[OPERATION_DETAIL_MAX];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	plain_cut(text, sizeof(text));
	add_event(t, warning, text);
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
	tick_note(t, false, "is %s", operation_state_text(state));
	tick_change(t);
}

void tick_write_reason(struct tick *t, const char *code, const char *format, va_list arguments)
{
	struct operation_hold *hold = &t->op->hold;

	(void)snprintf(hold->code, sizeof(hold->code), "%s", code);
	(void)vsnprintf(hold->detail, sizeof(hold->detail), format, arguments);
	plain_cut(hold->detail, sizeof(hold->detail));
	hold->since_ms = t->now_ms;
}

void tick_end(struct tick *t, enum operation_state state, const char *code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	tick_write_reason(t, code, format, arguments);
	va_end(arguments);
	t->op->step_runs = false;
	t->op->ended_ms = t->now_ms;
	tick_enter(t, state);
	tick_note(t, *code != '\0', "%s", t->op->hold.detail);
}
