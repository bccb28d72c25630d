/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When probes are sent. Pure functions over times in ms that are passed in, so that a
 * simulation drives them; any thread.
 */
#ifndef HEALTHCHECK_PACE_H
#define HEALTHCHECK_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Probes a second at the most while many targets start at once. */
#define PACE_STARTS_PER_S 20000u
/** Below this a probe is never late: what a busy machine's scheduler may take. */
#define PACE_LATE_MIN_MS 10u

struct pace {
	uint32_t interval_ms, fast_interval_ms, timeout_ms;
};

/**
 * When to probe a target first: anywhere within its interval (the fast one if @p urgent), or longer
 * where @p n_targets are so many.
 * @param spread  the target's own number, the same at each start
 */
uint64_t pace_first(const struct pace *p, uint64_t now_ms, uint64_t spread, size_t n_targets,
                    bool urgent);

/**
 * When to probe again: one interval (the fast one while @p in_doubt) after @p sent_ms less up
 * to a tenth, so targets drift apart and the interval is the longest wait; not before @p now_ms.
 */
uint64_t pace_next(const struct pace *p, uint64_t sent_ms, uint64_t now_ms, bool in_doubt,
                   uint64_t random);

/**
 * Whether something due at @p due_ms that happens at @p now_ms is too late to be judged by: a
 * quarter of the timeout, but never below PACE_LATE_MIN_MS.
 */
bool pace_is_late(const struct pace *p, uint64_t due_ms, uint64_t now_ms);

/** When a probe's second attempt is sent, should the first stay unanswered: half of the timeout. */
uint64_t pace_second(const struct pace *p, uint64_t sent_ms);

#endif
