/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldns does not look at the ranges of a LOC's numbers, nor at what stands behind them, and forgets
 * that minutes and seconds may be left out. It takes other letters for hexadecimal digits, fills up
 * half a byte, reads "x" as the number 0, and any name that begins with "@." as the origin. It wraps
 * the numbers of an APL, and does not put the origin behind the gateway of an IPSECKEY. Lists of SVCB it cuts at other commas, and
 * to a key that is written by its number it applies the rules of the key's name.
 */
#include "dns/zone/fields.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <ldns/ldns.h>

#define SVCB_NAMED_MOST 6 /* ldns knows the keys up to this one, ipv6hint */

/* The next word, which ends at a blank outside of quotes. @return false: there is none */
static bool find_word(const char **at, const char **word, size_t *length)
{
	const char *end = *word = *at + strspn(*at, " ");

	for (bool quoted = false; *end && (quoted || *end != ' '); end++) {
		if (*end == '\\' && end[1])
			end++;
		else if (*end == '"')
			quoted = !quoted;
	}
	*length = (size_t)(end - *word);
	*at = end;
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

/* Behind which word hexadecimal digits follow, to the end. */
static const struct hex_row {
	uint16_t type;
	uint8_t n_before;
} hex_rows[] = {
	{ LDNS_RR_TYPE_DS, 3 },    { LDNS_RR_TYPE_CDS, 3 },    { LDNS_RR_TYPE_DLV, 3 },
	{ LDNS_RR_TYPE_SSHFP, 2 }, { LDNS_RR_TYPE_TLSA, 3 },   { LDNS_RR_TYPE_SMIMEA, 3 },
	{ LDNS_RR_TYPE_EID, 0 },   { LDNS_RR_TYPE_NIMLOC, 0 }, { LDNS_RR_TYPE_ZONEMD, 3 },
};

/* Whether the words behind the first @p n_before are whole bytes. */
static bool is_hex(const char *data, unsigned n_before)
{
	size_t length, n_digits = 0;
	const char *word;

	for (unsigned i = 0; find_word(&data, &word, &length); i++) {
		if (i < n_before)
			continue;
		if (strspn(word, "0123456789abcdefABCDEF") != length)
			return false;
		n_digits += length;
	}
	return n_digits % 2 == 0;
}

static bool is_hex_where_it_must(uint16_t type, const char *data)
{
	if (is_generic(data)) /* a length before (RFC 3597, section 5) */
		return is_hex(data, 2);
	for (size_t i = 0; i < sizeof(hex_rows) / sizeof(hex_rows[0]); i++)
		if (hex_rows[i].type == type)
			return is_hex(data, hex_rows[i].n_before);
	return true;
}

/* Whether the first @p n words are nothing but digits. */
static bool are_numbers(const char *data, unsigned n)
{
	const char *word;
	size_t length;

	for (unsigned i = 0; i < n && find_word(&data, &word, &length); i++)
		if (strspn(word, "0123456789") != length)
			return false;
	return true;
}

/* Whether an IPSECKEY names a gateway (RFC 4025, section 2.5) without a final dot. */
static bool has_relative_gateway(const char *data)
{
	const char *word;
	size_t length;

	(void)find_word(&data, &word, &length);
	if (!find_word(&data, &word, &length) || strtoul(word, NULL, 10) != 3 ||
	    !find_word(&data, &word, &length) || !find_word(&data, &word, &length))
		return false;
	return word[length - 1] != '.' || (length > 1 && word[length - 2] == '\\');
}

/* Whether all words are [!]family:address/prefix with a prefix that the family has (RFC 3123). */
static bool are_prefixes(const char *data)
{
	const char *word;
	size_t length;

	while (find_word(&data, &word, &length)) {
		const char *family = word + (*word == '!'), *slash = memchr(word, '/', length);
		bool is6 = strncmp(family, "2:", 2) == 0;
		uint64_t prefix;

		if (!slash || (!is6 && strncmp(family, "1:", 2) != 0) ||
		    read_decimal(slash + 1, 0, &prefix) != word + length ||
		    prefix > (is6 ? 128 : 32))
			return false;
	}
	return true;
}

/* Whether a name's first label is "@", in any form but the word "@". */
static bool begins_with_at(const char *name)
{
	static const char *const forms[] = { "@.", "\\@", "\\064" };

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		size_t n = strlen(forms[i]);

		if (strncmp(name, forms[i], n) == 0 && (i == 0 || strchr(" .", name[n])))
			return true;
	}
	return false;
}

/* Whether a word that is a name has the first label "@", which is the origin only by itself. */
static bool has_at_label(uint16_t type, const char *data)
{
	const ldns_rr_descriptor *d = ldns_rr_descript(type);
	const char *word;
	size_t length;

	for (size_t i = 0; i < ldns_rr_descriptor_maximum(d) && find_word(&data, &word, &length);
	     i++)
		if (ldns_rr_descriptor_field_type(d, i) == LDNS_RDF_TYPE_DNAME &&
		    begins_with_at(word))
			return true;
	return false;
}

/*
 * Whether a parameter of SVCB is written in a form that ldns reads in its own way: escapes in lists
 * (RFC 9460, appendix A.1), and keys that have a name by their number (section 2.1).
 */
static bool is_misread_param(const char *word, size_t length)
{
	const char *value = memchr(word, '=', length);
	char *end;

	if (!value)
		return false;
	if (strncmp(word, "key", 3) == 0)
		return strtoul(word + 3, &end, 10) <= SVCB_NAMED_MOST && end == value;
	return (strncmp(word, "alpn=", 5) == 0 || strncmp(word, "mandatory=", 10) == 0) &&
	       memchr(word, '\\', length);
}

static bool has_misread_param(const char *data)
{
	const char *word;
	size_t length;

	while (find_word(&data, &word, &length))
		if (is_misread_param(word, length))
			return true;
	return false;
}

const char *zone_fields_misread(uint16_t type, const char *data)
{
	if (!is_hex_where_it_must(type, data))
		return "not pairs of hexadecimal digits";
	if (is_generic(data))
		return NULL;
	if ((type == LDNS_RR_TYPE_IPSECKEY && !are_numbers(data, 3)) ||
	    (type == LDNS_RR_TYPE_HIP && !are_numbers(data, 1)))
		return "a number is expected";
	if (type == LDNS_RR_TYPE_IPSECKEY && has_relative_gateway(data))
		return "the gateway's name must end with a dot";
	if (type == LDNS_RR_TYPE_APL && !are_prefixes(data))
		return "not prefixes as in RFC 3123, such as 1:192.0.2.0/24 !2:2001:db8::/32";
	if (type == LDNS_RR_TYPE_NSAP_PTR)
		return "expected in the form of RFC 3597";
	if ((type == LDNS_RR_TYPE_SVCB || type == LDNS_RR_TYPE_HTTPS) && has_misread_param(data))
		return "keys up to 6 are expected by their names, and no escapes in lists";
	if (has_at_label(type, data))
		return "a name whose first label is @";
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
