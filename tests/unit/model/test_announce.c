/* SPDX-License-Identifier: BSD-2-Clause */
/* What a node may announce to routers: each rule just kept, and just broken. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define A106                                                                                       \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"                                    \
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define A107 A106 "c"

static const struct announcing_case {
	const char *why, *dns_listen;           /* NULL: 192.0.2.53 alone */
	const char *settings, *field, *message; /* NULL: it is taken */
} announcements[] = {
	{ "nothing said", NULL, "", NULL, NULL },
	{ "all said", NULL,
	  "daemon = \"frr\"; table = 252; gshut_table = 1; vips = [ \"shop-ams\", \"any\" ]; dns = [ \"192.0.2.53\" ]; socket = \"/run/frr/bgpd.vty\";",
	  NULL, NULL },
	{ "no VIPs", NULL, "daemon = \"bird\"; vips = [ ];", NULL, NULL },
	{ "tables the other way round", NULL, "table = 178; gshut_table = 177;", NULL, NULL },
	{ "one table for both kinds", NULL, "table = 178;", "gshut_table",
	  "is 178, as table is; expected another table" },
	{ "the same, by the other setting", NULL, "gshut_table = 177;", "gshut_table",
	  "is 177, as table is; expected another table" },
	{ "a table of the kernel's own", NULL, "table = 253;", "table",
	  "found 253, expected 1..252" },
	{ "no table", NULL, "gshut_table = 0;", "gshut_table", "found 0, expected 1..252" },
	{ "a daemon that Weir does not know", NULL, "daemon = \"birrd\";", "daemon",
	  "found \"birrd\", expected one of none|bird|frr (did you mean \"bird\"?)" },
	{ "another site's VIP", NULL, "vips = [ \"shop-ams\", \"shop-fra\" ];", "vips[1]",
	  "VIP \"shop-fra\" is at site \"fra\", expected one at \"ams\", the node's site" },
	{ "a VIP of two other sites", NULL, "vips = [ \"far\", \"any\" ];", "vips[0]",
	  "VIP \"far\" is at site \"fra\" and others, expected one at \"ams\", the node's site" },
	{ "a VIP that is not there", NULL, "vips = [ \"shop-asm\" ];", "vips[0]",
	  "there is no \"shop-asm\" in vips (did you mean \"shop-ams\"?)" },
	{ "a VIP twice", NULL, "vips = [ \"shop-ams\", \"any\", \"shop-ams\" ];", "vips[2]",
	  "\"shop-ams\" is given twice" },
	{ "a number for a VIP", NULL, "vips = [ 1 ];", "vips[0]",
	  "found 1, expected a name of a-z" },
	{ "a name for a list", NULL, "vips = \"shop-ams\";", "vips",
	  "found \"shop-ams\", expected a list of names [ \"...\", ... ]" },
	{ "all of dns_listen, in another order", "[ \"192.0.2.53\", \"2001:db8::53\" ]",
	  "dns = [ \"2001:db8::53\", \"192.0.2.53\" ];", NULL, NULL },
	{ "somebody else's DNS address", NULL, "dns = [ \"192.0.2.53\", \"192.0.2.54\" ];",
	  "dns[1]", "192.0.2.54 is not an address of the node's dns_listen" },
	{ "a DNS address twice", NULL, "dns = [ \"192.0.2.53\", \"192.0.2.53\" ];", "dns[1]",
	  "192.0.2.53 is given twice" },
	{ "a VIP's address for DNS", "[ \"2001:db8:1::10\" ]", "dns = [ \"2001:db8:1::10\" ];",
	  "dns[0]",
	  "2001:db8:1::10 is an address of VIP \"shop-ams\", which is announced by its own rules; leave it out here" },
	{ "a socket without its folder", NULL, "socket = \"bird.ctl\";", "socket",
	  "found \"bird.ctl\", expected an absolute path" },
	{ "an empty path", NULL, "socket = \"\";", "socket",
	  "found \"\", expected the path of a file" },
	{ "the longest path", NULL, "socket = \"/" A106 "\";", NULL, NULL },
	{ "a path that is too long", NULL, "socket = \"/" A107 "\";", "socket",
	  "has 108 bytes, expected 1..107" },
	{ "a misspelt setting", NULL, "deamon = \"bird\";", "deamon",
	  "there is no such setting (did you mean \"daemon\"?)" },
};

/* Read the small configuration, where node "ams-1" announces; there are VIPs of two sites, too. */
static int read_announcing(const char *dns_listen, const char *settings, const char *more_vips,
                           struct model **m, struct model_errors *errors)
{
	char announce[512], vips[512];
	char *sites, *all, *listen, *text;

	snprintf(announce, sizeof(announce), "%s; announce = { %s }",
	         dns_listen ? dns_listen : "[ \"192.0.2.53\" ]", settings);
	snprintf(
	        vips, sizeof(vips),
	        "vips = (\n { name = \"any\"; sites = [ \"fra\", \"ams\" ]; addresses = [ "
	        "\"192.0.2.1\" ]; }, { name = \"far\"; sites = [ \"fra\", \"par\" ]; addresses = [ "
	        "\"192.0.2.2\" ]; },%s",
	        more_vips ? "\nMORE" : "\n");
	sites = fixture_edit(fixture_config, "sites = (", "sites = ( { name = \"par\"; },");
	all = fixture_edit(sites, "vips = (\n", vips);
	listen = fixture_edit(all, "[ \"192.0.2.53\" ]", announce);
	text = more_vips ? fixture_edit(listen, "MORE", more_vips) : strdup(listen);
	int err = model_read_text(text, strlen(text), "weir.conf", fixture_path("."), NULL, m,
	                          errors);
	free(sites);
	free(all);
	free(listen);
	free(text);
	return err;
}

/* Exactly one error, at the node's line and the right field. */
static bool is_right(int err, const struct model_errors *errors, const struct announcing_case *a)
{
	char field[64];

	snprintf(field, sizeof(field), "nodes[0].announce.%s", a->field ? a->field : "");
	if (!a->field)
		return err == 0;
	return err == -EINVAL && errors->n_total == 1 && errors->items[0].line == 8 &&
	       !strcmp(errors->items[0].field, field) &&
	       strstr(errors->items[0].message, a->message);
}

static void check_announcement(const struct announcing_case *a, const char *more_vips)
{
	struct model_errors errors;
	struct model *m = NULL;
	int err = read_announcing(a->dns_listen, a->settings, more_vips, &m, &errors);

	print_message("  %s\n", a->why);
	for (size_t k = 0; k < errors.n_items && !is_right(err, &errors, a); k++)
		print_message("    %u: %s: %s\n", errors.items[k].line, errors.items[k].field,
		              errors.items[k].message);
	assert_true(is_right(err, &errors, a));
	model_errors_free(&errors);
	model_free(m);
}

static void each_announcement_is_taken_or_has_one_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(announcements); i++)
		check_announcement(&announcements[i], NULL);
}

/* 4,093 addresses and three of the small configuration make 4,096: they are not those of far. */
/* The first node's is no group. */
static void the_second_node_is_checked_as_the_first(void **state)
{
	struct model_errors errors;
	struct model *m = NULL;
	char *first = fixture_edit(fixture_config, "[ \"192.0.2.53\" ]",
	                           "[ \"192.0.2.53\" ]; announce = 1");
	char *text = fixture_edit(
	        first, "\"10.2.255.0/24\", \"fd00:2:ff::/64\" ]; }",
	        "\"10.2.255.0/24\", \"fd00:2:ff::/64\" ]; announce = { table = 178; }; }");

	(void)state;
	assert_int_equal(model_read_text(text, strlen(text), "weir.conf", fixture_path("."), NULL,
	                                 &m, &errors),
	                 -EINVAL);
	assert_int_equal(errors.n_total, 2);
	assert_string_equal(errors.items[0].field, "nodes[0].announce");
	assert_string_equal(errors.items[1].field, "nodes[1].announce.gshut_table");
	model_errors_free(&errors);
	free(first);
	free(text);
}

static void a_node_announces_4096_addresses_and_no_more(void **state)
{
	static const struct announcing_case cases[] = {
		{ "all", NULL, "daemon = \"bird\";", NULL, NULL },
		{ "and one of DNS", NULL, "daemon = \"bird\"; dns = [ \"192.0.2.53\" ];", "vips",
		  "have 4097 addresses with those of dns, expected at most 4096" },
		{ "without a daemon", NULL, "dns = [ \"192.0.2.53\" ];", NULL, NULL },
		{ "some", NULL,
		  "daemon = \"frr\"; dns = [ \"192.0.2.53\" ]; vips = [ \"x1\", \"any\" ];", NULL,
		  NULL },
	};
	char *vips = NULL;
	size_t size;
	FILE *f = open_memstream(&vips, &size);

	(void)state;
	assert_non_null(f);
	for (int i = 0; i < 4093; i++) {
		if (i % 16 == 0)
			fprintf(f, "{ name = \"x%d\"; site = \"ams\"; addresses = [", i / 16);
		fprintf(f, "%s \"10.7.%d.%d\"", i % 16 ? "," : "", i / 256, i % 256);
		if (i % 16 == 15 || i == 4092)
			fputs(" ]; },\n", f);
	}
	assert_int_equal(fclose(f), 0);
	for (size_t i = 0; i < COUNT(cases); i++)
		check_announcement(&cases[i], vips);
	free(vips);
}

SUITE(announce)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_announcement_is_taken_or_has_one_error),
		cmocka_unit_test(the_second_node_is_checked_as_the_first),
		cmocka_unit_test(a_node_announces_4096_addresses_and_no_more),
	};

	return cmocka_run_group_tests_name("announce", tests, fixture_setup, fixture_teardown);
}
