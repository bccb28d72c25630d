/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Weir's routes in the kernel: what vanishes, cannot be read, is refused, or is in tables that the
 * document names no more.
 */
#include "round_scene.h"
#include "tests/unit/suite.h"

#define MANY     1000u
#define LIST_MAX (2 * ANNOUNCED_MAX) /* the documented value */

static struct addr number_address(uint8_t first, uint32_t number)
{
	return addr_from4((const uint8_t[4]){ first, 0, (uint8_t)(number >> 8), (uint8_t)number });
}

static void a_route_that_somebody_deleted_is_added_again(void **state)
{
	(void)state;
	announce_and_wait();
	empty_table(NORMAL_TABLE);
	run_rounds(15);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(row.state.hold_ms, 0);
}

/* A dataplane that begins deletes the routes: its predecessor's proof is not its own. */
static void a_route_that_is_lost_returns_by_a_younger_proof_alone(void **state)
{
	(void)state;
	announce_and_wait();
	proved.is_silent = true;
	empty_table(NORMAL_TABLE);
	run_rounds(20);
	assert_false(is_in(NORMAL_TABLE));
	proved.is_silent = false;
	run_rounds(2);
	assert_true(is_in(NORMAL_TABLE));
	/* a sign of life soon after the loss may have been under way before it */
	empty_table(NORMAL_TABLE);
	for (unsigned i = 0; i < 11 && !row.lost_ms; i++) /* it is read once a second */
		run_rounds(1);
	assert_true(row.lost_ms > 0);
	proved.is_silent = true;
	proved.node.alive_ms = row.lost_ms + 250;
	run_rounds(10);
	assert_false(is_in(NORMAL_TABLE));
	proved.node.alive_ms = row.lost_ms + 350;
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
}

static void what_a_starting_dataplane_deleted_is_not_added_unproved(void **state)
{
	(void)state;
	static const char *const drivers[] = { "dpdk", "" };

	for (size_t i = 0; i < COUNT(drivers); i++) {
		if (i) {
			end_scene(state);
			start_scene(state);
		}
		announce_and_wait();
		strcpy(proved.node.driver, drivers[i]);
		proved.vip.state = PROOF_STATE_UNKNOWN;
		empty_table(NORMAL_TABLE);
		run_rounds(30);
		assert_false(is_in(NORMAL_TABLE));
		assert_int_equal(row.decision.reason, ANNOUNCE_REASON_FAILED);
		proved.vip.state = PROOF_STATE_FORWARDED;
		run_rounds(10);
		assert_false(is_in(NORMAL_TABLE));
		assert_int_equal(row.decision.reason, ANNOUNCE_REASON_HELD);
		assert_int_equal(row.state.hold_ms, ANNOUNCE_HOLD_MS);
		run_rounds(ANNOUNCE_HOLD_MS / 100);
		assert_true(is_in(NORMAL_TABLE));
	}
}

static void a_route_that_never_got_in_needs_a_proof_again(void **state)
{
	(void)state;
	own_kernel.change_error = -EPERM;
	run_rounds(20);
	own_kernel.change_error = 0;
	proved.vip.state = PROOF_STATE_UNKNOWN;
	run_rounds(50);
	assert_false(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_WAITING);
}

/* The kernel lists them in an order of its own: those of IPv4 first. */
static void routes_that_are_found_are_known_in_any_order(void **state)
{
	(void)state;
	static struct announce_row rows[3];

	for (uint8_t i = 0; i < COUNT(rows); i++) {
		rows[i] = row;
		rows[i].is_found = false;
		rows[i].intended.address = addr_from4((const uint8_t[4]){ 192, 0, 2, i });
	}
	assert_int_equal(addr_parse("::2", &rows[0].intended.address), 0);
	for (size_t i = 0; i < COUNT(rows); i++)
		put_route(NORMAL_TABLE, &rows[i].intended.address);
	a.rows = rows;
	a.n_rows = COUNT(rows);
	proved.vip.state = PROOF_STATE_UNKNOWN; /* what is there stays, and nothing is added */
	run_rounds(1);
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(rows[i].state.table, ANNOUNCE_NORMAL);
}

static void routes_of_other_addresses_go(void **state)
{
	(void)state;
	struct addr other;

	assert_int_equal(addr_parse("2001:db8::9", &other), 0);
	put_route(NORMAL_TABLE, &other);
	put_route(SHUTDOWN_TABLE, &other);
	run_rounds(1);
	assert_false(has_route(NORMAL_TABLE, &other));
	assert_int_equal(list_table(SHUTDOWN_TABLE, NULL, 0), 0);
	assert_true(is_in(NORMAL_TABLE));
	/* what is refused is noted, and tried again */
	put_route(NORMAL_TABLE, &other);
	own_kernel.change_error = -EPERM;
	for (unsigned i = 0; i < 11 && !a.sweep.err; i++) /* it is read once a second */
		run_rounds(1);
	assert_int_equal(a.sweep.err, -EPERM);
	own_kernel.change_error = 0;
	run_rounds(60);
	assert_int_equal(a.sweep.err, 0);
	assert_false(has_route(NORMAL_TABLE, &other));
}

/* --- lists that cannot be read --- */

static void without_a_list_of_the_kernel_nothing_is_touched(void **state)
{
	(void)state;
	own_kernel.list_error = -ENOBUFS;
	run_rounds(20);
	assert_int_equal(own_kernel.changes, 0);
	assert_int_equal(a.list_error, -ENOBUFS);
	own_kernel.list_error = 0;
	run_rounds(11);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(a.list_error, 0);
}

/* Kept for want of a confirmation, and then this process restarts. */
static void a_list_that_fails_at_the_start_withdraws_nothing(void **state)
{
	(void)state;
	put_route(NORMAL_TABLE, &row.intended.address);
	own_kernel.list_error = -ENOBUFS;
	proved.vip.n_serving = 0;
	row.is_found = false;
	run_rounds(25);
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_UNREAD);
	own_kernel.list_error = 0;
	run_rounds(150);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_KEPT_UNCONFIRMED);
}

/* The route may be among those that did not fit. */
static void a_list_that_does_not_fit_says_of_no_route_that_it_is_gone(void **state)
{
	struct addr other;

	(void)state;
	announce_and_wait();
	empty_table(NORMAL_TABLE);
	for (uint32_t i = 0; i <= LIST_MAX; i++) {
		other = number_address(10, i);
		put_route(NORMAL_TABLE, &other);
	}
	own_kernel.change_error = -EPERM; /* routes of no address are not deleted either */
	run_rounds(30);
	assert_int_equal(a.list_error, 0);
	assert_int_equal(a.kernel[ANNOUNCE_NORMAL].n, LIST_MAX);
	assert_true(row.routes.in_kernel[ANNOUNCE_NORMAL]);
	take_route(NORMAL_TABLE, &other); /* now it is known */
	run_rounds(11);
	assert_int_equal(a.kernel[ANNOUNCE_NORMAL].n, LIST_MAX);
	assert_false(row.routes.in_kernel[ANNOUNCE_NORMAL]);
	own_kernel.change_error = 0;
	run_rounds(100);
	assert_true(is_in(NORMAL_TABLE));
}

static void an_own_cause_withdraws_without_a_list(void **state)
{
	(void)state;
	announce_and_wait();
	own_kernel.list_error = -ENOBUFS;
	run_rounds(11);
	assert_true(is_in(NORMAL_TABLE));
	a.dataplane_dead = true;
	proved.is_there = false;
	run_rounds(1);
	assert_false(is_in(NORMAL_TABLE));
}

static void an_own_cause_withdraws_what_was_never_listed(void **state)
{
	(void)state;
	put_route(NORMAL_TABLE, &row.intended.address);
	put_route(SHUTDOWN_TABLE, &row.intended.address);
	own_kernel.list_error = -ENOBUFS;
	proved.node.ports[0].up = PROOF_NO;
	row.is_found = false;
	run_rounds(1);
	assert_false(is_in(NORMAL_TABLE));
	assert_false(is_in(SHUTDOWN_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_PORT_DOWN);
	assert_int_equal(row.state.hold_ms, ANNOUNCE_HOLD_MS);
	unsigned changes = own_kernel.changes;
	run_rounds(5); /* once is enough */
	assert_int_equal(own_kernel.changes, changes);
}

/* --- refused changes --- */

static void a_route_that_is_refused_is_tried_ever_later(void **state)
{
	(void)state;
	own_kernel.change_error = -EPERM;
	run_rounds(20);
	assert_int_equal(own_kernel.adds, 2);
	assert_int_equal(row.refused[ANNOUNCE_NORMAL].retry.err, -EPERM);
	run_rounds(600);
	assert_true(own_kernel.adds <= 8);
	own_kernel.change_error = 0;
	run_rounds(301);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(row.refused[ANNOUNCE_NORMAL].retry.err, 0);
}

/* Nor is it held against a later one. */
static void a_refused_change_that_is_not_wanted_any_more_is_forgotten(void **state)
{
	(void)state;
	own_kernel.change_error = -EPERM;
	run_rounds(600);
	assert_int_equal(row.refused[ANNOUNCE_NORMAL].retry.err, -EPERM);
	proved.node.ports[0].up = PROOF_NO;
	run_rounds(1);
	assert_int_equal(row.decision.table, ANNOUNCE_NONE);
	assert_int_equal(row.refused[ANNOUNCE_NORMAL].retry.err, 0);
	assert_int_equal(row.refused[ANNOUNCE_NORMAL].retry.wait_ms, 0);
}

static void what_went_well_once_is_tried_again_as_soon_as_at_first(void **state)
{
	(void)state;
	struct retry r = { 0 };

	for (unsigned i = 0; i < 2; i++) {
		assert_true(retry_is_due(&r, 1000));
		retry_note(&r, -EPERM, 100, 300, 1000);
		assert_false(retry_is_due(&r, 1099));
		assert_true(retry_is_due(&r, 1100));
		retry_note(&r, -EPERM, 100, 300, 1100);
		assert_false(retry_is_due(&r, 1299));
		assert_true(retry_is_due(&r, 1300));
		retry_note(&r, -EPERM, 100, 300, 1300);
		assert_false(retry_is_due(&r, 1599));
		assert_true(retry_is_due(&r, 1600));
		retry_note(&r, 0, 100, 300, 1600);
		assert_int_equal(r.err, 0);
	}
}

static void a_withdrawal_that_is_refused_is_tried_again_soon(void **state)
{
	(void)state;
	announce_and_wait();
	own_kernel.change_error = -ENOBUFS;
	proved.node.ports[0].up = PROOF_NO;
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
	own_kernel.change_error = 0;
	run_rounds(1);
	assert_false(is_in(NORMAL_TABLE));
}

/* A route that somebody else took away, say, while its deletion was refused: it is wanted again. */
static void a_change_does_not_wait_for_the_refusals_of_its_opposite(void **state)
{
	const struct announce_moves away = { .table = { [ANNOUNCE_NORMAL] =
		                                                ANNOUNCE_MOVE_DELETE } };
	const struct announce_moves back = { .table = { [ANNOUNCE_NORMAL] = ANNOUNCE_MOVE_ADD } };

	(void)state;
	announce_and_wait();
	own_kernel.change_error = -ENOBUFS;
	assert_false(rows_move(&a, &row, &away, now_ms));
	own_kernel.change_error = 0;
	assert_false(rows_move(&a, &row, &away, now_ms)); /* it waits */
	assert_true(rows_move(&a, &row, &back, now_ms));
	assert_true(rows_move(&a, &row, &away, now_ms));
	assert_false(is_in(NORMAL_TABLE));
}

static void a_round_takes_few_refusals(void **state)
{
	(void)state;
	static struct announce_row rows[MANY];

	for (uint32_t i = 0; i < MANY; i++) {
		rows[i] = row;
		rows[i].intended.address = number_address(192, i);
	}
	a.rows = rows;
	a.n_rows = MANY;
	own_kernel.change_error = -EPERM;
	for (unsigned i = 1; i <= 5; i++) {
		run_rounds(1);
		assert_int_equal(own_kernel.adds, 16 * i);
	}
}

/* Two lives of a failure: it is said all the time, not only until nothing is left to try before the next list. */
static void a_route_of_no_address_that_stays_is_tried_ever_later(void **state)
{
	(void)state;
	struct addr other;

	assert_int_equal(addr_parse("2001:db8::9", &other), 0);
	for (unsigned life = 0; life < 2; life++) {
		put_route(NORMAL_TABLE, &other);
		own_kernel.change_error = -EPERM;
		run_rounds(11);
		own_kernel.deletes = 0;
		for (unsigned i = 0; i < 300; i++) {
			run_rounds(1);
			assert_int_equal(a.sweep.err, -EPERM);
		}
		assert_in_range(own_kernel.deletes, 5, 9);
		own_kernel.change_error = 0;
		run_rounds(51);
		assert_false(has_route(NORMAL_TABLE, &other));
		assert_int_equal(a.sweep.err, 0);
	}
}

/* --- tables --- */

/* What one table refused says nothing of the next. */
static void a_new_table_is_tried_at_once(void **state)
{
	(void)state;
	for (uint32_t table = 100; table < 104; table += 2) {
		own_kernel.change_error = -EPERM;
		run_rounds(300);
		assert_true(row.refused[ANNOUNCE_NORMAL].retry.wait_ms > 4000);
		own_kernel.change_error = 0;
		kernel_use_tables(&a, table, table + 1, now_ms);
		run_rounds(1);
		assert_true(is_in(table));
		empty_table(table);
		run_rounds(1);
	}
}

static void other_tables_take_the_routes_along(void **state)
{
	(void)state;
	announce_and_wait();
	proved.vip.state = PROOF_STATE_UNKNOWN; /* what is announced needs no new proof */
	kernel_use_tables(&a, 100, 101, now_ms);
	assert_true(is_in(100));
	run_rounds(1);
	assert_true(is_in(100));
	assert_int_equal(list_table(NORMAL_TABLE, NULL, 0), 0);
	assert_int_equal(a.n_former, 0);
	run_rounds(20);
	assert_true(is_in(100));
}

static void tables_of_an_earlier_process_are_emptied(void **state)
{
	(void)state;
	put_route(NORMAL_TABLE, &row.intended.address);
	row.is_found = false;
	proved.vip.state = PROOF_STATE_UNKNOWN;
	kernel_use_tables(&a, 100, NORMAL_TABLE, now_ms); /* one number is used again */
	assert_int_equal(row.state.table, ANNOUNCE_NORMAL);
	assert_true(is_in(100));
	run_rounds(3);
	assert_true(is_in(100));
	assert_false(is_in(NORMAL_TABLE));
}

/* It ended after it had used the new tables, and before its page said so. */
static void routes_that_are_in_the_new_tables_already_stay(void **state)
{
	(void)state;
	put_route(100, &row.intended.address);
	row.is_found = false;
	proved.vip.state = PROOF_STATE_UNKNOWN;
	kernel_use_tables(&a, 100, 101, now_ms);
	run_rounds(20);
	assert_true(is_in(100));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_KEPT_UNPROVED);
}

static void a_former_table_that_stays_full_is_tried_again(void **state)
{
	(void)state;
	announce_and_wait();
	kernel_use_tables(&a, 100, 101, now_ms);
	own_kernel.change_error = -EPERM;
	run_rounds(5);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(a.n_former, 1); /* the other one is empty */
	own_kernel.change_error = 0;
	run_rounds(11);
	assert_false(is_in(NORMAL_TABLE));
	assert_int_equal(a.n_former, 0);
}

/* It may be for another reason that these cannot be emptied: they are not kept waiting. */
static void other_tables_are_emptied_without_the_wait_of_former_ones(void **state)
{
	(void)state;
	announce_and_wait();
	kernel_use_tables(&a, 100, 101, now_ms);
	own_kernel.change_error = -EPERM;
	run_rounds(200);
	assert_int_equal(a.n_former, 1); /* the other one is empty */
	own_kernel.change_error = 0;
	kernel_use_tables(&a, 102, 103, now_ms);
	run_rounds(1);
	assert_true(is_in(102));
	assert_false(is_in(NORMAL_TABLE));
	assert_false(is_in(100));
	assert_int_equal(a.n_former, 0);
}

/* Of more than are remembered, those of the latest documents are emptied. */
static void the_latest_former_tables_are_emptied(void **state)
{
	const uint32_t first = 100, last = first + FORMER_TABLES_MAX + 1;

	(void)state;
	announce_and_wait();
	for (uint32_t table = first; table <= last; table++)
		put_route(table, &row.intended.address);
	own_kernel.change_error = -EPERM;
	for (uint32_t table = first; table <= last; table++)
		kernel_use_tables(&a, table, SHUTDOWN_TABLE, now_ms);
	assert_int_equal(a.n_former, FORMER_TABLES_MAX);
	for (uint32_t i = 0; i < FORMER_TABLES_MAX; i++)
		assert_int_equal(a.former[i], last - FORMER_TABLES_MAX + i);
	own_kernel.change_error = 0;
	run_rounds(11);
	assert_int_equal(a.n_former, 0);
	for (uint32_t table = first; table <= last; table++)
		assert_int_equal(is_in(table), table == first || table == last);
}

static void a_former_table_is_kept_until_the_new_one_has_all(void **state)
{
	(void)state;
	announce_and_wait();
	own_kernel.add_error = -ENOBUFS;
	kernel_use_tables(&a, 100, 101, now_ms);
	run_rounds(20);
	assert_true(is_in(NORMAL_TABLE));
	assert_false(is_in(100));
	own_kernel.add_error = 0;
	run_rounds(60);
	assert_true(is_in(100));
	assert_false(is_in(NORMAL_TABLE));
}

/* What is announced is kept without a proof; the dataplane may not have the newest document yet. */
static void a_former_table_is_kept_for_a_route_that_is_not_proved(void **state)
{
	static const char *const whys[] = { "the newest document is not in force",
		                            "an XDP dataplane has died", "the VIP is unknown" };

	for (size_t i = 0; i < COUNT(whys); i++) {
		print_message("  %s\n", whys[i]);
		if (i) {
			end_scene(state);
			start_scene(state);
		}
		announce_and_wait();
		proved.node.document += i == 0;
		proved.is_there = i != 1;
		proved.vip.state = i == 2 ? PROOF_STATE_UNKNOWN : proved.vip.state;
		run_rounds(2);
		own_kernel.add_error = -ENOBUFS;
		kernel_use_tables(&a, 100, 101, now_ms);
		kernel_use_tables(&a, 102, 103, now_ms);
		run_rounds(20);
		assert_true(is_in(NORMAL_TABLE));
		assert_int_equal(row.decision.reason, ANNOUNCE_REASON_KEPT_UNPROVED);
		own_kernel.add_error = 0;
		run_rounds(60);
		assert_true(is_in(102));
		assert_false(is_in(NORMAL_TABLE));
		assert_int_equal(a.n_former, 0);
		/* from now on its loss is one again */
		empty_table(102);
		run_rounds(20);
		assert_false(is_in(102));
	}
}

static void what_has_reason_to_go_goes_from_the_former_table_too(void **state)
{
	(void)state;
	announce_and_wait();
	proved.vip.state = PROOF_STATE_UNKNOWN;
	own_kernel.add_error = -ENOBUFS;
	kernel_use_tables(&a, 100, 101, now_ms);
	run_rounds(5);
	assert_true(is_in(NORMAL_TABLE));
	proved.node.ports[0].up = PROOF_NO;
	run_rounds(2);
	assert_false(is_in(NORMAL_TABLE));
	proved.node.ports[0].up = PROOF_YES;
	own_kernel.add_error = 0;
	run_rounds(60);
	assert_false(is_in(100)); /* it needs a proof */
}

static void a_former_table_is_kept_while_the_new_one_is_not_read(void **state)
{
	(void)state;
	put_route(NORMAL_TABLE, &row.intended.address);
	row.is_found = false;
	own_kernel.list_error = -ENOBUFS;
	kernel_use_tables(&a, 100, 101, now_ms);
	run_rounds(20);
	assert_true(is_in(NORMAL_TABLE));
}

SUITE(kernel)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(a_route_that_somebody_deleted_is_added_again),
		SCENE_TEST(a_route_that_is_lost_returns_by_a_younger_proof_alone),
		SCENE_TEST(what_a_starting_dataplane_deleted_is_not_added_unproved),
		SCENE_TEST(a_route_that_never_got_in_needs_a_proof_again),
		SCENE_TEST(routes_that_are_found_are_known_in_any_order),
		SCENE_TEST(routes_of_other_addresses_go),
		SCENE_TEST(without_a_list_of_the_kernel_nothing_is_touched),
		SCENE_TEST(a_list_that_fails_at_the_start_withdraws_nothing),
		SCENE_TEST(a_list_that_does_not_fit_says_of_no_route_that_it_is_gone),
		SCENE_TEST(an_own_cause_withdraws_without_a_list),
		SCENE_TEST(an_own_cause_withdraws_what_was_never_listed),
		SCENE_TEST(a_route_that_is_refused_is_tried_ever_later),
		SCENE_TEST(a_refused_change_that_is_not_wanted_any_more_is_forgotten),
		SCENE_TEST(what_went_well_once_is_tried_again_as_soon_as_at_first),
		SCENE_TEST(a_withdrawal_that_is_refused_is_tried_again_soon),
		SCENE_TEST(a_change_does_not_wait_for_the_refusals_of_its_opposite),
		SCENE_TEST(a_round_takes_few_refusals),
		SCENE_TEST(a_route_of_no_address_that_stays_is_tried_ever_later),
		SCENE_TEST(a_new_table_is_tried_at_once),
		SCENE_TEST(other_tables_take_the_routes_along),
		SCENE_TEST(tables_of_an_earlier_process_are_emptied),
		SCENE_TEST(routes_that_are_in_the_new_tables_already_stay),
		SCENE_TEST(a_former_table_that_stays_full_is_tried_again),
		SCENE_TEST(other_tables_are_emptied_without_the_wait_of_former_ones),
		SCENE_TEST(the_latest_former_tables_are_emptied),
		SCENE_TEST(a_former_table_is_kept_until_the_new_one_has_all),
		SCENE_TEST(a_former_table_is_kept_for_a_route_that_is_not_proved),
		SCENE_TEST(what_has_reason_to_go_goes_from_the_former_table_too),
		SCENE_TEST(a_former_table_is_kept_while_the_new_one_is_not_read),
	};

	if (!enter_namespace())
		return SKIPPED;
	return cmocka_run_group_tests_name("announce kernel", tests, NULL, NULL);
}
