/* SPDX-License-Identifier: BSD-2-Clause */
/* A zone file's records as they are compared with those of another version, and its serial. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/zones.h"

#define MOST 64

struct listed {
	unsigned n;
	struct zones_record items[MOST];
};

static char dir[32];

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-zones-list.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static const char *write_file(const char *name, const char *text)
{
	static char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	return path;
}

static void add_record(void *arg, const struct zones_record *r)
{
	struct listed *l = arg;

	assert_true(l->n < MOST);
	l->items[l->n++] = *r;
}

static struct listed list_zone(const char *zone, const char *text)
{
	struct listed l = { 0 };

	assert_int_equal(zones_list(zone, write_file("zone", text), add_record, &l), 0);
	return l;
}

static struct listed list_text(const char *text)
{
	return list_zone("shop.test", text);
}

/* The only record of @p text. */
static struct zones_record only_record(const char *text)
{
	struct listed l = list_text(text);

	assert_int_equal(l.n, 1);
	return l.items[0];
}

#define SAME_SET  1u
#define SAME_DATA 2u

static void what_says_the_same_is_the_same_however_it_is_written(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned same;
	} cases[] = {
		{ "www A 192.0.2.1\n", "www.shop.test. A 192.0.2.1\n", SAME_SET | SAME_DATA },
		{ "www A 192.0.2.1\n", "WWW.Shop.TEST. A 192.0.2.1\n", SAME_SET | SAME_DATA },
		{ "www A 192.0.2.1\n", "www 300 IN A 192.0.2.1\n", SAME_SET | SAME_DATA },
		{ "www A 192.0.2.1\n", "www in 1h30m a 192.0.2.1\n", SAME_SET | SAME_DATA },
		{ "www A 192.0.2.1\n", "www CH A 192.0.2.1\n", SAME_SET | SAME_DATA },
		{ "www A 192.0.2.1\n", "www 5 hs A 192.0.2.1\n", SAME_SET | SAME_DATA },
		{ "www A 192.0.2.1\n", "www 300 IN\nwww A 192.0.2.1\n", SAME_SET | SAME_DATA },
		{ "www A 192.0.2.1\n", "www   A\t( 192.0.2.1 ) ; why\n", SAME_SET | SAME_DATA },
		{ "www A 192.0.2.1\n", "www\t\tA \t\t 192.0.2.1\t \r\n", SAME_SET | SAME_DATA },
		{ "a\\ b A 192.0.2.1\n", "A\\ B.Shop.test. A 192.0.2.1\n", SAME_SET | SAME_DATA },
		{ "www TXT \"a b\" c\n", "www TXT   \"a b\"\t c\n", SAME_SET | SAME_DATA },
		{ "@ A 192.0.2.1\n", "shop.test. A 192.0.2.1\n", SAME_SET | SAME_DATA },
		{ "$ORIGIN sub\nwww A 192.0.2.1\n", "www.sub A 192.0.2.1\n", SAME_SET },
		{ "www A 192.0.2.1\n", "www A 192.0.2.2\n", SAME_SET },
		{ "www A 192.0.2.1\n", "web A 192.0.2.1\n", SAME_DATA },
		{ "www A 192.0.2.1\n", "www AAAA 192.0.2.1\n", SAME_DATA },
		{ "www A 192.0.2.1\n", "www.shop.test A 192.0.2.1\n", SAME_DATA },
		{ "mx MX 10 a\n", "mx MX 1 0 a\n", SAME_SET },
		/* a blank inside quotes or behind a backslash is data */
		{ "www TXT \"a b\"\n", "www TXT \"a  b\"\n", SAME_SET },
		{ "www TXT \"a b\"\n", "www TXT \"a\tb\"\n", SAME_SET },
		{ "www TXT \"a\tb\"\n", "www TXT \"a\t\tb\"\n", SAME_SET },
		{ "www TXT \"a b\"\n", "www TXT \" a b\"\n", SAME_SET },
		{ "www TXT \"a b\"\n", "www TXT \"a\" \"b\"\n", SAME_SET },
		{ "www TXT \"a\\\" b\"\n", "www TXT \"a\\\"  b\"\n", SAME_SET },
		{ "www TXT a\\ b\n", "www TXT a\\  b\n", SAME_SET },
		{ "www A 192.0.2.1\n", "w\\ ww A 192.0.2.1\n", SAME_DATA },
		/* the name that the data means is another one */
		{ "www.shop.test. CNAME a\n", "$ORIGIN sub\nwww.shop.test. CNAME a\n", SAME_SET },
		{ "a.b A 192.0.2.1\n", "$ORIGIN b.shop.test.\na A 192.0.2.1\n", SAME_SET },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct zones_record a = only_record(cases[i].a), b = only_record(cases[i].b);

		if ((a.rrset == b.rrset) != ((cases[i].same & SAME_SET) != 0) ||
		    (a.data == b.data) != ((cases[i].same & SAME_DATA) != 0))
			fail_msg("%s%s", cases[i].a, cases[i].b);
	}
}

static void an_owner_that_is_left_out_is_the_one_before(void **state)
{
	struct listed l = list_text("www A 192.0.2.1\n\tAAAA 2001:db8::1\n  60 IN A 192.0.2.2\n"
	                            "\nweb AAAA 2001:db8::1\n");

	(void)state;
	assert_int_equal(l.n, 4);
	assert_true(l.items[1].rrset == only_record("www AAAA 2001:db8::1\n").rrset);
	assert_true(l.items[2].rrset == l.items[0].rrset);
	assert_true(l.items[3].rrset != l.items[1].rrset);
}

/* What says nothing changes nothing: it is the check's to report. */
static void half_a_directive_is_passed_over(void **state)
{
	static const char *const halves[] = {
		"$ORIGIN\n",          "$INCLUDE\n",       "$\n",         "$TTL\n",
		"$INCLUDE missing\n", "$ORIGIN ; none\n", "$TTL part\n", "$ORIGINS part\n"
	};

	(void)state;
	(void)write_file("part", "part A 192.0.2.7\n");
	for (size_t i = 0; i < sizeof(halves) / sizeof(halves[0]); i++) {
		char text[128];

		snprintf(text, sizeof(text), "%swww A 192.0.2.1\n", halves[i]);
		assert_true(only_record(text).rrset == only_record("www A 192.0.2.1\n").rrset);
		assert_true(only_record(text).data == only_record("www A 192.0.2.1\n").data);
	}
}

static void what_is_special_of_a_zone_is_marked(void **state)
{
	struct listed l =
	        list_text("@ SOA ns root 1 2 3 4 5\n NS ns\nsub NS ns.sub\nshop.test. ns b\n"
	                  "soa A 192.0.2.1\n");

	(void)state;
	assert_int_equal(l.n, 5);
	for (unsigned i = 0; i < l.n; i++) {
		assert_int_equal(l.items[i].is_soa, i == 0);
		assert_int_equal(l.items[i].is_apex_ns, i == 1 || i == 3);
	}
	l = list_zone("Shop.Test.", "@ NS a\nshop.test. NS b\n");
	assert_true(l.items[0].is_apex_ns && l.items[1].is_apex_ns);
	l = list_zone(".", "@ NS a\n");
	assert_true(l.items[0].is_apex_ns);
}

static void a_file_that_is_included_has_its_own_origin(void **state)
{
	struct listed l;

	(void)state;
	write_file("part", "in A 192.0.2.1\n$ORIGIN deep\nin A 192.0.2.1\n");
	l = list_text("$INCLUDE part sub\nout A 192.0.2.1\n");
	assert_int_equal(l.n, 3);
	assert_true(l.items[0].rrset == only_record("in.sub A 192.0.2.1\n").rrset);
	assert_true(l.items[1].rrset == only_record("in.deep.sub A 192.0.2.1\n").rrset);
	assert_true(l.items[2].rrset == only_record("out A 192.0.2.1\n").rrset);
	l = list_text("$INCLUDE \"part\" sub\nout A 192.0.2.1\n"); /* as the zone is read */
	assert_int_equal(l.n, 3);
	assert_true(l.items[0].rrset == only_record("in.sub A 192.0.2.1\n").rrset);
	l = list_text("$ORIGIN other\n$include part\nout A 192.0.2.1\n");
	assert_int_equal(l.n, 3);
	assert_true(l.items[0].rrset == only_record("in.other A 192.0.2.1\n").rrset);
	assert_true(l.items[2].rrset == only_record("out.other A 192.0.2.1\n").rrset);
	l = list_text(
	        "$INCLUDE missing sub\nout A 192.0.2.1\n"); /* which is the check's to report */
	assert_int_equal(l.n, 1);
	assert_true(l.items[0].rrset == only_record("out A 192.0.2.1\n").rrset);
}

static void a_name_of_any_length_harms_no_other(void **state)
{
	char text[4096];
	struct zones_record www = only_record("www A 192.0.2.1\n");

	(void)state;
	for (size_t n = 990; n < 1100; n++)
		for (unsigned whole = 0; whole < 2; whole++) {
			memset(text, 'a', n);
			strcpy(text + n, whole ? ". A 192.0.2.1\nwww A 192.0.2.1\n"
			                       : " A 192.0.2.1\nwww A 192.0.2.1\n");
			struct listed l = list_text(text);

			assert_int_equal(l.n, 2);
			assert_true(l.items[1].rrset == www.rrset && l.items[1].data == www.data);
		}
}

static void the_serial_is_that_of_the_first_soa(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint32_t serial;
	} cases[] = {
		{ "@ SOA ns root 7 2 3 4 5\n", 0, 7 },
		{ "$TTL 60\nwww A 192.0.2.1\n@ 60 IN SOA ns root (\n 2026010101 ; serial\n 2 3 4 5 )\n",
		  0, 2026010101 },
		{ "@ soa ns root 4294967295 2 3 4 5\n", 0, 4294967295 },
		{ "@ SOA ns root 1 2 3 4 5\n@ SOA ns root 9 2 3 4 5\n", 0, 1 },
		{ "www A 192.0.2.1\n", -ENOENT, 3 },
		{ "@ SOA ns root\n", -ENOENT, 3 },
		{ "", -ENOENT, 3 },
		{ "www TXT a b 5\n@ SOA ns root 8 2 3 4 5\n", 0, 8 },
		{ "www A )\n@ SOA ns root 8 2 3 4 5\n", -EINVAL, 3 },
	};
	uint32_t serial;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		serial = 3;
		assert_int_equal(
		        zones_serial("shop.test", write_file("zone", cases[i].text), &serial),
		        cases[i].err);
		assert_int_equal(serial, cases[i].serial);
	}
	assert_int_equal(zones_serial("shop.test", "/nonexistent/zone", &serial), -ENOENT);
	assert_int_equal(zones_list("shop.test", "/nonexistent/zone", add_record, NULL), -ENOENT);
}

SUITE(zones_list)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_says_the_same_is_the_same_however_it_is_written),
		cmocka_unit_test(an_owner_that_is_left_out_is_the_one_before),
		cmocka_unit_test(half_a_directive_is_passed_over),
		cmocka_unit_test(what_is_special_of_a_zone_is_marked),
		cmocka_unit_test(a_file_that_is_included_has_its_own_origin),
		cmocka_unit_test(a_name_of_any_length_harms_no_other),
		cmocka_unit_test(the_serial_is_that_of_the_first_soa),
	};

	return cmocka_run_group_tests_name("zones list", tests, set_up, tear_down);
}
