/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process that follows the page on which weir-mgmt tells the believed time, and what it does
 * without it.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/believed.h"
#include "base/clock.h"
#include "base/page.h"
#include "base/proc.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define STALE_MS 3000

#define START  1000000000000
#define MONO   5000000u
#define SECOND 1000u

struct world {
	char dir[32];
	struct page *page;
	struct believed b;
	struct wall_clock_now now;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	strcpy(w->dir, "/tmp/weir-believed.XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	w->now = (struct wall_clock_now){ .mono_ms = MONO,
		                          .clock_ms = START + (int64_t)MONO,
		                          .synchronised = true,
		                          .peers = WALL_CLOCK_PEERS_UNHEARD };
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	char command[64];

	believed_close(&w->b);
	page_close(w->page);
	snprintf(command, sizeof(command), "rm -r %s", w->dir);
	free(w);
	return system(command);
}

/*
 * The page of weir-mgmt, as of now: the believed time is @p ahead_ms ahead of the kernel's. With @p
 * more_bytes it is another file, as a later release makes it.
 */
static void write_word(struct world *w, int64_t ahead_ms, uint64_t boot, size_t more_bytes)
{
	const struct wall_clock wall_clock = { .started = true,
		                               .confirmed = true,
		                               .at_ms = w->now.clock_ms + ahead_ms,
		                               .mono_ms = w->now.mono_ms,
		                               .off_by_ms = -ahead_ms };
	char path[PATH_MAX];

	page_close(w->page);
	assert_int_equal(proc_path(w->dir, BELIEVED_PAGE, path), 0);
	assert_int_equal(page_create(path, BELIEVED_PAGE_KIND, BELIEVED_PAGE_LAYOUT,
	                             sizeof(struct believed_page) + more_bytes, &w->page),
	                 0);
	believed_publish(page_payload(w->page), &wall_clock, boot);
	page_alive(w->page, w->now.mono_ms);
}

/* @p passed_ms later. @return how far the believed time is ahead of START and the boot clock */
static int64_t step_clock(struct world *w, uint64_t passed_ms)
{
	w->now.mono_ms += passed_ms;
	w->now.clock_ms += (int64_t)passed_ms;
	return believed_step(&w->b, w->dir, &w->now) - START - (int64_t)w->now.mono_ms;
}

static void the_page_is_followed_while_its_writer_lives(void **state)
{
	struct world *w = *state;

	write_word(w, 3600000, clock_boot(), 0);
	assert_int_equal(step_clock(w, 100), 3600000);
	assert_int_equal(w->b.wall_clock.off_by_ms, -3600000);
	assert_int_equal(wall_clock_hold(&w->b.wall_clock, false), WALL_CLOCK_STEPPED);
	((struct believed_page *)page_payload(w->page))->booted = true;
	assert_int_equal(step_clock(w, 100), 3600000);
	assert_int_equal(wall_clock_hold(&w->b.wall_clock, true), WALL_CLOCK_BOOTED);
	w->now.clock_ms += 7200000; /* the kernel's clock steps: the page counts */
	assert_int_equal(step_clock(w, STALE_MS - 300), 3600000);
	assert_int_equal(w->b.wall_clock.off_by_ms, -3600000); /* as the page says */
	assert_int_equal(step_clock(w, 200), 3600000);
	assert_int_equal(w->b.wall_clock.off_by_ms,
	                 3600000); /* the writer is silent: our own look */
}

static void without_its_writer_time_goes_on_and_no_step_is_believed(void **state)
{
	struct world *w = *state;

	write_word(w, 0, clock_boot(), 0);
	assert_int_equal(step_clock(w, 100), 0);
	w->now.clock_ms += 7200000;
	for (int i = 0; i < 600; i++)
		assert_int_equal(step_clock(w, SECOND), 0);
	assert_int_equal(w->b.wall_clock.off_by_ms, 7200000);
	w->now.clock_ms -= 7200000 - 1500; /* what is no step is slewed, as ever */
	for (int i = 0; i < 60; i++)
		step_clock(w, SECOND);
	assert_int_equal(step_clock(w, SECOND), 1500);
}

static void a_page_of_another_boot_says_nothing(void **state)
{
	struct world *w = *state;

	write_word(w, 3600000, clock_boot() + 1, 0);
	assert_int_equal(step_clock(w, 100), 0);
	write_word(w, 3600000, 0, 0);
	assert_int_equal(step_clock(w, 2 * SECOND), 0);
}

static void the_page_of_a_writer_that_was_started_again_is_found(void **state)
{
	struct world *w = *state;
	unsigned n_descriptors;

	assert_int_equal(step_clock(w, 100), 0); /* there is none yet */
	write_word(w, 60000, clock_boot(), 0);
	assert_int_equal(step_clock(w, 100), 60000); /* it is looked for at each tick */
	w->now.mono_ms += 10 * SECOND;
	w->now.clock_ms += 10 * SECOND;
	n_descriptors = count_descriptors();
	write_word(w, 90000, clock_boot(), 8);
	assert_int_equal(step_clock(w, 100), 90000);
	assert_int_equal(count_descriptors(), n_descriptors); /* the old page is closed */
}

/* To the millisecond: how long a page is followed, and that it is looked for until it is there. */
static void a_page_is_followed_and_looked_for_in_time(void **state)
{
	struct world *w = *state;

	assert_int_equal(step_clock(w, 100), 0); /* there is none */
	write_word(w, 60000, clock_boot(), 0);
	assert_int_equal(step_clock(w, 1), 60000);
	page_alive(w->page, w->now.mono_ms);
	w->now.clock_ms += 7200000;
	const struct page *page = w->b.page;
	step_clock(w, STALE_MS - 1);
	assert_ptr_equal(w->b.page, page); /* one that is there is not looked for */
	assert_int_equal(w->b.wall_clock.off_by_ms, -60000); /* the page's word */
	step_clock(w, 1);
	assert_int_equal(w->b.wall_clock.off_by_ms, 7200000 - 60000); /* our own look */
	page_alive(w->page, w->now.mono_ms);
	assert_int_equal(step_clock(w, 1), 60000);
	assert_int_equal(w->b.wall_clock.off_by_ms, -60000);
}

/* A process that starts while weir-mgmt is dead: the page's last word is better than the kernel's clock. */
static void who_starts_without_the_writer_begins_with_its_last_word(void **state)
{
	struct world *w = *state;

	write_word(w, 3600000, clock_boot(), 0);
	assert_int_equal(step_clock(w, STALE_MS + 1000), 3600000);
	assert_int_equal(wall_clock_hold(&w->b.wall_clock, false), WALL_CLOCK_STEPPED);
	assert_int_equal(step_clock(w, SECOND), 3600000); /* and goes on by itself */
}

/* A writer's clock that is ahead, by a look between two readings, is no reason to leave it. */
static void a_sign_of_life_from_just_now_counts(void **state)
{
	struct world *w = *state;

	write_word(w, 60000, clock_boot(), 0);
	page_alive(w->page, w->now.mono_ms + 50);
	assert_int_equal(step_clock(w, 1), 60000);
	assert_int_equal(w->b.wall_clock.off_by_ms, -60000);
}

/* As a page of another release might be, that forgot to count its layout up. */
static void a_page_without_room_for_a_time_is_left_alone(void **state)
{
	struct world *w = *state;
	char path[PATH_MAX];

	assert_int_equal(proc_path(w->dir, BELIEVED_PAGE, path), 0);
	assert_int_equal(page_create(path, BELIEVED_PAGE_KIND, BELIEVED_PAGE_LAYOUT,
	                             sizeof(struct believed_page) - 8, &w->page),
	                 0);
	page_alive(w->page, w->now.mono_ms);
	assert_int_equal(step_clock(w, 100), 0);
	assert_null(w->b.page);
	write_word(w, 60000, clock_boot(), 0);
	assert_int_equal(step_clock(w, SECOND), 60000);
}

/*
 * A boot with a clock that lost its time, and no page yet: what was written before the boot is not in the future. The
 * kernel's clock counts again once it is confirmed, and the page at once.
 */
static void no_time_is_believed_from_before_what_was_written(void **state)
{
	static const int64_t back_ms = 630720000000; /* 20 years */
	struct world *w = *state;
	int64_t written_ms = START + (int64_t)MONO;

	w->now.clock_ms -= back_ms;
	w->now.synchronised = false;
	w->now.peers = WALL_CLOCK_PEERS_NONE;
	assert_int_equal(step_clock(w, 100), -back_ms);
	believed_not_before(&w->b, written_ms);
	assert_int_equal(step_clock(w, 0), -100); /* it begins at the written time */
	assert_int_equal(wall_clock_hold(&w->b.wall_clock, true), WALL_CLOCK_BOOTED);
	assert_int_equal(step_clock(w, SECOND), -100);
	believed_not_before(&w->b, written_ms + 500); /* it is later than that by now */
	assert_int_equal(step_clock(w, SECOND), -100);
	w->now.synchronised = true; /* whatever it says: it is confirmed */
	step_clock(w, SECOND);
	assert_int_equal(step_clock(w, WALL_CLOCK_SETTLE_MS), -back_ms);
	believed_not_before(&w->b, written_ms); /* the same document once more */
	assert_int_equal(step_clock(w, 100), -back_ms);
	write_word(w, back_ms - 3600000, clock_boot(), 0);
	assert_int_equal(step_clock(w, 100), -3600000);
	believed_not_before(&w->b, written_ms + 7200000); /* weir-mgmt knows better */
	assert_int_equal(step_clock(w, 100), -3600000);
	assert_int_equal(wall_clock_hold(&w->b.wall_clock, true), WALL_CLOCK_STEPPED);
}

static void a_clock_that_is_later_than_what_was_written_is_left_alone(void **state)
{
	struct world *w = *state;

	assert_int_equal(step_clock(w, 100), 0);
	believed_not_before(&w->b, START + (int64_t)MONO);
	assert_int_equal(step_clock(w, 100), 0);
	believed_not_before(&w->b, INT64_MAX); /* a document that was never written */
	assert_int_equal(step_clock(w, 100), 0);
	assert_int_equal(wall_clock_hold(&w->b.wall_clock, false), WALL_CLOCK_RUNS);
}

static void a_page_of_no_time_at_all_says_nothing(void **state)
{
	static const struct {
		int64_t offset_ms;
		bool good;
	} cases[] = { { CLOCK_END_MS, true },  { CLOCK_END_MS + 1, false },
		      { -CLOCK_END_MS, true }, { -CLOCK_END_MS - 1, false },
		      { INT64_MAX, false },    { INT64_MIN, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct believed_page p = { .offset_ms = cases[i].offset_ms,
			                         .boot = 7,
			                         .confirmed = 1,
			                         .booted = i % 2,
			                         .off_by_ms = 5 };
		struct wall_clock wall_clock = { 0 };

		assert_int_equal(believed_begin(&p, 7, 1000, &wall_clock), cases[i].good);
		assert_false(believed_begin(&p, 8, 1000, &wall_clock));
		assert_false(believed_begin(&p, 0, 1000, &wall_clock));
		if (!cases[i].good)
			continue;
		assert_true(wall_clock.at_ms == cases[i].offset_ms + 1000);
		assert_true(wall_clock.started && wall_clock.confirmed);
		assert_int_equal(wall_clock.booted, i % 2);
		assert_int_equal(wall_clock.off_by_ms, 5);
	}
}

/* What a process asks the time of from then on; a command looks once, and leaves nothing open. */
static void the_time_of_a_process_is_the_believed_one(void **state)
{
	struct world *w = *state;

	w->now.mono_ms = clock_mono_ms();
	w->now.clock_ms = clock_realtime_ms();
	write_word(w, 3600000, clock_boot(), 0);
	assert_in_range(clock_believed_ms() - clock_realtime_ms() + 1000, 0, 2000);
	int fd = dup(0);

	assert_int_equal(close(fd), 0);
	believed_once(w->dir);
	assert_in_range(clock_believed_ms() - clock_realtime_ms(), 3600000 - 5000, 3600000 + 5000);
	int next = dup(0);

	assert_int_equal(next, fd);
	assert_int_equal(close(next), 0);
	int64_t at_ms = believed_tick(&w->b, w->dir);
	assert_in_range(clock_believed_ms() - at_ms, 0, 5000);
}

SUITE(believed)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(the_page_is_followed_while_its_writer_lives),
		T(without_its_writer_time_goes_on_and_no_step_is_believed),
		T(a_page_of_another_boot_says_nothing),
		T(a_page_is_followed_and_looked_for_in_time),
		T(who_starts_without_the_writer_begins_with_its_last_word),
		T(a_sign_of_life_from_just_now_counts),
		T(a_page_without_room_for_a_time_is_left_alone),
		T(no_time_is_believed_from_before_what_was_written),
		T(a_clock_that_is_later_than_what_was_written_is_left_alone),
		T(a_page_of_no_time_at_all_says_nothing),
		T(the_time_of_a_process_is_the_believed_one),
		T(the_page_of_a_writer_that_was_started_again_is_found),
	};

	return cmocka_run_group_tests_name("believed", tests, NULL, NULL);
}
