/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/owner.h"
#include "tests/unit/suite.h"

#define OTHER 54321 /* a user that is none of ours */

static char directory[64], path[80];

static int setup(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/weir-owner-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/file", directory);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static void write_file(const char *at, const char *text)
{
	FILE *f = fopen(at, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Whether the file at @p path is in the list of those that are not believed. */
static bool is_listed(const char *at)
{
	struct owner_trouble list[OWNER_TROUBLES_MAX];
	size_t n = owner_troubles(list);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i].path, at))
			return true;
	return false;
}

static void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

static void own_files_are_opened(void **state)
{
	(void)state;
	assert_int_equal(owner_open(path, "mgmt"), -ENOENT);
	write_file(path, "own");
	int fd = owner_open(path, "mgmt");

	assert_true(fd >= 0);
	close(fd);
	FILE *f = owner_fopen(path, NULL);
	assert_non_null(f);
	fclose(f);
	assert_false(is_listed(path));
}

static void files_of_another_user_are_not_believed_and_are_listed_until_they_go(void **state)
{
	(void)state;
	need_root();
	write_file(path, "planted");
	assert_int_equal(chown(path, OTHER, OTHER), 0);
	assert_int_equal(owner_open(path, "mgmt"), -EPERM);
	assert_null(owner_fopen(path, "mgmt"));
	assert_int_equal(errno, EPERM);
	assert_true(is_listed(path));
	unlink(path);
	assert_false(is_listed(path));
	write_file(path, "planted again");
	assert_int_equal(chown(path, OTHER, OTHER), 0);
	assert_int_equal(owner_open(path, "dns"), -EPERM);
	assert_int_equal(chown(path, 0, 0), 0);
	int fd = owner_open(path, "dns");
	assert_true(fd >= 0);
	close(fd);
	assert_false(is_listed(path));
}

/* How many lines of the log noting it writes. */
static unsigned lines_of_note(const char *at, uid_t found, bool believed)
{
	char text[1000];
	int ends[2], saved = dup(STDERR_FILENO);
	unsigned n_lines = 0;

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	owner_note(at, "mgmt", found, believed);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[1]);
	ssize_t n = read(ends[0], text, sizeof(text));

	close(ends[0]);
	for (ssize_t i = 0; i < n; i++)
		n_lines += text[i] == '\n';
	return n_lines;
}

/*
 * A reader looks twice a second: what it finds is logged once, and again when it is another
 * user's, or came again.
 */
static void a_file_that_is_not_believed_is_logged_once(void **state)
{
	struct owner_trouble list[OWNER_TROUBLES_MAX];

	(void)state;
	write_file(path, "");
	assert_int_equal(lines_of_note(path, OTHER, false), 1);
	assert_int_equal(lines_of_note(path, OTHER, false), 0);
	assert_int_equal(lines_of_note("/", OTHER, false), 1); /* a second one */
	assert_int_equal(lines_of_note(path, OTHER, false), 0);
	assert_int_equal(lines_of_note(path, OTHER + 1, false), 1);
	assert_int_equal(lines_of_note("/", OTHER, false), 0);
	assert_int_equal(owner_troubles(list), 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(list[i].found, strcmp(list[i].path, "/") ? OTHER + 1 : OTHER);
	assert_int_equal(lines_of_note(path, 0, true), 0);
	assert_false(is_listed(path));
	assert_true(is_listed("/"));
	assert_int_equal(lines_of_note(path, OTHER, false), 1);
	assert_int_equal(lines_of_note(path, 0, true) + lines_of_note("/", 0, true), 0);
	assert_int_equal(owner_troubles(list), 0);
}

/*
 * Of a long path the end is kept, by which nobody can look whether the file is gone: it is told
 * all the same.
 */
static void a_path_that_was_cut_stays_listed(void **state)
{
	(void)state;
	char at[OWNER_PATH_MAX + 40];

	memset(at, 'p', sizeof(at));
	at[0] = '/';
	at[sizeof(at) - 1] = '\0';
	owner_note(at, "mgmt", OTHER, false);
	assert_true(is_listed(at + sizeof(at) - OWNER_PATH_MAX));
	assert_true(is_listed(at + sizeof(at) - OWNER_PATH_MAX));
	owner_note(at, "mgmt", OTHER, true);
	assert_false(is_listed(at + sizeof(at) - OWNER_PATH_MAX));
}

static void root_and_the_writers_user_are_believed_by_others(void **state)
{
	(void)state;
	need_root();
	write_file(path, "root's");
	chmod(directory, 0755);
	chmod(path, 0644);
	fflush(NULL);
	pid_t child = fork();

	if (child == 0) {
		if (setresuid(OTHER, OTHER, OTHER))
			_exit(10);
		int fd = owner_open(path, "mgmt");
		if (fd < 0)
			_exit(1);
		/* a third user's is not */
		_exit(owner_is(OTHER + 1, "mgmt") || !owner_is(OTHER, "mgmt") ? 2 : 0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void links_and_what_is_no_regular_file_are_not_followed(void **state)
{
	(void)state;
	char target[100];

	snprintf(target, sizeof(target), "%s/target", directory);
	write_file(target, "elsewhere");
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(owner_open(path, "mgmt"), -EPERM);
	assert_true(is_listed(path));
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(owner_open(path, "mgmt"), -EPERM); /* and does not wait for a writer */
}

static void a_directory_must_be_our_own_and_loses_rights_that_it_should_not_have(void **state)
{
	(void)state;
	struct stat st;

	assert_int_equal(owner_directory(path, 0700, "mgmt"), 0);
	chmod(path, 06777);
	assert_int_equal(owner_directory(path, 0700, "mgmt"), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	rmdir(path);
	assert_int_equal(symlink("/tmp", path), 0);
	assert_int_equal(owner_directory(path, 0700, "mgmt"), -EPERM);
	assert_true(is_listed(path));
	unlink(path);
	assert_false(is_listed(path));
	if (geteuid() != 0)
		return;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chown(path, OTHER, OTHER), 0);
	assert_int_equal(owner_directory(path, 0700, "mgmt"), -EPERM);
	assert_true(is_listed(path));
}

SUITE(owner)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(own_files_are_opened, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_that_is_not_believed_is_logged_once, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_path_that_was_cut_stays_listed, setup, teardown),
		cmocka_unit_test_setup_teardown(
		        files_of_another_user_are_not_believed_and_are_listed_until_they_go, setup,
		        teardown),
		cmocka_unit_test_setup_teardown(root_and_the_writers_user_are_believed_by_others,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(links_and_what_is_no_regular_file_are_not_followed,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(
		        a_directory_must_be_our_own_and_loses_rights_that_it_should_not_have, setup,
		        teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
