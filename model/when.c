/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A duration is read by a table of units from the largest to the smallest. Each unit may come once
 * and in that order: "30m1h" is more likely an error than meant.
 */
#include "weir/when.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "weir/model.h"

#define LONGEST_MS ((int64_t)366 * 24 * 3600 * 1000) /* a year: a longer one is an error */

static const struct {
	char name[3];
	int64_t ms;
} units[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };

#define N_UNITS (sizeof(units) / sizeof(units[0]))

/* The unit at @p text, at or after @p first; N_UNITS: none. */
static size_t unit_at(const char *text, size_t first)
{
	size_t n = strspn(text, "dhms");

	for (size_t i = first; i < N_UNITS; i++)
		if (strlen(units[i].name) == n && !strncmp(text, units[i].name, n))
			return i;
	return N_UNITS;
}

int when_duration(const char *text, int64_t *ms)
{
	int64_t sum = 0;

	if (!strcmp(text, "0")) {
		*ms = 0;
		return 0;
	}
	for (size_t next = 0; next == 0 || *text; next++) {
		int64_t n = 0;
		size_t digits = strspn(text, "0123456789");

		if (digits == 0 || digits > 12)
			return -EINVAL;
		for (; digits; digits--)
			n = n * 10 + (*text++ - '0');
		next = unit_at(text, next);
		if (next == N_UNITS || n > LONGEST_MS / units[next].ms)
			return -EINVAL;
		sum += n * units[next].ms;
		text += strlen(units[next].name);
	}
	if (sum > LONGEST_MS)
		return -EINVAL;
	*ms = sum;
	return 0;
}

int when_instant(const char *text, int64_t now_ms, int64_t *wall_clock_ms)
{
	int64_t ms;

	if (!strcmp(text, "never")) {
		*wall_clock_ms = MODEL_TIME_NEVER;
		return 0;
	}
	if (*text != '+')
		return clock_parse(text, wall_clock_ms);
	if (when_duration(text + 1, &ms))
		return -EINVAL;
	*wall_clock_ms = now_ms + ms;
	return 0;
}
