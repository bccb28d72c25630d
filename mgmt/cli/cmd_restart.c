/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * restart dataplane: asks this host's supervisor (run_successor.c) and waits until the next process
 * serves. What the supervisor does shows in its note of the processes: a successor while there is
 * one, then another process in the place of the one before. On a busy machine each step may take
 * long, so the command waits as long as there is somebody who will go on: a supervisor that has not
 * taken the request yet, a successor that lives.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "mgmt/cli/cli.h"
#include "supervise/run.h"
#include "weir/json.h"

#define LOOK_US    10000u
#define QUIET_MS   3000u  /* without a successor and without another process: nothing comes of it */
#define UNNOTED_MS 10000u /* without any process; a start that fails is tried again after 5 s */
#define ANSWER_MS  120000u /* from the change of processes until the next one has its ports */
#define WHOLE_MS   400000u /* more than the supervisor gives a successor */

/* What became of a request. */
struct restart_outcome {
	pid_t now;      /* the process that took the place of the one before; 0: none is known */
	bool prepared;  /* a successor was seen */
	bool has_ended; /* the one before */
	bool is_late;   /* and still there is a successor, or a supervisor that looks at nothing */
};

static struct restart_outcome wait_for_other(const char *run_dir, pid_t supervisor, pid_t before)
{
	uint64_t now_ms = clock_mono_ms(), quiet_ms = now_ms, unnoted_ms = now_ms;
	uint64_t until_ms = now_ms + WHOLE_MS;
	struct restart_outcome o = { 0 };

	while (now_ms - quiet_ms < QUIET_MS && now_ms - unnoted_ms < UNNOTED_MS) {
		pid_t now = run_state_find(run_dir, "dataplane");
		bool prepares = run_state_find(run_dir, "successor") != 0;

		if (now && now != before) {
			o.now = now;
			return o;
		}
		o.prepared |= prepares;
		o.has_ended = !now;
		o.is_late = now_ms >= until_ms;
		if (o.is_late)
			break;
		if (now || prepares)
			unnoted_ms = now_ms;
		if (!now || prepares || run_has_pending(supervisor, SIGUSR1))
			quiet_ms = now_ms;
		usleep(LOOK_US);
		now_ms = clock_mono_ms();
	}
	return o;
}

/* The supervisor's note is all that is known: with a full directory it is an old one. */
static int fail_without_successor(const struct restart_outcome *o, pid_t before)
{
	if (o->is_late)
		return cli_fail(CLI_TIMEOUT, "after %u s %s, and process %d %s: see weir status",
		                WHOLE_MS / 1000,
		                o->prepared ? "the next weir-dataplane still prepares"
		                            : "weir run has not taken the request",
		                (int)before, o->has_ended ? "has ended" : "goes on");
	if (o->has_ended)
		return cli_fail(CLI_TIMEOUT,
		                "process %d has ended, and weir run has noted no other one for %u "
		                "s (its directory may be full): see weir status",
		                (int)before, UNNOTED_MS / 1000);
	if (!o->prepared)
		return cli_fail(
		        CLI_REJECTED,
		        "process %d goes on so far, and weir run has noted no other one: its log "
		        "says why (journalctl -u weir | grep successor)",
		        (int)before);
	return cli_fail(CLI_REJECTED,
	                "the next weir-dataplane did not start, and process %d goes on: its log "
	                "says why (journalctl -u weir | grep successor)",
	                (int)before);
}

/*
 * It answers when it has tried its document and its ports. @return its answer, or NULL: it has
 * ended, or it takes too long
 */
static char *wait_for_answer(const char *run_dir, pid_t now)
{
	uint64_t until_ms = clock_mono_ms() + ANSWER_MS;
	char path[PATH_MAX], *text = NULL;

	if (proc_path(run_dir, "dataplane.ctl", path))
		return NULL;
	while (ctl_request(path, "{\"do\":\"status\"}", 1000, &text)) {
		if (clock_mono_ms() > until_ms || run_state_find(run_dir, "dataplane") != now)
			return NULL;
		usleep(LOOK_US);
	}
	return text;
}

/* @return @p otherwise also for an empty text */
static const char *find_text(const json_t *object, const char *name, const char *otherwise)
{
	const char *text = json_get_text(object, name);

	return text && *text ? text : otherwise;
}

/* @return whether it drives none of the ports that it should */
static bool lacks_ports(const json_t *answer)
{
	return json_array_size(json_object_get(answer, "ports_missing")) &&
	       !json_array_size(json_object_get(answer, "ports"));
}

/* Whether it has a document in force and drives a port, by its answer. @return CLI_OK or told */
static int check_answer(const char *text, pid_t now, pid_t before)
{
	json_t *answer = json_loads(text, 0, NULL);
	const json_t *document = json_object_get(answer, "document");
	const json_t *port = json_array_get(json_object_get(answer, "ports_missing"), 0);
	int status = CLI_OK;

	if (json_is_integer(document) && !json_integer_value(document))
		status = cli_fail(CLI_REJECTED,
		                  "weir-dataplane: process %d has taken over from %d and has no "
		                  "document in force: %s",
		                  (int)now, (int)before,
		                  find_text(answer, "refused_why", "see its log"));
	else if (lacks_ports(answer))
		status = cli_fail(CLI_REJECTED,
		                  "weir-dataplane: process %d has taken over from %d and drives no "
		                  "port, so nothing is forwarded: %s: %s",
		                  (int)now, (int)before, find_text(port, "interface", "?"),
		                  find_text(port, "why", "see weir why"));
	json_decref(answer);
	return status;
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
		return cli_fail(CLI_CONFLICT,
		                "weir run has noted no weir-dataplane that runs: it is just "
		                "starting, or %s is full: see weir status",
		                run_dir);
	if (!run_handles_signal(*supervisor, SIGUSR1))
		return cli_fail(
		        CLI_CONFLICT,
		        "the weir run that is in use (pid %d) does not take this command: if it is "
		        "not just starting, replace it first (kill -9 %d; systemd starts the next "
		        "one, and the other processes go on)",
		        (int)*supervisor, (int)*supervisor);
	return CLI_OK;
}

int cli_restart_dataplane(struct cli *cli, const struct cli_args *args)
{
	const char *run_dir = cli->dirs.run;
	struct restart_outcome o;
	pid_t supervisor, before;
	char *text;
	int status = find_processes(run_dir, &supervisor, &before), err;

	(void)args;
	if (status != CLI_OK)
		return status;
	err = run_send_signal(supervisor, SIGUSR1);
	if (err)
		return cli_fail(err == -EPERM ? CLI_DENIED : CLI_UNREACHABLE,
		                "weir run cannot be asked: %s%s", strerror(-err),
		                err == -EPERM ? "; run the command as root" : "");
	o = wait_for_other(run_dir, supervisor, before);
	if (!o.now)
		return fail_without_successor(&o, before);
	text = wait_for_answer(run_dir, o.now);
	if (!text)
		return cli_fail(CLI_TIMEOUT,
		                "weir-dataplane (pid %d, before: %d) does not answer yet: see weir "
		                "status",
		                (int)o.now, (int)before);
	status = check_answer(text, o.now, before);
	free(text);
	if (status == CLI_OK && cli->json)
		printf("{\"before\": %d, \"pid\": %d}\n", (int)before, (int)o.now);
	else if (status == CLI_OK)
		printf("weir-dataplane: process %d has taken over from %d\n", (int)o.now,
		       (int)before);
	return status;
}
