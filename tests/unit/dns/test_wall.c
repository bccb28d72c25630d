/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns/wall.h"

#define START 1000000000000
#define TICK  100

/* Tick for @p ms with the clock @p lead_ms ahead. @return the last time given */
static int64_t run(struct wall *w, uint64_t *mono_ms, uint64_t ms, int64_t lead_ms)
{
	int64_t last = 0;

	for (uint64_t end = *mono_ms + ms; *mono_ms < end;) {
		*mono_ms += TICK;
		last = wall_tick(w, *mono_ms, START + (int64_t)*mono_ms + lead_ms);
	}
	return last;
}

static void a_step_is_held_and_then_believed(void **state)
{
	static const int64_t steps[] = { 3600000, -3600000, WALL_STEP_MS + 500,
		                         -WALL_STEP_MS - 500 };
	(void)state;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct wall w = { 0 };
		uint64_t mono_ms = 5000;
		int64_t before = run(&w, &mono_ms, 1000, 0);

		assert_int_equal(run(&w, &mono_ms, WALL_HOLD_MS - 2 * TICK, steps[i]), before);
		assert_true((wall_hold(&w, true, true) == WALL_STEPPED));
		int64_t after = run(&w, &mono_ms, 4 * TICK, steps[i]);

		assert_int_equal(after, START + (int64_t)mono_ms + steps[i]);
		assert_false((wall_hold(&w, true, true) == WALL_STEPPED));
	}
}

static void a_step_that_is_taken_back_leaves_no_trace(void **state)
{
	struct wall w = { 0 };
	uint64_t mono_ms = 5000;
	(void)state;

	run(&w, &mono_ms, 1000, 0);
	run(&w, &mono_ms, 10000, 90000);
	assert_true((wall_hold(&w, true, true) == WALL_STEPPED));

	int64_t after = run(&w, &mono_ms, TICK, 0);

	assert_int_equal(after, START + (int64_t)mono_ms);
	assert_false((wall_hold(&w, true, true) == WALL_STEPPED));
}

static void a_small_error_is_slewed_and_time_never_goes_back(void **state)
{
	static const int64_t leads[] = { 1500, -1500 };
	(void)state;

	for (size_t i = 0; i < 2; i++) {
		struct wall w = { 0 };
		uint64_t mono_ms = 5000;
		int64_t last = run(&w, &mono_ms, 1000, 0);

		for (int k = 0; k < 300; k++) {
			int64_t now = run(&w, &mono_ms, TICK, leads[i]);

			assert_in_range(now - last, TICK - TICK / 10, TICK + TICK / 10);
			last = now;
		}
		assert_int_equal(last, START + (int64_t)mono_ms + leads[i]);
		assert_false((wall_hold(&w, true, true) == WALL_STEPPED));
	}
}

static void a_clock_that_nobody_disciplines_holds_unless_it_is_trusted(void **state)
{
	struct wall w = { 0 };
	(void)state;

	wall_tick(&w, 1000, 1000000);
	assert_int_equal(wall_hold(&w, true, false), WALL_RUNS);
	assert_int_equal(wall_hold(&w, false, false), WALL_UNSYNCHRONISED);
	assert_int_equal(wall_hold(&w, false, true), WALL_RUNS);
	wall_tick(&w, 1100, 1000100 + 2 * WALL_STEP_MS);
	assert_int_equal(wall_hold(&w, false, true), WALL_STEPPED); /* trusted or not */
	assert_int_equal(wall_hold(&w, false, false), WALL_STEPPED);
	wall_tick(&w, 1200, 1000200);
	assert_int_equal(wall_hold(&w, true, false), WALL_RUNS);
	assert_string_equal(wall_hold_text(WALL_UNSYNCHRONISED), "unsynchronised");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clock_that_nobody_disciplines_holds_unless_it_is_trusted),
		cmocka_unit_test(a_step_is_held_and_then_believed),
		cmocka_unit_test(a_step_that_is_taken_back_leaves_no_trace),
		cmocka_unit_test(a_small_error_is_slewed_and_time_never_goes_back),
	};

	return cmocka_run_group_tests_name("wall", tests, NULL, NULL);
}
