/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/wall_clock.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define SETTLE_MS 5000
#define STEP_MS   2000

#define START  1000000000000
#define TICK   100
#define HOUR   3600000
#define YEAR   ((int64_t)365 * 24 * HOUR)
#define A_DAY  (24 * HOUR)
#define UNSYNC .synchronised = false
#define SYNC   .synchronised = true

/* A machine: its boot clock, and how far its wall clock is ahead of what it was. */
struct machine {
	uint64_t mono_ms;
	int64_t lead_ms;
	bool synchronised, trusted;
	enum wall_clock_peers peers;
};

/*
 * Tick for @p ms. @return how far the last time given is ahead of what it would be without any
 * step
 */
static int64_t run_clock(struct wall_clock *w, struct machine *m, uint64_t ms)
{
	int64_t last = 0;

	for (uint64_t end = m->mono_ms + ms; m->mono_ms < end;) {
		m->mono_ms += TICK;
		const struct wall_clock_now now = { .mono_ms = m->mono_ms,
			                            .clock_ms = START + (int64_t)m->mono_ms +
			                                        m->lead_ms,
			                            .synchronised = m->synchronised,
			                            .trusted = m->trusted,
			                            .peers = m->peers };

		last = wall_clock_tick(w, &now);
	}
	return last - (START + (int64_t)m->mono_ms);
}

static const int64_t steps[] = { HOUR,       2 * HOUR,      -2 * HOUR,     12 * YEAR,
	                         -12 * YEAR, STEP_MS + 500, -STEP_MS - 500 };
#define N_STEPS (sizeof(steps) / sizeof(steps[0]))

static void time_goes_on_as_if_nothing_had_stepped(void **state)
{
	/* what may not make a step believed, however long it lasts */
	static const struct machine cases[] = {
		{ UNSYNC, .peers = WALL_CLOCK_PEERS_NONE },
		{ UNSYNC, .peers = WALL_CLOCK_PEERS_AGREE },
		{ SYNC, .peers = WALL_CLOCK_PEERS_UNHEARD },
		{ SYNC, .peers = WALL_CLOCK_PEERS_DIFFER },
		{ UNSYNC, .peers = WALL_CLOCK_PEERS_DIFFER },
	};
	(void)state;

	for (size_t i = 0; i < N_STEPS; i++)
		for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
			struct wall_clock w = { 0 };
			struct machine m = { .mono_ms = 5000, SYNC };

			run_clock(&w, &m, 1000);
			m.synchronised = cases[k].synchronised;
			m.peers = cases[k].peers;
			m.lead_ms = steps[i];
			assert_int_equal(run_clock(&w, &m, A_DAY / 24), 0);
			assert_int_equal(w.off_by_ms, steps[i]);
			assert_int_equal(wall_clock_hold(&w, false), WALL_CLOCK_STEPPED);
			assert_false(wall_clock_holds_ramps(wall_clock_hold(&w, false)));
		}
}

static void a_step_is_believed_when_kernel_and_a_peer_confirm_it(void **state)
{
	static const enum wall_clock_peers peers[] = { WALL_CLOCK_PEERS_NONE,
		                                       WALL_CLOCK_PEERS_AGREE };
	(void)state;

	for (size_t i = 0; i < N_STEPS; i++)
		for (size_t k = 0; k < 2; k++) {
			struct wall_clock w = { 0 };
			struct machine m = { .mono_ms = 5000, SYNC };

			run_clock(&w, &m, 1000);
			m = (struct machine){ m.mono_ms, steps[i], SYNC, .peers = peers[k] };
			assert_int_equal(run_clock(&w, &m, SETTLE_MS), 0);
			assert_int_equal(run_clock(&w, &m, 2 * TICK), steps[i]);
			assert_int_equal(wall_clock_hold(&w, false), WALL_CLOCK_RUNS);
			assert_int_equal(w.off_by_ms, 0);
		}
}

static void what_confirms_a_step_must_last(void **state)
{
	struct wall_clock w = { 0 };
	struct machine m = { .mono_ms = 5000, SYNC };
	(void)state;

	run_clock(&w, &m, 1000);
	for (int i = 0; i < 100; i++) { /* the kernel's word comes and goes */
		m.lead_ms = HOUR;
		m.synchronised = true;
		run_clock(&w, &m, SETTLE_MS - TICK);
		m.synchronised = false;
		assert_int_equal(run_clock(&w, &m, TICK), 0);
	}
	m.synchronised = true;
	for (int i = 1; i < 100; i++) { /* each time another course */
		m.lead_ms = i * HOUR;
		assert_int_equal(run_clock(&w, &m, SETTLE_MS - TICK), 0);
	}
}

static void hourly_steps_there_and_back_are_never_seen(void **state)
{
	struct wall_clock w = { 0 };
	struct machine m = { .mono_ms = 5000, SYNC };
	(void)state;

	run_clock(&w, &m, 1000);
	m.synchronised = false;
	for (int hour = 0; hour < 48; hour++) {
		m.lead_ms = hour % 2 ? 0 : hour % 4 ? HOUR : -HOUR;
		for (int minute = 0; minute < 60; minute++)
			assert_int_equal(run_clock(&w, &m, 60000), 0);
	}
}

static void a_person_accepts_the_new_time_at_once(void **state)
{
	(void)state;

	for (size_t i = 0; i < N_STEPS; i++) {
		struct wall_clock w = { 0 };
		struct machine m = { .mono_ms = 5000, UNSYNC };

		run_clock(&w, &m, 1000);
		m.lead_ms = steps[i];
		run_clock(&w, &m, 60000);
		wall_clock_accept(&w, m.mono_ms, START + (int64_t)m.mono_ms + steps[i]);
		assert_int_equal(run_clock(&w, &m, TICK), steps[i]);
		assert_int_equal(wall_clock_hold(&w, false),
		                 WALL_CLOCK_RUNS); /* a person's word is one */
	}
}

static void a_step_that_is_taken_back_leaves_no_trace(void **state)
{
	struct wall_clock w = { 0 };
	struct machine m = { .mono_ms = 5000, SYNC };
	(void)state;

	run_clock(&w, &m, 1000);
	m.lead_ms = 90000;
	m.synchronised = false;
	run_clock(&w, &m, 10000);
	assert_int_equal(wall_clock_hold(&w, true), WALL_CLOCK_STEPPED);
	m.lead_ms = 0;
	assert_int_equal(run_clock(&w, &m, TICK), 0);
	assert_int_equal(wall_clock_hold(&w, true), WALL_CLOCK_RUNS);
}

static void a_small_error_is_slewed_and_time_never_goes_back(void **state)
{
	static const int64_t leads[] = { 1500, -1500 };
	(void)state;

	for (size_t i = 0; i < 2; i++) {
		struct wall_clock w = { 0 };
		struct machine m = { .mono_ms = 5000, SYNC };
		int64_t last = run_clock(&w, &m, 1000);

		m.lead_ms = leads[i];
		for (int k = 0; k < 300; k++) {
			int64_t now = run_clock(&w, &m, TICK);

			assert_in_range(now - last + TICK, TICK - TICK / 10, TICK + TICK / 10);
			last = now;
		}
		assert_int_equal(last, leads[i]);
		assert_int_equal(wall_clock_hold(&w, true), WALL_CLOCK_RUNS);
	}
}

static void a_clock_that_was_never_confirmed_holds_unless_it_is_trusted(void **state)
{
	struct wall_clock w = { 0 };
	struct machine m = { .mono_ms = 5000, UNSYNC };
	(void)state;

	run_clock(&w, &m, A_DAY);
	assert_int_equal(wall_clock_hold(&w, false), WALL_CLOCK_UNSYNCHRONISED);
	assert_true(wall_clock_holds_ramps(wall_clock_hold(&w, false)));
	assert_int_equal(wall_clock_hold(&w, true), WALL_CLOCK_RUNS);
	m.lead_ms = HOUR; /* stepped and never confirmed: still held, unless trusted */
	run_clock(&w, &m, TICK);
	assert_true(wall_clock_holds_ramps(wall_clock_hold(&w, false)));
	assert_int_equal(wall_clock_hold(&w, true), WALL_CLOCK_STEPPED);
	m.lead_ms = 0;
	m.synchronised = true;
	run_clock(&w, &m, TICK);
	assert_int_equal(wall_clock_hold(&w, false), WALL_CLOCK_RUNS);
	m.synchronised = false; /* once confirmed, elapsed time carries it on */
	run_clock(&w, &m, A_DAY);
	assert_int_equal(wall_clock_hold(&w, false), WALL_CLOCK_RUNS);
	assert_string_equal(wall_clock_hold_text(WALL_CLOCK_UNSYNCHRONISED), "unsynchronised");
}

static void a_peer_confirms_a_step_of_a_trusted_clock_and_no_more(void **state)
{
	struct wall_clock w = { 0 };
	struct machine m = {
		.mono_ms = 5000, UNSYNC, .trusted = true, .peers = WALL_CLOCK_PEERS_AGREE
	};
	(void)state;

	run_clock(&w, &m, 60000);
	m.lead_ms = HOUR;
	assert_int_equal(run_clock(&w, &m, SETTLE_MS + 2 * TICK), HOUR);
	assert_int_equal(wall_clock_hold(&w, true), WALL_CLOCK_RUNS);
	assert_int_equal(wall_clock_hold(&w, false),
	                 WALL_CLOCK_UNSYNCHRONISED); /* with the setting gone */
	m.peers = WALL_CLOCK_PEERS_NONE;
	m.lead_ms = 2 * HOUR; /* the setting alone confirms nothing */
	assert_int_equal(run_clock(&w, &m, 60000), HOUR);
}

static void after_a_boot_time_goes_on_from_before_it_until_confirmed(void **state)
{
	struct wall_clock w = { 0 };
	struct machine m = { .mono_ms = 5000, UNSYNC };
	int64_t off = 3 * HOUR; /* so long was the machine off */
	(void)state;

	wall_clock_begin(&w, m.mono_ms, START + (int64_t)m.mono_ms - off, true, true);
	assert_int_equal(run_clock(&w, &m, 60000), -off);
	assert_int_equal(wall_clock_hold(&w, true), WALL_CLOCK_BOOTED); /* trusted or not */
	assert_true(wall_clock_holds_ramps(wall_clock_hold(&w, true)));
	m.synchronised = true;
	m.peers = WALL_CLOCK_PEERS_UNHEARD;
	assert_int_equal(run_clock(&w, &m, 60000), -off);
	m.peers = WALL_CLOCK_PEERS_AGREE;
	assert_int_equal(run_clock(&w, &m, SETTLE_MS + TICK), 0);
	assert_int_equal(wall_clock_hold(&w, false), WALL_CLOCK_RUNS);
}

static void a_believed_step_of_a_confirmed_clock_leaves_it_confirmed(void **state)
{
	struct wall_clock w = { 0 };
	struct machine m = {
		.mono_ms = 5000, SYNC, .trusted = true, .peers = WALL_CLOCK_PEERS_AGREE
	};
	(void)state;

	run_clock(&w, &m, 1000);
	m.synchronised = false; /* the kernel's word is gone, the setting and a peer confirm */
	m.lead_ms = HOUR;
	assert_int_equal(run_clock(&w, &m, SETTLE_MS + 2 * TICK), HOUR);
	assert_int_equal(wall_clock_hold(&w, false), WALL_CLOCK_RUNS);
}

static void a_step_taken_back_for_a_moment_begins_to_settle_again(void **state)
{
	struct wall_clock w = { 0 };
	struct machine m = { .mono_ms = 5000, SYNC };
	(void)state;

	run_clock(&w, &m, 1000);
	for (int i = 0; i < 20; i++) {
		m.lead_ms = STEP_MS + 500;
		assert_int_equal(run_clock(&w, &m, SETTLE_MS - TICK), 0);
		m.lead_ms = STEP_MS - 500; /* near, on a course that is hardly another */
		run_clock(&w, &m, TICK);
		m.lead_ms = 0;
		run_clock(&w, &m, 10 * TICK);
	}
}

static void a_boot_that_took_no_time_needs_no_confirmation(void **state)
{
	struct wall_clock w = { 0 };
	struct machine m = { .mono_ms = 5000, UNSYNC };
	(void)state;

	wall_clock_begin(&w, m.mono_ms, START + (int64_t)m.mono_ms - 500, true, true);
	assert_int_equal(wall_clock_hold(&w, false), WALL_CLOCK_BOOTED);
	run_clock(&w, &m, TICK);
	assert_int_equal(wall_clock_hold(&w, true), WALL_CLOCK_RUNS);
	assert_int_equal(wall_clock_hold(&w, false),
	                 WALL_CLOCK_UNSYNCHRONISED); /* the kernel's word is waited for */
}

/*
 * A clock that is confirmed by all there is, as it stands @p lead_ms ahead @p mono_ms after the
 * boot.
 */
static int64_t tick_clock(struct wall_clock *w, uint64_t mono_ms, int64_t lead_ms)
{
	const struct wall_clock_now now = { .mono_ms = mono_ms,
		                            .clock_ms = START + (int64_t)mono_ms + lead_ms,
		                            SYNC,
		                            .peers = WALL_CLOCK_PEERS_NONE };

	return wall_clock_tick(w, &now) - START - (int64_t)mono_ms;
}

static void an_error_is_a_step_when_it_is_larger_than_two_seconds(void **state)
{
	static const struct {
		int64_t lead_ms, believed_ms, off_by_ms;
	} cases[] = {
		{ STEP_MS, 10, 0 },   { STEP_MS + 1, 0, STEP_MS + 1 },
		{ -STEP_MS, -10, 0 }, { -STEP_MS - 1, 0, -STEP_MS - 1 },
		{ 9, 9, 0 },          { 10, 10, 0 },
		{ 11, 10, 0 },        { -9, -9, 0 },
		{ -10, -10, 0 },      { -11, -10, 0 },
		{ 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wall_clock w = { 0 };

		assert_int_equal(tick_clock(&w, 1000, 0), 0);
		assert_int_equal(tick_clock(&w, 1109, cases[i].lead_ms), cases[i].believed_ms);
		assert_int_equal(w.off_by_ms, cases[i].off_by_ms);
	}
}

static void a_step_is_believed_after_just_its_time(void **state)
{
	struct wall_clock w = { 0 };

	(void)state;
	assert_int_equal(tick_clock(&w, 0, 0), 0); /* also from the boot's first instant on */
	assert_int_equal(tick_clock(&w, 0, HOUR), 0);
	assert_int_equal(tick_clock(&w, SETTLE_MS, HOUR), 0); /* 0 is no time: it counts from 1 */
	assert_int_equal(tick_clock(&w, SETTLE_MS + 1, HOUR), HOUR);
	assert_int_equal(tick_clock(&w, 10000, 2 * HOUR), HOUR);
	assert_int_equal(tick_clock(&w, 10000 + SETTLE_MS - 1, 2 * HOUR), HOUR);
	assert_int_equal(w.off_by_ms, HOUR);
	assert_int_equal(tick_clock(&w, 10000 + SETTLE_MS, 2 * HOUR), 2 * HOUR);
	assert_int_equal(w.off_by_ms, 0);
}

/* While it settles, a clock may wander as far as is no step; beyond that it begins again. */
static void a_course_that_is_left_begins_again(void **state)
{
	(void)state;
	for (int64_t wander = STEP_MS; wander <= STEP_MS + 1; wander++)
		for (int sign = -1; sign <= 1; sign += 2) {
			struct wall_clock w = { 0 };
			bool kept = wander == STEP_MS;

			tick_clock(&w, 1000, 0);
			tick_clock(&w, 2000, HOUR);
			assert_int_equal(tick_clock(&w, 6000, HOUR + sign * wander), 0);
			assert_int_equal(tick_clock(&w, 2000 + SETTLE_MS, HOUR + sign * wander),
			                 kept ? HOUR + sign * wander : 0);
			if (!kept)
				assert_int_equal(
				        tick_clock(&w, 5999 + SETTLE_MS, HOUR + sign * wander), 0);
			assert_int_equal(tick_clock(&w, 6000 + SETTLE_MS, HOUR + sign * wander),
			                 HOUR + sign * wander);
		}
}

static void each_hold_has_its_word_and_stops_ramps_or_not(void **state)
{
	static const struct {
		bool booted, confirmed, trusted;
		int64_t off_by_ms;
		enum wall_clock_hold hold;
		const char *text;
		bool holds;
	} cases[] = {
		{ false, true, false, 0, WALL_CLOCK_RUNS, "good", false },
		{ false, false, true, 0, WALL_CLOCK_RUNS, "good", false },
		{ false, false, false, 0, WALL_CLOCK_UNSYNCHRONISED, "unsynchronised", true },
		{ false, false, false, 9, WALL_CLOCK_UNSYNCHRONISED, "unsynchronised", true },
		{ false, true, false, 9, WALL_CLOCK_STEPPED, "stepped", false },
		{ false, false, true, -9, WALL_CLOCK_STEPPED, "stepped", false },
		{ true, true, true, 9, WALL_CLOCK_BOOTED, "booted", true },
		{ true, false, false, 0, WALL_CLOCK_BOOTED, "booted", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct wall_clock w = { .booted = cases[i].booted,
			                      .confirmed = cases[i].confirmed,
			                      .off_by_ms = cases[i].off_by_ms };
		enum wall_clock_hold hold = wall_clock_hold(&w, cases[i].trusted);

		assert_int_equal(hold, cases[i].hold);
		assert_string_equal(wall_clock_hold_text(hold), cases[i].text);
		assert_int_equal(wall_clock_holds_ramps(hold), cases[i].holds);
	}
}

SUITE(wall)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_is_a_step_when_it_is_larger_than_two_seconds),
		cmocka_unit_test(a_step_is_believed_after_just_its_time),
		cmocka_unit_test(a_course_that_is_left_begins_again),
		cmocka_unit_test(each_hold_has_its_word_and_stops_ramps_or_not),
		cmocka_unit_test(time_goes_on_as_if_nothing_had_stepped),
		cmocka_unit_test(a_step_is_believed_when_kernel_and_a_peer_confirm_it),
		cmocka_unit_test(what_confirms_a_step_must_last),
		cmocka_unit_test(hourly_steps_there_and_back_are_never_seen),
		cmocka_unit_test(a_person_accepts_the_new_time_at_once),
		cmocka_unit_test(a_step_that_is_taken_back_leaves_no_trace),
		cmocka_unit_test(a_small_error_is_slewed_and_time_never_goes_back),
		cmocka_unit_test(a_clock_that_was_never_confirmed_holds_unless_it_is_trusted),
		cmocka_unit_test(a_peer_confirms_a_step_of_a_trusted_clock_and_no_more),
		cmocka_unit_test(after_a_boot_time_goes_on_from_before_it_until_confirmed),
		cmocka_unit_test(a_believed_step_of_a_confirmed_clock_leaves_it_confirmed),
		cmocka_unit_test(a_step_taken_back_for_a_moment_begins_to_settle_again),
		cmocka_unit_test(a_boot_that_took_no_time_needs_no_confirmation),
	};

	return cmocka_run_group_tests_name("wall", tests, NULL, NULL);
}
