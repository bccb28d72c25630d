/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When the dataplane itself takes routes away (dataplane/withdraw.c): real routes in a network
 * namespace of the test's own, and the proof page as readers see it. Time and the driver are the test's.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/drivers.h"
#include "dataplane/process.h"
#include "dataplane/prover.h"
#include "dataplane/withdraw.h"
#include "tests/unit/answers.h"
#include "tests/unit/logged.h"
#include "tests/unit/mnl_answers.h"
#include "tests/unit/suite.h"
#include "weir/announce.h"
#include "weir/model.h"
#include "weir/own_routes.h"
#include "weir/proof.h"

#include "tests/unit/calls.h"
#include "tests/unit/dataplane/drivers.h"
#include "tests/unit/simulated_time.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#define SKIPPED 77
#define NORMAL  177u
#define GSHUT   178u
#define OTHER   179u /* another node's, or another program's with Weir's number */

static struct own_routes *kernel;
static struct process process;
static unsigned n_yields;
static bool must_be_said; /* before a route goes */

static size_t count_routes(uint32_t table)
{
	struct addr out[1];
	size_t n = 99;

	assert_int_equal(own_routes_list(kernel, table, out, 1, &n), 0);
	return n;
}

/* Whether the page tells weir-announce that forwarding ends. */
static bool is_said(void)
{
	struct proof_node node;
	struct proof *page;

	assert_int_equal(proof_open(process.dirs.run, &page), 0);
	assert_int_equal(proof_copy(page), 0);
	assert_int_equal(proof_node(page, simulated.now_ms, &node), 0);
	proof_close(page);
	return node.stopping;
}

/* The page says it before a route is gone, or weir-announce would put the routes back. */
static ssize_t own_mnl_socket_sendto(const struct mnl_socket *s, const void *message, size_t n)
{
	const struct nlmsghdr *h = message;

	if (must_be_said && h->nlmsg_type == RTM_DELROUTE)
		assert_true(is_said());
	return __real_mnl_socket_sendto(s, message, n);
}

static int own_usleep(useconds_t us)
{
	simulated.now_ms += us / 1000;
	return 0;
}

static void add_routes(uint32_t table)
{
	static const char *const texts[] = { "10.100.0.1", "fd10::1" };
	struct addr a;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(addr_parse(texts[i], &a), 0);
		assert_int_equal(own_routes_add(kernel, table, &a), 0);
	}
}

static size_t list_workers(const struct driver *d, struct driver_worker out[DRIVER_WORKERS_MAX])
{
	(void)d;
	(void)out;
	return 1;
}

static const struct driver_ops with_workers = { .name = "dpdk", .workers = list_workers };
static struct model_node self;
static struct model model;

static int add_all(void **state)
{
	(void)state;
	add_routes(NORMAL);
	add_routes(GSHUT);
	add_routes(OTHER);
	logged[0] = '\0';
	n_yields = 0;
	must_be_said = false;
	self = (struct model_node){
		.driver = MODEL_DRIVER_DPDK,
		.announce = { .daemon = MODEL_DAEMON_BIRD, .table = NORMAL, .gshut_table = GSHUT }
	};
	model = (struct model){ .self = &self };
	memset(&process, 0, sizeof(process));
	simulated.now_ms = START_MS;
	process.driver = (struct driver *)&process;
	process.ops = &with_workers;
	process.node.model = &model;
	strcpy(process.dirs.run, "/tmp/weir-withdraw-XXXXXX");
	if (!mkdtemp(process.dirs.run) || loop_open(&process.loop))
		return -1;
	return prover_open(&process, &process.prover);
}

static int remove_place(void **state)
{
	char command[96];

	(void)state;
	prover_close(process.prover);
	loop_close(process.loop);
	snprintf(command, sizeof(command), "rm -r %.80s", process.dirs.run);
	return system(command);
}

static void expect_routes(size_t normal, size_t gshut, size_t other)
{
	assert_int_equal(count_routes(NORMAL), normal);
	assert_int_equal(count_routes(GSHUT), gshut);
	assert_int_equal(count_routes(OTHER), other);
}

static void routes_of_both_tables_go(void **state)
{
	(void)state;
	assert_true(withdraw_routes(&self));
	expect_routes(0, 0, 2);
	assert_false(withdraw_routes(&self)); /* none is left: nothing to wait for */
	add_routes(GSHUT);
	assert_true(withdraw_routes(&self));
	expect_routes(0, 0, 2);
}

static void without_a_document_the_usual_tables_are_emptied(void **state)
{
	struct model_node silent = { .name = "ams-1" }; /* no group "announce" */

	(void)state;
	assert_true(withdraw_routes(NULL));
	expect_routes(0, 0, 2);
	add_routes(NORMAL);
	assert_true(withdraw_routes(&silent));
	expect_routes(0, 0, 2);
	self.announce.table = OTHER;
	assert_true(withdraw_routes(&self));
	expect_routes(0, 0, 0);
}

/* Ask @p n times for the end, 10 ms apart. @return how long after the first the loop ended, ms */
static uint64_t ask_for_the_end(unsigned n)
{
	struct loop_timer asks[2];
	uint64_t from_ms = simulated.now_ms + 10;

	process.is_stopping = false;
	for (unsigned i = 0; i < n; i++) {
		asks[i] = (struct loop_timer){ .cb = withdraw_and_stop, .arg = &process };
		assert_int_equal(loop_timer_set(process.loop, &asks[i], from_ms + i * 10), 0);
	}
	simulate_to(process.loop, from_ms + 10 * WITHDRAW_MS);
	return simulated.now_ms - from_ms;
}

static void a_stop_with_workers_withdraws_and_forwards_on_for_a_moment(void **state)
{
	(void)state;
	must_be_said = true;
	assert_int_equal(ask_for_the_end(1), WITHDRAW_MS);
	expect_routes(0, 0, 2);
	assert_true(is_said());
}

static void who_insists_does_not_wait(void **state)
{
	(void)state;
	assert_int_equal(ask_for_the_end(2), 10);
	expect_routes(0, 0, 2);
}

static void a_stop_without_a_gap_changes_nothing(void **state)
{
	(void)state;
	process.ops = &driver_xdp; /* packets are forwarded on */
	assert_int_equal(ask_for_the_end(1), 0);
	process.ops = &with_workers;
	process.driver = NULL; /* no document yet */
	assert_int_equal(ask_for_the_end(1), 0);
	assert_false(is_said());
	process.driver = (struct driver *)&process;
	self.announce.table = 100; /* nothing is announced */
	self.announce.gshut_table = 101;
	assert_int_equal(ask_for_the_end(1), 0);
	assert_true(is_said());
	expect_routes(2, 2, 2);
}

static void count_yield(void *p)
{
	assert_ptr_equal(p, &process);
	n_yields++;
}

/* Compiling and opening take longer than routers do: then there is no wait. */
static void a_start_with_workers_withdraws_and_waits_for_the_rest(void **state)
{
	struct model foreign = { .self = NULL }; /* it will be refused */

	(void)state;
	self.driver = MODEL_DRIVER_XDP;
	withdraw_before_compiling(&process, &model);
	withdraw_before_compiling(&process, &foreign);
	withdraw_wait(&process, count_yield);
	expect_routes(2, 2, 2);
	assert_int_equal(n_yields, 0);
	self.driver = MODEL_DRIVER_DPDK;
	withdraw_before_compiling(&process, &model);
	expect_routes(0, 0, 2);
	simulated.now_ms += WITHDRAW_MS - 50;
	withdraw_before_workers(&process, &with_workers, &self); /* nothing came back */
	withdraw_wait(&process, count_yield);
	assert_int_equal(n_yields, 3);
	add_routes(NORMAL);
	withdraw_before_workers(&process, &with_workers, &self);
	simulated.now_ms += WITHDRAW_MS;
	withdraw_wait(&process, count_yield);
	assert_int_equal(n_yields, 3);
	expect_routes(0, 0, 2);
	assert_false(is_said()); /* that is for what ends */
}

/* The program forwards until the ports are the workers', so weir-announce has all proofs. */
static void a_change_to_workers_is_said_before_it_withdraws(void **state)
{
	(void)state;
	process.ops = &driver_xdp;
	withdraw_before_workers(&process, &driver_xdp, &self);
	assert_false(is_said());
	expect_routes(2, 2, 2);
	must_be_said = true;
	withdraw_before_workers(&process, &with_workers, &self);
	assert_true(is_said());
	expect_routes(0, 0, 2);
}

static void show_tables(uint32_t table, uint32_t shutdown_table)
{
	struct announced_node node = { .table = table, .shutdown_table = shutdown_table };
	struct announced_page *page;

	assert_int_equal(announced_create(process.dirs.run, &page), 0);
	announced_publish(page, &node, NULL, 0, NULL, 0, START_MS);
	announced_close(page);
}

/* weir-announce is not started for such a document, so nobody else would do it. */
static void a_document_without_a_daemon_leaves_nothing_announced(void **state)
{
	(void)state;
	process.ops = &driver_xdp;
	withdraw_without_daemon(&process);
	expect_routes(2, 2, 2);
	self.announce = (struct model_announce){ .daemon = MODEL_DAEMON_NONE };
	withdraw_without_daemon(&process); /* no page: weir-announce never ran */
	expect_routes(0, 0, 2);
	show_tables(0, 0); /* it knows no daemon either */
	withdraw_without_daemon(&process);
	expect_routes(0, 0, 2);
	show_tables(OTHER, 180); /* of the document before */
	withdraw_without_daemon(&process);
	expect_routes(0, 0, 0);
}

/* Each start waits as long as its own routes need, also after one that has waited. */
static void a_second_start_waits_as_the_first_did(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		uint64_t from_ms = simulated.now_ms;

		if (round)
			add_routes(NORMAL);
		withdraw_before_workers(&process, &with_workers, &self);
		withdraw_wait(&process, count_yield);
		assert_in_range(simulated.now_ms - from_ms, WITHDRAW_MS, WITHDRAW_MS + 50);
		from_ms = simulated.now_ms;
		withdraw_before_workers(&process, &with_workers, &self); /* there is nothing left */
		withdraw_wait(&process, count_yield);
		assert_int_equal(simulated.now_ms, from_ms);
		simulated.now_ms += 10;
	}
}

/*
 * What the kernel refuses: routes that may be there are taken to be there, so the process waits for
 * routers; and what can be withdrawn is. A route that stays is a black hole.
 */
static void a_failure_of_the_kernel_withdraws_what_it_can(void **state)
{
	static const struct {
		const char *call;
		unsigned nth;
		int how;
		bool always;
		size_t normal, gshut; /* routes that stay */
	} rows[] = {
		{ "mnl_socket_open2", 1, EMFILE, false, 2, 2 },
		{ "mnl_socket_bind", 1, ENOMEM, false, 2, 2 },
		{ "mnl_socket_sendto", 1, ENOBUFS, false, 0, 0 },
		{ "mnl_socket_sendto", 2, ENOBUFS, false, 0, 0 },
		{ "mnl_socket_recvfrom", 1, ENOBUFS, false, 0, 0 },
		{ "mnl_socket_recvfrom", 1, CALLS_INTERRUPTED, false, 0, 0 },
		{ "mnl_socket_recvfrom", 1, CALLS_INTERRUPTED, true, 2, 2 },
		{ "mnl_socket_sendto", 1, CALLS_NO_FAMILY, true, 0, 0 },
		{ "mnl_socket_sendto", 5, EPERM, false, 2, 0 }, /* the first deletion */
		{ "mnl_socket_sendto", 7, ENOBUFS, false, 0, 0 },
		{ "mnl_socket_sendto", 8, ENOBUFS, false, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		logged[0] = '\0';
		calls_fail(rows[i].call, rows[i].nth, rows[i].how, rows[i].always);
		bool said = withdraw_routes(&self);
		if (!calls_end() || !said || count_routes(NORMAL) != rows[i].normal ||
		    count_routes(GSHUT) != rows[i].gshut)
			fail_msg("row %zu, %s %u: %d, %zu and %zu routes", i, rows[i].call,
			         rows[i].nth, said, count_routes(NORMAL), count_routes(GSHUT));
		if (rows[i].normal || rows[i].gshut)
			assert_non_null(strstr(logged, "routes-left tables=177,178 error="));
		assert_int_equal(withdraw_routes(&self), rows[i].normal || rows[i].gshut);
		expect_routes(0, 0, 2);
		assert_int_equal(own_routes_delete_all(kernel, OTHER), 0);
		add_routes(NORMAL);
		add_routes(GSHUT);
		add_routes(OTHER);
	}
	(void)state;
}

SUITE(withdraw)
{
	simulated_time();
	answer_mnl_socket_sendto = own_mnl_socket_sendto;
	answer_usleep = own_usleep;
	logged_begin();
	suite_dpdk = with_workers;
#define T(f) cmocka_unit_test_setup_teardown(f, add_all, remove_place)
	const struct CMUnitTest tests[] = {
		T(routes_of_both_tables_go),
		T(without_a_document_the_usual_tables_are_emptied),
		T(a_stop_with_workers_withdraws_and_forwards_on_for_a_moment),
		T(who_insists_does_not_wait),
		T(a_stop_without_a_gap_changes_nothing),
		T(a_start_with_workers_withdraws_and_waits_for_the_rest),
		T(a_change_to_workers_is_said_before_it_withdraws),
		T(a_document_without_a_daemon_leaves_nothing_announced),
		T(a_second_start_waits_as_the_first_did),
		T(a_failure_of_the_kernel_withdraws_what_it_can),
	};
	int failed;

	if (unshare(CLONE_NEWNET)) {
		puts("needs root, for a network namespace");
		return SKIPPED;
	}
	if (own_routes_open(&kernel))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	own_routes_close(kernel);
	return failed;
}
