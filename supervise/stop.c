/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `weir run --stop`: stop the supervisor and the five processes, whatever state they are in. A
 * living supervisor does it itself, on SIGTERM. One that hangs is killed. Then, as after a dead
 * one, its processes are taken over and stopped here, in the same order.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "supervise/internal.h"
#include "weir/life.h"
#include "weir/stats.h"

#define AGAIN_US 100000u /* between two tries to take the lock */
#define MOST_MS  60000u  /* five processes, each with its time to end */

int run_send_signal(pid_t pid, int signo)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), err;

	if (fd < 0)
		return -errno;
	err = syscall(SYS_pidfd_send_signal, fd, signo, NULL, 0) ? -errno : 0;
	close(fd);
	return err;
}

static bool supervisor_is_silent(const struct run *r, pid_t pid)
{
	struct stats_reader *page;
	bool silent = false;

	if (stats_reader_open(r->dirs->run, "run", &page) != 0)
		return false;
	if (stats_reader_pid(page) == (uint64_t)pid)
		silent =
		        !life_is_fresh(stats_reader_alive_ms(page), LIFE_FOR_STOP, clock_mono_ms());
	stats_reader_close(page);
	return silent;
}

int run_stop_other(struct run *r, const char *lock, int *lock_fd)
{
	uint64_t until_ms = clock_mono_ms() + MOST_MS;
	pid_t signalled = 0;
	bool killed = false;
	int err;

	while ((err = lock_acquire(lock, lock_fd)) == -EBUSY && clock_mono_ms() < until_ms) {
		pid_t pid = run_state_find(r->dirs->run, "run");

		if (pid && pid != signalled) {
			signalled = pid;
			log_note("supervisor-asked", "pid=%d signal=TERM", (int)pid);
			(void)run_send_signal(pid, SIGTERM);
		}
		if (pid && !killed && supervisor_is_silent(r, pid)) {
			killed = true;
			log_warn("supervisor-killed", "pid=%d reason=\"it hangs\"", (int)pid);
			(void)run_send_signal(pid, SIGKILL);
		}
		usleep(AGAIN_US);
	}
	return err;
}
