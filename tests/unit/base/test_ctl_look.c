/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A control socket whose file goes while it serves: the look is repeated, whatever became of it
 * the last time.
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
#include <sys/stat.h>
#include <unistd.h>

#include "base/loop.h"

static char said[512];

static int fake_add(struct loop *l, int fd, uint32_t events, loop_fd_cb *cb, void *arg);
static void fake_log(const char *event, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

#include "base/log.h"
/* The private parts too. */
#undef log_error
#define log_error   fake_log
#define loop_fd_add fake_add
#include "base/ctl.c"
#undef loop_fd_add

static char directory[64], path[96];
static struct loop *loop;
static struct ctl *ctl;
static int add_error;

static int fake_add(struct loop *l, int fd, uint32_t events, loop_fd_cb *cb, void *arg)
{
	return add_error ? add_error : loop_fd_add(l, fd, events, cb, arg);
}

static void fake_log(const char *event, const char *format, ...)
{
	va_list list;
	int n = snprintf(said, sizeof(said), "%s ", event);

	va_start(list, format);
	vsnprintf(said + n, sizeof(said) - (size_t)n, format, list);
	va_end(list);
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
	strcpy(directory, "/tmp/weir-ctl-look-XXXXXX");
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

/* Look now. @return what was said, "" for nothing */
static const char *look_once(void)
{
	said[0] = '\0';
	loop_timer_cancel(loop, &ctl->look);
	on_socket_look(ctl);
	assert_int_not_equal(ctl->look.heap_index, 0); /* and again in a second */
	assert_int_equal(ctl->look.at_ms, loop_now_ms(loop) + 1000);
	return said;
}

/* Whether somebody who connects to the path is served by @p ctl. */
static bool is_served(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char got[3] = "";

	strcpy(at.sun_path, path);
	bool connects = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
	if (connects) {
		assert_int_equal(write(fd, "a\n", 2), 2);
		on_connect(ctl, ctl->fd, EPOLLIN);
		for (size_t i = 0; i < CLIENTS_MAX; i++)
			if (ctl->clients[i].fd >= 0)
				on_client(&ctl->clients[i], ctl->clients[i].fd, EPOLLIN);
		connects = recv(fd, got, 2, MSG_DONTWAIT) == 2 && !strcmp(got, "a\n");
	}
	close(fd);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		drop_client(&ctl->clients[i]);
	return connects;
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
	int fd = ctl->fd;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_string_equal(look_once(), "");
		assert_int_equal(ctl->fd, fd);
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
	int fd = ctl->fd;

	(void)state;
	assert_int_equal(unlink(path), 0);
	add_error = -ENOMEM;
	assert_non_null(strstr(look_once(), strerror(ENOMEM)));
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(ctl->fd, fd);
	assert_int_equal(count_fds(), n_fds);
	add_error = 0;
	assert_non_null(strstr(look_once(), "created again"));
	assert_true(is_served());
}

/* One that waited for descriptors listens again with its new socket. */
static void a_pause_does_not_outlive_its_socket(void **state)
{
	(void)state;
	pause_listening(ctl);
	assert_int_not_equal(ctl->pause.heap_index, 0);
	assert_int_equal(ctl->pause.at_ms, loop_now_ms(loop) + 50);
	assert_int_equal(unlink(path), 0);
	(void)look_once();
	assert_int_equal(ctl->pause.heap_index, 0);
	assert_true(is_served());
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
	struct ctl_client *c = &ctl->clients[3];
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(accept_instead(ctl, ctl->fd), -EMFILE); /* there is none */
	c->fd = ends[0];
	for (uint64_t silent_ms = 0; silent_ms <= 50; silent_ms += silent_ms ? 1 : 49) {
		c->silence.at_ms = loop_now_ms(loop) + 30000 - silent_ms;
		c->fd = ends[0];
		int err = accept_instead(ctl, ctl->fd);

		assert_int_equal(err, silent_ms < 50 ? -EMFILE : -EAGAIN); /* nobody waits */
		assert_int_equal(c->fd, silent_ms < 50 ? ends[0] : -1);
	}
	close(ends[1]);
}

/* The descriptor in reserve comes back with the next one that is given up. */
static void a_client_that_goes_fills_the_reserve(void **state)
{
	struct ctl_client *c = &ctl->clients[0];
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	spare_close(&ctl->spare);
	c->fd = ends[0];
	drop_client(c);
	assert_true(ctl->spare.fd >= 0);
	spare_close(&ctl->spare);
	on_pause_end(ctl);
	assert_true(ctl->spare.fd >= 0);
	close(ends[1]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_socket_that_is_there_is_left_alone),
		T(it_is_tried_until_it_can_be_made_again),
		T(what_the_loop_has_no_room_for_is_taken_back),
		T(a_pause_does_not_outlive_its_socket),
		T(a_file_in_the_socket_s_place_stays),
		T(a_client_that_goes_fills_the_reserve),
		T(a_client_has_a_moment_before_it_gives_way),
	};

	return cmocka_run_group_tests_name("ctl look", tests, NULL, NULL);
}
