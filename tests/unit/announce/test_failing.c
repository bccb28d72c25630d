/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each error of the kernel once, where weir-announce passes it on: two addresses in the kernel of a
 * network namespace of the test's own, the product as it is, and functions of libc and libmnl that
 * fail when a row of the table says so (tests/unit/calls.h). A failure withdraws nothing and
 * announces nothing by itself, and is made good later.
 */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "announce/process.h"
#include "base/clock.h"
#include "base/loop.h"
#include "tests/unit/calls.h"
#include "tests/unit/suite.h"
#include "weir/own_routes.h"

#define SKIPPED  77
#define NORMAL   177u
#define SHUTDOWN 178u
#define OTHER    179u
#define NOW_MS   100000u
#define LATER_MS (NOW_MS + 60000u)
#define N        2u

static const char *const texts[N] = { "192.0.2.1", "2001:db8::1" };
static struct announcer a;
static struct announce_row rows[N];
static struct own_routes *kernel; /* with which the test looks */
static uint64_t errors;

static size_t count_routes(uint32_t table)
{
	struct addr out[8];
	size_t n = 99;

	assert_int_equal(own_routes_list(kernel, table, out, COUNT(out), &n), 0);
	return n;
}

static void add_route(uint32_t table, const char *text)
{
	struct addr address;

	assert_int_equal(addr_parse(text, &address), 0);
	assert_int_equal(own_routes_add(kernel, table, &address), 0);
}

/* Both addresses are announced in the normal table; a third route there is nobody's. */
static void start_announced(void)
{
	a = (struct announcer){ .rows = rows, .n_rows = N, .dataplane_fd = -1 };
	a.counters.route_errors = &errors;
	a.kernel[ANNOUNCE_NORMAL].number = NORMAL;
	a.kernel[ANNOUNCE_SHUTDOWN].number = SHUTDOWN;
	errors = 0;
	assert_int_equal(own_routes_open(&a.own), 0);
	for (size_t i = 0; i < N; i++) {
		rows[i] = (struct announce_row){ .since_ms = NOW_MS };
		assert_int_equal(addr_parse(texts[i], &rows[i].intended.address), 0);
		add_route(NORMAL, texts[i]);
	}
	add_route(NORMAL, "198.51.100.1");
	assert_int_equal(kernel_read(&a, NOW_MS), 0);
	assert_int_equal(rows[0].state.table, ANNOUNCE_NORMAL);
	assert_int_equal(rows[1].state.table, ANNOUNCE_NORMAL);
}

static void end_announced(void)
{
	for (uint32_t table = NORMAL; table <= OTHER; table++)
		assert_int_equal(own_routes_delete_all(kernel, table), 0);
	free(a.kernel[ANNOUNCE_NORMAL].addresses);
	free(a.kernel[ANNOUNCE_SHUTDOWN].addresses);
	own_routes_close(a.own);
}

/* --- the callers --- */

static void read_tables(uint64_t now_ms)
{
	(void)kernel_read(&a, now_ms);
}

static void move_to(enum announce_move normal, enum announce_move shutdown, uint64_t now_ms)
{
	struct announce_moves moves = {
		.table = { [ANNOUNCE_NORMAL] = normal, [ANNOUNCE_SHUTDOWN] = shutdown }
	};

	(void)rows_move(&a, &rows[0], &moves, now_ms);
}

static void add_to_shutdown(uint64_t now_ms)
{
	move_to(ANNOUNCE_MOVE_NONE, ANNOUNCE_MOVE_ADD, now_ms);
}

static void delete_from_normal(uint64_t now_ms)
{
	move_to(ANNOUNCE_MOVE_DELETE, ANNOUNCE_MOVE_NONE, now_ms);
}

static void withdraw_all(uint64_t now_ms)
{
	(void)kernel_withdraw_all(&a, now_ms);
}

static void use_another_table(uint64_t now_ms)
{
	kernel_use_tables(&a, OTHER, SHUTDOWN, now_ms);
	for (size_t i = 0; i < N; i++) { /* what a round does with a route that is missing */
		struct announce_moves moves = { .table = { [ANNOUNCE_NORMAL] =
			                                           ANNOUNCE_MOVE_ADD } };

		if (!rows[i].routes.in_kernel[ANNOUNCE_NORMAL] && now_ms == LATER_MS)
			(void)rows_move(&a, &rows[i], &moves, now_ms);
	}
	kernel_sweep(&a, now_ms);
}

static void sweep_tables(uint64_t now_ms)
{
	kernel_sweep(&a, now_ms);
}

/* --- what must hold --- */

struct left {
	size_t normal, shutdown, other;
};

/* Call, which one, how, always; who calls; the routes after the failure, and after the next try. */
static const struct failure {
	const char *call;
	unsigned nth;
	int how;
	bool always;
	void (*caller)(uint64_t now_ms);
	struct left failed, mended;
} failures[] = {
	{ "mnl_socket_sendto", 1, ENOBUFS, false, read_tables, { 3, 0, 0 }, { 3, 0, 0 } },
	{ "mnl_socket_sendto", 2, ENOBUFS, false, read_tables, { 3, 0, 0 }, { 3, 0, 0 } },
	{ "mnl_socket_sendto", 3, ENOBUFS, false, read_tables, { 3, 0, 0 }, { 3, 0, 0 } },
	{ "mnl_socket_recvfrom", 1, ENOBUFS, false, read_tables, { 3, 0, 0 }, { 3, 0, 0 } },
	{ "mnl_socket_recvfrom",
	  1,
	  CALLS_INTERRUPTED,
	  true,
	  read_tables,
	  { 3, 0, 0 },
	  { 3, 0, 0 } },
	{ "mnl_socket_sendto", 1, EPERM, false, add_to_shutdown, { 3, 0, 0 }, { 3, 1, 0 } },
	{ "mnl_socket_recvfrom", 1, ENOBUFS, false, add_to_shutdown, { 3, 1, 0 }, { 3, 1, 0 } },
	{ "mnl_socket_sendto", 1, EPERM, false, delete_from_normal, { 3, 0, 0 }, { 2, 0, 0 } },
	{ "mnl_socket_recvfrom", 1, ENOBUFS, false, delete_from_normal, { 2, 0, 0 }, { 2, 0, 0 } },
	/* the first table fails, and the second is emptied all the same */
	{ "mnl_socket_sendto", 1, ENOBUFS, false, withdraw_all, { 3, 0, 0 }, { 0, 0, 0 } },
	{ "mnl_socket_sendto", 4, EPERM, false, withdraw_all, { 2, 0, 0 }, { 0, 0, 0 } },
	{ "mnl_socket_sendto", 6, ENOBUFS, false, withdraw_all, { 0, 1, 0 }, { 0, 0, 0 } },
	{ "mnl_socket_sendto", 1, EPERM, false, sweep_tables, { 3, 0, 0 }, { 2, 0, 0 } },
	/* the former table keeps what the new one has not got */
	{ "mnl_socket_sendto", 5, EPERM, false, use_another_table, { 3, 0, 1 }, { 0, 0, 2 } },
	{ "mnl_socket_sendto", 6, EPERM, false, use_another_table, { 3, 0, 1 }, { 0, 0, 2 } },
};

static void expect_left(const struct failure *f, const struct left *expected)
{
	struct left is = { count_routes(NORMAL), count_routes(SHUTDOWN), count_routes(OTHER) };

	if (memcmp(&is, expected, sizeof(is)) != 0)
		fail_msg("row %zd, %s %u: %zu %zu %zu", f - failures, f->call, f->nth, is.normal,
		         is.shutdown, is.other);
}

/* A row that another route hides must be seen once it is announced there. */
static void expect_known(void)
{
	for (size_t i = 0; i < N; i++) {
		assert_true(rows[i].is_found);
		assert_int_equal(rows[i].state.table, ANNOUNCE_NORMAL);
		assert_false(rows[i].is_lost);
	}
}

static void each_error_of_the_kernel_is_made_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(failures); i++) {
		const struct failure *f = &failures[i];

		start_announced();
		if (f->caller == withdraw_all)
			add_route(SHUTDOWN, texts[0]);
		calls_fail(f->call, f->nth, f->how, f->always);
		f->caller(NOW_MS + 1);
		if (!calls_end())
			fail_msg("row %zu: %s %u did not fail", i, f->call, f->nth);
		expect_left(f, &f->failed);
		expect_known();
		assert_int_not_equal(errors, 0);
		errors = 0;
		if (f->caller == sweep_tables)
			read_tables(LATER_MS); /* it sweeps what was read */
		f->caller(LATER_MS);
		expect_left(f, &f->mended);
		assert_int_equal(errors, 0);
		assert_int_equal(a.list_error, 0);
		end_announced();
	}
}

/* Routes that could not be listed are neither gone nor there: the rows say what was known. */
static void what_is_not_listed_is_as_it_was(void **state)
{
	(void)state;
	start_announced();
	for (unsigned nth = 1; nth <= 4; nth++) {
		calls_fail("mnl_socket_sendto", nth, ENOBUFS, false);
		assert_int_equal(kernel_read(&a, NOW_MS + nth), -ENOBUFS);
		assert_int_equal(calls_end(), 1);
		assert_int_equal(a.list_error, -ENOBUFS);
		for (size_t i = 0; i < N; i++) {
			assert_true(rows[i].routes.in_kernel[ANNOUNCE_NORMAL]);
			assert_false(rows[i].is_lost);
		}
		assert_int_equal(a.kernel[ANNOUNCE_NORMAL].is_whole, nth > 2);
		assert_int_equal(a.kernel[ANNOUNCE_SHUTDOWN].is_whole, nth <= 2);
	}
	assert_int_equal(errors, 4);
	assert_int_equal(kernel_read(&a, LATER_MS), 0);
	assert_int_equal(a.list_error, 0);
	end_announced();
}

/* --- the process that drives DPDK --- */

static int count_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* A descriptor that the loop does not take is closed, the error is said, and the next round tries again. Twice. */
static void a_watch_that_the_loop_does_not_take_leaves_nothing(void **state)
{
	struct proof_node node = { .writer_pid = (uint64_t)getpid(), .driver = "dpdk" }, xdp = node;
	int n;

	(void)state;
	strcpy(xdp.driver, "xdp");
	a = (struct announcer){ .dataplane_fd = -1 };
	assert_int_equal(loop_open(&a.loop), 0);
	n = count_descriptors();
	for (int life = 0; life < 2; life++) {
		for (int again = 0; again < 2; again++) {
			calls_fail("epoll_ctl", 1, ENOSPC, false);
			watch_dataplane(&a, &node, 0);
			assert_int_equal(calls_end(), 1);
			assert_int_equal(a.dataplane_error, -ENOSPC);
			assert_false(a.dataplane_dead);
			assert_int_equal(count_descriptors(), n);
		}
		watch_dataplane(&a, &node, 0);
		assert_int_equal(a.dataplane_error, 0);
		assert_int_equal(count_descriptors(), n + 1);
		watch_dataplane(&a, &xdp, 0); /* the end of its life as a driver of DPDK */
		assert_int_equal(count_descriptors(), n);
	}
	watch_close(&a);
	loop_close(a.loop);
}

SUITE(failing)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_error_of_the_kernel_is_made_good),
		cmocka_unit_test(what_is_not_listed_is_as_it_was),
		cmocka_unit_test(a_watch_that_the_loop_does_not_take_leaves_nothing),
	};

	if ((unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) ||
	    system("ip link set lo up")) {
		printf("needs a network namespace: skipped\n");
		return SKIPPED;
	}
	if (own_routes_open(&kernel))
		return 1;
	int failed = cmocka_run_group_tests_name("announce failing", tests, NULL, NULL);

	own_routes_close(kernel);
	return failed;
}
