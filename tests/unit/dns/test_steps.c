/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps of operations: the level in force follows each step from its instant on, never against the
 * direction, over restarts and clocks that step; and how long earlier answers are waited for.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/proc.h"
#include "dns/steering/ramps.h"
#include "dns/steering/steps.h"
#include "tests/unit/suite.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define T         1790000000000
#define TICK      100
#define NEVER     MODEL_TIME_NEVER
#define TTL_MIN_S 5u
#define TTL_MAX_S 30u
/* of a generation: mgmt/overrides/override.h */

/* One site with its operation's override, and room for a person's. */
static struct {
	struct model_override o[2];
	struct model_site site;
	struct model m;
	struct ramps r;
	int64_t wall_clock_ms;
	uint64_t now_ms;
	bool clock_held, up;
	char dir[32];
} w;

static bool is_up(void *arg, const struct model_site *site)
{
	(void)arg;
	(void)site;
	return w.up; /* of a step that goes back it is its operation's question */
}

static uint32_t ttl_of(void *arg, const struct model_override *o, bool shifting)
{
	(void)arg;
	assert_string_equal(o->name, "ams");
	return shifting ? TTL_MIN_S : TTL_MAX_S;
}

static int set_up(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	strcpy(w.dir, "/tmp/weir-steps.XXXXXX");
	if (!mkdtemp(w.dir) || ramps_open(&w.r, w.dir) != 0)
		return -1;
	w.site = (struct model_site){ .name = "ams" };
	w.m = (struct model){ .sites = &w.site, .n_sites = 1, .overrides = w.o, .n_overrides = 1 };
	w.wall_clock_ms = T;
	w.now_ms = 5000;
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	ramps_close(&w.r);
	snprintf(command, sizeof(command), "rm -r %s", w.dir);
	return system(command);
}

static void step_world(void)
{
	const struct ramps_step_input in = { .model = &w.m,
		                             .wall_clock_ms = w.wall_clock_ms,
		                             .now_ms = w.now_ms,
		                             .clock_held = w.clock_held,
		                             .is_up = is_up,
		                             .ttl = ttl_of };

	ramps_step_all(&w.r, &in);
}

static uint32_t read_level(void)
{
	uint32_t ppm = UINT32_MAX;

	assert_true(ramps_level(&w.r, &w.o[0], &ppm));
	return ppm;
}

static const struct ramp_record *find_record(void)
{
	const struct ramp_record *r = ramp_find_any(w.r.items, w.r.n, "op-1");

	assert_non_null(r);
	return r;
}

static void run_for(int64_t ms)
{
	for (int64_t i = 0; i < ms; i += TICK) {
		w.wall_clock_ms += TICK;
		w.now_ms += TICK;
		step_world();
	}
}

/* A step that begins 2 s from now, as its owner writes it; epoch 0: as a person does, later. */
static void write_step(uint32_t epoch, uint32_t step, uint32_t from_ppm, uint32_t to_ppm,
                       int64_t over_ms)
{
	w.o[0] = (struct model_override){ .id = "op-1",
		                          .kind = MODEL_OVERRIDE_DRAIN,
		                          .name = "ams",
		                          .generation = epoch ? 1 : 2,
		                          .epoch = epoch,
		                          .step = step,
		                          .from_ms = w.wall_clock_ms + 2000,
		                          .over_ms = over_ms,
		                          .until_ms = NEVER,
		                          .from_ppm = from_ppm,
		                          .is_step = true,
		                          .to_ppm = to_ppm,
		                          .operation = "d1" };
	step_world();
}

/* The process ends, and another one begins @p later_ms afterwards. */
static void restart_process(int64_t later_ms)
{
	if (w.r.changed)
		assert_int_equal(ramp_write(w.dir, w.r.items, w.r.n), 0);
	ramps_close(&w.r);
	assert_int_equal(ramps_open(&w.r, w.dir), 0);
	w.wall_clock_ms += later_ms;
	w.now_ms = 100;
	step_world();
}

static void a_step_begins_at_its_instant_and_stays_where_it_goes(void **state)
{
	(void)state;
	write_step(1, 1, 0, 100000, 1000);
	run_for(1900);
	assert_int_equal(read_level(), 0);
	assert_false(find_record()->arrived);
	run_for(600);
	assert_int_equal(read_level(), 50000);
	run_for(500);
	assert_int_equal(read_level(), 100000);
	assert_true(find_record()->arrived);
	run_for(60000);
	assert_int_equal(read_level(), 100000);
	write_step(1, 2, 100000, 250000, 0);
	assert_false(find_record()->arrived);
	run_for(1900);
	assert_int_equal(read_level(), 100000);
	run_for(100);
	assert_int_equal(read_level(), 250000);
	assert_true(find_record()->arrived);
}

/* Whatever a step says of where it starts, what has been drained stays so until its direction. */
static void a_level_never_goes_against_the_direction_of_its_step(void **state)
{
	static const struct {
		const char *why;
		uint32_t from, to, before, after;
	} steps[] = {
		{ "to a half", 0, 500000, 0, 500000 },
		{ "a step that the node missed", 750000, 800000, 500000, 800000 },
		{ "an owner that knew a lower level", 400000, 600000, 800000, 800000 },
		{ "a hold at a lower level", 699999, 700000, 800000, 800000 },
		{ "a hold at a higher level", 849999, 850000, 800000, 850000 },
		{ "all of it", 850000, 1000000, 850000, 1000000 },
		{ "back", 1000000, 990000, 1000000, 990000 },
		{ "back by an owner that knew more", 1000000, 995000, 990000, 990000 },
		{ "a hold of a return at a higher level", 992001, 992000, 990000, 990000 },
		{ "a hold of a return at a lower level", 900001, 900000, 990000, 990000 },
		{ "on with the return of the others", 900000, 750000, 990000, 990000 },
		{ "a step back that begins here", 990000, 900000, 990000, 900000 },
		{ "on with the return", 900000, 0, 900000, 0 },
		{ "again away", 0, 10000, 0, 10000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		print_message("  %s\n", steps[i].why);
		write_step(1, i + 1, steps[i].from, steps[i].to, 0);
		run_for(1900);
		assert_int_equal(read_level(), steps[i].before);
		run_for(200);
		assert_int_equal(read_level(), steps[i].after);
		assert_true(find_record()->arrived);
	}
}

/* Two sides of a cut had an owner each: the one that is left does not know what the other did. */
static void no_epoch_takes_a_level_back_that_it_did_not_begin_at(void **state)
{
	static const struct {
		const char *why;
		uint64_t epoch, step;
		uint32_t from, to, before, after;
	} steps[] = {
		{ "away", 64, 1, 0, 1000000, 0, 1000000 },
		{ "a turn at a tenth", 129, 1, 100001, 100000, 1000000, 1000000 },
		{ "which stays there", 129, 2, 100000, 100000, 1000000, 1000000 },
		{ "and goes on", 129, 3, 100000, 0, 1000000, 1000000 },
		{ "a hold of a third owner", 192, 1, 9999, 10000, 1000000, 1000000 },
		{ "which goes on", 192, 2, 10000, 250000, 1000000, 1000000 },
		{ "back from here", 193, 1, 1000000, 990000, 1000000, 990000 },
		{ "and on", 193, 2, 990000, 500000, 990000, 500000 },
		{ "a return by somebody who knew more", 193, 3, 990000, 750000, 500000, 500000 },
		{ "another owner that knew more", 256, 1, 800001, 800000, 500000, 500000 },
		{ "which rests there", 256, 2, 800000, 800000, 500000, 500000 },
		{ "away, held on the way", 320, 1, 599999, 600000, 500000, 600000 },
		{ "and further", 320, 2, 700000, 800000, 600000, 800000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		print_message("  %s\n", steps[i].why);
		write_step(steps[i].epoch, steps[i].step, steps[i].from, steps[i].to, 0);
		run_for(1900);
		assert_int_equal(read_level(), steps[i].before);
		run_for(200);
		assert_int_equal(read_level(), steps[i].after);
	}
}

static void a_persons_level_is_in_force_at_once(void **state)
{
	(void)state;
	write_step(64, 1, 0, 1000000, 0);
	run_for(2100);
	write_step(0, 0, 250000, 250000, 0);
	assert_int_equal(read_level(), 250000);
}

/* In one tick of a ramp, and through a later step of it, the level never turns. */
static void a_step_in_the_middle_of_another_goes_on_from_where_that_is(void **state)
{
	uint32_t last = 0;

	(void)state;
	write_step(1, 1, 0, 500000, 10000);
	run_for(2000 + 5000);
	assert_int_equal(read_level(), 250000);
	write_step(1, 2, 200000, 500000, 10000); /* the owner's clock is behind */
	for (int i = 0; i < 120; i++) {
		assert_true(read_level() >= last && read_level() <= last + 300000);
		last = read_level();
		run_for(TICK);
	}
	assert_int_equal(read_level(), 500000);
}

static void a_restart_in_the_middle_of_a_step_takes_nothing_back(void **state)
{
	(void)state;
	write_step(1, 1, 0, 400000, 0);
	run_for(2100);
	write_step(1, 2, 400000, 800000, 10000);
	run_for(2000 + 5000);
	assert_int_equal(read_level(), 600000);
	restart_process(0);
	assert_true(read_level() >= 560000); /* the file is at most a second old */
	run_for(1000);
	assert_true(read_level() >= 600000);
	restart_process(60000); /* the ramp has ended while nobody was there */
	run_for(TICK);
	assert_int_equal(read_level(), 800000);
	assert_true(find_record()->arrived);
	write_step(1, 3, 500000, 700000, 0); /* of an owner that does not know all */
	restart_process(5000);
	assert_int_equal(read_level(), 800000);
}

static void a_restart_without_a_file_has_the_level_of_the_step(void **state)
{
	(void)state;
	write_step(1, 1, 250000, 500000, 0);
	assert_int_equal(read_level(), 250000);
	run_for(2000);
	assert_int_equal(read_level(), 500000);
}

static void a_clock_that_goes_back_takes_no_level_back(void **state)
{
	(void)state;
	write_step(1, 1, 0, 500000, 1000);
	run_for(4000);
	assert_int_equal(read_level(), 500000);
	w.wall_clock_ms -= 3600000;
	step_world();
	assert_int_equal(read_level(), 500000);
	assert_true(find_record()->arrived);
	w.clock_held = true; /* and a step with a ramp waits for a clock that is right */
	w.wall_clock_ms += 3600000;
	step_world();
	write_step(1, 2, 500000, 750000, 1000);
	run_for(10000);
	assert_int_equal(read_level(), 500000);
	assert_false(find_record()->arrived);
	w.clock_held = false;
	run_for(1100);
	assert_int_equal(read_level(), 750000);
}

static void a_persons_hold_stops_a_step_and_it_has_not_arrived(void **state)
{
	(void)state;
	write_step(1, 1, 0, 500000, 10000);
	run_for(2000 + 5000);
	w.o[1] = (struct model_override){ .id = "hold",
		                          .kind = MODEL_OVERRIDE_HOLD,
		                          .name = "ams",
		                          .generation = 1,
		                          .from_ms = w.wall_clock_ms,
		                          .until_ms = NEVER };
	w.m.n_overrides = 2;
	run_for(20000);
	assert_int_equal(read_level(), 250000);
	assert_false(find_record()->arrived);
	write_step(1, 2, 250000, 1000000, 0);
	run_for(5000);
	assert_int_equal(read_level(), 250000);
	w.m.n_overrides = 1;
	run_for(TICK);
	assert_int_equal(read_level(), 1000000);
}

/* It is of a drain by the clock: of the whole site where the operation moves one service. */
static void a_hold_from_before_its_operation_stops_no_step(void **state)
{
	(void)state;
	for (uint64_t generation = 8; generation <= 9; generation++) {
		tear_down(state);
		set_up(state);
		write_step(1, 1, 0, 500000, 1000);
		w.o[0].generation = 9;
		w.o[0].service = "web";
		w.o[1] = (struct model_override){ .id = "hold",
			                          .kind = MODEL_OVERRIDE_HOLD,
			                          .name = "ams",
			                          .generation = generation,
			                          .from_ms = w.wall_clock_ms - 10000,
			                          .until_ms = NEVER };
		w.m.n_overrides = 2;
		run_for(5000);
		assert_int_equal(read_level(), generation < 9 ? 500000 : 0);
	}
}

/* A person has made a step its own: it returns by its until, though the step before rose. */
static void what_a_person_returns_falls(void **state)
{
	(void)state;
	write_step(1, 1, 0, 1000000, 0);
	run_for(3000);
	w.o[0].generation = 2;
	w.o[0].operation = "";
	w.o[0].service = "web";
	w.o[0].from_ppm = 1000000;
	w.o[0].from_ms = w.o[0].until_ms = w.wall_clock_ms + 1000;
	w.o[0].over_ms = 1;
	run_for(900);
	assert_int_equal(read_level(), 1000000);
	run_for(2000);
	assert_int_equal(read_level(), 1000000); /* the site is not up as seen from outside */
	w.up = true;
	run_for(2 * TICK);
	assert_int_equal(w.r.n, 0); /* it is over */
}

/* Before a drain, answers have the longest TTL; from the first step on the shortest one. */
static void earlier_answers_are_waited_for_as_long_as_they_live(void **state)
{
	(void)state;
	write_step(1, 1, 0, 100000, 0);
	run_for(2000);
	assert_true(find_record()->arrived);
	assert_int_equal(find_record()->longest_ttl_s, TTL_MAX_S);
	run_for(50000);
	assert_int_equal(find_record()->longest_ttl_s,
	                 TTL_MAX_S); /* as it was when the level arrived */
	write_step(1, 2, 100000, 250000, 0);
	run_for(2000);
	assert_int_equal(find_record()->longest_ttl_s, TTL_MIN_S);
	write_step(1, 3, 250000, 1000000, 0); /* soon after: the answers before step 1 are gone */
	run_for(2000);
	assert_int_equal(find_record()->longest_ttl_s, TTL_MIN_S);
	run_for(TTL_MAX_S * 1000);
	write_step(1, 4, 1000000, 990000,
	           0); /* the sites that are left answered with the longest */
	run_for(2000);
	assert_int_equal(find_record()->longest_ttl_s, TTL_MAX_S);
}

static void a_step_soon_after_the_first_waits_for_what_came_before_it(void **state)
{
	(void)state;
	write_step(1, 1, 0, 100000, 0);
	run_for(2000);
	write_step(1, 2, 100000, 200000, 0);
	run_for(10000);
	/* the last answer of the longest TTL was given 2 s before step 2 */
	assert_int_equal(find_record()->longest_ttl_s, TTL_MAX_S - 2);
}

static void a_process_that_has_just_started_takes_the_longest(void **state)
{
	(void)state;
	write_step(1, 1, 0, 100000, 0);
	run_for(100000);
	write_step(1, 2, 100000, 200000, 0);
	run_for(1000);
	restart_process(0);
	run_for(1000);
	assert_true(find_record()->arrived);
	assert_true(find_record()->longest_ttl_s >= TTL_MAX_S - 1);
	run_for(5000);
	restart_process(0); /* where it has arrived, the time to wait is known from the file */
	assert_int_equal(find_record()->longest_ttl_s, TTL_MAX_S - 1);
}

static void a_level_is_kept_in_the_file_word_for_word(void **state)
{
	static const struct ramp_record kept[] = {
		{ .id = "a", .generation = 7, .at_ms = T, .how = RAMP_LATE },
		{ .id = "op-1",
		  .generation = (uint64_t)5 << 20,
		  .at_ms = T,
		  .level_known = true,
		  .falls = true,
		  .level_ppm = 999999,
		  .longest_ttl_s = 86400 },
		{ .id = "op-2",
		  .generation = 1,
		  .at_ms = T,
		  .level_known = true,
		  .arrived = true,
		  .level_ppm = 1000000 },
	};
	struct ramp_record *out = calloc(RAMP_RECORDS_MAX, sizeof(*out));

	(void)state;
	assert_non_null(out);
	assert_int_equal(ramp_write(w.dir, kept, COUNT(kept)), 0);
	assert_int_equal(ramp_read(w.dir, out), COUNT(kept));
	for (size_t i = 0; i < COUNT(kept); i++)
		assert_memory_equal(&out[i], &kept[i], sizeof(kept[i]));
	free(out);
}

static void a_malformed_step_spoils_the_file(void **state)
{
	static const char *const bad[] = {
		"x 1 5 free 64 2 1 rises arrived",
		"x 1 5 free 1 rises arrived 0",
		"x 1 5 free -1 2 1 rises arrived 0",
		"x 1 5 free 64 2 1000001 rises arrived 0",
		"x 1 5 free 64 2 -1 rises arrived 0",
		"x 1 5 free 64 2 1 up arrived 0",
		"x 1 5 free 64 2 1 rises there 0",
		"x 1 5 free 64 2 1 rises arrived -1",
		"x 1 5 free 64 2 1 rises arrived 0 ",
		"x 1 5 free 64 2 1 rises arrived 0 0",
		"x 1 5 free 64 2  rises arrived 0",
		"x 1 5 free 64 2 1 rises arrived 9999999999",
		"x 1 5 free 64 2 1 rises arrived 0\nx 0 1 free",
	};
	struct ramp_record *out = calloc(RAMP_RECORDS_MAX, sizeof(*out));
	char path[PATH_MAX];

	(void)state;
	assert_non_null(out);
	assert_int_equal(proc_path(w.dir, RAMP_FILE, path), 0);
	for (size_t i = 0; i < COUNT(bad); i++) {
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		fprintf(f, "weir-ramps 1\n%s\nend\n", bad[i]);
		fclose(f);
		if (ramp_read(w.dir, out) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	}
	free(out);
}

/* --- one step after another, asked by itself --- */

#define KINDS 5

/* The level from 400 to 600 ppm, back, staying at 500: by an operation and by a person; and old. */
static const struct kind {
	const char *why;
	uint32_t epoch;
	uint32_t from_ppm, to_ppm;
	/* A row for each level before, a column for each instant: its level, < if it rises, > if it falls. */
	const char *levels[8];
} kinds[KINDS] = {
	{ "on",
	  3,
	  400,
	  600,
	  { "400< 400< 500< 600< 600< 600> 300> 0>", "400< 400< 500< 600< 600< 600> 300> 0>",
	    "300< 400< 500< 600< 600< 300> 300> 0>", "400> 400< 500< 600< 600< 400> 300> 0>",
	    "500< 500< 500< 600< 600< 500> 300> 0>", "500> 500< 500< 600< 600< 500> 300> 0>",
	    "600< 600< 600< 600< 600< 600> 300> 0>", "700> 700< 700< 700< 700< 600> 300> 0>" } },
	{ "back",
	  3,
	  600,
	  400,
	  { "600> 600> 500> 400> 400> 400> 200> 0>", "600> 600> 500> 400> 400> 400> 200> 0>",
	    "300< 300> 300> 300> 300> 300> 200> 0>", "400> 400> 400> 400> 400> 400> 200> 0>",
	    "500< 500> 500> 400> 400> 400> 200> 0>", "500> 500> 500> 400> 400> 400> 200> 0>",
	    "600< 600> 500> 400> 400> 400> 200> 0>", "700> 700> 700> 700> 700> 400> 200> 0>" } },
	{ "nowhere",
	  3,
	  500,
	  500,
	  { "500< 500< 500< 500< 500< 500> 250> 0>", "500< 500< 500< 500< 500< 500> 250> 0>",
	    "300< 300< 300< 300< 300< 300> 250> 0>", "400> 400> 400> 400> 400> 400> 250> 0>",
	    "500< 500< 500< 500< 500< 500> 250> 0>", "500> 500> 500> 500> 500> 500> 250> 0>",
	    "600< 600< 600< 600< 600< 500> 250> 0>", "700> 700> 700> 700> 700> 500> 250> 0>" } },
	{ "nowhere, a person's",
	  0,
	  500,
	  500,
	  { "500< 500< 500< 500< 500< 500> 250> 0>", "500< 500< 500< 500< 500< 500> 250> 0>",
	    "500< 500< 500< 500< 500< 300> 250> 0>", "500> 500> 500> 500> 500> 400> 250> 0>",
	    "500< 500< 500< 500< 500< 500> 250> 0>", "500> 500> 500> 500> 500> 500> 250> 0>",
	    "500< 500< 500< 500< 500< 500> 250> 0>", "500> 500> 500> 500> 500> 500> 250> 0>" } },
	{ "back, a person's",
	  0,
	  600,
	  400,
	  { "600> 600> 500> 400> 400> 400> 200> 0>", "600> 600> 500> 400> 400> 400> 200> 0>",
	    "300< 300> 300> 300> 300> 300> 200> 0>", "400> 400> 400> 400> 400> 400> 200> 0>",
	    "500< 500> 500> 400> 400> 400> 200> 0>", "500> 500> 500> 400> 400> 400> 200> 0>",
	    "600< 600> 500> 400> 400> 400> 200> 0>", "700> 700> 700> 700> 700> 400> 200> 0>" } },
};

static const struct ramp_record befores[8] = {
	{ .at_ms = -1 },                     /* none at all */
	{ .level_ppm = 700, .falls = true }, /* not known */
	{ .level_known = true, .level_ppm = 300 },
	{ .level_known = true, .level_ppm = 400, .falls = true },
	{ .level_known = true, .level_ppm = 500 },
	{ .level_known = true, .level_ppm = 500, .falls = true },
	{ .level_known = true, .level_ppm = 600 },
	{ .level_known = true, .level_ppm = 700, .falls = true },
};

static void each_step_follows_each_level(void **state)
{
	static const int64_t instants[] = { 999, 1000, 1050, 1100, 1999, 2000, 2050, 2100 };

	(void)state;
	for (unsigned i = 0; i < KINDS; i++) {
		const struct model_override o = { .generation = 7,
			                          .epoch = kinds[i].epoch,
			                          .from_ms = 1000,
			                          .over_ms = 100,
			                          .until_ms = 2000,
			                          .from_ppm = kinds[i].from_ppm,
			                          .is_step = true,
			                          .to_ppm = kinds[i].to_ppm };

		print_message("  %s\n", kinds[i].why);
		for (unsigned k = 0; k < COUNT(befores); k++) {
			char row[128];
			size_t at = 0;

			for (unsigned t = 0; t < COUNT(instants); t++) {
				const struct steps_before before = { .was = k ? &befores[k]
					                                      : NULL };
				struct ramp_record r = { .at_ms = instants[t] };

				steps_follow(&o, &before, &r);
				assert_true(r.level_known && r.at_ms == instants[t]);
				at += (size_t)snprintf(row + at, sizeof(row) - at, "%s%u%c",
				                       t ? " " : "", r.level_ppm,
				                       r.falls ? '>' : '<');
			}
			assert_string_equal(row, kinds[i].levels[k]);
		}
	}
}

/* How long earlier answers are used, and whether a level has arrived; now is 1000 s. */
static void answers_live_as_long_as_their_ttl(void **state)
{
	static const struct {
		const char *why;
		bool is, known;
		uint64_t generation;
		uint32_t level_ppm;
		uint64_t until_ms;
		bool arrived;
		uint32_t longest_ttl_s;
		bool over;
		/* of the next one */
		uint64_t next_until_ms;
		bool has_arrived;
		uint32_t next_ttl_s;
	} cases[] = {
		{ "none before", false, false, 0, 0, 0, false, 0, false, 1030000, false, 30 },
		{ "none before, over", false, false, 0, 0, 0, false, 0, true, 1030000, true, 30 },
		{ "not known", true, false, 1, 500000, 1007000, true, 9, false, 1030000, false,
		  30 },
		{ "not known, over", true, false, 1, 500000, 1007000, true, 9, true, 1030000, true,
		  30 },
		{ "no time is known", true, true, 1, 500000, 0, false, 9, false, 1030000, false,
		  30 },
		{ "between the ends", true, true, 1, 500000, 1004999, false, 9, false, 1005000,
		  false, 5 },
		{ "just above nothing", true, true, 1, 1, 1000, false, 9, false, 1005000, false,
		  5 },
		{ "just below all", true, true, 1, 999999, 1000, false, 9, false, 1005000, false,
		  5 },
		{ "at nothing", true, true, 1, 0, 1000, false, 9, false, 1030000, false, 30 },
		{ "at all", true, true, 1, 1000000, 1000, false, 9, false, 1030000, false, 30 },
		{ "older ones live longer", true, true, 1, 500000, 1005001, false, 9, false,
		  1005001, false, 6 },
		{ "much longer", true, true, 1, 500000, 1020000, false, 9, false, 1020000, false,
		  20 },
		{ "arrives now", true, true, 1, 500000, 1020000, false, 9, true, 1020000, true,
		  20 },
		{ "has arrived", true, true, 1, 500000, 1020000, true, 9, false, 1020000, true, 9 },
		{ "and is over", true, true, 1, 500000, 1020000, true, 9, true, 1020000, true, 9 },
		{ "arrived in another step", true, true, 2, 500000, 1020000, true, 9, false,
		  1020000, false, 20 },
		{ "and here, too", true, true, 2, 500000, 1020000, true, 9, true, 1020000, true,
		  20 },
	};
	const struct model_override o = {
		.generation = 1, .from_ms = 1000, .over_ms = 100, .until_ms = 2000, .is_step = true
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct ramp_record was = { .generation = cases[i].generation,
			                         .level_known = cases[i].known,
			                         .level_ppm = cases[i].level_ppm,
			                         .arrived = cases[i].arrived,
			                         .longest_ttl_s = cases[i].longest_ttl_s,
			                         .answers_until_ms = cases[i].until_ms };
		const struct steps_before before = { .was = cases[i].is ? &was : NULL,
			                             .now_ms = 1000000,
			                             .ttl_shift_s = 5,
			                             .ttl_max_s = 30,
			                             .over = cases[i].over };
		struct ramp_record r = { .generation = 1 };

		print_message("  %s\n", cases[i].why);
		steps_follow(&o, &before, &r);
		assert_int_equal(r.answers_until_ms, cases[i].next_until_ms);
		assert_int_equal(r.arrived, cases[i].has_arrived);
		assert_int_equal(r.longest_ttl_s, cases[i].next_ttl_s);
	}
}

/* A step on its way is written once a second; before and afterwards only its turns are. */
static void a_level_on_its_way_is_kept_once_a_second(void **state)
{
	static const struct {
		uint32_t from_ppm, to_ppm;
		int64_t for_ms;
		unsigned n_written; /* in the next three seconds */
	} cases[] = {
		{ 0, 500000, 1000, 3 }, /* its begin is one of them */
		{ 0, 500000, 4000, 3 },      { 0, 500000, 14000, 0 },
		{ 500000, 700000, 4000, 3 }, { 500000, 0, 14000, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned n = 0;

		w.r.n = 0;
		write_step(1, i + 1, cases[i].from_ppm, cases[i].to_ppm, 10000);
		run_for(cases[i].for_ms);
		w.r.changed = false;
		for (unsigned k = 0; k < 30; k++) {
			run_for(TICK);
			n += w.r.changed;
			w.r.changed = false;
		}
		assert_int_equal(n, cases[i].n_written);
	}
}

static void what_is_not_known_of_a_level_is_not_said(void **state)
{
	uint32_t ppm = 7;

	(void)state;
	write_step(1, 1, 0, 500000, 10000);
	assert_true(ramps_level(&w.r, &w.o[0], &ppm));
	assert_int_equal(ppm, 0);
	ppm = 7;
	w.o[0].is_step = false;
	assert_false(ramps_level(&w.r, &w.o[0], &ppm));
	assert_false(ramps_level(NULL, &w.o[0], &ppm));
	assert_int_equal(ppm, 7);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

SUITE(steps)
{
	const struct CMUnitTest tests[] = {
		WITH(a_step_begins_at_its_instant_and_stays_where_it_goes),
		WITH(a_level_never_goes_against_the_direction_of_its_step),
		WITH(no_epoch_takes_a_level_back_that_it_did_not_begin_at),
		WITH(a_persons_level_is_in_force_at_once),
		WITH(a_step_in_the_middle_of_another_goes_on_from_where_that_is),
		WITH(a_restart_in_the_middle_of_a_step_takes_nothing_back),
		WITH(a_restart_without_a_file_has_the_level_of_the_step),
		WITH(a_clock_that_goes_back_takes_no_level_back),
		WITH(a_persons_hold_stops_a_step_and_it_has_not_arrived),
		WITH(a_hold_from_before_its_operation_stops_no_step),
		WITH(what_a_person_returns_falls),
		WITH(earlier_answers_are_waited_for_as_long_as_they_live),
		WITH(a_step_soon_after_the_first_waits_for_what_came_before_it),
		WITH(a_process_that_has_just_started_takes_the_longest),
		WITH(a_level_is_kept_in_the_file_word_for_word),
		WITH(a_malformed_step_spoils_the_file),
		cmocka_unit_test(each_step_follows_each_level),
		cmocka_unit_test(answers_live_as_long_as_their_ttl),
		WITH(a_level_on_its_way_is_kept_once_a_second),
		WITH(what_is_not_known_of_a_level_is_not_said),
	};

	return cmocka_run_group_tests_name("dns steps", tests, NULL, NULL);
}
