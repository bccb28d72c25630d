/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a node says of itself for an operation's facts: which of its checks get through, and where
 * sites are up as its weir-dns observes it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "mgmt/controller/operation_measure.h"
#include "mgmt/controller/operation_snapshot.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

static unsigned n_found;

/* A host that has another address on each way. */
static int own_getsockname(int s, struct sockaddr *address, socklen_t *size)
{
	int err = __real_getsockname(s, address, size);

	if (!err && address->sa_family == AF_INET)
		((struct sockaddr_in *)(void *)address)->sin_addr.s_addr =
		        htonl(INADDR_LOOPBACK + n_found++);
	return err;
}

/* fra-1 checks the VIP of ams; that of fra is its own. */
static struct model_site model_sites[] = { { .name = "ams" }, { .name = "fra", .index = 1 } };
static const struct model_site *vip_sites[] = { &model_sites[0], &model_sites[1] };
static struct model_vip vips[] = { { .name = "v-ams", .sites = &vip_sites[0], .n_sites = 1 },
	                           { .name = "v-fra", .sites = &vip_sites[1], .n_sites = 1 } };
static struct model_at at[] = { { .site = &model_sites[0], .vip = &vips[0] },
	                        { .site = &model_sites[1], .vip = &vips[1] } };
static struct model_service service = { .name = "web", .at = at, .n_at = 2 };
static struct model_node node = { .name = "fra-1", .site = &model_sites[1] };
static const struct model m = { .services = &service, .n_services = 1, .self = &node };

/* What fra-1 says of its checks: those that a VIP of another site has answered. */
static void checks_that_do_not_get_through_are_not_told(void **state)
{
	static const struct {
		enum health_reason reason;
		unsigned marks;
		bool told;
	} rows[] = {
		{ HEALTH_REASON_OK, 0, true },
		{ HEALTH_REASON_REFUSED, 0, true },
		{ HEALTH_REASON_RESET, 0, true },
		{ HEALTH_REASON_BAD_STATUS, 0, true },
		{ HEALTH_REASON_BAD_ANSWER, 0, true },
		{ HEALTH_REASON_TIMEOUT, 0, false },
		{ HEALTH_REASON_NONE, 0, false },
		{ HEALTH_REASON_UNREACHABLE, 0, false },
		{ HEALTH_REASON_LOCAL, 0, false },
		{ HEALTH_REASON_OK, HEALTH_MARK_RESTORED, false },
	};
	const uint64_t targets[] = { health_target_service("web", "ams", true),
		                     health_target_service("web", "fra", true) };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct health_page *page = calloc(1, sizeof(*page));
		struct model_check check = { .interval_ms = 200 };

		service.vip_check = &check;
		assert_non_null(page);
		assert_int_equal(health_set_targets(page, targets, 2, 1), 0);
		for (size_t k = 0; k < 2; k++) /* fra is its own site */
			health_write(page, health_find_index(page, targets[k]),
			             health_make(HEALTH_UP, rows[i].marks, rows[i].reason, 1));
		json_t *checks = operation_checks_json(&m, page);
		char *text = json_dumps(checks, JSON_COMPACT);
		assert_string_equal(text, rows[i].told ? "{\"web\":{\"ams\":1}}" : "{}");
		free(text);
		json_decref(checks);
		free(page);
	}
}

/* Of its own VIPs, those that are of several sites among them, a node says nothing. */
static void a_vip_that_is_the_node_s_own_is_not_told(void **state)
{
	static const struct model_site *both[] = { &model_sites[0], &model_sites[1] };
	static const struct {
		const char *why;
		size_t n_sites; /* of the VIP of ams */
		bool has_vip;
		uint32_t interval_ms;
		uint16_t port;
		const char *told;
	} rows[] = {
		{ "of ams", 1, true, 200, 0, "{\"web\":{\"ams\":2}}" },
		{ "of both", 2, true, 200, 0, "{}" },
		{ "there is none", 1, false, 200, 0, "{}" },
		{ "no interval", 1, true, 0, 0, "{}" },
		{ "the service's port", 1, true, 200, 80, "{\"web\":{\"ams\":2}}" },
		{ "another port", 1, true, 200, 81, "{}" },
	};
	const uint64_t targets[] = { health_target_service("web", "ams", true),
		                     health_target_service("web", "ams", false) };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct health_page *page = calloc(1, sizeof(*page));
		struct model_check check = { .interval_ms = rows[i].interval_ms,
			                     .port = rows[i].port };
		const struct model_vip vip = vips[0];

		service.vip_check = &check;
		service.port = 80;
		vips[0].sites = both;
		vips[0].n_sites = rows[i].n_sites;
		at[0].vip = rows[i].has_vip ? &vips[0] : NULL;
		assert_non_null(page);
		assert_int_equal(health_set_targets(page, targets, 2, 1), 0);
		for (size_t k = 0; k < 2; k++)
			health_write(page, health_find_index(page, targets[k]),
			             health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1));
		json_t *checks = operation_checks_json(&m, page);
		char *text = json_dumps(checks, JSON_COMPACT);

		print_message("  %s\n", rows[i].why);
		assert_string_equal(text, rows[i].told);
		free(text);
		json_decref(checks);
		free(page);
		vips[0] = vip;
		at[0].vip = &vips[0];
	}
}

/* Of what all nodes say, that of nodes elsewhere; and from a prefix, that in its family. */
static void checks_of_nodes_elsewhere_are_added_up(void **state)
{
	static const char *const said[] = {
		/* ams-1: its own site is no other one */
		"{\"checks\":{\"web\":{\"ams\":2,\"fra\":1}},\"check_sources\":{\"ams\":"
		"{\"ipv4\":\"192.0.2.7\"},\"fra\":{\"ipv4\":\"192.0.2.7\",\"ipv6\":\"2001:db8::7\"}}}",
		"{\"checks\":{\"web\":{\"ams\":2},\"mail\":{\"ams\":1},\"ftp\":{\"ams\":1}},\"check_sources\":{\"ams\":"
		"{\"ipv4\":\"198.51.100.8\",\"ipv6\":\"2001:db8::8\"}}}",
		/* fra-2 does not get through to ams any more */
		"{\"checks\":{\"web\":{}},\"check_sources\":{\"ams\":{\"ipv4\":\"198.51.100.9\"}}}",
	};
	static const struct {
		const char *service, *site, *from; /* "": of all */
		uint64_t milli;
	} rows[] = {
		{ "web", "ams", "", 10526 },
		{ "mail", "ams", "", 1052 },
		{ "", "ams", "", 11578 },
		{ "web", "fra", "", 5263 },
		{ "web", "lon", "", 0 },
		{ "ftp", "ams", "", 0 }, /* its checks are of another port */
		{ "web", "ams", "198.51.100.0/24", 5263 },
		{ "web", "ams", "198.51.100.9/32", 0 },
		{ "web", "ams", "2001:db8::/64", 5263 },
		{ "web", "ams", "192.0.2.0/24", 0 },
		{ "web", "fra", "192.0.2.0/24", 5263 },
		{ "mail", "ams", "198.51.100.0/24", 1052 },
		{ "mail", "fra", "192.0.2.0/24", 0 },
		{ "ftp", "ams", "198.51.100.0/24", 0 },
	};
	const struct model_check five = { .interval_ms = 200 }, one = { .interval_ms = 1000 },
	                         other = { .interval_ms = 200, .port = 81 };
	const struct model_service services[] = {
		{ .name = "web", .vip_check = &five, .port = 80 },
		{ .name = "mail", .vip_check = &one, .port = 25 },
		{ .name = "ftp", .vip_check = &other, .port = 21 },
	};
	const struct model_node nodes[] = { { .name = "ams-1", .site = &model_sites[0] },
		                            { .name = "fra-1", .site = &model_sites[1] },
		                            { .name = "fra-2", .site = &model_sites[1] } };
	const struct model all = { .services = services, .n_services = 3 };
	struct operation_snapshot *v = calloc(1, sizeof(*v));

	(void)state;
	assert_non_null(v);
	v->m = &all;
	v->n_reports = 3;
	for (size_t i = 0; i < 3; i++) {
		v->reports[i].node = &nodes[i];
		v->reports[i].measure = json_loads(said[i], 0, NULL);
		assert_non_null(v->reports[i].measure);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct prefix from;

		print_message("  %s %s %s\n", rows[i].service, rows[i].site, rows[i].from);
		if (*rows[i].from)
			assert_int_equal(prefix_parse(rows[i].from, &from), 0);
		assert_int_equal(operation_checks_milli(v, rows[i].service, rows[i].site,
		                                        *rows[i].from ? &from : NULL),
		                 rows[i].milli);
	}
	for (size_t i = 0; i < 3; i++)
		json_decref(v->reports[i].measure);
	free(v);
}

/* Of the site that is checked alone, and of the first of its addresses; where the kernel has no way there is no address. */
static void a_node_says_from_where_its_checks_come(void **state)
{
	static const struct {
		const char *checks, *vip, *second, *sources;
	} rows[] = {
		{ "{\"web\":{\"ams\":1}}", "127.0.0.1", NULL,
		  "{\"ams\":{\"ipv4\":\"127.0.0.1\"}}" },
		{ "{\"web\":{\"ams\":1}}", "127.0.0.1", "127.0.0.2",
		  "{\"ams\":{\"ipv4\":\"127.0.0.1\"}}" },
		{ "{\"web\":{\"ams\":1}}", "255.255.255.255", NULL, "{\"ams\":{}}" },
		{ "{\"web\":{\"ams\":1}}", "::1", NULL, "{\"ams\":{\"ipv6\":\"::1\"}}" },
		{ "{\"web\":{\"ams\":2}}", "::1", "127.0.0.1",
		  "{\"ams\":{\"ipv6\":\"::1\",\"ipv4\":\"127.0.0.1\"}}" },
		{ "{}", "127.0.0.1", NULL, "{}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *checks = json_loads(rows[i].checks, 0, NULL);
		struct addr addresses[2];

		n_found = 0;
		assert_int_equal(addr_parse(rows[i].vip, &addresses[0]), 0);
		if (rows[i].second)
			assert_int_equal(addr_parse(rows[i].second, &addresses[1]), 0);
		vips[0].addresses = addresses;
		vips[0].n_addresses = rows[i].second ? 2 : 1;
		json_t *sources = operation_check_sources_json(&m, checks);
		char *text = json_dumps(sources, JSON_COMPACT);

		assert_string_equal(text, rows[i].sources);
		free(text);
		json_decref(sources);
		json_decref(checks);
	}
	vips[0].n_addresses = 0;
}

static void a_site_whose_state_is_unknown_is_neither_up_nor_down(void **state)
{
	static const struct {
		const char *ipv4, *views;
		const char *up; /* "true", "false", "" */
		bool checked, failing, unproven;
	} cases[] = {
		{ "unknown", "[]", "", false, false, false },
		{ "up", "[]", "", false, false, true }, /* never up as yet, but not down */
		{ "down", "[]", "false", false, false, true },
		{ "up",
		  "[{\"site\":\"lon\",\"fresh\":true,\"unproven\":true,\"ipv4\":\"unknown\"}]", "",
		  false, false, true },
		{ "up", "[]", "true", true, false, false },
		{ "down", "[]", "false", true, true, false },
		{ "up",
		  "[{\"site\":\"ams\",\"fresh\":true,\"ipv4\":\"up\"},{\"site\":\"lon\",\"fresh\":true,"
		  "\"ipv4\":\"down\"}]",
		  "false", true, true, false },
		{ "up",
		  "[{\"site\":\"rom\",\"fresh\":true,\"ipv4\":\"up\"},{\"site\":\"lon\",\"fresh\":true,"
		  "\"ipv4\":\"down\"}]",
		  "", true, true, false },
		{ "up", "[{\"site\":\"lon\",\"fresh\":false,\"ipv4\":\"down\"}]", "true", false,
		  false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *dns =
		        json_pack("{s:[{s:[{s:s, s:s, s:s, s:b, s:o}]}]}", "names", "sites", "site",
		                  "ams", "ipv4", cases[i].ipv4, "ipv6", "none", "unproven",
		                  cases[i].unproven, "views", json_loads(cases[i].views, 0, NULL));
		json_t *sites = operation_sites_json(dns, "fra");
		const json_t *one = json_array_get(sites, 0), *up = json_object_get(one, "up");

		assert_string_equal(!up ? "" : json_is_true(up) ? "true" : "false", cases[i].up);
		assert_int_equal(json_is_true(json_object_get(one, "checked")), cases[i].checked);
		assert_int_equal(json_is_true(json_object_get(one, "failing")), cases[i].failing);
		json_decref(sites);
		json_decref(dns);
	}
}

SUITE(operation_said)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks_that_do_not_get_through_are_not_told),
		cmocka_unit_test(a_vip_that_is_the_node_s_own_is_not_told),
		cmocka_unit_test(checks_of_nodes_elsewhere_are_added_up),
		cmocka_unit_test(a_node_says_from_where_its_checks_come),
		cmocka_unit_test(a_site_whose_state_is_unknown_is_neither_up_nor_down),
	};

	answer_getsockname = own_getsockname;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
