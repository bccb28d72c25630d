/* SPDX-License-Identifier: BSD-2-Clause */
/* Who looks at a service's VIPs by default, and how many sites and nodes a document may have. */
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

/*
 * A service at @p n_sites sites, and @p n_nodes nodes spread over them; @p more stands in the
 * service.
 */
static char *make_config(unsigned n_sites, unsigned n_nodes, unsigned n_at, const char *more)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	fputs("schema = 1; cluster = { name = \"t\"; hash_key_file = \"hash.key\"; hash_key_id = \"k\"; };\n"
	      "sites = (",
	      f);
	for (unsigned i = 0; i < n_sites; i++)
		fprintf(f, "%s { name = \"s%u\"; }", i ? "," : "", i);
	fputs(" );\nnodes = (", f);
	for (unsigned i = 0; i < n_nodes; i++)
		fprintf(f,
		        "%s { name = \"n%u\"; site = \"s%u\"; ports = ( { interface = \"eth1\"; } ); "
		        "tunnel_source = [ \"10.%u.255.0/24\" ]; }",
		        i ? "," : "", i, i % n_sites, i);
	fputs(" );\nchecks = ( { name = \"web\"; type = \"tcp\"; interval = \"2s\"; } );\npools = (",
	      f);
	for (unsigned i = 0; i < n_sites; i++)
		fprintf(f,
		        "%s { name = \"p%u\"; site = \"s%u\"; backends = ( { name = \"b\"; address = "
		        "\"10.%u.1.1\"; } ); }",
		        i ? "," : "", i, i, i);
	fputs(" );\nvips = (", f);
	for (unsigned i = 0; i < n_sites; i++)
		fprintf(f,
		        "%s { name = \"v%u\"; site = \"s%u\"; addresses = [ \"203.0.113.%u\", \"2001:db8::%u\" ]; }",
		        i ? "," : "", i, i, i + 1, i + 1);
	fprintf(f, " );\nservices = ( { name = \"web\"; port = 80; %s at = (", more);
	for (unsigned i = 0; i < n_at; i++)
		fprintf(f, "%s { site = \"s%u\"; vip = \"v%u\"; pool = \"p%u\"; }", i ? "," : "",
		        i % n_sites, i % n_sites, i % n_sites);
	fputs(" ); } );\n", f);
	fclose(f);
	return text;
}

/* Takes @p text. */
static struct model *read_config(char *text, struct model_errors *errors)
{
	struct model *m = NULL;

	fixture_write_text("weir.conf", text);
	free(text);
	model_read_config(fixture_path("weir.conf"), NULL, &m, errors);
	for (size_t i = 0; i < errors->n_items; i++)
		print_message("    %s: %s\n", errors->items[i].field, errors->items[i].message);
	return m;
}

static const struct {
	const char *why;
	unsigned n_at;
	const char *more;
	enum model_vip_check from;
	uint32_t interval_ms; /* 0: there is no check */
	bool unwatched;
} cases[] = {
	{ "TCP at two sites", 2, "protocol = \"tcp\";", MODEL_VIP_CHECK_DEFAULT, 1000, false },
	{ "TCP at one site", 1, "protocol = \"tcp\";", MODEL_VIP_CHECK_ABSENT, 0, false },
	{ "UDP at two sites", 2, "protocol = \"udp\";", MODEL_VIP_CHECK_ABSENT, 0, true },
	{ "none", 2, "protocol = \"tcp\"; vip_check = \"none\";", MODEL_VIP_CHECK_OFF, 0, true },
	{ "given", 2, "protocol = \"tcp\"; vip_check = \"web\";", MODEL_VIP_CHECK_GIVEN, 2000,
	  false },
	{ "given for UDP", 2, "protocol = \"udp\"; vip_check = \"web\";", MODEL_VIP_CHECK_GIVEN,
	  2000, false },
};

static void assert_case(const struct model *m, size_t i)
{
	const struct model_service *s = model_service(m, "web");

	assert_non_null(s);
	assert_int_equal(s->vip_check_from, cases[i].from);
	assert_int_equal(s->vip_check ? s->vip_check->interval_ms : 0, cases[i].interval_ms);
	assert_int_equal(model_service_is_unwatched(s), cases[i].unwatched);
}

static void tcp_at_several_sites_is_checked_unless_none_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct model_errors errors;
		struct model *m =
		        read_config(make_config(2, 2, cases[i].n_at, cases[i].more), &errors);
		struct model *again = NULL;

		print_message("  %s\n", cases[i].why);
		assert_non_null(m);
		assert_case(m, i);
		model_errors_free(&errors);
		assert_int_equal(model_write_effective(m, fixture_path("effective.conf")), 0);
		model_free(m);
		assert_int_equal(
		        model_read_effective(fixture_path("effective.conf"), "n0", &again, &errors),
		        0);
		assert_case(again, i);
		model_free(again);
		model_errors_free(&errors);
	}
}

static void the_default_connects_each_second_and_three_failures_are_a_death(void **state)
{
	const struct model_check *c = &model_default_vip_check;
	(void)state;

	assert_int_equal(c->type, MODEL_CHECK_TCP);
	assert_int_equal(c->interval_ms, 1000);
	assert_int_equal(c->timeout_ms, 1000);
	assert_int_equal(c->fall, 3);
	assert_int_equal(c->port, 0);
	assert_true(c->detect_worst_ms <= 4000);
}

static void no_check_is_called_none_and_no_other_word_turns_one_off(void **state)
{
	struct model_errors errors;
	char *text = make_config(2, 2, 2, "protocol = \"tcp\"; vip_check = \"none\";");
	char *name = strstr(text, "\"web\"; type"), *other = NULL;
	(void)state;

	assert_true(asprintf(&other, "%.*s\"none\"%s", (int)(name - text), text, name + 5) > 0);
	free(text);
	struct model *m = read_config(other, &errors);

	assert_null(m);
	assert_non_null(strstr(errors.items[0].message, "\"none\" means no check"));
	model_errors_free(&errors);
	m = read_config(make_config(2, 2, 2, "protocol = \"tcp\"; vip_check = \"nine\";"), &errors);
	assert_null(m);
	assert_int_equal(errors.n_total, 1);
	model_errors_free(&errors);
}

static void probes_are_those_of_all_nodes_of_other_sites(void **state)
{
	struct model_errors errors;
	struct model *m = read_config(make_config(3, 6, 3, "protocol = \"tcp\";"), &errors);
	uint64_t milli_per_s;
	(void)state;

	assert_non_null(m);
	assert_int_equal(model_probes(m, &m->vips[0], &milli_per_s), 4);
	assert_int_equal(milli_per_s, 8000); /* two families, one a second each */
	model_free(m);
	model_errors_free(&errors);
}

/* The first site's VIP lives at the first two sites, and the others have their own. */
static struct model *read_shared(unsigned n_at, const char *more, struct model_errors *errors)
{
	char *text = make_config(3, 6, n_at, more);
	char *sites =
	        fixture_edit(text, "\"v0\"; site = \"s0\";", "\"v0\"; sites = [ \"s1\", \"s0\" ];");
	char *shared = fixture_edit(sites, "vip = \"v1\"", "vip = \"v0\"");

	free(text);
	free(sites);
	return read_config(shared, errors);
}

static void a_vip_of_several_sites_is_not_probed(void **state)
{
	static const struct {
		unsigned n_at;
		const char *more;
		bool one_vip;
	} shared[] = {
		{ 2, "protocol = \"tcp\";", true },
		{ 2, "protocol = \"udp\";", true },
		{ 3, "protocol = \"tcp\";", false },
		{ 3, "protocol = \"udp\";", false },
	};
	(void)state;

	for (size_t i = 0; i < COUNT(shared); i++) {
		struct model_errors errors;
		struct model *m = read_shared(shared[i].n_at, shared[i].more, &errors);
		const struct model_service *s;
		uint64_t milli_per_s;

		assert_non_null(m);
		s = model_service(m, "web");
		assert_int_equal(s->vip_check_from, MODEL_VIP_CHECK_ABSENT);
		assert_null(s->vip_check);
		assert_true(model_service_is_shared(s));
		assert_int_equal(model_service_has_one_vip(s), shared[i].one_vip);
		assert_int_equal(model_service_is_unwatched(s), !shared[i].one_vip);
		for (size_t k = 0; k < 3; k++) {
			assert_int_equal(model_vip_is_at(&m->vips[0], &m->sites[k]), k < 2);
			assert_int_equal(model_vip_is_at(&m->vips[2], &m->sites[k]), k == 2);
		}
		assert_int_equal(model_probes(m, &m->vips[0], &milli_per_s), 2);
		assert_int_equal(milli_per_s, 0);
		model_free(m);
		model_errors_free(&errors);
	}
}

static void up_to_64_sites_and_256_nodes_are_taken_and_more_are_refused(void **state)
{
	static const struct {
		unsigned n_sites, n_nodes;
		const char *field, *message;
	} limits[] = {
		{ 64, 256, NULL, NULL },
		{ 64, 257, "nodes", "has 257 entries, expected 1..256" },
		{ 65, 64, "sites", "has 65 entries, expected 1..64" },
	};
	(void)state;

	for (size_t i = 0; i < COUNT(limits); i++) {
		unsigned n = limits[i].n_sites;
		struct model_errors errors;
		struct model *m = read_config(
		        make_config(n, limits[i].n_nodes, n, "protocol = \"tcp\";"), &errors);
		bool found = !limits[i].field;

		assert_int_equal(m != NULL, !limits[i].field);
		for (size_t k = 0; k < errors.n_items; k++)
			found |= !strcmp(errors.items[k].field, limits[i].field) &&
			         !strcmp(errors.items[k].message, limits[i].message);
		assert_true(found);
		model_free(m);
		model_errors_free(&errors);
	}
}

SUITE(vip_check)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_at_several_sites_is_checked_unless_none_is_said),
		cmocka_unit_test(the_default_connects_each_second_and_three_failures_are_a_death),
		cmocka_unit_test(no_check_is_called_none_and_no_other_word_turns_one_off),
		cmocka_unit_test(probes_are_those_of_all_nodes_of_other_sites),
		cmocka_unit_test(a_vip_of_several_sites_is_not_probed),
		cmocka_unit_test(up_to_64_sites_and_256_nodes_are_taken_and_more_are_refused),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
