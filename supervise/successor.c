/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A planned restart of weir-dataplane (`weir restart dataplane`, SIGUSR1). The next process is
 * started beside the one that forwards, and prepares what it can (dataplane/succession.h). When it
 * says by a pipe that it is ready, the other one is asked to end; with its end the successor becomes
 * the child. So the supervisor alone decides which of the two goes on:
 *
 * - The successor ends, or is not ready in time: it is gone, and the other one never knew of it.
 * - The other one announces work (it opens another driver): it could not end in order amid it, and
 *   what it opens would be opened again from nothing. So it is waited for, or the successor is ended.
 * - The other one dies meanwhile: the successor is the next process, as it would have been anyway. It
 *   still must be ready in time: as it shows no sign of life before that, nothing else would end it.
 * - The supervisor dies: the successor finds nobody at the pipe and ends. After it was ready, the
 *   next supervisor finds whichever of the two still runs (run_find()); with the end of the other
 *   one, which it may have found first, it looks again.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervise/internal.h"

#define PREPARE_MS 300000u /* DPDK clears its memory, which may be many GiB */
#define BUSY_MS    10000u  /* for the other one's work: less than the successor waits for its end */
#define LOOK_MS    50u

static void close_ready(struct run_successor *s, struct loop *l)
{
	if (s->ready_fd < 0)
		return;
	loop_fd_remove(l, s->ready_fd);
	close(s->ready_fd);
	s->ready_fd = -1;
}

/* Nobody prepares any more. */
static void end_preparation(struct run *r)
{
	r->successor.preparing = 0;
	loop_timer_cancel(r->loop, &r->successor.limit);
}

/* Forget the process; it has ended, or is the child now. Its pipe may still be open, and its preparation go on. */
static void forget_successor(struct run *r)
{
	struct run_successor *s = &r->successor;

	loop_fd_remove(r->loop, s->pidfd);
	close(s->pidfd);
	s->pid = 0;
	s->pidfd = -1;
}

/* Ask the other one to end, once it announces no work. */
static void replace_child(void *arg)
{
	struct run *r = arg;
	struct run_successor *s = &r->successor;
	struct child *c = &r->children[CHILD_DATAPLANE];
	uint64_t now_ms = clock_mono_ms();
	struct run_signs signs;

	if (!s->pid || !c->pid || r->stopping)
		return;
	run_signs_read(&c->page, r->dirs->run, c->name, c->pid, now_ms, &signs);
	if (signs.job_until_s <= now_ms / 1000) {
		c->must_restart = true;
		run_terminate_child(c);
	} else if (now_ms < s->waits_until_ms) {
		loop_timer_set(r->loop, &s->limit, loop_now_ms(r->loop) + LOOK_MS);
	} else {
		log_warn("process-killed",
		         "process=successor pid=%d reason=\"weir-%s is busy: %s\"", (int)s->pid,
		         c->name, signs.job);
		kill(s->pid, SIGKILL);
	}
}

/* Its byte, or that it has closed the pipe without one: it ends then, which the pidfd shows. */
static void on_ready(void *arg, int fd, uint32_t events)
{
	struct run *r = arg;
	const struct child *c = &r->children[CHILD_DATAPLANE];
	char byte;
	bool is_ready = read(fd, &byte, 1) == 1;

	(void)events;
	close_ready(&r->successor, r->loop);
	if (is_ready || !r->successor.pid) /* the child has ended without it */
		end_preparation(r);
	if (!is_ready || !r->successor.pid || !c->pid || r->stopping)
		return;
	log_info("successor-ready", "process=%s pid=%d successor=%d", c->name, (int)c->pid,
	         (int)r->successor.pid);
	r->successor.limit.cb = replace_child;
	r->successor.waits_until_ms = clock_mono_ms() + BUSY_MS;
	replace_child(r);
}

static void on_end(void *arg, int fd, uint32_t events)
{
	struct run *r = arg;
	const struct child *c = &r->children[CHILD_DATAPLANE];
	int status = 0;

	(void)fd;
	(void)events;
	(void)waitpid(r->successor.pid, &status, 0);
	log_warn("successor-ended", "process=%s pid=%d how=%s code=%d goes_on=%d", c->name,
	         (int)r->successor.pid, WIFSIGNALED(status) ? "signal" : "exit",
	         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (int)c->pid);
	forget_successor(r);
	end_preparation(r);
	close_ready(&r->successor, r->loop);
	run_note_children(r);
}

static void on_limit(void *arg)
{
	const struct run *r = arg;
	const struct run_successor *s = &r->successor;

	if (!s->preparing ||
	    (s->preparing != s->pid && s->preparing != r->children[CHILD_DATAPLANE].pid))
		return;
	log_warn("process-killed", "process=%s pid=%d reason=\"not ready within %u s\"",
	         s->pid ? "successor" : "dataplane", (int)s->preparing, PREPARE_MS / 1000);
	kill(s->preparing, SIGKILL);
}

/* In the new process. */
static void exec_successor(const struct child *c, int ready_fd)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", ready_fd);
	(void)fcntl(ready_fd, F_SETFD, 0);
	run_exec_child(c, "--successor", text);
}

/* @return 0 or -errno; the process is killed then */
static int watch_successor(struct run *r, pid_t pid, int ready_fd)
{
	struct run_successor *s = &r->successor;
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	int err = fd < 0 ? -errno : loop_fd_add(r->loop, fd, EPOLLIN, on_end, r);

	if (!err) {
		err = loop_fd_add(r->loop, ready_fd, EPOLLIN, on_ready, r);
		if (err)
			loop_fd_remove(r->loop, fd);
	}
	if (err) {
		if (fd >= 0)
			close(fd);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return err;
	}
	s->limit = (struct loop_timer){ .cb = on_limit, .arg = r };
	s->pid = s->preparing = pid;
	s->pidfd = fd;
	s->ready_fd = ready_fd;
	return loop_timer_set(r->loop, &s->limit, loop_now_ms(r->loop) + PREPARE_MS);
}

/* Its end of the pipe is the only descriptor that it gets from us. @return 0 or -errno */
static int start_successor(struct run *r)
{
	const struct child *c = &r->children[CHILD_DATAPLANE];
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		exec_successor(c, ends[1]);
	err = pid < 0 ? -errno : watch_successor(r, pid, ends[0]);
	close(ends[1]);
	if (err) {
		close(ends[0]);
		return err;
	}
	log_info("successor-started", "process=%s pid=%d successor=%d", c->name, (int)c->pid,
	         (int)pid);
	run_note_children(r);
	return 0;
}

void run_successor_begin(void *run)
{
	struct run *r = run;
	const struct child *c = &r->children[CHILD_DATAPLANE];
	int err;

	/* the child may be a successor that has not said yet that it is ready */
	if (r->stopping || !c->pid || c->must_restart || r->successor.pid ||
	    r->successor.ready_fd >= 0) {
		log_note("successor-not-started", "process=%s reason=\"%s\"", c->name,
		         r->stopping        ? "weir run stops"
		         : r->successor.pid ? "there is one"
		                            : "the process starts or ends anyway");
		return;
	}
	err = start_successor(r);
	if (err)
		log_error("process-not-started", "process=successor error=\"%s\"", strerror(-err));
}

pid_t run_successor_release(struct run *r)
{
	pid_t pid = r->successor.pid;

	if (pid)
		forget_successor(r);
	if (!r->successor.preparing)
		end_preparation(r);
	return pid;
}

void run_successor_stop(struct run *r)
{
	if (r->successor.pid)
		kill(r->successor.pid, SIGKILL);
}
