/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * First probes are spread by the target's own number, so a restart keeps the spread. Later ones
 * come up to a tenth of the interval early, at random: targets drift apart, and the interval stays
 * the longest wait.
 */
#include "healthcheck/pace.h"

uint64_t pace_first(const struct pace *p, uint64_t now_ms, uint64_t spread, size_t n_targets,
                    bool urgent)
{
	uint64_t window_ms = urgent ? p->fast_interval_ms : p->interval_ms;
	uint64_t needed_ms = (uint64_t)n_targets * 1000 / PACE_STARTS_PER_S;

	if (window_ms < needed_ms)
		window_ms = needed_ms;
	return now_ms + (window_ms ? spread % window_ms : 0);
}

uint64_t pace_next(const struct pace *p, uint64_t sent_ms, uint64_t now_ms, bool in_doubt,
                   uint64_t random)
{
	uint64_t interval_ms = in_doubt && p->fast_interval_ms < p->interval_ms
	                               ? p->fast_interval_ms
	                               : p->interval_ms;
	uint64_t at_ms = sent_ms + interval_ms - random % (interval_ms / 10 + 1);

	return at_ms < now_ms ? now_ms : at_ms;
}

bool pace_is_late(const struct pace *p, uint64_t due_ms, uint64_t now_ms)
{
	uint64_t limit_ms = p->timeout_ms / 4;

	if (limit_ms < PACE_LATE_MIN_MS)
		limit_ms = PACE_LATE_MIN_MS;
	return now_ms > due_ms + limit_ms;
}

uint64_t pace_second(const struct pace *p, uint64_t sent_ms)
{
	return sent_ms + (p->timeout_ms + 1) / 2;
}
