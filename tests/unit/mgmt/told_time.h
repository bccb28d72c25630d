/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot clock and the wall clock are the test's: it is linked with clock_gettime wrapped. A test includes this once. */
#ifndef WEIR_TESTS_MGMT_TOLD_TIME_H
#define WEIR_TESTS_MGMT_TOLD_TIME_H

#include <stdint.h>
#include <time.h>

#include "tests/unit/answers.h"

static _Atomic uint64_t told_ms;     /* of the boot clock */
static _Atomic int64_t told_wall_ms; /* of the wall clock */

static int own_clock_gettime(clockid_t which, struct timespec *out)
{
	int64_t ms = which == CLOCK_BOOTTIME ? (int64_t)told_ms : told_wall_ms;

	if (which != CLOCK_BOOTTIME && which != CLOCK_REALTIME)
		return __real_clock_gettime(which, out);
	*out = (struct timespec){ .tv_sec = (time_t)(ms / 1000),
		                  .tv_nsec = (long)(ms % 1000) * 1000000 };
	return 0;
}

/* In the suite, before a thread is started. */
static inline void told_time_begin(void)
{
	answer_clock_gettime = own_clock_gettime;
}

#endif
