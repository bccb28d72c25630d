/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When the process before a successor is asked to end (supervise/successor.c): not amid work that
 * it announces. The loop, the clock and what ends processes are the test's; test_run_successor.py has
 * the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

#define NOW_MS    5000000u
#define CHILD     111
#define SUCCESSOR 222

static struct {
	uint64_t now_ms, job_until_s;
	unsigned n_asked, n_killed;
	struct loop_timer *timer; /* that is set; NULL: none */
	uint64_t timer_ms;
} did;

static uint64_t fake_now(void)
{
	return did.now_ms;
}
static uint64_t fake_loop_now(const struct loop *l)
{
	(void)l;
	return did.now_ms;
}
static int fake_timer_set(struct loop *l, struct loop_timer *t, uint64_t at_ms)
{
	(void)l;
	did.timer = t;
	did.timer_ms = at_ms;
	return 0;
}
static void fake_timer_cancel(struct loop *l, struct loop_timer *t)
{
	(void)l;
	(void)t;
	did.timer = NULL;
}
static void fake_fd_remove(struct loop *l, int fd)
{
	(void)l;
	(void)fd;
}
static int fake_kill(pid_t pid, int signo)
{
	assert_int_equal(pid, SUCCESSOR);
	assert_int_equal(signo, SIGKILL);
	did.n_killed++;
	return 0;
}

void run_terminate_child(struct child *c)
{
	assert_int_equal(c->pid, CHILD);
	assert_true(c->must_restart);
	did.n_asked++;
}
void run_signs_read(struct run_page *p, const char *run_dir, const char *name, pid_t pid,
                    uint64_t now_ms, struct run_signs *out)
{
	(void)p;
	assert_string_equal(run_dir, "/run/weir");
	assert_string_equal(name, "dataplane");
	assert_int_equal(pid, CHILD);
	assert_int_equal(now_ms, did.now_ms);
	*out = (struct run_signs){ .job_until_s = did.job_until_s, .job = "driver" };
}
void run_note_children(struct run *r)
{
	(void)r;
}
void run_exec_child(const struct child *c, const char *option, const char *value)
{
	(void)c;
	(void)option;
	(void)value;
	_exit(1);
}

#define clock_mono_ms     fake_now
#define loop_now_ms       fake_loop_now
#define loop_timer_set    fake_timer_set
#define loop_timer_cancel fake_timer_cancel
#define loop_fd_remove    fake_fd_remove
#define kill              fake_kill
#include "supervise/successor.c"
#undef kill

static struct proc_dirs dirs = { .run = "/run/weir" };
static struct run run;

/* The successor says that it is ready. */
static void say_ready(void)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "1", 1), 1);
	close(ends[1]);
	run.successor.ready_fd = ends[0];
	on_ready(&run, ends[0], EPOLLIN);
	assert_int_equal(run.successor.ready_fd, -1);
}

static int setup(void **state)
{
	(void)state;
	memset(&did, 0, sizeof(did));
	did.now_ms = NOW_MS;
	run = (struct run){ .dirs = &dirs, .successor = { .pid = SUCCESSOR, .pidfd = -1 } };
	run.children[CHILD_DATAPLANE] =
	        (struct child){ .name = "dataplane", .run = &run, .pid = CHILD };
	log_level(LOG_EMERG);
	return 0;
}

static void a_process_without_work_is_asked_at_once(void **state)
{
	(void)state;
	did.job_until_s =
	        NOW_MS / 1000; /* its time is over: it hangs, and the limit of SIGTERM holds */
	say_ready();
	assert_int_equal(did.n_asked, 1);
	assert_null(did.timer);
}

static void announced_work_is_waited_for(void **state)
{
	(void)state;
	did.job_until_s = NOW_MS / 1000 + 300;
	say_ready();
	for (int i = 0; i < 40; i++) {
		assert_int_equal(did.n_asked, 0);
		assert_false(run.children[CHILD_DATAPLANE].must_restart);
		assert_ptr_equal(did.timer, &run.successor.limit);
		assert_int_equal(did.timer_ms, did.now_ms + LOOK_MS);
		did.now_ms = did.timer_ms;
		did.timer = NULL;
		run.successor.limit.cb(&run);
	}
	did.job_until_s = 0;
	run.successor.limit.cb(&run);
	assert_int_equal(did.n_asked, 1);
	assert_int_equal(did.n_killed, 0);
}

/* The successor would give up at any time now, perhaps when the other one has just been asked. */
static void a_process_that_stays_busy_goes_on_and_the_successor_does_not(void **state)
{
	(void)state;
	did.job_until_s = NOW_MS / 1000 + 300;
	say_ready();
	did.now_ms += BUSY_MS;
	did.timer = NULL;
	run.successor.limit.cb(&run);
	assert_int_equal(did.n_killed, 1);
	assert_int_equal(did.n_asked, 0);
	assert_null(did.timer);
}

static void what_has_changed_meanwhile_is_left_alone(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		setup(state);
		did.job_until_s = NOW_MS / 1000 + 300;
		say_ready();
		run.stopping = i == 0;
		run.successor.pid = i == 1 ? 0 : SUCCESSOR;
		run.children[CHILD_DATAPLANE].pid = i == 2 ? 0 : CHILD;
		did.job_until_s = 0;
		run.successor.limit.cb(&run);
		assert_int_equal(did.n_asked, 0);
		assert_int_equal(did.n_killed, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_process_without_work_is_asked_at_once, setup),
		cmocka_unit_test_setup(announced_work_is_waited_for, setup),
		cmocka_unit_test_setup(a_process_that_stays_busy_goes_on_and_the_successor_does_not,
		                       setup),
		cmocka_unit_test_setup(what_has_changed_meanwhile_is_left_alone, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
