/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deletions of all routes while somebody else adds them again (host/own_routes.c): the caller is
 * the dataplane's start or stop, which must not be held. The kernel is that of a network namespace
 * of the test's own; the somebody adds each route as soon as it is deleted.
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

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "tests/unit/mnl_answers.h"
#include "tests/unit/suite.h"
#include "weir/own_routes.h"

#define SKIPPED 77
#define TABLE   177u
/* What is deleted in a round, and how many rounds there are before the caller gets the error. */
#define BATCH  1024u
#define ROUNDS 64u
#define MANY   (BATCH + 76u) /* more than one batch: a round never sees the end */

static struct own_routes *routes, *other; /* ours, and who adds */
static unsigned n_deleted;
static unsigned n_undone; /* so many of the deletions are undone */

static ssize_t own_mnl_socket_sendto(const struct mnl_socket *s, const void *request, size_t length)
{
	const struct nlmsghdr *h = request;
	struct nlattr *at;
	ssize_t n = __real_mnl_socket_sendto(s, request, length);

	if (h->nlmsg_type != RTM_DELROUTE || n_deleted++ >= n_undone)
		return n;
	mnl_attr_for_each(at, h, sizeof(struct rtmsg))
	{
		struct addr a;

		if (mnl_attr_get_type(at) != RTA_DST)
			continue;
		a = addr_from4(mnl_attr_get_payload(at));
		assert_int_equal(own_routes_add(other, TABLE, &a), 0);
	}
	return n;
}

static size_t count_routes(void)
{
	struct addr out[1];
	size_t n = 0;

	assert_int_equal(own_routes_list(routes, TABLE, out, 1, &n), 0);
	return n;
}

static int add_many(void **state)
{
	int err = 0;

	(void)state;
	for (uint32_t i = 0; i < MANY && !err; i++) {
		const uint8_t bytes[4] = { 10, 100, (uint8_t)(i >> 8), (uint8_t)i };
		struct addr a = addr_from4(bytes);

		err = own_routes_add(routes, TABLE, &a);
	}
	n_deleted = n_undone = 0;
	return err;
}

static int remove_all(void **state)
{
	(void)state;
	n_deleted = n_undone = 0;
	return own_routes_delete_all(routes, TABLE);
}

static void who_adds_for_ever_does_not_hold_the_caller(void **state)
{
	(void)state;
	n_undone = UINT32_MAX;
	assert_int_equal(own_routes_delete_all(routes, TABLE), -EBUSY);
	assert_int_equal(n_deleted, ROUNDS * BATCH);
	assert_int_equal(count_routes(), MANY);
}

static void who_adds_for_a_while_is_outlasted(void **state)
{
	(void)state;
	n_undone = 3 * BATCH;
	assert_int_equal(own_routes_delete_all(routes, TABLE), 0);
	assert_int_equal(n_deleted, MANY + n_undone);
	assert_int_equal(count_routes(), 0);
}

SUITE(own_routes_busy)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_adds_for_ever_does_not_hold_the_caller,
		                                add_many, remove_all),
		cmocka_unit_test_setup_teardown(who_adds_for_a_while_is_outlasted, add_many,
		                                remove_all),
	};

	answer_mnl_socket_sendto = own_mnl_socket_sendto;
	if ((unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) ||
	    system("ip link set lo up")) {
		printf("needs a network namespace: skipped\n");
		return SKIPPED;
	}
	if (own_routes_open(&routes) || own_routes_open(&other))
		return 1;
	int failed = cmocka_run_group_tests_name("own_routes busy", tests, NULL, NULL);

	own_routes_close(other);
	own_routes_close(routes);
	return failed;
}
