/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions between nodes, and the moves between tables: announce/promise.c and moves.c. */
#include "scene.h"

#include <stdio.h>

#include "announce/decide.h"
#include "tests/unit/suite.h"

#define SELF "mid"

static enum announce_answer answer_to(struct announce_state *s, const char *from,
                                      const struct announce_facts *f, uint64_t now_ms)
{
	struct announce_question q = { .incarnation = 3, .sent_ms = 4 };

	snprintf(q.from, sizeof(q.from), "%s", from);
	return announce_give_answer(s, SELF, &q, f, now_ms);
}

static void expect_answer(enum announce_answer got, enum announce_answer expected)
{
	assert_string_equal(announce_answer_label(got), announce_answer_label(expected));
}

static void a_node_that_announces_and_forwards_confirms(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts f = all_proved();

	expect_answer(answer_to(&s, "a", &f, SETTLED_MS), ANNOUNCE_ANSWER_CONFIRMED);
	expect_answer(answer_to(&s, "z", &f, SETTLED_MS), ANNOUNCE_ANSWER_CONFIRMED);
}

static void a_promise_lasts_ten_seconds(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts good = all_proved(), bad = all_but(ANNOUNCE_FACT_PROBE, ANNOUNCE_NO);
	struct announce_decision d;

	expect_answer(answer_to(&s, "a", &good, SETTLED_MS), ANNOUNCE_ANSWER_CONFIRMED);
	for (uint64_t ms = SETTLED_MS; ms < SETTLED_MS + 10000; ms += 100) {
		confirm_question(&s, ms, ms);
		d = announce_decide(&s, &bad, ms);
		expect_decision(&d, ANNOUNCE_NORMAL, ANNOUNCE_REASON_KEPT_PROMISED);
		assert_false(d.query);
	}
	d = announce_decide(&s, &bad, SETTLED_MS + 10000);
	expect_decision(&d, ANNOUNCE_NONE, ANNOUNCE_REASON_PROBE_REFUSED);
}

static void a_refusal_promises_nothing(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts bad = all_but(ANNOUNCE_FACT_PROBE, ANNOUNCE_NO);

	expect_answer(answer_to(&s, "z", &bad, SETTLED_MS), ANNOUNCE_ANSWER_NOT_FORWARDED);
	confirm_question(&s, SETTLED_MS, SETTLED_MS);
	assert_int_equal(announce_decide(&s, &bad, SETTLED_MS).table, ANNOUNCE_NONE);
	expect_answer(answer_to(&s, "z", &bad, SETTLED_MS), ANNOUNCE_ANSWER_NOT_ANNOUNCED);
}

static void only_what_is_certain_is_confirmed(void **state)
{
	(void)state;
	static const enum announce_fact facts[] = { ANNOUNCE_FACT_PORT,    ANNOUNCE_FACT_PROGRAM,
		                                    ANNOUNCE_FACT_COVERED, ANNOUNCE_FACT_PROBE,
		                                    ANNOUNCE_FACT_SOCKETS, ANNOUNCE_FACT_LEAVES };

	for (size_t i = 0; i < COUNT(facts); i++)
		for (int truth = ANNOUNCE_UNKNOWN; truth <= ANNOUNCE_NO; truth++) {
			struct announce_state s = start_state(ANNOUNCE_NORMAL);
			struct announce_facts f = all_but(facts[i], (enum announce_truth)truth);

			expect_answer(answer_to(&s, "z", &f, SETTLED_MS),
			              ANNOUNCE_ANSWER_NOT_FORWARDED);
		}
	for (int truth = ANNOUNCE_UNKNOWN; truth <= ANNOUNCE_NO; truth++) {
		struct announce_state s = start_state(ANNOUNCE_NORMAL);
		struct announce_facts f = all_proved();

		f.exported = (enum announce_truth)truth;
		expect_answer(answer_to(&s, "z", &f, SETTLED_MS), ANNOUNCE_ANSWER_NOT_ANNOUNCED);
	}
}

/* A process that was stopped, or busy with a document, knows what was so before. */
static void old_facts_confirm_nothing(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts f = all_proved();

	f.read_ms = SETTLED_MS;
	expect_answer(answer_to(&s, "z", &f, SETTLED_MS + ANNOUNCE_FACTS_MS + 1),
	              ANNOUNCE_ANSWER_STALE);
	assert_false(s.promised);
	expect_answer(answer_to(&s, "z", &f, SETTLED_MS + ANNOUNCE_FACTS_MS),
	              ANNOUNCE_ANSWER_CONFIRMED);
	f = all_proved();
	f.probe_old = true;
	expect_answer(answer_to(&s, "z", &f, SETTLED_MS), ANNOUNCE_ANSWER_NOT_FORWARDED);
}

static void only_the_normal_table_is_confirmed(void **state)
{
	(void)state;
	static const enum announce_table tables[] = { ANNOUNCE_NONE, ANNOUNCE_SHUTDOWN };

	for (size_t i = 0; i < COUNT(tables); i++) {
		struct announce_state s = start_state(tables[i]);
		struct announce_facts f = all_proved();

		expect_answer(answer_to(&s, "z", &f, SETTLED_MS), ANNOUNCE_ANSWER_NOT_ANNOUNCED);
	}
}

static void a_node_under_a_persons_command_confirms_nothing(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts f = all_proved();

	f.command = ANNOUNCE_COMMAND_DRAIN;
	expect_answer(answer_to(&s, "z", &f, SETTLED_MS), ANNOUNCE_ANSWER_COMMANDED);
	f.command = ANNOUNCE_COMMAND_NONE;
	f.configured = false;
	expect_answer(answer_to(&s, "z", &f, SETTLED_MS), ANNOUNCE_ANSWER_COMMANDED);
}

static void in_a_tie_the_lowest_name_stays(void **state)
{
	(void)state;
	struct announce_facts f = all_but(ANNOUNCE_FACT_POOLS, ANNOUNCE_NO);
	struct announce_state s = start_state(ANNOUNCE_NORMAL);

	assert_true(announce_decide(&s, &f, SETTLED_MS).query);
	expect_answer(answer_to(&s, "zoe", &f, SETTLED_MS + 999), ANNOUNCE_ANSWER_SAME_EVIDENCE);
	expect_answer(answer_to(&s, "zoe", &f, SETTLED_MS + 1000), ANNOUNCE_ANSWER_CONFIRMED);
	confirm_question(&s, SETTLED_MS + 1000, SETTLED_MS + 1000);
	assert_int_equal(announce_decide(&s, &f, SETTLED_MS + 1000).table, ANNOUNCE_NORMAL);
}

static void in_a_tie_only_the_lowest_name_confirms(void **state)
{
	(void)state;
	struct announce_facts f = all_but(ANNOUNCE_FACT_POOLS, ANNOUNCE_NO);
	struct announce_state s = start_state(ANNOUNCE_NORMAL);

	announce_decide(&s, &f, SETTLED_MS);
	expect_answer(answer_to(&s, "low", &f, SETTLED_MS + 2000),
	              ANNOUNCE_ANSWER_LOWER_NAME_STAYS);
	expect_answer(answer_to(&s, "zoe", &f, SETTLED_MS + 4000),
	              ANNOUNCE_ANSWER_LOWER_NAME_STAYS);
	expect_answer(answer_to(&s, "zoe", &f, SETTLED_MS + 4001), ANNOUNCE_ANSWER_CONFIRMED);
}

/* A node that does not ask itself, as during a promise, is in no tie: it may leave later. */
static void evidence_alone_makes_no_tie(void **state)
{
	(void)state;
	struct announce_facts f = all_but(ANNOUNCE_FACT_POOLS, ANNOUNCE_NO), good = all_proved();
	struct announce_state s = start_state(ANNOUNCE_NORMAL);

	announce_decide(&s, &f, SETTLED_MS - 1);
	expect_answer(answer_to(&s, "zoe", &f, SETTLED_MS + 5000), ANNOUNCE_ANSWER_SAME_EVIDENCE);
	announce_decide(&s, &f, SETTLED_MS + 5000);
	announce_decide(&s, &good, SETTLED_MS + 6000); /* that question is over */
	announce_decide(&s, &f, SETTLED_MS + 7000);
	expect_answer(answer_to(&s, "zoe", &f, SETTLED_MS + 7999), ANNOUNCE_ANSWER_SAME_EVIDENCE);
	expect_answer(answer_to(&s, "zoe", &f, SETTLED_MS + 8000), ANNOUNCE_ANSWER_CONFIRMED);
}

/* It left while it asked, by a confirmation or a cause of its own, and the pools fail again as soon as it is back. */
static void a_second_tie_takes_its_time_again(void **state)
{
	(void)state;
	struct announce_facts pools = all_but(ANNOUNCE_FACT_POOLS, ANNOUNCE_NO),
	                      good = all_proved();
	struct announce_facts port = all_but(ANNOUNCE_FACT_PORT, ANNOUNCE_NO);
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	uint64_t ms = SETTLED_MS;

	for (int life = 0; life < 4; life++, ms += 2 * ANNOUNCE_HOLD_MAX_MS) {
		announce_decide(&s, &pools, ms);
		expect_answer(answer_to(&s, "zoe", &pools, ms + 999),
		              ANNOUNCE_ANSWER_SAME_EVIDENCE);
		if (life % 2)
			assert_true(confirm_question(&s, ms + 999, ms + 999));
		assert_int_equal(announce_decide(&s, life % 2 ? &pools : &port, ms + 999).table,
		                 ANNOUNCE_NONE);
		announce_decide(&s, &good, ms + 1000);
		assert_int_equal(announce_decide(&s, &good, ms + ANNOUNCE_HOLD_MAX_MS + 1000).table,
		                 ANNOUNCE_NORMAL);
	}
}

static void pools_that_are_not_known_do_not_prevent_a_promise(void **state)
{
	(void)state;
	struct announce_facts f = all_but(ANNOUNCE_FACT_POOLS, ANNOUNCE_UNKNOWN);
	struct announce_state s = start_state(ANNOUNCE_NORMAL);

	expect_answer(answer_to(&s, "low", &f, SETTLED_MS), ANNOUNCE_ANSWER_CONFIRMED);
}

static void the_own_name_confirms_nothing(void **state)
{
	(void)state;
	struct announce_facts f = all_proved();
	struct announce_state s = start_state(ANNOUNCE_NORMAL);

	expect_answer(answer_to(&s, SELF, &f, SETTLED_MS), ANNOUNCE_ANSWER_OWN_QUESTION);
}

/* Nor does it speak in a tie for a lower name. */
static void the_own_question_is_no_lower_name_s(void **state)
{
	(void)state;
	static const struct {
		const char *from;
		bool is_lower;
	} rows[] = {
		{ "mic", true }, { "mi", true }, { SELF, false }, { "midd", false }, { "z", false }
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct announce_state s = start_state(ANNOUNCE_NORMAL);
		struct announce_facts f = all_but(ANNOUNCE_FACT_POOLS, ANNOUNCE_NO);

		(void)answer_to(&s, rows[i].from, &f, SETTLED_MS);
		assert_int_equal(s.lower_query_ms, rows[i].is_lower ? SETTLED_MS : 0);
	}
}

static void a_node_that_starts_confirms(void **state)
{
	(void)state;
	struct announce_facts f = all_proved();
	struct announce_state s = start_state(ANNOUNCE_NORMAL);

	expect_answer(answer_to(&s, "z", &f, START_MS + 5000), ANNOUNCE_ANSWER_CONFIRMED);
	assert_int_equal(s.promised_until_ms, START_MS + 15000);
}

static void confirmations_that_do_not_fit_are_ignored(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint64_t incarnation, sent_ms, now_ms;
		bool counts;
	} cases[] = {
		{ "of now", INCARNATION, SETTLED_MS, SETTLED_MS, true },
		{ "just in time", INCARNATION, SETTLED_MS, SETTLED_MS + 2000, true },
		{ "late", INCARNATION, SETTLED_MS, SETTLED_MS + 2001, false },
		{ "very late", INCARNATION, 1, SETTLED_MS, false },
		{ "of an earlier process", INCARNATION + 1, SETTLED_MS, SETTLED_MS, false },
		{ "of a question of the future", INCARNATION, SETTLED_MS + 1, SETTLED_MS, false },
		{ "of the end of time", INCARNATION, UINT64_MAX, SETTLED_MS, false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct announce_question q = { SELF, cases[i].incarnation, cases[i].sent_ms };
		struct announce_facts bad = all_but(ANNOUNCE_FACT_POOLS, ANNOUNCE_NO);
		struct announce_state s = start_state(ANNOUNCE_NORMAL);

		s.queried_ms[0] = cases[i].sent_ms;
		print_message("  %s\n", cases[i].why);
		assert_int_equal(announce_note_confirmed(&s, "other", &q, cases[i].now_ms),
		                 cases[i].counts);
		assert_int_equal(announce_decide(&s, &bad, cases[i].now_ms).table,
		                 cases[i].counts ? ANNOUNCE_NONE : ANNOUNCE_NORMAL);
	}
}

/* Only the last questions can be answered, and only as they were sent. */
static void a_confirmation_without_a_question_is_ignored(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	struct announce_facts bad = all_but(ANNOUNCE_FACT_POOLS, ANNOUNCE_NO);
	struct announce_question q = { SELF, INCARNATION, SETTLED_MS };

	assert_false(announce_note_confirmed(&s, "other", &q, SETTLED_MS));
	q.sent_ms = 0; /* as if no question were one */
	assert_false(announce_note_confirmed(&s, "other", &q, 1));
	for (uint32_t i = 0; i <= ANNOUNCE_QUERIES; i++)
		assert_true(announce_decide(&s, &bad, SETTLED_MS + i * ANNOUNCE_QUERY_MS).query);
	for (uint32_t i = 0; i <= ANNOUNCE_QUERIES; i++) {
		uint64_t now_ms = SETTLED_MS + ANNOUNCE_QUERIES * ANNOUNCE_QUERY_MS;

		q.sent_ms = SETTLED_MS + i * ANNOUNCE_QUERY_MS + 1;
		assert_false(announce_note_confirmed(&s, "other", &q, now_ms + 1));
		q.sent_ms--;
		assert_int_equal(announce_note_confirmed(&s, "other", &q, now_ms), i > 0);
	}
}

static void a_repeated_older_confirmation_does_not_replace_a_newer_one(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);

	assert_true(confirm_question(&s, SETTLED_MS + 500, SETTLED_MS + 510));
	assert_false(confirm_question(&s, SETTLED_MS, SETTLED_MS + 520));
	assert_int_equal(s.confirmed_ms, SETTLED_MS + 500);
	assert_string_equal(s.confirmed_by, "other");
}

/* The last one to confirm a question is named. */
static void several_may_confirm_a_question(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	const struct announce_question q = { "self", INCARNATION, SETTLED_MS };

	s.queried_ms[0] = SETTLED_MS;
	assert_true(announce_note_confirmed(&s, "a", &q, SETTLED_MS + 1));
	assert_string_equal(s.confirmed_by, "a");
	assert_true(announce_note_confirmed(&s, "b", &q, SETTLED_MS + 2));
	assert_string_equal(s.confirmed_by, "b");
	assert_int_equal(s.confirmed_ms, SETTLED_MS);
}

static void a_long_name_is_cut(void **state)
{
	(void)state;
	struct announce_state s = start_state(ANNOUNCE_NORMAL);
	const struct announce_question q = { SELF, INCARNATION, SETTLED_MS };
	char name[2 * ANNOUNCE_NODE_MAX];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	s.queried_ms[0] = SETTLED_MS;
	assert_true(announce_note_confirmed(&s, name, &q, SETTLED_MS));
	assert_int_equal(strlen(s.confirmed_by), ANNOUNCE_NODE_MAX - 1);
}

/* --- moves --- */

/* One row: what is there, and what is done for each table. */
struct move_case {
	const char *why;
	enum announce_table target;
	bool normal, shutdown;
	enum announce_truth normal_imported, shutdown_imported;
	enum announce_move move_normal, move_shutdown;
};

#define ADD    ANNOUNCE_MOVE_ADD
#define DELETE ANNOUNCE_MOVE_DELETE
#define STAY   ANNOUNCE_MOVE_NONE
#define YES    ANNOUNCE_YES
#define NO     ANNOUNCE_NO
#define VAGUE  ANNOUNCE_UNKNOWN

static void moves_add_wait_and_then_delete(void **state)
{
	(void)state;
	static const struct move_case cases[] = {
		{ "nothing, none", ANNOUNCE_NONE, false, false, NO, NO, STAY, STAY },
		{ "announce", ANNOUNCE_NORMAL, false, false, NO, NO, ADD, STAY },
		{ "announced", ANNOUNCE_NORMAL, true, false, NO, NO, STAY, STAY },
		{ "withdraw", ANNOUNCE_NONE, true, false, YES, NO, DELETE, STAY },
		{ "withdraw both", ANNOUNCE_NONE, true, true, VAGUE, VAGUE, DELETE, DELETE },
		{ "drain: add first", ANNOUNCE_SHUTDOWN, true, false, YES, YES, STAY, ADD },
		{ "drain: wait", ANNOUNCE_SHUTDOWN, true, true, YES, NO, STAY, STAY },
		{ "drain: the daemon is away", ANNOUNCE_SHUTDOWN, true, true, YES, VAGUE, STAY,
		  STAY },
		{ "drain: then delete", ANNOUNCE_SHUTDOWN, true, true, YES, YES, DELETE, STAY },
		{ "drained", ANNOUNCE_SHUTDOWN, false, true, NO, YES, STAY, STAY },
		{ "undrain: add first", ANNOUNCE_NORMAL, false, true, YES, YES, ADD, STAY },
		{ "undrain: wait", ANNOUNCE_NORMAL, true, true, NO, YES, STAY, STAY },
		{ "undrain: then delete", ANNOUNCE_NORMAL, true, true, YES, YES, STAY, DELETE },
		{ "a route that somebody deleted", ANNOUNCE_SHUTDOWN, false, false, NO, NO, STAY,
		  ADD },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct move_case *c = &cases[i];
		const struct announce_routes routes = {
			.in_kernel = { true, c->normal, c->shutdown },
			.imported = { YES, c->normal_imported, c->shutdown_imported },
		};
		struct announce_moves m = announce_next_moves(c->target, &routes);

		print_message("  %s\n", c->why);
		assert_int_equal(m.table[ANNOUNCE_NONE], STAY);
		assert_int_equal(m.table[ANNOUNCE_NORMAL], c->move_normal);
		assert_int_equal(m.table[ANNOUNCE_SHUTDOWN], c->move_shutdown);
	}
}

/* Whatever the daemon says and wherever it starts: on the way to a table there is always a route. */
static void no_move_between_tables_withdraws(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 3 * 3 * 2 * 2 * 2; bits++) {
		struct announce_routes r = {
			.imported = { VAGUE, (enum announce_truth)(bits % 3),
			              (enum announce_truth)(bits / 3 % 3) },
			.in_kernel = { false, bits / 9 % 2, bits / 18 % 2 },
		};
		enum announce_table target = bits / 36 % 2 ? ANNOUNCE_NORMAL : ANNOUNCE_SHUTDOWN;
		struct announce_moves m = announce_next_moves(target, &r);
		bool is_left = false;

		if (!r.in_kernel[ANNOUNCE_NORMAL] && !r.in_kernel[ANNOUNCE_SHUTDOWN])
			continue;
		for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++)
			is_left |= r.in_kernel[t] && m.table[t] != DELETE;
		assert_true(is_left);
		assert_true(m.table[target] != DELETE);
	}
}

static void what_an_earlier_process_left_is_found(void **state)
{
	(void)state;
	struct announce_routes r = { .in_kernel = { true, false, false } };

	assert_int_equal(announce_found_table(&r), ANNOUNCE_NONE);
	r.in_kernel[ANNOUNCE_SHUTDOWN] = true;
	assert_int_equal(announce_found_table(&r), ANNOUNCE_SHUTDOWN);
	r.in_kernel[ANNOUNCE_NORMAL] = true;
	assert_int_equal(announce_found_table(&r), ANNOUNCE_NORMAL);
}

SUITE(promise)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_that_announces_and_forwards_confirms),
		cmocka_unit_test(a_promise_lasts_ten_seconds),
		cmocka_unit_test(a_refusal_promises_nothing),
		cmocka_unit_test(only_what_is_certain_is_confirmed),
		cmocka_unit_test(old_facts_confirm_nothing),
		cmocka_unit_test(only_the_normal_table_is_confirmed),
		cmocka_unit_test(a_node_under_a_persons_command_confirms_nothing),
		cmocka_unit_test(in_a_tie_the_lowest_name_stays),
		cmocka_unit_test(in_a_tie_only_the_lowest_name_confirms),
		cmocka_unit_test(evidence_alone_makes_no_tie),
		cmocka_unit_test(a_second_tie_takes_its_time_again),
		cmocka_unit_test(pools_that_are_not_known_do_not_prevent_a_promise),
		cmocka_unit_test(the_own_name_confirms_nothing),
		cmocka_unit_test(the_own_question_is_no_lower_name_s),
		cmocka_unit_test(several_may_confirm_a_question),
		cmocka_unit_test(a_node_that_starts_confirms),
		cmocka_unit_test(confirmations_that_do_not_fit_are_ignored),
		cmocka_unit_test(a_confirmation_without_a_question_is_ignored),
		cmocka_unit_test(a_repeated_older_confirmation_does_not_replace_a_newer_one),
		cmocka_unit_test(a_long_name_is_cut),
		cmocka_unit_test(moves_add_wait_and_then_delete),
		cmocka_unit_test(no_move_between_tables_withdraws),
		cmocka_unit_test(what_an_earlier_process_left_is_found),
	};

	return cmocka_run_group_tests_name("announce promise", tests, NULL, NULL);
}
