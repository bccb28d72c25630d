/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of master files: where they end, what they mean as times, which numbers are too large; and which records are read here. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ldns/ldns.h>

#include "dns/zone/image.h"
#include "dns/zone/data.h"
#include "dns/zone/fields.h"
#include "dns/zone/words.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void words_end_at_blanks_outside_of_quotes(void **state)
{
	static const struct {
		const char *text, *words[4];
	} cases[] = {
		{ "", { NULL } },
		{ "   ", { NULL } },
		{ "a", { "a" } },
		{ " a  b ", { "a", "b" } },
		{ "\"a b\" c", { "\"a b\"", "c" } },
		{ "a\"b c\"d e", { "a\"b c\"d", "e" } },
		{ "a\\ b c", { "a\\ b", "c" } },
		{ "\"a\\\" b\" c", { "\"a\\\" b\"", "c" } },
		{ "a\\\\ b", { "a\\\\", "b" } },
		{ "a\\", { "a\\" } },
		{ "\"a b", { "\"a b" } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[32], *at = text;

		strcpy(text, cases[i].text);
		for (unsigned k = 0; k < 4; k++) {
			char *word = zone_word_next(&at);

			if (!cases[i].words[k]) {
				assert_null(word);
				break;
			}
			assert_string_equal(word, cases[i].words[k]);
		}
	}
}

static void times_are_read_with_their_units(void **state)
{
	static const struct {
		const char *word;
		int err;
		uint32_t ttl_s;
	} cases[] = {
		{ "0", 0, 0 },
		{ "300", 0, 300 },
		{ "2147483647", 0, 2147483647 },
		{ "2147483648", -ERANGE, 0 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "1s", 0, 1 },
		{ "1m", 0, 60 },
		{ "1h", 0, 3600 },
		{ "1d", 0, 86400 },
		{ "1w", 0, 604800 },
		{ "1W2D3H4M5S", 0, 604800 + 2 * 86400 + 3 * 3600 + 4 * 60 + 5 },
		{ "1h30", 0, 3630 },
		{ "3550w", 0, 3550u * 604800 },
		{ "3551w", -ERANGE, 0 },
		{ "3550w443647", 0, 2147483647u },
		{ "3550w443648", -ERANGE, 0 },
		{ "2147483647s", 0, 2147483647 },
		{ "2147483647s1", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "h", -EINVAL, 0 },
		{ "1hh", -EINVAL, 0 },
		{ "1y", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ "1.5", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "/", -EINVAL, 0 },
		{ ":", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t ttl_s = 7;
		int err = zone_word_ttl(cases[i].word, &ttl_s);

		if (err != cases[i].err || (err == 0 && ttl_s != cases[i].ttl_s))
			fail_msg("%s: %d, %u", cases[i].word, err, ttl_s);
	}
}

/* Widths of numbers as the RFCs have them: fields by their place, in bits; 31: a time. */
static const struct {
	const char *type;
	uint8_t bits[7];
} numbers[] = {
	{ "MX", { 16 } },
	{ "SRV", { 16, 16, 16 } },
	{ "SOA", { 0, 0, 32, 31, 31, 31, 31 } },
	{ "CAA", { 8 } },
	{ "DS", { 16, 8, 8 } },
	{ "CDS", { 16, 8, 8 } },
	{ "DLV", { 16, 8, 8 } },
	{ "DNSKEY", { 16, 8, 8 } },
	{ "CDNSKEY", { 16, 8, 8 } },
	{ "KEY", { 16, 8, 8 } },
	{ "SIG", { 0, 8, 8, 32, 0, 0, 16 } },
	{ "TLSA", { 8, 8, 8 } },
	{ "SMIMEA", { 8, 8, 8 } },
	{ "SSHFP", { 8, 8 } },
	{ "NAPTR", { 16, 16 } },
	{ "URI", { 16, 16 } },
	{ "AFSDB", { 16 } },
	{ "KX", { 16 } },
	{ "RT", { 16 } },
	{ "SVCB", { 16 } },
	{ "HTTPS", { 16 } },
	{ "CERT", { 16, 16, 8 } },
	{ "IPSECKEY", { 8, 2, 8 } },
	{ "CSYNC", { 32, 16 } },
	{ "ZONEMD", { 32, 8, 8 } },
	{ "PX", { 16 } },
	{ "NID", { 16 } },
	{ "L32", { 16 } },
	{ "L64", { 16 } },
	{ "LP", { 16 } },
	{ "NSEC3PARAM", { 8, 8, 16 } },
	{ "TXT", { 0 } },
	{ "A", { 0 } },
};

/* Whether @p number in place @p place of seven is refused; the text stays as it was. */
static bool is_excess(const char *type, unsigned place, uint64_t number, uint32_t *max)
{
	char data[128] = "", before[128];
	const char *word;

	for (unsigned i = 0; i < 7; i++)
		sprintf(data + strlen(data), i == place ? "%s%llu" : "%s0", i ? " " : "",
		        (unsigned long long)number);
	strcpy(before, data);
	word = zone_words_excess(ldns_get_rr_type_by_name(type), data, max);
	if (!word) {
		assert_string_equal(data, before);
		return false;
	}
	assert_int_equal(strtoull(word, NULL, 10), number);
	return true;
}

static void numbers_fit_their_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++)
		for (unsigned place = 0; place < 7; place++) {
			uint64_t most = ((uint64_t)1 << numbers[i].bits[place]) - 1;
			uint32_t max = 0;

			print_message("  %s %u\n", numbers[i].type, place);
			if (!numbers[i].bits[place]) {
				assert_false(is_excess(numbers[i].type, place, UINT64_MAX, &max));
				continue;
			}
			assert_false(is_excess(numbers[i].type, place, most, &max));
			assert_true(is_excess(numbers[i].type, place, most + 1, &max));
			assert_int_equal(max, most);
			assert_true(is_excess(numbers[i].type, place, UINT64_MAX, &max));
		}
}

static void other_words_with_numbers_are_looked_at_too(void **state)
{
	static const struct {
		const char *type, *data, *excess;
	} cases[] = {
		{ "MX", "-1 a", "-1" },
		{ "MX", "10 -a", NULL },
		{ "DS", "1 256 2 00", "256" },
		{ "DS", "1 RSASHA256 2 00", NULL },
		{ "MX", "a 70000", NULL },
		{ "SVCB", "1 . port=65535", NULL },
		{ "SVCB", "1 . port=65536", "65536" },
		{ "HTTPS", "1 . alpn=h2 port=65536", "65536" },
		{ "TXT", "1 . port=65536", NULL },
		{ "TYPE65280", "\\# 65535 00", NULL },
		{ "TYPE65280", "\\# 65537 01", "65537" }, /* which ldns takes for 1 */
		{ "A", "\\# 65540 01020304", "65540" },
		{ "SRV", "\\# 7 00010002000300", NULL }, /* digits, and no number */
		{ "MX", "\\# 3 7000000", NULL },
		{ "SOA", "ns root 1 3551w 1 1 1", "3551w" },
		{ "SOA", "ns root 1 3550w 1 1 1", NULL },
		{ "SOA", "ns root 1w 1 1 1 1", NULL }, /* a serial is no time */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char data[64];
		uint32_t max = 0;
		const char *word;

		strcpy(data, cases[i].data);
		word = zone_words_excess(ldns_get_rr_type_by_name(cases[i].type), data, &max);
		assert_true(!word == !cases[i].excess);
		if (word)
			assert_string_equal(word, cases[i].excess);
	}
}

/* A name of labels of 63, 63, 63 and @p last bytes. */
static void put_long(char *to, unsigned last)
{
	for (unsigned i = 0; i < 3; i++, to += 64)
		memcpy(to, "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123.", 64);
	memset(to, 'z', last);
	to[last] = '\0';
}

static void plain_names_are_read_here_up_to_their_limits(void **state)
{
	static const struct {
		const char *word, *labels; /* NULL: left to ldns */
		uint8_t n;
		bool relative;
	} cases[] = {
		{ "@", "", 0, true },
		{ ".", "", 0, false },
		{ "a", "\1a", 2, true },
		{ "a.", "\1a", 2, false },
		{ "a.bc", "\1a\2bc", 5, true },
		{ "a.bc.", "\1a\2bc", 5, false },
		{ "*.A-b_/9", "\1*\6A-b_/9", 9, true },
		{ "", NULL, 0, false },
		{ "..", NULL, 0, false },
		{ ".a", NULL, 0, false },
		{ "a..b", NULL, 0, false },
		{ "@a", NULL, 0, false },
		{ "a@", NULL, 0, false },
		{ "a\\b", NULL, 0, false },
		{ "a+", NULL, 0, false },
		{ "a ", NULL, 0, false }, /* the word ends before */
	};
	struct zone_data_name name;
	char text[300];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool taken = zone_data_read_name(cases[i].word, &name);

		print_message("  \"%s\"\n", cases[i].word);
		assert_int_equal(taken, cases[i].labels != NULL);
		if (!taken)
			continue;
		assert_int_equal(name.n, cases[i].n);
		assert_int_equal(name.relative, cases[i].relative);
		assert_memory_equal(name.labels, cases[i].labels, cases[i].n);
	}
	for (unsigned n = 62; n <= 64; n++) {
		memset(text, 'x', n);
		text[n] = '\0';
		assert_int_equal(zone_data_read_name(text, &name), n <= 63);
	}
	for (unsigned last = 58; last <= 63; last++) { /* 192 + last + 1 bytes, and the root's */
		put_long(text, last);
		assert_int_equal(zone_data_read_name(text, &name), last <= 60);
		if (last <= 60)
			assert_int_equal(name.n, 192 + last + 1);
	}
}

/* Data in wire form, names left out: they stand behind `before`. */
static void data_is_read_field_by_field(void **state)
{
	static const struct {
		uint16_t type;
		const char *text, *bytes; /* NULL: left to ldns */
		uint16_t n, before;
		uint8_t n_names;
	} cases[] = {
		{ DNS_A, "1.2.3.4", "\1\2\3\4", 4, 4, 0 },
		{ DNS_A, " 255.0.0.1 ", "\377\0\0\1", 4, 4, 0 },
		{ DNS_A, "1.2.3.4 x", NULL, 0, 0, 0 },
		{ DNS_A, "1.2.3.4.5555555555555555555555555555555555555555555", NULL, 0, 0, 0 },
		{ DNS_AAAA, "1:2:3:4:5:6:7:8", "\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\10", 16, 16, 0 },
		{ DNS_AAAA, "1000:2000:3000:4000:5000:6000:255.255.255.255",
		  "\20\0\40\0\60\0\100\0\120\0\140\0\377\377\377\377", 16, 16, 0 },
		{ DNS_AAAA, "1.2.3.4", NULL, 0, 0, 0 },
		{ DNS_NS, "a", "", 0, 0, 1 },
		{ DNS_NS, "a b", NULL, 0, 0, 0 },
		{ DNS_MX, "258 a", "\1\2", 2, 2, 1 },
		{ DNS_MX, "65535 a", "\377\377", 2, 2, 1 },
		{ DNS_MX, "65536 a", NULL, 0, 0, 0 },
		{ DNS_MX, "000000000010 a", NULL, 0, 0, 0 }, /* more digits than any number has */
		{ DNS_MX, "00000000010 a", "\0\12", 2, 2, 1 },
		{ DNS_MX, "1", NULL, 0, 0, 0 },
		{ DNS_MX, "1x a", NULL, 0, 0, 0 },
		{ DNS_SRV, "1 2 3 a", "\0\1\0\2\0\3", 6, 6, 1 },
		{ DNS_SRV, "1 2 65536 a", NULL, 0, 0, 0 },
		{ DNS_SOA, "a b 4294967295 2 3 4 2147483647",
		  "\377\377\377\377\0\0\0\2\0\0\0\3\0\0\0\4\177\377\377\377", 20, 0, 2 },
		{ DNS_SOA, "a b 4294967296 2 3 4 5", NULL, 0, 0, 0 },
		{ DNS_SOA, "a b 1 2147483648 3 4 5", NULL, 0, 0, 0 },
		{ DNS_SOA, "a b 1 2 3 4 2147483648", NULL, 0, 0, 0 },
		{ DNS_SOA, "a b 1 2 3 4", NULL, 0, 0, 0 },
		{ DNS_TXT, "\"a\" \"bc\"", "\1a\2bc", 5, 5, 0 },
		{ DNS_TXT, "\" ~\"", "\2 ~", 3, 3, 0 },
		{ DNS_TXT, "\"\177\"", NULL, 0, 0, 0 },
		{ DNS_TXT, "a", NULL, 0, 0, 0 },
		{ DNS_TXT, "\"\"", NULL, 0, 0, 0 },
		{ DNS_TXT, "\"a\"\"b\"", NULL, 0, 0, 0 },
		{ DNS_TXT, "\"a", NULL, 0, 0, 0 },
		{ DNS_TXT, "", NULL, 0, 0, 0 },
		{ DNS_CAA, "0 issue \"a\"", "\0\5issuea", 8, 8, 0 },
		{ DNS_CAA, "255 abcdefghijklmno \"a\"", "\377\17abcdefghijklmnoa", 18, 18, 0 },
		{ DNS_CAA, "255 abcdefghijklmnop \"a\"", NULL, 0, 0, 0 },
		{ DNS_CAA, "256 issue \"a\"", NULL, 0, 0, 0 },
		{ DNS_CAA, "0 \"a\"", NULL, 0, 0, 0 },
		{ DNS_CAA, "0 Issue \"a\"", NULL, 0, 0, 0 },
		{ DNS_CAA, "0 issue a", NULL, 0, 0, 0 },
		{ DNS_CAA, "0 issue", NULL, 0, 0, 0 },
		{ DNS_CAA, "0 az \"a\"", "\0\2aza", 5, 5, 0 },
		{ 99, "\"a\"", NULL, 0, 0, 0 },
	};
	static struct zone_data data;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool taken = zone_data_read(cases[i].type, cases[i].text, &data);

		print_message("  %u %s\n", cases[i].type, cases[i].text);
		assert_int_equal(taken, cases[i].bytes != NULL);
		if (!taken)
			continue;
		assert_int_equal(data.n, cases[i].n);
		assert_int_equal(data.before, cases[i].before);
		assert_int_equal(data.n_names, cases[i].n_names);
		assert_memory_equal(data.bytes, cases[i].bytes, cases[i].n);
	}
}

/* A text has 255 bytes, the data as many as there is room for; more is left to ldns. */
static void texts_are_read_here_up_to_their_limits(void **state)
{
	static struct zone_data data;
	static char text[2 * ZONE_DATA_BYTES_MAX + 600];

	(void)state;
	for (unsigned n = 254; n <= 257; n++) {
		sprintf(text, "\"%0*u\"", (int)n, 0u);
		assert_int_equal(zone_data_read(DNS_TXT, text, &data), n <= 255);
		if (n <= 255)
			assert_int_equal(data.bytes[0], n);
	}
	for (unsigned n = 1; n <= ZONE_DATA_BYTES_MAX + 2; n++) { /* texts of one byte: two each */
		char *at = text;
		bool taken;

		for (unsigned i = 0; i < n; i++)
			at = stpcpy(at, "\"x\" ");
		taken = zone_data_read(DNS_TXT, text, &data);
		if (!taken)
			break; /* once it is too much, it is */
		assert_int_equal(data.n, 2 * n);
		assert_true(data.n <= ZONE_DATA_BYTES_MAX);
	}
	assert_true(data.n >= ZONE_DATA_BYTES_MAX - 2);
}

static void types_are_known_by_their_names(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
	} cases[] = {
		{ "A", DNS_A },
		{ "AAAA", DNS_AAAA },
		{ "CNAME", DNS_CNAME },
		{ "MX", DNS_MX },
		{ "TXT", DNS_TXT },
		{ "NS", DNS_NS },
		{ "PTR", DNS_PTR },
		{ "SRV", DNS_SRV },
		{ "CAA", DNS_CAA },
		{ "SOA", DNS_SOA },
		{ "DNAME", DNS_DNAME },
		{ "cname", DNS_CNAME },
		{ "dNaMe", DNS_DNAME },
		{ "AAA", 0 },
		{ "AAAAA", 0 },
		{ "CNAMEX", 0 },
		{ "", 0 },
		{ "IN", 0 },
		{ "300", 0 },
		{ "DNAMEDNAME", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(zone_data_type(cases[i].name), cases[i].type);
}

/* What ldns is given instead of a record's text; the data begins behind "x ". */
static void a_text_is_mended_where_ldns_needs_it(void **state)
{
	static const struct {
		const char *type, *text, *mended;
	} cases[] = {
		{ "TXT", "x a", "x a" },
		{ "TXT", "x a  ", "x a" },
		{ "TXT", "x ", "x" },
		{ "TXT", "   ", "" },
		{ "TXT", "", "" },
		{ "TXT", "x a\\  ", "x a\\ " },    /* the first blank is escaped */
		{ "TXT", "x a\\\\  ", "x a\\\\" }, /* a backslash is, and no blank */
		{ "TXT", "x a\\\\\\ ", "x a\\\\\\ " },
		{ "TXT", "x a\\", "x a\\" },
		{ "TXT", "\\ ", "\\ " },
		{ "TXT", "x 0 issue y", "x 0 issue y" },
		{ "CAA", "x 0 issue y", "x 0 issue \"y\"" },
		{ "CAA", "x 0 issue y ", "x 0 issue \"y\"" },
		{ "CAA", "x   0   issue   y.z;a=b", "x   0   issue   \"y.z;a=b\"" },
		{ "CAA", "x 0 issue \"y\"", "x 0 issue \"y\"" },
		{ "CAA", "x 0 issue y z", "x 0 issue y z" },
		{ "CAA", "x 0 issue", "x 0 issue" },
		{ "CAA", "x 0", "x 0" },
		{ "CAA", "x ", "x" },
		{ "CAA", "x \\# 2 0001", "x \\# 2 0001" },
		{ "CAA", "x  \\# 3 000161", "x  \\# 3 000161" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[64];

		memset(text, '!', sizeof(text));
		strcpy(text, cases[i].text);
		zone_words_mend(ldns_get_rr_type_by_name(cases[i].type), text, 2);
		assert_string_equal(text, cases[i].mended);
		assert_int_equal(text[strlen(cases[i].text) + 3], '!');
	}
}

/* What ldns accepts and its type does not allow. */
static void data_that_does_not_fit_its_type_is_refused(void **state)
{
#define FEW    "the data is too short for its type"
#define MUCH   "the data is longer than its type allows"
#define TWICE  "a key occurs twice"
#define LACKS  "a key has no value, or one that it cannot have"
#define OTHERS "mandatory must name other keys of the record, each once"
	static const struct {
		const char *type, *text;
		size_t n_fields, length;
		const char *data, *reason;
	} cases[] = {
		{ "A", "192.0.2.1", 1, 4, "", NULL },
		{ "A", "\\# 4 c0000201", 1, 4, "", NULL },
		{ "A", "  \\# 5 c000020101", 1, 4, "", MUCH },
		{ "A", "\\# 0", 0, 0, "", FEW },
		{ "MX", "1 a", 1, 2, "", FEW },
		{ "MX", "1 a", 2, 5, "", NULL },
		{ "A", "\\#5 x", 1, 4, "", NULL }, /* not the generic form */
		{ "HTTPS", "1 a", 2, 5, "\0\1\1a\0", NULL },
		{ "HTTPS", "1 .", 2, 3, "\0\1\0", NULL },
		{ "HTTPS", "1 . port=1", 3, 9, "\0\1\0\0\3\0\2\0\1", NULL },
		{ "HTTPS", "1 . x", 3, 15, "\0\1\0\0\3\0\2\0\1\0\7\0\2\0\1", NULL },
		{ "HTTPS", "1 . x", 3, 15, "\0\1\0\0\3\0\2\0\1\0\3\0\2\0\1", TWICE },
		{ "SVCB", "1 . x", 3, 15, "\0\1\0\0\3\0\2\0\1\0\3\0\2\0\1", TWICE },
		{ "SVCB", "1 a.b. x", 3, 15, "\0\1\1a\1b\0\0\3\0\0\0\3\0\0", TWICE },
		{ "SVCB", "1 a. x", 3, 13, "\0\1\1a\0\0\0\0\0\0\0\0\0", TWICE },
		{ "SVCB", "1 a. x", 3, 13, "\0\1\1a\0\0\7\0\0\0\10\0\0", NULL },
		{ "SVCB", "1 . alpn", 3, 7, "\0\1\0\0\1\0\0", LACKS },
		{ "SVCB", "1 . alpn=a", 3, 9, "\0\1\0\0\1\0\2\1a", NULL },
		{ "SVCB", "1 . no-default-alpn", 3, 7, "\0\1\0\0\2\0\0", NULL },
		{ "SVCB", "1 . port", 3, 7, "\0\1\0\0\3\0\0", LACKS },
		{ "SVCB", "\\# 8 0001000003000107", 2, 8, "\0\1\0\0\3\0\1\7", LACKS },
		{ "SVCB", "1 . ipv4hint", 3, 7, "\0\1\0\0\4\0\0", LACKS },
		{ "SVCB", "1 . ipv4hint", 3, 11, "\0\1\0\0\4\0\4\1\2\3\4", NULL },
		{ "SVCB", "1 . ipv4hint", 3, 10, "\0\1\0\0\4\0\3\1\2\3", LACKS },
		{ "SVCB", "1 . ipv6hint", 3, 7, "\0\1\0\0\6\0\0", LACKS },
		{ "SVCB", "1 . ipv6hint", 3, 11, "\0\1\0\0\6\0\4\1\2\3\4", LACKS },
		{ "SVCB", "1 . ipv6hint", 3, 23, "\0\1\0\0\6\0\20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1",
		  NULL },
		{ "SVCB", "1 . key7", 3, 7, "\0\1\0\0\7\0\0", NULL },
		{ "SVCB", "1 . mandatory=port port=1", 3, 15, "\0\1\0\0\0\0\2\0\3\0\3\0\2\0\1",
		  NULL },
		{ "SVCB", "1 . mandatory", 3, 7, "\0\1\0\0\0\0\0", OTHERS },
		{ "SVCB", "1 . mandatory=port", 3, 9, "\0\1\0\0\0\0\2\0\3", OTHERS },
		{ "SVCB", "1 . mandatory=mandatory port=1", 3, 15, "\0\1\0\0\0\0\2\0\0\0\3\0\2\0\1",
		  OTHERS },
		{ "SVCB", "1 . mandatory=port,port port=1", 3, 17,
		  "\0\1\0\0\0\0\4\0\3\0\3\0\3\0\2\0\1", OTHERS },
		{ "SVCB", "\\# 16 x", 3, 16, "\0\1\0\0\0\0\3\0\3\0\0\3\0\2\0\1", OTHERS },
		{ "TYPE65280", "\\# 0", 0, 0, "", NULL },
		{ "CSYNC", "1 3 A", 3, 9, "\0\0\0\1\0\3\0\1\x40", NULL },
		{ "CSYNC", "1 3 A FOO", 3, 9, "\0\0\0\1\0\3\0\1\xc0", "a type is not known" },
		{ "CSYNC", "1 3 TYPE256", 3, 9, "\0\0\0\1\0\3\1\1\x80", NULL },
		{ "CSYNC", "\\# 6 000000010003", 2, 6, "\0\0\0\1\0\3",
		  "the data is too short for its type" },
		{ "TXT", "1 . x", 3, 15, "\0\1\0\0\3\0\2\0\1\0\3\0\2\0\1", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *reason = zone_words_misfit(
		        (uint16_t)ldns_get_rr_type_by_name(cases[i].type), cases[i].text,
		        cases[i].n_fields, (const uint8_t *)cases[i].data, cases[i].length);

		print_message("  %s %s\n", cases[i].type, cases[i].text);
		assert_true(!reason == !cases[i].reason);
		if (reason)
			assert_string_equal(reason, cases[i].reason);
	}
}

/* Of RFC 1876: minutes and seconds may be left out, each for itself; ldns takes the latitude's for both. */
static void places_are_complete_and_within_their_limits(void **state)
{
	static const struct {
		const char *text, *complete; /* NULL: refused */
	} cases[] = {
		{ "52 22 23 N 4 53 32 E 0m 1m 10m 10m", "52 22 23 N 4 53 32 E 0m 1m 10m 10m" },
		{ "42 21 54 N 71 W 0", "42 21 54 N 71 0 0 W 0" },
		{ " 42  21 N 71  6 W 0m ", " 42  21 0 N 71  6 0 W 0m " },
		{ "42 S 71 6 18 E -1.5", "42 0 0 S 71 6 18 E -1.5" },
		{ "42 S 71 W 0", "42 0 0 S 71 0 0 W 0" },
		{ "90 0 0.000 N 180 W 0", "90 0 0.000 N 180 0 0 W 0" },
		{ "0 59 59.999 N 0 E 0", "0 59 59.999 N 0 0 0 E 0" },
		{ "1 N 1 E -100000m", "1 0 0 N 1 0 0 E -100000m" },
		{ "1 N 1 E 42849672.95m", "1 0 0 N 1 0 0 E 42849672.95m" },
		{ "1 N 1 E 1 90000000m 0.05 90000000.00",
		  "1 0 0 N 1 0 0 E 1 90000000m 0.05 90000000.00" },
		{ "\\# 16 00", "\\# 16 00" },
		{ "91 N 1 E 0", NULL },
		{ "90 0 0.001 N 1 E 0", NULL },
		{ "1 60 N 1 E 0", NULL },
		{ "1 2 60 N 1 E 0", NULL },
		{ "1 N 181 E 0", NULL },
		{ "1 2 3.1234 N 1 E 0", NULL },
		{ "1 2.5 N 1 E 0", NULL },
		{ "1 2 3 4 N 1 E 0", NULL },
		{ "-1 N 1 E 0", NULL },
		{ "N 1 E 0", NULL },
		{ "1 n 1 E 0", NULL },
		{ "1 NS 1 E 0", NULL },
		{ "1 E 1 N 0", NULL },
		{ "1 N 1 E", NULL },
		{ "1 N", NULL },
		{ "1", NULL },
		{ "", NULL },
		{ "1 N 1 E -100000.01m", NULL },
		{ "1 N 1 E 42849672.96m", NULL },
		{ "1 N 1 E 10x", NULL },
		{ "1 N 1 E 1.234", NULL },
		{ "1 N 1 E 9999999999999999999999", NULL },
		{ "1 N 1 E 0 -1", NULL },
		{ "1 N 1 E 0 1e3m", NULL },
		{ "1 N 1 E 0 90000000.01", NULL },
		{ "1 N 1 E 0 1 2 3 4", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[64];

		print_message("  %s\n", cases[i].text);
		assert_true(!zone_fields_misread(LDNS_RR_TYPE_LOC, cases[i].text) ==
		            (cases[i].complete != NULL));
		assert_null(zone_fields_misread(LDNS_RR_TYPE_TXT, cases[i].text));
		if (!cases[i].complete)
			continue;
		memset(text, '!', sizeof(text));
		strcpy(text, cases[i].text);
		zone_fields_complete(LDNS_RR_TYPE_TXT, text);
		assert_string_equal(text, cases[i].text);
		zone_fields_complete(LDNS_RR_TYPE_LOC, text);
		assert_string_equal(text, cases[i].complete);
		assert_int_equal(text[strlen(cases[i].text) + 1 + ZONE_FIELDS_MORE], '!');
	}
}

#define HEX    "not pairs of hexadecimal digits"
#define NUMBER "a number is expected"
#define DOT    "the gateway's name must end with a dot"
#define PREFIX "not prefixes as in RFC 3123, such as 1:192.0.2.0/24 !2:2001:db8::/32"
#define NAMES  "keys up to 6 are expected by their names, and no escapes in lists"
#define AT     "a name whose first label is @"

/* What ldns takes without an error, and makes something else of. */
static void text_that_ldns_misreads_is_refused(void **state)
{
	static const struct {
		const char *type, *text, *reason;
	} cases[] = {
		{ "DS", "1 13 2 0aF1", NULL },
		{ "DS", "1 13 2 0a f1", NULL },
		{ "DS", "1 13 2 0 af1", NULL },
		{ "DS", "1 13 2 0af", HEX },
		{ "DS", "1 13 2 0ag1", HEX },
		{ "DS", "x g 2 0af1", NULL }, /* which ldns refuses */
		{ "CDS", "1 13 2 0", HEX },
		{ "DLV", "1 13 2 0", HEX },
		{ "SSHFP", "1 1 0", HEX },
		{ "SSHFP", "1 1 00", NULL },
		{ "TLSA", "3 1 1 0", HEX },
		{ "SMIMEA", "3 1 1 0", HEX },
		{ "ZONEMD", "1 1 1 0", HEX },
		{ "EID", "0", HEX },
		{ "NIMLOC", "01", NULL },
		{ "NIMLOC", "0g", HEX },
		{ "TXT", "g", NULL },
		{ "TYPE65280", "\\# 1 gg", HEX },
		{ "TYPE65280", "\\# 1 0", HEX },
		{ "TYPE65280", " \\# 2 0 102", NULL },
		{ "TYPE65280", "\\# 0", NULL },
		{ "A", "\\# 4 c000020g", HEX },
		{ "IPSECKEY", "10 1 2 192.0.2.1 AQID", NULL },
		{ "IPSECKEY", "x 1 2 192.0.2.1 AQID", NUMBER },
		{ "IPSECKEY", "10 1x 2 192.0.2.1 AQID", NUMBER },
		{ "IPSECKEY", "10 1 x 192.0.2.1 AQID", NUMBER },
		{ "IPSECKEY", "10 3 2 gate.shop.test. AQID", NULL },
		{ "IPSECKEY", "10 3 2 . AQID", NULL },
		{ "IPSECKEY", "10 3 2 gate AQID", DOT },
		{ "IPSECKEY", "10 3 2 gate\\. AQID", DOT },
		{ "IPSECKEY", "10 3 2 @ AQID", DOT },
		{ "IPSECKEY", "10 3 2", NULL },
		{ "IPSECKEY", "10 0 2 . AQID", NULL },
		{ "HIP", "2 20 AQID", NULL },
		{ "HIP", "2x 20 AQID", NUMBER },
		{ "APL", "", NULL },
		{ "APL", "1:192.0.2.0/24 !2:2001:db8::/32", NULL },
		{ "APL", "1:0.0.0.0/0 1:192.0.2.1/32 2:::1/128", NULL },
		{ "APL", "1:192.0.2.0/33", PREFIX },
		{ "APL", "1:192.0.2.0/288", PREFIX },
		{ "APL", "2:2001:db8::/129", PREFIX },
		{ "APL", "1:192.0.2.0/24x", PREFIX },
		{ "APL", "1:192.0.2.0/", PREFIX },
		{ "APL", "1:192.0.2.0 1:10.0.0.0/8", PREFIX },
		{ "APL", "65537:192.0.2.0/24", PREFIX },
		{ "APL", "3:00/8", PREFIX },
		{ "NSAP-PTR", "a.b.", "expected in the form of RFC 3597" },
		{ "NSAP-PTR", "\\# 3 016100", NULL },
		{ "MX", "10 @", NULL },
		{ "MX", "10 a@b", NULL },
		{ "MX", "10 @.", AT },
		{ "MX", "10 @.shop.test.", AT },
		{ "MX", "10 \\@", AT },
		{ "MX", "10 \\@.a", AT },
		{ "MX", "10 \\064 ", AT },
		{ "MX", "10 \\@a", NULL },
		{ "MX", "10 \\0641", NULL },
		{ "PTR", "@.", AT },
		{ "SVCB", "1 @. port=1", AT },
		{ "SVCB", "1 . alpn=h2,h3 port=1", NULL },
		{ "SVCB", "1 . alpn=h\\,2", NAMES },
		{ "SVCB", "1 . alpn=\"f\\\\\\\\oo\\\\,bar,h2\"", NAMES },
		{ "HTTPS", "1 . mandatory=\\097lpn alpn=h2", NAMES },
		{ "HTTPS", "1 . key3=\\000\\053", NAMES },
		{ "HTTPS", "1 . key06=x", NAMES },
		{ "HTTPS", "1 . key2", NULL },
		{ "HTTPS", "1 . key7=\\000", NULL },
		{ "HTTPS", "1 . key65280=a\\,b key667", NULL },
		{ "TXT", "key3=1 alpn=\\,", NULL },
		{ "NAPTR", "1 2 \"a @.\" \"b\" \"\" @.", AT },
		{ "NAPTR", "1 2 \"a\" \"b @. c\" \"\" a", NULL },
		{ "TXT", "@. \\@", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *reason = zone_fields_misread(
		        (uint16_t)ldns_get_rr_type_by_name(cases[i].type), cases[i].text);

		print_message("  %s %s\n", cases[i].type, cases[i].text);
		assert_true(!reason == !cases[i].reason);
		if (reason)
			assert_string_equal(reason, cases[i].reason);
	}
}

SUITE(zone_words)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_end_at_blanks_outside_of_quotes),
		cmocka_unit_test(times_are_read_with_their_units),
		cmocka_unit_test(numbers_fit_their_fields),
		cmocka_unit_test(other_words_with_numbers_are_looked_at_too),
		cmocka_unit_test(plain_names_are_read_here_up_to_their_limits),
		cmocka_unit_test(data_is_read_field_by_field),
		cmocka_unit_test(texts_are_read_here_up_to_their_limits),
		cmocka_unit_test(types_are_known_by_their_names),
		cmocka_unit_test(a_text_is_mended_where_ldns_needs_it),
		cmocka_unit_test(data_that_does_not_fit_its_type_is_refused),
		cmocka_unit_test(places_are_complete_and_within_their_limits),
		cmocka_unit_test(text_that_ldns_misreads_is_refused),
	};

	return cmocka_run_group_tests_name("zone words", tests, NULL, NULL);
}
