/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/tables/guard.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define WINDOW_MS 10000

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOW      100000u

static const struct guard_pool easy = { .min_healthy_percent = 0, .max_remove_percent = 100 };

/*
 * A pool in letters, one a backend of weight 10: state before (a: in force; D: out by
 * evidence; W: waiting for a verdict; n: new) and what is seen or said: u up, d down, ? unknown, -
 * unchecked, x disabled, f forced.
 */
static size_t read_pool(const char *text, struct guard_backend *b)
{
	size_t n = 0;

	for (const char *p = text; *p; p += p[2] ? 3 : 2) {
		b[n] = (struct guard_backend){ .id = n + 1,
			                       .weight = 10,
			                       .known = p[0] != 'n',
			                       .alive = p[0] == 'a',
			                       .dead = p[0] == 'D' };
		b[n].intent = p[1] == 'x'   ? GUARD_DISABLED
		              : p[1] == 'f' ? GUARD_FORCED_UP
		                            : GUARD_NOTHING;
		b[n].verdict = p[1] == 'u'   ? GUARD_UP
		               : p[1] == 'd' ? GUARD_DOWN
		               : p[1] == '-' ? GUARD_UNCHECKED
		                             : GUARD_UNKNOWN;
		n++;
	}
	return n;
}

static void expect_in_force(const struct guard_pool *pool, const char *text, const char *in_force)
{
	struct guard_window window = { 0 };
	struct guard_backend b[8];
	size_t n = read_pool(text, b);

	guard_apply(pool, &window, NOW, b, n);
	for (size_t i = 0; i < n; i++)
		if (b[i].alive != (in_force[i] == '+'))
			fail_msg("%s: backend %zu: in force %d why %s", text, i, b[i].alive,
			         effect_reason_text((enum effect_reason)b[i].reason));
}

static void the_last_backend_is_never_removed_by_checks(void **state)
{
	(void)state;
	static const struct {
		const char *why, *pool, *in_force;
	} cases[] = {
		{ "the only one", "ad", "+" },
		{ "the last of two", "Dd ad", "-+" },
		{ "all at once", "ad ad ad", "+++" },
		{ "all down and none was in force", "Dd Dd", "++" },
		{ "all down when new", "nd nd", "++" },
		{ "the disabled do not serve", "ax ad", "-+" },
		{ "an unknown one that waited takes over", "W? ad", "+-" },
		{ "one that was down is not taken for it", "D? ad", "-+" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %s\n", cases[i].why);
		expect_in_force(&easy, cases[i].pool, cases[i].in_force);
	}
}

static void words_and_checks_give_the_table(void **state)
{
	(void)state;
	static const struct {
		const char *why, *pool, *in_force;
	} cases[] = {
		{ "disabled whatever is seen", "au ax", "+-" },
		{ "all disabled by a person: empty", "ax ax", "--" },
		{ "forced up whatever is seen", "Df", "+" },
		{ "no check: in force", "n- n-", "++" },
		{ "up returns", "Du au", "++" },
		{ "down leaves", "ad au", "-+" },
		{ "down and new waits", "nd au", "-+" },
		{ "down and out stays out", "Dd au", "-+" },
		{ "unknown stays in force", "a? au", "++" },
		{ "unknown stays out", "D? au", "-+" },
		{ "unknown goes on waiting", "W? au", "-+" },
		{ "all were down, nothing is known any more", "D? D?", "++" },
		{ "unknown and new waits while others serve", "n? au", "-+" },
		{ "unknown and new serves when nobody does", "n? n?", "++" },
		{ "unknown and new serves beside the down", "n? Dd", "+-" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %s\n", cases[i].why);
		expect_in_force(&easy, cases[i].pool, cases[i].in_force);
	}
}

static void fail_closed_empties_only_when_all_are_down(void **state)
{
	(void)state;
	const struct guard_pool closed = { 50, 100, true, false, 0 };

	expect_in_force(&closed, "ad ad", "--");
	expect_in_force(&closed, "ad ad ad au", "--++");
	expect_in_force(&closed, "ad a? ad", "-++");
}

static void min_healthy_keeps_enough_weight(void **state)
{
	(void)state;
	const struct guard_pool half = { 50, 100, false, false, 0 };

	expect_in_force(&half, "ad au au au", "-+++");
	expect_in_force(&half, "ad ad ad au", "--++");
	expect_in_force(&half, "Dd Dd ad au", "--++");
	expect_in_force(&half, "ax ax ad au", "---+"); /* what a person disables does not count */
}

static void a_drained_backend_may_die_without_asking(void **state)
{
	(void)state;
	const struct guard_pool all = { 100, 0, false, false, 0 };
	struct guard_window window = { 0 };
	struct guard_backend b[2];

	read_pool("ad au", b);
	b[0].weight = 0;
	assert_int_equal(guard_apply(&all, &window, NOW, b, 2), UINT64_MAX);
	assert_false(b[0].alive);
	assert_int_equal(window.n_removed, 0);
}

/*
 * A drained one that is up takes no new flows: it is no reason to let the last one with weight
 * go.
 */
static void a_drained_backend_does_not_serve(void **state)
{
	(void)state;
	struct guard_window window = { 0 };
	struct guard_backend b[8];

	read_pool("ad au", b);
	b[1].weight = 0;
	guard_apply(&easy, &window, NOW, b, 2);
	assert_true(b[0].alive);
	assert_int_equal(b[0].reason, EFFECT_REASON_HELD_LAST);
	assert_true(b[1].alive);
}

static void a_pool_without_weights_counts_heads(void **state)
{
	(void)state;
	struct guard_window window = { 0 };
	struct guard_backend b[2];

	read_pool("Dd au", b);
	b[0].weight = b[1].weight = 0;
	guard_apply(&easy, &window, NOW, b, 2);
	assert_false(b[0].alive);
	assert_true(b[1].alive);
}

static void removal_is_limited_in_a_window_of_ten_seconds(void **state)
{
	(void)state;
	const struct guard_pool slow = { 0, 30, false, false, 0 };
	struct guard_window window = { 0 };
	struct guard_backend b[8];
	size_t n = read_pool("ad ad ad au au au au au", b);

	assert_int_equal(guard_apply(&slow, &window, NOW, b, n), NOW + WINDOW_MS);
	assert_false(b[0].alive);
	assert_false(b[1].alive);
	assert_true(b[2].alive);
	assert_int_equal(b[2].reason, EFFECT_REASON_HELD_RATE);
	assert_int_equal(guard_apply(&slow, &window, NOW + WINDOW_MS - 1, b, n), NOW + WINDOW_MS);
	assert_true(b[2].alive);
	assert_int_equal(guard_apply(&slow, &window, NOW + WINDOW_MS, b, n), UINT64_MAX);
	assert_false(b[2].alive);
}

/* The one that is held goes when the earliest of the removals before it leaves the window. */
static void the_earliest_removal_says_when_the_next_may_go(void **state)
{
	(void)state;
	const struct guard_pool half = { 0, 50, false, false, 0 };
	struct guard_window window = { 0 };
	struct guard_backend b[8];
	size_t n = read_pool("ad au au au", b);

	assert_int_equal(guard_apply(&half, &window, NOW, b, n), UINT64_MAX); /* nobody is held */
	b[1].verdict = GUARD_DOWN;
	assert_int_equal(guard_apply(&half, &window, NOW + 2000, b, n), UINT64_MAX);
	b[2].verdict = GUARD_DOWN;
	assert_int_equal(guard_apply(&half, &window, NOW + 3000, b, n), NOW + WINDOW_MS);
	assert_int_equal(b[2].reason, EFFECT_REASON_HELD_RATE);
	assert_int_equal(guard_apply(&half, &window, NOW + WINDOW_MS, b, n), UINT64_MAX);
	assert_false(b[2].alive);
}

static void the_first_removal_of_a_window_always_may(void **state)
{
	(void)state;
	const struct guard_pool none = { 0, 0, false, false, 0 };

	expect_in_force(&none, "ad au", "-+");
	expect_in_force(&none, "ad ad au", "-++");
}

static void a_return_gives_its_part_of_the_window_back(void **state)
{
	(void)state;
	const struct guard_pool none = { 0, 0, false, false, 0 };
	struct guard_window window = { 0 };
	struct guard_backend b[2];

	read_pool("ad au", b);
	guard_apply(&none, &window, NOW, b, 2);
	assert_int_equal(window.n_removed, 1);
	b[0].verdict = GUARD_UP;
	guard_apply(&none, &window, NOW + 1, b, 2);
	assert_true(b[0].alive);
	assert_int_equal(window.n_removed, 0);
	b[1].verdict = GUARD_DOWN;
	guard_apply(&none, &window, NOW + 2, b, 2);
	assert_false(b[1].alive);
}

/* A pool over time: observe_at() says what is seen of each, by read_pool()'s letters, at a time. */
struct story {
	struct guard_pool pool;
	struct guard_window window;
	struct guard_backend b[8];
	size_t n;
};

static void begin_story(struct story *s, uint32_t min_healthy_percent, size_t n)
{
	*s = (struct story){ .pool = { .min_healthy_percent = min_healthy_percent,
		                       .max_remove_percent = 100 },
		             .n = n };
	for (size_t i = 0; i < n; i++)
		s->b[i] = (struct guard_backend){ .id = i + 1, .weight = 10 };
}

static void observe_at(struct story *s, uint32_t at_s, const char *seen, const char *in_force)
{
	for (size_t i = 0; i < s->n; i++) {
		s->b[i].verdict = seen[i] == 'u'   ? GUARD_UP
		                  : seen[i] == 'd' ? GUARD_DOWN
		                                   : GUARD_UNKNOWN;
		s->b[i].intent = seen[i] == 'x' ? GUARD_DISABLED : GUARD_NOTHING;
		s->b[i].weight = seen[i] == 'U' || seen[i] == 'D' ? 0 : 10; /* drained */
		if (seen[i] == 'U' || seen[i] == 'D')
			s->b[i].verdict = seen[i] == 'U' ? GUARD_UP : GUARD_DOWN;
		s->b[i].dead = s->b[i].known && !s->b[i].alive;
	}
	guard_apply(&s->pool, &s->window, NOW + at_s * 1000u, s->b, s->n);
	for (size_t i = 0; i < s->n; i++) {
		s->b[i].known = true;
		if (s->b[i].alive != (in_force[i] == '+'))
			fail_msg("at %u s, %s: backend %zu: in force %d why %s", at_s, seen, i,
			         s->b[i].alive,
			         effect_reason_text((enum effect_reason)s->b[i].reason));
	}
}

static void members_that_fail_within_a_second_come_back_together(void **state)
{
	(void)state;
	struct story s;

	begin_story(&s, 10, 6);
	observe_at(&s, 0, "uuuuuu", "++++++");
	observe_at(&s, 1, "dduuuu", "--++++");
	observe_at(&s, 1, "ddddud", "----+-");
	observe_at(&s, 2, "dddddd", "++++++");
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(s.b[i].reason, EFFECT_REASON_HELD_LAST);
	observe_at(&s, 300, "dddddd", "++++++");
	observe_at(&s, 301, "uddddd",
	           "+-----"); /* one serves, which is enough: the others leave again */
	observe_at(&s, 302, "dddddd", "+-----"); /* and were not good in the minute before */
}

/* A fault of all checks ends: each is seen up a little later than the one before. */
static void those_that_were_last_good_have_the_time_to_recover(void **state)
{
	(void)state;
	struct story s;

	begin_story(&s, 50, 3);
	s.pool.max_remove_percent = 50;
	s.pool.recover_ms = 3000;
	observe_at(&s, 0, "uuu", "+++");
	observe_at(&s, 1, "ddd", "+++");
	observe_at(&s, 13, "ddu", "+++");
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(s.b[i].reason, EFFECT_REASON_HELD_LAST);
	assert_int_equal(s.window.n_removed, 0);
	observe_at(&s, 14, "udu", "+++");
	observe_at(&s, 15, "ddu", "-++"); /* it was up, and dies: nothing is awaited of it */
	observe_at(&s, 15, "duu", "-++");
	observe_at(&s, 16, "uuu", "+++");
}

/* One that is dead leaves after that, and may ask for it at that time. */
static void the_time_to_recover_ends(void **state)
{
	(void)state;
	struct story s;

	begin_story(&s, 0, 3);
	s.pool.recover_ms = 3000;
	observe_at(&s, 0, "uuu", "+++");
	observe_at(&s, 1, "ddd", "+++");
	observe_at(&s, 13, "ddu", "+++");
	s.b[0].dead = s.b[1].dead = false;
	assert_int_equal(guard_apply(&s.pool, &s.window, NOW + 13001, s.b, 3), NOW + 16000);
	observe_at(&s, 15, "ddu", "+++");
	observe_at(&s, 16, "ddu", "--+");
	observe_at(&s, 17, "uuu", "+++");
	observe_at(&s, 18, "duu", "-++"); /* an end of its own */
	observe_at(&s, 19, "ddd", "+++"); /* and once more: all were good in the minute before */
	observe_at(&s, 20, "udd", "+++");
	observe_at(&s, 21, "ddd", "+++"); /* the one that was up fails again */
	observe_at(&s, 40, "ddu", "+++"); /* the time begins anew */
	observe_at(&s, 43, "ddu", "--+");
}

/* Who was not in force has nothing to keep, and a person's word stands above. */
static void only_those_that_were_held_recover_so(void **state)
{
	(void)state;
	struct story s;

	begin_story(&s, 0, 3);
	s.pool.recover_ms = 3000;
	s.pool.fail_closed = true;
	observe_at(&s, 0, "uuu", "+++");
	observe_at(&s, 1, "ddd", "---");
	observe_at(&s, 13, "ddu", "--+");
	s.pool.fail_closed = false;
	observe_at(&s, 20, "uuu", "+++");
	observe_at(&s, 21, "ddd", "+++");
	observe_at(&s, 22, "xDu", "--+");
	observe_at(&s, 23, "uuu", "+++");
	observe_at(&s, 24, "ddd", "+++");
	s.pool.on_backup = true; /* new flows are elsewhere */
	observe_at(&s, 25, "ddu", "--+");
}

static void who_returns_alone_does_not_end_the_fall(void **state)
{
	(void)state;
	struct story s;

	begin_story(&s, 20, 6);
	observe_at(&s, 0, "uuuuuu", "++++++");
	observe_at(&s, 1, "dddddd", "++++++");
	observe_at(&s, 100, "uddddd", "+----+"); /* the sixth is held by min_healthy */
	observe_at(&s, 200, "dddddd", "++++++");
}

static void one_that_was_bad_long_before_does_not_come_back(void **state)
{
	(void)state;
	struct story s;

	begin_story(&s, 0, 4);
	observe_at(&s, 0, "uuuu", "++++");
	observe_at(&s, 10, "duuu", "-+++");
	observe_at(&s, 40, "dduu", "--++");
	observe_at(&s, 99, "dddu", "---+");
	observe_at(&s, 100, "dddd", "-+++"); /* good until 10, 40, 99 and 100 */
}

static void the_minute_is_the_one_before_too_few_were_good(void **state)
{
	(void)state;
	struct story s;

	begin_story(&s, 50, 4);
	observe_at(&s, 0, "uuuu", "++++");
	observe_at(&s, 1, "uuud", "+++-");
	observe_at(&s, 100, "uuud", "+++-");
	observe_at(&s, 101, "uudd", "++--"); /* half: enough */
	observe_at(&s, 102, "uddd", "++--"); /* too few: from here on the second is held */
	observe_at(&s, 500, "uddd", "++--");
	observe_at(&s, 501, "dddd",
	           "+++-"); /* the second and third were good in the minute before 102 */
	observe_at(&s, 600, "uuud", "+++-"); /* enough again: that is over */
	observe_at(&s, 700, "uuud", "+++-");
	observe_at(&s, 701, "dddd", "+++-");
}

static void whom_a_person_took_out_never_comes_back(void **state)
{
	(void)state;
	struct story s;

	begin_story(&s, 10, 4);
	observe_at(&s, 0, "uuuu", "++++");
	observe_at(&s, 1, "xuUu", "-+++");
	observe_at(&s, 2, "xdDd", "-+-+");
	observe_at(&s, 3, "xdDd", "-+-+");
}

/* Neither the good checks of a disabled one nor its weight say how many of the others are good. */
static void whom_a_person_took_out_does_not_count(void **state)
{
	(void)state;
	struct story s;

	begin_story(&s, 50, 4);
	observe_at(&s, 0, "uuuu", "++++");
	observe_at(&s, 1, "xxuu", "--++");
	observe_at(&s, 2, "xxud", "--+-"); /* one of two: enough */
	observe_at(&s, 100, "xxud", "--+-");
	observe_at(&s, 101, "xxdd",
	           "--+-"); /* too few from here on, not from 2 on: the fourth stays out */
	begin_story(&s, 50, 2);
	observe_at(&s, 0, "uu", "++");
	s.b[0].intent = GUARD_DISABLED;
	s.b[0].verdict = GUARD_UP; /* its check goes on */
	s.b[1].verdict = GUARD_DOWN;
	guard_apply(&s.pool, &s.window, NOW + 1000, s.b, s.n);
	assert_true(s.window.fell_ms == NOW + 1000);
	assert_false(s.b[0].good);
}

static void a_disabled_one_that_was_good_does_not_empty_the_pool(void **state)
{
	(void)state;
	struct story s;

	begin_story(&s, 0, 3);
	observe_at(&s, 0, "uud", "++-");
	observe_at(&s, 1, "udd", "+--");
	observe_at(&s, 300, "xdd",
	           "-++"); /* of those that are left none was good lately: all are tried */
}

static void fail_closed_brings_nobody_back(void **state)
{
	(void)state;
	struct story s;

	begin_story(&s, 10, 2);
	s.pool.fail_closed = true;
	observe_at(&s, 0, "uu", "++");
	observe_at(&s, 1, "dd", "--");
}

static void a_verdict_that_is_lost_is_no_evidence(void **state)
{
	(void)state;
	struct story s;

	begin_story(&s, 10, 3);
	observe_at(&s, 0, "uuu", "+++");
	observe_at(&s, 200, "???", "+++");
	observe_at(&s, 201, "d??", "-++");
	observe_at(&s, 202, "ddd", "+++");
}

/*
 * Each state with each verdict, beside one that serves: in force or not, why, and whether it counts as good
 * (g: now, G: until now).
 */
static void each_state_meets_each_verdict(void **state)
{
	static const struct {
		char before;
		uint32_t weight;
		const char *said;
	} rows[] = {
		{ 'a', 10,
		  "u+up g, d-down G, ?+no verdict yet g, -+unchecked g, x-disabled G, f+forced up g, " },
		{ 'D', 10, "u+up g, d-down, ?-down, -+unchecked g, x-disabled, f+forced up g, " },
		{ 'W', 10,
		  "u+up g, d-down, ?-waiting for a verdict, -+unchecked g, x-disabled, f+forced up g, " },
		{ 'n', 10,
		  "u+up g, d-down, ?-waiting for a verdict, -+unchecked g, x-disabled, f+forced up g, " },
		{ 'a', 0,
		  "u+up g, d-down G, ?+no verdict yet g, -+unchecked g, x-disabled G, f+forced up g, " },
		{ 'D', 0, "u+up g, d-down, ?-down, -+unchecked g, x-disabled, f+forced up g, " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char said[512] = "";

		for (const char *seen = "ud?-xf"; *seen; seen++) {
			const char pool[] = { rows[i].before, *seen, ' ', 'a', 'u', '\0' };
			struct guard_window window = { 0 };
			struct guard_backend b[2];

			read_pool(pool, b);
			b[0].weight = rows[i].weight;
			b[0].good = rows[i].before == 'a';
			guard_apply(&easy, &window, NOW, b, 2);
			assert_true(b[1].alive && b[1].reason == EFFECT_REASON_UP);
			snprintf(said + strlen(said), sizeof(said) - strlen(said), "%c%c%s%s, ",
			         *seen, b[0].alive ? '+' : '-',
			         effect_reason_text((enum effect_reason)b[0].reason),
			         b[0].good             ? " g"
			         : b[0].good_ms == NOW ? " G"
			                               : "");
		}
		if (strcmp(said, rows[i].said) != 0)
			fail_msg("row %zu: %s", i, said);
	}
}

SUITE(guard)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_backend_is_never_removed_by_checks),
		cmocka_unit_test(words_and_checks_give_the_table),
		cmocka_unit_test(fail_closed_empties_only_when_all_are_down),
		cmocka_unit_test(min_healthy_keeps_enough_weight),
		cmocka_unit_test(a_drained_backend_may_die_without_asking),
		cmocka_unit_test(a_drained_backend_does_not_serve),
		cmocka_unit_test(a_pool_without_weights_counts_heads),
		cmocka_unit_test(removal_is_limited_in_a_window_of_ten_seconds),
		cmocka_unit_test(the_earliest_removal_says_when_the_next_may_go),
		cmocka_unit_test(the_first_removal_of_a_window_always_may),
		cmocka_unit_test(a_return_gives_its_part_of_the_window_back),
		cmocka_unit_test(members_that_fail_within_a_second_come_back_together),
		cmocka_unit_test(those_that_were_last_good_have_the_time_to_recover),
		cmocka_unit_test(the_time_to_recover_ends),
		cmocka_unit_test(only_those_that_were_held_recover_so),
		cmocka_unit_test(who_returns_alone_does_not_end_the_fall),
		cmocka_unit_test(one_that_was_bad_long_before_does_not_come_back),
		cmocka_unit_test(the_minute_is_the_one_before_too_few_were_good),
		cmocka_unit_test(whom_a_person_took_out_never_comes_back),
		cmocka_unit_test(whom_a_person_took_out_does_not_count),
		cmocka_unit_test(a_disabled_one_that_was_good_does_not_empty_the_pool),
		cmocka_unit_test(fail_closed_brings_nobody_back),
		cmocka_unit_test(a_verdict_that_is_lost_is_no_evidence),
		cmocka_unit_test(each_state_meets_each_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
