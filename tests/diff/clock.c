/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * To be preloaded: a process's clocks are those of who holds the file that DPDK_CLOCK names, and
 * stand still between its words. What DPDK measures its own clock with is the kernel's.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "diff/dpdk.h"

static struct dpdk_clock *shared;

__attribute__((constructor)) static void find_clock(void)
{
	const char *path = getenv(DPDK_CLOCK);
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd < 0 || at == MAP_FAILED)
		abort();
	close(fd);
	shared = at;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	uint64_t ms;

	if (id == CLOCK_REALTIME)
		ms = __atomic_load_n(&shared->wall_clock_ms, __ATOMIC_ACQUIRE);
	else if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME)
		ms = __atomic_load_n(&shared->mono_ms, __ATOMIC_ACQUIRE);
	else
		return (int)syscall(SYS_clock_gettime, id, t);
	if (id == CLOCK_MONOTONIC_COARSE)
		__atomic_store_n(&shared->packets_ms, ms, __ATOMIC_RELEASE);
	*t = (struct timespec){ (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };
	return 0;
}
