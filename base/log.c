/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line is put together on the stack and written by one write(2): lines of several threads do not
 * mix, and logging needs no memory. The mutex guards the limit's table only and is never held while
 * a line is written.
 */
#include "base/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_limit.h"

#define LINE_MAX_BYTES 2000 /* below PIPE_BUF (4,096), so a pipe keeps a line whole */

static atomic_int level = LOG_INFO;
static pthread_mutex_t limit_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_limit limit; /* under limit_lock */

void log_level(int priority)
{
	level = priority;
}

/* "<4>", or "warning: " for a person at a terminal. */
static int write_priority(char *line, size_t size, int priority)
{
	static const char *const words[] = { "emergency", "alert",  "critical", "error",
		                             "warning",   "notice", "info",     "debug" };

	if (isatty(STDERR_FILENO))
		return snprintf(line, size, "%s: ", words[priority & 7]);
	return snprintf(line, size, "<%d>", priority & 7);
}

static void replace_controls(char *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
}

static void write_log_line(int priority, const char *event, const char *pairs, va_list args)
        __attribute__((format(printf, 3, 0)));

static void write_log_line(int priority, const char *event, const char *pairs, va_list args)
{
	char line[LINE_MAX_BYTES];
	size_t n = (size_t)write_priority(line, sizeof(line), priority);

	n += (size_t)snprintf(line + n, sizeof(line) - n, "%.64s%s", event, *pairs ? " " : "");
	int more = vsnprintf(line + n, sizeof(line) - n, pairs, args);
	if (more > 0)
		n += (size_t)more;
	if (n > sizeof(line) - 1)
		n = sizeof(line) - 1;
	replace_controls(line, n);
	line[n++] = '\n';
	/* without standard error there is no other place to report to */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

/* Not limited itself: there are few events, and each is reported once in some seconds. */
static void write_report(int priority, const char *event, const char *pairs, ...)
        __attribute__((format(printf, 3, 4)));

static void write_report(int priority, const char *event, const char *pairs, ...)
{
	va_list args;

	va_start(args, pairs);
	write_log_line(priority, event, pairs, args);
	va_end(args);
}

void log_tick(void)
{
	char name[LOG_LIMIT_NAME_MAX];
	uint64_t lines;
	bool more;

	do {
		pthread_mutex_lock(&limit_lock);
		more = log_limit_report(&limit, clock_mono_ms(), name, &lines);
		pthread_mutex_unlock(&limit_lock);
		if (more)
			write_report(LOG_WARNING, "log-suppressed", "event=%s lines=%" PRIu64, name,
			             lines);
	} while (more);
}

void log_at(int priority, const char *event, const char *pairs, ...)
{
	va_list args;

	if (priority > level)
		return;
	pthread_mutex_lock(&limit_lock);
	bool may = log_limit_admit(&limit, event, clock_mono_ms());
	pthread_mutex_unlock(&limit_lock);
	log_tick();
	if (!may)
		return;
	va_start(args, pairs);
	write_log_line(priority, event, pairs, args);
	va_end(args);
}

const char *log_value(const char *text, char out[LOG_VALUE_MAX])
{
	size_t n = 0, last = LOG_VALUE_MAX - 2; /* room for the closing quote and the NUL */
	bool quote = !*text || strpbrk(text, " =\"\\") != NULL;

	if (quote)
		out[n++] = '"';
	for (; *text; text++) {
		bool escape = *text == '"' || *text == '\\';

		if (n + escape + 1 > last)
			break;
		if (escape)
			out[n++] = '\\';
		out[n++] = *text;
	}
	if (quote)
		out[n++] = '"';
	out[n] = '\0';
	return out;
}
