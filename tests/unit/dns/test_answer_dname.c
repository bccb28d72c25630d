/* SPDX-License-Identifier: BSD-2-Clause */
/* Names below a DNAME (RFC 6672): what the renamed name has, where that ends, and what does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/answer/answer.h"
#include "dns/zone/image.h"
#include "dns/zone/zone.h"
#include "tests/unit/dns/message_text.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { A = 1, NS = 2, CNAME = 5, MX = 15, TXT = 16, DNAME = 39, ANY = 255 };

/* A target of 220 bytes in wire form: 3 * 64 + 27 + 1. */
#define L63  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define T220 L63 "." L63 "." L63 ".bbbbbbbbbbbbbbbbbbbbbbbbbb"

static const char shop[] = "$TTL 300\n"
                           "@ SOA ns1 root 7 3600 900 604800 60\n"
                           "@ NS ns1\n"
                           "ns1 A 192.0.2.1\n"
                           "d 77 DNAME t\n"
                           "d TXT own\n"
                           "a.t A 192.0.2.10\n"
                           "a.t A 192.0.2.11\n"
                           "m.t MX 7 a.t\n"
                           "c.t CNAME a.t\n"
                           "*.w.t TXT wild\n"
                           "sub.t NS ns.sub.t\n"
                           "ns.sub.t A 192.0.2.30\n"
                           "e 55 DNAME d\n"
                           "out DNAME elsewhere.test.\n"
                           "near DNAME other.test.\n"
                           "r1 DNAME r2\n"
                           "r2 DNAME r1\n"
                           "q CNAME a.d\n"
                           "long DNAME " T220 ".\n";
static const char other[] = "$TTL 60\n@ SOA ns root 1 1 1 1 1\n@ NS ns\nns A 192.0.2.40\n";

static struct image *image;
static char text[65536];
static struct answer_info info;

static void print_report(void *arg, const struct zones_message *m)
{
	(void)arg;
	print_error("%s:%u: %s\n", m->file, m->line, m->text);
}

static void write_zone(const char *path, const char *what)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(what, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
	char dir[] = "/tmp/weir-dname.XXXXXX", paths[2][64];
	const struct zone_source zones[] = { { "shop.test", paths[0] },
		                             { "other.test", paths[1] } };
	const struct zone_input in = { .zones = zones, .n_zones = 2 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (unsigned i = 0; i < 2; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%u", dir, i);
		write_zone(paths[i], i ? other : shop);
	}
	assert_int_equal(zone_compile(&in, print_report, NULL, &image), 0);
	for (unsigned i = 0; i < 2; i++)
		unlink(paths[i]);
	return rmdir(dir);
}

static int tear_down(void **state)
{
	(void)state;
	free(image);
	return 0;
}

/* Ask; @p udp_size 0: without EDNS. @return the answer as text, "|" for the ends of lines */
static const char *send_query(const char *name, unsigned type, unsigned udp_size, bool tcp)
{
	static uint8_t out[ANSWER_MAX];
	const struct answer_env env = { .image = image };
	uint8_t query[512];
	size_t n = query_make(name, (uint16_t)type, query);

	if (udp_size)
		n = query_add_opt(query, n, (uint16_t)udp_size, 0, "", 0);
	const struct answer_query q = { .bytes = query, .length = n, .tcp = tcp };
	size_t got = answer(&env, &q, out, tcp ? sizeof(out) : ANSWER_UDP_MAX, &info, NULL);

	assert_true(got > 0);
	if (!message_text(out, got, text, sizeof(text)))
		fail_msg("answer not well-formed: %s", text);
	for (char *at = text; (at = strchr(at, '\n'));)
		*at = '|';
	return text;
}

#define SOA_    "au shop.test. 60 SOA ns1.shop.test. root.shop.test. 7|"
#define D_      "an d.shop.test. 77 TYPE39 #01740473686f70047465737400|" /* t.shop.test */
#define E_      "an e.shop.test. 55 TYPE39 #01640473686f70047465737400|" /* d.shop.test */
#define A_OF(x) "an " x " 300 A 192.0.2.10|an " x " 300 A 192.0.2.11|"

static const struct {
	const char *why, *name;
	unsigned type;
	const char *expected; /* behind the question */
} cases[] = {
	{ "what the target has", "a.d.shop.test", A,
	  "NOERROR aa|" D_ "an a.d.shop.test. 77 CNAME a.t.shop.test.|" A_OF("a.t.shop.test.") },
	{ "names of the data, too", "m.d.shop.test", MX,
	  "NOERROR aa|" D_ "an m.d.shop.test. 77 CNAME m.t.shop.test.|"
	  "an m.t.shop.test. 300 MX 7 a.t.shop.test.|" },
	{ "the case that was asked for is kept", "A.D.Shop.test", A,
	  "NOERROR aa|an D.Shop.test. 77 TYPE39 #01740473686f70047465737400|"
	  "an A.D.Shop.test. 77 CNAME A.t.shop.test.|" A_OF("A.t.shop.test.") },
	{ "several labels", "x.any.w.d.shop.test", TXT,
	  "NOERROR aa|" D_ "an x.any.w.d.shop.test. 77 CNAME x.any.w.t.shop.test.|"
	  "an x.any.w.t.shop.test. 300 TYPE16 #0477696c64|" },
	{ "an alias there", "c.d.shop.test", A,
	  "NOERROR aa|" D_ "an c.d.shop.test. 77 CNAME c.t.shop.test.|"
	  "an c.t.shop.test. 300 CNAME a.t.shop.test.|" A_OF("a.t.shop.test.") },
	{ "an alias to a name below it", "q.shop.test", A,
	  "NOERROR aa|an q.shop.test. 300 CNAME a.d.shop.test.|" D_
	  "an a.d.shop.test. 77 CNAME a.t.shop.test.|" A_OF("a.t.shop.test.") },
	{ "one behind another", "a.e.shop.test", A,
	  "NOERROR aa|" E_ "an a.e.shop.test. 55 CNAME a.d.shop.test.|" D_
	  "an a.d.shop.test. 77 CNAME a.t.shop.test.|" A_OF("a.t.shop.test.") },
	{ "the alias itself", "a.d.shop.test", CNAME,
	  "NOERROR aa|" D_ "an a.d.shop.test. 77 CNAME a.t.shop.test.|" },
	{ "no data of that type there", "a.d.shop.test", TXT,
	  "NOERROR aa|" D_ "an a.d.shop.test. 77 CNAME a.t.shop.test.|" SOA_ },
	{ "no such name there", "no.d.shop.test", A,
	  "NXDOMAIN aa|" D_ "an no.d.shop.test. 77 CNAME no.t.shop.test.|" SOA_ },
	{ "a delegation there", "x.sub.d.shop.test", A,
	  "NOERROR aa|" D_ "an x.sub.d.shop.test. 77 CNAME x.sub.t.shop.test.|"
	  "au sub.t.shop.test. 300 NS ns.sub.t.shop.test.|"
	  "ad ns.sub.t.shop.test. 300 A 192.0.2.30|" },
	{ "out of all zones", "a.out.shop.test", A,
	  "NOERROR aa|an out.shop.test. 300 TYPE39 #09656c73657768657265047465737400|"
	  "an a.out.shop.test. 300 CNAME a.elsewhere.test.|" },
	{ "into another zone: its resolver asks again", "ns.near.shop.test", A,
	  "NOERROR aa|an near.shop.test. 300 TYPE39 #056f74686572047465737400|"
	  "an ns.near.shop.test. 300 CNAME ns.other.test.|" },
	{ "the owner has what it has", "d.shop.test", TXT,
	  "NOERROR aa|an d.shop.test. 300 TYPE16 #036f776e|" },
	{ "and nothing else", "d.shop.test", A, "NOERROR aa|" SOA_ },
	{ "the record itself", "d.shop.test", DNAME, "NOERROR aa|" D_ },
};

static void a_name_below_is_another_names_alias(void **state)
{
	char expected[4096];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *rest = strchr(cases[i].expected, '|') + 1;

		print_message("  %s\n", cases[i].why);
		snprintf(expected, sizeof(expected), "%.*s? %s. %u|%s",
		         (int)(rest - cases[i].expected), cases[i].expected, cases[i].name,
		         cases[i].type, rest);
		assert_string_equal(send_query(cases[i].name, cases[i].type, 0, false), expected);
		assert_false(info.truncated);
	}
}

/* Round and round it ends, after so many. */
static void a_circle_has_an_end(void **state)
{
	unsigned n = 0;

	(void)state;
	assert_int_equal(strncmp(send_query("x.r1.shop.test", A, 1232, false), "NOERROR aa|", 11),
	                 0);
	for (const char *at = text; (at = strstr(at, " CNAME ")); at++)
		n++;
	assert_in_range(n, 2, ANSWER_ALIASES_MAX + 1);
}

/* The whole has 58 + 2 * 220 bytes and each byte of the first label twice: 512 with 7 of them, 514 with 8. */
static void what_does_not_fit_is_cut_behind_a_whole_record(void **state)
{
	(void)state;
	assert_null(strstr(send_query("xxxxxxx.long.shop.test", A, 0, false), " tc"));
	assert_non_null(strstr(text, "|an xxxxxxx.long.shop.test. 300 CNAME xxxxxxx." L63));
	assert_false(info.truncated);
	assert_non_null(
	        strstr(send_query("xxxxxxxx.long.shop.test", A, 0, false), "NOERROR aa tc|"));
	assert_non_null(strstr(text, "|an long.shop.test. 300 TYPE39 "));
	assert_null(strstr(text, "CNAME"));
	assert_true(info.truncated);
	assert_null(strstr(send_query("xxxxxxxx.long.shop.test", A, 1232, false), " tc"));
	assert_non_null(strstr(text, " CNAME "));
	assert_null(strstr(send_query("xxxxxxxx.long.shop.test", A, 0, true), " tc"));
	assert_non_null(strstr(text, " CNAME "));
}

SUITE(answer_dname)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_below_is_another_names_alias),
		cmocka_unit_test(a_circle_has_an_end),
		cmocka_unit_test(what_does_not_fit_is_cut_behind_a_whole_record),
	};

	return cmocka_run_group_tests_name("answer dname", tests, set_up, tear_down);
}
