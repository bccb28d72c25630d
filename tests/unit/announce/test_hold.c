/* SPDX-License-Identifier: BSD-2-Clause */
/* Hold-downs after failures, and drains by a person: what takes time in announce/decide.h. */
#include "scene.h"
#include "tests/unit/suite.h"

/* The port fails at @p at_ms and is back 1 s later. @return how long the hold-down lasted, ms */
static uint64_t fail_and_return(struct announce_state *s, uint64_t at_ms)
{
	struct announce_facts bad = all_but(ANNOUNCE_FACT_PORT, ANNOUNCE_NO), good = all_proved();
	struct announce_decision d = announce_decide(s, &bad, at_ms);
	uint64_t back_ms = at_ms + 1000;

	expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_PORT_DOWN);
	for (uint64_t ms = back_ms; ms < back_ms + 2 * ANNOUNCE_HOLD_MAX_MS; ms += 1000) {
		d = announce_decide(s, &good, ms);
		if (d.table == ANNOUNCE_NORMAL)
			return ms - back_ms;
		expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_HELD);
		assert_int_equal(s->failed_fact, ANNOUNCE_FACT_PORT);
		assert_true(d.held_ms > 0 && d.held_ms <= ANNOUNCE_HOLD_MAX_MS);
	}
	return UINT64_MAX;
}

static void the_hold_down_doubles_while_failures_repeat_within_an_hour(void **state)
{
	(void)state;
	static const uint32_t holds_s[] = { 30, 60, 120, 240, 480, 600, 600 };
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	uint64_t ms = SETTLED_MS;

	for (size_t i = 0; i < COUNT(holds_s); i++) {
		assert_int_equal(fail_and_return(&s, ms), holds_s[i] * 1000);
		ms += 1800 * 1000;
	}
	ms = s.failed_ms + ANNOUNCE_REPEAT_MS;
	assert_int_equal(fail_and_return(&s, ms), 30000);
}

static void a_failure_while_held_down_starts_the_time_again(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts bad = all_but(ANNOUNCE_FACT_PORT, ANNOUNCE_NO), good = all_proved();
	struct announce_facts vague = all_but(ANNOUNCE_FACT_PROBE, ANNOUNCE_UNKNOWN);

	announce_decide(&s, &bad, SETTLED_MS);
	announce_decide(&s, &good, SETTLED_MS + 1000);
	announce_decide(&s, &bad, SETTLED_MS + 20000);
	announce_decide(&s, &good, SETTLED_MS + 21000);
	announce_decide(&s, &vague, SETTLED_MS + 30000); /* says nothing */
	assert_int_equal(announce_decide(&s, &good, SETTLED_MS + 50999).table, ANNOUNCE_NONE);
	assert_int_equal(announce_decide(&s, &vague, SETTLED_MS + 51000).table, ANNOUNCE_NONE);
	assert_int_equal(announce_decide(&s, &good, SETTLED_MS + 51001).table, ANNOUNCE_NORMAL);
	assert_int_equal(s.hold_ms, ANNOUNCE_HOLD_MS); /* it was not announced: no repetition */
}

static void there_is_no_hold_down_while_no_other_announces(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts bad = all_but(ANNOUNCE_FACT_PORT, ANNOUNCE_NO), good = all_proved();

	announce_decide(&s, &bad, SETTLED_MS);
	good.others = ANNOUNCE_UNKNOWN;
	assert_int_equal(announce_decide(&s, &good, SETTLED_MS + 1).reason, ANNOUNCE_REASON_HELD);
	good.others = ANNOUNCE_NO;
	assert_int_equal(announce_decide(&s, &good, SETTLED_MS + 2).table, ANNOUNCE_NORMAL);
}

/* A document is not in force for a moment after it was written; peers' state and unknowns likewise. */
static void what_withdraws_nothing_does_not_start_the_hold_down_again(void **state)
{
	(void)state;
	static const struct {
		enum announce_fact fact;
		enum announce_truth truth;
		bool relapse;
	} cases[] = { { ANNOUNCE_FACT_DOCUMENT, ANNOUNCE_NO, false },
		      { ANNOUNCE_FACT_PEERS, ANNOUNCE_NO, false },
		      { ANNOUNCE_FACT_HOPS, ANNOUNCE_NO, false },
		      { ANNOUNCE_FACT_PROBE, ANNOUNCE_UNKNOWN, false },
		      { ANNOUNCE_FACT_PORT, ANNOUNCE_NO, true },
		      { ANNOUNCE_FACT_PROGRAM, ANNOUNCE_NO, true },
		      { ANNOUNCE_FACT_SOCKETS, ANNOUNCE_NO, true },
		      { ANNOUNCE_FACT_LEAVES, ANNOUNCE_NO, true },
		      { ANNOUNCE_FACT_COVERED, ANNOUNCE_NO, true },
		      { ANNOUNCE_FACT_POOLS, ANNOUNCE_NO, true },
		      { ANNOUNCE_FACT_PROBE, ANNOUNCE_NO, true } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct announce_state s = start_state(ANNOUNCE_NORMAL);
		struct announce_facts bad = all_but(ANNOUNCE_FACT_PORT, ANNOUNCE_NO);
		struct announce_facts brief = all_but(cases[i].fact, cases[i].truth);
		struct announce_facts good = all_proved();
		uint64_t back_ms = SETTLED_MS + 1000, relapse_ms = back_ms + 20000;

		print_message("  %s\n", announce_fact_label(cases[i].fact));
		announce_decide(&s, &bad, SETTLED_MS);
		announce_decide(&s, &good, back_ms);
		announce_decide(&s, &brief, relapse_ms);
		announce_decide(&s, &good, relapse_ms + 100);
		assert_int_equal(announce_decide(&s, &good, back_ms + ANNOUNCE_HOLD_MS - 1).table,
		                 ANNOUNCE_NONE);
		assert_int_equal(announce_decide(&s, &good, back_ms + ANNOUNCE_HOLD_MS).table,
		                 cases[i].relapse ? ANNOUNCE_NONE : ANNOUNCE_NORMAL);
		assert_int_equal(
		        announce_decide(&s, &good, relapse_ms + 100 + ANNOUNCE_HOLD_MS).table,
		        ANNOUNCE_NORMAL);
	}
}

/* Each second may be one without the VIP. */
static void while_nobody_says_who_announces_the_first_hold_down_is_the_longest(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts good = all_proved();

	for (uint64_t ms = SETTLED_MS; s.hold_ms < ANNOUNCE_HOLD_MAX_MS; ms += 700000)
		fail_and_return(&s, ms);
	s.table = ANNOUNCE_NONE;
	s.good_since_ms = s.failed_ms;
	assert_int_equal(announce_decide(&s, &good, s.failed_ms + ANNOUNCE_HOLD_MS).held_ms,
	                 ANNOUNCE_HOLD_MAX_MS - ANNOUNCE_HOLD_MS);
	good.others = ANNOUNCE_UNKNOWN;
	assert_int_equal(announce_decide(&s, &good, s.failed_ms + ANNOUNCE_HOLD_MS - 1).held_ms, 1);
	assert_int_equal(announce_decide(&s, &good, s.failed_ms + ANNOUNCE_HOLD_MS).table,
	                 ANNOUNCE_NORMAL);
	assert_int_equal(s.hold_ms, ANNOUNCE_HOLD_MAX_MS); /* the next failure repeats this one */
}

/* The other node has let this one go and is gone itself: there is nobody left. */
static void after_the_death_of_the_node_that_confirmed_it_returns_at_once(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts bad = all_but(ANNOUNCE_FACT_POOLS, ANNOUNCE_NO), good = all_proved();

	confirm_question(&s, SETTLED_MS, SETTLED_MS);
	assert_int_equal(announce_decide(&s, &bad, SETTLED_MS).table, ANNOUNCE_NONE);
	bad.others = good.others = ANNOUNCE_NO;
	assert_int_equal(announce_decide(&s, &bad, SETTLED_MS + 1000).table, ANNOUNCE_NONE);
	assert_int_equal(announce_decide(&s, &good, SETTLED_MS + 1001).table, ANNOUNCE_NORMAL);
}

static void a_shared_cause_is_followed_by_a_hold_down_too(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts bad = all_but(ANNOUNCE_FACT_POOLS, ANNOUNCE_NO), good = all_proved();

	confirm_question(&s, SETTLED_MS, SETTLED_MS);
	assert_int_equal(announce_decide(&s, &bad, SETTLED_MS).table, ANNOUNCE_NONE);
	assert_int_equal(announce_decide(&s, &good, SETTLED_MS + 1).held_ms, ANNOUNCE_HOLD_MS);
}

static void a_persons_command_ends_the_hold_down(void **state)
{
	(void)state;
	static const enum announce_command commands[] = { ANNOUNCE_COMMAND_DRAIN,
		                                          ANNOUNCE_COMMAND_WITHDRAW,
		                                          ANNOUNCE_COMMAND_STOP };

	for (size_t i = 0; i < COUNT(commands); i++) {
		struct announce_state s = start_state(ANNOUNCE_NORMAL);
		struct announce_facts bad = all_but(ANNOUNCE_FACT_PORT, ANNOUNCE_NO);
		struct announce_facts good = all_proved();

		announce_decide(&s, &bad, SETTLED_MS);
		good.command = commands[i];
		assert_int_equal(announce_decide(&s, &good, SETTLED_MS + 10).table, ANNOUNCE_NONE);
		good.command = ANNOUNCE_COMMAND_NONE;
		assert_int_equal(announce_decide(&s, &good, SETTLED_MS + 20).table,
		                 ANNOUNCE_NORMAL);
	}
}

static void a_failure_during_a_drain_holds_nothing_down(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts bad = all_but(ANNOUNCE_FACT_PROGRAM, ANNOUNCE_NO);
	struct announce_facts good = all_proved();

	bad.command = ANNOUNCE_COMMAND_DRAIN;
	assert_int_equal(announce_decide(&s, &bad, SETTLED_MS).table, ANNOUNCE_NONE);
	assert_int_equal(announce_decide(&s, &good, SETTLED_MS + 1).table, ANNOUNCE_NORMAL);
}

static void the_hold_down_of_an_earlier_process_goes_on(void **state)
{
	(void)state;
	struct announce_facts good = all_proved();
	struct announce_state s = start_state(ANNOUNCE_NONE);

	announce_restore_hold(&s, START_MS - 5000, 120000, 0, START_MS);
	assert_int_equal(announce_decide(&s, &good, START_MS).held_ms, 120000);
	assert_int_equal(announce_decide(&s, &good, START_MS + 120000).table, ANNOUNCE_NORMAL);
	assert_int_equal(fail_and_return(&s, START_MS + 200000), 240000);
}

static void the_recovery_of_an_earlier_process_counts(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint64_t good_ms, held_ms;
	} cases[] = { { "it had recovered", START_MS - 4000, 116000 },
		      { "it had not", 0, 120000 },
		      { "before the failure", START_MS - 5001, 120000 },
		      { "in the future", START_MS + 1, 120000 } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct announce_facts good = all_proved();
		struct announce_state s = start_state(ANNOUNCE_NONE);

		print_message("  %s\n", cases[i].why);
		announce_restore_hold(&s, START_MS - 5000, 120000, cases[i].good_ms, START_MS);
		assert_int_equal(announce_decide(&s, &good, START_MS).held_ms, cases[i].held_ms);
	}
}

static void a_hold_down_that_cannot_be_is_ignored(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint64_t failed_ms;
		uint32_t hold_ms;
	} cases[] = { { "in the future", START_MS + 1, 30000 },
		      { "none", START_MS - 1, 0 },
		      { "too short", START_MS - 1, ANNOUNCE_HOLD_MS - 1 },
		      { "too long", START_MS - 1, ANNOUNCE_HOLD_MAX_MS + 1 } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct announce_facts good = all_proved();
		struct announce_state s = start_state(ANNOUNCE_NONE);

		print_message("  %s\n", cases[i].why);
		announce_restore_hold(&s, cases[i].failed_ms, cases[i].hold_ms, 0, START_MS);
		assert_int_equal(announce_decide(&s, &good, START_MS).table, ANNOUNCE_NORMAL);
	}
}

static void a_hold_down_that_just_can_be_goes_on(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint64_t failed_ms, good_ms;
		uint32_t hold_ms;
		uint64_t held_ms;
	} cases[] = {
		{ "it failed now", START_MS, 0, 60000, 60000 },
		{ "the shortest", START_MS - 9000, 0, ANNOUNCE_HOLD_MS, 30000 },
		{ "the longest", START_MS - 9000, 0, ANNOUNCE_HOLD_MAX_MS, 600000 },
		{ "it recovered at once", START_MS - 9000, START_MS - 9000, 60000, 51000 },
		{ "it recovered now", START_MS - 9000, START_MS, 60000, 60000 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct announce_facts good = all_proved();
		struct announce_state s = start_state(ANNOUNCE_NONE);
		struct announce_decision d;

		announce_restore_hold(&s, cases[i].failed_ms, cases[i].hold_ms, cases[i].good_ms,
		                      START_MS);
		assert_int_equal(s.failed_ms, cases[i].failed_ms);
		assert_int_equal(s.hold_ms, cases[i].hold_ms);
		if (s.good_since_ms != cases[i].good_ms)
			fail_msg("%s", cases[i].why);
		d = announce_decide(&s, &good, START_MS);
		expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_HELD);
		assert_int_equal(d.held_ms, cases[i].held_ms);
	}
}

/* A withdrawal whose cause is not known leaves no earlier one as its cause. */
static void a_failure_without_a_cause_has_none(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);

	assert_int_equal(s.failed_fact, ANNOUNCE_FACT_COUNT);
	assert_int_equal(fail_and_return(&s, SETTLED_MS), 30000);
	assert_int_equal(s.failed_fact, ANNOUNCE_FACT_PORT);
	announce_note_failure(&s, SETTLED_MS + 40000);
	assert_int_equal(s.failed_fact, ANNOUNCE_FACT_COUNT);
	assert_int_equal(s.failed_ms, SETTLED_MS + 40000);
	assert_int_equal(s.hold_ms, 2 * ANNOUNCE_HOLD_MS);
	assert_int_equal(s.good_since_ms, 0);
}

/* --- drains --- */

static void a_drain_is_graceful_shutdown_first(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts f = all_proved();
	struct announce_decision d;

	f.command = ANNOUNCE_COMMAND_DRAIN;
	d = announce_decide(&s, &f, SETTLED_MS);
	expect_decision(&d, ANNOUNCE_SHUTDOWN, ANNOUNCE_REASON_DRAINING);
	d = announce_decide(&s, &f, SETTLED_MS + ANNOUNCE_EMPTY_MS - 1);
	expect_decision(&d, ANNOUNCE_SHUTDOWN, ANNOUNCE_REASON_DRAINING);
	assert_false(d.query);
}

static void a_drain_that_is_empty_withdraws_when_confirmed(void **state)
{
	(void)state;
	for (int by_time = 0; by_time <= 1; by_time++) {
		struct announce_state s = start_state(ANNOUNCE_NORMAL);
		struct announce_facts f = all_proved();
		uint64_t ms = SETTLED_MS;
		struct announce_decision d;

		f.command = ANNOUNCE_COMMAND_DRAIN;
		announce_decide(&s, &f, ms);
		if (by_time)
			ms += ANNOUNCE_EMPTY_MS;
		else
			f.emptied = ANNOUNCE_YES;
		d = announce_decide(&s, &f, ms);
		expect_decision(&d, ANNOUNCE_SHUTDOWN, ANNOUNCE_REASON_DRAIN_UNCONFIRMED);
		assert_true(d.query);
		confirm_question(&s, ms, ms + 3);
		d = announce_decide(&s, &f, ms + 3);
		expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_DRAINED);
		d = announce_decide(&s, &f, ms + 9);
		expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_DRAINED);
	}
}

/* No other node could ever confirm it. A cause that is not a person's withdraws it no sooner than another. */
static void a_drained_address_that_no_other_node_has_needs_no_confirmation(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts f = all_proved();
	struct announce_decision d;

	f.leaves_unconfirmed = true;
	f.others = ANNOUNCE_NO;
	for (uint64_t ms = SETTLED_MS; ms <= SETTLED_MS + 100000; ms += 100000) { /* twice */
		f.command = ANNOUNCE_COMMAND_DRAIN;
		f.emptied = ANNOUNCE_NO;
		d = announce_decide(&s, &f, ms);
		expect_decision(&d, ANNOUNCE_SHUTDOWN, ANNOUNCE_REASON_DRAINING);
		d = announce_decide(&s, &f, ms + ANNOUNCE_EMPTY_MS - 1);
		expect_decision(&d, ANNOUNCE_SHUTDOWN, ANNOUNCE_REASON_DRAINING);
		d = announce_decide(&s, &f, ms + ANNOUNCE_EMPTY_MS);
		expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_DRAINED);
		assert_false(d.query);
		f.command = ANNOUNCE_COMMAND_NONE;
		d = announce_decide(&s, &f, ms + ANNOUNCE_EMPTY_MS + 50);
		expect_decision(&d, ANNOUNCE_NORMAL, ANNOUNCE_REASON_ANNOUNCED);
	}
	f.truth[ANNOUNCE_FACT_PROBE] = ANNOUNCE_NO;
	d = announce_decide(&s, &f, SETTLED_MS + 200000);
	expect_decision(&d, ANNOUNCE_NORMAL, ANNOUNCE_REASON_KEPT_UNCONFIRMED);
	f.command = ANNOUNCE_COMMAND_DRAIN; /* with such a cause, too */
	announce_decide(&s, &f, SETTLED_MS + 200001);
	d = announce_decide(&s, &f, SETTLED_MS + 200000 + ANNOUNCE_EMPTY_MS);
	expect_decision(&d, ANNOUNCE_SHUTDOWN, ANNOUNCE_REASON_KEPT_UNCONFIRMED);
	d = announce_decide(&s, &f, SETTLED_MS + 200001 + ANNOUNCE_EMPTY_MS);
	expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_DRAINED);
}

static void a_drain_keeps_a_promise(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts f = all_proved();
	const struct announce_question q = { "zoe", 5, 9 };
	struct announce_decision d;

	assert_int_equal(announce_give_answer(&s, "self", &q, &f, SETTLED_MS),
	                 ANNOUNCE_ANSWER_CONFIRMED);
	f.command = ANNOUNCE_COMMAND_DRAIN;
	f.emptied = ANNOUNCE_YES;
	announce_decide(&s, &f, SETTLED_MS + 1);
	confirm_question(&s, SETTLED_MS + 2, SETTLED_MS + 2);
	d = announce_decide(&s, &f, SETTLED_MS + 2);
	expect_decision(&d, ANNOUNCE_SHUTDOWN, ANNOUNCE_REASON_DRAINING);
	confirm_question(&s, SETTLED_MS + ANNOUNCE_PROMISE_MS, SETTLED_MS + ANNOUNCE_PROMISE_MS);
	d = announce_decide(&s, &f, SETTLED_MS + ANNOUNCE_PROMISE_MS);
	expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_DRAINED);
}

static void a_drained_node_that_does_not_announce_does_not_begin(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NONE);
	struct announce_facts f = all_proved();
	struct announce_decision d;

	f.command = ANNOUNCE_COMMAND_DRAIN;
	f.others = ANNOUNCE_NO;
	d = announce_decide(&s, &f, SETTLED_MS);
	expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_DRAINED);
}

/* The drain is the reason, whatever else is missing; what is missing is named beside it. */
static void a_drained_node_says_so_whatever_it_lacks(void **state)
{
	(void)state;
	for (int fact = 0; fact < ANNOUNCE_FACT_COUNT; fact++)
		for (int truth = ANNOUNCE_UNKNOWN; truth <= ANNOUNCE_NO; truth++) {
			struct announce_state s = start_state(ANNOUNCE_NONE);
			struct announce_facts f =
			        all_but((enum announce_fact)fact, (enum announce_truth)truth);
			struct announce_decision d;

			f.command = ANNOUNCE_COMMAND_DRAIN;
			d = announce_decide(&s, &f, SETTLED_MS);
			expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_DRAINED);
			assert_int_equal(d.fact, fact);
			assert_int_equal(d.held_ms, 0);
			assert_false(d.query);
		}
}

static void own_and_shared_causes_count_in_graceful_shutdown(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_SHUTDOWN);
	struct announce_facts f = all_but(ANNOUNCE_FACT_POOLS, ANNOUNCE_NO);
	struct announce_decision d;

	f.command = ANNOUNCE_COMMAND_DRAIN;
	d = announce_decide(&s, &f, SETTLED_MS);
	expect_decision(&d, ANNOUNCE_SHUTDOWN, ANNOUNCE_REASON_KEPT_UNCONFIRMED);
	f.truth[ANNOUNCE_FACT_PORT] = ANNOUNCE_NO;
	d = announce_decide(&s, &f, SETTLED_MS + 1);
	expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_PORT_DOWN);
}

static void an_undrain_goes_back_through_the_proof(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_SHUTDOWN);
	struct announce_facts f = all_but(ANNOUNCE_FACT_PROBE, ANNOUNCE_UNKNOWN);
	struct announce_decision d = announce_decide(&s, &f, SETTLED_MS);

	expect_decision(&d, ANNOUNCE_SHUTDOWN, ANNOUNCE_REASON_RETURNING);
	assert_int_equal(d.fact, ANNOUNCE_FACT_PROBE);
	f = all_proved();
	d = announce_decide(&s, &f, SETTLED_MS);
	expect_decision(&d, ANNOUNCE_NORMAL, ANNOUNCE_REASON_ANNOUNCED);
}

static void a_restart_in_graceful_shutdown_counts_its_time_again(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_SHUTDOWN);
	struct announce_facts f = all_proved();
	struct announce_decision d;

	f.command = ANNOUNCE_COMMAND_DRAIN;
	d = announce_decide(&s, &f, START_MS + ANNOUNCE_EMPTY_MS - 1);
	expect_decision(&d, ANNOUNCE_SHUTDOWN, ANNOUNCE_REASON_DRAINING);
	d = announce_decide(&s, &f, START_MS + ANNOUNCE_EMPTY_MS);
	expect_decision(&d, ANNOUNCE_SHUTDOWN, ANNOUNCE_REASON_DRAIN_UNCONFIRMED);
}

SUITE(hold)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hold_down_doubles_while_failures_repeat_within_an_hour),
		cmocka_unit_test(a_failure_while_held_down_starts_the_time_again),
		cmocka_unit_test(there_is_no_hold_down_while_no_other_announces),
		cmocka_unit_test(what_withdraws_nothing_does_not_start_the_hold_down_again),
		cmocka_unit_test(
		        while_nobody_says_who_announces_the_first_hold_down_is_the_longest),
		cmocka_unit_test(after_the_death_of_the_node_that_confirmed_it_returns_at_once),
		cmocka_unit_test(a_shared_cause_is_followed_by_a_hold_down_too),
		cmocka_unit_test(a_persons_command_ends_the_hold_down),
		cmocka_unit_test(a_failure_during_a_drain_holds_nothing_down),
		cmocka_unit_test(the_hold_down_of_an_earlier_process_goes_on),
		cmocka_unit_test(the_recovery_of_an_earlier_process_counts),
		cmocka_unit_test(a_hold_down_that_cannot_be_is_ignored),
		cmocka_unit_test(a_hold_down_that_just_can_be_goes_on),
		cmocka_unit_test(a_failure_without_a_cause_has_none),
		cmocka_unit_test(a_drain_is_graceful_shutdown_first),
		cmocka_unit_test(a_drain_that_is_empty_withdraws_when_confirmed),
		cmocka_unit_test(a_drained_address_that_no_other_node_has_needs_no_confirmation),
		cmocka_unit_test(a_drain_keeps_a_promise),
		cmocka_unit_test(a_drained_node_that_does_not_announce_does_not_begin),
		cmocka_unit_test(a_drained_node_says_so_whatever_it_lacks),
		cmocka_unit_test(own_and_shared_causes_count_in_graceful_shutdown),
		cmocka_unit_test(an_undrain_goes_back_through_the_proof),
		cmocka_unit_test(a_restart_in_graceful_shutdown_counts_its_time_again),
	};

	return cmocka_run_group_tests_name("announce hold", tests, NULL, NULL);
}
