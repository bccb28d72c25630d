/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A token bucket for each event. An event is a fixed word in the source, so there are few. All
 * events beyond the table share one bucket, so memory is bounded whatever is logged.
 */
#include "base/log_limit.h"

#include <stdio.h>
#include <string.h>

static struct log_limit_event *find_event(struct log_limit *l, const char *event, uint64_t now_ms)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strncmp(l->events[i].name, event, LOG_LIMIT_NAME_MAX - 1))
			return &l->events[i];
	if (l->n == LOG_LIMIT_EVENTS)
		return &l->events[LOG_LIMIT_EVENTS - 1];
	struct log_limit_event *e = &l->events[l->n++];
	*e = (struct log_limit_event){ .tokens_milli = LOG_LIMIT_BURST * 1000u,
		                       .filled_ms = now_ms };
	snprintf(e->name, sizeof(e->name), "%s", l->n == LOG_LIMIT_EVENTS ? "others" : event);
	return e;
}

bool log_limit_admit(struct log_limit *l, const char *event, uint64_t now_ms)
{
	struct log_limit_event *e = find_event(l, event, now_ms);
	uint64_t passed_ms = now_ms > e->filled_ms ? now_ms - e->filled_ms : 0;

	if (passed_ms > LOG_LIMIT_BURST * 1000u)
		passed_ms = LOG_LIMIT_BURST * 1000u;
	e->tokens_milli += passed_ms * LOG_LIMIT_A_SECOND;
	if (e->tokens_milli > LOG_LIMIT_BURST * 1000u)
		e->tokens_milli = LOG_LIMIT_BURST * 1000u;
	e->filled_ms = now_ms;
	if (e->tokens_milli >= 1000u) {
		e->tokens_milli -= 1000u;
		return true;
	}
	if (e->suppressed++ == 0)
		e->since_ms = now_ms;
	return false;
}

bool log_limit_report(struct log_limit *l, uint64_t now_ms, char name[LOG_LIMIT_NAME_MAX],
                      uint64_t *lines)
{
	for (size_t i = 0; i < l->n; i++) {
		struct log_limit_event *e = &l->events[i];

		if (e->suppressed == 0 || now_ms - e->since_ms < LOG_LIMIT_REPORT_MS)
			continue;
		memcpy(name, e->name, sizeof(e->name));
		*lines = e->suppressed;
		e->suppressed = 0;
		return true;
	}
	return false;
}
