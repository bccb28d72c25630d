/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `weir run --stop` and the supervisor that has the lock (supervise/stop.c): who is asked, who
 * is killed, and for how long that is waited for. The lock, the note of who runs and the page are real ones, the time
 * and the signals are the test's. Process 7 is the test itself, 8 a child that only waits.
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
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/lock.h"
#include "base/log.h"
#include "supervise/internal.h"
#include "tests/unit/answers.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/simulated_time.h"
#include "tests/unit/suite.h"
#include "weir/stats.h"

/* What there is at a time; the last row stays. */
struct moment {
	uint64_t from_ms;
	bool is_held;       /* the lock */
	int noted, page_of; /* 7, 8 or 0: none */
	uint64_t silent_ms; /* the page's */
	bool gone;          /* its number is of no process any more */
};
static const struct moment *script;
static size_t n_script;
static char sent[256]; /* "TERM 7 at 0; " */
static char dir[32], lock[64];
static pid_t other; /* 8 */
static int held_fd = -1;

static uint64_t passed_ms(void)
{
	return simulated.now_ms - START_MS;
}

static const struct moment *current_moment(void)
{
	const struct moment *now = script;

	for (size_t i = 1; i < n_script && script[i].from_ms <= passed_ms(); i++)
		now = &script[i];
	return now;
}

static pid_t process_of(int number)
{
	return number == 8 ? other : getpid();
}

/* A page of process @p number that has been silent for so long, or none. */
static void make_page(int number, uint64_t silent_ms)
{
	struct stats *page;
	pid_t writer;
	int status;

	if (!number) {
		if (stats_create(dir, "run", 16, &page) == 0)
			stats_remove(page, dir, "run");
		return;
	}
	/* a page is of whom makes it */
	writer = number == 8 ? fork() : 0;
	if (!writer) {
		if (stats_create(dir, "run", 16, &page) != 0)
			abort();
		stats_alive(page, simulated.now_ms - silent_ms);
		stats_close(page);
	}
	if (number == 8 && !writer)
		_exit(0);
	if (number == 8)
		waitpid(writer, &status, 0);
}

static void make_moment(void)
{
	const struct moment *m = current_moment();
	const struct run_noted noted[] = { { "run", m->noted ? process_of(m->noted) : 0 } };

	if (!m->is_held && held_fd >= 0) {
		close(held_fd);
		held_fd = -1;
	} else if (m->is_held && held_fd < 0) {
		assert_int_equal(lock_acquire(lock, &held_fd), 0);
	}
	assert_int_equal(run_state_write(dir, noted, 1), 0);
	make_page(m->page_of, m->silent_ms);
}

static int own_usleep(useconds_t us)
{
	simulated.now_ms += us / 1000;
	make_moment();
	return 0;
}

/* Signals go by a descriptor of the process. */
static long own_syscall(long number, const long a[6])
{
	static pid_t opened;
	size_t n = strlen(sent);

	if (number == SYS_pidfd_open) {
		opened = (pid_t)a[0];
		errno = ESRCH;
		return a[1] || current_moment()->gone ? -1
		                                      : open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	snprintf(sent + n, sizeof(sent) - n, "%s %d at %d; ",
	         number != SYS_pidfd_send_signal ? "?"
	         : a[1] == SIGTERM               ? "TERM"
	         : a[1] == SIGKILL               ? "KILL"
	                                         : "?",
	         opened == other ? 8 : 7, (int)passed_ms());
	return 0;
}

static const struct {
	const char *why;
	struct moment rows[3];
	size_t n;
	int err;
	uint64_t took_ms;
	const char *sent;
} stops[] = {
	{ "it is free", { { 0, false, 7, 7, 9000, false } }, 1, 0, 0, "" },
	{ "it lives and ends",
	  { { 0, true, 7, 7, 0, false }, { 3000, false, 0, 0, 0, false } },
	  2,
	  0,
	  3000,
	  "TERM 7 at 0; " },
	{ "it is noted later",
	  { { 0, true, 0, 0, 0, false },
	    { 1000, true, 7, 7, 0, false },
	    { 2000, false, 0, 0, 0, false } },
	  3,
	  0,
	  2000,
	  "TERM 7 at 1000; " },
	{ "nobody is noted, a page is silent",
	  { { 0, true, 0, 7, 9000, false }, { 500, false, 0, 0, 0, false } },
	  2,
	  0,
	  500,
	  "" },
	{ "silent for as long as is allowed",
	  { { 0, true, 7, 7, 5000, false }, { 900, false, 0, 0, 0, false } },
	  2,
	  0,
	  900,
	  "TERM 7 at 0; " },
	{ "silent for longer",
	  { { 0, true, 7, 7, 5001, false }, { 900, false, 0, 0, 0, false } },
	  2,
	  0,
	  900,
	  "TERM 7 at 0; KILL 7 at 0; " },
	{ "it falls silent",
	  { { 0, true, 7, 7, 100, false },
	    { 6000, true, 7, 7, 6000, false },
	    { 6500, false, 0, 0, 0, false } },
	  3,
	  0,
	  6500,
	  "TERM 7 at 0; KILL 7 at 6000; " },
	{ "the silent page is another's",
	  { { 0, true, 7, 8, 9000, false }, { 900, false, 0, 0, 0, false } },
	  2,
	  0,
	  900,
	  "TERM 7 at 0; " },
	{ "it has no page",
	  { { 0, true, 7, 0, 0, false }, { 900, false, 0, 0, 0, false } },
	  2,
	  0,
	  900,
	  "TERM 7 at 0; " },
	{ "another one takes its place",
	  { { 0, true, 7, 7, 0, false },
	    { 400, true, 8, 8, 0, false },
	    { 800, false, 0, 0, 0, false } },
	  3,
	  0,
	  800,
	  "TERM 7 at 0; TERM 8 at 400; " },
	{ "it has just ended",
	  { { 0, true, 7, 7, 9000, true }, { 300, false, 0, 0, 0, false } },
	  2,
	  0,
	  300,
	  "" },
	{ "it never ends", { { 0, true, 7, 7, 0, false } }, 1, -EBUSY, 60000, "TERM 7 at 0; " },
	{ "not even when killed",
	  { { 0, true, 7, 7, 9000, false } },
	  1,
	  -EBUSY,
	  60000,
	  "TERM 7 at 0; KILL 7 at 0; " },
};

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-stop-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(lock, sizeof(lock), "%s/" RUN_LOCK_FILE, dir);
	log_level(LOG_EMERG);
	other = fork();
	if (other == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	return other < 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void who_has_the_lock_is_asked_once_and_killed_when_it_hangs(void **state)
{
	struct proc_dirs dirs = { 0 };
	struct run run = { .dirs = &dirs };

	(void)state;
	snprintf(dirs.run, sizeof(dirs.run), "%s", dir);
	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		int fd = -1;

		script = stops[i].rows;
		n_script = stops[i].n;
		simulated.now_ms = START_MS;
		sent[0] = '\0';
		make_moment();

		unsigned before = count_descriptors() - (held_fd >= 0);
		int err = run_stop_other(&run, lock, &fd);

		if (err != stops[i].err || strcmp(sent, stops[i].sent) != 0 ||
		    passed_ms() != stops[i].took_ms)
			fail_msg("%s: %d, %s, %d ms", stops[i].why, err, sent, (int)passed_ms());
		assert_int_equal(fd >= 0, !err);
		assert_int_equal(count_descriptors(), before + 1); /* the lock, of whoever has it */
		close(err ? held_fd : fd);
		held_fd = -1;
	}
}

static void a_lock_that_cannot_be_had_is_not_waited_for(void **state)
{
	static const struct moment now = { 0, false, 7, 7, 9000, false };
	struct proc_dirs dirs = { 0 };
	struct run run = { .dirs = &dirs };
	int fd = -1;

	(void)state;
	snprintf(dirs.run, sizeof(dirs.run), "%s", dir);
	script = &now;
	n_script = 1;
	simulated.now_ms = START_MS;
	sent[0] = '\0';
	make_moment();
	assert_int_equal(run_stop_other(&run, "/nowhere/run.lock", &fd), -ENOENT);
	assert_string_equal(sent, "");
	assert_int_equal(passed_ms(), 0);
	assert_int_equal(fd, -1);
}

SUITE(stop)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_the_lock_is_asked_once_and_killed_when_it_hangs),
		cmocka_unit_test(a_lock_that_cannot_be_had_is_not_waited_for),
	};

	simulated_clock();
	answer_syscall = own_syscall;
	answer_usleep = own_usleep;
	return cmocka_run_group_tests_name("supervise, stop", tests, set_up, tear_down);
}
