/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldns reads "70000" for a 16-bit field and wraps it without an error. So numbers are checked in
 * the text, before ldns sees the line, by a table of fields. Whatever else ldns accepts and should
 * not is checked here, too.
 */
#include "dns/zone/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ldns/ldns.h>

#include "dns/zone/image.h"
#include "dns/zone/wire.h"

/* Keys of SVCB and HTTPS (RFC 9460, section 14.3.2). */
enum { SVCB_MANDATORY, SVCB_ALPN, SVCB_PORT = 3, SVCB_IPV4HINT, SVCB_IPV6HINT = 6 };

char *zone_word_next(char **text)
{
	char *from = *text, *at;
	bool quoted = false;

	while (*from == ' ')
		from++;
	at = from;

	for (; *at && (quoted || *at != ' '); at++) {
		if (*at == '\\' && at[1])
			at++;
		else if (*at == '"')
			quoted = !quoted;
	}
	*text = *at ? at + 1 : at;
	*at = '\0';
	return at == from ? NULL : from;
}

char *zone_word_unquote(char *word)
{
	size_t n = strlen(word);

	if (n < 2 || word[0] != '"' || word[n - 1] != '"')
		return word;
	word[n - 1] = '\0';
	return word + 1;
}

int zone_word_ttl(const char *word, uint32_t *out)
{
	uint64_t total = 0, number = 0;
	bool digits = false, units = false;

	for (; *word; word++) {
		static const char units_of[] = "smhdw";
		static const uint32_t seconds[] = { 1, 60, 3600, 86400, 604800 };
		const char *unit = strchr(units_of, *word | 0x20);

		if (*word >= '0' && *word <= '9') {
			number = number * 10 + (uint64_t)(*word - '0');
			digits = true;
		} else if (digits && unit) {
			total += number * seconds[unit - units_of];
			number = 0;
			digits = false;
			units = true;
		} else {
			return -EINVAL;
		}
		if (number > ZONE_TTL_MAX || total > ZONE_TTL_MAX)
			return -ERANGE;
	}
	if (!digits && !units)
		return -EINVAL;
	total += number;
	*out = (uint32_t)total;
	return total > ZONE_TTL_MAX ? -ERANGE : 0;
}

/*
 * Numbers in text that ldns would wrap: how many bits the words behind the type have; 0: the word is
 * no number; 31: it is a time.
 */
static const struct number_widths {
	uint16_t type;
	uint8_t bits[7];
} widths[] = {
	{ LDNS_RR_TYPE_MX, { 16 } },
	{ LDNS_RR_TYPE_SRV, { 16, 16, 16 } },
	{ LDNS_RR_TYPE_SOA, { 0, 0, 32, 31, 31, 31, 31 } },
	{ LDNS_RR_TYPE_CAA, { 8 } },
	{ LDNS_RR_TYPE_DS, { 16, 8, 8 } },
	{ LDNS_RR_TYPE_CDS, { 16, 8, 8 } },
	{ LDNS_RR_TYPE_DLV, { 16, 8, 8 } },
	{ LDNS_RR_TYPE_DNSKEY, { 16, 8, 8 } },
	{ LDNS_RR_TYPE_CDNSKEY, { 16, 8, 8 } },
	{ LDNS_RR_TYPE_KEY, { 16, 8, 8 } },
	{ LDNS_RR_TYPE_SIG, { 0, 8, 8, 32, 0, 0, 16 } },
	{ LDNS_RR_TYPE_TLSA, { 8, 8, 8 } },
	{ LDNS_RR_TYPE_SMIMEA, { 8, 8, 8 } },
	{ LDNS_RR_TYPE_SSHFP, { 8, 8 } },
	{ LDNS_RR_TYPE_NAPTR, { 16, 16 } },
	{ LDNS_RR_TYPE_URI, { 16, 16 } },
	{ LDNS_RR_TYPE_AFSDB, { 16 } },
	{ LDNS_RR_TYPE_KX, { 16 } },
	{ LDNS_RR_TYPE_RT, { 16 } },
	{ LDNS_RR_TYPE_PX, { 16 } },
	{ LDNS_RR_TYPE_NID, { 16 } },
	{ LDNS_RR_TYPE_L32, { 16 } },
	{ LDNS_RR_TYPE_L64, { 16 } },
	{ LDNS_RR_TYPE_LP, { 16 } },
	{ LDNS_RR_TYPE_SVCB, { 16 } },
	{ LDNS_RR_TYPE_HTTPS, { 16 } },
	{ LDNS_RR_TYPE_CERT, { 16, 16, 8 } },
	{ LDNS_RR_TYPE_IPSECKEY, { 8, 2, 8 } },
	{ LDNS_RR_TYPE_CSYNC, { 32, 16 } },
	{ LDNS_RR_TYPE_ZONEMD, { 32, 8, 8 } },
	{ LDNS_RR_TYPE_NSEC3PARAM, { 8, 8, 16 } },
};

static uint32_t find_largest(unsigned type, unsigned position)
{
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++)
		if (widths[i].type == type && position < sizeof(widths[i].bits))
			return (uint32_t)(((uint64_t)1 << widths[i].bits[position]) - 1);
	return 0;
}

/* Whether @p word is a number over @p max. Units of time are read only where a time is expected. */
static bool is_over(const char *word, uint32_t max)
{
	uint32_t period;
	uint64_t value = 0;

	if (*word == '-')
		return true;
	if (max == ZONE_TTL_MAX && zone_word_ttl(word, &period) == -ERANGE)
		return true;
	for (; *word >= '0' && *word <= '9'; word++) {
		value = value * 10 + (uint64_t)(*word - '0');
		if (value > max)
			return true;
	}
	return false;
}

const char *zone_words_excess(unsigned type, char *data, uint32_t *max_out)
{
	bool svcb = type == LDNS_RR_TYPE_SVCB || type == LDNS_RR_TYPE_HTTPS, generic = false;
	char *at = data, *word;

	for (unsigned position = 0; (word = zone_word_next(&at)); position++) {
		uint32_t max = find_largest(type, position);

		generic |= position == 0 && strcmp(word, "\\#") == 0;
		if (generic) /* a length, and hex digits (RFC 3597, section 5) */
			max = position == 1 ? UINT16_MAX : 0;
		if (svcb && strncmp(word, "port=", 5) == 0) {
			word += 5;
			max = UINT16_MAX;
		}
		if (max && is_over(word, max)) {
			*max_out = max;
			return word;
		}
		if (at[-1] == '\0')
			at[-1] = ' ';
	}
	return NULL;
}

const char *zone_words_quoted(const char *owner, uint16_t plain, const char *data)
{
	if (owner && *owner == '"')
		return owner;
	if (!plain || plain == DNS_TXT || plain == DNS_CAA)
		return NULL;
	if (*data == '"')
		return data;
	data = strstr(data, " \"");
	return data ? data + 1 : NULL;
}

/* The next parameter of SVCB or HTTPS. @return false: there is none */
static bool next_param(const uint8_t *data, size_t length, size_t *at, uint16_t *key,
                       const uint8_t **value, uint16_t *n)
{
	if (*at == 0) {
		*at = 2;
		while (*at < length && data[*at]) /* the target's labels */
			*at += data[*at] + 1u;
		(*at)++;
	}
	if (*at + 4 > length)
		return false;
	*key = wire_load16(data + *at);
	*n = wire_load16(data + *at + 2);
	*value = data + *at + 4;
	*at += 4u + *n;
	return *at <= length;
}

static bool has_param(const uint8_t *data, size_t length, uint16_t number)
{
	const uint8_t *value;
	uint16_t key, n;

	for (size_t at = 0; next_param(data, length, &at, &key, &value, &n);)
		if (key == number)
			return true;
	return false;
}

/* Whether mandatory names other keys that are there, each once (RFC 9460, section 8). */
static bool are_mandatory(const uint8_t *data, size_t length, const uint8_t *value, uint16_t n)
{
	int last = SVCB_MANDATORY;

	for (uint16_t i = 0; i + 1 < n; i = (uint16_t)(i + 2)) {
		uint16_t key = wire_load16(value + i);

		if (key <= last || !has_param(data, length, key))
			return false;
		last = key;
	}
	return n > 0 && n % 2 == 0;
}

/* What is wrong with the parameters of SVCB or HTTPS, which ldns has sorted, or NULL. */
static const char *find_param_fault(const uint8_t *data, size_t length)
{
	const uint8_t *value;
	uint16_t key, n;
	int last = -1;

	for (size_t at = 0; next_param(data, length, &at, &key, &value, &n); last = key)
		if (key <= last)
			return "a key occurs twice";
	for (size_t at = 0; next_param(data, length, &at, &key, &value, &n);) {
		if (key == SVCB_MANDATORY && !are_mandatory(data, length, value, n))
			return "mandatory must name other keys of the record, each once";
		if ((key == SVCB_ALPN && n == 0) || (key == SVCB_PORT && n != 2) ||
		    (key == SVCB_IPV4HINT && (n == 0 || n % 4)) ||
		    (key == SVCB_IPV6HINT && (n == 0 || n % 16)))
			return "a key has no value, or one that it cannot have";
	}
	return NULL;
}

/*
 * The fewest fields that a record of the type has. An empty text without a length, or empty unknown
 * data, is no field.
 */
static size_t fewest_fields(uint16_t type)
{
	const ldns_rr_descriptor *d = ldns_rr_descript(type);
	size_t n = ldns_rr_descriptor_minimum(d);
	ldns_rdf_type last = n ? ldns_rr_descriptor_field_type(d, n - 1) : LDNS_RDF_TYPE_NONE;

	return last == LDNS_RDF_TYPE_LONG_STR || last == LDNS_RDF_TYPE_UNKNOWN ? n - 1 : n;
}

const char *zone_words_misfit(uint16_t type, const char *text, size_t n_fields, const uint8_t *data,
                              size_t length)
{
	text += strspn(text, " ");
	if (n_fields < fewest_fields(type))
		return "the data is too short for its type";
	if (strncmp(text, "\\# ", 3) == 0 && strtoul(text + 2, NULL, 10) != length)
		return "the data is longer than its type allows";
	if (type == LDNS_RR_TYPE_SVCB || type == LDNS_RR_TYPE_HTTPS)
		return find_param_fault(data, length);
	/* ldns takes a type that it does not know for type 0, the first bit behind serial and flags */
	if (type == LDNS_RR_TYPE_CSYNC && length > 8 && data[6] == 0 && data[8] & 0x80)
		return "a type is not known";
	return NULL;
}

/* Remove blanks at the end; an escaped blank stays. */
static void trim_blanks(char *text)
{
	size_t n = strlen(text), slashes = 0;

	while (n && text[n - 1] == ' ')
		n--;
	while (slashes < n && text[n - 1 - slashes] == '\\')
		slashes++;
	text[n + (text[n] == ' ' && slashes % 2)] = '\0';
}

/*
 * Put the third word of a CAA's data into quotes, if it is one word without them (RFC 8659,
 * section 4.1.1).
 */
static void quote_value(char *at)
{
	size_t n;

	at += strspn(at, " ");
	if (*at == '\\')
		return;
	for (unsigned i = 0; i < 2; i++) {
		at += strcspn(at, " ");
		at += strspn(at, " ");
	}
	n = strlen(at);
	if (n == 0 || strpbrk(at, " \""))
		return;
	memmove(at + 1, at, n);
	at[0] = at[n + 1] = '"';
	at[n + 2] = '\0';
}

void zone_words_mend(unsigned type, char *text, size_t data_at)
{
	trim_blanks(text);
	if (type == LDNS_RR_TYPE_CAA && strlen(text) > data_at)
		quote_value(text + data_at);
}
