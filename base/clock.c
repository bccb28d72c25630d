/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot clock (CLOCK_BOOTTIME) counts on during suspend and is the same for all processes of a
 * machine. The believed time is that clock and one offset for the whole process, in an atomic.
 *
 * RFC 3339 is parsed by hand: strptime(3) also accepts other forms (white space, missing zeros) and
 * knows no fractions.
 */
#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

uint64_t clock_mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_ns() / 1000000u;
}

int64_t clock_realtime_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* One offset a process: whatever thread or module asks, the time is one. */
static _Atomic int64_t believed_offset_ms = INT64_MIN;

int64_t clock_believed_at(uint64_t mono_ms)
{
	int64_t offset_ms = believed_offset_ms;

	if (offset_ms == INT64_MIN)
		offset_ms = clock_realtime_ms() - (int64_t)clock_mono_ms();
	return (int64_t)mono_ms + offset_ms;
}

int64_t clock_believed_ms(void)
{
	return believed_offset_ms == INT64_MIN ? clock_realtime_ms()
	                                       : clock_believed_at(clock_mono_ms());
}

void clock_believe(int64_t offset_ms)
{
	believed_offset_ms = offset_ms;
}

uint64_t clock_boot(void)
{
	char text[40] = "", digits[17];
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	size_t n = 0;

	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	for (const char *at = text; *at && n < sizeof(digits) - 1; at++)
		if (*at != '-')
			digits[n++] = *at;
	digits[n] = '\0';
	return strtoull(digits, NULL, 16);
}

bool clock_is_synchronised(void)
{
	struct timex t = { .modes = 0 };

	int state = adjtimex(&t);

	return state >= 0 && state != TIME_ERROR && !(t.status & STA_UNSYNC);
}

const char *clock_text(int64_t wall_clock_ms, char text[CLOCK_TEXT_MAX])
{
	int64_t ms = (wall_clock_ms % 1000 + 1000) % 1000;
	time_t s = wall_clock_ms / 1000 -
	           (wall_clock_ms % 1000 < 0); /* rounded down, without overflow */
	struct tm t;

	if (!gmtime_r(&s, &t))
		return strcpy(text, "out of range");
	/* strftime() may leave out the zeros of an early year */
	size_t n = (size_t)snprintf(text, CLOCK_TEXT_MAX, "%04d", t.tm_year + 1900);
	n += strftime(text + n, CLOCK_TEXT_MAX - n, "-%m-%dT%H:%M:%S", &t);
	snprintf(text + n, CLOCK_TEXT_MAX - n, ".%03dZ", (int)ms);
	return text;
}

/*
 * Take exactly @p digits digits from *@p at, then @p after unless it is NUL. @return the number; -1
 * when they are not there
 */
static int parse_digits(const char **at, int digits, char after)
{
	int n = 0;

	for (int i = 0; i < digits; i++) {
		char c = *(*at);

		if (c < '0' || c > '9')
			return -1;
		n = n * 10 + (c - '0');
		(*at)++;
	}
	if (after && *(*at)++ != after)
		return -1;
	return n;
}

/* Take ".123456" if it is there; digits beyond milliseconds are cut. -1 on a dot without digits. */
static int parse_fraction(const char **at)
{
	int ms = 0, digits = 0;

	if (**at != '.')
		return 0;
	for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, digits++)
		if (digits < 3)
			ms = ms * 10 + (**at - '0');
	for (int i = digits; i < 3; i++)
		ms *= 10;
	return digits ? ms : -1;
}

/* Take "Z" or "+hh:mm" at the end of the text, as seconds east. */
static int parse_utc_offset(const char **at, int *east_s)
{
	char sign = *(*at)++;

	*east_s = 0;
	if (sign == '+' || sign == '-') {
		int h = parse_digits(at, 2, ':');
		int m = h < 0 ? -1 : parse_digits(at, 2, '\0');

		if (h < 0 || h > 23 || m < 0 || m > 59)
			return -EINVAL;
		*east_s = (sign == '-' ? -1 : 1) * (h * 3600 + m * 60);
	} else if (sign != 'Z' && sign != 'z') {
		return -EINVAL;
	}
	return **at ? -EINVAL : 0;
}

static int days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool date_is_real(const struct tm *t)
{
	return t->tm_year >= 0 && t->tm_mon >= 1 && t->tm_mon <= 12 && t->tm_mday >= 1 &&
	       t->tm_mday <= days_in(t->tm_year, t->tm_mon) && t->tm_hour >= 0 &&
	       t->tm_hour <= 23 && t->tm_min >= 0 && t->tm_min <= 59 && t->tm_sec >= 0 &&
	       t->tm_sec <= 60;
}

int clock_parse(const char *text, int64_t *wall_clock_ms)
{
	const char *at = text;
	struct tm t = { 0 };
	int ms, east_s;

	if ((t.tm_year = parse_digits(&at, 4, '-')) < 0 ||
	    (t.tm_mon = parse_digits(&at, 2, '-')) < 0 ||
	    (t.tm_mday = parse_digits(&at, 2, '\0')) < 0 || (*at != 'T' && *at != 't'))
		return -EINVAL;
	at++;
	if ((t.tm_hour = parse_digits(&at, 2, ':')) < 0 ||
	    (t.tm_min = parse_digits(&at, 2, ':')) < 0 ||
	    (t.tm_sec = parse_digits(&at, 2, '\0')) < 0 || (ms = parse_fraction(&at)) < 0)
		return -EINVAL;
	if (!date_is_real(&t) || parse_utc_offset(&at, &east_s))
		return -EINVAL;
	t.tm_year -= 1900;
	t.tm_mon -= 1;
	int64_t read_ms = ((int64_t)timegm(&t) - east_s) * 1000 + ms;
	if (read_ms >= CLOCK_END_MS)
		return -EINVAL; /* clock_text() could not write it */
	*wall_clock_ms = read_ms;
	return 0;
}

int clock_parse_day(const char *text, int64_t *wall_clock_ms, bool *is_day)
{
	char begin[CLOCK_TEXT_MAX];

	*is_day = strlen(text) == strlen("2027-01-31");
	snprintf(begin, sizeof(begin), "%.10sT00:00:00Z", text);
	return clock_parse(*is_day ? begin : text, wall_clock_ms);
}

bool clock_is_time(int64_t wall_clock_ms)
{
	return wall_clock_ms >= 0 && wall_clock_ms < CLOCK_END_MS;
}
