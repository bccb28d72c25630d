/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldns does not look at the ranges of a LOC's numbers, nor at what stands behind them, and forgets
 * that minutes and seconds may be left out.
 */
#include "dns/zone/fields.h"

#include <stdbool.h>
#include <string.h>

#include <ldns/ldns.h>

/* The next word, which ends at a blank. @return false: there is none */
static bool find_word(const char **at, const char **word, size_t *length)
{
	*word = *at + strspn(*at, " ");
	*length = strcspn(*word, " ");
	*at = *word + *length;
	return *length > 0;
}

static bool is_generic(const char *data)
{
	data += strspn(data, " ");
	return data[0] == '\\' && data[1] == '#';
}

/*
 * Read a number with at most so many decimals, which are counted in: "1.5" with two is 150.
 * @return what follows it; NULL: it is none, or very large
 */
static const char *read_decimal(const char *at, unsigned decimals, uint64_t *out)
{
	const char *from = at;
	uint64_t value = 0;

	for (; *at >= '0' && *at <= '9'; at++) {
		if (at - from > 12)
			return NULL;
		value = value * 10 + (uint64_t)(*at - '0');
	}
	if (at == from)
		return NULL;
	if (decimals && *at == '.')
		for (at++; decimals && *at >= '0' && *at <= '9'; at++, decimals--)
			value = value * 10 + (uint64_t)(*at - '0');
	for (; decimals; decimals--)
		value *= 10;
	*out = value;
	return at;
}

/* Degrees, and perhaps minutes and seconds, and one of two letters. @return whether it is well-formed */
static bool read_angle(const char **at, uint32_t degrees, const char *letters, unsigned *n_numbers)
{
	const uint64_t most[] = { degrees, 59, 59999 };
	uint64_t value, total = 0;
	const char *word;
	size_t length;

	for (*n_numbers = 0; find_word(at, &word, &length); (*n_numbers)++) {
		bool is_second = *n_numbers == 2;

		if (length == 1 && strchr(letters, *word))
			return *n_numbers > 0 && total <= (uint64_t)degrees * 3600000;
		if (*n_numbers == 3 ||
		    read_decimal(word, is_second ? 3 : 0, &value) != word + length ||
		    value > most[*n_numbers])
			return false;
		total += value * (is_second ? 1 : *n_numbers ? 60000 : 3600000);
	}
	return false;
}

/* A length in metres with two decimals, within limits in centimetres. */
static bool is_length(const char *word, size_t length, uint64_t below_zero, uint64_t most)
{
	bool negative = *word == '-' && below_zero;
	uint64_t value;
	const char *end = read_decimal(word + negative, 2, &value);

	if (end && *end == 'm')
		end++;
	return end == word + length && value <= (negative ? below_zero : most);
}

/* Of RFC 1876, section 3. */
static bool is_location(const char *data)
{
	unsigned n_numbers, n_lengths = 0;
	const char *word;
	size_t length;

	if (!read_angle(&data, 90, "NS", &n_numbers) || !read_angle(&data, 180, "EW", &n_numbers))
		return false;
	for (; find_word(&data, &word, &length); n_lengths++)
		if (n_lengths == 4 ||
		    (n_lengths == 0 && !is_length(word, length, 10000000, 4284967295)) ||
		    (n_lengths > 0 && !is_length(word, length, 0, 9000000000)))
			return false;
	return n_lengths > 0;
}

const char *zone_fields_misread(uint16_t type, const char *data)
{
	if (is_generic(data))
		return NULL;
	if (type == LDNS_RR_TYPE_LOC && !is_location(data))
		return "not a place as in RFC 1876, such as 52 22 23 N 4 53 32.5 E -2m 1m 10000m 10m";
	return NULL;
}

void zone_fields_complete(uint16_t type, char *data)
{
	const char *at = data;

	if (type != LDNS_RR_TYPE_LOC || is_generic(data))
		return;
	for (unsigned i = 0; i < 2; i++) {
		unsigned n_numbers;

		if (!read_angle(&at, i ? 180 : 90, i ? "EW" : "NS", &n_numbers))
			return;
		for (; n_numbers < 3; n_numbers++, at += 2) { /* before the letter */
			char *letter = data + (at - data) - 1;

			memmove(letter + 2, letter, strlen(letter) + 1);
			letter[0] = '0';
			letter[1] = ' ';
		}
	}
}
