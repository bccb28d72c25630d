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
#include "tests/unit/suite.h"

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
		"weir-ramps 2\nend\n",
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

#define INSTANTS 9

/* What a ramp finds in its way, and where it is after one step from each instant to each other. */
struct way {
	const char *why;
	int64_t from_ms, until_ms, over_ms, passed_ms;
	bool up, clock_held, restored;
	enum ramp_how how; /* before */
	/*
	 * A row for each instant that was in force, with a column for each instant of the wall clock.
	 * Instants are just before the ramp begins (a), its begin (b), just before its end (c), its
	 * end (d), and so on for the return (e to h), and after that (i); others as numbers. Then f
	 * for free, l late, c held by the clock, s by the site; ! that it is written to the file; a
	 * point: it has no ramp any more.
	 */
	const char *after[INSTANTS];
};

static const struct way ways[] = {
	{ "nothing",
	  1000,
	  1300,
	  100,
	  1000,
	  true,
	  false,
	  false,
	  RAMP_FREE,
	  { "af bf! cf! df! ef! ff! gf! hf! if!", "af! bf cf df! ef! ff! gf! hf! if!",
	    "af! cl! cf df! ef! ff! gf! hf! if!", "af! bf! cf! df ef ff! gf! hf! if!",
	    "af! bf! cf! df ef ff! gf! hf! if!", "af! bf! cf! df! ef! ff gf hf! if!",
	    "af! bf! cf! df! ef! gl! gf hf! if!", "af! bf! cf! df! ef! ff! gf! .! .!",
	    "af! bf! cf! df! ef! ff! gf! .! .!" } },
	{ "a site that is not up",
	  1000,
	  1300,
	  100,
	  1000,
	  false,
	  false,
	  false,
	  RAMP_FREE,
	  { "af bf! cf! df! ef! es! es! es! es!", "af! bf cf df! ef! es! es! es! es!",
	    "af! cl! cf df! ef! es! es! es! es!", "af! bf! cf! df ef es! es! es! es!",
	    "af! bf! cf! df ef es! es! es! es!", "af! bf! cf! df! ef! ff fs! fs! fs!",
	    "af! bf! cf! df! ef! gl! gf gs! gs!", "af! bf! cf! df! ef! ff! gf! .! .!",
	    "af! bf! cf! df! ef! ff! gf! .! .!" } },
	{ "the clock",
	  1000,
	  1300,
	  100,
	  1000,
	  true,
	  true,
	  false,
	  RAMP_FREE,
	  { "af bf! bc! bc! bc! bc! bc! bc! bc!", "af! bf bc! bc! bc! bc! bc! bc! bc!",
	    "af! cl! cf cc! cc! cc! cc! cc! cc!", "af! bf! cf! df ef ff! fc! fc! fc!",
	    "af! bf! cf! df ef ff! fc! fc! fc!", "af! bf! cf! df! ef! ff fc! fc! fc!",
	    "af! bf! cf! df! ef! gl! gf gc! gc!", "af! bf! cf! df! ef! ff! gf! .! .!",
	    "af! bf! cf! df! ef! ff! gf! .! .!" } },
	{ "both",
	  1000,
	  1300,
	  100,
	  1000,
	  false,
	  true,
	  false,
	  RAMP_FREE,
	  { "af bf! bc! bc! bc! bc! bc! bc! bc!", "af! bf bc! bc! bc! bc! bc! bc! bc!",
	    "af! cl! cf cc! cc! cc! cc! cc! cc!", "af! bf! cf! df ef es! es! es! es!",
	    "af! bf! cf! df ef es! es! es! es!", "af! bf! cf! df! ef! ff fs! fs! fs!",
	    "af! bf! cf! df! ef! gl! gf gs! gs!", "af! bf! cf! df! ef! ff! gf! .! .!",
	    "af! bf! cf! df! ef! ff! gf! .! .!" } },
	{ "little time",
	  1000,
	  1300,
	  100,
	  50,
	  true,
	  false,
	  false,
	  RAMP_LATE,
	  { "af! bf! 1050l! 1050l! 1050l! 1050l! 1050l! 1050l! 1050l!",
	    "af! bf! 1050l 1050l 1050l 1050l 1050l 1050l 1050l",
	    "af! cl cf! df! 1149l! 1149l! 1149l! 1149l! 1149l!",
	    "af! bf! cf! df! ef! ff! 1350l! 1350l! 1350l!",
	    "af! bf! cf! df! ef! ff! 1350l! 1350l! 1350l!",
	    "af! bf! cf! df! ef! ff! 1350l 1350l 1350l", "af! bf! cf! df! ef! gl gf! hf! if!",
	    "af! bf! cf! df! ef! ff! gf! .! .!", "af! bf! cf! df! ef! ff! gf! .! .!" } },
	{ "a restart",
	  1000,
	  1300,
	  100,
	  0,
	  true,
	  false,
	  true,
	  RAMP_FREE,
	  { "af! bf! cf! df! ef! ff! fl! fl! fl!", "af! bf! cf! df! ef! ff! fl! fl! fl!",
	    "af! bf! cf! df! ef! ff! fl! fl! fl!", "af! bf! cf! df! ef! ff! fl! fl! fl!",
	    "af! bf! cf! df! ef! ff! fl! fl! fl!", "af! bf! cf! df! ef! ff! gf! hf! if!",
	    "af! bf! cf! df! ef! ff! gf! hf! if!", "af! bf! cf! df! ef! ff! gf! .! .!",
	    "af! bf! cf! df! ef! ff! gf! .! .!" } },
	{ "a restart while late",
	  1000,
	  1300,
	  100,
	  0,
	  true,
	  false,
	  true,
	  RAMP_LATE,
	  { "af! bf! bl! bl! bl! bl! bl! bl! bl!", "af! bf! bl! bl! bl! bl! bl! bl! bl!",
	    "af! cl! cf! cl! cl! cl! cl! cl! cl!", "af! bf! cf! df! ef! ff! fl! fl! fl!",
	    "af! bf! cf! df! ef! ff! fl! fl! fl!", "af! bf! cf! df! ef! ff! fl! fl! fl!",
	    "af! bf! cf! df! ef! gl! gf! gl! gl!", "af! bf! cf! df! ef! ff! gf! .! .!",
	    "af! bf! cf! df! ef! ff! gf! .! .!" } },
	{ "no length, the clock",
	  1000,
	  1300,
	  0,
	  1000,
	  true,
	  true,
	  false,
	  RAMP_FREE,
	  { "af bf! af bf! ef! ff! ef! ff! if!", "af! bf af! bf ef ff! ef ff! if!",
	    "af bf! af bf! ef! ff! ef! ff! if!", "af! bf af! bf ef ff! ef ff! if!",
	    "af! bf af! bf ef ff! ef ff! if!", "af! bf! af! bf! ef! .! ef! .! .!",
	    "af! bf af! bf ef ff! ef ff! if!", "af! bf! af! bf! ef! .! ef! .! .!",
	    "af! bf! af! bf! ef! .! ef! .! .!" } },
	{ "no length, a site",
	  1000,
	  1300,
	  0,
	  1000,
	  false,
	  false,
	  false,
	  RAMP_FREE,
	  { "af bf! af bf! ef! es! ef! es! es!", "af! bf af! bf ef es! ef es! es!",
	    "af bf! af bf! ef! es! ef! es! es!", "af! bf af! bf ef es! ef es! es!",
	    "af! bf af! bf ef es! ef es! es!", "af! bf! af! bf! ef! .! ef! .! .!",
	    "af! bf af! bf ef es! ef es! es!", "af! bf! af! bf! ef! .! ef! .! .!",
	    "af! bf! af! bf! ef! .! ef! .! .!" } },
	{ "no time to get there, a restart",
	  1000,
	  1050,
	  100,
	  0,
	  true,
	  false,
	  true,
	  RAMP_FREE,
	  { "af! bf! el! el! ef! el! el! el! el!", "af! bf! el! el! ef! el! el! el! el!",
	    "af! bf! cf! df! ef! ff! gf! hf! if!", "af! bf! cf! df! ef! ff! gf! hf! if!",
	    "af! bf! el! el! ef! el! el! el! el!", "af! bf! cf! df! ef! ff! gf! hf! if!",
	    "af! bf! cf! df! ef! ff! gf! hf! if!", "af! bf! cf! df! ef! ff! gf! .! .!",
	    "af! bf! cf! df! ef! ff! gf! .! .!" } },
	{ "no time to get there",
	  1000,
	  1050,
	  100,
	  1000,
	  true,
	  false,
	  false,
	  RAMP_FREE,
	  { "af bf! cf! df! ef! ff! gf! hf! if!", "af! bf cf! df! ef ff! gf! hf! if!",
	    "af! bf! cf df ef! cl! gf hf! if!", "af! bf! dl! df ef! dl! gf hf! if!",
	    "af! el! cf! df! ef ff! gf! hf! if!", "af! bf! cf df ef! ff gf hf! if!",
	    "af! bf! gl! gl! ef! gl! gf hf! if!", "af! bf! cf! df! ef! ff! gf! .! .!",
	    "af! bf! cf! df! ef! ff! gf! .! .!" } },
	{ "over before it begins, the clock",
	  1400,
	  1300,
	  100,
	  1000,
	  true,
	  true,
	  false,
	  RAMP_FREE,
	  { "af ac! ac! ac! ef! al! af ac! ac!", "af! .! .! .! ef! ff! af! .! .!",
	    "af! .! .! .! ef! ff! af! .! .!", "af! .! .! .! ef! ff! af! .! .!",
	    "fc! fc! fc! fc! ef ff! fc! fc! fc!", "fc! fc! fc! fc! ef! ff fc! fc! fc!",
	    "af ac! ac! ac! ef! al! af ac! ac!", "af! .! .! .! ef! ff! af! .! .!",
	    "af! .! .! .! ef! ff! af! .! .!" } },
};

/* What a person has stopped, and since when. */
static void a_hold_of_a_person_is_found_by_all_that_it_says(void **state)
{
	static const struct {
		const char *name;
		enum model_override_kind kind;
		enum model_target_kind target;
		bool ended;
		int64_t from_ms, until_ms, since_ms;
	} cases[] = {
		{ "ams", MODEL_OVERRIDE_HOLD, MODEL_TARGET_SITE, false, 50, 101, 50 },
		{ "ams", MODEL_OVERRIDE_HOLD, MODEL_TARGET_SITE, false, 100, 101, 100 },
		{ "ams", MODEL_OVERRIDE_HOLD, MODEL_TARGET_SITE, false, 101, 102,
		  MODEL_TIME_NEVER },
		{ "ams", MODEL_OVERRIDE_HOLD, MODEL_TARGET_SITE, false, 50, 100, MODEL_TIME_NEVER },
		{ "ams", MODEL_OVERRIDE_HOLD, MODEL_TARGET_SITE, true, 50, 101, MODEL_TIME_NEVER },
		{ "ams", MODEL_OVERRIDE_HOLD, MODEL_TARGET_BACKEND, false, 50, 101,
		  MODEL_TIME_NEVER },
		{ "ams", MODEL_OVERRIDE_DRAIN, MODEL_TARGET_SITE, false, 50, 101,
		  MODEL_TIME_NEVER },
		{ "fra", MODEL_OVERRIDE_HOLD, MODEL_TARGET_SITE, false, 50, 101, MODEL_TIME_NEVER },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct model_override own = { .name = "ams", .generation = 9 };
		struct model_override o[3];
		struct model m = { .overrides = o, .n_overrides = 3 };

		for (unsigned k = 0; k < 3; k++)
			o[k] = (struct model_override){ .kind = cases[i].kind,
				                        .name = cases[i].name,
				                        .target = cases[i].target,
				                        .ended = cases[i].ended,
				                        .from_ms = cases[i].from_ms,
				                        .until_ms = cases[i].until_ms };
		o[0].from_ms = o[2].from_ms = cases[i].from_ms + 1; /* the earliest counts */
		assert_true(ramps_person_hold_ms(&m, &own, 100) == cases[i].since_ms);
		m.n_overrides = 0;
		assert_true(ramps_person_hold_ms(&m, &own, 100) == MODEL_TIME_NEVER);
	}
}

/* As many as there is room for. */
static void drains_beyond_the_limit_have_no_ramp(void **state)
{
	static struct model_override many[RAMP_RECORDS_MAX + 2];
	static char ids[RAMP_RECORDS_MAX + 2][16];
	struct world *w = *state;

	for (unsigned i = 0; i < COUNT(many); i++) {
		snprintf(ids[i], sizeof(ids[i]), "x%u", i);
		many[i] = w->o;
		many[i].id = ids[i];
	}
	w->m.overrides = many;
	for (unsigned more = 0; more < 3; more++) {
		w->m.n_overrides = RAMP_RECORDS_MAX - 1 + more;
		w->wall_clock_ms++;
		w->now_ms++;
		step_world(w);
		assert_int_equal(w->r.n, RAMP_RECORDS_MAX - (more == 0));
		assert_string_equal(w->r.items[w->r.n - 1].id, ids[w->r.n - 1]);
	}
	assert_int_equal(ramps_held(&w->r, RAMP_FREE), RAMP_RECORDS_MAX);
	ramps_close(&w->r);
	assert_true(!w->r.items && !w->r.next && w->r.n == 0);
}

static void instants_of(const struct way *y, int64_t at[INSTANTS])
{
	const int64_t turns[] = { y->from_ms, y->from_ms + y->over_ms, y->until_ms,
		                  y->until_ms + y->over_ms };

	for (unsigned i = 0; i < 4; i++) {
		at[2 * i] = turns[i] - 1;
		at[2 * i + 1] = turns[i];
	}
	at[8] = turns[3] + 1;
}

/* One step of a ramp from @p was to the wall clock @p to, as in way.after. */
static void step_once(const struct way *y, int64_t was_ms, int64_t to_ms, char *out)
{
	static const char hows[] = { [RAMP_FREE] = 'f',
		                     [RAMP_LATE] = 'l',
		                     [RAMP_HELD_CLOCK] = 'c',
		                     [RAMP_HELD_SITE] = 's' };
	struct model_site site = { .name = "ams" };
	struct model_override o = { .id = "x",
		                    .name = "ams",
		                    .generation = 3,
		                    .from_ms = y->from_ms,
		                    .over_ms = y->over_ms,
		                    .until_ms = y->until_ms };
	struct model m = { .sites = &site, .n_sites = 1, .overrides = &o, .n_overrides = 1 };
	struct world world = { .up = y->up };
	static struct ramp_record items[2][RAMP_RECORDS_MAX];
	struct ramps r = { .n = 1,
		           .items = items[0],
		           .next = items[1],
		           .restored = y->restored,
		           .wall_clock_ms = to_ms - y->passed_ms,
		           .stepped_ms = 50000,
		           .kept_ms = 50001 };
	int64_t at[INSTANTS];

	items[0][0] =
	        (struct ramp_record){ .id = "x", .generation = 3, .at_ms = was_ms, .how = y->how };
	ramps_step_all(&r, &(struct ramps_step_input){ .model = &m,
	                                               .wall_clock_ms = to_ms,
	                                               .now_ms = 51000,
	                                               .clock_held = y->clock_held,
	                                               .is_up = is_up,
	                                               .arg = &world });
	assert_false(r.restored);
	assert_int_equal(r.kept_ms, r.changed ? 51000 : 50001);
	if (!r.n) {
		sprintf(out, ".%s", r.changed ? "!" : "");
		return;
	}
	instants_of(y, at);
	for (unsigned i = 0; i < INSTANTS; i++)
		if (r.items[0].at_ms == at[i])
			out += sprintf(out, "%c", 'a' + i), i = 2 * INSTANTS;
		else if (i == INSTANTS - 1)
			out += sprintf(out, "%d", (int)r.items[0].at_ms);
	sprintf(out, "%c%s", hows[r.items[0].how], r.changed ? "!" : "");
}

static void each_instant_is_followed_by_the_next(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ways); i++) {
		int64_t at[INSTANTS];

		print_message("  %s\n", ways[i].why);
		instants_of(&ways[i], at);
		for (unsigned k = 0; k < INSTANTS; k++) {
			char row[256] = "";

			for (unsigned to = 0; to < INSTANTS; to++) {
				strcat(row, to ? " " : "");
				step_once(&ways[i], at[k], at[to], row + strlen(row));
			}
			assert_string_equal(row, ways[i].after[k]);
		}
	}
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

SUITE(ramps)
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
		cmocka_unit_test(each_instant_is_followed_by_the_next),
		cmocka_unit_test(a_hold_of_a_person_is_found_by_all_that_it_says),
		WITH(drains_beyond_the_limit_have_no_ramp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
