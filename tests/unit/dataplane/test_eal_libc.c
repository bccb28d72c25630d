/* SPDX-License-Identifier: BSD-2-Clause */
/* The two calls of libc that are changed while DPDK starts, and that all others are as ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "dataplane/dpdk/eal_libc.h"
#include "tests/unit/suite.h"

static const struct timespec measure = { .tv_nsec = EAL_LIBC_DPDK_NS };

/* ms that a sleep takes */
static uint64_t sleep_ms(const struct timespec *time)
{
	uint64_t from_ms = clock_mono_ms();

	/* how long a sleep takes is what is tested */
	assert_int_equal(nanosleep(time, NULL), 0);
	return clock_mono_ms() - from_ms;
}

static void only_the_measurement_of_the_clock_is_shorter(void **state)
{
	const struct timespec other = { .tv_nsec = EAL_LIBC_DPDK_NS + 1 };

	(void)state;
	assert_true(sleep_ms(&measure) >= 99);
	eal_libc_hurry(true);
	assert_in_range(sleep_ms(&measure), 9, 80); /* a busy machine may take longer than 10 */
	assert_true(sleep_ms(&other) >= 99);
	eal_libc_hurry(false);
	assert_true(sleep_ms(&measure) >= 99);
}

static void a_sleep_that_cannot_be_says_so(void **state)
{
	const struct timespec wrong = { .tv_nsec = -1 };

	(void)state;
	assert_int_equal(nanosleep(&wrong, NULL), -1); /* which cannot begin */
	assert_int_equal(errno, EINVAL);
}

static void ordinary_memory_is_no_memfd_and_all_else_may_be(void **state)
{
	static const char *const names[] = { "nohuge", "another" };

	(void)state;
	for (int hurry = 0; hurry < 2; hurry++)
		for (int i = 0; i < 2; i++) {
			bool refused = hurry && i == 0;

			eal_libc_hurry(hurry);
			int fd = memfd_create(names[i], 0);
			assert_int_equal(fd < 0, refused);
			if (refused)
				assert_int_equal(errno, ENOSYS);
			else
				close(fd);
		}
	eal_libc_hurry(false);
}

SUITE(eal_libc)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_measurement_of_the_clock_is_shorter),
		cmocka_unit_test(a_sleep_that_cannot_be_says_so),
		cmocka_unit_test(ordinary_memory_is_no_memfd_and_all_else_may_be),
	};

	return cmocka_run_group_tests_name("eal libc", tests, NULL, NULL);
}
