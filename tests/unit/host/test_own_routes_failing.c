/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each error of the kernel once, where Weir's routes are listed, added and deleted (host/own_routes.c), in a network
 * namespace of the test's own: a list is whole or is an error, and the next try does what this one did not.
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
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/calls.h"
#include "tests/unit/suite.h"
#include "weir/own_routes.h"

#define SKIPPED 77
#define TABLE   177u
#define N       (sizeof(texts) / sizeof(texts[0]))

static const char *const texts[] = { "10.100.0.1", "10.100.0.2", "fd10::1", "fd10::2", "fd10::3" };
static struct own_routes *routes;

static struct addr make_address(size_t i)
{
	struct addr a;

	assert_int_equal(addr_parse(texts[i], &a), 0);
	return a;
}

static int add_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < N; i++) {
		struct addr a = make_address(i);

		if (own_routes_add(routes, TABLE, &a))
			return -1;
	}
	return 0;
}

static int remove_all(void **state)
{
	(void)state;
	calls_end();
	return own_routes_delete_all(routes, TABLE);
}

/* The table has exactly the first @p n addresses. */
static void expect_routes(size_t n)
{
	struct addr found[N + 1];
	size_t n_found = 99;

	assert_int_equal(own_routes_list(routes, TABLE, found, N + 1, &n_found), 0);
	assert_int_equal(n_found, n);
	for (size_t i = 0; i < n; i++) {
		struct addr a = make_address(i);

		assert_true(addr_equal(&found[i], &a));
	}
}

static int list_all(void)
{
	struct addr found[N];
	size_t n = 77;
	int err = own_routes_list(routes, TABLE, found, N, &n);

	assert_int_equal(n, err ? 77 : N); /* a part is never taken for the whole */
	return err;
}

static int add_one(void)
{
	struct addr a = make_address(0);

	return own_routes_add(routes, TABLE, &a);
}

static int delete_one(void)
{
	struct addr a = make_address(N - 1);

	return own_routes_delete(routes, TABLE, &a);
}

static int delete_all(void)
{
	return own_routes_delete_all(routes, TABLE);
}

static int open_another(void)
{
	struct own_routes *another = NULL;
	int err = own_routes_open(&another);

	assert_int_equal(another == NULL, err != 0);
	own_routes_close(another);
	return err;
}

/* Call, which one, how, whether all after it; who calls; what it returns, and how many routes stay. */
static const struct failure {
	const char *call;
	unsigned nth;
	int how;
	bool always;
	int (*caller)(void);
	int result;
	size_t n_left;
} failures[] = {
	{ "mnl_socket_open2", 1, EMFILE, false, open_another, -EMFILE, N },
	{ "mnl_socket_bind", 1, ENOMEM, false, open_another, -ENOMEM, N },
	{ "mnl_socket_sendto", 1, ENOBUFS, false, list_all, -ENOBUFS, N }, /* IPv4 */
	{ "mnl_socket_sendto", 2, ENOBUFS, false, list_all, -ENOBUFS, N }, /* IPv6 */
	{ "mnl_socket_recvfrom", 1, ENOBUFS, false, list_all, -ENOBUFS, N },
	{ "mnl_socket_recvfrom", 1, EINTR, false, list_all, 0, N },
	{ "mnl_socket_recvfrom", 3, ENOBUFS, false, list_all, -ENOBUFS, N },
	{ "mnl_socket_recvfrom", 1, CALLS_INTERRUPTED, false, list_all, 0, N },
	{ "mnl_socket_recvfrom", 2, CALLS_INTERRUPTED, false, list_all, 0, N },
	{ "mnl_socket_recvfrom", 3, CALLS_INTERRUPTED, false, list_all, 0, N },
	{ "mnl_socket_recvfrom", 1, CALLS_INTERRUPTED, true, list_all, -EINTR, N },
	{ "mnl_socket_sendto", 1, CALLS_NO_FAMILY, false, list_all, 0, N },
	{ "mnl_socket_sendto", 1, EPERM, false, add_one, -EPERM, N },
	{ "mnl_socket_recvfrom", 1, ENOBUFS, false, add_one, -ENOBUFS, N },
	{ "mnl_socket_recvfrom", 2, CALLS_INTERRUPTED, false, add_one, 0, N },
	{ "mnl_socket_recvfrom", 2, CALLS_INTERRUPTED, true, add_one, 0,
	  N }, /* a part shows that it is there */
	{ "mnl_socket_recvfrom", 2, ENOBUFS, false, add_one, -ENOBUFS,
	  N }, /* is it ours that is there? */
	{ "mnl_socket_sendto", 1, EPERM, false, delete_one, -EPERM, N },
	{ "mnl_socket_recvfrom", 1, ENOBUFS, false, delete_one, -ENOBUFS,
	  N - 1 }, /* done, and not known */
	{ "mnl_socket_sendto", 1, ENOBUFS, false, delete_all, -ENOBUFS, N },
	{ "mnl_socket_sendto", 3, EPERM, false, delete_all, -EPERM, N },
	{ "mnl_socket_recvfrom", 1, CALLS_INTERRUPTED, false, delete_all, 0, 0 },
	{ "mnl_socket_recvfrom", 1, CALLS_INTERRUPTED, true, delete_all, -EINTR, N },
	{ "mnl_socket_sendto", 1, CALLS_NO_FAMILY, false, delete_all, 0, 0 },
};

static void each_error_of_the_kernel_is_the_callers(void **state)
{
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		const struct failure *f = &failures[i];

		calls_fail(f->call, f->nth, f->how, f->always);
		int result = f->caller();
		if (!calls_end() || result != f->result)
			fail_msg("row %zu, %s %u: %d", i, f->call, f->nth, result);
		expect_routes(f->n_left);
		if (result) /* the next try succeeds */
			assert_int_equal(f->caller(), 0);
		assert_int_equal(add_all(state), 0);
		expect_routes(N);
	}
}

SUITE(own_routes_failing)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_error_of_the_kernel_is_the_callers, add_all,
		                                remove_all),
	};

	if ((unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) ||
	    system("ip link set lo up")) {
		printf("needs a network namespace: skipped\n");
		return SKIPPED;
	}
	if (own_routes_open(&routes))
		return 1;
	int failed = cmocka_run_group_tests_name("own_routes failing", tests, NULL, NULL);

	own_routes_close(routes);
	return failed;
}
