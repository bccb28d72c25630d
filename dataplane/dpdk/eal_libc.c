/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * After a crash nothing is forwarded until DPDK has started, and DPDK has no option for either of
 * these. But it calls libc by name, so the program's own functions come before libc's, for DPDK as
 * for all others. They change nothing but these calls, and only in the thread that starts DPDK.
 *
 * The clock: DPDK sleeps for 100 ms between two readings of the time stamp counter, unless the CPU
 * says its rate (CPUID leaf 0x15; most servers and guests do not). 10 ms are enough: the readings
 * are exact to a microsecond, which is one in 10,000, and DPDK rounds to 10 MHz. Should another
 * process get the CPU between the readings of the two clocks, the rate is wrong by some percent;
 * what it is used for are intervals from 50 us to 20 ms, of which none needs to be exact.
 *
 * Ordinary memory: DPDK takes it from a memfd, so that it could be shared with a guest's virtio.
 * Such memory has pages of 4 KiB, each of which is a fault when packet pools are made, and is freed
 * by itself when the process ends. Weir shares it with nobody. Without a memfd DPDK takes private
 * memory, for which the kernel has transparent hugepages (eal.c asks for them).
 */
#include "dataplane/dpdk/eal_libc.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Thread_local bool hurries;

void eal_libc_hurry(bool on)
{
	hurries = on;
}

int nanosleep(const struct timespec *time, struct timespec *remaining)
{
	static const struct timespec short_time = { .tv_nsec = EAL_LIBC_NS };
	bool measures = hurries && !time->tv_sec && time->tv_nsec == EAL_LIBC_DPDK_NS;
	int err = clock_nanosleep(CLOCK_REALTIME, 0, measures ? &short_time : time, remaining);

	if (!err)
		return 0;
	errno = err;
	return -1;
}

int memfd_create(const char *name, unsigned int flags)
{
	if (hurries && !strcmp(name, "nohuge")) {
		errno = ENOSYS;
		return -1;
	}
	return (int)syscall(SYS_memfd_create, name, flags);
}
