/* SPDX-License-Identifier: BSD-2-Clause */
/* Records that the compiler reads itself: the same as ldns reads them. */
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
#include "dns/zone/data.h"
#include "tests/unit/dns/zone_twice.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GOOD     "$TTL 60\n@ SOA ns root 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n" /* four lines */

static void keep_message(void *arg, const struct zones_message *m)
{
	snprintf(arg, 256, "%u: %s", m->line, m->text);
}

/* Compile @p text as zone shop.test, twice. */
static int compile_text(const char *text, char last[256], struct image **out)
{
	char path[32];
	const struct zone_source zone = { "Shop.test", path };
	const struct zone_input in = { .zones = &zone, .n_zones = 1 };
	int fd = memfd_create("zone", MFD_CLOEXEC), err;

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = zone_compile_twice(&in, keep_message, last, out);
	close(fd);
	return err;
}

/* Each form that the compiler reads itself, and what stands beside it and is left to ldns. */
static void records_read_here_are_those_that_ldns_reads(void **state)
{
	static const char zone[] = GOOD
	        "a A 192.0.2.1\nA 300 IN a 192.0.2.2\n\taaaa 2001:DB8::1\nb AAAA ::ffff:192.0.2.1\n"
	        "c IN 5m CNAME A\nC1 class1 CNAME x.Y.Other.\nc2 CNAME @\nc3 CNAME .\nc4 CNAME d\\.e\n"
	        "c5 CNAME *.w\nc6 CNAME 1/2.3\nc7 CNAME a+b\n10 PTR a\n*.w MX 0 .\nm MX 65535 A.b.C\n"
	        "m MX ( 10 ; one\n  mx ) ; two\nm MX 010 mx10\ns.T SRV 0 65535 53 A\n_x._tcp SRV 1 2 3 .\n"
	        "t TXT \"v=DKIM1; k=rsa; (p)\" \"b\"\nt TXT unquoted words\nt TXT \"\"\nt TXT \"a\\034b\"\n"
	        "t TXT  \"blank at the end \"  \nt TXT \"\ttab\"\nt TXT \"\303\244\"\n"
	        "d DNAME e.F.other.\nd2 DNAME rel\ncaa CAA 0 issue \"ca.example; x=y\"\n"
	        "caa CAA 128 issuewild \";\"\ncaa CAA 0 iodef \"mailto:a@b\"\ncaa CAA 1 TBS \"x\"\n"
	        "del NS ns.del\nns.del A 192.0.2.9\ndel2 NS Ns\n$ORIGIN Sub.shop.test.\n@ A 192.0.2.10\n"
	        "x CNAME @\n$ORIGIN deep\ny TXT \"under deep\"\nz 0 HINFO \"a\" \"b\"\n A 192.0.2.11\n"
	        "k SSHFP 1 1 0123456789abcdef0123456789abcdef01234567\n TXT \"of k\"\n";
	struct image *image = NULL;
	char last[256] = "";

	(void)state;
	if (compile_text(zone, last, &image) != 0)
		fail_msg("%s", last);
	free(image);
}

/* Lines with mistakes, and some that ldns lets pass: never taken for something else here. */
static void doubtful_lines_are_judged_as_ldns_judges_them(void **state)
{
	static const char *const lines[] = {
		"a A 192.0.2.01",
		"a A 192.0.2",
		"a A 192.0.2.1 x",
		"a A",
		"a AAAA :::",
		"a AAAA 1::2::3",
		"a AAAA ::1 ::2",
		"a MX mx",
		"a MX 65536 mx",
		"a MX -1 mx",
		"a MX 1 mx more",
		"a MX 1",
		"a CNAME b..c",
		"a CNAME .b",
		"a CNAME b c",
		"a CNAME",
		"a SRV 1 2 3",
		"a SRV 1 2 65536 b",
		"a TXT",
		"a TXT \"a\"b",
		"a CAA 0 issue",
		"a CAA 256 issue \"x\"",
		"a CAA 0 is-sue \"x\"",
		"a..b A 192.0.2.1",
		"a PTR",
		"b.other. A 192.0.2.1",
		"a DNAME b c",
		"a SOA a b 1 1 1 1",
		"a SRV 1 2 3 b c",
		"a TXT \"a\"\"b\"",
		"a TXT a\"b\"",
		"a CAA ( 0 issue \"x\" )",
		"a TXT b\\ ",
	};
	char text[1024], label[65];
	struct image *image;
	char last[256];

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		image = NULL;
		snprintf(text, sizeof(text), GOOD "%s\n", lines[i]);
		(void)compile_text(text, last, &image); /* compares */
		free(image);
	}
	for (int n = 62; n <= 64; n++) { /* labels, and names of 244 to 260 bytes */
		memset(label, 'x', sizeof(label));
		label[n] = '\0';
		for (int rest = 40; rest < 64; rest++) {
			image = NULL;
			snprintf(text, sizeof(text),
			         GOOD "%s.%s.%s.%.*s A 192.0.2.1\na CNAME %s.%s.%s.%.*s.\n", label,
			         label, label, rest, label, label, label, label, rest, label);
			(void)compile_text(text, last, &image); /* compares */
			free(image);
		}
	}
}

/* What is left to ldns would be slow, and cost the memory that ldns does not check. */
static void common_records_are_read_here(void **state)
{
	static const struct {
		const char *type, *text;
		bool taken;
	} cases[] = {
		{ "A", "192.0.2.1", true },
		{ "a", " 192.0.2.1 ", true },
		{ "AAAA", "2001:db8::1", true },
		{ "CNAME", "www.other.", true },
		{ "NS", "ns1", true },
		{ "PTR", "@", true },
		{ "DNAME", "other.", true },
		{ "MX", "10 mx", true },
		{ "SRV", "0 5 443 www", true },
		{ "SOA", "ns root 1 2 3 4 5", true },
		{ "TXT", "\"v=spf1 -all\"", true },
		{ "TXT", "\"v=DKIM1; p=\" \"abc\"", true },
		{ "CAA", "0 issue \"ca.example\"", true },
		{ "A", "192.0.2.256", false },
		{ "MX", "10", false },
		{ "SOA", "ns root 1 1h 3 4 5", false },
		{ "TXT", "\"a\\\"b\"", false },
		{ "CNAME", "a\\.b", false },
	};
	static struct zone_data data;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint16_t type = zone_data_type(cases[i].type);

		print_message("  %s %s\n", cases[i].type, cases[i].text);
		assert_int_not_equal(type, 0);
		assert_int_equal(zone_data_read(type, cases[i].text, &data), cases[i].taken);
	}
	assert_int_equal(zone_data_type("SSHFP"), 0);
	assert_int_equal(zone_data_type("AA"), 0);
}

SUITE(zone_data)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_read_here_are_those_that_ldns_reads),
		cmocka_unit_test(doubtful_lines_are_judged_as_ldns_judges_them),
		cmocka_unit_test(common_records_are_read_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
