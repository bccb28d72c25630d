/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2000

static atomic_int level = LOG_INFO;

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

static void clean(char *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
}

void log_at(int priority, const char *event, const char *pairs, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;

	if (priority > level)
		return;
	size_t n = (size_t)write_priority(line, sizeof(line), priority);

	n += (size_t)snprintf(line + n, sizeof(line) - n, "%.64s%s", event, *pairs ? " " : "");
	va_start(args, pairs);
	int more = vsnprintf(line + n, sizeof(line) - n, pairs, args);
	va_end(args);
	if (more > 0)
		n += (size_t)more;
	if (n > sizeof(line) - 1)
		n = sizeof(line) - 1;
	clean(line, n);
	line[n++] = '\n';
	/* Nobody is left to tell when standard error is gone. */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
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
