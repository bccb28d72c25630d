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

#include "bpf/xdp_internal.h"
#include "tests/unit/answers.h"
#include "tests/unit/bpf_answers.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/suite.h"

/* A kernel: its time passes by what is done. */
static struct {
	uint64_t now_ns, boot_ns, first_tick;
	uint32_t hz;
	unsigned per_mille; /* of its clock's speed beside the wall's: 1000 is right */
	unsigned n_runs, fails_at;
	unsigned n_loads, load_fails_at;
	int high_fd; /* of the program that reads the upper half */
	bool stands;
} kernel;

static int own_clock_gettime(clockid_t clock, struct timespec *out)
{
	assert_int_equal(clock, CLOCK_MONOTONIC);
	kernel.now_ns += 50;
	*out = (struct timespec){ (time_t)(kernel.now_ns / 1000000000u),
		                  (long)(kernel.now_ns % 1000000000u) };
	return 0;
}

static int own_usleep(useconds_t us)
{
	kernel.now_ns += us * 1000ull + 60000; /* a timer is late */
	return 0;
}

static uint64_t ticks_now(void)
{
	uint64_t gone_ns = kernel.stands ? 0 : kernel.now_ns - kernel.boot_ns;

	return kernel.first_tick + gone_ns / 1000 * kernel.hz * kernel.per_mille / 1000000000u;
}

/* A program shifts the ticks by 0 or 32. */
static int own_bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
                             const struct bpf_insn *code, size_t n,
                             const struct bpf_prog_load_opts *opts)
{
	assert_true(type == BPF_PROG_TYPE_SOCKET_FILTER && name && license && !opts);
	assert_int_equal(n, 3);
	if (++kernel.n_loads == kernel.load_fails_at) {
		errno = EPERM;
		return -EPERM;
	}
	int fd = dup(STDERR_FILENO);

	if (code[1].imm == 32)
		kernel.high_fd = fd;
	return fd;
}

static int own_bpf_prog_test_run_opts(int fd, struct bpf_test_run_opts *opts)
{
	uint64_t ticks = ticks_now();

	kernel.now_ns += 2000;
	if (++kernel.n_runs == kernel.fails_at) {
		errno = EIO;
		return -1;
	}
	opts->retval = (uint32_t)(fd == kernel.high_fd ? ticks >> 32 : ticks);
	return 0;
}

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
			struct fwd_root root = { 0 };

			boot_kernel(rates[i], speeds[k], 0xfffb6c20u); /* as Linux begins */
			assert_int_equal(xdp_clock_sync(&root), 0);
			if (root.tick_scale != (1ull << 32) / rates[i] + 1)
				fail_msg("%u at %u: scale %llu", rates[i], speeds[k],
				         (unsigned long long)root.tick_scale);
		}
}

/* The upper half may turn between two readings: then all is read again. */
static void a_tick_is_read_whole(void **state)
{
	const uint64_t hz = 65536; /* a tick is 15 us long here */

	(void)state;
	for (uint64_t left = 0; left < 4; left++) {
		uint64_t last = 0;

		boot_kernel((uint32_t)hz, 1000, (5ull << 32) - 7 * hz - left);
		for (int i = 0; i < 20; i++) {
			struct fwd_root root = { .tick_scale = (1ull << 32) / hz };
			uint64_t before = ticks_now(), ticks;

			assert_int_equal(xdp_clock_sync(&root), 0);
			ticks = root.tick_base + kernel.now_ns / 1000 * hz / 1000000;
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
		assert_int_equal(xdp_clock_sync(&root), 0);
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
	unsigned n_fds = count_descriptors();
	struct fwd_root root = { 0 };

	(void)state;
	for (unsigned fails_at = 1; fails_at <= 2; fails_at++) {
		boot_kernel(1000, 1000, 0xfffb6c20u);
		kernel.load_fails_at = fails_at; /* no right to */
		assert_int_equal(xdp_clock_sync(&root), -EPERM);
		assert_int_equal(kernel.n_runs, 0);
	}
	for (unsigned fails_at = 1; fails_at < 12; fails_at++) {
		boot_kernel(1000, 1000, 0xfffb6c20u);
		kernel.fails_at = fails_at;
		assert_int_equal(xdp_clock_sync(&root), -EIO);
		assert_int_equal(kernel.n_runs, fails_at);
	}
	boot_kernel(1000, 1000, 0xfffb6c20u);
	kernel.stands = true; /* ticks that do not change */
	assert_int_equal(xdp_clock_sync(&root), -ETIME);
	assert_in_range(kernel.now_ns - kernel.boot_ns, 8000000000u, 8100000000u);
	assert_true(root.tick_scale == 0 && root.tick_base == 0);
	assert_int_equal(count_descriptors(), n_fds);
}

SUITE(xdp_ticks)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rate_is_recognized),
		cmocka_unit_test(a_tick_is_read_whole),
		cmocka_unit_test(seconds_agree_from_the_first_reading_on),
		cmocka_unit_test(a_kernel_that_does_not_answer_is_an_error),
	};

	answer_bpf_prog_load = own_bpf_prog_load;
	answer_bpf_prog_test_run_opts = own_bpf_prog_test_run_opts;
	answer_clock_gettime = own_clock_gettime;
	answer_usleep = own_usleep;
	return cmocka_run_group_tests_name("xdp ticks", tests, NULL, NULL);
}
