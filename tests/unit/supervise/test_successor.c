/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of two processes goes on when weir-dataplane is replaced (supervise/successor.c). The
 * successor is this program under another name; the child that it is to replace is the test itself,
 * whose signs are written here and who blocks the signal that ends it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervise/internal.h"
#include "tests/unit/suite.h"
#include "weir/stats.h"
#include "tests/unit/descriptors.h"

/* The documented values, not the code's own: a change of those is seen. */
#define PREPARED_MS 300000u
#define ENDS_MS     5000u
#define BUSY_MS     10000u
#define LOOK_MS     50u

#define PATIENCE_MS 10000u /* on a busy machine */
#define KIND        "WEIR_TEST_KIND"

static struct {
	char dir[32];
	struct proc_dirs dirs;
	struct run run;
	struct stats *page;
	struct loop_timer look;
	uint64_t until_ms;
	bool (*is_over)(void);
	int log_fd, stderr_fd;
	pid_t started; /* killed at the end */
} scene;

/* --- the successor --- */

SUITE_PROGRAM(weir_dataplane, "weir-dataplane")
{
	const char *kind = getenv(KIND);
	char path[64];
	int n = 0;
	FILE *f;

	while (arguments[n])
		n++;
	int fd = n == 12 && !strcmp(arguments[10], "--successor") ? atoi(arguments[11]) : -1;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves none */
	snprintf(path, sizeof(path), "%s/options", n > 5 ? arguments[5] : ".");
	f = fopen(path, "w");
	for (int i = 0; f && i < n - 1; i++)
		fprintf(f, "%s ", arguments[i]);
	if (!f || fclose(f) || !kind || fcntl(fd, F_GETFD) != 0)
		return 3;
	if (!strcmp(kind, "exits"))
		return 7;
	if (!strcmp(kind, "is ready") && write(fd, "x", 1) != 1)
		return 4;
	if (!strcmp(kind, "says nothing"))
		close(fd);
	pause();
	return 5;
}

/* --- the supervisor --- */

static void hear_log(bool begins)
{
	fflush(NULL);
	assert_true(dup2(begins ? scene.log_fd : scene.stderr_fd, STDERR_FILENO) >= 0);
}

static void expect_logged(const char *expected)
{
	char text[2000];
	ssize_t n = pread(scene.log_fd, text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_int_equal(ftruncate(scene.log_fd, 0), 0);
	assert_int_equal(lseek(scene.log_fd, 0, SEEK_SET), 0);
	assert_string_equal(text, expected);
}

static int set_up(void **state)
{
	static const char *const names[CHILD_COUNT] = { "mgmt", "dataplane", "health", "dns",
		                                        "announce" };
	char path[64], self[256];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct run *r = &scene.run;

	(void)state;
	memset(&scene, 0, sizeof(scene));
	strcpy(scene.dir, "/tmp/weir-next-XXXXXX");
	if (n < 0 || !mkdtemp(scene.dir) || loop_open(&r->loop))
		return -1;
	self[n] = '\0';
	snprintf(path, sizeof(path), "%s/weir-dataplane", scene.dir);
	if (symlink(self, path))
		return -1;
	scene.dirs = (struct proc_dirs){ .conf = "c", .state = "s", .bpf = "b", .node = "n1" };
	snprintf(scene.dirs.run, sizeof(scene.dirs.run), "%s", scene.dir);
	snprintf(r->bin, sizeof(r->bin), "%s", scene.dir);
	r->dirs = &scene.dirs;
	r->successor.pidfd = r->successor.ready_fd = -1;
	run_sockets_init(&r->sockets);
	for (int i = 0; i < CHILD_COUNT; i++)
		r->children[i] = (struct child){ .name = names[i], .run = r, .pidfd = -1 };
	r->children[CHILD_DATAPLANE].pid = getpid();
	scene.log_fd = memfd_create("log", MFD_CLOEXEC);
	scene.stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	return stats_create(scene.dir, "dataplane", 16, &scene.page);
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	if (scene.started > 0 && kill(scene.started, SIGKILL) == 0)
		waitpid(scene.started, NULL, 0);
	run_page_close(&scene.run.children[CHILD_DATAPLANE].page);
	stats_close(scene.page);
	loop_close(scene.run.loop);
	close(scene.log_fd);
	close(scene.stderr_fd);
	snprintf(command, sizeof(command), "rm -r %s", scene.dir);
	return system(command);
}

static void begin_successor(const char *kind)
{
	assert_int_equal(setenv(KIND, kind, 1), 0);
	hear_log(true);
	run_successor_begin(&scene.run);
	hear_log(false);
	if (scene.run.successor.pid)
		scene.started = scene.run.successor.pid;
}

static void call_timer(struct loop_timer *t)
{
	loop_timer_cancel(scene.run.loop, t);
	hear_log(true);
	t->cb(t->arg);
	hear_log(false);
}

static void look_whether_over(void *arg)
{
	(void)arg;
	if (scene.is_over() || clock_mono_ms() > scene.until_ms)
		loop_stop(scene.run.loop);
	else
		loop_timer_set(scene.run.loop, &scene.look, clock_mono_ms() + 1);
}

static void run_until(bool (*is_over)(void))
{
	scene.is_over = is_over;
	scene.until_ms = clock_mono_ms() + PATIENCE_MS;
	scene.look = (struct loop_timer){ .cb = look_whether_over };
	assert_int_equal(loop_timer_set(scene.run.loop, &scene.look, 0), 0);
	hear_log(true);
	assert_int_equal(loop_run(scene.run.loop), 0);
	hear_log(false);
	assert_true(is_over());
}

static bool pipe_is_closed(void)
{
	return scene.run.successor.ready_fd < 0;
}

static bool successor_has_ended(void)
{
	return !scene.run.successor.pid;
}

static bool child_must_restart(void)
{
	return scene.run.children[CHILD_DATAPLANE].must_restart;
}

/* Whether the child was asked to end, which this looks up once. */
static bool child_was_asked(void)
{
	const struct timespec now = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	return sigtimedwait(&set, NULL, &now) == SIGTERM;
}

/* The lines of a start, and that it was ready. */
static void expect_started(bool is_ready)
{
	char text[512];
	int n = snprintf(text, sizeof(text),
	                 "<6>successor-started process=dataplane pid=%d successor=%d\n",
	                 (int)getpid(), (int)scene.started);

	if (is_ready)
		snprintf(text + n, sizeof(text) - (size_t)n,
		         "<6>successor-ready process=dataplane pid=%d successor=%d\n",
		         (int)getpid(), (int)scene.started);
	expect_logged(text);
}

static void expect_ended(const char *how, int code)
{
	char text[256];

	snprintf(text, sizeof(text),
	         "<4>successor-ended process=dataplane pid=%d how=%s code=%d goes_on=%d\n",
	         (int)scene.started, how, code, (int)getpid());
	expect_logged(text);
}

/* All that is kept of a successor. */
static void expect_none(void)
{
	const struct run_successor *s = &scene.run.successor;

	assert_int_equal(s->pid, 0);
	assert_int_equal(s->pidfd, -1);
	assert_int_equal(s->ready_fd, -1);
	assert_int_equal(s->limit.heap_index, 0);
}

/* For the next supervisor. */
static void expect_noted(bool there_is_one)
{
	char path[64], line[128], expected[64];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/run.state", scene.dir);
	snprintf(expected, sizeof(expected), "successor %d ", (int)scene.started);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		found |= !strncmp(line, expected, strlen(expected));
	fclose(f);
	assert_int_equal(found, there_is_one);
}

/* --- tests --- */

static void a_successor_that_is_ready_replaces_the_child(void **state)
{
	struct child *c = &scene.run.children[CHILD_DATAPLANE];
	struct run_successor *s = &scene.run.successor;
	unsigned before = count_descriptors();
	char path[64], text[256], expected[256];
	uint64_t now_ms;
	FILE *f;

	(void)state;
	begin_successor("is ready");
	assert_true(s->pid > 0 && s->pidfd >= 0 && s->ready_fd >= 0);
	assert_int_equal(s->limit.at_ms, loop_now_ms(scene.run.loop) + PREPARED_MS);
	expect_noted(true);
	assert_false(c->must_restart);
	expect_started(false);
	now_ms = clock_mono_ms();
	run_until(child_must_restart);
	assert_true(child_was_asked());
	assert_int_equal(s->ready_fd, -1);
	assert_in_range(c->limit.at_ms, now_ms + ENDS_MS, clock_mono_ms() + ENDS_MS);
	assert_in_range(s->waits_until_ms, now_ms + BUSY_MS, clock_mono_ms() + BUSY_MS);
	assert_int_equal(s->limit.heap_index, 0);
	snprintf(text, sizeof(text), "<6>successor-ready process=dataplane pid=%d successor=%d\n",
	         (int)getpid(), (int)s->pid);
	expect_logged(text);
	assert_int_equal(run_successor_release(&scene.run), scene.started);
	expect_none();
	assert_int_equal(count_descriptors(), before + 1); /* the child's page */
	assert_int_equal(run_successor_release(&scene.run), 0);
	assert_int_equal(kill(scene.started, 0), 0); /* it is the child now */

	snprintf(path, sizeof(path), "%s/options", scene.dir);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	snprintf(expected, sizeof(expected),
	         "--conf-dir c --state-dir s --run-dir %s --bpf-dir b --node n1 --successor ",
	         scene.dir);
	assert_string_equal(text, expected);
}

/* The child never knows of it, and another one can be started: nothing of the first is left. */
static void a_successor_that_ends_is_forgotten(void **state)
{
	unsigned before = count_descriptors();

	(void)state;
	for (int i = 0; i < 2; i++) {
		begin_successor("exits");
		expect_started(false);
		run_until(successor_has_ended);
		expect_ended("exit", 7);
		expect_none();
		expect_noted(false);
		assert_false(child_must_restart());
		assert_false(child_was_asked());
		assert_int_equal(count_descriptors(), before);
	}
	begin_successor("is ready");
	run_until(child_must_restart);
	assert_true(child_was_asked());
}

static void a_closed_pipe_is_not_ready(void **state)
{
	(void)state;
	begin_successor("says nothing");
	run_until(pipe_is_closed);
	expect_started(false);
	assert_false(child_must_restart());
	assert_true(scene.run.successor.limit.heap_index > 0);
	kill(scene.started, SIGKILL);
	run_until(successor_has_ended);
	expect_ended("signal", SIGKILL);
	expect_none();
}

static void a_successor_that_is_not_ready_in_time_is_killed(void **state)
{
	char text[128];

	(void)state;
	begin_successor("waits");
	expect_started(false);
	call_timer(&scene.run.successor.limit);
	snprintf(text, sizeof(text),
	         "<4>process-killed process=successor pid=%d reason=\"not ready within 300 s\"\n",
	         (int)scene.started);
	expect_logged(text);
	run_until(successor_has_ended);
	expect_ended("signal", SIGKILL);
	expect_none();
	scene.run.successor.limit.cb(&scene.run); /* there is none: that kills nobody */
	assert_false(child_must_restart());
}

/* The other one has died meanwhile: nobody else would ever end it, as it shows no signs yet. */
static void a_successor_that_followed_has_as_much_time_to_be_ready(void **state)
{
	struct run *r = &scene.run;
	struct child *c = &r->children[CHILD_DATAPLANE];
	char text[128];
	int status;

	(void)state;
	for (int ready = 0; ready < 2; ready++) {
		begin_successor(ready ? "is ready" : "waits");
		expect_started(false);
		c->pid = run_successor_release(r);
		assert_int_equal(c->pid, scene.started);
		if (ready) {
			run_until(pipe_is_closed);
			assert_int_equal(r->successor.limit.heap_index, 0);
			kill(c->pid, SIGKILL);
		} else {
			assert_true(r->successor.limit.heap_index > 0);
			call_timer(&r->successor.limit);
			snprintf(text, sizeof(text),
			         "<4>process-killed process=dataplane pid=%d reason=\"not "
			         "ready within 300 s\"\n",
			         (int)c->pid);
			expect_logged(text);
		}
		assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
		assert_int_equal(WTERMSIG(status), SIGKILL);
		c->pid = getpid();
		run_until(pipe_is_closed);
		assert_int_equal(run_successor_release(r), 0);
		expect_none();
	}
	scene.started = 0;
}

static void a_busy_child_is_waited_for(void **state)
{
	uint64_t now_ms = clock_mono_ms();

	(void)state;
	stats_job_begin(scene.page, "driver", 1000);
	begin_successor("is ready");
	run_until(pipe_is_closed);
	expect_started(true);
	assert_false(child_must_restart());
	assert_false(child_was_asked());
	assert_true(scene.run.successor.limit.heap_index > 0);
	assert_in_range(scene.run.successor.limit.at_ms, now_ms + LOOK_MS,
	                clock_mono_ms() + LOOK_MS);
	stats_job_end(scene.page, "driver");
	run_until(child_must_restart); /* at the next look */
	assert_true(child_was_asked());
	assert_int_equal(scene.run.successor.limit.heap_index, 0);
	expect_logged("");
}

static void a_child_that_is_busy_for_too_long_goes_on(void **state)
{
	char text[128];

	(void)state;
	stats_job_begin(scene.page, "driver", 1000);
	begin_successor("is ready");
	run_until(pipe_is_closed);
	expect_started(true);
	scene.run.successor.waits_until_ms = clock_mono_ms();
	call_timer(&scene.run.successor.limit);
	snprintf(text, sizeof(text),
	         "<4>process-killed process=successor pid=%d reason=\"weir-dataplane is busy: "
	         "driver\"\n",
	         (int)scene.started);
	expect_logged(text);
	run_until(successor_has_ended);
	expect_ended("signal", SIGKILL);
	assert_false(child_must_restart());
	assert_false(child_was_asked());
}

/* Then it hangs, and the limit of a request to end holds. */
static void work_whose_time_is_over_is_not_waited_for(void **state)
{
	(void)state;
	stats_set(stats_get_counter(scene.page, STATS_GAUGE, STATS_JOB, "job=\"driver\"", ""),
	          clock_mono_ms() / 1000);
	begin_successor("is ready");
	run_until(child_must_restart);
	assert_true(child_was_asked());
}

/* What came meanwhile ends the exchange: each alone is enough, also amid the wait for the child. */
static void a_ready_successor_replaces_nobody_who_is_gone(void **state)
{
	struct run *r = &scene.run;
	struct child *c = &r->children[CHILD_DATAPLANE];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		bool waits = i >= 2;

		stats_job_begin(scene.page, "driver", 1000);
		begin_successor("is ready");
		if (waits)
			run_until(pipe_is_closed);
		c->pid = i % 2 ? getpid() : 0;
		r->stopping = i % 2;
		stats_job_end(scene.page, "driver");
		if (waits)
			call_timer(&r->successor.limit);
		else
			run_until(pipe_is_closed);
		expect_started(waits);
		assert_false(c->must_restart);
		assert_false(child_was_asked());
		c->pid = getpid();
		r->stopping = false;
		run_successor_stop(r);
		run_until(successor_has_ended);
		expect_ended("signal", SIGKILL);
	}
}

static void a_stop_kills_the_successor_alone(void **state)
{
	(void)state;
	run_successor_stop(&scene.run); /* there is none */
	begin_successor("waits");
	run_successor_stop(&scene.run);
	expect_started(false);
	run_until(successor_has_ended);
	expect_ended("signal", SIGKILL);
	assert_false(child_was_asked());
}

static void only_a_child_that_runs_gets_a_successor(void **state)
{
	static const struct {
		bool stops, no_child, ends, has_one, not_ready;
		const char *reason;
	} rows[] = {
		{ .stops = true, .reason = "weir run stops" },
		{ .stops = true, .has_one = true, .reason = "weir run stops" },
		{ .no_child = true, .reason = "the process starts or ends anyway" },
		{ .ends = true, .reason = "the process starts or ends anyway" },
		{ .has_one = true, .reason = "there is one" },
		{ .not_ready = true, .reason = "the process starts or ends anyway" },
	};
	struct run *r = &scene.run;
	struct child *c = &r->children[CHILD_DATAPLANE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[128];

		r->stopping = rows[i].stops;
		c->pid = rows[i].no_child ? 0 : getpid();
		c->must_restart = rows[i].ends;
		r->successor.pid = rows[i].has_one ? getpid() : 0;
		r->successor.ready_fd = rows[i].not_ready ? 0 : -1;
		hear_log(true);
		run_successor_begin(r);
		hear_log(false);
		snprintf(text, sizeof(text),
		         "<5>successor-not-started process=dataplane reason=\"%s\"\n",
		         rows[i].reason);
		expect_logged(text);
		assert_int_equal(r->successor.pidfd, -1);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child of ours */
		assert_int_equal(errno, ECHILD);
	}
	r->successor.pid = 0;
}

/* Two descriptors are the pipe, the third is the process. */
static void without_descriptors_there_is_no_successor(void **state)
{
	unsigned before = count_descriptors();
	struct rlimit old, limit;
	int first = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the next free one */

	(void)state;
	assert_true(first >= 0);
	close(first);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (int room = 0; room < 3; room++) {
		limit = old;
		limit.rlim_cur = (rlim_t)(first + room);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		begin_successor("waits");
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
		expect_logged("<3>process-not-started process=successor "
		              "error=\"Too many open files\"\n");
		expect_none();
		assert_int_equal(count_descriptors(), before);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		assert_int_equal(errno, ECHILD);
	}
}

SUITE(successor)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_successor_that_is_ready_replaces_the_child),
		TEST(a_successor_that_ends_is_forgotten),
		TEST(a_closed_pipe_is_not_ready),
		TEST(a_successor_that_is_not_ready_in_time_is_killed),
		TEST(a_successor_that_followed_has_as_much_time_to_be_ready),
		TEST(a_busy_child_is_waited_for),
		TEST(a_child_that_is_busy_for_too_long_goes_on),
		TEST(work_whose_time_is_over_is_not_waited_for),
		TEST(a_ready_successor_replaces_nobody_who_is_gone),
		TEST(a_stop_kills_the_successor_alone),
		TEST(only_a_child_that_runs_gets_a_successor),
		TEST(without_descriptors_there_is_no_successor),
	};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return 1;
	return cmocka_run_group_tests_name("supervise, successor", tests, NULL, NULL);
}
