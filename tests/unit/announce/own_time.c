/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands before libc in a test's program: a boot clock that stands still while there is something to do, and goes on to
 * the next timer where the loop would wait. So seconds take no time, and each time is known. All that the loop hears
 * must be of this process and thread.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_us = 1000000000; /* since the boot */

int clock_gettime(clockid_t id, struct timespec *t)
{
	if (id != CLOCK_BOOTTIME)
		return (int)syscall(SYS_clock_gettime, id, t);
	*t = (struct timespec){ .tv_sec = (time_t)(now_us / 1000000),
		                .tv_nsec = (long)(now_us % 1000000 * 1000) };
	return 0;
}

/* Work takes so long: nobody sleeps. */
int usleep(useconds_t us)
{
	now_us += us;
	return 0;
}

int epoll_wait(int fd, struct epoll_event *events, int most, int timeout_ms)
{
	int n = (int)syscall(SYS_epoll_pwait, fd, events, most, timeout_ms < 0 ? timeout_ms : 0,
	                     NULL, (size_t)8);

	if (n == 0)
		now_us += (uint64_t)timeout_ms * 1000;
	return n;
}
