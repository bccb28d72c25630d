/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the kernel's ticks are measured (bpf/xdp_clock.c): on kernels of each rate, whose time the
 * test makes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>

/* A kernel: its time passes by what is done. */
static struct {
	uint64_t now_ns, boot_ns, first_tick;
	uint32_t hz;
	unsigned per_mille; /* of its clock's speed beside the wall's: 1000 is right */
	unsigned n_runs, fails_at;
	bool stands;
} kernel;

static int fake_gettime(clockid_t clock, struct timespec *out)
{
	assert_int_equal(clock, CLOCK_MONOTONIC);
	kernel.now_ns += 50;
	*out = (struct timespec){ (time_t)(kernel.now_ns / 1000000000u),
		                  (long)(kernel.now_ns % 1000000000u) };
	return 0;
}

static int fake_usleep(unsigned us)
{
	kernel.now_ns += us * 1000ull + 60000; /* a timer is late */
	return 0;
}

static uint64_t ticks_now(void)
{
	uint64_t gone_ns = kernel.stands ? 0 : kernel.now_ns - kernel.boot_ns;

	return kernel.first_tick + gone_ns / 1000 * kernel.hz * kernel.per_mille / 1000000000u;
}

/* Descriptor 7 reads the lower half, 8 the upper. */
static int fake_run(int fd, struct bpf_test_run_opts *opts)
{
	uint64_t ticks = ticks_now();

	kernel.now_ns += 2000;
	if (++kernel.n_runs == kernel.fails_at) {
		errno = EIO;
		return -1;
	}
	opts->retval = (uint32_t)(fd == 8 ? ticks >> 32 : ticks);
	return 0;
}

#define clock_gettime          fake_gettime
#define usleep                 fake_usleep
#define bpf_prog_test_run_opts fake_run
/* The private parts too. */
#include "bpf/xdp_clock.c"

static const struct tick_reader reader = { 7, 8 };

static void boot_kernel(uint32_t hz, unsigned per_mille, uint64_t first_tick)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.hz = hz;
	kernel.per_mille = per_mille;
	kernel.first_tick = first_tick;
	kernel.boot_ns = 4000000000u;
	kernel.now_ns = kernel.boot_ns + 7000000000u;
}

/* A clock that is slewed, or runs a little fast, is no other rate. */
static void each_rate_is_recognized(void **state)
{
	static const uint32_t rates[] = { 100, 250, 300, 1000 };
	static const unsigned speeds[] = { 970, 1000, 1030 };

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		for (size_t k = 0; k < sizeof(speeds) / sizeof(speeds[0]); k++) {
			uint32_t hz = 0;

			boot_kernel(rates[i], speeds[k], 0xfffb6c20u); /* as Linux begins */
			assert_int_equal(measure_hz(&reader, &hz), 0);
			if (hz != rates[i])
				fail_msg("%u at %u: %u", rates[i], speeds[k], hz);
		}
}

/* The upper half may turn between two readings: then all is read again. */
static void a_tick_is_read_whole(void **state)
{
	(void)state;
	for (uint64_t left = 0; left < 4; left++) {
		uint64_t last = 0;

		boot_kernel(100000, 1000,
		            (5ull << 32) - 700000 - left); /* a tick is 10 us long here */
		for (int i = 0; i < 20; i++) {
			uint64_t before = ticks_now(), ticks = 0;

			assert_int_equal(read_ticks(&reader, &ticks), 0);
			assert_in_range(ticks, before, ticks_now());
			assert_true(ticks >= last);
			last = ticks;
		}
		assert_int_equal(last >> 32, 5);
	}
}

static void seconds_agree_from_the_first_reading_on(void **state)
{
	static const uint32_t rates[] = { 100, 250, 300, 1000 };

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct fwd_root root = { 0 };

		boot_kernel(rates[i], 1000, 0xfffb6c20u);
		assert_int_equal(sync_with(&reader, &root), 0);
		for (unsigned s = 0; s < 100; s += 9) {
			uint64_t seen = (ticks_now() - root.tick_base) * root.tick_scale >> 32;

			assert_in_range(seen + 1, kernel.now_ns / 1000000000u,
			                kernel.now_ns / 1000000000u + 1);
			kernel.now_ns += 9000000000u;
		}
	}
}

/* Nothing is set, and nobody waits for ever. */
static void a_kernel_that_does_not_answer_is_an_error(void **state)
{
	struct fwd_root root = { 0 };

	(void)state;
	for (unsigned fails_at = 1; fails_at < 12; fails_at++) {
		boot_kernel(1000, 1000, 0xfffb6c20u);
		kernel.fails_at = fails_at;
		assert_int_equal(sync_with(&reader, &root), -EIO);
		assert_int_equal(kernel.n_runs, fails_at);
	}
	boot_kernel(1000, 1000, 0xfffb6c20u);
	kernel.stands = true; /* ticks that do not change */
	assert_int_equal(sync_with(&reader, &root), -ETIME);
	assert_in_range(kernel.now_ns - kernel.boot_ns, 8000000000u, 8100000000u);
	assert_true(root.tick_scale == 0 && root.tick_base == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rate_is_recognized),
		cmocka_unit_test(a_tick_is_read_whole),
		cmocka_unit_test(seconds_agree_from_the_first_reading_on),
		cmocka_unit_test(a_kernel_that_does_not_answer_is_an_error),
	};

	return cmocka_run_group_tests_name("xdp ticks", tests, NULL, NULL);
}
