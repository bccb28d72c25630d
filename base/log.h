/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Logging to standard error: one line an event, in the journal's priority form.
 *
 *     <4>backend-down pool=web backend=b1 reason="connection refused"
 *
 * An event is a fixed word; everything that varies is a key=value pair, so that
 * lines can be searched and counted.  The layer that can act logs; those below
 * return an error.  On a terminal the priority is written as a word.
 *
 * Implemented in base/log.c. Any thread may call.
 */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include <stdarg.h>
#include <stddef.h>
#include <syslog.h>

/** Enough for any value written by log_value(). */
#define LOG_VALUE_MAX 256

/** Lines below this priority (larger number) are not written; LOG_INFO at the start. */
void log_level(int priority);

/**
 * Write one line. Control characters in the result are written as '?'; a line over 2,000 bytes is
 * cut. Safe from any thread; never blocks longer than write(2). When one event is logged very
 * often, some lines are left out; the event log-suppressed says how many.
 *
 * @param priority  LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO or LOG_DEBUG
 * @param event     a word of [a-z0-9-]
 * @param pairs     printf format of "key=%s key=%d ..."; "" for none
 */
void log_at(int priority, const char *event, const char *pairs, ...)
        __attribute__((format(printf, 3, 4)));

#define log_error(event, ...) log_at(LOG_ERR, event, __VA_ARGS__)
#define log_warn(event, ...)  log_at(LOG_WARNING, event, __VA_ARGS__)
#define log_note(event, ...)  log_at(LOG_NOTICE, event, __VA_ARGS__)
#define log_info(event, ...)  log_at(LOG_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_at(LOG_DEBUG, event, __VA_ARGS__)

/**
 * Report suppressed lines: of each event 200 lines at once and ten a second are written
 * (base/log_limit.h), the others are counted. A main loop calls this about once a second, so that a
 * report comes even if nothing more is logged.
 */
void log_tick(void);

/** Quote @p text for a pair's value where it holds spaces, '=' or '"'; cut to fit. @return @p out */
const char *log_value(const char *text, char out[LOG_VALUE_MAX]);

#endif
