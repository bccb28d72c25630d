/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens within one turn of the loop: descriptors that get another owner, a stop, more changes than are told. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "tests/unit/suite.h"

static struct loop *loop;
static int ends[3][2];
static unsigned n_first, n_wrong, n_timers, n_file;

static int set_up(void **state)
{
	(void)state;
	n_first = n_wrong = n_timers = n_file = 0;
	for (int i = 0; i < 3; i++)
		if (pipe2(ends[i], O_CLOEXEC | O_NONBLOCK))
			return -1;
	return loop_open(&loop);
}

static int tear_down(void **state)
{
	(void)state;
	loop_close(loop);
	for (int i = 0; i < 6; i++)
		close(ends[i / 2][i % 2]);
	return 0;
}

static void stop_loop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void run_for(unsigned ms)
{
	struct loop_timer end = { .cb = stop_loop };

	assert_int_equal(loop_timer_set(loop, &end, clock_mono_ms() + ms), 0);
	assert_int_equal(loop_run(loop), 0);
	loop_timer_cancel(loop, &end);
}

static void fail_if_called(void *arg, int fd, uint32_t events)
{
	(void)arg;
	(void)fd;
	(void)events;
	n_wrong++;
}

/* Two are ready. Whoever comes first closes the other's descriptor, and gives its number to a pipe that is silent. */
static void replace_other(void *arg, int fd, uint32_t events)
{
	int other = ends[fd == ends[0][0]][0];

	(void)arg;
	(void)events;
	n_first++;
	loop_fd_remove(loop, fd);
	loop_fd_remove(loop, other);
	assert_int_equal(dup3(ends[2][0], other, O_CLOEXEC), other);
	assert_int_equal(loop_fd_add(loop, other, EPOLLIN, fail_if_called, NULL), 0);
}

static void an_event_does_not_reach_the_next_owner_of_a_number(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(write(ends[i][1], "x", 1), 1);
		assert_int_equal(loop_fd_add(loop, ends[i][0], EPOLLIN, replace_other, NULL), 0);
	}
	run_for(30);
	assert_int_equal(n_first, 1);
	assert_int_equal(n_wrong, 0);
	assert_int_equal(write(ends[2][1], "x", 1), 1); /* but its own do */
	run_for(30);
	assert_true(n_wrong > 0);
}

static void stop_first(void *arg, int fd, uint32_t events)
{
	(void)arg;
	(void)events;
	loop_fd_remove(loop, fd);
	n_first++;
	loop_stop(loop);
}

static void stop_timer(void *arg)
{
	(void)arg;
	n_timers++;
	loop_stop(loop);
}

/* What comes after the stop may use what the stop has given up. */
static void after_a_stop_nothing_is_called(void **state)
{
	struct loop_timer timers[3] = { { .cb = stop_timer },
		                        { .cb = stop_timer },
		                        { .cb = stop_timer } };

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(loop_timer_set(loop, &timers[i], 1), 0);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(loop_run(loop), 0);
		assert_int_equal(n_timers, i);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(write(ends[i][1], "x", 1), 1);
		assert_int_equal(loop_fd_add(loop, ends[i][0], EPOLLIN, stop_first, NULL), 0);
	}
	assert_int_equal(loop_timer_set(loop, &timers[0], 1), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(n_first, 1);
	assert_int_equal(n_timers, 3);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(n_first, 2);
}

static void on_file(void *arg)
{
	(void)arg;
	n_file++;
}

static unsigned long read_limit(void)
{
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
	unsigned long n = 0;

	if (f && fscanf(f, "%lu", &n) != 1)
		n = 0;
	if (f)
		fclose(f);
	return n;
}

/* More happens in the directory than the kernel keeps: the file may be among it. */
static void when_changes_are_lost_the_file_may_have_changed(void **state)
{
	char dir[] = "/tmp/weir-loop-XXXXXX", path[64], command[64];
	unsigned long n = read_limit();

	(void)state;
	if (n == 0 || n > 70000)
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/watched", dir);
	assert_int_equal(loop_watch_file(loop, path, on_file, NULL), 0);
	for (unsigned long i = 0; i < n + 64; i++) {
		snprintf(path, sizeof(path), "%s/%c", dir,
		         i % 2 ? 'a' : 'b'); /* equal ones are one */
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		assert_true(fd >= 0);
		close(fd);
		if (i == 10) {
			run_for(20);
			assert_int_equal(n_file, 0); /* others are not its */
		}
	}
	run_for(100);
	assert_int_equal(n_file, 1);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

static void on_signal(void *arg)
{
	++*(unsigned *)arg;
}

static void each_signal_has_its_callback(void **state)
{
	unsigned n[2] = { 0, 0 };

	(void)state;
	assert_int_equal(loop_signal(loop, SIGUSR1, on_signal, &n[0]), 0);
	assert_int_equal(loop_signal(loop, SIGUSR2, on_signal, &n[1]), 0);
	raise(SIGUSR2);
	run_for(20);
	assert_true(n[0] == 0 && n[1] == 1);
	raise(SIGUSR1);
	raise(SIGUSR2);
	run_for(20);
	assert_true(n[0] == 1 && n[1] == 2);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

SUITE(loop_turn)
{
	const struct CMUnitTest tests[] = {
		WITH(an_event_does_not_reach_the_next_owner_of_a_number),
		WITH(after_a_stop_nothing_is_called),
		WITH(when_changes_are_lost_the_file_may_have_changed),
		WITH(each_signal_has_its_callback),
	};

	return cmocka_run_group_tests_name("loop turn", tests, NULL, NULL);
}
