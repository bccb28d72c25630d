/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What keeps a site from being switched off (GET /v1/sites/{}/arrivals), from what its nodes say: flows
 * by VIP, DNS queries, what routing daemons export. What a node does not say is unknown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "described.h"
#include "mgmt/api/handle.h"
#include "mgmt/controller/operation_snapshot.h"
#include "tests/unit/suite.h"

#define SERVICES 3

static struct addr addresses[2], dns_address;
static struct model_site sites[] = { { .name = "ams" }, { .name = "fra", .index = 1 } };
static const struct model_site *const vip_sites[] = { &sites[0] };
static struct model_vip vip;
static const struct model_vip *const announced_vips[] = { &vip };
static struct model_node nodes[3];
static struct model_pool pool = { .name = "web-ams", .site = &sites[0] };
static struct model_at at;
static struct model_service services[SERVICES];
static struct model m;
static struct operation_snapshot *view;
static json_t *keeps, *unknown; /* of what is shown */

static int setup(void **state)
{
	static const char *const names[] = { "web", "api", "mail" };

	(void)state;
	assert_int_equal(addr_parse("203.0.113.10", &addresses[0]), 0);
	assert_int_equal(addr_parse("2001:db8::10", &addresses[1]), 0);
	assert_int_equal(addr_parse("203.0.113.53", &dns_address), 0);
	vip = (struct model_vip){ .name = "v-ams",
		                  .sites = vip_sites,
		                  .n_sites = 1,
		                  .addresses = addresses,
		                  .n_addresses = 2 };
	at = (struct model_at){ .site = &sites[0], .vip = &vip, .pool = &pool };
	for (size_t i = 0; i < SERVICES; i++)
		services[i] = (struct model_service){
			.name = names[i], .at = &at, .n_at = 1, .index = (uint32_t)i
		};
	for (size_t i = 0; i < 3; i++)
		nodes[i] = (struct model_node){ .name = i ? i == 1 ? "ams-2" : "fra-1" : "ams-1",
			                        .site = &sites[i == 2],
			                        .api = "",
			                        .n_dns_listen = 1,
			                        .dns_listen = &dns_address };
	nodes[0].announce = (struct model_announce){ .daemon = MODEL_DAEMON_BIRD,
		                                     .vips = announced_vips,
		                                     .n_vips = 1,
		                                     .dns = &dns_address,
		                                     .n_dns = 1 };
	m = (struct model){ .sites = sites,
		            .n_sites = 2,
		            .nodes = nodes,
		            .n_nodes = 3,
		            .vips = &vip,
		            .n_vips = 1,
		            .services = services,
		            .n_services = SERVICES,
		            .self = &nodes[2] };
	view = calloc(1, sizeof(*view));
	if (!view)
		return -1;
	view->m = &m;
	view->now_ms = 1790000000000;
	view->n_reports = 3;
	for (size_t i = 0; i < 3; i++)
		view->reports[i].node = &nodes[i];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++)
		json_decref(view->reports[i].measure);
	free(view);
	return 0;
}

static json_t *parse_text(const char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	return json;
}

static void give_report(size_t node, const char *measure)
{
	view->reports[node].measure = parse_text(measure);
	view->reports[node].reached = true;
}

#define MEASURE(dns, web, api)                                                                     \
	"{" dns "\"flows\":{\"window_ms\":10000,\"services\":{\"web\":{\"new_milli\":" #web        \
	"},\"api\":{\"new_milli\":" #api "},\"mail\":{\"new_milli\":0}},\"pools\":{\"web-ams\":{"  \
	"\"own_milli\":3000,\"backup_milli\":1000,\"own_packets_milli\":9000}},\"drops\":{}}}"

static bool has_sentence(const json_t *list, const char *words)
{
	const json_t *text;
	size_t i;

	json_array_foreach(list, i, text) if (strstr(json_string_value(text), words)) return true;
	return false;
}

static json_t *show_site(void)
{
	json_t *o = operation_arrivals_json(view, &sites[0]);
	json_t *schema = record_schema(&arrivals_answer_kind);

	assert_non_null(o);
	described_check(schema, o, "arrivals");
	json_decref(schema);
	keeps = json_object_get(o, "keeps");
	unknown = json_object_get(o, "unknown");
	return o;
}

static void flows_are_those_of_each_service(void **state)
{
	static const int own[SERVICES] = { 9, 3, 0 }, backup[SERVICES] = { 3, 1, 0 };

	(void)state;
	give_report(0, MEASURE("", 8000, 4000));
	give_report(1, MEASURE("", 4000, 0));
	json_t *o = show_site(), *vips = json_object_get(o, "vips");
	assert_int_equal(json_array_size(vips), SERVICES);
	for (size_t i = 0; i < SERVICES; i++) {
		const json_t *row = json_array_get(vips, i);

		assert_int_equal(json_integer_value(json_object_get(row, "own_flows_per_s")),
		                 own[i]);
		assert_int_equal(json_integer_value(json_object_get(row, "backup_flows_per_s")),
		                 backup[i]);
		assert_int_equal(json_integer_value(json_object_get(row, "arriving_flows_per_s")),
		                 own[i] + backup[i]);
	}
	assert_true(has_sentence(keeps, "service web: 9 new flows"));
	assert_false(has_sentence(keeps, "service mail: 0"));
	json_decref(o);
}

static void what_a_node_does_not_measure_is_null(void **state)
{
	(void)state;
	give_report(0, MEASURE("", 8000, 4000));
	json_t *o = show_site(), *row = json_array_get(json_object_get(o, "vips"), 0);
	assert_true(json_is_null(json_object_get(row, "own_flows_per_s")));
	assert_true(json_is_null(json_object_get(row, "established_packets_per_s")));
	assert_true(has_sentence(unknown, "not every node of the site says what arrives"));
	json_decref(o);
}

static void queries_are_those_that_weir_dns_counts(void **state)
{
	static const struct {
		const char *dns;
		int per_s; /* -1: null */
		bool keeps, unknown;
	} rows[] = {
		{ "\"dns\":{\"serving\":true,\"queries_milli\":12400},", 13, true, false },
		{ "\"dns\":{\"serving\":true,\"queries_milli\":100},", 1, true, false },
		{ "\"dns\":{\"serving\":true,\"queries_milli\":0},", 0, false, false },
		{ "\"dns\":{\"serving\":true},", -1, false, true },
		{ "\"dns\":{\"queries_milli\":-5},", -1, false, true },
		{ "\"dns\":{\"queries_milli\":\"9\"},", -1, false, true },
		{ "\"dns\":{\"queries_milli\":9223372036854775807},", -1, false, true },
		{ "", -1, false, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[512];

		(void)teardown(state);
		assert_int_equal(setup(state), 0);
		snprintf(text, sizeof(text), "{%s\"node\":\"ams-1\"}", rows[i].dns);
		give_report(0, text);
		json_t *o = show_site(), *dns = json_object_get(o, "dns");
		const json_t *rate = json_object_get(json_array_get(dns, 0), "queries_per_s");
		assert_int_equal(json_array_size(dns), 2); /* of fra-1 nothing is asked */
		assert_int_equal(json_is_integer(rate) ? json_integer_value(rate) : -1,
		                 rows[i].per_s);
		assert_int_equal(has_sentence(keeps, "DNS queries a second"), rows[i].keeps);
		assert_int_equal(has_sentence(unknown, "DNS queries it gets"), rows[i].unknown);
		assert_true(has_sentence(unknown, "node ams-2 is not reached"));
		json_decref(o);
	}
}

/* What is intended is not what is exported. */
static void announcements_are_what_the_routing_daemon_exports(void **state)
{
	static const struct {
		const char *said; /* of 203.0.113.10; NULL: the node does not answer */
		const char *intended, *exported;
		const char *keeps, *unknown; /* NULL: none */
	} rows[] = {
		{ "{\"intended\":\"normal\",\"exported\":\"yes\"}", "normal", "yes",
		  "exports 1 addresses", "exports 2 addresses is not known" },
		{ "{\"intended\":\"none\",\"exported\":\"yes\"}", "none", "yes",
		  "exports 1 addresses", "exports 2 addresses is not known" },
		{ "{\"intended\":\"normal\",\"exported\":\"no\"}", "normal", "no", NULL,
		  "exports 2 addresses is not known" },
		{ "{\"intended\":\"loud\",\"exported\":true}", "unknown", "unknown", NULL,
		  "exports 3 addresses is not known" },
		{ "[]", "unknown", "unknown", NULL, "exports 3 addresses is not known" },
		{ NULL, "unknown", "unknown", NULL, "exports 3 addresses is not known" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];

		(void)teardown(state);
		assert_int_equal(setup(state), 0);
		snprintf(text, sizeof(text),
		         "{\"announce\":\"serving\",\"announcements\":{\"203.0.113.10\":%s}}",
		         rows[i].said ? rows[i].said : "{}");
		give_report(0, rows[i].said ? text : "{\"announce\":\"serving\"}");
		json_t *o = show_site(), *list = json_object_get(o, "announcements");
		const json_t *row = json_array_get(list, 0);
		assert_int_equal(json_array_size(list), 3); /* of the VIP, and of DNS */
		assert_string_equal(json_string_value(json_object_get(row, "vip")), "v-ams");
		assert_string_equal(json_string_value(json_object_get(row, "address")),
		                    "203.0.113.10");
		assert_string_equal(json_string_value(json_object_get(row, "intended")),
		                    rows[i].intended);
		assert_string_equal(json_string_value(json_object_get(row, "exported")),
		                    rows[i].exported);
		assert_true(json_is_null(json_object_get(json_array_get(list, 2), "vip")));
		assert_int_equal(has_sentence(keeps, "routing daemon exports"),
		                 rows[i].keeps != NULL);
		assert_true(!rows[i].keeps || has_sentence(keeps, rows[i].keeps));
		assert_true(has_sentence(unknown, rows[i].unknown));
		json_decref(o);
	}
}

static void only_a_drain_of_the_whole_site_sends_its_clients_elsewhere(void **state)
{
	static const struct {
		const char *site, *service;
		uint32_t to_ppm, level_ppm;
		bool ended;
	} rows[] = {
		{ "ams", "", 1000000, 1000000, false }, { "ams", "", 250000, 250000, false },
		{ "ams", "web", 1000000, 0, false },    { "fra", "", 1000000, 0, false },
		{ "ams", "", 1000000, 0, true },
	};
	struct override drain = { .id = "v1",
		                  .kind = MODEL_OVERRIDE_DRAIN,
		                  .target = MODEL_TARGET_SITE,
		                  .generation = 1,
		                  .is_step = true,
		                  .until_ms = MODEL_TIME_NEVER };

	(void)state;
	view->overrides = (struct overrides){ .items = &drain, .n_items = 1 };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(drain.name, sizeof(drain.name), "%s", rows[i].site);
		snprintf(drain.service, sizeof(drain.service), "%s", rows[i].service);
		drain.from_ppm = drain.to_ppm = rows[i].to_ppm;
		drain.ended = rows[i].ended;
		json_t *o = show_site();
		const json_t *votes = json_object_get(o, "votes");
		assert_int_equal(json_integer_value(json_object_get(o, "level_ppm")),
		                 rows[i].level_ppm);
		assert_int_equal(json_is_true(json_object_get(votes, "counted")),
		                 rows[i].level_ppm < 1000000);
		json_decref(o);
	}
	drain = (struct override){ .id = "v1",
		                   .kind = MODEL_OVERRIDE_DISABLE,
		                   .target = MODEL_TARGET_SITE,
		                   .name = "ams",
		                   .generation = 1,
		                   .until_ms = MODEL_TIME_NEVER };
	json_t *o = show_site(); /* no answer names it, and it does not vote */

	assert_int_equal(json_integer_value(json_object_get(o, "level_ppm")), 1000000);
	assert_true(json_is_false(json_object_get(json_object_get(o, "votes"), "counted")));
	json_decref(o);
	view->overrides = (struct overrides){ .n_items = 0 };
}

SUITE(operation_arrivals)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(flows_are_those_of_each_service),
		TEST(what_a_node_does_not_measure_is_null),
		TEST(queries_are_those_that_weir_dns_counts),
		TEST(announcements_are_what_the_routing_daemon_exports),
		TEST(only_a_drain_of_the_whole_site_sends_its_clients_elsewhere),
	};

	return cmocka_run_group_tests_name("operation arrivals", tests, NULL, NULL);
}
