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

#include "announce/document.h"
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

/* --- the thread that reads the document --- */

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

/* Long enough for a document to be read, if one is. */
static void run_for_a_moment(struct loop *loop)
{
	struct loop_timer timer = { .cb = stop_loop, .arg = loop };

	assert_int_equal(loop_timer_set(loop, &timer, clock_mono_ms() + 100), 0);
	assert_int_equal(loop_run(loop), 0);
	loop_timer_cancel(loop, &timer);
}

static unsigned n_read;
static int last_err, refuses; /* refuses: what the callee answers to a document */

static int note_document(void *arg, struct document_read *read)
{
	n_read++;
	last_err = read->err;
	loop_stop(arg);
	return read->err ? read->err : refuses;
}

static void a_document_thread_that_cannot_open_leaves_nothing(void **state)
{
	static const struct {
		const char *call;
		int err;
	} cases[] = { { "eventfd", EMFILE }, { "epoll_ctl", ENOSPC } };
	struct loop *loop;

	(void)state;
	assert_int_equal(loop_open(&loop), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct document_thread *d = NULL;
		int n = count_descriptors();

		calls_fail(cases[i].call, 1, cases[i].err, false);
		assert_int_equal(document_open(loop, "/none", "n", note_document, loop, &d),
		                 -cases[i].err);
		assert_int_equal(calls_end(), 1);
		assert_null(d);
		assert_int_equal(count_descriptors(), n);
	}
	loop_close(loop);
}

static void end_waiting(void *arg)
{
	loop_stop(arg);
}

/* Until it is read, 10 s at most. */
static void run_until_read(struct loop *loop)
{
	struct loop_timer end = { .cb = end_waiting, .arg = loop };

	assert_int_equal(loop_timer_set(loop, &end, clock_mono_ms() + 10000), 0);
	assert_int_equal(loop_run(loop), 0);
	loop_timer_cancel(loop, &end);
}

/* Twice: what the first failure left must not stand in the way of the second. */
static void a_document_whose_thread_does_not_start_is_read_later(void **state)
{
	struct document_thread *d;
	struct loop *loop;

	(void)state;
	n_read = 0;
	assert_int_equal(loop_open(&loop), 0);
	assert_int_equal(document_open(loop, "/none", "n", note_document, loop, &d), 0);
	for (unsigned round = 1; round <= 2; round++) {
		calls_fail("pthread_create", 1, EAGAIN, false);
		assert_int_equal(document_start(d), -EAGAIN);
		assert_int_equal(calls_end(), 1);
		document_tick(d);
		run_until_read(loop);
		assert_int_equal(n_read, round);
		assert_int_equal(last_err, -ENOENT);
		document_tick(d); /* nothing is wanted any more */
		run_for_a_moment(loop);
		assert_int_equal(n_read, round);
	}
	document_close(d);
	loop_close(loop);
}

static const char document[] =
        "effective = { version = \"1\"; digest = \"\"; document = \"1\"; written = \"never\"; };\n"
        "schema = 1; cluster = { name = \"c\"; hash_key_file = \"/k\"; hash_key_id = \"k\"; };\n"
        "sites = ( { name = \"s\"; } );\n"
        "nodes = ( { name = \"n\"; site = \"s\"; ports = ( { interface = \"e\"; } ); "
        "tunnel_source = [ \"10.0.0.0/24\" ]; } );\n";

/* What may pass is tried again with the next tick, and what another document alone can mend is not. Each twice. */
static void a_document_that_cannot_be_read_or_taken_now_is_read_again(void **state)
{
	static const struct {
		const char *call;
		int err, refuses, result;
		bool again;
	} cases[] = {
		{ "open", EMFILE, 0, -EMFILE, true }, { "read", EIO, 0, -EIO, true },
		{ NULL, 0, -ENOMEM, 0, true },        { "open", ENXIO, 0, -ENXIO, false },
		{ NULL, 0, -ENXIO, 0, false },
	};
	char path[] = "/tmp/weir-document.XXXXXX";
	struct document_thread *d;
	struct loop *loop;
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, document, sizeof(document) - 1), sizeof(document) - 1);
	close(fd);
	n_read = 0;
	assert_int_equal(loop_open(&loop), 0);
	assert_int_equal(document_open(loop, path, "n", note_document, loop, &d), 0);
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		const size_t k = i / 2;
		unsigned before = n_read;

		if (cases[k].call)
			calls_fail(cases[k].call, 1, cases[k].err, false);
		refuses = cases[k].refuses;
		assert_int_equal(document_start(d), 0);
		assert_int_equal(loop_run(loop), 0);
		if (cases[k].call)
			assert_int_equal(calls_end(), 1);
		assert_int_equal(last_err, cases[k].result);
		refuses = 0;
		document_tick(d);
		run_for_a_moment(loop);
		assert_int_equal(n_read, before + (cases[k].again ? 2 : 1));
		assert_int_equal(last_err, cases[k].again ? 0 : cases[k].result);
		document_tick(d); /* nothing is wanted any more */
		run_for_a_moment(loop);
		assert_int_equal(n_read, before + (cases[k].again ? 2 : 1));
	}
	document_close(d);
	loop_close(loop);
	unlink(path);
}

SUITE(failing)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_error_of_the_kernel_is_made_good),
		cmocka_unit_test(what_is_not_listed_is_as_it_was),
		cmocka_unit_test(a_watch_that_the_loop_does_not_take_leaves_nothing),
		cmocka_unit_test(a_document_thread_that_cannot_open_leaves_nothing),
		cmocka_unit_test(a_document_whose_thread_does_not_start_is_read_later),
		cmocka_unit_test(a_document_that_cannot_be_read_or_taken_now_is_read_again),
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
