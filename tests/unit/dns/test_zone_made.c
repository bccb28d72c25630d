/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Generated records, good and hostile: what the compiler reads itself must be what ldns makes of it.
 * `unit-dns zone_made COUNT [SEED]` makes more of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/zone/image.h"
#include "tests/unit/dns/zone_twice.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PICK(a)  ((a)[draw_number(COUNT(a))])
#define TEXT_MAX 4096u

static uint64_t seed = 20260101;
static unsigned n_zones = 8000;
static bool hostile;

/* xorshift64* (Vigna 2016) */
static uint32_t draw_number(size_t below)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)((seed * 0x2545f4914f6cdd1du >> 33) % below);
}

/* One time in @p n, in zones that are to be hostile. */
static bool happens_once_in(unsigned n)
{
	return hostile && draw_number(n) == 0;
}

/* A text in the making; what is too much is left out. */
struct made_text {
	size_t n;
	char bytes[TEXT_MAX];
};

static void put_text(struct made_text *t, const char *more)
{
	size_t n = strlen(more);

	if (n >= sizeof(t->bytes) - t->n)
		return;
	memcpy(t->bytes + t->n, more, n + 1);
	t->n += n;
}

static void put_times(struct made_text *t, const char *more, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		put_text(t, more);
}

static void put_number(struct made_text *t)
{
	static const char *const numbers[] = {
		"0",           "1",          "10",
		"010",         "255",        "256",
		"65535",       "65536",      "2147483647",
		"2147483648",  "-1",         "+1",
		"0x10",        "4294967295", "4294967296",
		"1h",          "1h30m",      "1.5",
		"\\049",       "1_0",        "18446744073709551616",
		"00000000001", "9999999999", "99999999999999999999999999",
		"1w",          "\"1\"",
	};

	put_text(t, !happens_once_in(3)
	                    ? (const char *[]){ "5", "10", "443", "3600" }[draw_number(4)]
	                    : PICK(numbers));
}

/* Labels and names at and over their limits. */
static void put_long_name(struct made_text *t)
{
	unsigned labels = 1 + draw_number(5);

	for (unsigned i = 0; i < labels; i++) {
		put_text(t, i ? "." : "");
		put_times(t, !happens_once_in(8) ? "x" : "\\120", 40 + draw_number(26));
	}
	put_text(t, draw_number(2) ? "." : "");
}

static void put_name(struct made_text *t)
{
	static const char *const plain[] = {
		"@",
		".",
		"a",
		"ns",
		"NS",
		"www.a",
		"a.b.c",
		"x.other.",
		"Shop.Test.",
		"a.shop.test.",
		"_sip._tcp",
		"1.2.3",
		"xn--mnchen-3ya",
		"a-b",
		"-a-",
	};
	static const char *const odd[] = {
		"*",    "*.w",   "a.*",  "a\\.b", "a\\046b", "a\\b",     "a\\256", "a\\00", "a..b",
		".a",   "a.",    "..",   "a+b",   "a/b",     "a@b",      "a\"b",   "\"a\"", "a'b",
		"a:b",  "a\\ b", "a\\@", "\\@",   "a\\000b", "\\097",    "a$b",    "$a",    "a=b",
		"a,b",  "a!b",   "~",    "a\\;b", "a\\(b",   "\303\244", "a\\\\b", "\\.",   "a.\\",
		"a\\.", "@.a",   "a.@",  "*.*",   "#",       "a#",       "A\\065", "0",     "12",
	};

	if (happens_once_in(16))
		put_long_name(t);
	else
		put_text(t, happens_once_in(3) ? PICK(odd) : PICK(plain));
}

static void put_address(struct made_text *t)
{
	static const char *const v4[] = {
		"192.0.2.1",      "0.0.0.0",     "255.255.255.255", "192.0.2.01", "192.0.2.256",
		"192.0.2",        "192.0.2.1.1", "1.2.3.4.",        "0x7f.1.1.1", "1",
		"192.0.2.1\\032", "192.0.2.+1",  "192.0.2.1/32",    "::1",        "\"192.0.2.1\"",
		"192.0.02.1",     "192.0.2.0x1",
	};

	put_text(t, happens_once_in(2) ? PICK(v4) : v4[draw_number(3)]);
}

static void put_address6(struct made_text *t)
{
	static const char *const v6[] = {
		"2001:db8::1",
		"::",
		"::1",
		"1::",
		"2001:DB8::A",
		"1:2:3:4:5:6:7:8",
		"::ffff:192.0.2.1",
		"1:2:3:4:5:6:192.0.2.1",
		"1:2:3:4:5:6:7::",
		"::2:3:4:5:6:7:8",
		"2001:0db8:0000::0001",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"1::2::3",
		":::",
		":1",
		"1:",
		"12345::",
		"g::",
		"fe80::1%eth0",
		"::192.0.2.256",
		"::ffff:192.0.2.01",
		"192.0.2.1",
		"1:2:3:4:5:6:7:192.0.2.1",
		"[::1]",
		"::1/128",
		"0:0:0:0:0:0:0:0",
		"00001::",
		"::ffff:1.2.3",
		"1:2:3:4:5:6:7:8::",
		"::1:2:3:4:5:6:7:8",
	};

	put_text(t, happens_once_in(2) ? PICK(v6) : v6[draw_number(8)]);
}

static void put_string(struct made_text *t)
{
	static const char *const pieces[] = {
		"a",        "v=spf1 -all", " ",     "  ",    "\t",
		"\\\"",     "\\\\",        "\\065", "\\000", "\\255",
		"\\256",    "\\2",         "\\a",   ";",     "(",
		")",        "@",           "$",     "'",     ".",
		"\303\244", "\377",        "\001",  "\177",  "k=rsa; p=MIIB",
		"\\;",      "#",           "\\#",   "=",
	};
	bool quoted = !happens_once_in(6);
	unsigned n = draw_number(5);

	put_text(t, quoted ? "\"" : "");
	for (unsigned i = 0; i < n; i++)
		put_text(t, happens_once_in(2) ? PICK(pieces) : pieces[draw_number(5)]);
	if (draw_number(10) == 0)
		put_times(t, draw_number(4) ? "y" : "\\121", 250 + draw_number(9));
	put_text(t, quoted && !happens_once_in(40) ? "\"" : "");
}

static void put_blank(struct made_text *t)
{
	static const char *const blanks[] = { "  ", "\t",  " \t ", "\r",    " ( ",
		                              " )", "(\n", "\n)",  " ;x\n", " \"\" " };

	put_text(t, happens_once_in(8) ? PICK(blanks) : blanks[draw_number(3)]);
}

/* The fields of a type's data: n number, h host name, 4 and 6 addresses, s string, t tag. */
static const struct kind {
	const char *type, *fields;
} kinds[] = {
	{ "A", "4" },         { "AAAA", "6" },   { "NS", "h" },     { "CNAME", "h" },
	{ "PTR", "h" },       { "DNAME", "h" },  { "MX", "nh" },    { "SRV", "nnnh" },
	{ "TXT", "s" },       { "TXT", "ss" },   { "TXT", "ssss" }, { "CAA", "nts" },
	{ "SOA", "hhnnnnn" }, { "HINFO", "ss" }, { "TYPE1", "4" },  { "A6", "6" },
	{ "SPF", "s" },       { "AFSDB", "nh" }, { "a", "4" },      { "Txt", "s" },
	{ "cNaMe", "h" },     { "RP", "hh" },    { "mx", "nh" },    { "A\\", "4" },
	{ "TYPE16", "s" },
};

static void put_field(struct made_text *t, char field)
{
	static const char *const tags[] = { "issue",
		                            "issuewild",
		                            "iodef",
		                            "ISSUE",
		                            "is-sue",
		                            "",
		                            "a1",
		                            "\"issue\"",
		                            "abcdefghijklmno",
		                            "abcdefghijklmnopqrstuvwxyz",
		                            "i\\115sue" };

	switch (field) {
	case 'n':
		put_number(t);
		break;
	case 'h':
		put_name(t);
		break;
	case '4':
		put_address(t);
		break;
	case '6':
		put_address6(t);
		break;
	case 's':
		put_string(t);
		break;
	default:
		put_text(t, happens_once_in(2) ? PICK(tags) : tags[draw_number(3)]);
	}
}

/* A TTL or a class, or none, or one that is none. */
static void put_head_word(struct made_text *t)
{
	static const char *const words[] = { "60",         "300",        "IN",         "in", "In",
		                             "1h",         "1H2m3s",     "CLASS1",     "CH", "0",
		                             "2147483647", "2147483648", "4294967296", "-1", "1x",
		                             "\"60\"",     "CLASS3",     "ANY",        "h",  "1w2d",
		                             "6\\048",     "00060" };

	put_text(t, happens_once_in(3) ? PICK(words) : words[draw_number(8)]);
	put_blank(t);
}

/* Change a byte, take one away, or put one in. */
static void spoil_text(struct made_text *t)
{
	static const char bytes[] = "\\\"();@.$# \t\r\n*0129azAZ-_/+'\001\177\200\377";
	size_t at = t->n ? draw_number(t->n) : 0;
	char with = bytes[draw_number(sizeof(bytes) - 1)];

	if (t->n == 0 || t->n + 2 > sizeof(t->bytes))
		return;
	switch (draw_number(3)) {
	case 0:
		t->bytes[at] = with;
		return;
	case 1:
		memmove(t->bytes + at, t->bytes + at + 1, t->n - at);
		t->n--;
		return;
	default:
		memmove(t->bytes + at + 1, t->bytes + at, t->n - at + 1);
		t->bytes[at] = with;
		t->n++;
	}
}

static void put_record(struct made_text *t)
{
	const struct kind *kind = &PICK(kinds);
	unsigned n = draw_number(3);
	bool open = draw_number(8) == 0;

	if (draw_number(4))
		put_name(t);
	put_blank(t);
	while (n--)
		put_head_word(t);
	put_text(t, kind->type);
	put_text(t, open ? " (" : "");
	for (const char *field = kind->fields; *field; field++) {
		put_blank(t);
		if (!happens_once_in(30))
			put_field(t, *field);
	}
	if (happens_once_in(20)) {
		put_blank(t);
		put_name(t);
	}
	put_text(t, open && !happens_once_in(10) ? draw_number(2) ? "\n)" : " )" : "");
	put_text(t, draw_number(10) ? "" : " ; why");
	put_text(t, happens_once_in(20) ? "" : "\n");
}

/* A zone with few records of chance: most are good, so that their images are compared, too. */
static void put_zone(struct made_text *t)
{
	static const char *const directives[] = {
		"$ORIGIN sub\n",     "$ORIGIN Other.\n", "$ORIGIN shop.TEST.\n", "$TTL 1h\n",
		"$origin a\\.b\n",   "$TTL x\n",         "$ORIGIN @\n",          "$ORIGIN .\n",
		"$TTL 4294967296\n", "$ORIGIN a..b\n",
	};
	struct made_text record;
	unsigned n = 1 + draw_number(3);

	t->n = 0;
	hostile = draw_number(2);
	put_text(t, draw_number(3) ? "$TTL 60\n" : "");
	put_text(t, "@ SOA ns root 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n");
	for (unsigned i = 0; i < n; i++) {
		if (draw_number(12) == 0)
			put_text(t, happens_once_in(2) ? PICK(directives)
			                               : directives[draw_number(5)]);
		record.n = 0;
		record.bytes[0] = '\0';
		put_record(&record);
		for (unsigned k = happens_once_in(3) ? 1 + draw_number(2) : 0; k; k--)
			spoil_text(&record);
		put_text(t, record.bytes);
	}
}

static void ignore_message(void *arg, const struct zones_message *m)
{
	(void)arg;
	(void)m;
}

/* What is made must be both: zones that are served, whose bytes are compared, and zones that are refused. */
static void records_of_chance_are_read_as_ldns_reads_them(void **state)
{
	static struct made_text zone;
	unsigned n_served = 0;
	char path[32];
	const struct zone_source source = { "Shop.test", path };
	const struct zone_input in = { .zones = &source, .n_zones = 1 };
	int fd = memfd_create("zone", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (unsigned i = 0; i < n_zones; i++) {
		struct image *image = NULL;

		put_zone(&zone);
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, zone.bytes, zone.n, 0), zone.n);
		zone_twice_text = zone.bytes;
		n_served += zone_compile_twice(&in, ignore_message, NULL, &image) == 0;
		free(image);
	}
	zone_twice_text = NULL;
	close(fd);
	print_message("  %u of %u zones were good\n", n_served, n_zones);
	assert_in_range(n_served, n_zones / 4, n_zones / 4 * 3);
}

SUITE(zone_made)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_of_chance_are_read_as_ldns_reads_them),
	};

	if (arguments[0])
		n_zones = (unsigned)strtoul(arguments[0], NULL, 10);
	if (arguments[0] && arguments[1])
		seed = strtoull(arguments[1], NULL, 10) | 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
