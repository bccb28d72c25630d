/* SPDX-License-Identifier: BSD-2-Clause */
/* Bells wake each server that has joined, and no other; by real eventfds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include "mgmt/http/bell.h"
#include "tests/unit/suite.h"

#define N (HTTP_BELLS_SERVERS + 1) /* one more than there is room for */

static struct http_bells bells;
static int fds[N];

static int setup(void **state)
{
	(void)state;
	bells = (struct http_bells){ .lock = PTHREAD_MUTEX_INITIALIZER };
	for (size_t i = 0; i < N; i++) {
		fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		assert_true(fds[i] > 0);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < N; i++)
		close(fds[i]);
	return 0;
}

/* Ring, and expect that the servers whose bit is in @p woken are woken once each. */
static void expect_woken(const char *why, unsigned woken)
{
	http_bells_ring(&bells, 1);
	for (size_t i = 0; i < N; i++) {
		uint64_t n = 0;

		if (read(fds[i], &n, sizeof(n)) != (ssize_t)sizeof(n))
			n = 0;
		if (n != (woken >> i & 1))
			fail_msg("%s: server %zu was woken %u times", why, i, (unsigned)n);
	}
}

static void each_server_that_has_joined_is_woken(void **state)
{
	(void)state;
	expect_woken("nobody has joined", 0);
	http_bells_join(&bells, fds[0]);
	expect_woken("one", 1);
	http_bells_join(&bells, fds[1]);
	expect_woken("a new one before the former ends", 3);
	http_bells_leave(&bells, fds[0]);
	expect_woken("the former has left", 2);
	http_bells_leave(&bells, fds[0]);
	expect_woken("it leaves again", 2);
	http_bells_join(&bells, fds[2]);
	http_bells_join(&bells, fds[3]);
	http_bells_join(&bells, fds[0]);
	expect_woken("all there is room for", 15);
	http_bells_join(&bells, fds[4]);
	expect_woken("one more", 15);
	http_bells_leave(&bells, fds[3]);
	http_bells_join(&bells, fds[4]);
	expect_woken("there is room again", 16 + 7);
}

static void a_ring_counts_for_its_bells_alone(void **state)
{
	static const struct {
		unsigned bells;
		uint64_t rung[HTTP_BELLS]; /* in all, after it */
	} rows[] = { { 1, { 1, 0 } }, { 2, { 1, 1 } }, { 2, { 1, 2 } },
		     { 3, { 2, 3 } }, { 4, { 2, 3 } }, { 0, { 2, 3 } } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		http_bells_ring(&bells, rows[i].bells);
		for (size_t k = 0; k < HTTP_BELLS; k++)
			assert_int_equal(atomic_load(&bells.rung[k]), rows[i].rung[k]);
	}
}

SUITE(http_bell)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_server_that_has_joined_is_woken),
		T(a_ring_counts_for_its_bells_alone),
	};

	return cmocka_run_group_tests_name("http bell", tests, NULL, NULL);
}
