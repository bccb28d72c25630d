/* SPDX-License-Identifier: BSD-2-Clause */
/* When a node announces, keeps and withdraws an address: each rule of announce/decide.h. */
#include "scene.h"
#include "tests/unit/suite.h"

static void announces_when_all_is_proved(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NONE);
	struct announce_facts f = all_proved();
	struct announce_decision d = announce_decide(&s, &f, START_MS);

	expect_decision(&d, ANNOUNCE_NORMAL, ANNOUNCE_REASON_ANNOUNCED);
	assert_int_equal(d.fact, ANNOUNCE_FACT_COUNT);
	assert_false(d.query);
}

static void nothing_is_announced_without_proof(void **state)
{
	(void)state;
	for (int fact = 0; fact < ANNOUNCE_FACT_COUNT; fact++)
		for (int truth = ANNOUNCE_UNKNOWN; truth <= ANNOUNCE_NO; truth++) {
			struct announce_state s = start_state(ANNOUNCE_NONE);
			struct announce_facts f =
			        all_but((enum announce_fact)fact, (enum announce_truth)truth);
			struct announce_decision d = announce_decide(&s, &f, SETTLED_MS);

			print_message("  %s %d\n", announce_fact_label((enum announce_fact)fact),
			              truth);
			assert_int_equal(d.table, ANNOUNCE_NONE);
			assert_int_equal(d.fact, fact);
			assert_false(d.query);
		}
}

static void a_zeroed_fact_sheet_announces_and_withdraws_nothing(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NONE), kept = start_state(ANNOUNCE_NORMAL);
	struct announce_facts f = { .configured = true };
	struct announce_decision d = announce_decide(&s, &f, SETTLED_MS);

	expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_WAITING);
	assert_int_equal(d.fact, ANNOUNCE_FACT_DOCUMENT);
	d = announce_decide(&kept, &f, SETTLED_MS);
	expect_decision(&d, ANNOUNCE_NORMAL, ANNOUNCE_REASON_KEPT_UNPROVED);
}

static void what_is_missed_first_is_named(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NONE);
	struct announce_facts f = all_but(ANNOUNCE_FACT_DOCUMENT, ANNOUNCE_UNKNOWN);
	struct announce_decision d;

	f.truth[ANNOUNCE_FACT_PROBE] = ANNOUNCE_NO; /* a no says more than an unknown */
	d = announce_decide(&s, &f, SETTLED_MS);
	expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_PROBE_REFUSED);
	assert_int_equal(d.fact, ANNOUNCE_FACT_PROBE);
	f.truth[ANNOUNCE_FACT_HOPS] = ANNOUNCE_NO;
	d = announce_decide(&s, &f, SETTLED_MS);
	expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_WAITING);
	assert_int_equal(d.fact, ANNOUNCE_FACT_HOPS);
}

static void unknown_never_withdraws(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts f = { .configured = true, .exported = ANNOUNCE_UNKNOWN };
	struct announce_decision d;

	for (uint64_t ms = SETTLED_MS; ms < SETTLED_MS + 3600000; ms += 10000) {
		confirm_question(&s, ms, ms);
		d = announce_decide(&s, &f, ms);
		expect_decision(&d, ANNOUNCE_NORMAL, ANNOUNCE_REASON_KEPT_UNPROVED);
		assert_false(d.query);
	}
}

static void document_peers_and_next_hops_never_withdraw(void **state)
{
	(void)state;
	static const enum announce_fact facts[] = { ANNOUNCE_FACT_DOCUMENT, ANNOUNCE_FACT_PEERS,
		                                    ANNOUNCE_FACT_HOPS };

	for (size_t i = 0; i < COUNT(facts); i++) {
		struct announce_state s = start_state(ANNOUNCE_NORMAL);
		struct announce_facts f = all_but(facts[i], ANNOUNCE_NO);
		struct announce_decision d;

		confirm_question(&s, SETTLED_MS, SETTLED_MS);
		d = announce_decide(&s, &f, SETTLED_MS);
		expect_decision(&d, ANNOUNCE_NORMAL, ANNOUNCE_REASON_KEPT_UNPROVED);
		assert_int_equal(d.fact, facts[i]);
	}
}

static void own_causes_withdraw_at_once(void **state)
{
	(void)state;
	static const struct {
		enum announce_fact fact;
		enum announce_reason reason;
	} cases[] = { { ANNOUNCE_FACT_PORT, ANNOUNCE_REASON_PORT_DOWN },
		      { ANNOUNCE_FACT_PROGRAM, ANNOUNCE_REASON_PROGRAM_GONE },
		      { ANNOUNCE_FACT_SOCKETS, ANNOUNCE_REASON_SOCKETS_MISSING },
		      { ANNOUNCE_FACT_LEAVES, ANNOUNCE_REASON_NOTHING_LEAVES } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		/* also during the start and a promise: such a node forwards nothing */
		struct announce_state s = start_state(ANNOUNCE_NORMAL);
		struct announce_facts f = all_but(cases[i].fact, ANNOUNCE_NO);
		struct announce_decision d = announce_decide(&s, &f, START_MS);

		expect_decision(&d, ANNOUNCE_NONE, cases[i].reason);
		assert_int_equal(d.fact, cases[i].fact);
		assert_false(d.query);
	}
}

static void shared_causes_withdraw_only_when_confirmed(void **state)
{
	(void)state;
	static const struct {
		enum announce_fact fact;
		enum announce_reason reason;
	} cases[] = { { ANNOUNCE_FACT_POOLS, ANNOUNCE_REASON_POOLS_DOWN },
		      { ANNOUNCE_FACT_COVERED, ANNOUNCE_REASON_PORT_UNCOVERED },
		      { ANNOUNCE_FACT_PROBE, ANNOUNCE_REASON_PROBE_REFUSED } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct announce_state s = start_state(ANNOUNCE_NORMAL);
		struct announce_facts f = all_but(cases[i].fact, ANNOUNCE_NO);
		struct announce_decision d = announce_decide(&s, &f, SETTLED_MS);

		expect_decision(&d, ANNOUNCE_NORMAL, ANNOUNCE_REASON_KEPT_UNCONFIRMED);
		assert_true(d.query);
		assert_int_equal(d.fact, cases[i].fact);
		assert_true(confirm_question(&s, SETTLED_MS, SETTLED_MS + 5));
		d = announce_decide(&s, &f, SETTLED_MS + 5);
		expect_decision(&d, ANNOUNCE_NONE, cases[i].reason);
	}
}

static void a_refused_probe_of_a_program_that_is_not_seen_is_shared(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts f = all_but(ANNOUNCE_FACT_PROBE, ANNOUNCE_NO);
	struct announce_decision d;

	f.truth[ANNOUNCE_FACT_PROGRAM] = ANNOUNCE_UNKNOWN;
	f.truth[ANNOUNCE_FACT_PORT] = ANNOUNCE_UNKNOWN;
	d = announce_decide(&s, &f, SETTLED_MS);
	expect_decision(&d, ANNOUNCE_NORMAL, ANNOUNCE_REASON_KEPT_UNCONFIRMED);
}

static void questions_are_repeated_while_there_is_no_confirmation(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts f = all_but(ANNOUNCE_FACT_POOLS, ANNOUNCE_NO);
	unsigned n = 0;

	for (uint64_t ms = SETTLED_MS; ms < SETTLED_MS + 5000; ms += 10)
		n += announce_decide(&s, &f, ms).query;
	assert_int_equal(n, 10);
}

/* To the millisecond; since when it asks is the first of them, until it has no reason to ask. */
static void questions_have_their_pace_and_a_beginning(void **state)
{
	(void)state;
	static const struct {
		uint32_t at_ms;
		bool bad, asks;
		uint32_t since_ms; /* UINT32_MAX: it does not ask */
	} steps[] = {
		{ 0, true, true, 0 },
		{ 1, true, false, 0 },
		{ ANNOUNCE_QUERY_MS - 1, true, false, 0 },
		{ ANNOUNCE_QUERY_MS, true, true, 0 },
		{ 2 * ANNOUNCE_QUERY_MS - 1, true, false, 0 },
		{ 2 * ANNOUNCE_QUERY_MS + 1, true, true, 0 },
		{ 3 * ANNOUNCE_QUERY_MS, true, false, 0 }, /* since the last one */
		{ 3 * ANNOUNCE_QUERY_MS + 1, true, true, 0 },
		{ 3 * ANNOUNCE_QUERY_MS + 2, false, false, UINT32_MAX },
		{ 3 * ANNOUNCE_QUERY_MS + 3, true, false, 3 * ANNOUNCE_QUERY_MS + 3 },
		{ 4 * ANNOUNCE_QUERY_MS + 1, true, true, 3 * ANNOUNCE_QUERY_MS + 3 },
	};
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts bad = all_but(ANNOUNCE_FACT_POOLS, ANNOUNCE_NO), good = all_proved();

	for (size_t i = 0; i < COUNT(steps); i++) {
		struct announce_decision d = announce_decide(&s, steps[i].bad ? &bad : &good,
		                                             SETTLED_MS + steps[i].at_ms);
		uint64_t since_ms =
		        steps[i].since_ms == UINT32_MAX ? 0 : SETTLED_MS + steps[i].since_ms;

		if (d.query != steps[i].asks || s.query_since_ms != since_ms)
			fail_msg("at %u: %d, since %llu", steps[i].at_ms, d.query,
			         (unsigned long long)s.query_since_ms);
		if (d.query)
			assert_int_equal(s.queried_ms[0], SETTLED_MS + steps[i].at_ms);
	}
	/* the newest are kept, the newest first */
	assert_int_equal(s.queried_ms[1], SETTLED_MS + 3 * ANNOUNCE_QUERY_MS + 1);
	assert_int_equal(s.queried_ms[2], SETTLED_MS + 2 * ANNOUNCE_QUERY_MS + 1);
	assert_int_equal(s.queried_ms[3], SETTLED_MS + ANNOUNCE_QUERY_MS);
}

static void an_old_confirmation_does_not_count(void **state)
{
	(void)state;
	struct announce_facts f = all_but(ANNOUNCE_FACT_POOLS, ANNOUNCE_NO);
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_decision d;

	assert_true(confirm_question(&s, SETTLED_MS, SETTLED_MS + 1));
	d = announce_decide(&s, &f, SETTLED_MS + ANNOUNCE_CONFIRMED_MS + 1);
	expect_decision(&d, ANNOUNCE_NORMAL, ANNOUNCE_REASON_KEPT_UNCONFIRMED);
	s = start_state(ANNOUNCE_NORMAL);
	assert_true(confirm_question(&s, SETTLED_MS, SETTLED_MS + 1));
	d = announce_decide(&s, &f, SETTLED_MS + ANNOUNCE_CONFIRMED_MS);
	expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_POOLS_DOWN);
}

static void evidence_that_ends_leaves_it_announced(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts bad = all_but(ANNOUNCE_FACT_POOLS, ANNOUNCE_NO), good = all_proved();
	struct announce_decision d;

	announce_decide(&s, &bad, SETTLED_MS);
	confirm_question(&s, SETTLED_MS, SETTLED_MS + 1);
	d = announce_decide(&s, &good, SETTLED_MS + 2);
	expect_decision(&d, ANNOUNCE_NORMAL, ANNOUNCE_REASON_ANNOUNCED);
}

static void a_start_counts_as_a_promise(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts f = all_but(ANNOUNCE_FACT_POOLS, ANNOUNCE_NO);

	for (uint64_t ms = START_MS; ms < SETTLED_MS; ms += 100) {
		struct announce_decision d;

		confirm_question(&s, ms, ms);
		d = announce_decide(&s, &f, ms);
		expect_decision(&d, ANNOUNCE_NORMAL, ANNOUNCE_REASON_KEPT_STARTED);
		assert_false(d.query); /* it would bind others for nothing */
	}
	struct announce_decision d = announce_decide(&s, &f, SETTLED_MS);

	expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_POOLS_DOWN);
}

static void a_person_withdraws_without_any_proof(void **state)
{
	(void)state;
	static const struct {
		enum announce_command command;
		enum announce_reason reason;
	} cases[] = { { ANNOUNCE_COMMAND_WITHDRAW, ANNOUNCE_REASON_WITHDRAWN },
		      { ANNOUNCE_COMMAND_STOP, ANNOUNCE_REASON_STOPPED } };

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct announce_state s = start_state(ANNOUNCE_NORMAL);
		struct announce_facts f = all_proved();
		struct announce_decision d;

		f.command = cases[i].command;
		f.others = ANNOUNCE_NO;
		d = announce_decide(&s, &f, START_MS);
		expect_decision(&d, ANNOUNCE_NONE, cases[i].reason);
		f.command = ANNOUNCE_COMMAND_NONE;
		f.others = ANNOUNCE_YES;
		d = announce_decide(&s, &f, START_MS + 1); /* and it returns without a hold-down */
		expect_decision(&d, ANNOUNCE_NORMAL, ANNOUNCE_REASON_ANNOUNCED);
	}
}

static void what_is_not_configured_is_withdrawn(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts f = all_proved();
	struct announce_decision d;

	f.configured = false;
	d = announce_decide(&s, &f, START_MS);
	expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_NOT_CONFIGURED);
}

/* Where the probe was refused and is not known since, it is not as if it had never been announced. */
static void what_a_failure_withdrew_is_not_said_to_wait(void **state)
{
	(void)state;
	struct announce_facts f = all_but(ANNOUNCE_FACT_PROBE, ANNOUNCE_UNKNOWN);
	struct announce_state s = start_state(ANNOUNCE_NONE);
	struct announce_decision d = announce_decide(&s, &f, START_MS);

	expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_WAITING);
	announce_note_failure(&s, START_MS);
	d = announce_decide(&s, &f, START_MS + 1);
	expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_FAILED);
	f = all_but(ANNOUNCE_FACT_PROBE, ANNOUNCE_NO);
	d = announce_decide(&s, &f, START_MS + 2);
	expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_PROBE_REFUSED);
}

static void peers_state_is_not_waited_for_while_no_other_announces(void **state)
{
	(void)state;
	struct announce_facts f = all_but(ANNOUNCE_FACT_PEERS, ANNOUNCE_NO);
	struct announce_state s = start_state(ANNOUNCE_NONE);
	struct announce_decision d;

	f.others = ANNOUNCE_UNKNOWN;
	d = announce_decide(&s, &f, START_MS);
	expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_WAITING);
	f.others = ANNOUNCE_NO;
	d = announce_decide(&s, &f, START_MS);
	expect_decision(&d, ANNOUNCE_NORMAL, ANNOUNCE_REASON_ANNOUNCED);
}

/* Half of the packets are better than none. */
static void a_port_without_the_program_is_accepted_while_no_other_announces(void **state)
{
	(void)state;
	struct announce_facts f = all_but(ANNOUNCE_FACT_COVERED, ANNOUNCE_NO);
	struct announce_state s = start_state(ANNOUNCE_NONE);
	struct announce_decision d;

	f.others = ANNOUNCE_UNKNOWN;
	d = announce_decide(&s, &f, SETTLED_MS);
	expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_PORT_UNCOVERED);
	f.others = ANNOUNCE_NO;
	d = announce_decide(&s, &f, SETTLED_MS);
	expect_decision(&d, ANNOUNCE_NORMAL, ANNOUNCE_REASON_ANNOUNCED);
	d = announce_decide(&s, &f, SETTLED_MS + 100);
	expect_decision(&d, ANNOUNCE_NORMAL, ANNOUNCE_REASON_KEPT_UNCONFIRMED);
}

static void each_reason_fact_and_answer_has_its_texts(void **state)
{
	(void)state;
	for (int i = 0; i < ANNOUNCE_REASON_COUNT; i++) {
		assert_true(strlen(announce_reason_text((enum announce_reason)i)) > 10);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(announce_reason_label((enum announce_reason)i),
			                        announce_reason_label((enum announce_reason)j));
	}
	for (int i = 0; i < ANNOUNCE_FACT_COUNT; i++) {
		assert_true(*announce_fact_label((enum announce_fact)i));
		assert_true(*announce_fact_text((enum announce_fact)i));
		assert_true(*announce_fact_action((enum announce_fact)i));
	}
	assert_string_equal(announce_fact_label(ANNOUNCE_FACT_COUNT), "");
	assert_string_equal(announce_fact_text(ANNOUNCE_FACT_COUNT), "");
	assert_string_equal(announce_fact_action(ANNOUNCE_FACT_COUNT), "");
	assert_string_equal(announce_reason_label(ANNOUNCE_REASON_COUNT), "");
	assert_string_equal(announce_reason_text(ANNOUNCE_REASON_COUNT), "");
	assert_string_equal(announce_answer_label(ANNOUNCE_ANSWER_CONFIRMED), "confirmed");
	assert_string_equal(announce_answer_label(ANNOUNCE_ANSWER_COUNT), "");
}

SUITE(decide)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(announces_when_all_is_proved),
		cmocka_unit_test(nothing_is_announced_without_proof),
		cmocka_unit_test(a_zeroed_fact_sheet_announces_and_withdraws_nothing),
		cmocka_unit_test(what_is_missed_first_is_named),
		cmocka_unit_test(unknown_never_withdraws),
		cmocka_unit_test(document_peers_and_next_hops_never_withdraw),
		cmocka_unit_test(own_causes_withdraw_at_once),
		cmocka_unit_test(shared_causes_withdraw_only_when_confirmed),
		cmocka_unit_test(a_refused_probe_of_a_program_that_is_not_seen_is_shared),
		cmocka_unit_test(questions_are_repeated_while_there_is_no_confirmation),
		cmocka_unit_test(questions_have_their_pace_and_a_beginning),
		cmocka_unit_test(an_old_confirmation_does_not_count),
		cmocka_unit_test(evidence_that_ends_leaves_it_announced),
		cmocka_unit_test(a_start_counts_as_a_promise),
		cmocka_unit_test(a_person_withdraws_without_any_proof),
		cmocka_unit_test(what_is_not_configured_is_withdrawn),
		cmocka_unit_test(what_a_failure_withdrew_is_not_said_to_wait),
		cmocka_unit_test(peers_state_is_not_waited_for_while_no_other_announces),
		cmocka_unit_test(a_port_without_the_program_is_accepted_while_no_other_announces),
		cmocka_unit_test(each_reason_fact_and_answer_has_its_texts),
	};

	return cmocka_run_group_tests_name("announce decide", tests, NULL, NULL);
}
