/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "healthcheck/pace.h"
#include "healthcheck/verdict.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A word after the votes that are spelt out: o, f and ? for inconclusive. */
static verdict_word feed_votes(const char *votes, uint16_t rise, uint16_t fall)
{
	const struct verdict_rule rule = { rise, fall };
	verdict_word w = verdict_of(HEALTH_UNKNOWN);

	for (; *votes; votes++)
		w = verdict_feed(w,
		                 *votes == 'o'   ? VERDICT_OK
		                 : *votes == 'f' ? VERDICT_FAIL
		                                 : VERDICT_INCONCLUSIVE,
		                 &rule);
	return w;
}

static void votes_turn_a_verdict_by_rise_and_fall(void **state)
{
	(void)state;
	static const struct {
		const char *votes;
		uint16_t rise, fall;
		enum health_state want;
		bool doubt;
	} cases[] = {
		{ "", 2, 3, HEALTH_UNKNOWN, false },    { "?", 1, 1, HEALTH_UNKNOWN, false },
		{ "f", 2, 1, HEALTH_DOWN, false },      { "f", 2, 2, HEALTH_UNKNOWN, true },
		{ "ff", 2, 2, HEALTH_DOWN, false },     { "o", 9, 9, HEALTH_UP, false },
		{ "fo", 9, 9, HEALTH_UP, false },       { "of", 2, 3, HEALTH_UP, true },
		{ "off", 2, 3, HEALTH_UP, true },       { "offf", 2, 3, HEALTH_DOWN, false },
		{ "offoff", 2, 3, HEALTH_UP, true },    { "off????", 2, 3, HEALTH_UP, true },
		{ "of?f?f", 2, 3, HEALTH_DOWN, false }, { "fffo", 2, 3, HEALTH_DOWN, true },
		{ "fffofo", 2, 3, HEALTH_DOWN, true },  { "fffoo", 2, 3, HEALTH_UP, false },
		{ "fffo?o", 2, 3, HEALTH_UP, false },   { "fffo", 1, 3, HEALTH_UP, false },
		{ "ffo", 3, 2, HEALTH_DOWN, true },     { "ffoo", 3, 2, HEALTH_DOWN, true },
		{ "ffooo", 3, 2, HEALTH_UP, false },    { "ffoofoo", 3, 2, HEALTH_DOWN, true },
		{ "fff", 2, 4, HEALTH_UNKNOWN, true },  { "ffff", 2, 4, HEALTH_DOWN, false },
		{ "offofff", 2, 4, HEALTH_UP, true },   { "????????", 1, 1, HEALTH_UNKNOWN, false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		verdict_word w = feed_votes(cases[i].votes, cases[i].rise, cases[i].fall);

		print_message("  \"%s\" rise %u fall %u\n", cases[i].votes, cases[i].rise,
		              cases[i].fall);
		assert_int_equal(verdict_state(w), cases[i].want);
		assert_int_equal(verdict_in_doubt(w), cases[i].doubt);
	}
}

static void a_run_longer_than_the_word_holds_does_not_wrap(void **state)
{
	(void)state;
	const struct verdict_rule rule = { 2, 0xffff };
	verdict_word w = verdict_of(HEALTH_UP);

	for (unsigned i = 0; i < 0xfffe; i++)
		w = verdict_feed(w, VERDICT_FAIL, &rule);
	assert_int_equal(verdict_state(w), HEALTH_UP);
	assert_true(verdict_would_fall(w, &rule));
	assert_int_equal(verdict_state(verdict_feed(w, VERDICT_FAIL, &rule)), HEALTH_DOWN);
}

static void only_the_last_failure_of_a_run_would_fall(void **state)
{
	(void)state;
	const struct verdict_rule rule = { 2, 3 };

	assert_false(verdict_would_fall(feed_votes("o", 2, 3), &rule));
	assert_false(verdict_would_fall(feed_votes("of", 2, 3), &rule));
	assert_true(verdict_would_fall(feed_votes("off", 2, 3), &rule));
	assert_true(verdict_would_fall(feed_votes("ff", 2, 3), &rule));
	assert_false(verdict_would_fall(feed_votes("fff", 2, 3), &rule));
}

static void a_late_or_unsent_probe_says_nothing(void **state)
{
	(void)state;
	for (int why = 0; why < HEALTH_REASON_COUNT; why++)
		assert_int_equal(verdict_of_result((enum health_reason)why, true),
		                 VERDICT_INCONCLUSIVE);
	assert_int_equal(verdict_of_result(HEALTH_REASON_LOCAL, false), VERDICT_INCONCLUSIVE);
	assert_int_equal(verdict_of_result(HEALTH_REASON_NONE, false), VERDICT_INCONCLUSIVE);
	assert_int_equal(verdict_of_result(HEALTH_REASON_TIMEOUT, false), VERDICT_FAIL);
	assert_int_equal(verdict_of_result(HEALTH_REASON_REFUSED, false), VERDICT_FAIL);
	assert_int_equal(verdict_of_result(HEALTH_REASON_OK, false), VERDICT_OK);
}

static void silence_is_no_answer(void **state)
{
	(void)state;
	assert_false(verdict_is_answer(HEALTH_REASON_TIMEOUT));
	assert_false(verdict_is_answer(HEALTH_REASON_UNREACHABLE));
	assert_false(verdict_is_answer(HEALTH_REASON_LOCAL));
	assert_true(verdict_is_answer(HEALTH_REASON_REFUSED));
	assert_true(verdict_is_answer(HEALTH_REASON_BAD_STATUS));
}

static const struct pace usual = { .interval_ms = 1000,
	                           .fast_interval_ms = 200,
	                           .timeout_ms = 500 };

static void the_interval_is_the_longest_wait(void **state)
{
	(void)state;
	uint64_t least = UINT64_MAX, most = 0;

	for (uint64_t r = 0; r < 5000; r++) {
		uint64_t next = pace_next(&usual, 10000, 10001, false, r * 0x9e3779b97f4a7c15u);

		least = next < least ? next : least;
		most = next > most ? next : most;
	}
	assert_int_equal(least, 10900);
	assert_int_equal(most, 11000);
	assert_true(pace_next(&usual, 10000, 10001, true, 7) <= 10200);
	assert_int_equal(pace_next(&usual, 10000, 99999, true, 7), 99999);
	/* doubt never makes it slower */
	const struct pace quick = { .interval_ms = 100, .fast_interval_ms = 200, .timeout_ms = 50 };

	assert_int_equal(pace_next(&quick, 10000, 10001, true, 0), 10100);
	assert_int_equal(pace_next(&usual, 10000, 10001, true, 0), 10200);
	assert_int_equal(pace_next(&usual, 10000, 10001, true, 20), 10180); /* a tenth less */
	assert_int_equal(pace_next(&usual, 10000, 10001, true, 21), 10200);
}

static void targets_start_spread_over_their_interval(void **state)
{
	(void)state;
	unsigned tenths[10] = { 0 };

	for (uint64_t i = 0; i < 10000; i++) {
		uint64_t at = pace_first(&usual, 5000, i * 0x9e3779b97f4a7c15u >> 16, 10000, false);

		assert_in_range(at, 5000, 5999);
		tenths[(at - 5000) / 100]++;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(tenths[i], 850, 1150);
}

static void very_many_targets_start_slower_than_their_interval(void **state)
{
	(void)state;
	uint64_t most = 0;

	for (uint64_t i = 0; i < 60000; i++) {
		uint64_t at = pace_first(&usual, 0, i * 0x9e3779b97f4a7c15u >> 16, 60000, true);

		most = at > most ? at : most;
	}
	assert_in_range(most, 2900, 3000); /* 20,000 a second */
}

static void lateness_is_a_quarter_of_the_timeout(void **state)
{
	(void)state;
	const struct pace quick = { .interval_ms = 50, .fast_interval_ms = 20, .timeout_ms = 15 };

	assert_false(pace_is_late(&usual, 1000, 1125));
	assert_true(pace_is_late(&usual, 1000, 1126));
	assert_false(pace_is_late(&quick, 1000, 1010));
	assert_true(pace_is_late(&quick, 1000, 1011));
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* A backend over a span of simulated time. */
struct simulated {
	const struct pace *pace;
	struct verdict_rule rule;
	unsigned attempts; /* in a round */
	uint32_t lost_per_mille;
	uint64_t dies_ms; /* silent from then on; UINT64_MAX: never */
	uint64_t span_ms;
};

/* When the verdict turns to down; 0: never. The loop of healthcheck/checker.c, in no time. */
static uint64_t down_at(const struct simulated *s, uint64_t seed)
{
	verdict_word w = verdict_of(HEALTH_UP);
	uint64_t at = pace_first(s->pace, 0, next_random(&seed), 1, false);

	while (at < s->span_ms) {
		bool answered = false;
		uint64_t done;

		for (unsigned i = 0; i < s->attempts; i++) {
			uint64_t sent = i ? pace_second(s->pace, at) : at;

			answered = answered || (sent < s->dies_ms &&
			                        next_random(&seed) % 1000 >= s->lost_per_mille);
		}
		done = answered ? at + 1 : at + s->pace->timeout_ms;
		w = verdict_feed(w, answered ? VERDICT_OK : VERDICT_FAIL, &s->rule);
		if (verdict_state(w) == HEALTH_DOWN)
			return done;
		at = pace_next(s->pace, at, done, verdict_in_doubt(w), next_random(&seed));
	}
	return 0;
}

static unsigned count_removed(const struct simulated *s, unsigned n_backends)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_backends; i++)
		n += down_at(s, 1000 + i) != 0;
	return n;
}

static void one_percent_of_probes_lost_for_ten_minutes_removes_no_backend(void **state)
{
	(void)state;
	static const struct pace bench = { .interval_ms = 50,
		                           .fast_interval_ms = 20,
		                           .timeout_ms = 20 };
	const struct simulated slow = { &usual, { 2, 3 }, 2, 10, UINT64_MAX, 600000 };
	const struct simulated fall2 = { &usual, { 2, 2 }, 2, 10, UINT64_MAX, 600000 };
	const struct simulated quick = { &bench, { 2, 3 }, 2, 10, UINT64_MAX, 600000 };

	assert_int_equal(count_removed(&slow, 5000), 0);
	assert_int_equal(count_removed(&fall2, 3000), 0);
	assert_int_equal(count_removed(&quick, 300), 0);
}

static void the_same_loss_removes_backends_without_second_attempts(void **state)
{
	(void)state;
	const struct simulated single = { &usual, { 2, 2 }, 1, 10, UINT64_MAX, 600000 };

	assert_in_range(count_removed(&single, 1000), 20, 120);
}

static void a_silent_backend_is_out_within_the_stated_time(void **state)
{
	(void)state;
	struct simulated s = { &usual, { 2, 3 }, 2, 10, 0, 60000 };

	for (unsigned i = 0; i < 5000; i++) {
		s.dies_ms = 20000 + i;
		uint64_t at = down_at(&s, i);

		assert_true(at > s.dies_ms);
		assert_true(at <= s.dies_ms + 1000 + 3 * 500);
	}
}

static const struct damp_rule mild = { .turns = 3, .half_life_ms = 60000, .max_ms = 300000 };

/* Turns every @p every_ms from 1000 on. @return the turn that begins a hold; 0: none of @p n did */
static unsigned first_held(const struct damp_rule *rule, uint64_t every_ms, unsigned n)
{
	struct damp d = { 0 };

	for (unsigned i = 1; i <= n; i++) {
		uint64_t now_ms = 1000 + i * every_ms;

		damp_turn(&d, rule, now_ms);
		if (damp_pass(&d, rule, now_ms))
			return i;
	}
	return 0;
}

static void turns_in_quick_succession_hold_a_target_and_rare_ones_never(void **state)
{
	(void)state;
	static const struct damp_rule off = { .turns = 0, .half_life_ms = 60000, .max_ms = 300000 };

	assert_int_equal(first_held(&mild, 0, 9), 3);
	assert_int_equal(first_held(&mild, 10000, 9), 4);
	assert_int_equal(first_held(&mild, 40000, 1000), 0);
	assert_int_equal(first_held(&mild, 3600000, 1000), 0);
	assert_int_equal(first_held(&off, 0, 1000), 0);
}

static void limits_of_a_penalty_are_exact(void **state)
{
	(void)state;
	static const struct damp_rule rule = { .turns = 4, .half_life_ms = 1000, .max_ms = 2000 };
	struct damp d = { 0 };

	for (int i = 0; i < 3; i++)
		damp_turn(&d, &rule, 100);
	assert_false(d.held);
	damp_turn(&d, &rule, 100);
	assert_true(d.held); /* the fourth */
	assert_true(damp_pass(&d, &rule, 1099));
	assert_false(damp_pass(&d, &rule, 1100)); /* half of it, after one half-life */
	d = (struct damp){ .penalty = 100, .at_ms = 0, .held = true };
	damp_turn(&d, &rule, 0);
	assert_true(d.penalty == 8); /* what takes max_ms to decay */
	assert_int_equal(damp_left_ms(&d, &rule, 0), 2000);
	assert_in_range(damp_left_ms(&d, &rule, 1500), 500, 501); /* rounded up, of a power */
	assert_int_equal(damp_left_ms(&d, &rule, 2000), 0);
}

/* A document that takes damping away lets go at once, and forgets. */
static void a_rule_of_no_turns_holds_nobody(void **state)
{
	static const struct damp_rule off = { 0 };
	struct damp d = { .penalty = 9, .at_ms = 100, .held = true };

	(void)state;
	assert_int_equal(damp_left_ms(&d, &off, 100), 0);
	assert_true(d.held); /* a question changes nothing */
	assert_false(damp_pass(&d, &off, 100));
	assert_false(d.held);
	assert_true(d.penalty < 1e-9);
	damp_turn(&d, &off, 200);
	assert_true(d.penalty < 1e-9);
	d = damp_restore(9, true, 5, &off, 200);
	assert_false(d.held);
	assert_true(d.penalty < 1e-9);
}

static void a_hold_ends_when_it_said_and_not_before(void **state)
{
	(void)state;
	struct damp d = { 0 };

	for (int i = 0; i < 3; i++)
		damp_turn(&d, &mild, 5000);
	assert_int_equal(damp_left_ms(&d, &mild, 5000), 60000); /* from 3 to 1.5: a half-life */
	assert_in_range(damp_left_ms(&d, &mild, 25000), 40000, 40001);
	assert_true(damp_pass(&d, &mild, 64999));
	assert_false(damp_pass(&d, &mild, 65001));
	assert_int_equal(damp_left_ms(&d, &mild, 65001), 0);
}

static void further_turns_lengthen_a_hold_up_to_its_bound(void **state)
{
	(void)state;
	struct damp d = { 0 };
	uint64_t before = 0, left = 0;

	for (int i = 0; i < 3; i++)
		damp_turn(&d, &mild, 0);
	for (int i = 0; i < 10; i++) {
		before = damp_left_ms(&d, &mild, 0);
		damp_turn(&d, &mild, 0);
		assert_true(damp_left_ms(&d, &mild, 0) > before);
	}
	for (int i = 0; i < 100000; i++)
		damp_turn(&d, &mild, 0);
	left = damp_left_ms(&d, &mild, 0);
	assert_in_range(left, 299990, 300010);
	assert_false(damp_pass(&d, &mild, 300010));
}

static void a_penalty_that_was_let_go_still_counts_for_the_next_turns(void **state)
{
	(void)state;
	struct damp d = { 0 };

	for (int i = 0; i < 3; i++)
		damp_turn(&d, &mild, 0);
	assert_false(damp_pass(&d, &mild, 60001)); /* 1.5 are left */
	damp_turn(&d, &mild, 60001);
	assert_false(damp_pass(&d, &mild, 60001));
	damp_turn(&d, &mild, 60001);
	assert_true(damp_pass(&d, &mild, 60001));
}

static void what_was_saved_decays_by_its_age(void **state)
{
	(void)state;
	struct damp young = damp_restore(3, true, 30000, &mild, 777),
	            old = damp_restore(3, true, 61000, &mild, 777),
	            never = damp_restore(2.9, false, 0, &mild, 777);

	assert_true(young.held);
	assert_in_range(damp_left_ms(&young, &mild, 777), 29999, 30001);
	assert_false(old.held);
	assert_true(old.penalty > 1.4);
	assert_false(damp_pass(&never, &mild, 777));
}

/* It goes on from the time of the start, whatever the clock says: boot clocks are short after a boot. */
static void what_was_saved_goes_on_from_now(void **state)
{
	static const struct damp_rule rule = { .turns = 4, .half_life_ms = 1000, .max_ms = 9000 };
	struct damp d = damp_restore(16, true, 1000, &rule, 500);

	(void)state;
	assert_true(d.held);
	assert_true(d.penalty > 7.99 && d.penalty < 8.01);
	assert_int_equal(damp_left_ms(&d, &rule, 500), 2000);
	assert_true(damp_pass(&d, &rule, 2499));
	assert_false(damp_pass(&d, &rule, 2500));
	d = damp_restore(16, true, 1000, &rule, 9000000);
	assert_int_equal(damp_left_ms(&d, &rule, 9000000), 2000);
	assert_true(damp_pass(&d, &rule, 9001999));
}

static void a_clock_that_steps_back_holds_nothing_longer(void **state)
{
	(void)state;
	struct damp d = { 0 };

	for (int i = 0; i < 3; i++)
		damp_turn(&d, &mild, 1000000);
	damp_pass(&d, &mild, 10); /* decays from here */
	assert_int_equal(damp_left_ms(&d, &mild, 10), 60000);
}

SUITE(verdict)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(votes_turn_a_verdict_by_rise_and_fall),
		cmocka_unit_test(a_run_longer_than_the_word_holds_does_not_wrap),
		cmocka_unit_test(only_the_last_failure_of_a_run_would_fall),
		cmocka_unit_test(a_late_or_unsent_probe_says_nothing),
		cmocka_unit_test(silence_is_no_answer),
		cmocka_unit_test(the_interval_is_the_longest_wait),
		cmocka_unit_test(targets_start_spread_over_their_interval),
		cmocka_unit_test(very_many_targets_start_slower_than_their_interval),
		cmocka_unit_test(lateness_is_a_quarter_of_the_timeout),
		cmocka_unit_test(one_percent_of_probes_lost_for_ten_minutes_removes_no_backend),
		cmocka_unit_test(the_same_loss_removes_backends_without_second_attempts),
		cmocka_unit_test(a_silent_backend_is_out_within_the_stated_time),
		cmocka_unit_test(turns_in_quick_succession_hold_a_target_and_rare_ones_never),
		cmocka_unit_test(limits_of_a_penalty_are_exact),
		cmocka_unit_test(a_rule_of_no_turns_holds_nobody),
		cmocka_unit_test(a_hold_ends_when_it_said_and_not_before),
		cmocka_unit_test(further_turns_lengthen_a_hold_up_to_its_bound),
		cmocka_unit_test(a_penalty_that_was_let_go_still_counts_for_the_next_turns),
		cmocka_unit_test(what_was_saved_decays_by_its_age),
		cmocka_unit_test(what_was_saved_goes_on_from_now),
		cmocka_unit_test(a_clock_that_steps_back_holds_nothing_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
