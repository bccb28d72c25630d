/* SPDX-License-Identifier: BSD-2-Clause */
/* What weir-dns does with sites and services, from what it said (mgmt/status/status_dns.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/status/status_dns.h"
#include "tests/unit/suite.h"
#include "weir/model.h"

/* What weir-dns says of one name's sites. */
static json_t *dns_of(const char *first, const char *second)
{
	char text[1024];

	snprintf(text, sizeof(text),
	         "{\"names\":[{\"service\":\"web\",\"sites\":["
	         "{\"site\":\"ams\",\"weight\":100,\"shifting\":false,%s},"
	         "{\"site\":\"fra\",\"weight\":300,\"shifting\":false,%s}]}]}",
	         first, second);
	return json_loads(text, 0, NULL);
}

/* The index of what weir-dns said, which outlives it. */
static struct status_dns index_of(const json_t *said)
{
	struct status_dns dns;

	assert_non_null(said);
	assert_int_equal(status_dns_init(&dns, said), 0);
	return dns;
}

#define WELL "\"ipv4\":\"up\",\"ipv6\":\"none\",\"drained_ppm\":0,\"disabled\":false"
#define DOWN "\"ipv4\":\"down\",\"ipv6\":\"none\",\"drained_ppm\":0,\"disabled\":false"

static void a_site_is_told_as_the_dns_answers(void **state)
{
	static const struct {
		const char *ams, *fra;
		const char *word;
		json_int_t share; /* of ams */
	} rows[] = {
		{ WELL, WELL, "serving", 250000 },
		{ WELL, DOWN, "serving", 1000000 },
		{ DOWN, WELL, "out", 0 },
		{ DOWN, DOWN, "serving", 250000 }, /* without a good one all are answered */
		{ "\"ipv4\":\"down\",\"ipv6\":\"up\",\"drained_ppm\":0,\"disabled\":false", WELL,
		  "serving", 250000 },
		{ "\"ipv4\":\"none\",\"ipv6\":\"none\",\"drained_ppm\":0,\"disabled\":false", WELL,
		  "out", 0 },
		{ WELL ",\"unproven\":true", WELL, "out", 0 },
		{ WELL ",\"unproven\":true,\"unproven_in\":\"ipv4\"", WELL, "out", 0 },
		{ WELL ",\"ipv6\":\"unknown\",\"unproven\":true,\"unproven_in\":\"ipv6\"", WELL,
		  "serving", 250000 },
		{ DOWN ",\"forced_up\":true", WELL, "serving", 250000 },
		{ "\"ipv4\":\"up\",\"ipv6\":\"none\",\"drained_ppm\":500000,\"disabled\":false",
		  WELL, "draining", 125000 },
		{ "\"ipv4\":\"up\",\"ipv6\":\"none\",\"drained_ppm\":1000000,\"disabled\":false",
		  WELL, "drained", 0 },
		{ "\"ipv4\":\"up\",\"ipv6\":\"none\",\"drained_ppm\":0,\"disabled\":true", WELL,
		  "disabled", 0 },
		/* not whole, or not to be believed */
		{ "\"ipv4\":\"up\",\"disabled\":false", WELL, "unknown", 0 },
		{ "\"ipv4\":\"up\",\"drained_ppm\":0", WELL, "unknown", 0 },
		{ WELL, "\"ipv4\":\"up\",\"drained_ppm\":1.5,\"disabled\":false", "unknown", 0 },
		{ "\"drained_ppm\":1000001,\"disabled\":false", WELL, "unknown", 0 },
		{ "\"drained_ppm\":-1,\"disabled\":false", WELL, "unknown", 0 },
		{ WELL ",\"weight\":-1", WELL, "unknown", 0 },
		{ WELL ",\"weight\":4294967296", WELL, "unknown", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *said = dns_of(rows[i].ams, rows[i].fra);
		struct status_dns dns = index_of(said);
		json_t *effect = status_dns_site_effect(&dns, "ams");
		const char *word = json_string_value(json_object_get(effect, "state"));
		json_int_t share = json_integer_value(json_object_get(effect, "weight_share_ppm"));

		if (strcmp(word, rows[i].word) != 0 || share != rows[i].share)
			fail_msg("row %zu: %s %d", i, word, (int)share);
		json_decref(effect);
		effect = status_dns_site_effect(&dns, "lon");
		assert_string_equal(json_string_value(json_object_get(effect, "state")), "unknown");
		json_decref(effect);
		status_dns_fini(&dns);
		json_decref(said);
	}
}

#define EFFECT(state, level, share)                                                                \
	"{\"disabled\":false,\"level_ppm\":" level ",\"shifting\":false,\"state\":\"" state        \
	"\",\"weight_share_ppm\":" share "}"
#define UNKNOWN "{\"state\":\"unknown\"}"
#define DISABLED                                                                                   \
	"{\"disabled\":true,\"level_ppm\":0,\"shifting\":false,\"state\":\"disabled\","            \
	"\"weight_share_ppm\":0}"

/* What is said of both sites, and what they are told. */
struct both_sites {
	const char *why, *ams, *fra, *effects[2];
};

static void expect_effects(const struct both_sites *row)
{
	json_t *said = dns_of(row->ams, row->fra);
	struct status_dns dns = index_of(said);

	for (size_t k = 0; k < 2; k++) {
		json_t *effect = status_dns_site_effect(&dns, k ? "fra" : "ams");
		char *text = json_dumps(effect, JSON_COMPACT | JSON_SORT_KEYS);

		if (strcmp(text, row->effects[k]) != 0)
			fail_msg("%s, site %zu: %s", row->why, k, text);
		free(text);
		json_decref(effect);
	}
	status_dns_fini(&dns);
	json_decref(said);
}

/* The shares of both sites; what is not whole of one leaves both unknown. */
static void both_sites_are_told_whole(void **state)
{
	static const struct both_sites rows[] = {
		{ "as weights are",
		  WELL,
		  WELL,
		  { EFFECT("serving", "0", "250000"), EFFECT("serving", "0", "750000") } },
		{ "no weight",
		  WELL ",\"weight\":0",
		  WELL,
		  { EFFECT("serving", "0", "0"), EFFECT("serving", "0", "1000000") } },
		{ "no weight at all: they are equal",
		  WELL ",\"weight\":0",
		  WELL ",\"weight\":0",
		  { EFFECT("serving", "0", "500000"), EFFECT("serving", "0", "500000") } },
		{ "what has weight is drained",
		  WELL ",\"weight\":0",
		  WELL ",\"drained_ppm\":1000000",
		  { EFFECT("serving", "0", "1000000"), EFFECT("drained", "1000000", "0") } },
		{ "the largest weight of a configuration",
		  WELL ",\"weight\":10000",
		  WELL,
		  { EFFECT("serving", "0", "970874"), EFFECT("serving", "0", "29126") } },
		{ "drained in part",
		  WELL ",\"drained_ppm\":400000",
		  WELL ",\"drained_ppm\":800000",
		  { EFFECT("draining", "400000", "590000"),
		    EFFECT("draining", "800000", "410000") } },
		{ "drained as far as can be",
		  WELL ",\"drained_ppm\":999999",
		  WELL ",\"drained_ppm\":1000000",
		  { EFFECT("draining", "999999", "1000000"), EFFECT("drained", "1000000", "0") } },
		{ "one is disabled",
		  WELL ",\"disabled\":true",
		  WELL,
		  { DISABLED, EFFECT("serving", "0", "1000000") } },
		{ "a disabled one is no good one",
		  WELL ",\"disabled\":true",
		  DOWN,
		  { DISABLED, EFFECT("serving", "0", "1000000") } },
		{ "both are",
		  WELL ",\"disabled\":true",
		  DOWN ",\"disabled\":true",
		  { DISABLED, DISABLED } },
		{ "no boolean", WELL ",\"shifting\":0", WELL, { UNKNOWN, UNKNOWN } },
		{ "none of the other", WELL, WELL ",\"disabled\":null", { UNKNOWN, UNKNOWN } },
		{ "no number", WELL, WELL ",\"weight\":\"1\"", { UNKNOWN, UNKNOWN } },
		{ "too much", WELL, WELL ",\"weight\":4294967296", { UNKNOWN, UNKNOWN } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_effects(&rows[i]);
}

#define FAIL_CLOSED "}],\"fail_closed\":true,\"x\":[{\"x\":1"

/* A gate turns away whom weir-dns has chosen before: they go to the others. What gets no client has no share. */
static void shares_are_as_clients_are_spread(void **state)
{
	static const struct both_sites rows[] = {
		{ "a standby, and half of what has weight is drained",
		  WELL ",\"weight\":0",
		  WELL ",\"drained_ppm\":500000",
		  { EFFECT("serving", "0", "500000"), EFFECT("draining", "500000", "500000") } },
		{ "all is drained, so nothing is",
		  WELL ",\"drained_ppm\":1000000",
		  WELL ",\"drained_ppm\":1000000",
		  { EFFECT("drained", "1000000", "250000"),
		    EFFECT("drained", "1000000", "750000") } },
		{ "none is good, so drains do not count",
		  DOWN ",\"drained_ppm\":500000",
		  DOWN,
		  { EFFECT("draining", "500000", "250000"), EFFECT("serving", "0", "750000") } },
		{ "none is good, and one has no address",
		  DOWN ",\"ipv4\":\"none\"",
		  DOWN,
		  { EFFECT("out", "0", "0"), EFFECT("serving", "0", "1000000") } },
		{ "one is down, the other was never up",
		  WELL ",\"unproven\":true,\"drained_ppm\":300000",
		  DOWN,
		  { EFFECT("draining", "300000", "1000000"), EFFECT("out", "0", "0") } },
		{ "one is down, the other was never up, closed",
		  WELL ",\"unproven\":true",
		  DOWN FAIL_CLOSED,
		  { EFFECT("serving", "0", "1000000"), EFFECT("out", "0", "0") } },
		{ "neither was ever up",
		  WELL ",\"unproven\":true",
		  WELL ",\"unproven\":true",
		  { EFFECT("serving", "0", "250000"), EFFECT("serving", "0", "750000") } },
		{ "none is good: nobody is answered",
		  DOWN,
		  DOWN FAIL_CLOSED,
		  { EFFECT("out", "0", "0"), EFFECT("out", "0", "0") } },
		{ "one serves both families",
		  WELL ",\"ipv6\":\"down\"",
		  WELL ",\"ipv6\":\"up\"",
		  { EFFECT("out", "0", "0"), EFFECT("serving", "0", "1000000") } },
		{ "one serves one family",
		  DOWN ",\"ipv6\":\"up\"",
		  DOWN ",\"ipv6\":\"down\"",
		  { EFFECT("serving", "0", "1000000"), EFFECT("out", "0", "0") } },
		{ "none serves both families",
		  WELL ",\"ipv6\":\"down\"",
		  DOWN ",\"ipv6\":\"up\"",
		  { EFFECT("serving", "0", "250000"), EFFECT("serving", "0", "750000") } },
		{ "in order",
		  WELL ",\"drained_ppm\":400000",
		  WELL "}],\"policy\":\"failover\",\"x\":[{\"x\":1",
		  { EFFECT("draining", "400000", "600000"), EFFECT("serving", "0", "400000") } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_effects(&rows[i]);
}

/* A service that is drained alone is one name of several: the site serves the others. */
static void a_site_is_drained_as_far_as_all_its_names_are(void **state)
{
	static const char text[] =
	        "{\"names\":[{\"sites\":[{\"site\":\"ams\",\"weight\":1,\"ipv4\":\"up\",\"ipv6\":"
	        "\"up\",\"drained_ppm\":1000000,\"shifting\":false,\"disabled\":false}]},"
	        "{\"sites\":[{\"site\":\"ams\",\"weight\":1,\"ipv4\":\"up\",\"ipv6\":\"up\","
	        "\"drained_ppm\":100000,\"shifting\":true,\"disabled\":false}]},"
	        "{\"sites\":[{\"site\":\"ams\",\"weight\":1,\"ipv4\":\"up\",\"ipv6\":\"up\","
	        "\"drained_ppm\":250000,\"shifting\":true,\"disabled\":false}]},"
	        "{\"sites\":[{\"site\":\"ams\",\"weight\":1,\"ipv4\":\"up\",\"ipv6\":\"up\","
	        "\"drained_ppm\":100000,\"shifting\":false,\"disabled\":false}]}]}";

	(void)state;
	json_t *said = json_loads(text, 0, NULL);
	struct status_dns dns = index_of(said);
	json_t *effect = status_dns_site_effect(&dns, "ams");
	assert_int_equal(json_integer_value(json_object_get(effect, "level_ppm")), 100000);
	assert_true(json_is_true(json_object_get(effect, "shifting"))); /* by the first of two */
	assert_string_equal(json_string_value(json_object_get(effect, "state")), "draining");
	json_decref(effect);
	status_dns_fini(&dns);
	json_decref(said);
}

#define AT(site)                                                                                   \
	"{\"site\":\"" site                                                                        \
	"\",\"weight\":1,\"drained_ppm\":0,\"shifting\":false,\"disabled\":false"

/* Of the names of one service the first that has the site; of a service without a name, the site's effect. */
static void a_service_is_told_by_its_first_name(void **state)
{
	static const char text[] =
	        "{\"names\":["
	        "{\"service\":\"web\",\"sites\":[" AT(
	                "fra") ",\"ipv4\":\"up\",\"ipv6\":\"none\"}]},"
	                       "{\"service\":\"mail\",\"sites\":[" AT(
	                               "ams") ",\"ipv4\":\"down\"}]},"
	                                      "{\"service\":\"web\",\"sites\":[" AT(
	                                              "ams") ",\"ipv6\":\"up\",\"views\":[1]}]},"
	                                                     "{\"service\":\"web\",\"sites\":[" AT(
	                                                             "ams") ",\"ipv6\":\"down\"}]}]}";
	static const struct {
		const char *service, *site, *ipv4, *ipv6;
		size_t n_views;
	} rows[] = {
		{ "web", "fra", "up", NULL, 0 },    { "web", "ams", NULL, "up", 1 },
		{ "mail", "ams", "down", NULL, 0 }, { "mail", "fra", NULL, NULL, 0 },
		{ "ftp", "ams", NULL, NULL, 0 },
	};
	json_t *said = json_loads(text, 0, NULL);
	struct status_dns dns = index_of(said);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *effect = status_dns_at_effect(&dns, rows[i].service, rows[i].site);
		const char *ipv4 = json_string_value(json_object_get(effect, "ipv4"));
		const char *ipv6 = json_string_value(json_object_get(effect, "ipv6"));

		assert_string_equal(ipv4 ? ipv4 : "", rows[i].ipv4 ? rows[i].ipv4 : "");
		assert_string_equal(ipv6 ? ipv6 : "", rows[i].ipv6 ? rows[i].ipv6 : "");
		assert_int_equal(json_array_size(json_object_get(effect, "views")),
		                 rows[i].n_views);
		json_decref(effect);
	}
	json_t *effect =
	        status_dns_site_effect(&dns, "ams"); /* it is not changed by its services */
	assert_null(json_object_get(effect, "ipv6"));
	json_decref(effect);
	status_dns_fini(&dns);
	json_decref(said);
}

#define SITE(name, more) "{\"site\":\"" name "\",\"weight\":100,\"shifting\":false," more "}"

/* web is drained at ams, or a check fails there; mail is not. ams is told as it is for mail. */
static void a_service_is_not_told_by_another(void **state)
{
	static const struct {
		const char *web, *word;
		json_int_t ppm, share; /* of web at ams */
	} rows[] = {
		{ "\"ipv4\":\"up\",\"ipv6\":\"none\",\"drained_ppm\":1000000,\"disabled\":false",
		  "drained", 1000000, 0 },
		{ "\"ipv4\":\"up\",\"ipv6\":\"none\",\"drained_ppm\":500000,\"disabled\":false",
		  "draining", 500000, 250000 },
		{ DOWN, "out", 0, 0 },
		{ WELL, "serving", 0, 500000 },
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text),
		         "{\"names\":[{\"service\":\"mail\",\"sites\":[" SITE(
		                 "ams", WELL) "]},"
		                              "{\"service\":\"web\",\"sites\":[" SITE(
		                                      "ams", "%s") "," SITE("fra", WELL) "]}]}",
		         rows[i].web);
		json_t *said = json_loads(text, 0, NULL);
		struct status_dns dns = index_of(said);
		json_t *web = status_dns_at_effect(&dns, "web", "ams"),
		       *mail = status_dns_at_effect(&dns, "mail", "ams");

		assert_string_equal(json_string_value(json_object_get(web, "state")), rows[i].word);
		assert_int_equal(json_integer_value(json_object_get(web, "level_ppm")),
		                 rows[i].ppm);
		assert_int_equal(json_integer_value(json_object_get(web, "weight_share_ppm")),
		                 rows[i].share);
		assert_string_equal(json_string_value(json_object_get(mail, "state")), "serving");
		assert_int_equal(json_integer_value(json_object_get(mail, "weight_share_ppm")),
		                 1000000);
		json_decref(web);
		json_decref(mail);
		status_dns_fini(&dns);
		json_decref(said);
	}
}

static void without_an_answer_nothing_is_known(void **state)
{
	struct status_dns dns;

	(void)state;
	assert_int_equal(status_dns_init(&dns, NULL), 0);
	json_t *effect = status_dns_at_effect(&dns, "web", "ams");
	assert_string_equal(json_string_value(json_object_get(effect, "state")), "unknown");
	assert_int_equal(json_object_size(effect), 1);
	json_decref(effect);
	status_dns_fini(&dns);
}

SUITE(status_dns)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_site_is_told_as_the_dns_answers),
		cmocka_unit_test(both_sites_are_told_whole),
		cmocka_unit_test(shares_are_as_clients_are_spread),
		cmocka_unit_test(a_site_is_drained_as_far_as_all_its_names_are),
		cmocka_unit_test(a_service_is_told_by_its_first_name),
		cmocka_unit_test(a_service_is_not_told_by_another),
		cmocka_unit_test(without_an_answer_nothing_is_known),
	};

	return cmocka_run_group_tests_name("status dns", tests, NULL, NULL);
}
