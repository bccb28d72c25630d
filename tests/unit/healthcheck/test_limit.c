/* SPDX-License-Identifier: BSD-2-Clause */
/* As many targets as the health page has room for: what a document may ask for is what weir-health takes, to the target. */
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
#include "healthcheck/target.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define N_SITES  16u
#define N_FULL   2048u /* services at all sites, with an address of each family: 65,536 targets */

struct large {
	const char *why;
	unsigned n_services;
	const char *check;        /* in the check of the pools */
	const char *more, *first; /* in each service; in its entry of the first site */
	unsigned n_own,
	        n_far; /* checked backends of the first and the second site, besides pools without a check */
	size_t n_targets; /* of a node of the first site; 0: refused */
	const char *message;
};

#define ALL_SITES                                                                                  \
	"have 65568 addresses of VIPs at their sites, one of each family, expected at most 65536"
#define FIRST_SITE                                                                                 \
	"and pools give a node of site \"s0\" 65537 targets of checks, expected at most 65536"
#define NO_CHECK "vip_check = \"none\";"
#define BACKUP   "backup = \"far\"; backup_max = { new_flows = \"1k/s\"; bits = \"1Gbit\"; };"

static const struct large cases[] = {
	{ "full of VIPs", N_FULL, "", "", "", 0, 0, 65536, NULL },
	{ "one service more", N_FULL + 1, "", "", "", 0, 0, 0, ALL_SITES },
	{ "peers' pages have all VIPs", N_FULL + 1, "", NO_CHECK, "", 0, 0, 0, ALL_SITES },
	{ "full with backends", N_FULL - 1, "", "", "", 32, 1, 65536, NULL },
	{ "a backend more", N_FULL - 1, "", "", "", 33, 0, 0, FIRST_SITE },
	{ "a backup's backend more", N_FULL - 1, "", "", BACKUP, 32, 1, 0, FIRST_SITE },
	{ "a backup counts once", N_FULL - 1, "", "", BACKUP, 31, 1, 65536, NULL },
	{ "no tunnel without a VIP", N_FULL - 1, "via = \"tunnel\";", "", "", 33, 0, 65504, NULL },
	{ "what is not probed leaves room", N_FULL, "", NO_CHECK, "", 33, 0, 2 * N_FULL + 33,
	  NULL },
};

static void write_backends(FILE *f, const char *pool, unsigned site, unsigned n)
{
	if (n)
		fprintf(f, ",\n { name = \"%s\"; site = \"s%u\"; check = \"c\"; backends = (", pool,
		        site);
	for (unsigned i = 0; i < n; i++)
		fprintf(f, "%s { name = \"b%u\"; address = \"10.20%u.1.%u\"; }", i ? "," : "", i,
		        site, i + 1);
	if (n)
		fputs(" ); }", f);
}

static void write_sites(FILE *f, const struct large *c)
{
	fprintf(f,
	        "schema = 1; cluster = { name = \"t\"; hash_key_file = \"hash.key\"; hash_key_id = \"k\"; };\n"
	        "limits = { services = 8192; };\n"
	        "checks = ( { name = \"c\"; type = \"tcp\"; %s } );\nsites = (",
	        c->check);
	for (unsigned i = 0; i < N_SITES; i++)
		fprintf(f, "%s { name = \"s%u\"; }", i ? "," : "", i);
	fputs(" );\nnodes = ( { name = \"n0\"; site = \"s0\"; ports = ( { interface = \"lo\"; } );\n"
	      "  tunnel_source = [ \"10.1.255.0/24\" ]; } );\npools = (",
	      f);
	for (unsigned i = 0; i < N_SITES; i++)
		fprintf(f,
		        "%s\n { name = \"p%u\"; site = \"s%u\"; backends = ( { name = \"b\"; address = \"10.%u.1.1\"; } ); }",
		        i ? "," : "", i, i, i + 2);
	write_backends(f, "own", 0, c->n_own);
	write_backends(f, "far", 1, c->n_far);
	fputs(" );\nvips = (", f);
	for (unsigned i = 0; i < N_SITES; i++)
		fprintf(f,
		        "%s\n { name = \"v%u\"; site = \"s%u\"; addresses = [ \"203.0.113.%u\", \"2001:db8::%u\" ]; }",
		        i ? "," : "", i, i, i + 1, i + 1);
	fputs(" );\n", f);
}

static struct model *read_large(const struct large *c, struct model_errors *errors)
{
	struct model *m = NULL;
	FILE *f = fopen(fixture_path("weir.conf"), "w");

	assert_non_null(f);
	write_sites(f, c);
	fputs("services = (", f);
	for (unsigned i = 0; i < c->n_services; i++) {
		fprintf(f, "%s\n { name = \"w%u\"; protocol = \"tcp\"; port = %u; %s at = (",
		        i ? "," : "", i, i + 1, c->more);
		for (unsigned k = 0; k < N_SITES; k++)
			fprintf(f, "%s { site = \"s%u\"; vip = \"v%u\"; pool = \"p%u\"; %s }",
			        k ? "," : "", k, k, k, k ? "" : c->first);
		fputs(" ); }", f);
	}
	fputs(" );\n", f);
	fclose(f);
	model_read_config(fixture_path("weir.conf"), "n0", &m, errors);
	return m;
}

static void a_document_may_ask_for_what_the_page_has_room_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct model_errors errors;
		struct model *m = read_large(&cases[i], &errors);
		struct targets *t = NULL;

		print_message("  %s\n", cases[i].why);
		for (size_t k = 0; k < errors.n_items && k < 3; k++)
			print_message("    %s: %s\n", errors.items[k].field,
			              errors.items[k].message);
		assert_int_equal(m != NULL, cases[i].n_targets != 0);
		if (m) {
			assert_int_equal(targets_new(m, &t), 0);
			assert_int_equal(t->n + t->n_derived, cases[i].n_targets);
			targets_free(t);
		} else {
			assert_int_equal(errors.n_items, 1);
			assert_string_equal(errors.items[0].field, "services");
			assert_string_equal(errors.items[0].message, cases[i].message);
		}
		model_errors_free(&errors);
	}
}

SUITE(limit)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_may_ask_for_what_the_page_has_room_for),
	};

	return cmocka_run_group_tests_name("limit", tests, fixture_setup, fixture_teardown);
}
