/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Integers only: a fraction is read as digits and a power of ten, and is accepted if the value
 * times the unit is whole, so that "1.5s" is exact and no rounding differs between nodes. Every
 * product is checked for overflow.
 */
#include "model/quantity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *text;
	uint64_t factor;
};

#define UNITS_MAX 5 /* of a kind */

/* Smallest first. */
static const struct unit units[KIND_COUNT][UNITS_MAX] = {
	[KIND_DURATION] = { { "ms", 1 },
	                    { "s", 1000 },
	                    { "m", 60000 },
	                    { "h", 3600000 },
	                    { "d", 86400000 } },
	[KIND_RATE] = { { "/s", 1 }, { "k/s", 1000 }, { "M/s", 1000000 }, { "G/s", 1000000000 } },
	[KIND_BITS] = { { "bit", 1 },
	                { "kbit", 1000 },
	                { "Mbit", 1000000 },
	                { "Gbit", 1000000000 },
	                { "Tbit", 1000000000000 } },
	[KIND_PERCENT] = { { "%", 1 } },
	[KIND_INTEGER] = { { "", 1 } },
	[KIND_NUMBER] = { { "", 1 } },
};

/* Read digits; @p scale (may be NULL) becomes 10 to the number of digits. */
static int read_digits(const char **at, uint64_t *out, uint64_t *scale)
{
	const char *p = *at;
	uint64_t n = 0, tens = 1;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
			return -ERANGE;
		if (__builtin_mul_overflow(tens, 10, &tens) && scale)
			return -ERANGE;
	}
	*at = p;
	*out = n;
	if (scale)
		*scale = tens;
	return 0;
}

static uint64_t factor_of(enum schema_kind kind, const char *unit)
{
	for (size_t i = 0; i < UNITS_MAX && units[kind][i].text; i++)
		if (strcmp(units[kind][i].text, unit) == 0)
			return units[kind][i].factor;
	return 0;
}

int quantity_parse(enum schema_kind kind, const char *text, uint64_t *out)
{
	uint64_t whole, part = 0, scale = 1, factor;
	int err = read_digits(&text, &whole, NULL);

	if (err)
		return err;
	if (*text == '.') {
		text++;
		err = read_digits(&text, &part, &scale);
		if (err)
			return err;
	}
	factor = factor_of(kind, text);
	if (factor == 0)
		return -EINVAL;
	if (__builtin_mul_overflow(whole, factor, &whole) ||
	    __builtin_mul_overflow(part, factor, &part) || part % scale != 0 ||
	    __builtin_add_overflow(whole, part / scale, &whole))
		return -ERANGE;
	*out = whole;
	return 0;
}

const char *quantity_text(enum schema_kind kind, uint64_t n, char text[QUANTITY_TEXT_MAX])
{
	const struct unit *best = &units[kind][0];

	for (size_t i = 1; n != 0 && i < UNITS_MAX && units[kind][i].text; i++)
		if (n % units[kind][i].factor == 0)
			best = &units[kind][i];
	snprintf(text, QUANTITY_TEXT_MAX, "%" PRIu64 "%s", n / best->factor, best->text);
	return text;
}
