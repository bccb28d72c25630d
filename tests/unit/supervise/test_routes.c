/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `weir run` withdraws at a stop (supervise/routes.c): the routes of DNS addresses, in the
 * kernel of a network namespace of the test's own, and nothing else.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "supervise/run.h"
#include "tests/unit/suite.h"
#include "weir/own_routes.h"

#define SKIPPED 77

static struct own_routes *kernel;
static struct addr vip, dns[2];

static bool is_there(uint32_t table, const struct addr *a)
{
	struct addr list[8];
	size_t n = 0;

	assert_int_equal(own_routes_list(kernel, table, list, 8, &n), 0);
	for (size_t i = 0; i < n; i++)
		if (addr_equal(&list[i], a))
			return true;
	return false;
}

static void add_route(uint32_t table, const struct addr *a)
{
	assert_int_equal(own_routes_add(kernel, table, a), 0);
}

static struct model_node make_node(enum model_daemon daemon, size_t n_dns)
{
	return (struct model_node){ .announce = { .daemon = daemon,
		                                  .table = 100,
		                                  .gshut_table = 101,
		                                  .dns = dns,
		                                  .n_dns = n_dns } };
}

static void dns_addresses_go_and_vips_stay(void **state)
{
	struct model_node node = make_node(MODEL_DAEMON_BIRD, 2);
	struct run_routes routes;

	(void)state;
	run_routes_note(&routes, &node);
	add_route(100, &vip);
	add_route(100, &dns[0]);
	add_route(101, &dns[1]);
	add_route(177, &dns[1]); /* not a table of this node */
	add_route(101, &dns[0]);
	assert_true(run_routes_withdraw(&routes));
	assert_false(is_there(101, &dns[0]));
	add_route(100, &dns[0]); /* in one of the tables alone */
	assert_true(run_routes_withdraw(&routes));
	add_route(101, &dns[1]);
	assert_true(run_routes_withdraw(&routes));
	assert_false(is_there(100, &dns[0]) || is_there(101, &dns[1]));
	assert_true(is_there(100, &vip) && is_there(177, &dns[1]));
	assert_false(run_routes_withdraw(&routes)); /* nobody need wait */
}

static void a_node_that_announces_no_dns_address_withdraws_nothing(void **state)
{
	const struct model_node nodes[] = { make_node(MODEL_DAEMON_BIRD, 0),
		                            make_node(MODEL_DAEMON_NONE, 2) };

	(void)state;
	add_route(100, &dns[0]);
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		struct run_routes routes = { .n = 1,
			                     .addresses = { dns[0] },
			                     .tables = { 100, 101 } };

		run_routes_note(&routes, &nodes[i]);
		assert_false(run_routes_withdraw(&routes));
		assert_true(is_there(100, &dns[0]));
	}
}

static int remove_all(void **state)
{
	(void)state;
	return own_routes_delete_all(kernel, 100) || own_routes_delete_all(kernel, 101) ||
	       own_routes_delete_all(kernel, 177);
}

SUITE(routes)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(dns_addresses_go_and_vips_stay, remove_all),
		cmocka_unit_test_teardown(a_node_that_announces_no_dns_address_withdraws_nothing,
		                          remove_all),
	};

	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		printf("needs a network namespace: skipped\n");
		return SKIPPED;
	}
	if (system("ip link set lo up") || addr_parse("192.0.2.1", &vip) ||
	    addr_parse("192.0.2.53", &dns[0]) || addr_parse("2001:db8::53", &dns[1]) ||
	    own_routes_open(&kernel))
		return 1;
	log_level(LOG_EMERG);
	int failed = cmocka_run_group_tests_name("supervise, routes", tests, NULL, NULL);

	own_routes_close(kernel);
	return failed;
}
