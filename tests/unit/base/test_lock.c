/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks: who has one, and who does not. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/lock.h"
#include "tests/unit/suite.h"

static char dir[64], path[96];

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/weir-lock-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/lock", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(dir);
}

static void what_cannot_be_locked_is_told(void **state)
{
	(void)state;
	char missing[128];
	int fd = -7;

	snprintf(missing, sizeof(missing), "%s/no/lock", dir);
	assert_int_equal(lock_acquire(missing, &fd), -ENOENT);
	assert_int_equal(symlink("elsewhere", path), 0);
	assert_int_equal(lock_acquire(path, &fd), -ELOOP);
	assert_int_equal(fd, -7);
}

static void one_has_it_at_a_time(void **state)
{
	(void)state;
	struct stat st;
	int first, second = -7, number = dup(STDIN_FILENO);

	close(number);

	assert_int_equal(lock_acquire(path, &first), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(lock_acquire(path, &second), -EBUSY);
	assert_int_equal(second, -7);
	close(first);
	for (int i = 0; i < 3; i++) { /* nothing stays open of what was tried */
		assert_int_equal(lock_acquire(path, &second), 0);
		assert_int_equal(second, number);
		assert_int_equal(fcntl(second, F_GETFD), FD_CLOEXEC);
		assert_int_equal(lock_acquire(path, &first), -EBUSY);
		int next = dup(STDIN_FILENO);

		assert_int_equal(next, number + 1);
		close(next);
		close(second);
	}
}

/*
 * A child comes upon the file all the time while it is taken away: it may never hold one without
 * a name.
 */
static void a_file_that_was_taken_away_is_nobodys(void **state)
{
	(void)state;
	pid_t child = fork();
	int fd, status;

	for (int i = 0; i < 20000; i++) {
		struct stat st;

		if (lock_acquire(path, &fd))
			continue;
		if (child == 0 && (fstat(fd, &st) || st.st_nlink != 1))
			_exit(1);
		if (child)
			(void)unlink(path);
		close(fd);
	}
	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

#define LOCK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(lock)
{
	const struct CMUnitTest tests[] = {
		LOCK_TEST(what_cannot_be_locked_is_told),
		LOCK_TEST(one_has_it_at_a_time),
		LOCK_TEST(a_file_that_was_taken_away_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
