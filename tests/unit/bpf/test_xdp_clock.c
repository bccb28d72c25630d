/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packets' clock (bpf/xdp_clock.c) beside the kernel's own: how ticks become seconds of
 * CLOCK_MONOTONIC.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

static int fake_usleep(unsigned us);

/* The private parts too. */
#define usleep fake_usleep
#include "bpf/xdp_clock.c"
#include "tests/unit/descriptors.h"
#undef usleep

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct tick_reader reader;
static uint32_t hz;    /* as measured once */
static unsigned lates; /* sleeps that end just before the tick after the next one begins */

/* On a busy machine a process is woken late. */
static int fake_usleep(unsigned us)
{
	uint64_t first, ticks, late_ns;

	if (!lates)
		return usleep(us); /* between two looks at the ticks */
	lates--;
	assert_int_equal(read_ticks(&reader, &first), 0);
	do
		assert_int_equal(read_ticks(&reader, &ticks), 0);
	while (ticks == first);
	late_ns = now_ns() + SECOND_NS / hz * 95 / 100;
	while (now_ns() < late_ns)
		;
	return 0;
}

#define TRIES 50 /* two clocks are read one after the other: a busy machine may come between */

/*
 * Whether the root's clock is CLOCK_MONOTONIC, but for less than a tick and the time between two
 * readings.
 */
static bool clock_agrees(const struct fwd_root *root)
{
	for (int i = 0; i < TRIES; i++) {
		uint64_t ticks;
		int64_t behind_ms;

		assert_int_equal(read_ticks(&reader, &ticks), 0);
		behind_ms = (int64_t)(now_ns() / 1000000) -
		            (int64_t)((ticks - root->tick_base) * 1000 / hz);
		if (behind_ms >= -2 && behind_ms <= (int64_t)(1000 / hz) + 3)
			return true;
	}
	return false;
}

static void the_first_agreement_is_measured(void **state)
{
	struct fwd_root root = { 0 };

	(void)state;
	assert_int_equal(xdp_clock_sync(&root), 0);
	hz = (uint32_t)((1ull << 32) / root.tick_scale) + 1;
	assert_true(hz == 100 || hz == 250 || hz == 300 || hz == 1000);
	assert_true(clock_agrees(&root));
	for (uint64_t s = 1; s <= 1000;
	     s *= 10) { /* to the tick; rounding makes it some seconds a year */
		assert_int_equal(s * hz * root.tick_scale >> 32, s);
		assert_int_equal((s * hz - 1) * root.tick_scale >> 32, s - 1);
	}
}

/* With a late first look at 250 ticks a second, the next ten seem to be of 300. */
static void a_busy_machine_is_measured_for_longer(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 10; n += 3) {
		uint32_t measured = 0;

		lates = n;
		assert_int_equal(measure_hz(&reader, &measured), 0);
		lates = 0;
		assert_int_equal(measured, hz);
	}
}

/* A tick's difference is the reading's own; more is a clock that was slewed, and is followed. */
static void an_agreement_is_renewed_when_it_is_off_by_more_than_a_tick(void **state)
{
	static const int64_t offs[] = { -100000, -3, -2, 0, 2, 3, 100000 };
	struct fwd_root root = { 0 };

	(void)state;
	assert_int_equal(xdp_clock_sync(&root), 0);
	for (size_t i = 0; i < COUNT(offs); i++) {
		struct fwd_root now;
		int tries = 0;

		do { /* the first reading may be late, too */
			root = (struct fwd_root){ .tick_scale = root.tick_scale };
			assert_int_equal(xdp_clock_sync(&root), 0);
			now = root;
			now.tick_base += (uint64_t)offs[i];
			assert_int_equal(xdp_clock_sync(&now), 0);
		} while (!clock_agrees(&now) && ++tries < TRIES);
		assert_true(tries < TRIES);
		assert_int_equal(now.tick_scale, root.tick_scale);
	}
}

/* Ticks a second are measured once: what root has is believed, whichever it is. */
static void the_kernels_rate_is_taken_from_root(void **state)
{
	static const uint32_t known[] = { 100, 250, 300, 1000 };

	(void)state;
	for (size_t i = 0; i < COUNT(known); i++) {
		const uint64_t scale = (1ull << 32) / known[i] + 1;
		struct fwd_root root = { .tick_scale = scale };
		uint64_t ticks;

		assert_int_equal(xdp_clock_sync(&root), 0);
		assert_int_equal(root.tick_scale, scale);
		assert_int_equal(read_ticks(&reader, &ticks), 0);
		assert_in_range((int64_t)(now_ns() / 1000000000u) + 5 -
		                        (int64_t)((ticks - root.tick_base) / known[i]),
		                4, 6);
	}
}

/*
 * Jiffies begin 300 s before their lower half wraps: some minutes after boot the upper half is
 * not 0.
 */
static void both_halves_of_ticks_are_read(void **state)
{
	uint64_t first, second;
	uint32_t low, high;

	(void)state;
	assert_int_equal(read_ticks(&reader, &first), 0);
	assert_int_equal(run_reader(reader.high_fd, &high), 0);
	assert_int_equal(run_reader(reader.low_fd, &low), 0);
	assert_int_equal(read_ticks(&reader, &second), 0);
	assert_in_range((uint64_t)high << 32 | low, first, second);
	assert_in_range(second - first, 0, 60 * hz);
}

static void an_agreement_leaves_nothing_open(void **state)
{
	struct fwd_root root = { .tick_scale = (1ull << 32) / 1000 + 1 };
	unsigned n = count_descriptors();

	(void)state;
	assert_int_equal(xdp_clock_sync(&root), 0);
	assert_int_equal(count_descriptors(), n);
}

static void without_the_right_to_load_programs_it_says_so(void **state)
{
	const struct tick_reader none = { -1, -1 };
	struct fwd_root root = { 0 };
	uint64_t ticks = 5;

	(void)state;
	assert_int_equal(read_ticks(&none, &ticks), -EBADF);
	assert_int_equal(ticks, 5);
	assert_int_equal(sync_with(&none, &root), -EBADF);
	assert_true(root.tick_scale == 0 && root.tick_base == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_agreement_is_measured),
		cmocka_unit_test(a_busy_machine_is_measured_for_longer),
		cmocka_unit_test(an_agreement_is_renewed_when_it_is_off_by_more_than_a_tick),
		cmocka_unit_test(the_kernels_rate_is_taken_from_root),
		cmocka_unit_test(both_halves_of_ticks_are_read),
		cmocka_unit_test(an_agreement_leaves_nothing_open),
		cmocka_unit_test(without_the_right_to_load_programs_it_says_so),
	};

	reader = (struct tick_reader){ load_reader(0), load_reader(32) };
	if (reader.low_fd == -EPERM) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests_name("xdp clock", tests, NULL, NULL);
}
