/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --offline while weir-mgmt hangs. It has the store, and would overwrite our change with its own
 * state if it woke up. So it is killed first, as `weir run` does after a while, and only then the
 * store is opened. Suspicion is not enough: its sign of life must stand still while we watch, with
 * no announced job under way.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "mgmt/cli/cmd_override.h"
#include "supervise/run.h"
#include "supervise/watch.h"

#define STEP_US 100000u /* between two looks at it */
#define END_MS  2000    /* for a killed process to end */

/*
 * Whether the page's writer is still weir-mgmt: the kernel gives pids of ended processes to others.
 */
static bool is_mgmt(pid_t pid)
{
	char name[32];

	return run_read_proc(pid, "comm", name, sizeof(name)) && !strcmp(name, "weir-mgmt\n");
}

static pid_t find_writer(const char *run_dir)
{
	struct stats_reader *r;

	if (stats_reader_open(run_dir, "mgmt", &r) != 0)
		return 0;
	uint64_t pid = stats_reader_pid(r);

	stats_reader_close(r);
	return pid > 1 && pid < INT32_MAX && is_mgmt((pid_t)pid) ? (pid_t)pid : 0;
}

/* Watch it for as long as its sign of life must stand still. @return whether it gave no sign */
static bool shows_no_life(const char *run_dir, pid_t pid, char job[RUN_LABEL_MAX])
{
	struct run_page page = { 0 };
	struct run_signs first, now;
	uint64_t from_ms = clock_mono_ms();
	bool still = true;

	run_signs_read(&page, run_dir, "mgmt", pid, from_ms, &first);
	while (still && life_is_fresh(from_ms, LIFE_FOR_OFFLINE, clock_mono_ms())) {
		usleep(STEP_US);
		run_signs_read(&page, run_dir, "mgmt", pid, clock_mono_ms(), &now);
		still = now.n_threads && now.n_threads == first.n_threads &&
		        now.threads[0].turns == first.threads[0].turns;
		if (now.job_until_s > clock_mono_ms() / 1000) {
			snprintf(job, RUN_LABEL_MAX, "%s", now.job);
			still = false;
		}
	}
	run_page_close(&page);
	return still;
}

/* Whether weir run lives, which starts processes again. */
static bool is_supervised(const char *run_dir)
{
	struct stats_reader *page;

	if (stats_reader_open(run_dir, "run", &page) != 0)
		return false;
	bool lives = life_is_fresh(stats_reader_alive_ms(page), LIFE_FOR_OFFLINE, clock_mono_ms());

	stats_reader_close(page);
	return lives;
}

/* @return 0, or -errno: it is still there */
static int end_process(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) != 0)
		return -errno;
	return poll(&p, 1, END_MS) == 1 ? 0 : -ETIMEDOUT;
}

/* It runs. Where its socket is gone, it makes it again within about a second. */
static int report_running(const struct cli *cli, const char *job)
{
	char path[PATH_MAX];

	if (*job)
		return cli_fail(CLI_CONFLICT,
		                "weir-mgmt is busy (%s) and uses the store; try again in a moment",
		                job);
	if (!proc_path(cli->dirs.run, PROC_API_SOCKET, path) && access(path, F_OK) != 0)
		return cli_fail(CLI_CONFLICT,
		                "weir-mgmt runs and uses the store, but its socket %s is gone; "
		                "wait some seconds until weir-mgmt makes the socket again (if not, "
		                "its log says why), then repeat the command without --offline",
		                path);
	return cli_fail(CLI_CONFLICT,
	                "weir-mgmt runs and uses the store; repeat the command without "
	                "--offline");
}

int offline_end_hung(const struct cli *cli, bool dry_run)
{
	char job[RUN_LABEL_MAX] = "";
	pid_t pid = find_writer(cli->dirs.run);
	int pidfd = pid ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (pidfd < 0)
		return cli_fail(CLI_CONFLICT,
		                "another process uses the store; try again in a few seconds");
	int status = CLI_OK;
	if (!shows_no_life(cli->dirs.run, pid, job))
		status = report_running(cli, job);
	else if (dry_run)
		status = cli_fail(CLI_CONFLICT,
		                  "weir-mgmt hangs and holds the store; without --dry-run this "
		                  "command kills weir-mgmt first");
	int err = status == CLI_OK && is_mgmt(pid) ? end_process(pidfd) : 0;
	close(pidfd);
	if (status != CLI_OK)
		return status;
	if (err)
		return cli_fail(CLI_CONFLICT,
		                "weir-mgmt (pid %d) hangs, holds the store and cannot be killed "
		                "(%s): check disks and dmesg",
		                (int)pid, strerror(-err));
	fprintf(stderr, "weir: weir-mgmt (pid %d) hung and was killed; %s\n", (int)pid,
	        is_supervised(cli->dirs.run)
	                ? "weir run starts another"
	                : "nothing starts another, for weir run is dead or hangs: start it "
	                  "(systemctl restart weir)");
	return CLI_OK;
}
