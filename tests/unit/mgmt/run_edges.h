/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * supervise/run.c with its loop, clock, signals and other parts in the test's hands. A test
 * includes this once.
 */
#ifndef WEIR_TESTS_MGMT_RUN_EDGES_H
#define WEIR_TESTS_MGMT_RUN_EDGES_H

#include "fixture.h"
#include "shown.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/owner.h"
#include "base/proc.h"
#include "supervise/internal.h"
#include "weir/model.h"
#include "weir/when.h"

#define NOW     100000u
#define SIGNALS 32

static uint64_t now_of_loop;
static bool stopped;
static int add_err;
static struct {
	pid_t pid;
	int signo;
} sent[SIGNALS];
static size_t n_sent;
static char end_text[RUN_REASON_MAX]; /* the supervisor ended */
static unsigned n_noted, n_forgotten, n_ready, n_deaths;
static int last_death; /* as waitpid(2) said it */

static uint64_t fake_now(const struct loop *l)
{
	(void)l;
	return now_of_loop;
}

static int fake_timer_set(struct loop *l, struct loop_timer *t, uint64_t at_ms)
{
	(void)l;
	t->at_ms = at_ms;
	t->heap_index = 1;
	return 0;
}

static void fake_timer_cancel(struct loop *l, struct loop_timer *t)
{
	(void)l;
	t->heap_index = 0;
}

static int fake_fd_add(struct loop *l, int fd, uint32_t events, loop_fd_cb *cb, void *arg)
{
	(void)l;
	(void)fd;
	assert_int_equal(events, EPOLLIN);
	assert_non_null(cb);
	assert_non_null(arg);
	return add_err;
}

static void fake_fd_remove(struct loop *l, int fd)
{
	(void)l;
	assert_true(fd >= 0);
}

static void fake_stop(struct loop *l)
{
	(void)l;
	stopped = true;
}

static int fake_kill(pid_t pid, int signo)
{
	assert_true(n_sent < SIGNALS);
	sent[n_sent].pid = pid;
	sent[n_sent++].signo = signo;
	return signo == SIGKILL ? (kill)(pid, signo) : 0;
}

/* The child only waits, for at most as long as we live. */
static pid_t fake_fork(void)
{
	pid_t pid = (fork)();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	return pid;
}

/* The other parts of the supervisor. */
static struct {
	bool changed, lack, extra, trimmed;
	int pass_err, take_err, hand_err;
	unsigned n_prepared, n_again, n_threads;
	size_t n_addresses;
} sockets;

void run_sockets_init(struct run_sockets *s)
{
	(void)s;
}
bool run_sockets_set(struct run_sockets *s, const struct addr *addresses, size_t n,
                     unsigned n_threads)
{
	(void)s;
	(void)addresses;
	sockets.n_addresses = n;
	sockets.n_threads = n_threads;
	return sockets.changed;
}
bool run_sockets_lack(const struct run_sockets *s)
{
	(void)s;
	return sockets.lack;
}
void run_sockets_again(struct run_sockets *s)
{
	(void)s;
	sockets.n_again++;
}
bool run_sockets_extra(const struct run_sockets *s)
{
	(void)s;
	return sockets.extra;
}
void run_sockets_trim(struct run_sockets *s)
{
	(void)s;
	sockets.trimmed = true;
}
void run_sockets_prepare(struct run_sockets *s)
{
	(void)s;
	sockets.n_prepared++;
}
int run_sockets_hand_down(const struct run_sockets *s)
{
	(void)s;
	if (!sockets.hand_err)
		setenv("LISTEN_FDS", "handed", 1);
	return sockets.hand_err;
}
int run_sockets_pass(struct run_sockets *s)
{
	(void)s;
	return sockets.pass_err;
}
int run_sockets_adopt(struct run_sockets *s, int pidfd, const struct addr *addresses, size_t n)
{
	(void)s;
	(void)addresses;
	assert_true(pidfd >= 0);
	sockets.n_addresses = n;
	return sockets.take_err;
}
void run_sockets_close(struct run_sockets *s)
{
	(void)s;
}

/* Routes of DNS addresses. */
static struct {
	size_t n_announced; /* in the document noted last */
	bool had_some;
	unsigned n_withdrawn;
} routes;

void run_routes_note(struct run_routes *r, const struct model_node *self)
{
	(void)r;
	routes.n_announced = self->announce.n_dns;
}
bool run_routes_withdraw(const struct run_routes *r)
{
	(void)r;
	routes.n_withdrawn++;
	return routes.had_some;
}

static pid_t takes_signal; /* the only one */

bool run_handles_signal(pid_t pid, int signo)
{
	return pid == takes_signal && signo == SIGHUP;
}
int run_state_write(const char *run_dir, const struct run_noted *noted, size_t n)
{
	(void)run_dir;
	assert_int_equal(n, CHILD_COUNT + 2);
	assert_string_equal(noted[CHILD_COUNT].name, "run");
	assert_int_equal(noted[CHILD_COUNT].pid, getpid());
	assert_string_equal(noted[CHILD_COUNT + 1].name, "successor");
	n_noted++;
	return 0;
}

/* The next weir-dataplane beside this one: test_run_successor.py has it. */
static pid_t successor;
static unsigned n_successors_stopped;

void run_successor_begin(void *r)
{
	(void)r;
}
pid_t run_successor_release(struct run *r)
{
	(void)r;
	return successor;
}
void run_successor_stop(struct run *r)
{
	(void)r;
	n_successors_stopped++;
}
static char order[128]; /* of what is done from the start to the end */

static void note_step(const char *word)
{
	size_t n = strlen(order);

	snprintf(order + n, sizeof(order) - n, "%s ", word);
}

void run_hang_open(struct run *r)
{
	(void)r;
	note_step("open");
}
void run_hang_begin(struct run *r)
{
	(void)r;
	note_step("begin");
}
void run_hang_end(struct run *r)
{
	(void)r;
	note_step("end");
}
void run_hang_note_death(struct child *c, int status)
{
	assert_non_null(c);
	last_death = status;
	n_deaths++;
}

void run_hang_forget(struct child *c)
{
	(void)c;
	n_forgotten++;
}

static pid_t found[CHILD_COUNT]; /* of another supervisor */

pid_t run_find(const struct run *r, const char *name)
{
	for (int i = 0; i < CHILD_COUNT; i++)
		if (!strcmp(name, r->children[i].name))
			return found[i];
	return 0;
}

static int stop_other_err;

int run_stop_other(struct run *r, const char *lock, int *lock_fd)
{
	(void)r;
	(void)lock;
	*lock_fd = -1;
	return stop_other_err;
}

const char *cli_value(const struct cli_args *args, const char *name)
{
	(void)name;
	return args->values[0];
}
bool cli_flag(const struct cli_args *args, const char *name)
{
	(void)args;
	(void)name;
	return false;
}

static void fake_ready(void)
{
	n_ready++;
	note_step("ready");
}

static int loop_err;

static int fake_loop(struct loop *l)
{
	(void)l;
	note_step("loop");
	return loop_err;
}

#define loop_now_ms       fake_now
#define loop_timer_set    fake_timer_set
#define loop_timer_cancel fake_timer_cancel
#define loop_fd_add       fake_fd_add
#define loop_fd_remove    fake_fd_remove
#define loop_stop         fake_stop
#define loop_run          fake_loop
#define kill              fake_kill
#define fork              fake_fork
#define proc_ready        fake_ready
#include "mgmt/cli/cmd_run.c"
#include "supervise/child.c"
#include "supervise/run.c" /* its edges are ours */
#undef kill
#undef fork

#endif
