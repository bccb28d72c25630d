/* SPDX-License-Identifier: BSD-2-Clause */
/* Routes that a dead process has left, in a network namespace of the test's own (dataplane/withdraw.c). */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/withdraw.h"
#include "weir/model.h"
#include "weir/own_routes.h"

#define SKIPPED 77
#define NORMAL  177u
#define GSHUT   178u
#define OTHER   179u /* another node's, or another program's with Weir's number */

static struct own_routes *routes;

static size_t count_routes(uint32_t table)
{
	struct addr out[1];
	size_t n = 99;

	assert_int_equal(own_routes_list(routes, table, out, 1, &n), 0);
	return n;
}

static void add_routes(uint32_t table)
{
	static const char *const texts[] = { "10.100.0.1", "fd10::1" };
	struct addr a;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(addr_parse(texts[i], &a), 0);
		assert_int_equal(own_routes_add(routes, table, &a), 0);
	}
}

static int add_all(void **state)
{
	(void)state;
	add_routes(NORMAL);
	add_routes(GSHUT);
	add_routes(OTHER);
	return 0;
}

static void routes_of_both_tables_go(void **state)
{
	const struct model_node self = {
		.announce = { .daemon = MODEL_DAEMON_BIRD, .table = NORMAL, .gshut_table = GSHUT }
	};

	(void)state;
	withdraw_left_routes(&self);
	assert_int_equal(count_routes(NORMAL), 0);
	assert_int_equal(count_routes(GSHUT), 0);
	assert_int_equal(count_routes(OTHER), 2);
	withdraw_left_routes(&self); /* none is left: nothing happens */
	assert_int_equal(count_routes(OTHER), 2);
}

static void without_a_daemon_nothing_is_touched(void **state)
{
	const struct model_node self = { .announce = { .table = NORMAL, .gshut_table = GSHUT } };

	(void)state;
	withdraw_left_routes(&self);
	assert_int_equal(count_routes(NORMAL), 2);
	assert_int_equal(count_routes(GSHUT), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(routes_of_both_tables_go, add_all),
		cmocka_unit_test_setup(without_a_daemon_nothing_is_touched, add_all),
	};
	int failed;

	if (unshare(CLONE_NEWNET)) {
		puts("needs root, for a network namespace");
		return SKIPPED;
	}
	if (own_routes_open(&routes))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	own_routes_close(routes);
	return failed;
}
