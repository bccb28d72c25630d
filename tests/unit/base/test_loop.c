/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/page.h"

/* What a test's callbacks share. */
struct seen {
	struct loop *loop;
	int calls, order[64];
	int ends[2][2];
	struct loop_timer timers[64];
	char path[64];
};

static int setup(void **state)
{
	struct seen *s = calloc(1, sizeof(*s));

	*state = s;
	return s && !loop_open(&s->loop) && !pipe(s->ends[0]) && !pipe(s->ends[1]) ? 0 : -1;
}

static int teardown(void **state)
{
	struct seen *s = *state;

	loop_close(s->loop);
	for (int i = 0; i < 4; i++)
		close(s->ends[i / 2][i % 2]);
	free(s);
	return 0;
}

static void stop(void *arg)
{
	struct seen *s = arg;

	s->calls++;
	loop_stop(s->loop);
}

static void count(void *arg)
{
	((struct seen *)arg)->calls++;
}

/* Run for at most @p ms. */
static void run_for(struct seen *s, unsigned ms)
{
	struct loop_timer end = { .cb = stop, .arg = s };

	assert_int_equal(loop_timer_set(s->loop, &end, clock_mono_ms() + ms), 0);
	assert_int_equal(loop_run(s->loop), 0);
	loop_timer_cancel(s->loop, &end);
}

static void wrong_calls_are_refused(void **state)
{
	struct seen *s = *state;

	assert_int_equal(loop_fd_add(s->loop, -1, EPOLLIN, NULL, NULL), -EBADF);
	assert_int_equal(loop_fd_add(s->loop, 1000, EPOLLIN, (loop_fd_cb *)(void *)stop, s),
	                 -EBADF);
	assert_int_equal(loop_fd_set(s->loop, 5, EPOLLIN), -ENOENT);
	loop_fd_remove(s->loop, 5);
	assert_int_equal(loop_signal(s->loop, SIGKILL, stop, s), -EINVAL);
	assert_int_equal(loop_signal(s->loop, 0, stop, s), -EINVAL);
	assert_int_equal(loop_watch_file(s->loop, "/no/such/directory/file", stop, s), -ENOENT);
	assert_int_equal(loop_watch_file(s->loop, "/tmp/", stop, s), -EINVAL);
}

/* Whoever is called first takes the other away: the other must not be called. */
static void remove_both(void *arg, int fd, uint32_t events)
{
	struct seen *s = arg;

	(void)fd;
	(void)events;
	s->calls++;
	loop_fd_remove(s->loop, s->ends[0][0]);
	loop_fd_remove(s->loop, s->ends[1][0]);
	loop_stop(s->loop);
}

static void a_callback_can_remove_another_that_is_ready_too(void **state)
{
	struct seen *s = *state;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(loop_fd_add(s->loop, s->ends[i][0], EPOLLIN, remove_both, s), 0);
		assert_int_equal(write(s->ends[i][1], "x", 1), 1);
	}
	assert_int_equal(loop_fd_add(s->loop, s->ends[0][0], EPOLLIN, remove_both, s), -EEXIST);
	assert_int_equal(loop_run(s->loop), 0);
	assert_int_equal(s->calls, 1);
}

struct numbered {
	struct seen *s;
	int number;
};

static void append(void *arg)
{
	struct numbered *n = arg;

	n->s->order[n->s->calls++] = n->number;
	if (n->s->calls == 50)
		loop_stop(n->s->loop);
}

static void timers_fire_in_the_order_of_their_times(void **state)
{
	struct seen *s = *state;
	struct numbered numbers[60];
	uint64_t now = clock_mono_ms();

	for (int i = 0; i < 60; i++) {
		numbers[i] = (struct numbered){ s, i * 37 % 60 };
		s->timers[i] = (struct loop_timer){ .cb = append, .arg = &numbers[i] };
		assert_int_equal(loop_timer_set(s->loop, &s->timers[i], now + 60), 0);
	}
	for (int i = 0; i < 60; i++) /* each is moved once */
		loop_timer_set(s->loop, &s->timers[i], now - 100 + (uint64_t)numbers[i].number);
	for (int i = 0; i < 60; i++) /* every sixth is taken away */
		if (numbers[i].number % 6 == 0)
			loop_timer_cancel(s->loop, &s->timers[i]);
	assert_int_equal(loop_run(s->loop), 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(s->order[i], i / 5 * 6 + i % 5 + 1);
}

static void a_timer_is_neither_early_nor_late(void **state)
{
	struct seen *s = *state;
	uint64_t start = clock_mono_ms();

	run_for(s, 30);
	assert_in_range(clock_mono_ms() - start, 30, 500);
}

static void again(void *arg)
{
	struct seen *s = arg;

	s->calls++;
	loop_timer_set(s->loop, &s->timers[0], 0);
}

static void a_timer_that_sets_itself_in_the_past_starves_nobody(void **state)
{
	struct seen *s = *state;

	s->timers[0] = (struct loop_timer){ .cb = again, .arg = s };
	loop_timer_set(s->loop, &s->timers[0], 0);
	run_for(s, 5);
	assert_true(s->calls > 1);
	loop_timer_cancel(s->loop, &s->timers[0]);
}

static void a_signal_reaches_its_callback(void **state)
{
	struct seen *s = *state;

	assert_int_equal(loop_signal(s->loop, SIGUSR1, count, s), 0);
	assert_int_equal(loop_signal(s->loop, SIGUSR2, stop, s), 0);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	assert_int_equal(loop_run(s->loop), 0);
	assert_int_equal(s->calls, 2);
}

static void write_file(const char *path)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fclose(f);
}

static void a_watched_file_tells_of_every_kind_of_change(void **state)
{
	struct seen *s = *state;
	char directory[] = "/tmp/weir-loop-XXXXXX", path[64], other[64];

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/file", directory);
	snprintf(other, sizeof(other), "%s/other", directory);
	assert_int_equal(loop_watch_file(s->loop, path, stop, s), 0);
	write_file(other);
	s->calls = 0;
	run_for(s, 20);
	assert_int_equal(s->calls, 1); /* the end of run_for() alone: another file is no change */
	rename(other, path);
	assert_int_equal(loop_run(s->loop), 0);
	write_file(path);
	assert_int_equal(loop_run(s->loop), 0);
	unlink(path);
	assert_int_equal(loop_run(s->loop), 0);
	rmdir(directory);
}

static void a_page_s_publication_wakes_the_loop(void **state)
{
	struct seen *s = *state;
	char directory[] = "/tmp/weir-loop-XXXXXX", path[64];
	struct page *writer, *reader;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/page", directory);
	assert_int_equal(page_create(path, "test", 1, 64, &writer), 0);
	assert_int_equal(page_open(path, "test", 1, &reader), 0);
	assert_int_equal(loop_watch_page(s->loop, reader, stop, s), 0);
	page_publish(writer);
	assert_int_equal(loop_run(s->loop), 0);
	assert_int_equal(s->calls, 1);
	loop_close(s->loop); /* ends the helper thread while it waits */
	page_close(reader);
	page_close(writer);
	unlink(path);
	rmdir(directory);
	assert_int_equal(loop_open(&s->loop), 0);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(wrong_calls_are_refused),
		LOOP_TEST(a_callback_can_remove_another_that_is_ready_too),
		LOOP_TEST(timers_fire_in_the_order_of_their_times),
		LOOP_TEST(a_timer_is_neither_early_nor_late),
		LOOP_TEST(a_timer_that_sets_itself_in_the_past_starves_nobody),
		LOOP_TEST(a_signal_reaches_its_callback),
		LOOP_TEST(a_watched_file_tells_of_every_kind_of_change),
		LOOP_TEST(a_page_s_publication_wakes_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
