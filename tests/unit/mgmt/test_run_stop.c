/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `weir run --stop` and the supervisor that has the lock (supervise/stop.c): who is asked, who
 * is killed, and for how long that is waited for. The time, the lock, the note of who runs and the
 * signals are the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "supervise/internal.h"
#include "weir/stats.h"

/* What there is at a time; the last row stays. */
struct moment {
	uint64_t from_ms;
	int lock; /* 0: free, or -errno */
	pid_t noted, page_pid;
	uint64_t silent_ms;  /* the page's */
	bool has_page, gone; /* gone: its number is of no process any more */
};
static const struct moment *script;
static size_t n_script;
static uint64_t clock_ms;
static pid_t opened;
static char sent[256]; /* "TERM 7 at 0; " */
static unsigned n_pages;
static int n_open;

static const struct moment *current_moment(void)
{
	const struct moment *now = script;

	for (size_t i = 1; i < n_script && script[i].from_ms <= clock_ms; i++)
		now = &script[i];
	return now;
}

static uint64_t fake_clock(void)
{
	return 1000000 + clock_ms;
}

static int fake_usleep(useconds_t us)
{
	clock_ms += us / 1000;
	return 0;
}

static int fake_lock(const char *path, int *fd)
{
	assert_string_equal(path, "/run.lock");
	if (!current_moment()->lock)
		*fd = 77;
	return current_moment()->lock;
}

static pid_t fake_find(const char *run_dir, const char *name)
{
	assert_string_equal(run_dir, "/r");
	assert_string_equal(name, "run");
	return current_moment()->noted;
}

static int fake_open(const char *run_dir, const char *name, struct stats_reader **out)
{
	assert_string_equal(run_dir, "/r");
	assert_string_equal(name, "run");
	if (!current_moment()->has_page)
		return -ENOENT;
	n_pages++;
	*out = (struct stats_reader *)(uintptr_t)&n_pages;
	return 0;
}

static uint64_t fake_pid(const struct stats_reader *page)
{
	(void)page;
	return (uint64_t)current_moment()->page_pid;
}

static uint64_t fake_alive(const struct stats_reader *page)
{
	(void)page;
	return fake_clock() - current_moment()->silent_ms;
}

static void fake_page_close(struct stats_reader *page)
{
	assert_ptr_equal(page, &n_pages);
	n_pages--;
}

/* Signals go by a descriptor of the process. */
static long fake_syscall(long number, long one, long two, ...)
{
	size_t n = strlen(sent);

	if (number == SYS_pidfd_open) {
		opened = (pid_t)one;
		assert_int_equal(two, 0);
		if (current_moment()->gone)
			return -1;
		n_open++;
		return 1000;
	}
	assert_int_equal(number, SYS_pidfd_send_signal);
	assert_int_equal(one, 1000);
	snprintf(sent + n, sizeof(sent) - n, "%s %d at %d; ",
	         two == SIGTERM   ? "TERM"
	         : two == SIGKILL ? "KILL"
	                          : "?",
	         (int)opened, (int)clock_ms);
	return 0;
}

static int fake_close(int fd)
{
	assert_int_equal(fd, 1000);
	n_open--;
	return 0;
}

#define clock_mono_ms         fake_clock
#define usleep                fake_usleep
#define lock_acquire          fake_lock
#define run_state_find        fake_find
#define stats_reader_open     fake_open
#define stats_reader_pid      fake_pid
#define stats_reader_alive_ms fake_alive
#define stats_reader_close    fake_page_close
#define syscall(...)          fake_syscall(__VA_ARGS__, 0)
#define close                 fake_close
#include "supervise/stop.c" /* its edges are ours */

static const struct {
	const char *why;
	struct moment rows[3];
	size_t n;
	int err;
	uint64_t took_ms;
	const char *sent;
} stops[] = {
	{ "it is free", { { 0, 0, 7, 7, 9000, true, false } }, 1, 0, 0, "" },
	{ "it cannot be had", { { 0, -EACCES, 7, 7, 9000, true, false } }, 1, -EACCES, 0, "" },
	{ "it lives and ends",
	  { { 0, -EBUSY, 7, 7, 0, true, false }, { 3000, 0, 0, 0, 0, false, false } },
	  2,
	  0,
	  3000,
	  "TERM 7 at 0; " },
	{ "it is noted later",
	  { { 0, -EBUSY, 0, 0, 0, false, false },
	    { 1000, -EBUSY, 7, 7, 0, true, false },
	    { 2000, 0, 0, 0, 0, false, false } },
	  3,
	  0,
	  2000,
	  "TERM 7 at 1000; " },
	{ "nobody is noted, a page is silent",
	  { { 0, -EBUSY, 0, 0, 9000, true, false }, { 500, 0, 0, 0, 0, false, false } },
	  2,
	  0,
	  500,
	  "" },
	{ "silent for as long as is allowed",
	  { { 0, -EBUSY, 7, 7, 5000, true, false }, { 900, 0, 0, 0, 0, false, false } },
	  2,
	  0,
	  900,
	  "TERM 7 at 0; " },
	{ "silent for longer",
	  { { 0, -EBUSY, 7, 7, 5001, true, false }, { 900, 0, 0, 0, 0, false, false } },
	  2,
	  0,
	  900,
	  "TERM 7 at 0; KILL 7 at 0; " },
	{ "it falls silent",
	  { { 0, -EBUSY, 7, 7, 100, true, false },
	    { 6000, -EBUSY, 7, 7, 6000, true, false },
	    { 6500, 0, 0, 0, 0, false, false } },
	  3,
	  0,
	  6500,
	  "TERM 7 at 0; KILL 7 at 6000; " },
	{ "the silent page is another's",
	  { { 0, -EBUSY, 7, 8, 9000, true, false }, { 900, 0, 0, 0, 0, false, false } },
	  2,
	  0,
	  900,
	  "TERM 7 at 0; " },
	{ "it has no page",
	  { { 0, -EBUSY, 7, 7, 9000, false, false }, { 900, 0, 0, 0, 0, false, false } },
	  2,
	  0,
	  900,
	  "TERM 7 at 0; " },
	{ "another one takes its place",
	  { { 0, -EBUSY, 7, 7, 0, true, false },
	    { 400, -EBUSY, 8, 8, 0, true, false },
	    { 800, 0, 0, 0, 0, false, false } },
	  3,
	  0,
	  800,
	  "TERM 7 at 0; TERM 8 at 400; " },
	{ "it has just ended",
	  { { 0, -EBUSY, 7, 7, 9000, true, true }, { 300, 0, 0, 0, 0, false, false } },
	  2,
	  0,
	  300,
	  "" },
	{ "it never ends",
	  { { 0, -EBUSY, 7, 7, 0, true, false } },
	  1,
	  -EBUSY,
	  60000,
	  "TERM 7 at 0; " },
	{ "not even when killed",
	  { { 0, -EBUSY, 7, 7, 9000, true, false } },
	  1,
	  -EBUSY,
	  60000,
	  "TERM 7 at 0; KILL 7 at 0; " },
};

static void who_has_the_lock_is_asked_once_and_killed_when_it_hangs(void **state)
{
	static const struct proc_dirs dirs = { .run = "/r" };
	struct run run = { .dirs = &dirs };

	(void)state;
	log_level(LOG_EMERG);
	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		int fd = -1;

		script = stops[i].rows;
		n_script = stops[i].n;
		clock_ms = 0;
		sent[0] = '\0';
		if (run_stop_other(&run, "/run.lock", &fd) != stops[i].err ||
		    strcmp(sent, stops[i].sent) != 0 || clock_ms != stops[i].took_ms)
			fail_msg("%s: %s, %d ms", stops[i].why, sent, (int)clock_ms);
		assert_int_equal(fd, stops[i].err ? -1 : 77);
		assert_int_equal(n_pages, 0);
		assert_int_equal(n_open, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_the_lock_is_asked_once_and_killed_when_it_hangs),
	};

	return cmocka_run_group_tests_name("run stop", tests, NULL, NULL);
}
