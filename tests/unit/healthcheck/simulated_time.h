/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A real loop in a time of the test's own: where the loop would wait, the clock goes on by itself. For tests that are
 * linked with clock_gettime and epoll_wait wrapped.
 */
#ifndef TEST_SIMULATED_TIME_H
#define TEST_SIMULATED_TIME_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/loop.h"
#include "tests/unit/answers.h"

#define START_MS 1000000u
#define WALL_S   1700000000

static struct {
	struct loop *loop; /* NULL: that of a process, which a signal ends */
	uint64_t now_ms, end_ms;
	bool held_up; /* the loop takes its timers for the first, whatever has come */
	int error;    /* the loop cannot wait; 0: it can */
	uint64_t (*next)(
	        void);      /* when something comes to a descriptor again; NULL: never by itself */
	void (*come)(void); /* let come what has come by now */
} simulated;

static int own_clock_gettime(clockid_t which, struct timespec *out)
{
	uint64_t ms = simulated.now_ms;

	if (which == CLOCK_REALTIME)
		ms += (uint64_t)WALL_S * 1000 - START_MS;
	*out = (struct timespec){ .tv_sec = (time_t)(ms / 1000),
		                  .tv_nsec = (long)(ms % 1000) * 1000000 };
	return 0;
}

/* What comes in the very millisecond of a timer comes after it. */
static int own_epoll_wait(int fd, struct epoll_event *events, int most, int timeout_ms)
{
	uint64_t at_ms = timeout_ms < 0 ? UINT64_MAX : simulated.now_ms + (uint64_t)timeout_ms;
	int n;

	if (simulated.held_up) {
		simulated.held_up = false;
		return 0;
	}
	if (simulated.come)
		simulated.come();
	if (simulated.error) {
		errno = simulated.error;
		return -1;
	}
	n = __real_epoll_wait(fd, events, most, 0);
	if (n || !timeout_ms)
		return n;
	if (simulated.next && simulated.next() < at_ms)
		at_ms = simulated.next();
	if (at_ms > simulated.end_ms) {
		at_ms = simulated.end_ms;
		if (simulated.loop)
			loop_stop(simulated.loop);
		else
			raise(SIGTERM);
	}
	if (at_ms > simulated.now_ms)
		simulated.now_ms = at_ms;
	return 0;
}

/* Let all happen until @p at_ms, that millisecond included. */
static inline void simulate_to(struct loop *loop, uint64_t at_ms)
{
	simulated.loop = loop;
	simulated.end_ms = at_ms;
	(void)!loop_run(loop);
}

#endif
