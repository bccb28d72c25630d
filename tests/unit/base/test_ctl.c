/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "base/loop.h"
#include "tests/unit/suite.h"

#define REQUEST_MAX 65536

static char directory[64], path[80];
static struct loop *loop;
static struct ctl *ctl;
static pthread_t thread;
static bool stopping;
static unsigned n_handled; /* by the server's thread, and the test's */

/*
 * "big": an answer of 3 MiB; "full": one of just the limit; "huge": one over it; "no": close;
 * "who": whether the client may speak for weir-mgmt; else the line itself.
 */
static char *answer_line(void *arg, const char *line, size_t length)
{
	size_t n = strcmp(line, "big") == 0    ? (size_t)3 << 20
	           : strcmp(line, "huge") == 0 ? ((size_t)4 << 20) + 1
	           : strcmp(line, "full") == 0 ? (size_t)4 << 20
	                                       : 0;

	(void)arg;
	__atomic_fetch_add(&n_handled, 1, __ATOMIC_RELAXED); /* by expect_answer(), too */
	assert_int_equal(strlen(line), length);
	if (strcmp(line, "no") == 0)
		return NULL;
	if (strcmp(line, "who") == 0)
		return strdup(ctl_client_is(ctl, "mgmt") ? "mgmt" : "another");
	if (!n)
		return strdup(line);
	char *text = malloc(n + 1);

	memset(text, 'x', n);
	text[n] = '\0';
	return text;
}

static void tick_loop(void *arg)
{
	struct loop_timer *t = arg;

	if (__atomic_load_n(&stopping, __ATOMIC_ACQUIRE))
		loop_stop(loop);
	else
		loop_timer_set(loop, t, loop_now_ms(loop) + 2);
}

static void *run_server(void *arg)
{
	struct loop_timer t = { .cb = tick_loop, .arg = &t };

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
	n_handled = 0;
	return ctl_serve(loop, path, "weir", answer_line, NULL, &ctl) ||
	       pthread_create(&thread, NULL, run_server, NULL);
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

static int connect_client(void)
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
	assert_int_equal(ctl_request(long_path, "x", 100, &text), -ENAMETOOLONG);
	assert_int_equal(ctl_serve(loop, long_path, NULL, answer_line, NULL, &other),
	                 -ENAMETOOLONG);
	assert_int_equal(ctl_serve(loop, path, NULL, answer_line, NULL, &other), -EADDRINUSE);
	assert_int_equal(ctl_request("/no/such/socket", "x", 100, &text), -ENOENT);
	assert_int_equal(ctl_request(path, "two\nlines", 100, &text), -EINVAL);
	assert_null(text);
}

static void a_request_over_the_limit_closes_the_client_unread(void **state)
{
	(void)state;
	static char request[REQUEST_MAX + 10];
	int fd = connect_client();

	memset(request, 'x', sizeof(request));
	assert_true(send(fd, request, sizeof(request), MSG_NOSIGNAL) > 0);
	assert_true(is_closed(fd));
	close(fd);
	end_thread();
	assert_int_equal(n_handled, 0);
	stopping = false;
	pthread_create(&thread, NULL, run_server, NULL);
}

static void an_answer_over_the_limit_is_refused(void **state)
{
	(void)state;
	char *text = NULL;

	assert_int_equal(ctl_request(path, "huge", 5000, &text), 0);
	assert_string_equal(text, "{\"ok\":false,\"error\":\"the answer is too long\"}");
	free(text);
	text = NULL;
	assert_int_equal(ctl_request(path, "no", 5000, &text), -ECONNRESET);
	assert_null(text);
	end_thread();
	assert_int_equal(n_handled, 2);
	stopping = false;
	pthread_create(&thread, NULL, run_server, NULL);
}

/* The limits themselves are within them: a line with its end, and an answer without. */
static void a_request_and_an_answer_of_just_the_limit_go_through(void **state)
{
	(void)state;
	static char request[REQUEST_MAX];
	char *text = NULL;

	memset(request, 'x', sizeof(request) - 1);
	for (size_t n = REQUEST_MAX - 2; n < REQUEST_MAX; n++) {
		request[n] = '\0';
		assert_int_equal(ctl_request(path, request, 60000, &text), 0);
		assert_string_equal(text, request);
		free(text);
		request[n] = 'x';
	}
	text = NULL;
	assert_int_equal(ctl_request(path, "full", 60000, &text), 0);
	assert_int_equal(strlen(text), (size_t)4 << 20);
	assert_int_equal(strspn(text, "x"), (size_t)4 << 20);
	free(text);
	static char longer[REQUEST_MAX + 1];

	memset(longer, 'x', REQUEST_MAX);
	int err = ctl_request(path, longer, 60000, &text);
	assert_true(err == -ECONNRESET || err == -EPIPE);
}

static void silent_clients_give_way_to_one_that_asks(void **state)
{
	(void)state;
	int fds[16];
	char *text = NULL;

	for (int i = 0; i < 16; i++)
		fds[i] = connect_client();
	for (int i = 0; i < 16; i++) { /* each is served, so each is accepted */
		char byte[2];

		assert_int_equal(send(fds[i], "a\n", 2, 0), 2);
		assert_int_equal(recv(fds[i], byte, 2, MSG_WAITALL), 2);
		usleep(3000); /* the first is silent longest */
	}
	assert_int_equal(ctl_request(path, "first", 5000, &text), 0);
	assert_string_equal(text, "first");
	free(text);
	assert_true(is_closed(fds[0]));
	int silent[50];

	for (int i = 0; i < 50; i++) { /* those that never say anything, all the time */
		silent[i] = connect_client();
		assert_int_equal(ctl_request(path, "again", 5000, &text), 0);
		free(text);
	}
	for (int i = 0; i < 16; i++)
		close(fds[i]);
	for (int i = 0; i < 50; i++)
		close(silent[i]);
}

/* CPU time of the process, in ms. */
static uint64_t used_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/*
 * Every descriptor in use: one client is answered by the reserve, others wait, and the loop does
 * not turn in vain.
 */
static void without_descriptors_it_answers_and_does_not_spin(void **state)
{
	(void)state;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct rlimit before, tight;
	int waiting[4], filler[64], n = 0;
	char byte[2];

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	strcpy(at.sun_path, path);
	for (int i = 0; i < 4; i++)
		waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	tight = before;
	tight.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	while (n < 64 && (filler[n] = dup(waiting[0])) >= 0)
		n++;
	for (int i = 0; i < 4; i++)
		assert_int_equal(connect(waiting[i], (struct sockaddr *)&at, sizeof(at)), 0);
	uint64_t before_ms = used_ms();

	usleep(600000); /* CPU time is measured over this time */
	assert_in_range(used_ms() - before_ms, 0, 300);
	/* each has given way to the next, silent as they are; the last one is answered */
	assert_int_equal(send(waiting[3], "a\n", 2, MSG_NOSIGNAL), 2);
	assert_int_equal(recv(waiting[3], byte, 2, MSG_WAITALL), 2);
	for (int i = 0; i < 3; i++)
		assert_true(is_closed(waiting[i]));
	for (int i = 0; i < n; i++)
		close(filler[i]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	for (int i = 0; i < 4; i++)
		close(waiting[i]);
}

static void requests_that_come_in_pieces_or_together_are_answered_in_order(void **state)
{
	(void)state;
	int fd = connect_client();
	char got[16] = "";

	assert_int_equal(send(fd, "on", 2, 0), 2);
	usleep(5000); /* the server reads the first part alone */
	assert_int_equal(send(fd, "e\ntwo\n\nthree\n", 13, 0), 13);
	assert_int_equal(recv(fd, got, 15, MSG_WAITALL), 15);
	assert_memory_equal(got, "one\ntwo\n\nthree\n", 15);
	close(fd);
}

static void a_big_answer_comes_whole(void **state)
{
	(void)state;
	char *text = NULL;

	assert_int_equal(ctl_request(path, "big", 5000, &text), 0);
	assert_int_equal(strlen(text), 3 << 20);
	free(text);
}

/* Read what answers @p line, and no byte more. */
static void expect_answer(int fd, const char *line)
{
	char *wanted = answer_line(NULL, line, strlen(line));
	size_t n = strlen(wanted) + 1, at = 0;
	char *got = malloc(n);

	wanted[n - 1] = '\n';
	while (at < n) {
		ssize_t more = recv(fd, got + at, n - at, 0);

		if (more <= 0)
			fail_msg("'%s': %zu of %zu bytes came, then none for 20 s", line, at, n);
		at += (size_t)more;
	}
	assert_memory_equal(got, wanted, n);
	free(got);
	free(wanted);
}

/*
 * What has come with a request is not forgotten while its answer waits for room: nothing more
 * comes that would wake it.
 */
static void requests_behind_a_big_answer_are_answered_too(void **state)
{
	static const char *const sent[] = {
		"big\none\n",
		"one\nbig\ntwo\nthree\n",
		"big\nbig\none\n",
		"big\n\nbig\n",
		"big\n1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n",
	};
	const struct timeval limit = { .tv_sec = 20 };

	(void)state;
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
		char lines[64], *line, *rest = lines;
		int fd = connect_client();

		strcpy(lines, sent[i]);
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
		assert_int_equal(send(fd, sent[i], strlen(sent[i]), 0), strlen(sent[i]));
		usleep(20000); /* the socket's buffer is full now */
		while ((line = strsep(&rest, "\n")) && rest)
			expect_answer(fd, line);
		close(fd);
	}
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
	/* a server that is alive and has no time is not replaced */
	char busy[] = "/busy";
	struct sockaddr_un at_busy = { .sun_family = AF_UNIX };
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), clients[8], n = 0;
	snprintf(at_busy.sun_path, sizeof(at_busy.sun_path), "%s%s", directory, busy);
	assert_int_equal(bind(server, (struct sockaddr *)&at_busy, sizeof(at_busy)), 0);
	assert_int_equal(listen(server, 0), 0);
	do
		clients[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	while (connect(clients[n++], (struct sockaddr *)&at_busy, sizeof(at_busy)) == 0 && n < 8);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(ctl_serve(own, at_busy.sun_path, NULL, answer_line, NULL, &second),
	                 -EADDRINUSE);
	assert_int_equal(unlink(at_busy.sun_path), 0);
	while (n > 0)
		close(clients[--n]);
	close(server);
	assert_int_equal(ctl_serve(own, at.sun_path, NULL, answer_line, NULL, &second), 0);
	ctl_close(second);
	loop_close(own);
}

/* A service manager may start it without any: descriptor 0 is one as any other. */
static void without_standard_input_it_serves_and_asks(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int kept = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10), client;
	char *text = NULL;
	struct ctl *second;
	struct loop *own;
	struct stat st;

	(void)state;
	assert_true(kept >= 0);
	assert_int_equal(loop_open(&own), 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/no-stdin", directory);
	close(STDIN_FILENO);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(client, STDIN_FILENO);
	assert_int_equal(bind(client, (struct sockaddr *)&at, sizeof(at)), 0);
	close(client); /* as a killed process leaves it */
	assert_int_equal(ctl_request(path, "hello", 5000, &text), 0);
	assert_string_equal(text, "hello");
	free(text);
	assert_int_equal(ctl_serve(own, at.sun_path, NULL, answer_line, NULL, &second), 0);
	assert_int_equal(fstat(STDIN_FILENO, &st), 0); /* the listener */
	assert_true(S_ISSOCK(st.st_mode));
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
	close(client);
	ctl_close(second);
	loop_close(own);
	assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), -1);
	assert_int_equal(dup2(kept, STDIN_FILENO), STDIN_FILENO);
	close(kept);
}

static void a_socket_that_was_removed_is_made_again(void **state)
{
	(void)state;
	uint64_t until_ms = clock_mono_ms() + 20000;
	char *text = NULL;
	int err;

	assert_int_equal(unlink(path), 0);
	assert_int_equal(ctl_request(path, "x", 1000, &text), -ENOENT);
	while ((err = ctl_request(path, "x", 1000, &text)) && clock_mono_ms() < until_ms)
		usleep(20000);
	assert_int_equal(err, 0);
	free(text);
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
	assert_int_equal(ctl_request(at.sun_path, "x", 30, &text), -ETIMEDOUT);
	assert_in_range(clock_mono_ms() - start, 29, 2000);
	close(fd);
	unlink(at.sun_path);
}

/* As many clients wait as it takes: the next one waits too, and is not told "try again". */
static void asking_a_server_whose_backlog_is_full_ends_in_time(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t start_ms = clock_mono_ms();
	char *text = NULL;

	(void)state;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/full", directory);
	assert_int_equal(bind(server, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(server, 0), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(ctl_request(at.sun_path, "x", 30, &text), -ETIMEDOUT);
	assert_in_range(clock_mono_ms() - start_ms, 29, 2000);
	close(client);
	close(server);
	unlink(at.sun_path);
}

static void on_alarm(int signo)
{
	(void)signo;
}

/* Answers a line after half a second, in two parts. */
static void *answer_slowly(void *arg)
{
	int *listener = arg, fd = accept(*listener, NULL, NULL);
	char line[16];

	(void)!read(fd, line, sizeof(line));
	usleep(250000); /* a slow answer is the test */
	(void)!write(fd, "sl", 2);
	usleep(250000); /* a slow answer is the test */
	(void)!write(fd, "ow\n", 3);
	close(fd);
	return NULL;
}

static void a_signal_does_not_end_the_wait_for_an_answer(void **state)
{
	const struct sigaction handler = { .sa_handler = on_alarm }; /* without SA_RESTART */
	const struct itimerval often = { { 0, 20000 }, { 0, 20000 } }, never = { 0 };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sigaction before;
	char *text = NULL;
	pthread_t server;
	sigset_t alarms;

	(void)state;
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/slow", directory);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL); /* this thread alone has them */
	assert_int_equal(pthread_create(&server, NULL, answer_slowly, &fd), 0);
	assert_int_equal(sigaction(SIGALRM, &handler, &before), 0);
	pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	int err = ctl_request(at.sun_path, "x", 20000, &text);

	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	sigaction(SIGALRM, &before, NULL);
	pthread_join(server, NULL);
	assert_int_equal(err, 0);
	assert_string_equal(text, "slow");
	free(text);
	close(fd);
	unlink(at.sun_path);
}

/* @return the exit status: 0 if the server takes user @p uid for another than weir-mgmt */
static int ask_as_user(uid_t uid)
{
	char answer[8] = "";
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		struct sockaddr_un at = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		strcpy(at.sun_path, path);
		if (setuid(uid) || connect(fd, (struct sockaddr *)&at, sizeof(at)) ||
		    send(fd, "who\n", 4, MSG_NOSIGNAL) != 4 || recv(fd, answer, 7, 0) != 7)
			_exit(2);
		_exit(strcmp(answer, "another") != 0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void the_server_knows_which_process_a_client_may_speak_for(void **state)
{
	(void)state;
	char *text = NULL;

	assert_false(ctl_client_is(ctl, "mgmt")); /* nobody asks now */
	assert_false(ctl_client_is(NULL, "mgmt"));
	assert_int_equal(ctl_request(path, "who", 5000, &text), 0);
	assert_string_equal(text, "mgmt"); /* root, or the server's own user */
	free(text);
	if (geteuid() != 0)
		return;
	assert_int_equal(chmod(directory, 0711), 0);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(ask_as_user(54321), 0);
}

#define CTL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(ctl)
{
	const struct CMUnitTest tests[] = {
		CTL_TEST(wrong_calls_are_refused),
		CTL_TEST(a_request_over_the_limit_closes_the_client_unread),
		CTL_TEST(an_answer_over_the_limit_is_refused),
		CTL_TEST(a_request_and_an_answer_of_just_the_limit_go_through),
		CTL_TEST(silent_clients_give_way_to_one_that_asks),
		CTL_TEST(without_descriptors_it_answers_and_does_not_spin),
		CTL_TEST(requests_that_come_in_pieces_or_together_are_answered_in_order),
		CTL_TEST(a_big_answer_comes_whole),
		CTL_TEST(requests_behind_a_big_answer_are_answered_too),
		CTL_TEST(nobody_else_may_speak_to_it_and_a_stale_socket_is_replaced),
		CTL_TEST(without_standard_input_it_serves_and_asks),
		CTL_TEST(a_socket_that_was_removed_is_made_again),
		CTL_TEST(asking_a_server_that_hangs_ends_in_time),
		CTL_TEST(asking_a_server_whose_backlog_is_full_ends_in_time),
		CTL_TEST(the_server_knows_which_process_a_client_may_speak_for),
		CTL_TEST(a_signal_does_not_end_the_wait_for_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
