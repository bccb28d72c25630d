/* SPDX-License-Identifier: BSD-2-Clause */
/* Backup pools in the document: each rule kept and broken, and the tables that a site needs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "fixture.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define AMS      "pool = \"web-ams\"; }"
#define MAX      "backup_max = { new_flows = \"1k/s\"; bits = \"2Gbit\"; };"
#define FRA4     "\"10.2.255.0/24\", "
#define BACKUP   "pool = \"web-ams\"; backup = \"web-fra\"; " MAX " }"

struct text_edit {
	const char *from, *to;
};

static const struct {
	const char *why;
	struct text_edit edits[3];
	const char *field, *message; /* NULL: no error */
} rules[] = {
	{ "a pool of another site", { { AMS, BACKUP } }, NULL, NULL },
	{ "a pool that does not exist",
	  { { AMS, "pool = \"web-ams\"; backup = \"web-fr\"; " MAX " }" } },
	  "services[0].at[1].backup",
	  "there is no \"web-fr\" in pools (did you mean \"web-fra\"?)" },
	{ "nothing said of the most load",
	  { { AMS, "pool = \"web-ams\"; backup = \"web-fra\"; }" } },
	  "services[0].at[1].backup_max",
	  "is missing, expected the most load for the backup" },
	{ "the most flows alone",
	  { { AMS, "pool = \"web-ams\"; backup = \"web-fra\"; backup_max = { new_flows = \"1/s\"; "
	           "}; }" } },
	  "services[0].at[1].backup_max.bits",
	  "is missing" },
	{ "the most bits alone",
	  { { AMS,
	      "pool = \"web-ams\"; backup = \"web-fra\"; backup_max = { bits = \"1Gbit\"; }; }" } },
	  "services[0].at[1].backup_max.new_flows",
	  "is missing" },
	{ "the most load of nothing",
	  { { AMS, "pool = \"web-ams\"; " MAX " }" } },
	  "services[0].at[1].backup_max",
	  "is given without backup" },
	{ "an MTU of nothing",
	  { { AMS, "pool = \"web-ams\"; backup_mtu = 1400; }" } },
	  "services[0].at[1].backup_mtu",
	  "is given without backup" },
	{ "the pool itself",
	  { { AMS, "pool = \"web-ams\"; backup = \"web-ams\"; " MAX " }" } },
	  "services[0].at[1].backup",
	  "pool \"web-ams\" is at site \"ams\" itself, expected one of another site" },
	{ "two sites that back each other up",
	  { { AMS, BACKUP }, { "weight = 7; }", "weight = 7; backup = \"web-ams\"; " MAX " }" } },
	  NULL,
	  NULL },
	{ "frames do not reach another site",
	  { { AMS, BACKUP },
	    { "\"web-fra\"; site = \"fra\"; check = \"web\";",
	      "\"web-fra\"; site = \"fra\"; mode = \"l2\";" } },
	  "services[0].at[1].backup",
	  "has mode l2, which does not reach another site" },
	{ "a backend that is in both",
	  { { AMS, BACKUP }, { "10.2.1.11", "10.1.1.11" } },
	  "services[0].at[1].backup",
	  "backend \"b1\" of pool \"web-fra\" is also backend \"b1\" of pool \"web-ams\"" },
	{ "the port of the backup's backends",
	  { { AMS, BACKUP },
	    { "\"10.2.1.11\";", "\"10.2.1.11\"; port = 81;" },
	    { "{ site = \"fra\"; vip = \"shop-fra\"; pool = \"web-fra\"; weight = 7; },", "" } },
	  "pools[1].backends[0].port",
	  "is 81, but service \"web\" has port 80" },
	{ "no tunnel source of the backup's family",
	  { { AMS, BACKUP },
	    { "\"10.2.1.11\"", "\"fd00:2::11\"" },
	    { ", \"fd00:1:ff::/64\"", "" } },
	  "services[0].at[1].backup",
	  "node \"ams-1\" has no IPv6 tunnel_source to reach pool \"web-fra\"" },
	{ "a node of a third party needs none",
	  { { AMS, BACKUP }, { FRA4, "" }, { "\"fd00:2:ff::/64\"", "\"10.2.255.0/24\"" } },
	  NULL,
	  NULL },
	{ "packets of IPv6's smallest size, and an IPv4 tunnel",
	  { { AMS, "pool = \"web-ams\"; backup = \"web-fra\"; backup_mtu = 1300; " MAX " }" } },
	  NULL,
	  NULL },
	{ "a byte less",
	  { { AMS, "pool = \"web-ams\"; backup = \"web-fra\"; backup_mtu = 1299; " MAX " }" } },
	  "services[0].at[1].backup_mtu",
	  "1299 is too small for pool \"web-fra\": the smallest packets to VIP \"shop-ams\" need 1300" },
	{ "room for the backup's backends",
	  { { AMS, BACKUP },
	    { "schema = 1;", "schema = 1; limits = { backends = 16; slots = 16384; };" } },
	  NULL,
	  NULL },
};

static struct model *read_with(const struct text_edit *edits, size_t n, struct model_errors *errors)
{
	char *text = strdup(fixture_config);
	struct model *m = NULL;

	for (size_t i = 0; i < n && edits[i].from; i++) {
		char *next = fixture_edit(text, edits[i].from, edits[i].to);

		free(text);
		text = next;
	}
	model_read_text(text, strlen(text), "weir.conf", fixture_path("."), "ams-1", &m, errors);
	free(text);
	return m;
}

static bool has_error(const struct model_errors *e, const char *field, const char *message)
{
	for (size_t i = 0; i < e->n_items; i++)
		if (!strcmp(e->items[i].field, field) && strstr(e->items[i].message, message))
			return true;
	return false;
}

static void each_rule_is_kept_or_broken_by_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rules); i++) {
		struct model_errors errors = { 0 };
		struct model *m = read_with(rules[i].edits, 3, &errors);

		print_message("  %s\n", rules[i].why);
		for (size_t k = 0; k < errors.n_items; k++)
			print_message("    %s: %s\n", errors.items[k].field,
			              errors.items[k].message);
		assert_int_equal(rules[i].field == NULL, m != NULL);
		if (rules[i].field)
			assert_true(has_error(&errors, rules[i].field, rules[i].message));
		model_errors_free(&errors);
		model_free(m);
	}
}

static void all_mistakes_of_a_backup_are_told_at_once(void **state)
{
	const struct text_edit edits[] = {
		{ AMS, "pool = \"web-ams\"; backup = \"web-ams\"; backup_mtu = 1; }" },
		{ "weight = 7; }", "weight = 7; " MAX " }" },
	};
	struct model_errors errors = { 0 };

	(void)state;
	assert_null(read_with(edits, COUNT(edits), &errors));
	assert_true(has_error(&errors, "services[0].at[1].backup_mtu", "expected 1280..9216"));
	assert_true(has_error(&errors, "services[0].at[0].backup_max", "without backup"));
	model_errors_free(&errors);
	const struct text_edit second[] = { { AMS,
		                              "pool = \"web-ams\"; backup = \"web-ams\"; }" } };
	assert_null(read_with(second, 1, &errors));
	assert_true(has_error(&errors, "services[0].at[1].backup", "itself"));
	assert_true(has_error(&errors, "services[0].at[1].backup_max", "is missing"));
	model_errors_free(&errors);
}

static void a_backup_is_in_the_model_and_survives_writing(void **state)
{
	const struct text_edit edits[] = {
		{ AMS, "pool = \"web-ams\"; backup = \"web-fra\"; backup_mtu = "
		       "1400; " MAX " }" }
	};
	struct model_errors errors = { 0 };
	struct model *m = read_with(edits, 1, &errors), *again = NULL;

	(void)state;
	assert_non_null(m);
	model_errors_free(&errors);
	assert_int_equal(model_write_effective(m, fixture_path("backup.conf")), 0);
	assert_int_equal(
	        model_read_effective(fixture_path("backup.conf"), "ams-1", &again, &errors), 0);
	for (int i = 0; i < 2; i++) {
		const struct model_at *at = &(i ? again : m)->services[0].at[1];

		assert_string_equal(at->backup->name, "web-fra");
		assert_int_equal(at->backup_max_flows, 1000);
		assert_int_equal(at->backup_max_bits, 2000000000);
		assert_int_equal(at->backup_mtu, 1400);
		assert_null((i ? again : m)->services[0].at[0].backup);
	}
	model_errors_free(&errors);
	model_free(m);
	model_free(again);
}

#define SERVICE(name, port, rest)                                                                  \
	"services = ( { name = \"" name "\"; protocol = \"tcp\"; port = " port                     \
	"; at = ( { site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; " rest " } ); }, "

static void each_pair_of_pool_and_backup_has_a_table(void **state)
{
	const struct text_edit edits[] = {
		{ "services = (",
		  SERVICE("a", "81", "backup = \"web-fra\"; backup_mtu = 1500; " MAX) },
		{ "services = (",
		  SERVICE("b", "82", "backup = \"web-fra\"; backup_mtu = 1400; " MAX) },
		{ "services = (", SERVICE("c", "83", "backup = \"web-fra\"; " MAX) },
	};
	struct model_errors errors = { 0 };
	struct model *m = read_with(edits, COUNT(edits), &errors);
	struct model_table tables[16];

	(void)state;
	assert_non_null(m);
	assert_true(model_tables_max(m) <= COUNT(tables));
	assert_int_equal(model_tables(m, model_site(m, "ams"), tables), 2);
	assert_string_equal(tables[0].pool->name, "web-ams");
	assert_null(tables[0].backup);
	assert_string_equal(tables[1].backup->name, "web-fra");
	assert_true(tables[0].id == hash_text("web-ams")); /* what a pool without a backup has */
	assert_true(tables[1].id != tables[0].id && tables[1].id != hash_text("web-fra"));
	assert_int_equal(tables[1].backup_max_flows, 3000);
	assert_int_equal(tables[1].backup_max_bits, 6000000000);
	assert_int_equal(tables[1].backup_mtu, 1400);
	assert_int_equal(model_tables(m, model_site(m, "fra"), tables), 1);
	assert_string_equal(tables[0].pool->name, "web-fra");
	model_errors_free(&errors);
	model_free(m);
}

static void a_pool_without_a_service_has_a_table(void **state)
{
	const struct text_edit edits[] = {
		{ "pools = (",
		  "pools = ( { name = \"a\"; site = \"ams\"; backends = ( { name = \"b\"; "
		  "address = \"10.1.9.9\"; } ); }, { name = \"z\"; site = \"ams\"; "
		  "backends = ( { name = \"b\"; address = \"10.1.9.8\"; } ); }," },
		{ AMS, BACKUP },
	};
	struct model_errors errors = { 0 };
	struct model *m = read_with(edits, COUNT(edits), &errors);
	struct model_table tables[16];

	(void)state;
	assert_non_null(m);
	assert_int_equal(model_tables(m, model_site(m, "ams"), tables), 3);
	assert_string_equal(tables[0].pool->name, "a");
	assert_string_equal(tables[1].pool->name, "web-ams");
	assert_non_null(tables[1].backup);
	assert_true(tables[1].id == hash_text("web-ams")); /* so its flows stay where they are */
	assert_string_equal(tables[2].pool->name, "z");
	model_errors_free(&errors);
	model_free(m);
}

static void each_table_counts_against_the_limits(void **state)
{
	const struct text_edit edits[] = {
		{ "schema = 1;", "schema = 1; limits = { slots = 32767; };" },
		{ "services = (", SERVICE("a", "81", "backup = \"web-fra\"; " MAX) },
	};
	struct model_errors errors = { 0 };

	(void)state;
	assert_null(read_with(edits, COUNT(edits), &errors));
	assert_true(
	        has_error(&errors, "limits.slots", "is 32767, but site \"ams\" has 32768 slots"));
	model_errors_free(&errors);
}

/* They stand in the site's own tables; the site whose backends they are may have room for them. */
static void backends_of_a_backup_count_against_the_limits(void **state)
{
	char many[1024] = "\"10.2.1.11\"; }";
	const struct text_edit edits[] = {
		{ "schema = 1;", "schema = 1; limits = { backends = 16; };" },
		{ AMS, BACKUP },
		{ "\"10.2.1.11\"; }", many },
	};
	struct model_errors errors = { 0 };

	(void)state;
	for (int i = 2; i <= 16; i++) {
		size_t n = strlen(many);

		snprintf(many + n, sizeof(many) - n,
		         ", { name = \"b%d\"; address = \"10.2.2.%d\"; }", i, i);
	}
	assert_null(read_with(edits, COUNT(edits), &errors));
	assert_true(
	        has_error(&errors, "limits.backends", "is 16, but site \"ams\" has 18 backends"));
	model_errors_free(&errors);
}

/* A site that is not there has no nodes whose MTU could be too small. */
static void a_backup_at_no_site_is_one_mistake(void **state)
{
	const struct text_edit edits[] = {
		{ "{ site = \"ams\"; vip = \"shop-ams\";",
		  "{ site = \"asm\"; vip = \"shop-ams\";" },
		{ AMS, BACKUP },
	};
	struct model_errors errors = { 0 };

	(void)state;
	assert_null(read_with(edits, COUNT(edits), &errors));
	assert_int_equal(errors.n_total, 1);
	assert_true(has_error(&errors, "services[0].at[1].site", "there is no \"asm\""));
	model_errors_free(&errors);
}

SUITE(backup)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_is_kept_or_broken_by_one),
		cmocka_unit_test(all_mistakes_of_a_backup_are_told_at_once),
		cmocka_unit_test(a_backup_is_in_the_model_and_survives_writing),
		cmocka_unit_test(each_pair_of_pool_and_backup_has_a_table),
		cmocka_unit_test(a_pool_without_a_service_has_a_table),
		cmocka_unit_test(each_table_counts_against_the_limits),
		cmocka_unit_test(backends_of_a_backup_count_against_the_limits),
		cmocka_unit_test(a_backup_at_no_site_is_one_mistake),
	};

	return cmocka_run_group_tests_name("backup", tests, fixture_setup, fixture_teardown);
}
