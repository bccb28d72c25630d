/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The limit of log lines: each event may have a burst of lines at once, then some lines a second.
 * The others are counted and reported. Pure; time is passed in. Used by base/log.c under its lock.
 *
 * Implemented in base/log_limit.c. The caller holds its own lock: any thread, one at a time.
 */
#ifndef WEIR_BASE_LOG_LIMIT_H
#define WEIR_BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LIMIT_EVENTS    64u   /**< events with a bucket of their own; more share the last one */
#define LOG_LIMIT_BURST     200u  /**< lines of an event at once */
#define LOG_LIMIT_A_SECOND  10u   /**< lines a second after the burst */
#define LOG_LIMIT_REPORT_MS 5000u /**< how often the number of suppressed lines is reported */
#define LOG_LIMIT_NAME_MAX  65u   /**< bytes with the NUL: log_at() cuts an event at 64 */

struct log_limit_event {
	char name[LOG_LIMIT_NAME_MAX];
	uint64_t tokens_milli; /**< lines that may still be written, in thousandths */
	uint64_t filled_ms;    /**< when tokens were added last */
	uint64_t suppressed;   /**< since the last report */
	uint64_t since_ms;     /**< when the first of these was */
};

/** Zeroed: empty. */
struct log_limit {
	struct log_limit_event events[LOG_LIMIT_EVENTS];
	size_t n;
};

/** Whether a line of @p event may be written at @p now_ms; if not, it is counted. */
bool log_limit_admit(struct log_limit *l, const char *event, uint64_t now_ms);
/**
 * Find an event whose suppressed lines should be reported at @p now_ms; its count starts again.
 * @return false: there is none; else @p name (given room) and @p lines are set
 */
bool log_limit_report(struct log_limit *l, uint64_t now_ms, char name[LOG_LIMIT_NAME_MAX],
                      uint64_t *lines);

#endif
