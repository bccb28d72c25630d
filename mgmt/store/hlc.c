/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/store/hlc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* The stamp behind @p c. A count that is full goes on in the next millisecond. */
static struct hlc step_stamp(struct hlc c)
{
	return c.count < UINT32_MAX ? (struct hlc){ c.ms, c.count + 1 }
	                            : (struct hlc){ c.ms + 1, 0 };
}

struct hlc hlc_next(struct hlc *c, int64_t now_ms)
{
	*c = now_ms > c->ms ? (struct hlc){ now_ms, 0 } : step_stamp(*c);
	return *c;
}

/* Whether a clock at @p now_ms does not believe @p c. */
static bool is_far_ahead(struct hlc c, int64_t now_ms)
{
	return c.ms > now_ms && c.ms - now_ms > HLC_AHEAD_MS;
}

bool hlc_receive(struct hlc *c, struct hlc theirs, int64_t now_ms)
{
	if (is_far_ahead(theirs, now_ms))
		return false;
	if (hlc_compare(theirs, *c) > 0)
		*c = theirs;
	return true;
}

struct hlc hlc_again(struct hlc *c, struct hlc theirs)
{
	if (is_far_ahead(*c, theirs.ms) || hlc_compare(theirs, *c) > 0)
		*c = theirs;
	*c = step_stamp(*c);
	return *c;
}

int hlc_compare(struct hlc a, struct hlc b)
{
	if (a.ms != b.ms)
		return a.ms < b.ms ? -1 : 1;
	return (a.count > b.count) - (a.count < b.count);
}

const char *hlc_text(struct hlc c, char out[HLC_TEXT_MAX])
{
	snprintf(out, HLC_TEXT_MAX, "%" PRId64 ".%" PRIu32, c.ms, c.count);
	return out;
}

/* Digits of a number below @p end, without leading zeros, up to @p stop. @return what is behind them; NULL: there is none */
static const char *read_number(const char *text, char stop, uint64_t end, uint64_t *out)
{
	size_t n = strspn(text, "0123456789");
	uint64_t number = 0;

	if (n == 0 || n > 16 || text[n] != stop || (n > 1 && *text == '0'))
		return NULL;
	for (size_t i = 0; i < n; i++)
		number = number * 10 + (uint64_t)(text[i] - '0');
	*out = number;
	return number < end ? text + n : NULL;
}

bool hlc_read(const char *text, struct hlc *out)
{
	uint64_t ms, count;
	const char *behind = read_number(text, '.', CLOCK_END_MS, &ms);

	if (!behind || !read_number(behind + 1, '\0', (uint64_t)UINT32_MAX + 1, &count))
		return false;
	*out = (struct hlc){ (int64_t)ms, (uint32_t)count };
	return true;
}
