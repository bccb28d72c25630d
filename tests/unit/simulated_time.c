/* SPDX-License-Identifier: BSD-2-Clause */
#include "simulated_time.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <time.h>

#include "answers.h"

struct simulated simulated = { .now_ms = START_MS, .end_ms = UINT64_MAX };

static int tell_time(clockid_t which, struct timespec *out)
{
	uint64_t ms = __atomic_load_n(&simulated.now_ms, __ATOMIC_RELAXED);

	if (which == CLOCK_REALTIME)
		ms += (uint64_t)WALL_S * 1000 - START_MS;
	*out = (struct timespec){ .tv_sec = (time_t)(ms / 1000),
		                  .tv_nsec = (long)(ms % 1000) * 1000000 };
	return 0;
}

static int pass_sleep(useconds_t us)
{
	static uint64_t rest_us;

	rest_us += us;
	simulated.now_ms += rest_us / 1000;
	rest_us %= 1000;
	return 0;
}

/* The test's time for it is over. */
static void end_loop(void)
{
	if (simulated.loop)
		loop_stop(simulated.loop);
	else
		raise(SIGTERM);
}

/* What comes in the very millisecond of a timer comes after it. */
static int pass_wait(int fd, struct epoll_event *events, int most, int timeout_ms)
{
	bool is_forever = timeout_ms < 0 && simulated.end_ms == UINT64_MAX;
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
	n = __real_epoll_wait(fd, events, most, is_forever ? timeout_ms : 0);
	if (n || !timeout_ms)
		return n;
	if (simulated.next && simulated.next() < at_ms)
		at_ms = simulated.next();
	if (at_ms > simulated.end_ms) {
		at_ms = simulated.end_ms;
		end_loop();
	}
	if (at_ms > simulated.now_ms)
		simulated.now_ms = at_ms;
	return 0;
}

void simulated_clock(void)
{
	answer_clock_gettime = tell_time;
}

void simulated_time(void)
{
	simulated_clock();
	answer_usleep = pass_sleep;
	answer_epoll_wait = pass_wait;
}
