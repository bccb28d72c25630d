/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/json/units.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define NUMBER_MAX 1e18 /* a larger number is an error of whoever gave it */

static bool is_known(double number)
{
	return isfinite(number) && number >= 0 && number <= NUMBER_MAX;
}

static const char *say_unknown(char text[UNITS_MAX])
{
	snprintf(text, UNITS_MAX, "not known");
	return text;
}

/* From @p full on, so many digits of a number are a thousand. */
static const char *format_bits(int digits, double full, double bits, char text[UNITS_MAX])
{
	static const char *const units[] = { "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s" };
	size_t i = 0;

	if (!is_known(bits))
		return say_unknown(text);
	for (; bits >= full && i < 4; i++)
		bits /= 1000;
	snprintf(text, UNITS_MAX, "%.*g %s", digits, bits, units[i]);
	return text;
}

const char *units_bits(double bits, char text[UNITS_MAX])
{
	return format_bits(4, 999.95, bits, text);
}

const char *units_traffic(double bits, char text[UNITS_MAX])
{
	return format_bits(3, 999.5, bits, text);
}

const char *units_rate(double per_s, char text[UNITS_MAX])
{
	if (!is_known(per_s))
		return say_unknown(text);
	snprintf(text, UNITS_MAX, "%.*f/s", per_s > 0 && per_s < 10 ? 1 : 0, per_s);
	return text;
}

const char *units_number(double number, char text[UNITS_MAX])
{
	snprintf(text, UNITS_MAX, "%g", is_known(number) ? number : 0);
	return text;
}

const char *units_share(double ppm, char text[UNITS_MAX])
{
	if (!is_known(ppm))
		return say_unknown(text);
	/* All and nothing are said only of exactly that. */
	if (ppm > 0 && ppm < 500)
		snprintf(text, UNITS_MAX, "below 0.1 %%");
	else if (ppm >= 999500 && ppm < 1e6)
		snprintf(text, UNITS_MAX, "99.9 %%");
	else
		snprintf(text, UNITS_MAX, "%.*f %%",
		         (unsigned long long)(ppm / 1e3 + 0.5) % 10 != 0, ppm / 1e4);
	return text;
}

const char *units_time(double seconds, char text[UNITS_MAX])
{
	if (!is_known(seconds))
		return say_unknown(text);
	unsigned long long s = (unsigned long long)(seconds + 0.5);
	unsigned first = (unsigned)(s < 3600 ? s / 60 : s / 3600);
	unsigned second = (unsigned)(s < 3600 ? s % 60 : s / 60 % 60);

	if (s < 120)
		snprintf(text, UNITS_MAX, "%llu s", s);
	else if (second)
		snprintf(text, UNITS_MAX, "%u %s %u %s", first, s < 3600 ? "min" : "h", second,
		         s < 3600 ? "s" : "min");
	else
		snprintf(text, UNITS_MAX, "%u %s", first, s < 3600 ? "min" : "h");
	return text;
}

const char *units_offset(double ms, char text[UNITS_MAX])
{
	if (!isfinite(ms))
		return say_unknown(text);
	snprintf(text, UNITS_MAX, "%+.1f s", ms / 1e3);
	return text;
}
