/* SPDX-License-Identifier: BSD-2-Clause */
/* Rounds of weir-announce: what is added to and deleted from which table. */
#include "round_scene.h"

static void nothing_is_announced_without_a_proof(void **state)
{
	(void)state;
	fake.proved = false;
	run_rounds(20);
	assert_int_equal(fake.changes, 0);
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_WAITING);
	fake.proved = true;
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
	assert_true(fake.hurries > 0);
}

static void a_proof_that_is_lost_withdraws_nothing(void **state)
{
	(void)state;
	announce_and_wait();
	fake.proved = false;
	run_rounds(100);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_KEPT_UNPROVED);
	assert_int_equal(fake.changes, 1);
}

static void a_dead_driver_withdraws_at_once(void **state)
{
	(void)state;
	announce_and_wait();
	a.dataplane_dead = true;
	fake.proved = false;
	run_rounds(1);
	assert_false(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_PROGRAM_GONE);
}

static void a_route_that_somebody_deleted_is_added_again(void **state)
{
	(void)state;
	announce_and_wait();
	fake.n[NORMAL_TABLE] = 0;
	run_rounds(11);
	assert_true(is_in(NORMAL_TABLE));
}

static void routes_of_other_addresses_go(void **state)
{
	(void)state;
	struct addr other;

	assert_int_equal(addr_parse("2001:db8::9", &other), 0);
	put_route(NORMAL_TABLE, &other);
	put_route(SHUTDOWN_TABLE, &other);
	run_rounds(1);
	assert_int_equal(find_route(NORMAL_TABLE, &other), fake.n[NORMAL_TABLE]);
	assert_int_equal(fake.n[SHUTDOWN_TABLE], 0);
	assert_true(is_in(NORMAL_TABLE));
}

static void without_a_list_of_the_kernel_nothing_is_touched(void **state)
{
	(void)state;
	fake.list_error = -ENOBUFS;
	run_rounds(20);
	assert_int_equal(fake.changes, 0);
	assert_int_equal(a.route_error, -ENOBUFS);
	fake.list_error = 0;
	run_rounds(11);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(a.route_error, 0);
}

static void a_route_that_is_refused_is_tried_again(void **state)
{
	(void)state;
	fake.change_error = -EPERM;
	run_rounds(5);
	assert_int_equal(a.route_error, -EPERM);
	fake.change_error = 0;
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
}

static void a_move_waits_for_the_daemon(void **state)
{
	(void)state;
	put_route(SHUTDOWN_TABLE, &row.intended.address);
	announce_init(&row.state, ANNOUNCE_SHUTDOWN, INCARNATION, START_MS);
	now_ms += 100;
	follow_kernel();
	round_run(&a, now_ms);
	assert_true(is_in(NORMAL_TABLE));
	for (int i = 0; i < 20; i++) { /* the daemon does not show the new route */
		now_ms += 100;
		fake.route.at_ms = now_ms;
		round_run(&a, now_ms);
		assert_true(is_in(NORMAL_TABLE) && is_in(SHUTDOWN_TABLE));
	}
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
	assert_false(is_in(SHUTDOWN_TABLE));
}

static void what_the_daemon_shows_differently_is_noted(void **state)
{
	(void)state;
	announce_and_wait();
	assert_int_equal(row.differs_ms, 0);
	assert_int_equal(row.exported, 1);
	fake.daemon.neighbours[0].established = false;
	run_rounds(1);
	assert_int_equal(row.differs_ms, now_ms);
	run_rounds(5);
	assert_int_equal(row.differs_ms, now_ms - 500);
	fake.daemon.neighbours[0].established = true;
	run_rounds(1);
	assert_int_equal(row.differs_ms, 0);
}

/* A daemon that does not answer is a condition of its own; a prefix that waits for its turn is none. */
static void what_the_daemon_does_not_show_is_no_difference(void **state)
{
	(void)state;
	announce_and_wait();
	fake.daemon.state = DAEMON_ABSENT;
	run_rounds(20);
	assert_int_equal(row.differs_ms, 0);
	fake.daemon.state = DAEMON_ANSWERS;
	for (int i = 0; i < 20; i++) {
		now_ms += 100;
		fake.route.at_ms = 0;
		round_run(&a, now_ms);
		assert_int_equal(row.differs_ms, 0);
	}
	fake.daemon.neighbours[0].established = false;
	run_rounds(1);
	assert_int_equal(row.differs_ms, now_ms);
	fake.route.pending = true; /* what was shown before still holds */
	now_ms += 100;
	round_run(&a, now_ms);
	assert_int_equal(row.differs_ms, now_ms - 100);
}

/* A node that serves DNS alone has no ports, and nothing that weir-dataplane proves. */
static void an_address_of_dns_needs_no_forwarding(void **state)
{
	(void)state;
	row.intended.vip = NULL;
	row.intended.of = NULL;
	fake.proved = false;
	run_rounds(5);
	assert_int_equal(row.decision.fact, ANNOUNCE_FACT_PROBE); /* weir-dns never ran */
	assert_int_equal(row.facts.truth[ANNOUNCE_FACT_PORT], ANNOUNCE_YES);
	a.dataplane_dead = true; /* it was DPDK's */
	run_rounds(1);
	assert_int_equal(row.facts.truth[ANNOUNCE_FACT_PROGRAM], ANNOUNCE_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(nothing_is_announced_without_a_proof),
		SCENE_TEST(a_proof_that_is_lost_withdraws_nothing),
		SCENE_TEST(a_dead_driver_withdraws_at_once),
		SCENE_TEST(a_route_that_somebody_deleted_is_added_again),
		SCENE_TEST(routes_of_other_addresses_go),
		SCENE_TEST(without_a_list_of_the_kernel_nothing_is_touched),
		SCENE_TEST(a_route_that_is_refused_is_tried_again),
		SCENE_TEST(a_move_waits_for_the_daemon),
		SCENE_TEST(what_the_daemon_shows_differently_is_noted),
		SCENE_TEST(what_the_daemon_does_not_show_is_no_difference),
		SCENE_TEST(an_address_of_dns_needs_no_forwarding),
	};

	return cmocka_run_group_tests_name("announce round", tests, NULL, NULL);
}
