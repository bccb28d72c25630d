/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the supervisor does to a child, whoever decides it: note it, become its program, ask it to
 * end. When a child starts and what follows its end is in run.c and successor.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "supervise/internal.h"

#define OOM_FIRST 500  /* half of all memory counts in addition */
#define OOM_MOST  1000 /* OOM_SCORE_ADJ_MAX of the kernel */

void run_note_children(struct run *r)
{
	struct run_noted noted[CHILD_COUNT + 2];

	for (int i = 0; i < CHILD_COUNT; i++)
		noted[i] = (struct run_noted){ r->children[i].name, r->children[i].pid };
	noted[CHILD_COUNT] = (struct run_noted){ "run", getpid() };
	noted[CHILD_COUNT + 1] = (struct run_noted){ "successor", r->successor.pid };
	int err = run_state_write(r->dirs->run, noted, CHILD_COUNT + 2);
	r->noted = true;
	if (err && !r->note_failed)
		log_warn("run-state-failed", "error=\"%s\"", strerror(-err));
	r->note_failed = err != 0;
}

/*
 * Where the host's memory is at an end, the kernel ends weir-mgmt first, whose end changes no answer and no packet: it would
 * choose the largest, which are weir-dataplane and weir-dns. In a container all may have a score already.
 */
static void offer_to_oom_killer(void)
{
	char text[16];
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	run_read_proc(getpid(), "oom_score_adj", text, sizeof(text));
	int score = atoi(text) + OOM_FIRST;

	dprintf(fd, "%d", score < OOM_MOST ? score : OOM_MOST);
	close(fd);
}

/* Systemd's variables are ours alone, and no signal may stay blocked. */
void run_exec_child(const struct child *c, const char *option, const char *value)
{
	const struct proc_dirs *d = c->run->dirs;
	char path[PATH_MAX];
	sigset_t none;

	if (snprintf(path, sizeof(path), "%s/weir-%s", c->run->bin, c->name) >= PATH_MAX)
		_exit(126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	unsetenv("NOTIFY_SOCKET");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	unsetenv(PROC_SKIP_VARIABLE);
	if (c == &c->run->children[CHILD_MGMT])
		offer_to_oom_killer();
	if (*c->skips && !option) /* a successor is tried with the newest */
		setenv(PROC_SKIP_VARIABLE, c->skips, 1);
	if (c == &c->run->children[CHILD_DNS] && run_sockets_hand_down(&c->run->sockets) != 0)
		_exit(126);
	execl(path, path, "--conf-dir", d->conf, "--state-dir", d->state, "--run-dir", d->run,
	      "--bpf-dir", d->bpf, "--node", d->node, option, value, (char *)NULL);
	fprintf(stderr, "weir run: %s: %s\n", path, strerror(errno));
	_exit(127);
}

void run_terminate_child(struct child *c)
{
	kill(c->pid, SIGTERM);
	loop_timer_set(c->run->loop, &c->limit, loop_now_ms(c->run->loop) + STOP_MS);
}
