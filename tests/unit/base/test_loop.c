/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/page.h"
#include "tests/unit/suite.h"

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

static void stop_loop(void *arg)
{
	struct seen *s = arg;

	s->calls++;
	loop_stop(s->loop);
}

static void count_call(void *arg)
{
	((struct seen *)arg)->calls++;
}

static struct seen *noting;

/* No timer that is still set may be earlier than the one that fires. */
static void note_timer(void *arg)
{
	const struct loop_timer *t = arg;

	noting->calls++;
	for (int i = 0; i < 64; i++)
		assert_true(!noting->timers[i].heap_index || noting->timers[i].at_ms >= t->at_ms);
}

/* Run for at most @p ms. */
static void run_for(struct seen *s, unsigned ms)
{
	struct loop_timer end = { .cb = stop_loop, .arg = s };

	assert_int_equal(loop_timer_set(s->loop, &end, clock_mono_ms() + ms), 0);
	assert_int_equal(loop_run(s->loop), 0);
	loop_timer_cancel(s->loop, &end);
}

static void wrong_calls_are_refused(void **state)
{
	struct seen *s = *state;

	assert_int_equal(loop_fd_add(s->loop, -1, EPOLLIN, NULL, NULL), -EBADF);
	assert_int_equal(loop_fd_add(s->loop, 1000, EPOLLIN, (loop_fd_cb *)(void *)stop_loop, s),
	                 -EBADF);
	assert_int_equal(loop_fd_set(s->loop, 5, EPOLLIN), -ENOENT);
	loop_fd_remove(s->loop, 5);
	assert_int_equal(loop_signal(s->loop, SIGKILL, stop_loop, s), -EINVAL);
	assert_int_equal(loop_signal(s->loop, 0, stop_loop, s), -EINVAL);
	assert_int_equal(loop_watch_file(s->loop, "/no/such/directory/file", stop_loop, s),
	                 -ENOENT);
	assert_int_equal(loop_watch_file(s->loop, "/tmp/", stop_loop, s), -EINVAL);
}

static void count_ready(void *arg, int fd, uint32_t events)
{
	struct seen *s = arg;
	char c;

	assert_int_equal(events, EPOLLIN);
	assert_int_equal(read(fd, &c, 1), 1);
	s->calls++;
}

/* A process that was started without standard input gets it for what it opens first. */
static void the_lowest_descriptor_is_one_like_any_other(void **state)
{
	struct seen *s = *state;
	int saved = dup(STDIN_FILENO), err;

	assert_int_equal(dup2(s->ends[0][0], STDIN_FILENO), STDIN_FILENO);
	err = loop_fd_add(s->loop, STDIN_FILENO, EPOLLIN, count_ready, s);
	loop_fd_remove(s->loop, STDIN_FILENO);
	assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
	close(saved);
	assert_int_equal(err, 0);
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
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		        loop_fd_add_polled(s->loop, s->ends[i][0], EPOLLIN, remove_both, s), 0);
	assert_int_equal(loop_run(s->loop), 0);
	assert_int_equal(s->calls, 2);
}

static void stop_when_ready(void *arg, int fd, uint32_t events)
{
	struct seen *s = arg;

	count_ready(arg, fd, events);
	loop_stop(s->loop);
}

/* One of each kind, and both: alone and together each is heard once, and a silent one not at all. */
static void polled_descriptors_are_heard_beside_others(void **state)
{
	struct seen *s = *state;

	assert_int_equal(loop_fd_add_polled(s->loop, s->ends[0][0], EPOLLIN, stop_when_ready, s),
	                 0);
	for (int others = 0; others < 2; others++) {
		if (others)
			assert_int_equal(
			        loop_fd_add(s->loop, s->ends[1][0], EPOLLIN, count_ready, s), 0);
		s->calls = 0;
		run_for(s, 5);
		assert_int_equal(s->calls, 1); /* the end of run_for() alone */
		for (int i = 0; i <= others; i++)
			assert_int_equal(write(s->ends[i][1], "x", 1), 1);
		assert_int_equal(loop_run(s->loop), 0);
		run_for(s, 5);
		assert_int_equal(s->calls, 3 + others);
	}
	assert_int_equal(write(s->ends[1][1], "x", 1), 1); /* the one of epoll alone */
	run_for(s, 20);
	assert_int_equal(s->calls, 6);
}

static void a_polled_descriptor_can_be_silenced_and_removed(void **state)
{
	struct seen *s = *state;
	int fd = s->ends[0][0];

	assert_int_equal(loop_fd_add_polled(s->loop, fd, EPOLLIN, count_ready, s), 0);
	assert_int_equal(loop_fd_add_polled(s->loop, fd, EPOLLIN, count_ready, s), -EEXIST);
	assert_int_equal(loop_fd_add(s->loop, fd, EPOLLIN, count_ready, s), -EEXIST);
	assert_int_equal(loop_fd_add_polled(s->loop, -1, EPOLLIN, count_ready, s), -EBADF);
	assert_int_equal(write(s->ends[0][1], "xyz", 3), 3);
	assert_int_equal(loop_fd_set(s->loop, fd, 0), 0);
	run_for(s, 5);
	assert_int_equal(s->calls, 1); /* the end of run_for() alone */
	assert_int_equal(loop_fd_set(s->loop, fd, EPOLLIN), 0);
	run_for(s, 20);
	assert_int_equal(s->calls, 5);
	assert_int_equal(write(s->ends[0][1], "x", 1), 1);
	loop_fd_remove(s->loop, fd);
	assert_int_equal(loop_fd_set(s->loop, fd, EPOLLIN), -ENOENT);
	run_for(s, 5);
	assert_int_equal(s->calls, 6);
	assert_int_equal(loop_fd_add(s->loop, fd, EPOLLIN, count_ready, s), 0); /* now epoll's */
	run_for(s, 20);
	assert_int_equal(s->calls, 8);
}

/* Room that a removal leaves is used again; who stays is heard. */
static unsigned n_unread;

static void leave_unread(void *arg, int fd, uint32_t events)
{
	(void)arg, (void)fd, (void)events;
	n_unread++;
}

static void one_that_is_polled_and_always_ready_starves_no_other(void **state)
{
	struct seen *s = *state;

	assert_int_equal(loop_fd_add_polled(s->loop, s->ends[0][0], EPOLLIN, leave_unread, s), 0);
	assert_int_equal(loop_fd_add(s->loop, s->ends[1][0], EPOLLIN, stop_when_ready, s), 0);
	assert_int_equal(write(s->ends[0][1], "x", 1) + write(s->ends[1][1], "x", 1), 2);
	run_for(s, 500);
	assert_int_equal(s->calls, 1); /* not the end of run_for() */
	assert_int_equal(n_unread, 1);
}

static void remove_ready(void *arg, int fd, uint32_t events)
{
	struct seen *s = arg;

	(void)events;
	loop_fd_remove(s->loop, fd);
	s->calls++;
}

/* The first of them take the places of as many others in the turn. */
static void polled_ones_and_more_others_than_a_turn_takes_are_all_heard(void **state)
{
	enum { ALL = 1024 + LOOP_POLLED_MAX };
	struct seen *s = *state;
	struct rlimit most;
	static int fds[ALL];

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &most), 0);
	most.rlim_cur = most.rlim_max;
	if (most.rlim_max < ALL + 64 || setrlimit(RLIMIT_NOFILE, &most))
		skip();
	assert_int_equal(write(s->ends[0][1], "x", 1), 1);
	for (int i = 0; i < ALL; i++) {
		fds[i] = dup(s->ends[0][0]); /* or it is refused below */
		assert_int_equal((i < LOOP_POLLED_MAX ? loop_fd_add_polled : loop_fd_add)(
		                         s->loop, fds[i], EPOLLIN, remove_ready, s),
		                 0);
	}
	run_for(s, 200);
	assert_int_equal(s->calls, ALL + 1);
	for (int i = 0; i < ALL; i++)
		close(fds[i]);
}

static void no_more_are_polled_than_there_is_room_for(void **state)
{
	struct seen *s = *state;
	int fds[LOOP_POLLED_MAX + 1];

	for (int i = 0; i <= LOOP_POLLED_MAX; i++) {
		fds[i] = dup(s->ends[i == LOOP_POLLED_MAX - 1][0]);
		assert_int_equal(loop_fd_add_polled(s->loop, fds[i], EPOLLIN, stop_when_ready, s),
		                 i < LOOP_POLLED_MAX ? 0 : -ENOSPC);
	}
	assert_int_equal(loop_fd_set(s->loop, fds[LOOP_POLLED_MAX], EPOLLIN), -ENOENT);
	loop_fd_remove(s->loop, fds[0]);
	assert_int_equal(
	        loop_fd_add_polled(s->loop, fds[LOOP_POLLED_MAX], EPOLLIN, stop_when_ready, s), 0);
	assert_int_equal(write(s->ends[1][1], "x", 1), 1); /* the last of the first ones */
	assert_int_equal(loop_run(s->loop), 0);
	assert_int_equal(s->calls, 1);
	for (int i = 0; i <= LOOP_POLLED_MAX; i++) {
		loop_fd_remove(s->loop, fds[i]);
		close(fds[i]);
	}
}

struct numbered {
	struct seen *s;
	int number;
};

static void append_letter(void *arg)
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
		s->timers[i] = (struct loop_timer){ .cb = append_letter, .arg = &numbers[i] };
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
	assert_in_range(clock_mono_ms() - start, 30, 5000);
}

#define CALLS_MAX 1000000 /* some 1,000 are made in 5 ms; a timer that starves others ends here */

static void start_again(void *arg)
{
	struct seen *s = arg;

	if (++s->calls < CALLS_MAX)
		loop_timer_set(s->loop, &s->timers[0], 0);
	else
		loop_stop(s->loop);
}

static void a_timer_that_sets_itself_in_the_past_starves_nobody(void **state)
{
	struct seen *s = *state;

	s->timers[0] = (struct loop_timer){ .cb = start_again, .arg = s };
	loop_timer_set(s->loop, &s->timers[0], 0);
	run_for(s, 5);
	assert_in_range(s->calls, 2, CALLS_MAX - 1);
	loop_timer_cancel(s->loop, &s->timers[0]);
}

static void a_signal_reaches_its_callback(void **state)
{
	struct seen *s = *state;

	assert_int_equal(loop_signal(s->loop, SIGUSR1, count_call, s), 0);
	assert_int_equal(loop_signal(s->loop, SIGUSR2, stop_loop, s), 0);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	assert_int_equal(loop_run(s->loop), 0);
	assert_int_equal(s->calls, 2);
}

/* Without a callback they stop the loop. */
static void what_ends_a_process_reaches_its_callback(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT };
	struct seen *s = *state;

	for (size_t i = 0; i < 4; i++) {
		s->calls = 0;
		assert_int_equal(loop_signal_end(s->loop, i < 2 ? stop_loop : NULL, s), 0);
		kill(getpid(), signals[i % 2]);
		assert_int_equal(loop_run(s->loop), 0);
		assert_int_equal(s->calls, i < 2);
	}
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
	assert_int_equal(loop_watch_file(s->loop, path, stop_loop, s), 0);
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

/* Its directory is removed, or moved away, and made again: the file there is the one that is watched. */
static void a_directory_that_is_made_again_is_watched_again(void **state)
{
	struct seen *s = *state;
	char directory[] = "/tmp/weir-loop-XXXXXX", path[64], away[64], kept[128];

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/file", directory);
	snprintf(away, sizeof(away), "%s.away", directory);
	snprintf(kept, sizeof(kept), "%s/file", away);
	assert_int_equal(loop_watch_file(s->loop, path, stop_loop, s), 0);
	for (int moves = 0; moves < 2; moves++) {
		write_file(path);
		assert_int_equal(loop_run(s->loop), 0);
		if (moves) {
			assert_int_equal(rename(directory, away), 0);
		} else {
			unlink(path);
			assert_int_equal(loop_run(s->loop), 0);
			rmdir(directory);
		}
		run_for(s, 700); /* longer than it takes to look for it once */
		assert_int_equal(mkdir(directory, 0700), 0);
		write_file(path);
		uint64_t end_ms = clock_mono_ms() + 10000;
		run_for(s, 10000);
		assert_true(clock_mono_ms() < end_ms); /* it is found */
		if (moves)
			write_file(kept); /* that is another file now */
		s->calls = 0;
		run_for(s, 20);
		assert_int_equal(s->calls, 1);
	}
	unlink(path);
	unlink(kept);
	rmdir(directory);
	rmdir(away);
}

/* Files of one name in two directories are two files. */
static void a_file_is_known_by_its_directory_too(void **state)
{
	struct seen *s = *state, second = { .loop = s->loop };
	char one[] = "/tmp/weir-loop-XXXXXX", two[] = "/tmp/weir-loop-XXXXXX", path[64], other[64];

	assert_true(mkdtemp(one) && mkdtemp(two));
	snprintf(path, sizeof(path), "%s/file", one);
	snprintf(other, sizeof(other), "%s/file", two);
	assert_int_equal(loop_watch_file(s->loop, path, count_call, s), 0);
	assert_int_equal(loop_watch_file(s->loop, other, stop_loop, &second), 0);
	s->calls = 0;
	write_file(other);
	assert_int_equal(loop_run(s->loop), 0);
	assert_int_equal(s->calls, 0);
	assert_int_equal(second.calls, 1);
	write_file(path);
	run_for(s, 20);
	assert_int_equal(s->calls, 2); /* with the end of run_for() */
	assert_int_equal(second.calls, 1);
	unlink(path);
	unlink(other);
	rmdir(one);
	rmdir(two);
}

static void remove_page(const char *directory, const char *path);

static int count_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int count_threads(void)
{
	DIR *d = opendir("/proc/self/task");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* A thread that was waited for may be listed for a moment. Its page would let one go on after a second. */
static bool are_threads(int n)
{
	for (int i = 0; i < 100 && count_threads() > n; i++)
		usleep(5000);
	return count_threads() <= n;
}

/* Of signals, files and pages that were watched nothing stays open, and no thread waits on. */
static void a_closed_loop_leaves_no_descriptor(void **state)
{
	char directory[] = "/tmp/weir-loop-XXXXXX", path[64];
	struct seen s = { 0 };
	struct page *writer;
	int before, threads = 0;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/page", directory);
	assert_int_equal(page_create(path, "test", 1, 64, &writer), 0);
	before = count_descriptors();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(loop_open(&s.loop), 0);
		assert_int_equal(loop_signal(s.loop, SIGUSR2, count_call, &s), 0);
		assert_int_equal(loop_watch_file(s.loop, path, count_call, &s), 0);
		assert_int_equal(loop_watch_page(s.loop, writer, count_call, &s), 0);
		threads = i ? threads : count_threads(); /* with what a sanitizer starts */
		loop_close(s.loop);
		assert_int_equal(count_descriptors(), before);
		assert_true(are_threads(threads - 1));
	}
	page_close(writer);
	remove_page(directory, path);
}

static void remove_page(const char *directory, const char *path)
{
	char lock[80];

	snprintf(lock, sizeof(lock), "%s.lock", path);
	unlink(lock);
	unlink(path);
	assert_int_equal(rmdir(directory), 0);
}

static void a_page_s_publication_wakes_the_loop(void **state)
{
	struct seen *s = *state;
	char directory[] = "/tmp/weir-loop-XXXXXX", path[64];
	struct page *writer, *reader;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/page", directory);
	assert_int_equal(page_create(path, "test", 1, 64, &writer), 0);
	assert_int_equal(page_open(path, "test", 1, NULL, &reader), 0);
	assert_int_equal(loop_watch_page(s->loop, reader, stop_loop, s), 0);
	page_publish(writer);
	assert_int_equal(loop_run(s->loop), 0);
	assert_int_equal(s->calls, 1);
	uint64_t start_ms = clock_mono_ms();
	run_for(s, 20); /* to its end: a publication is told once */
	assert_int_equal(s->calls, 2);
	assert_true(clock_mono_ms() - start_ms >= 20);
	page_publish(writer);
	assert_int_equal(loop_run(s->loop), 0);
	assert_int_equal(s->calls, 3);
	loop_close(s->loop); /* ends the helper thread while it waits */
	page_close(reader);
	page_close(writer);
	remove_page(directory, path);
	assert_int_equal(loop_open(&s->loop), 0);
}

/* Its helper thread would wait for a second. One of several times shows it, however busy the machine is. */
static void a_loop_that_watches_a_page_is_closed_at_once(void **state)
{
	struct seen *s = *state;
	char directory[] = "/tmp/weir-loop-XXXXXX", path[64];
	uint64_t least_ms = UINT64_MAX;
	struct page *writer;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/page", directory);
	assert_int_equal(page_create(path, "test", 1, 64, &writer), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(loop_watch_page(s->loop, writer, stop_loop, s), 0);
		run_for(s, 20); /* it waits */
		uint64_t start_ms = clock_mono_ms();
		loop_close(s->loop);
		uint64_t took_ms = clock_mono_ms() - start_ms;
		least_ms = took_ms < least_ms ? took_ms : least_ms;
		assert_int_equal(loop_open(&s->loop), 0);
	}
	assert_true(least_ms < 500);
	page_close(writer);
	remove_page(directory, path);
}

/* The first to touch it is the helper thread, when it has waited for a second. */
static void a_watched_page_that_is_cut_short_ends_nobody(void **state)
{
	struct seen *s = *state;
	char directory[] = "/tmp/weir-loop-XXXXXX", path[64];
	struct page *writer, *reader;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/page", directory);
	assert_int_equal(page_create(path, "test", 1, 64, &writer), 0);
	assert_int_equal(page_open(path, "test", 1, NULL, &reader), 0);
	page_close(writer);
	assert_int_equal(loop_watch_page(s->loop, reader, stop_loop, s), 0);
	assert_int_equal(truncate(path, 0), 0);
	run_for(s, 1500);
	loop_close(s->loop);
	page_close(reader);
	remove_page(directory, path);
	assert_int_equal(loop_open(&s->loop), 0);
}

/* A timer that was set in a loop which is closed is free, and can be set in another. */
static void timers_of_a_closed_loop_are_set_again(void **state)
{
	struct seen *s = *state;
	struct loop *old = s->loop;

	for (int i = 0; i < 3; i++) {
		s->timers[i] = (struct loop_timer){ .cb = i ? count_call : stop_loop, .arg = s };
		assert_int_equal(
		        loop_timer_set(old, &s->timers[i], clock_mono_ms() + 3600000 + (uint64_t)i),
		        0);
	}
	loop_close(old);
	assert_int_equal(loop_open(&s->loop), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(s->timers[i].heap_index, 0);
	for (int i = 2; i >= 0; i--)
		assert_int_equal(loop_timer_set(s->loop, &s->timers[i], 1000 - (uint64_t)i), 0);
	assert_int_equal(loop_run(s->loop), 0);
	assert_int_equal(s->calls, 3);
}

/* Timers are moved, taken away and set again in any order; each fires in its time, and once. */
static void any_order_of_setting_fires_in_order(void **state)
{
	struct seen *s = *state;
	uint64_t seed = 1;
	unsigned n_set;

	noting = s;
	for (int round = 0; round < 200; round++) {
		n_set = 0;
		s->calls = 0;
		for (int i = 0; i < 64; i++)
			s->timers[i] =
			        (struct loop_timer){ .cb = note_timer, .arg = &s->timers[i] };
		for (int step = 0; step < 200; step++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			struct loop_timer *t = &s->timers[seed >> 33 & 63];

			if (seed >> 40 & 3)
				assert_int_equal(loop_timer_set(s->loop, t, 1 + (seed >> 45 & 31)),
				                 0);
			else
				loop_timer_cancel(s->loop, t);
		}
		for (int i = 0; i < 64; i++)
			n_set += s->timers[i].heap_index != 0;
		struct loop_timer end = { .cb = stop_loop, .arg = s };
		assert_int_equal(loop_timer_set(s->loop, &end, 1000), 0);
		assert_int_equal(loop_run(s->loop), 0);
		assert_int_equal(s->calls, n_set + 1);
		for (int i = 0; i < 64; i++)
			assert_int_equal(s->timers[i].heap_index, 0);
	}
}

/* An idle loop sleeps until a timer; one that is watched shows that it lives. */
static void turns_are_counted_also_when_nothing_happens(void **state)
{
	struct seen *s = *state;
	uint64_t turns = 40;

	run_for(s, 20);
	assert_int_equal(turns, 40);
	loop_beat(s->loop, &turns);
	run_for(s, 2 * LOOP_BEAT_MS + LOOP_BEAT_MS / 2);
	assert_in_range(turns, 42, 60);
	loop_beat(s->loop, NULL);
	uint64_t before = turns;
	run_for(s, 20);
	assert_int_equal(turns, before);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(loop)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(wrong_calls_are_refused),
		LOOP_TEST(the_lowest_descriptor_is_one_like_any_other),
		LOOP_TEST(a_callback_can_remove_another_that_is_ready_too),
		LOOP_TEST(polled_descriptors_are_heard_beside_others),
		LOOP_TEST(a_polled_descriptor_can_be_silenced_and_removed),
		LOOP_TEST(one_that_is_polled_and_always_ready_starves_no_other),
		LOOP_TEST(polled_ones_and_more_others_than_a_turn_takes_are_all_heard),
		LOOP_TEST(no_more_are_polled_than_there_is_room_for),
		LOOP_TEST(timers_fire_in_the_order_of_their_times),
		LOOP_TEST(a_timer_is_neither_early_nor_late),
		LOOP_TEST(a_timer_that_sets_itself_in_the_past_starves_nobody),
		LOOP_TEST(timers_of_a_closed_loop_are_set_again),
		LOOP_TEST(any_order_of_setting_fires_in_order),
		LOOP_TEST(turns_are_counted_also_when_nothing_happens),
		LOOP_TEST(a_signal_reaches_its_callback),
		LOOP_TEST(what_ends_a_process_reaches_its_callback),
		LOOP_TEST(a_watched_file_tells_of_every_kind_of_change),
		LOOP_TEST(a_directory_that_is_made_again_is_watched_again),
		LOOP_TEST(a_file_is_known_by_its_directory_too),
		LOOP_TEST(a_closed_loop_leaves_no_descriptor),
		LOOP_TEST(a_page_s_publication_wakes_the_loop),
		LOOP_TEST(a_loop_that_watches_a_page_is_closed_at_once),
		LOOP_TEST(a_watched_page_that_is_cut_short_ends_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
