/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sentences. The measures (risk_*.c) pass each figure to risk_note();
 * the table of rules alone decides which figures are risky.
 */
#include "mgmt/rules/risk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted.h"
#include "mgmt/rules/risk_internal.h"

#define TEXT_MAX 512 /* bytes of a part of a sentence, before it is copied to the arena */

double risk_limit(const struct rule_row *rule)
{
	return rule->level == RULE_ANY ? 1e-6 : rule->limit; /* above the noise of floating point */
}

const char *risk_text(struct risk_work *w, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	const char *copy = arena_strdup(w->arena, text);
	return copy ? copy : "";
}

/* "50 %" or "12.5 times" */
static void print_figure(const struct rule_row *rule, double figure, char *out, size_t size)
{
	bool is_times = rule->level == RULE_TIMES;
	double shown = is_times ? figure : figure * 100;
	const char *unit = is_times ? "times" : "%";

	/* three digits or more, and never an exponent */
	if (shown >= 100)
		snprintf(out, size, "%.0f %s", shown, unit);
	else
		snprintf(out, size, "%.3g %s", shown, unit);
}

static const char *limit_text(const struct rule_row *rule, char *out, size_t size)
{
	char figure[32];

	if (rule->level == RULE_ANY)
		return "risky above 0";
	print_figure(rule, rule->limit, figure, sizeof(figure));
	snprintf(out, size, "risky from %s", figure);
	return out;
}

void risk_note(struct risk_work *w, enum rule_id id, double figure, const char *subject,
               const char *format, ...)
{
	const struct rule_row *rule = &rule_rows[id];
	char what[TEXT_MAX], shown[32], limit[64];
	va_list list;

	if (figure < risk_limit(rule))
		return;
	w->n_all++;
	if (w->n == RISK_SHOWN_MAX)
		return;
	va_start(list, format);
	vsnprintf(what, sizeof(what), format, list);
	va_end(list);
	print_figure(rule, figure, shown, sizeof(shown));
	const char *text =
	        arena_printf(w->arena, "%s: %s: %s (rule %s: %s, %s)", subject, what, rule->means,
	                     rule->name, shown, limit_text(rule, limit, sizeof(limit)));
	w->items[w->n++] = (struct risk){ rule, figure, text ? text : rule->name };
}

const void *risk_named(const void *array, size_t n, size_t size, const char *name)
{
	return n ? bsearch(name, array, n, size, sorted_by_text) : NULL;
}

double risk_times(double before, double after)
{
	if (before == after)
		return 1;
	return before > 0 ? after / before : 1e6;
}

size_t risk_addresses_gone(const struct addr *a, size_t n_a, const struct addr *b, size_t n_b)
{
	size_t gone = 0;

	for (size_t i = 0; i < n_a; i++) {
		size_t k = 0;

		while (k < n_b && !addr_equal(&a[i], &b[k]))
			k++;
		gone += k == n_b;
	}
	return gone;
}
