/* SPDX-License-Identifier: BSD-2-Clause */
#include "own_time.h"

#include <stdint.h>

#include "tests/unit/answers.h"

static uint64_t now_us = 1000000000; /* since the boot */

static int tell_time(clockid_t id, struct timespec *t)
{
	if (id != CLOCK_BOOTTIME)
		return __real_clock_gettime(id, t);
	*t = (struct timespec){ .tv_sec = (time_t)(now_us / 1000000),
		                .tv_nsec = (long)(now_us % 1000000 * 1000) };
	return 0;
}

/* Work takes so long: nobody sleeps. */
static int pass_time(useconds_t us)
{
	now_us += us;
	return 0;
}

static int pass_time_to_timer(int fd, struct epoll_event *events, int most, int timeout_ms)
{
	int n = __real_epoll_wait(fd, events, most, timeout_ms < 0 ? timeout_ms : 0);

	if (n == 0)
		now_us += (uint64_t)timeout_ms * 1000;
	return n;
}

void own_time_begin(void)
{
	answer_clock_gettime = tell_time;
	answer_usleep = pass_time;
	answer_epoll_wait = pass_time_to_timer;
}
