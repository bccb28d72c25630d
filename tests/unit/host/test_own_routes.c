/* SPDX-License-Identifier: BSD-2-Clause */
/* Weir's routes in the kernel of a network namespace of the test's own (host/own_routes.c). */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/own_routes.h"

#define SKIPPED 77
#define NORMAL  177u
#define GSHUT   178u
#define MANY    1500u /* more than one batch of a deletion, and several messages of a dump */

static struct own_routes *routes;

static void run_ip(const char *words)
{
	char command[256];

	snprintf(command, sizeof(command), "ip %s", words);
	assert_int_equal(system(command), 0);
}

static struct addr make_address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct addr make_numbered(uint32_t i)
{
	const uint8_t four[4] = { 10, 100, (uint8_t)(i >> 8), (uint8_t)i };
	uint8_t six[16] = { 0xfd, 0x10, [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i };

	return i % 2 ? addr_from4(four) : addr_from6(six);
}

static size_t count_routes(uint32_t table)
{
	struct addr out[1];
	size_t n = 99;

	assert_int_equal(own_routes_list(routes, table, out, 1, &n), 0);
	return n;
}

static int remove_all(void **state)
{
	(void)state;
	return own_routes_delete_all(routes, NORMAL) || own_routes_delete_all(routes, GSHUT);
}

static void bad_tables_are_refused(void **state)
{
	(void)state;
	static const uint32_t bad[] = { 0, 253, 254, 255, 256, UINT32_MAX };
	struct addr a = make_address("10.100.0.1"), out[1];
	size_t n = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(own_routes_add(routes, bad[i], &a), -EINVAL);
		assert_int_equal(own_routes_delete(routes, bad[i], &a), -EINVAL);
		assert_int_equal(own_routes_delete_all(routes, bad[i]), -EINVAL);
		assert_int_equal(own_routes_list(routes, bad[i], out, 1, &n), -EINVAL);
	}
	assert_int_equal(n, 7);
}

static void an_absent_table_is_empty(void **state)
{
	(void)state;
	assert_int_equal(count_routes(99), 0);
	assert_int_equal(own_routes_delete_all(routes, 99), 0);
}

static void routes_of_both_families_come_and_go(void **state)
{
	(void)state;
	struct addr four = make_address("10.100.0.1"), six = make_address("fd10::1"), out[2];
	size_t n = 0;

	assert_int_equal(own_routes_add(routes, NORMAL, &six), 0);
	assert_int_equal(own_routes_add(routes, NORMAL, &four), 0);
	assert_int_equal(own_routes_add(routes, NORMAL, &four), 0); /* twice is once */
	assert_int_equal(own_routes_list(routes, NORMAL, out, 2, &n), 0);
	assert_int_equal(n, 2);
	assert_true(addr_equal(&out[0], &four) && addr_equal(&out[1], &six));
	assert_int_equal(count_routes(GSHUT), 0);
	run_ip("route show table 177 proto 177 | grep -qx 'blackhole 10.100.0.1 '");
	assert_int_equal(own_routes_delete(routes, NORMAL, &four), 0);
	assert_int_equal(own_routes_delete(routes, NORMAL, &four), 0);
	assert_int_equal(count_routes(NORMAL), 1);
}

/* Neither what others have in the table, nor Weir's number on another kind of route. */
static void routes_of_others_stay(void **state)
{
	(void)state;
	struct addr taken = make_address("10.100.0.9"), taken6 = make_address("fd10::9");
	struct addr own = make_address("10.100.0.8"), own6 = make_address("fd10::8");

	run_ip("route add blackhole 10.100.0.9/32 table 177 proto static");
	run_ip("route add blackhole 10.101.0.0/16 table 177 proto 177");
	run_ip("-6 route add blackhole fd10::9/128 table 177 proto static");
	assert_int_equal(count_routes(NORMAL), 0);
	assert_int_equal(own_routes_add(routes, NORMAL, &own), 0); /* it is not taken for theirs */
	assert_int_equal(own_routes_add(routes, NORMAL, &own6), 0);
	assert_int_equal(own_routes_add(routes, NORMAL, &taken), -EEXIST);
	assert_int_equal(own_routes_add(routes, NORMAL, &taken6), -EEXIST);
	assert_int_equal(own_routes_delete(routes, NORMAL, &taken), 0);
	assert_int_equal(own_routes_delete(routes, NORMAL, &taken6), 0);
	assert_int_equal(own_routes_delete_all(routes, NORMAL), 0);
	run_ip("route show table 177 | grep -q '^blackhole 10.100.0.9 proto static'");
	run_ip("route show table 177 | grep -q '^blackhole 10.101.0.0/16 proto 177'");
	run_ip("-6 route show table 177 | grep -q '^blackhole fd10::9 .*proto static'");
	run_ip("route flush table 177");
	run_ip("-6 route flush table 177");
}

static void a_list_that_does_not_fit_tells_how_many(void **state)
{
	(void)state;
	static struct addr out[MANY];
	size_t n = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		struct addr a = make_numbered(i);

		assert_int_equal(own_routes_add(routes, GSHUT, &a), 0);
	}
	assert_int_equal(count_routes(GSHUT), MANY);
	assert_int_equal(own_routes_list(routes, GSHUT, out, MANY, &n), 0);
	assert_int_equal(n, MANY);
	assert_true(addr_is4(&out[0]) && !addr_is4(&out[MANY - 1]));
	assert_int_equal(count_routes(NORMAL), 0);
	assert_int_equal(own_routes_delete_all(routes, GSHUT), 0);
	assert_int_equal(count_routes(GSHUT), 0);
}

#define T(name) cmocka_unit_test_teardown(name, remove_all)

SUITE(own_routes)
{
	const struct CMUnitTest tests[] = {
		T(bad_tables_are_refused),
		T(an_absent_table_is_empty),
		T(routes_of_both_families_come_and_go),
		T(routes_of_others_stay),
		T(a_list_that_does_not_fit_tells_how_many),
	};

	if ((unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) ||
	    system("ip link set lo up")) {
		printf("needs a network namespace: skipped\n");
		return SKIPPED;
	}
	if (own_routes_open(&routes))
		return 1;
	int failed = cmocka_run_group_tests_name("own_routes", tests, NULL, NULL);

	own_routes_close(routes);
	return failed;
}
