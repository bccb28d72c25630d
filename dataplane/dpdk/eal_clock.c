/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * At its start DPDK sleeps for 100 ms between two readings of the time stamp counter, unless the
 * CPU says its rate (CPUID leaf 0x15; most servers and guests do not). Nothing is forwarded
 * meanwhile after a crash. 10 ms are enough: the readings are exact to a microsecond, which is one
 * in 10,000, and DPDK rounds to 10 MHz. Should another process get the CPU between the readings of
 * the two clocks, the rate is wrong by some percent; what it is used for are intervals from 50 us
 * to 20 ms, of which none needs to be exact.
 *
 * DPDK has no option for it. But it calls nanosleep() by name, so the program's own nanosleep()
 * comes before libc's, for DPDK as for all others. Only a sleep of exactly that time, while DPDK
 * starts and in its thread, is shortened.
 */
#include "dataplane/dpdk/eal_clock.h"

#include <errno.h>
#include <time.h>

static _Thread_local bool hurries;

void eal_clock_hurry(bool on)
{
	hurries = on;
}

int nanosleep(const struct timespec *time, struct timespec *remaining)
{
	static const struct timespec short_time = { .tv_nsec = EAL_CLOCK_NS };
	bool measures = hurries && !time->tv_sec && time->tv_nsec == EAL_CLOCK_DPDK_NS;
	int err = clock_nanosleep(CLOCK_REALTIME, 0, measures ? &short_time : time, remaining);

	if (!err)
		return 0;
	errno = err;
	return -1;
}
