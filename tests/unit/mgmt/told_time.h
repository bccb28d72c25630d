/* SPDX-License-Identifier: BSD-2-Clause */
/* Time is the test's: it goes on when told_ms does. A suite includes this once, and begins with told_time_begin(). */
#ifndef WEIR_TESTS_MGMT_TOLD_TIME_H
#define WEIR_TESTS_MGMT_TOLD_TIME_H

#include <stdint.h>
#include <time.h>

#include "tests/unit/answers.h"

enum told_how {
	TOLD_APART, /* the boot clock, and the wall clock, which shows told_wall_ms */
	TOLD_BOOT,  /* the boot clock alone, and not while told_ms is 0 */
	TOLD_ALL,   /* all clocks, of which the wall clock is told_wall_ms ahead */
};

static _Atomic uint64_t told_ms; /* of the boot clock */
static _Atomic int64_t told_wall_ms;
static enum told_how told_how;

static int own_clock_gettime(clockid_t which, struct timespec *out)
{
	int64_t ms = (int64_t)told_ms;

	if (which == CLOCK_THREAD_CPUTIME_ID ||
	    (which == CLOCK_MONOTONIC && told_how != TOLD_ALL) ||
	    (told_how == TOLD_BOOT && (which == CLOCK_REALTIME || !ms)))
		return __real_clock_gettime(which, out);
	if (which == CLOCK_REALTIME)
		ms = told_wall_ms + (told_how == TOLD_ALL ? ms : 0);
	*out = (struct timespec){ .tv_sec = (time_t)(ms / 1000),
		                  .tv_nsec = (long)(ms % 1000) * 1000000 };
	return 0;
}

/* In the suite, before a thread is started. */
static inline void told_time_begin(enum told_how how)
{
	told_how = how;
	answer_clock_gettime = own_clock_gettime;
}

#endif
