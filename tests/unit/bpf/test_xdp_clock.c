/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packets' clock (bpf/xdp_clock.c) beside the kernel's own: how ticks become seconds of
 * CLOCK_MONOTONIC.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/filter.h>

#include "bpf/xdp_internal.h"
#include "tests/unit/answers.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/suite.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define SECOND_NS 1000000000u

static int
        half_fds[2]; /* programs of the test's own that read the ticks: the lower half, the upper */
static uint32_t hz;  /* as measured once */
static unsigned lates; /* sleeps that end just before the tick after the next one begins */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

static int load_half(int shift)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_jiffies64 },
		{ .code = BPF_ALU64 | BPF_RSH | BPF_K, .dst_reg = 0, .imm = shift },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "test_clock", "GPL", code, COUNT(code),
	                     NULL);
}

static uint32_t read_half(int fd)
{
	char frame[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame));

	assert_int_equal(bpf_prog_test_run_opts(fd, &opts), 0);
	return opts.retval;
}

/* The upper half changes once in weeks, not in this test. */
static uint64_t ticks_now(void)
{
	return (uint64_t)read_half(half_fds[1]) << 32 | read_half(half_fds[0]);
}

/* On a busy machine a process is woken late. */
static int own_usleep(useconds_t us)
{
	uint64_t first, late_ns;

	if (!lates)
		return __real_usleep(us); /* between two looks at the ticks */
	lates--;
	first = ticks_now();
	while (ticks_now() == first)
		;
	late_ns = now_ns() + SECOND_NS / hz * 95 / 100;
	while (now_ns() < late_ns)
		;
	return 0;
}

#define TRIES 50 /* two clocks are read one after the other: a busy machine may come between */

/*
 * Whether the root's clock is CLOCK_MONOTONIC, with both halves of the ticks (the upper one is not 0
 * from five minutes after boot on), but for less than a tick and the time between two
 * readings.
 */
static bool clock_agrees(const struct fwd_root *root)
{
	for (int i = 0; i < TRIES; i++) {
		uint64_t ticks = ticks_now();
		int64_t behind_ms;

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
		struct fwd_root root = { 0 };

		lates = n;
		assert_int_equal(xdp_clock_sync(&root), 0);
		lates = 0;
		assert_int_equal(root.tick_scale, (1ull << 32) / hz + 1);
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

		assert_int_equal(xdp_clock_sync(&root), 0);
		assert_int_equal(root.tick_scale, scale);
		assert_in_range((int64_t)(now_ns() / SECOND_NS) + 5 -
		                        (int64_t)((ticks_now() - root.tick_base) / known[i]),
		                4, 6);
	}
}

static void an_agreement_leaves_nothing_open(void **state)
{
	struct fwd_root root = { .tick_scale = (1ull << 32) / 1000 + 1 };
	unsigned n = count_descriptors();

	(void)state;
	assert_int_equal(xdp_clock_sync(&root), 0);
	assert_int_equal(count_descriptors(), n);
}

SUITE(xdp_clock)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_agreement_is_measured),
		cmocka_unit_test(a_busy_machine_is_measured_for_longer),
		cmocka_unit_test(an_agreement_is_renewed_when_it_is_off_by_more_than_a_tick),
		cmocka_unit_test(the_kernels_rate_is_taken_from_root),
		cmocka_unit_test(an_agreement_leaves_nothing_open),
	};

	answer_usleep = own_usleep;
	half_fds[0] = load_half(0);
	half_fds[1] = load_half(32);
	if (half_fds[0] == -EPERM) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests_name("xdp clock", tests, NULL, NULL);
}
