/* SPDX-License-Identifier: BSD-2-Clause */
/* Ramps of drains: by their schedule, held and going on; what is kept of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/proc.h"
#include "dns/steering/ramps.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define T        1790000000000
#define TICK     100
#define OVER     100000
#define UNTIL    (T + 1000000)

/* One drain, followed tick by tick. */
struct world {
	struct model_override o;
	struct model_site site;
	struct model m;
	struct ramps r;
	int64_t wall_clock_ms;
	uint64_t now_ms;
	bool up, clock_held;
	char dir[32];
};

static bool is_up(void *arg, const struct model_site *site)
{
	struct world *w = arg;

	assert_string_equal(site->name, "ams");
	return w->up;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	strcpy(w->dir, "/tmp/weir-ramps.XXXXXX");
	if (!mkdtemp(w->dir) || ramps_open(&w->r, w->dir) != 0)
		return -1;
	w->o = (struct model_override){ .id = "ams-1-x",
		                        .name = "ams",
		                        .generation = 1,
		                        .from_ms = T,
		                        .over_ms = OVER,
		                        .until_ms = UNTIL };
	w->site = (struct model_site){ .name = "ams" };
	w->m = (struct model){
		.sites = &w->site, .n_sites = 1, .overrides = &w->o, .n_overrides = 1
	};
	w->wall_clock_ms = T - 1000;
	w->now_ms = 5000;
	w->up = true;
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	char command[64];

	ramps_close(&w->r);
	snprintf(command, sizeof(command), "rm -r %s", w->dir);
	free(w);
	return system(command);
}

static uint32_t level_of(const struct world *w)
{
	return model_override_ppm(&w->o, ramps_time(&w->r, &w->o, w->wall_clock_ms));
}

static void step_world(struct world *w)
{
	const struct ramps_step_input in = { .model = &w->m,
		                             .wall_clock_ms = w->wall_clock_ms,
		                             .now_ms = w->now_ms,
		                             .clock_held = w->clock_held,
		                             .is_up = is_up,
		                             .arg = w };

	ramps_step_all(&w->r, &in);
}

static uint32_t distance_of(uint32_t a, uint32_t b)
{
	return a > b ? a - b : b - a;
}

/* Go on to @p wall_clock_ms; at no tick does the level move faster than its ramp. */
static void run_to(struct world *w, int64_t wall_clock_ms)
{
	while (w->wall_clock_ms < wall_clock_ms) {
		uint32_t before = level_of(w);

		w->wall_clock_ms += TICK;
		w->now_ms += TICK;
		step_world(w);
		if (w->o.over_ms &&
		    distance_of(before, level_of(w)) > 1 + (uint64_t)1000000 * TICK * 9 / 8 / OVER)
			fail_msg("from %u to %u in a tick", before, level_of(w));
	}
}

/* The process ends, and another begins @p later_ms afterwards. */
static void restart_world(struct world *w, int64_t later_ms)
{
	assert_int_equal(ramp_write(w->dir, w->r.items, w->r.n), 0);
	ramps_close(&w->r);
	assert_int_equal(ramps_open(&w->r, w->dir), 0);
	w->wall_clock_ms += later_ms;
	w->now_ms += (uint64_t)later_ms;
	step_world(w);
}

static enum ramp_how how_of(const struct world *w)
{
	return ramps_how(&w->r, &w->o);
}

static void with_nothing_in_the_way_the_schedule_is_followed(void **state)
{
	struct world *w = *state;

	for (int64_t at = T - 900; at < UNTIL + OVER + 1000; at += 7 * TICK) {
		run_to(w, at);
		assert_int_equal(level_of(w), model_override_ppm(&w->o, w->wall_clock_ms));
		assert_int_equal(how_of(w), RAMP_FREE);
	}
	assert_int_equal(level_of(w), 0);
}

static void a_site_that_is_not_up_stays_drained_and_returns_by_its_ramp(void **state)
{
	struct world *w = *state;

	w->up = false; /* which says nothing before `until` */
	run_to(w, UNTIL - TICK);
	assert_int_equal(level_of(w), 1000000);
	assert_int_equal(how_of(w), RAMP_FREE);
	run_to(w, UNTIL + 10 * OVER);
	assert_int_equal(level_of(w), 1000000);
	assert_int_equal(how_of(w), RAMP_HELD_SITE);
	assert_int_equal(ramps_held(&w->r, RAMP_HELD_SITE), 1);
	w->up = true;
	run_to(w, UNTIL + 10 * OVER + OVER / 2);
	assert_int_equal(how_of(w), RAMP_LATE);
	assert_true(distance_of(level_of(w), 500000) < 5000);
	w->up = false; /* on its way back it stops again */
	run_to(w, UNTIL + 20 * OVER);
	assert_true(distance_of(level_of(w), 500000) < 5000);
	assert_int_equal(how_of(w), RAMP_HELD_SITE);
	w->up = true;
	run_to(w, UNTIL + 20 * OVER + OVER / 2 + 1000);
	assert_int_equal(level_of(w), 0);
	w->up = false; /* what has returned is no drain any more */
	run_to(w, UNTIL + 21 * OVER);
	assert_int_equal(level_of(w), 0);
	assert_int_equal(w->r.n, 0);
}

static void a_drain_without_a_ramp_is_held_too(void **state)
{
	struct world *w = *state;

	w->o.over_ms = 0;
	w->up = false;
	run_to(w, UNTIL + 5000);
	assert_int_equal(level_of(w), 1000000);
	assert_int_equal(how_of(w), RAMP_HELD_SITE);
	w->up = true;
	run_to(w, UNTIL + 5000 + TICK);
	assert_int_equal(level_of(w), 0);
}

static void a_clock_that_is_not_to_be_trusted_holds_what_moves(void **state)
{
	struct world *w = *state;

	run_to(w, T + OVER / 4);
	w->clock_held = true;
	run_to(w, T + OVER);
	assert_int_equal(level_of(w), 250000);
	assert_int_equal(how_of(w), RAMP_HELD_CLOCK);
	w->clock_held = false;
	run_to(w, T + OVER + OVER / 4);
	assert_true(distance_of(level_of(w), 500000) < 5000);
	assert_int_equal(how_of(w), RAMP_LATE);
	run_to(w, T + 2 * OVER);
	assert_int_equal(level_of(w), 1000000);
	assert_int_equal(how_of(w), RAMP_FREE); /* it has caught up: the next turn is on time */
	w->clock_held = true;
	run_to(w, UNTIL + OVER);
	assert_int_equal(level_of(w), 1000000); /* no return begins either */
	assert_int_equal(how_of(w), RAMP_HELD_CLOCK);
}

static void a_clock_does_not_hold_what_takes_no_time(void **state)
{
	struct world *w = *state;

	w->o.over_ms = 0;
	w->clock_held = true;
	run_to(w, T + TICK);
	assert_int_equal(level_of(w), 1000000);
	assert_int_equal(how_of(w), RAMP_FREE);
}

static void no_step_of_the_clock_makes_a_level_jump(void **state)
{
	struct world *w = *state;

	run_to(w, T + OVER / 4);
	w->wall_clock_ms += OVER / 2;
	run_to(w, w->wall_clock_ms + 1000);
	assert_true(distance_of(level_of(w), 260000) < 5000);
	run_to(w, T + 3 * OVER);
	assert_int_equal(level_of(w), 1000000);
	run_to(w, UNTIL + OVER / 2);
	w->wall_clock_ms -= OVER / 4;
	run_to(w, w->wall_clock_ms + OVER / 8);
	assert_int_equal(level_of(w), 500000); /* it waits for the clock */
	run_to(w, w->wall_clock_ms + OVER);
	assert_int_equal(level_of(w), 0);
}

static void a_restart_goes_on_where_it_was(void **state)
{
	struct world *w = *state;

	run_to(w, T + OVER / 2);
	restart_world(w, OVER / 4); /* by the schedule, as the other nodes */
	assert_int_equal(level_of(w), 750000);
	run_to(w, UNTIL - TICK);
	w->up = false;
	restart_world(w, 5 * OVER); /* it expired meanwhile, and is long past by the schedule */
	assert_int_equal(level_of(w), 1000000);
	assert_int_equal(how_of(w), RAMP_HELD_SITE);
	restart_world(w, 5 * OVER);
	assert_int_equal(level_of(w), 1000000);
	w->up = true;
	run_to(w, w->wall_clock_ms + OVER / 2);
	restart_world(w, 5 * OVER);
	assert_true(distance_of(level_of(w), 500000) < 5000);
	run_to(w, w->wall_clock_ms + OVER);
	assert_int_equal(level_of(w), 0);
	restart_world(w, 1000);
	assert_int_equal(level_of(w), 0);
}

static void what_was_never_seen_goes_by_its_schedule(void **state)
{
	struct world *w = *state;

	w->up = false;
	w->wall_clock_ms = UNTIL + OVER / 2;
	step_world(w);
	assert_int_equal(level_of(w), 500000);
	run_to(w, UNTIL + OVER);
	assert_int_equal(level_of(w), 500000); /* and not towards a site that is not up */
	w->o.generation = 2;                   /* a person has changed it */
	step_world(w);
	assert_int_equal(level_of(w), 0);
	assert_int_equal(w->r.n, 0);
}

static void others_than_drains_of_sites_have_no_ramp(void **state)
{
	struct world *w = *state;

	run_to(w, T + OVER / 2);
	assert_int_equal(w->r.n, 1); /* in the middle of it, so that time alone ends nothing */
	w->o.kind = MODEL_OVERRIDE_DISABLE;
	step_world(w);
	assert_int_equal(w->r.n, 0);
	w->o.kind = MODEL_OVERRIDE_DRAIN;
	w->o.target = MODEL_TARGET_BACKEND;
	step_world(w);
	assert_int_equal(w->r.n, 0);
	w->o.target = MODEL_TARGET_SITE;
	step_world(w);
	assert_int_equal(w->r.n, 1);
	w->clock_held = true; /* nor does a hold outlive the drain that it holds */
	run_to(w, w->wall_clock_ms + TICK);
	assert_int_equal(how_of(w), RAMP_HELD_CLOCK);
	w->o.ended = true;
	assert_int_equal(how_of(w), RAMP_FREE);
	step_world(w);
	assert_int_equal(w->r.n, 0);
}

static void never_and_the_end_of_time_are_instants_too(void **state)
{
	struct world *w = *state;

	w->o.until_ms = MODEL_TIME_NEVER;
	w->up = false;
	run_to(w, T + 2 * OVER);
	assert_int_equal(level_of(w), 1000000);
	assert_int_equal(how_of(w), RAMP_FREE);
	w->o = (struct model_override){ .id = "a",
		                        .name = "ams",
		                        .generation = 1,
		                        .from_ms = INT64_MAX,
		                        .over_ms = INT64_MAX,
		                        .until_ms = INT64_MAX };
	step_world(w);
	assert_int_equal(level_of(w), 0);
}

static void half_a_file_is_none(void **state)
{
	static const char *const bad[] = {
		"",
		"weir-ramps 1\n",
		"weir-ramps 3\nend\n",
		"weir-ramps 1\nx 1 5 free\n",
		"weir-ramps 1\nx 1 5 free\nend\nx",
		"weir-ramps 1\nx 1 5\nend\n",
		"weir-ramps 1\nx 1 5 free more\nend\n",
		"weir-ramps 1\nx 0 5 free\nend\n",
		"weir-ramps 1\nx -1 5 free\nend\n",
		"weir-ramps 1\nx 1 99999999999999999999 free\nend\n",
		"weir-ramps 1\nx 1 5 hold\nend\n",
		"weir-ramps 1\n 1 5 free\nend\n",
		"weir-ramps 1\nabcdefghijabcdefghijabcdefghijab 1 5 free\nend\n",
	};
	struct world *w = *state;
	struct ramp_record *out = calloc(RAMP_RECORDS_MAX, sizeof(*out));
	char path[PATH_MAX];

	assert_non_null(out);
	assert_int_equal(ramp_read(w->dir, out), 0); /* no file */
	assert_int_equal(proc_path(w->dir, RAMP_FILE, path), 0);
	for (size_t i = 0; i < COUNT(bad); i++) {
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		fputs(bad[i], f);
		fclose(f);
		if (ramp_read(w->dir, out) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	}
	assert_int_equal(out[0].generation, 0);
	ramps_close(&w->r);
	assert_int_equal(ramps_open(&w->r, w->dir), -EINVAL); /* without it, by the schedule */
	run_to(w, T + OVER / 2);
	assert_int_equal(level_of(w), 500000);
	assert_true(w->r.changed);
	assert_int_equal(ramp_write(w->dir, w->r.items, w->r.n), 0);
	assert_int_equal(ramp_read(w->dir, out), 1);
	assert_string_equal(out[0].id, "ams-1-x");
	assert_true(out[0].at_ms == T + OVER / 2);
	free(out);
}

static void what_is_kept_is_written_at_turns_and_while_it_is_late(void **state)
{
	struct world *w = *state;
	unsigned n = 0;

	for (; w->wall_clock_ms < UNTIL + 2 * OVER; w->r.changed = false) {
		run_to(w, w->wall_clock_ms + TICK);
		n += w->r.changed;
	}
	assert_int_equal(n, 6); /* seen, rising, drained, returning, over, gone */
	assert_int_equal(w->r.n, 0);
}

/*
 * Health changes between two readings of the clock: each is a step, and none of them costs the
 * ramp any time.
 */
static void steps_between_two_ticks_take_nothing_from_a_ramp(void **state)
{
	struct world *w = *state;

	w->up = false;
	run_to(w, UNTIL + OVER);
	w->up = true;
	for (unsigned i = 0; i < OVER / TICK / 2; i++) {
		w->wall_clock_ms += TICK;
		w->now_ms += TICK / 2;
		step_world(w);
		w->now_ms += TICK / 2;
		step_world(w);
	}
	assert_int_equal(how_of(w), RAMP_LATE);
	assert_true(distance_of(level_of(w), 500000) < 5000);
}

static void a_late_ramp_is_written_once_a_second(void **state)
{
	struct world *w = *state;
	unsigned n = 0;

	w->up = false;
	run_to(w, UNTIL + OVER);
	w->up = true;
	run_to(w, w->wall_clock_ms + 10 * TICK);
	for (unsigned i = 0; i < 200; i++) {
		w->r.changed = false;
		run_to(w, w->wall_clock_ms + TICK);
		n += w->r.changed;
	}
	assert_int_equal(how_of(w), RAMP_LATE);
	assert_in_range(n, 19, 21);
}

static void what_goes_by_its_schedule_can_be_forgotten(void **state)
{
	struct world *w = *state;

	run_to(w, T + OVER / 2);
	for (int i = 0; i < RAMP_HOW_COUNT; i++) {
		w->r.items[0].how = (enum ramp_how)i;
		w->r.n = 1;
		ramps_only_held(&w->r);
		assert_int_equal(w->r.n, i == RAMP_FREE ? 0 : 1);
	}
	w->r.items[0].how = RAMP_FREE; /* a step's level is known from its record alone */
	w->r.items[0].level_known = true;
	w->r.n = 1;
	ramps_only_held(&w->r);
	assert_int_equal(w->r.n, 1);
}

/*
 * Drains of two sites, of one that there is not, and a second one of the first: each by its own
 * site, schedule and record.
 */
static bool is_up_of(void *arg, const struct model_site *site)
{
	return strcmp(site->name, arg) == 0;
}

static void each_drain_goes_by_its_own_site(void **state)
{
	struct world *w = *state;
	const struct model_site sites[] = { { .name = "ams" }, { .name = "fra" } };
	struct model_override o[4];
	struct model m = { .sites = sites, .n_sites = 2, .overrides = o, .n_overrides = 4 };
	static char fra[] = "fra";
	struct ramps_step_input in = { .model = &m, .is_up = is_up_of, .arg = fra };

	for (unsigned i = 0; i < 4; i++) {
		static const char *const ids[] = { "a", "b", "c", "d" };
		static const char *const names[] = { "ams", "xyz", "fra", "ams" };

		o[i] = w->o;
		o[i].id = ids[i];
		o[i].name = names[i];
		o[i].until_ms = UNTIL + (i == 3 ? OVER : 0);
	}
	for (in.wall_clock_ms = UNTIL - 1000, in.now_ms = 5000;
	     in.wall_clock_ms <= UNTIL + OVER / 2; in.wall_clock_ms += TICK, in.now_ms += TICK)
		ramps_step_all(&w->r, &in);
	in.wall_clock_ms -= TICK;
	assert_int_equal(w->r.n, 3);
	assert_int_equal(ramps_how(&w->r, &o[0]), RAMP_HELD_SITE); /* ams is down */
	assert_int_equal(ramps_how(&w->r, &o[1]), RAMP_FREE);
	assert_int_equal(ramps_how(&w->r, &o[2]), RAMP_FREE); /* fra is up: it returns */
	assert_int_equal(ramps_how(&w->r, &o[3]), RAMP_FREE); /* its return is to come */
	assert_true(ramps_time(&w->r, &o[0], in.wall_clock_ms) == UNTIL - 1);
	assert_true(ramps_time(&w->r, &o[2], in.wall_clock_ms) == in.wall_clock_ms);
	assert_int_equal(ramps_held(&w->r, RAMP_HELD_SITE), 1);
	o[0].ended = true; /* the others are who they were */
	in.wall_clock_ms += TICK;
	in.now_ms += TICK;
	w->r.changed = false;
	ramps_step_all(&w->r, &in);
	assert_true(w->r.changed);
	assert_int_equal(w->r.n, 2);
	assert_string_equal(w->r.items[0].id, "c");
	assert_string_equal(w->r.items[1].id, "d");
	assert_int_equal(ramps_held(&w->r, RAMP_HELD_SITE), 0);
}

/*
 * A drain whose record is of before the restart, at each place of its schedule, free or held; and
 * what becomes of it.
 */
static void a_restart_takes_each_record_for_what_it_is_worth(void **state)
{
	static const struct {
		const char *why;
		int64_t at_ms, wall_clock_ms, expected_ms;
		enum ramp_how how;
	} cases[] = {
		{ "on its way there: by the schedule", T + 100, T + 900, T + 900, RAMP_FREE },
		{ "there, and still", T + OVER, UNTIL - 1, UNTIL - 1, RAMP_FREE },
		{ "its return falls due now", T + OVER, UNTIL, UNTIL, RAMP_FREE },
		{ "its return was due long ago", T + OVER, UNTIL + OVER, UNTIL, RAMP_FREE },
		{ "it was returning: by the schedule", UNTIL, UNTIL + 700, UNTIL + 700, RAMP_FREE },
		{ "held by its site", UNTIL - 1, UNTIL + OVER, UNTIL, RAMP_HELD_SITE },
		{ "held by the clock", T + 100, T + 900, T + 100, RAMP_HELD_CLOCK },
		{ "late", UNTIL + 50, UNTIL + 700, UNTIL + 50, RAMP_LATE },
	};
	struct world *w = *state;

	w->up = true;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %s\n", cases[i].why);
		ramps_close(&w->r);
		assert_int_equal(ramps_open(&w->r, w->dir), 0);
		w->r.items[0] = (struct ramp_record){ .id = "ams-1-x",
			                              .generation = 1,
			                              .at_ms = cases[i].at_ms,
			                              .how = cases[i].how };
		w->r.n = 1;
		w->wall_clock_ms = cases[i].wall_clock_ms;
		step_world(w); /* the first: no time has passed */
		assert_int_equal(w->r.n, 1);
		assert_true(w->r.items[0].at_ms == cases[i].expected_ms);
		assert_true(w->r.changed);
		assert_false(w->r.restored);
	}
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(with_nothing_in_the_way_the_schedule_is_followed),
		WITH(a_site_that_is_not_up_stays_drained_and_returns_by_its_ramp),
		WITH(a_drain_without_a_ramp_is_held_too),
		WITH(a_clock_that_is_not_to_be_trusted_holds_what_moves),
		WITH(a_clock_does_not_hold_what_takes_no_time),
		WITH(no_step_of_the_clock_makes_a_level_jump),
		WITH(a_restart_goes_on_where_it_was),
		WITH(what_was_never_seen_goes_by_its_schedule),
		WITH(others_than_drains_of_sites_have_no_ramp),
		WITH(never_and_the_end_of_time_are_instants_too),
		WITH(half_a_file_is_none),
		WITH(what_is_kept_is_written_at_turns_and_while_it_is_late),
		WITH(steps_between_two_ticks_take_nothing_from_a_ramp),
		WITH(a_late_ramp_is_written_once_a_second),
		WITH(what_goes_by_its_schedule_can_be_forgotten),
		WITH(each_drain_goes_by_its_own_site),
		WITH(a_restart_takes_each_record_for_what_it_is_worth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
