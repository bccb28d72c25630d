/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may reach a control socket: its file's group and mode, and what lies at its name already. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/ctl.h"
#include "base/loop.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool has_group;
static int chown_error, chmod_error;
static gid_t given_to;
static mode_t mode_set;

static char directory[] = "/tmp/weir-ctl-rights-XXXXXX";
static struct sockaddr_un at = { .sun_family = AF_UNIX };
static struct loop *loop;

static struct group *own_getgrnam(const char *name)
{
	static struct group weir = { .gr_gid = 4321 };

	assert_string_equal(name, "weir");
	return has_group ? &weir : NULL;
}

static int own_chown(const char *path, uid_t uid, gid_t gid)
{
	assert_string_equal(path, at.sun_path);
	assert_true(uid == (uid_t)-1);
	given_to = gid;
	errno = chown_error;
	return chown_error ? -1 : 0;
}

static int own_chmod(const char *path, mode_t mode)
{
	assert_string_equal(path, at.sun_path);
	mode_set = mode;
	errno = chmod_error;
	return chmod_error ? -1 : 0;
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/ctl", directory);
	return loop_open(&loop);
}

static int tear_down(void **state)
{
	(void)state;
	loop_close(loop);
	return rmdir(directory); /* nothing is left behind */
}

static int next_number(void)
{
	int fd = dup(STDIN_FILENO);

	close(fd);
	return fd;
}

static int serve_socket(const char *group, struct ctl **out)
{
	return ctl_serve(loop, at.sun_path, group, NULL, NULL, out);
}

static const struct {
	const char *why, *group;
	bool has_group;
	int chown_error, chmod_error, err;
	gid_t given_to; /* 0: to no group */
	mode_t mode;    /* 0: it stays as it was made, for its owner alone */
} cases[] = {
	{ "no group is wanted", NULL, true, 0, 0, 0, 0, 0660 },
	{ "the machine has no such group", "weir", false, 0, 0, 0, 0, 0660 },
	{ "it goes to the group", "weir", true, 0, 0, 0, 4321, 0660 },
	{ "it may not be given away", "weir", true, EPERM, 0, 0, 4321, 0660 },
	{ "the group cannot be set", "weir", true, EROFS, 0, -EROFS, 4321, 0 },
	{ "the mode cannot be set", "weir", true, 0, EROFS, -EROFS, 4321, 0660 },
	{ "the mode of one without group cannot", NULL, true, 0, EPERM, -EPERM, 0, 0660 },
};

static void a_socket_is_its_group_s_or_is_not_there(void **state)
{
	int before = next_number();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ctl *ctl = NULL;
		struct stat st;

		print_message("  %s\n", cases[i].why);
		has_group = cases[i].has_group;
		chown_error = cases[i].chown_error;
		chmod_error = cases[i].chmod_error;
		given_to = 0;
		mode_set = 0;
		assert_int_equal(serve_socket(cases[i].group, &ctl), cases[i].err);
		assert_int_equal(given_to, cases[i].given_to);
		assert_int_equal(mode_set, cases[i].mode);
		assert_int_equal(lstat(at.sun_path, &st), cases[i].err ? -1 : 0);
		if (cases[i].err) {
			assert_null(ctl);
		} else {
			assert_int_equal(st.st_mode & 0777, 0600);            /* until then */
			assert_int_equal(fcntl(before, F_GETFD), FD_CLOEXEC); /* the listener */
			assert_true(fcntl(before, F_GETFL) & O_NONBLOCK);
		}
		ctl_close(ctl);
		assert_int_equal(lstat(at.sun_path, &st), -1);
		assert_int_equal(next_number(), before);
	}
}

/* As a killed process leaves it. */
static void leave_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
}

/* A file of somebody, a link, or a socket that answers is left alone; one that nobody listens on goes. */
static void only_a_socket_that_was_left_is_replaced(void **state)
{
	int before = next_number();
	struct ctl *ctl, *other;
	struct stat st;
	FILE *f;

	(void)state;
	chown_error = chmod_error = 0;
	f = fopen(at.sun_path, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(serve_socket(NULL, &ctl), -EADDRINUSE);
	assert_int_equal(lstat(at.sun_path, &st), 0);
	unlink(at.sun_path);
	assert_int_equal(symlink("/nonexistent", at.sun_path), 0);
	assert_int_equal(serve_socket(NULL, &ctl), -EADDRINUSE);
	assert_int_equal(lstat(at.sun_path, &st), 0);
	unlink(at.sun_path);
	leave_socket();
	assert_int_equal(serve_socket(NULL, &ctl), 0);
	assert_int_equal(serve_socket(NULL, &other), -EADDRINUSE);
	assert_int_equal(lstat(at.sun_path, &st), 0);
	ctl_close(ctl);
	assert_int_equal(lstat(at.sun_path, &st), -1);
	assert_int_equal(serve_socket(NULL, &ctl), 0); /* there is nothing */
	ctl_close(ctl);
	assert_int_equal(next_number(), before);
}

SUITE(ctl_rights)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_is_its_group_s_or_is_not_there),
		cmocka_unit_test(only_a_socket_that_was_left_is_replaced),
	};

	answer_chmod = own_chmod;
	answer_chown = own_chown;
	answer_getgrnam = own_getgrnam;
	return cmocka_run_group_tests_name("ctl rights", tests, set_up, tear_down);
}
