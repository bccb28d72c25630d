/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * restart dataplane: asks this host's supervisor (run_successor.c) and waits until the next process
 * serves. What the supervisor does shows in its note of the processes: a successor while there is
 * one, then another process in the place of the one before.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "mgmt/cli/cli.h"
#include "mgmt/cli/run.h"

#define LOOK_US   10000u
#define QUIET_MS  3000u  /* without a successor and without another process: nothing comes of it */
#define ANSWER_MS 30000u /* from the change of processes until the next one has its ports */

/* @return the pid of the process that took the place of @p before, or 0: none did */
static pid_t wait_for_other(const char *run_dir, pid_t before)
{
	uint64_t quiet_ms = clock_mono_ms();

	while (clock_mono_ms() - quiet_ms < QUIET_MS) {
		pid_t now = run_state_find(run_dir, "dataplane");

		if (now && now != before)
			return now;
		if (!now || run_state_find(run_dir, "successor"))
			quiet_ms = clock_mono_ms();
		usleep(LOOK_US);
	}
	return 0;
}

/* It answers when it has tried its document and its ports. */
static bool wait_for_answer(const char *run_dir)
{
	uint64_t until_ms = clock_mono_ms() + ANSWER_MS;
	char path[PATH_MAX], *text = NULL;

	if (proc_path(run_dir, "dataplane.ctl", path))
		return false;
	while (ctl_request(path, "{\"do\":\"status\"}", 1000, &text)) {
		if (clock_mono_ms() > until_ms)
			return false;
		usleep(LOOK_US);
	}
	free(text);
	return true;
}

/* The supervisor and its weir-dataplane. @return CLI_OK or told */
static int find_processes(const char *run_dir, pid_t *supervisor, pid_t *dataplane)
{
	*supervisor = run_state_find(run_dir, "run");
	*dataplane = run_state_find(run_dir, "dataplane");
	if (!*supervisor)
		return cli_fail(geteuid() ? CLI_DENIED : CLI_UNREACHABLE,
		                geteuid() ? "only root may restart weir-dataplane in %s"
		                          : "no weir run uses %s: systemctl start weir",
		                run_dir);
	if (!*dataplane)
		return cli_fail(CLI_CONFLICT, "weir-dataplane is just starting: see weir status");
	if (!run_handles_signal(*supervisor, SIGUSR1))
		return cli_fail(CLI_CONFLICT,
		                "the weir run that is in use (pid %d) is of an earlier release: "
		                "replace it first (kill -9 %d; systemd starts the next one, and "
		                "the other processes go on)",
		                (int)*supervisor, (int)*supervisor);
	return CLI_OK;
}

int cli_restart_dataplane(struct cli *cli, const struct cli_args *args)
{
	const char *run_dir = cli->dirs.run;
	pid_t supervisor, before, after;
	int status = find_processes(run_dir, &supervisor, &before), err;

	(void)args;
	if (status != CLI_OK)
		return status;
	err = run_send_signal(supervisor, SIGUSR1);
	if (err)
		return cli_fail(err == -EPERM ? CLI_DENIED : CLI_UNREACHABLE,
		                "weir run cannot be asked: %s%s", strerror(-err),
		                err == -EPERM ? "; run the command as root" : "");
	after = wait_for_other(run_dir, before);
	if (!after)
		return cli_fail(CLI_REJECTED,
		                "the next weir-dataplane did not start, and process %d goes on: "
		                "its log says why (journalctl -u weir | grep successor)",
		                (int)before);
	if (!wait_for_answer(run_dir))
		return cli_fail(CLI_TIMEOUT,
		                "weir-dataplane (pid %d, before: %d) does not answer yet: see weir "
		                "status",
		                (int)after, (int)before);
	if (cli->json)
		printf("{\"before\": %d, \"pid\": %d}\n", (int)before, (int)after);
	else
		printf("weir-dataplane: process %d has taken over from %d\n", (int)after,
		       (int)before);
	return CLI_OK;
}
