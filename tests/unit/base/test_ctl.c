/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "base/loop.h"

#define REQUEST_MAX 65536

static char directory[64], path[80];
static struct loop *loop;
static struct ctl *ctl;
static pthread_t thread;
static bool stopping;

/* "big": an answer of 3 MiB; "huge": one over the limit; "no": close; else the line itself. */
static char *answer(void *arg, const char *line, size_t length)
{
	size_t n = strcmp(line, "big") == 0    ? (size_t)3 << 20
	           : strcmp(line, "huge") == 0 ? ((size_t)4 << 20) + 1
	                                       : 0;

	(void)arg;
	assert_int_equal(strlen(line), length);
	if (strcmp(line, "no") == 0)
		return NULL;
	if (!n)
		return strdup(line);
	char *text = malloc(n + 1);

	memset(text, 'x', n);
	text[n] = '\0';
	return text;
}

static void tick(void *arg)
{
	struct loop_timer *t = arg;

	if (__atomic_load_n(&stopping, __ATOMIC_ACQUIRE))
		loop_stop(loop);
	else
		loop_timer_set(loop, t, loop_now_ms(loop) + 2);
}

static void *run(void *arg)
{
	struct loop_timer t = { .cb = tick, .arg = &t };

	(void)arg;
	loop_timer_set(loop, &t, 0);
	loop_run(loop);
	loop_timer_cancel(loop, &t);
	return NULL;
}

static int setup(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/weir-ctl-XXXXXX");
	if (!mkdtemp(directory) || loop_open(&loop))
		return -1;
	snprintf(path, sizeof(path), "%s/ctl", directory);
	stopping = false;
	return ctl_serve(loop, path, "weir", answer, NULL, &ctl) ||
	       pthread_create(&thread, NULL, run, NULL);
}

static void end_thread(void)
{
	__atomic_store_n(&stopping, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

static int teardown(void **state)
{
	(void)state;
	end_thread();
	ctl_close(ctl);
	loop_close(loop);
	return rmdir(directory); /* fails if the socket is still there */
}

static int connected(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(at.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* Whether the server closes @p fd without a byte. */
static bool is_closed(int fd)
{
	char byte;
	struct timeval limit = { .tv_sec = 5 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	ssize_t n = recv(fd, &byte, 1, 0);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void wrong_calls_are_refused(void **state)
{
	(void)state;
	char long_path[200], *text = NULL;
	struct ctl *other;

	memset(long_path, 'x', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(ctl_ask(long_path, "x", 100, &text), -ENAMETOOLONG);
	assert_int_equal(ctl_serve(loop, long_path, NULL, answer, NULL, &other), -ENAMETOOLONG);
	assert_int_equal(ctl_serve(loop, path, NULL, answer, NULL, &other), -EADDRINUSE);
	assert_int_equal(ctl_ask("/no/such/socket", "x", 100, &text), -ENOENT);
	assert_int_equal(ctl_ask(path, "two\nlines", 100, &text), -EINVAL);
	assert_null(text);
}

static void a_request_over_the_limit_closes_the_client_and_is_counted(void **state)
{
	(void)state;
	static char request[REQUEST_MAX + 10];
	int fd = connected();

	memset(request, 'x', sizeof(request));
	assert_true(send(fd, request, sizeof(request), MSG_NOSIGNAL) > 0);
	assert_true(is_closed(fd));
	close(fd);
	end_thread();
	assert_int_equal(ctl_counters(ctl)->overlong, 1);
	assert_int_equal(ctl_counters(ctl)->requests, 0);
	stopping = false;
	pthread_create(&thread, NULL, run, NULL);
}

static void an_answer_over_the_limit_closes_the_client(void **state)
{
	(void)state;
	char *text = NULL;

	assert_int_equal(ctl_ask(path, "huge", 5000, &text), -ECONNRESET);
	assert_int_equal(ctl_ask(path, "no", 5000, &text), -ECONNRESET);
	assert_null(text);
}

static void more_clients_than_the_limit_are_turned_away(void **state)
{
	(void)state;
	int fds[16];
	char *text = NULL;

	for (int i = 0; i < 16; i++)
		fds[i] = connected();
	for (int i = 0; i < 16; i++) { /* each is served, so each is accepted */
		char byte[2];

		assert_int_equal(send(fds[i], "a\n", 2, 0), 2);
		assert_int_equal(recv(fds[i], byte, 2, MSG_WAITALL), 2);
	}
	int more = connected();

	assert_true(is_closed(more));
	close(more);
	for (int i = 0; i < 16; i++)
		close(fds[i]);
	for (int tries = 0; tries < 100 && ctl_ask(path, "again", 1000, &text); tries++)
		usleep(1000);
	assert_non_null(text);
	assert_string_equal(text, "again");
	free(text);
}

static void requests_that_come_in_pieces_or_together_are_answered_in_order(void **state)
{
	(void)state;
	int fd = connected();
	char got[16] = "";

	assert_int_equal(send(fd, "on", 2, 0), 2);
	usleep(5000);
	assert_int_equal(send(fd, "e\ntwo\n\nthree\n", 13, 0), 13);
	assert_int_equal(recv(fd, got, 15, MSG_WAITALL), 15);
	assert_memory_equal(got, "one\ntwo\n\nthree\n", 15);
	close(fd);
}

static void a_big_answer_comes_whole(void **state)
{
	(void)state;
	char *text = NULL;

	assert_int_equal(ctl_ask(path, "big", 5000, &text), 0);
	assert_int_equal(strlen(text), 3 << 20);
	free(text);
}

static void nobody_else_may_speak_to_it_and_a_stale_socket_is_replaced(void **state)
{
	(void)state;
	struct stat st;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct ctl *second;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/stale", directory);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	close(fd); /* as a killed process leaves it */
	struct loop *own;

	assert_int_equal(loop_open(&own), 0);
	assert_int_equal(ctl_serve(own, at.sun_path, NULL, answer, NULL, &second), 0);
	ctl_close(second);
	loop_close(own);
}

static void asking_a_server_that_hangs_ends_in_time(void **state)
{
	(void)state;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char *text = NULL;
	uint64_t start = clock_mono_ms();

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/hangs", directory);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(ctl_ask(at.sun_path, "x", 30, &text), -ETIMEDOUT);
	assert_in_range(clock_mono_ms() - start, 29, 2000);
	close(fd);
	unlink(at.sun_path);
}

#define CTL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CTL_TEST(wrong_calls_are_refused),
		CTL_TEST(a_request_over_the_limit_closes_the_client_and_is_counted),
		CTL_TEST(an_answer_over_the_limit_closes_the_client),
		CTL_TEST(more_clients_than_the_limit_are_turned_away),
		CTL_TEST(requests_that_come_in_pieces_or_together_are_answered_in_order),
		CTL_TEST(a_big_answer_comes_whole),
		CTL_TEST(nobody_else_may_speak_to_it_and_a_stale_socket_is_replaced),
		CTL_TEST(asking_a_server_that_hangs_ends_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
