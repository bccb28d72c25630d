/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A control socket as time goes: its file is removed and made again, its clients fall silent, descriptors run out
 * and come back. The clock is the test's, and the loop takes as many turns as are asked for; the kernel's sockets
 * are real.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/ctl.h"
#include "base/loop.h"
#include "tests/unit/answers.h"
#include "tests/unit/logged.h"
#include "tests/unit/simulated_time.h"
#include "tests/unit/suite.h"

static char directory[64], path[96];
static struct loop *loop;
static struct ctl *ctl;
static unsigned n_turns;    /* that are left */
static int add_error;       /* of each descriptor that is to be watched */
static unsigned n_refusals; /* calls of accept4() that find no descriptor */

static int own_epoll_wait(int fd, struct epoll_event *events, int most, int timeout_ms)
{
	(void)timeout_ms;
	if (n_turns-- > 0)
		return __real_epoll_wait(fd, events, most, 0);
	loop_stop(loop);
	return 0;
}

static int own_epoll_ctl(int fd, int what, int of, struct epoll_event *event)
{
	errno = add_error;
	return what == EPOLL_CTL_ADD && add_error ? -1 : __real_epoll_ctl(fd, what, of, event);
}

static int own_accept4(int fd, struct sockaddr *at, socklen_t *n, int flags)
{
	errno = EMFILE;
	return n_refusals && n_refusals-- ? -1 : __real_accept4(fd, at, n, flags);
}

static char *answer_line(void *arg, const char *line, size_t n)
{
	(void)arg;
	(void)n;
	return strdup(line);
}

static int setup(void **state)
{
	(void)state;
	add_error = 0;
	n_refusals = 0;
	strcpy(directory, "/tmp/weir-ctl-time-XXXXXX");
	if (!mkdtemp(directory) || loop_open(&loop))
		return -1;
	snprintf(path, sizeof(path), "%s/ctl", directory);
	return ctl_serve(loop, path, NULL, answer_line, NULL, &ctl);
}

static int teardown(void **state)
{
	(void)state;
	ctl_close(ctl);
	loop_close(loop);
	return rmdir(directory); /* nothing is left */
}

static void take_turns(unsigned n, uint64_t later_ms)
{
	simulated.now_ms += later_ms;
	n_turns = n;
	assert_int_equal(loop_run(loop), 0);
}

/* Come to the next look, a second after the last one. @return what was said, "" for nothing */
static const char *look_once(void)
{
	logged[0] = '\0';
	take_turns(1, 999);
	assert_string_equal(logged, "");
	take_turns(1, 1);
	return logged;
}

/* Connect a client, which the server has yet to accept. @return -1: there is no listener */
static int connect_client(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(at.sun_path, path);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Whether @p fd has just this to read; "": that it was closed. */
static bool has_text(int fd, const char *text)
{
	char got[8] = "";

	return recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT) == (ssize_t)strlen(text) &&
	       !strcmp(got, text);
}

static bool is_answered(int fd)
{
	assert_int_equal(send(fd, "a\n", 2, MSG_NOSIGNAL), 2);
	take_turns(2, 0);
	return has_text(fd, "a\n");
}

/* Whether somebody who connects to the path is served. */
static bool is_served(void)
{
	int fd = connect_client();
	bool served = fd >= 0 && is_answered(fd);

	close(fd);
	take_turns(1, 0); /* it is seen to go */
	return served;
}

static unsigned count_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void a_socket_that_is_there_is_left_alone(void **state)
{
	struct stat before, now;

	(void)state;
	assert_int_equal(lstat(path, &before), 0);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(look_once(), "");
		assert_int_equal(lstat(path, &now), 0);
		assert_memory_equal(&before.st_ctim, &now.st_ctim, sizeof(now.st_ctim));
	}
	assert_true(is_served());
}

/* The first failure and the end of it are said, not each try between. */
static void it_is_tried_until_it_can_be_made_again(void **state)
{
	char aside[sizeof(directory) + 8];
	unsigned n_fds = count_fds();
	struct stat st;

	(void)state;
	snprintf(aside, sizeof(aside), "%s.aside", directory);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(directory, aside), 0);
	const char *first = look_once();

	assert_non_null(strstr(first, "control-socket-removed"));
	assert_non_null(strstr(first, path));
	assert_non_null(strstr(first, "commands cannot connect"));
	assert_non_null(strstr(first, strerror(ENOENT)));
	for (int i = 0; i < 3; i++)
		assert_string_equal(look_once(), "");
	assert_int_equal(rename(aside, directory), 0);
	assert_non_null(strstr(look_once(), "created again"));
	assert_true(is_served());
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_string_equal(look_once(), "");
	assert_int_equal(count_fds(), n_fds); /* the socket before is closed */
	assert_int_equal(unlink(path), 0);    /* and a second time */
	assert_non_null(strstr(look_once(), "created again"));
	assert_true(is_served());
}

/* A socket that the loop cannot take is not left for others to connect to in vain. */
static void what_the_loop_has_no_room_for_is_taken_back(void **state)
{
	unsigned n_fds = count_fds();

	(void)state;
	assert_int_equal(unlink(path), 0);
	add_error = ENOMEM;
	assert_non_null(strstr(look_once(), strerror(ENOMEM)));
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(count_fds(), n_fds);
	add_error = 0;
	assert_non_null(strstr(look_once(), "created again"));
	assert_true(is_served());
	assert_int_equal(count_fds(), n_fds);
}

/* Without descriptors nobody is accepted for a moment; a new socket does not wait for its end. */
static void a_pause_ends_in_time_or_with_its_socket(void **state)
{
	(void)state;
	for (int is_removed = 0; is_removed <= 1; is_removed++) {
		int waiting = connect_client();

		n_refusals = 100;
		take_turns(1, 960);
		assert_int_equal(n_refusals, 98); /* by itself, and with the reserve given up */
		take_turns(3, 39);
		assert_int_equal(n_refusals, 98);
		n_refusals = 0;
		if (is_removed)
			assert_int_equal(unlink(path), 0);
		take_turns(1, 1); /* it looks */
		assert_int_equal(is_served(), is_removed);
		take_turns(4, 10); /* all who came meanwhile */
		assert_true(is_served());
		close(waiting);
		take_turns(1, 990); /* and looks again */
	}
}

/* What somebody else put there is not removed: nothing of it is ours. */
static void a_file_in_the_socket_s_place_stays(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(unlink(path), 0);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
	assert_string_equal(look_once(), "");
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(unlink(path), 0);
	assert_non_null(strstr(look_once(), "created again"));
}

/*
 * Out of descriptors: a client that has had its moment gives way, one that has just come does
 * not.
 */
static void a_client_has_a_moment_before_it_gives_way(void **state)
{
	(void)state;
	for (uint64_t silent_ms = 0; silent_ms <= 50; silent_ms += silent_ms ? 1 : 49) {
		int old = connect_client(), new;

		take_turns(1, 0);
		new = connect_client();
		n_refusals = 2;
		take_turns(1, silent_ms);
		assert_int_equal(has_text(old, ""), silent_ms == 50);
		assert_int_equal(is_answered(new), silent_ms == 50);
		close(old);
		close(new);
		take_turns(3, 50);
	}
}

/* The descriptor in reserve comes back with the next one that is given up, or after the pause. */
static void a_client_that_goes_fills_the_reserve(void **state)
{
	unsigned n_fds = count_fds();
	int fd = connect_client();

	(void)state;
	n_refusals = 1;
	take_turns(1, 0);
	assert_int_equal(count_fds(), n_fds + 1); /* both ends, and no reserve */
	assert_true(is_answered(fd));
	close(fd);
	take_turns(1, 0);
	assert_int_equal(count_fds(), n_fds);
	/* another one comes while it is in use */
	fd = connect_client();
	n_refusals = 1;
	take_turns(1, 0);
	int waiting = connect_client();
	n_refusals = 1;
	take_turns(1, 0);
	assert_int_equal(count_fds(), n_fds + 2); /* three ends, and no reserve */
	take_turns(1, 50);
	assert_int_equal(count_fds(), n_fds + 3);
	assert_true(is_answered(waiting));
	close(waiting);
	close(fd);
}

/* Each byte counts as life; what a client has sent in time is put together. */
static void a_slow_client_that_sends_is_not_cut_off(void **state)
{
	int fd = connect_client();
	unsigned n_fds = count_fds();

	(void)state;
	take_turns(1, 0);
	for (int i = 0; i < 3; i++) {
		take_turns(1, 29999);
		assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
		take_turns(1, 0);
	}
	take_turns(1, 29999);
	assert_int_equal(send(fd, "\n", 1, MSG_NOSIGNAL), 1);
	take_turns(1, 0);
	assert_true(has_text(fd, "xxx\n"));
	take_turns(1, 29999);
	assert_int_equal(count_fds(), n_fds + 1);
	take_turns(1, 1);
	assert_true(has_text(fd, "")); /* silence is no life */
	assert_int_equal(count_fds(), n_fds);
	close(fd);
}

SUITE(ctl_time)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_socket_that_is_there_is_left_alone),
		T(it_is_tried_until_it_can_be_made_again),
		T(what_the_loop_has_no_room_for_is_taken_back),
		T(a_pause_ends_in_time_or_with_its_socket),
		T(a_file_in_the_socket_s_place_stays),
		T(a_client_has_a_moment_before_it_gives_way),
		T(a_client_that_goes_fills_the_reserve),
		T(a_slow_client_that_sends_is_not_cut_off),
	};

	answer_accept4 = own_accept4;
	simulated_clock();
	answer_epoll_ctl = own_epoll_ctl;
	answer_epoll_wait = own_epoll_wait;
	logged_begin();
	return cmocka_run_group_tests_name("ctl time", tests, NULL, NULL);
}
