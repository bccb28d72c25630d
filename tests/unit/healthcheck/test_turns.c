/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each step of a round and what follows from it, at its millisecond: attempts, votes, controls,
 * lateness, paths.
 */
#include "tests/unit/suite.h"
#include "turns_scene.h"

static const char direct[] = "type = \"tcp\"; interval = \"1s\"; fast_interval = \"500ms\"; "
                             "timeout = \"200ms\"; rise = 2; fall = 2;";
/* b1, up since a round before. */
static struct target *make_up(void)
{
	open_checker(direct, NULL, 0);
	make_round(find_target("b1"), 10);
	assert_int_equal(health_state(read_health_word(find_target("b1"))), HEALTH_UP);
	sim.n_starts = 0;
	return find_target("b1");
}

/* The same, in doubt after one silent round: one more failure turns it. */
static struct target *make_doubt(void)
{
	struct target *t = make_up();

	set_script(11, -1, 0, -1, 0);
	make_round(t, 300);
	assert_int_equal(health_state(read_health_word(t)), HEALTH_UP);
	assert_true(health_in_doubt(read_health_word(t)));
	sim.n_starts = sim.n_asks = 0;
	memset(sim.count, 0, sizeof(sim.count));
	return t;
}

static void silence_is_asked_twice_and_again_soon(void **state)
{
	struct target *t = make_up();
	unsigned int began = since_start();

	(void)state;
	set_script(11, -1, 0, -1, 0);
	make_round(t, 199);
	assert_int_equal(sim.n_starts, 2);
	assert_int_equal(sim.starts[0].after_ms, began);
	assert_int_equal(sim.starts[0].i, 0);
	assert_int_equal(sim.starts[1].after_ms, began + 100);
	assert_int_equal(sim.starts[1].i, 1);
	assert_int_equal(health_reason(read_health_word(t)), HEALTH_REASON_OK); /* not yet */
	run_to(began + 200);
	assert_int_equal(health_reason(read_health_word(t)), HEALTH_REASON_TIMEOUT);
	assert_int_equal(t->done_ms, START_MS + began + 200);
	assert_int_equal(t->phase, TARGET_IDLE);
	assert_in_range(t->due_ms, t->sent_ms + 450, t->sent_ms + 500);
	run_to(began + 500);
	assert_int_equal(sim.n_starts, 3);
	assert_int_equal(sim.starts[2].i, 0);
	assert_false(t->paths[0].attempts[1].active);
}

/* It falls like any silence, and its own word stays with it. */
static void a_lost_packet_of_full_size_is_told_from_silence(void **state)
{
	struct target *t = make_up();
	unsigned int began = since_start();

	(void)state;
	sim.narrow = true;
	t->paths[0].spec.full_size = 1400;
	set_script(11, 1, HEALTH_REASON_OK, 1, HEALTH_REASON_OK);
	make_round(t, 199);
	run_to(began + 200);
	assert_int_equal(health_reason(read_health_word(t)), HEALTH_REASON_FULL_SIZE);
	assert_int_equal(t->last, HEALTH_REASON_FULL_SIZE);
}

static void what_is_sure_is_asked_again_after_its_interval(void **state)
{
	struct target *t = make_up();

	(void)state;
	make_round(t, 10);
	assert_in_range(t->due_ms, t->sent_ms + 900, t->sent_ms + 1000);
	assert_int_equal(sim.n_starts, 1);
	assert_int_equal(t->counts.attempts, 2);
	assert_int_equal(t->counts.probes, 2);
	assert_int_equal(t->counts.ok, 2);
	assert_int_equal(sim.count[PROBES], 2);
	assert_int_equal(sim.count[ATTEMPTS], 2);
	assert_int_equal(sim.results_by[HEALTH_REASON_OK], 2);
}

static void either_attempt_may_answer_and_one_that_cannot_be_made_waits_for_the_other(void **state)
{
	static const struct {
		int first_ms;
		enum health_reason first;
		int second_ms;
		enum health_reason second;
		enum health_reason why;
		unsigned int took_ms;
	} cases[] = {
		{ 99, HEALTH_REASON_OK, -1, 0, HEALTH_REASON_OK, 99 },
		{ 150, HEALTH_REASON_OK, -1, 0, HEALTH_REASON_OK, 150 },
		{ -1, 0, 40, HEALTH_REASON_OK, HEALTH_REASON_OK, 140 },
		{ 150, HEALTH_REASON_REFUSED, 90, HEALTH_REASON_OK, HEALTH_REASON_REFUSED, 150 },
		{ -1, 0, 99, HEALTH_REASON_RESET, HEALTH_REASON_RESET, 199 },
		{ -1, 0, 0, HEALTH_REASON_OK, HEALTH_REASON_OK, 100 },
		{ -1, 0, 0, HEALTH_REASON_LOCAL, HEALTH_REASON_TIMEOUT, 200 },
		{ 150, HEALTH_REASON_OK, 0, HEALTH_REASON_LOCAL, HEALTH_REASON_OK, 150 },
		{ 120, HEALTH_REASON_LOCAL, 50, HEALTH_REASON_OK, HEALTH_REASON_OK, 150 },
		{ 180, HEALTH_REASON_OK, 30, HEALTH_REASON_LOCAL, HEALTH_REASON_OK, 180 },
		{ 0, HEALTH_REASON_LOCAL, -1, 0, HEALTH_REASON_LOCAL, 0 },
		{ 0, HEALTH_REASON_REFUSED, -1, 0, HEALTH_REASON_REFUSED, 0 },
		{ 30, HEALTH_REASON_LOCAL, -1, 0, HEALTH_REASON_LOCAL, 30 },
	};
	struct target *t = make_up();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool local = cases[i].why == HEALTH_REASON_LOCAL;

		set_script(11, cases[i].first_ms, cases[i].first, cases[i].second_ms,
		           cases[i].second);
		t->verdict = verdict_of(HEALTH_UP);
		t->inconclusive = false;
		make_round(t, 300);
		assert_int_equal(t->last, cases[i].why);
		assert_int_equal(t->done_ms - t->sent_ms, cases[i].took_ms);
		assert_int_equal(health_inconclusive(read_health_word(t)), local);
		if (cases[i].why != HEALTH_REASON_TIMEOUT)
			assert_int_equal(t->last_detail, errno_of(cases[i].why, 11));
		assert_false(t->paths[0].attempts[0].active || t->paths[0].attempts[1].active);
		assert_int_equal(verdict_in_doubt(t->verdict),
		                 cases[i].why != HEALTH_REASON_OK && !local);
	}
	assert_int_equal(sim.results_by[HEALTH_REASON_LOCAL], 2);
	assert_int_equal(sim.n_times, COUNT(cases) - 2 + 1); /* what was not sent took no time */
	assert_int_equal(sim.times_ms,
	                 99 + 150 + 140 + 150 + 199 + 100 + 200 + 150 + 150 + 180 + 1);
	assert_int_equal(sim.results_by[HEALTH_REASON_TIMEOUT], 1);
}

/* The table at the head of checker.h. */
static void a_failure_that_turns_the_verdict_needs_evidence(void **state)
{
	static const struct {
		int first_ms; /* of the attempt; -1: silent */
		enum health_reason why;
		bool outside, others_fail;
		/*
		 * What controls have answered, against the round's beginning; -1: nothing, 100: all
		 * that they were asked.
		 */
		int answered;
		int answer_ms, answer; /* when they answer more, and what; 0: never */
		unsigned int asked;
		bool down;
		unsigned int turned_ms, uncontrolled;
	} cases[] = {
		{ 5, HEALTH_REASON_REFUSED, true, true, -1, 0, 0, 0, true, 5, 0 },
		{ 5, HEALTH_REASON_RESET, false, true, -1, 0, 0, 0, true, 5, 0 },
		{ 5, HEALTH_REASON_UNREACHABLE, true, false, 0, 0, 0, 0, true, 5, 0 },
		{ 5, HEALTH_REASON_UNREACHABLE, true, false, -1, 0, 0, 1, false, 205, 1 },
		{ -1, 0, true, false, 100, 0, 0, 1, true, 200, 0 },
		{ -1, 0, true, false, 95, 0, 0, 2, false, 400, 1 }, /* the first attempt's time */
		{ -1, 0, true, false, -1, 0, 0, 2, false, 400, 1 },
		{ -1, 0, true, true, -1, 300, 100, 2, true, 300, 0 },
		{ -1, 0, true, false, -1, 300, 95, 2, false, 400, 1 },
		{ -1, 0, false, true, 100, 0, 0, 1, false, 200, 1 },
		{ -1, 0, false, false, 100, 0, 0, 1, true, 200, 0 },
		{ -1, 0, false, false, -1, 399, 100, 2, true, 399, 0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct target *t;
		unsigned int began;

		if (i) {
			turns_teardown(state);
			turns_setup(state);
		}
		t = make_doubt();
		began = since_start();
		set_outside(cases[i].outside);
		for (size_t k = 0; cases[i].others_fail && k < checker.targets->n; k++) {
			struct target *other = &checker.targets->items[k];

			if (other == t)
				continue;
			other->failing = true;
			checker.groups[other->site->index].n_failing++;
		}
		set_script(11, cases[i].first_ms, cases[i].why, -1, 0);
		probe_only(t);
		sim.answers = cases[i].answered >= 0;
		if (cases[i].answered >= 0 && cases[i].answered < 100) {
			run_to(began + (unsigned int)cases[i].answered);
			controls_query(checker.controls);
			run_to(began + (unsigned int)cases[i].answered);
			sim.answers = false;
			sim.n_asks = 0;
		}
		if (cases[i].answer_ms) {
			run_to(began + (unsigned int)cases[i].answer_ms);
			assert_int_equal(t->phase, TARGET_ASKING);
			assert_int_equal(checker.n_asking, 1);
			answer_asked((uint64_t)(int64_t)(START_MS + began + cases[i].answer));
		}
		run_to(began + 420);
		assert_int_equal(sim.n_asks, cases[i].asked);
		assert_int_equal(health_state(read_health_word(t)),
		                 cases[i].down ? HEALTH_DOWN : HEALTH_UP);
		assert_int_equal(health_inconclusive(read_health_word(t)), !cases[i].down);
		assert_int_equal(health_in_doubt(read_health_word(t)), !cases[i].down);
		assert_int_equal(t->done_ms - t->sent_ms, cases[i].turned_ms);
		assert_int_equal(sim.count[UNCONTROLLED], cases[i].uncontrolled);
		assert_int_equal(sim.count[DOWN], cases[i].down);
		assert_int_equal(t->phase, TARGET_IDLE);
		assert_int_equal(checker.n_asking, 0);
		assert_true(t->due_ms > t->done_ms);
	}
}

/* Whether all targets fail, of both sites together; one alone is no crowd. */
static void that_all_fail_takes_two(void **state)
{
	static const struct {
		uint32_t n[2], n_failing[2];
		bool failing, all;
	} cases[] = {
		{ { 1, 0 }, { 0, 0 }, false, false }, { { 1, 0 }, { 1, 0 }, true, false },
		{ { 2, 0 }, { 1, 0 }, false, true },  { { 2, 0 }, { 2, 0 }, true, true },
		{ { 2, 0 }, { 0, 0 }, false, false }, { { 1, 1 }, { 0, 1 }, false, true },
		{ { 1, 1 }, { 0, 0 }, false, false }, { { 2, 1 }, { 1, 1 }, false, true },
		{ { 2, 1 }, { 2, 0 }, true, false },  { { 2, 2 }, { 1, 1 }, false, false },
	};
	struct target *t = make_doubt();
	const verdict_word doubt = t->verdict;

	(void)state;
	assert_true(checker.targets->model->n_sites >= 2);
	set_outside(false);
	sim.answers = true;
	for (size_t i = 0; i < COUNT(cases); i++) {
		memset(checker.groups, 0,
		       checker.targets->model->n_sites * sizeof(*checker.groups));
		for (size_t k = 0; k < 2; k++)
			checker.groups[k] =
			        (struct site_votes){ .n = cases[i].n[k],
				                     .n_failing = cases[i].n_failing[k] };
		t->failing = cases[i].failing;
		t->verdict = doubt;
		memset(sim.count, 0, sizeof(sim.count));
		make_round(t, 300);
		assert_int_equal(sim.count[UNCONTROLLED], cases[i].all);
		assert_int_equal(sim.count[DOWN], !cases[i].all);
		sim.n_starts = 0;
	}
}

/* Limits: a quarter of the timeout, 50 ms. */
static void a_checker_that_is_late_says_nothing(void **state)
{
	static const struct {
		const char *why;
		unsigned int at_ms, stall_ms; /* held up from then on */
		int first_ms, second_ms;
		bool late;
		enum health_reason reason;
		unsigned int n_starts;
	} cases[] = {
		{ "begun in time", 0, 50, 5, -1, false, HEALTH_REASON_OK, 1 },
		{ "begun late", 0, 51, 5, -1, true, HEALTH_REASON_OK, 1 },
		{ "second in time", 90, 60, -1, 20, false, HEALTH_REASON_OK, 2 },
		{ "second late", 90, 61, -1, 20, true, HEALTH_REASON_TIMEOUT, 1 },
		{ "an answer was there", 90, 60, 105, 20, false, HEALTH_REASON_OK, 1 },
		{ "an answer was there, late", 90, 61, 105, 20, true, HEALTH_REASON_OK, 1 },
		{ "end in time", 190, 60, -1, -1, false, HEALTH_REASON_TIMEOUT, 2 },
		{ "end late", 190, 61, -1, -1, true, HEALTH_REASON_TIMEOUT, 2 },
		{ "the second's answer was there", 190, 60, -1, 105, false, HEALTH_REASON_OK, 2 },
		{ "the first's answer was there", 190, 60, 205, -1, false, HEALTH_REASON_OK, 2 },
	};

	(void)state;
	struct target *t = make_up();

	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned int began = since_start();

		set_script(11, cases[i].first_ms, HEALTH_REASON_OK, cases[i].second_ms,
		           HEALTH_REASON_OK);
		t->verdict = verdict_of(HEALTH_UP);
		sim.n_starts = 0;
		memset(sim.count, 0, sizeof(sim.count));
		probe_only(t);
		if (cases[i].at_ms)
			run_to(began + cases[i].at_ms);
		stall_process(cases[i].stall_ms);
		run_to(began + 400);
		if (t->last != cases[i].reason || t->last_late != cases[i].late)
			print_error("%s\n", cases[i].why);
		assert_int_equal(t->last, cases[i].reason);
		assert_int_equal(t->last_late, cases[i].late);
		assert_int_equal(t->inconclusive, cases[i].late);
		assert_int_equal(sim.count[LATE], cases[i].late);
		assert_int_equal(sim.n_starts, cases[i].n_starts);
		assert_int_equal(sim.count[LATENESS], cases[i].at_ms ? 0 : cases[i].stall_ms);
		assert_int_equal(verdict_in_doubt(t->verdict),
		                 !cases[i].late && cases[i].reason != HEALTH_REASON_OK);
	}
}

/* A busy checker must not keep a target unknown that answers; a late failure still says nothing. */
static void a_late_success_tells_of_a_target_that_is_unknown(void **state)
{
	static const struct {
		enum health_state before, after;
		enum health_reason reason;
	} cases[] = {
		{ HEALTH_UNKNOWN, HEALTH_UP, HEALTH_REASON_OK },
		{ HEALTH_UNKNOWN, HEALTH_UNKNOWN, HEALTH_REASON_REFUSED },
		{ HEALTH_DOWN, HEALTH_DOWN, HEALTH_REASON_OK },
	};

	(void)state;
	struct target *t = make_up();

	for (size_t i = 0; i < COUNT(cases); i++) {
		set_script(11, 5, cases[i].reason, -1, 0);
		t->verdict = verdict_of(cases[i].before);
		probe_only(t);
		stall_process(51);
		run_to(since_start() + 20);
		assert_true(t->last_late);
		assert_int_equal(verdict_state(t->verdict), cases[i].after);
		assert_int_equal(verdict_in_doubt(t->verdict), false);
		assert_int_equal(t->inconclusive, cases[i].before == cases[i].after);
		run_to(since_start() + 1000);
	}
}

/* A late checker does not take doubt for a reason to hurry. */
static void a_late_round_is_followed_by_an_ordinary_one(void **state)
{
	struct target *t = make_doubt();

	(void)state;
	set_script(11, 5, HEALTH_REASON_REFUSED, -1, 0);
	probe_only(t);
	stall_process(51);
	run_to(since_start() + 20);
	assert_int_equal(t->last_late, true);
	assert_true(verdict_in_doubt(t->verdict));
	assert_in_range(t->due_ms, t->sent_ms + 900, t->sent_ms + 1000);
}

static void it_takes_rise_and_fall_results_in_a_row(void **state)
{
	struct target *t = make_doubt();

	(void)state;
	set_script(11, 1, HEALTH_REASON_REFUSED, -1, 0);
	make_round(t, 10);
	assert_int_equal(health_state(read_health_word(t)), HEALTH_DOWN);
	assert_int_equal(health_since_s(read_health_word(t)),
	                 WALL_S + (int64_t)since_start() / 1000);
	assert_int_equal(checker.groups[t->site->index].n_failing, 1);
	set_script(11, 1, HEALTH_REASON_OK, -1, 0);
	make_round(t, 10);
	assert_int_equal(health_state(read_health_word(t)), HEALTH_DOWN);
	assert_true(health_in_doubt(read_health_word(t)));
	assert_int_equal(checker.groups[t->site->index].n_failing, 0);
	make_round(t, 10);
	assert_int_equal(health_state(read_health_word(t)), HEALTH_UP);
	assert_int_equal(sim.count[DOWN], 1);
	assert_int_equal(sim.count[UP], 1);
	assert_true(checker.changed);
	assert_int_equal(t->counts.failed, 2);
}

static void a_time_without_votes_has_one_beginning(void **state)
{
	struct target *t = make_up();
	uint64_t began;

	(void)state;
	assert_int_equal(t->vague_ms, 0);
	set_script(11, 0, HEALTH_REASON_LOCAL, -1, 0);
	make_round(t, 50);
	began = t->done_ms;
	assert_int_equal(t->vague_ms, began);
	make_round(t, 50);
	assert_int_equal(t->vague_ms, began);
	assert_int_equal(t->counts.inconclusive, 2);
	set_script(11, 1, HEALTH_REASON_OK, -1, 0);
	make_round(t, 50);
	assert_int_equal(t->vague_ms, 0);
	assert_false(health_inconclusive(read_health_word(t)));
}

static void a_probe_now_is_one_more_round_unless_one_is_under_way(void **state)
{
	struct target *t = make_up();

	(void)state;
	probe_only(t);
	run_to(since_start() + 10);
	sim.n_starts = 0;
	checker_probe_now(&checker, t);
	run_to(since_start() + 1);
	assert_int_equal(sim.n_starts, 1);
	checker_probe_now(&checker, t);
	set_script(11, -1, 0, -1, 0);
	run_to(since_start() + 50);
	checker_probe_now(&checker, t); /* it runs */
	run_to(since_start() + 1);
	assert_int_equal(sim.n_starts, 2);
	assert_int_equal(sim.count[LATE], 0);
}

SUITE(turns)
{
#define T(f) cmocka_unit_test_setup_teardown(f, turns_setup, turns_teardown)
	const struct CMUnitTest tests[] = {
		T(silence_is_asked_twice_and_again_soon),
		T(a_lost_packet_of_full_size_is_told_from_silence),
		T(what_is_sure_is_asked_again_after_its_interval),
		T(either_attempt_may_answer_and_one_that_cannot_be_made_waits_for_the_other),
		T(a_failure_that_turns_the_verdict_needs_evidence),
		T(that_all_fail_takes_two),
		T(a_checker_that_is_late_says_nothing),
		T(a_late_success_tells_of_a_target_that_is_unknown),
		T(a_late_round_is_followed_by_an_ordinary_one),
		T(it_takes_rise_and_fall_results_in_a_row),
		T(a_time_without_votes_has_one_beginning),
		T(a_probe_now_is_one_more_round_unless_one_is_under_way),
	};

	simulated_time();
	answer_close = own_close;
	answer_connect = own_connect;
	answer_getsockopt = own_getsockopt;
	answer_poll = own_poll;
	answer_recvfrom = own_recvfrom;
	answer_send = own_send;
	answer_sendto = own_sendto;
	answer_setsockopt = own_setsockopt;
	answer_socket = own_socket;
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
