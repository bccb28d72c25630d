/* SPDX-License-Identifier: BSD-2-Clause */
/* A new file replaces the old one as a whole, or not at all: each step fails in turn. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <dirent.h>

#include "base/replace.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

static char directory[64], target[80];

static int setup(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/weir-replace-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(target, sizeof(target), "%s/document", directory);
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

/* The step that fails, and how; 0: none. */
static struct {
	int write, fchmod, fdopen, fsync, fsync_directory, close, rename;
	int most;      /* bytes that a write takes; 0: all */
	int n_signals; /* come before it */
} fails;

static unsigned n_synced, n_directories, expected_synced;

static int answer_with(int error)
{
	errno = error;
	return error ? -1 : 0;
}

static ssize_t own_write(int fd, const void *bytes, size_t n)
{
	if (fails.n_signals-- > 0)
		return answer_with(EINTR);
	if (fails.write)
		return answer_with(fails.write);
	return __real_write(fd, bytes,
	                    fails.most && (size_t)fails.most < n ? (size_t)fails.most : n);
}

static int own_fchmod(int fd, mode_t mode)
{
	return fails.fchmod ? answer_with(fails.fchmod) : __real_fchmod(fd, mode);
}

static FILE *own_fdopen(int fd, const char *mode)
{
	return answer_with(fails.fdopen) ? NULL : __real_fdopen(fd, mode);
}

static int own_fsync(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	if (S_ISDIR(st.st_mode)) {
		n_directories++;
		return answer_with(fails.fsync_directory);
	}
	n_synced++;
	return answer_with(fails.fsync);
}

static int own_close(int fd)
{
	struct stat st;
	bool file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

	__real_close(fd);
	return answer_with(file ? fails.close : 0);
}

static int own_rename(const char *from, const char *to)
{
	assert_int_equal(n_synced, expected_synced); /* before it gets its name */
	return fails.rename ? answer_with(fails.rename) : __real_rename(from, to);
}

static unsigned count_files(void)
{
	DIR *dir = opendir(directory);
	unsigned n = 0;

	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));)
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

static const char *read_back(void)
{
	static char text[16];
	FILE *f = fopen(target, "r");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static int replace_by_stream(enum replace_sync sync)
{
	char temporary[REPLACE_NAME_MAX];
	FILE *f = replace_begin_stream(target, 0640, temporary);

	if (!f)
		return -errno;
	fputs("newer", f);
	return replace_end_stream(f, temporary, target, sync);
}

static int next_descriptor(void)
{
	int fd = dup(STDIN_FILENO);

	close(fd);
	return fd;
}

static void a_file_is_replaced_whole_or_not_at_all(void **state)
{
	static const struct {
		const char *why;
		__typeof__(fails) fails;
		int err;
		bool stays;
	} cases[] = {
		{ "all goes well", { 0 }, 0, false },
		{ "byte by byte", { .most = 1 }, 0, false },
		{ "in parts", { .most = 2 }, 0, false },
		{ "with signals between", { .n_signals = 3, .most = 3 }, 0, false },
		{ "the disk is full", { .write = ENOSPC }, -ENOSPC, true },
		{ "no mode", { .fchmod = EPERM }, -EPERM, true },
		{ "not on the disk", { .fsync = EIO }, -EIO, true },
		{ "lost when it is closed", { .close = EDQUOT }, -EDQUOT, true },
		{ "the first failure is told", { .fsync = EIO, .close = EDQUOT }, -EIO, true },
		{ "no place", { .rename = EXDEV }, -EXDEV, true },
		{ "the name may be lost", { .fsync_directory = EIO }, -EIO, false },
	};
	int number = next_descriptor();

	(void)state;
	expected_synced = 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stat st;

		print_message("  %s\n", cases[i].why);
		write_file(target, "old");
		fails = cases[i].fails;
		n_synced = n_directories = 0;
		assert_int_equal(replace_file(target, 0640, "newer", 5, REPLACE_SYNC_NAME),
		                 cases[i].err);
		assert_string_equal(read_back(), cases[i].stays ? "old" : "newer");
		assert_int_equal(count_files(), 1); /* no draft is left */
		assert_int_equal(n_directories, cases[i].stays ? 0 : 1);
		assert_int_equal(stat(target, &st), 0);
		assert_int_equal(st.st_mode & 0777, cases[i].stays ? st.st_mode & 0777 : 0640);
		assert_int_equal(next_descriptor(), number);
	}
}

/* How much is synced, by a descriptor and by a stream. */
static void as_much_is_synced_as_was_asked_for(void **state)
{
	static const struct {
		enum replace_sync sync;
		unsigned files, directories;
	} cases[] = { { REPLACE_SYNC_NONE, 0, 0 },
		      { REPLACE_SYNC_FILE, 1, 0 },
		      { REPLACE_SYNC_NAME, 1, 1 } };

	(void)state;
	memset(&fails, 0, sizeof(fails));
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		enum replace_sync sync = cases[i / 2].sync;

		write_file(target, "old");
		n_synced = n_directories = 0;
		expected_synced = cases[i / 2].files;
		assert_int_equal(i % 2 ? replace_by_stream(sync)
		                       : replace_file(target, 0640, "newer", 5, sync),
		                 0);
		assert_string_equal(read_back(), "newer");
		assert_int_equal(n_synced, cases[i / 2].files);
		assert_int_equal(n_directories, cases[i / 2].directories);
	}
	fails.fsync = EIO;
	n_synced = 0;
	write_file(target, "old");
	assert_int_equal(replace_by_stream(REPLACE_SYNC_FILE), -EIO);
	assert_string_equal(read_back(), "old");
	assert_int_equal(count_files(), 1);
}

static void a_writer_that_fails_leaves_nothing(void **state)
{
	char temporary[REPLACE_NAME_MAX];
	int fd;

	(void)state;
	memset(&fails, 0, sizeof(fails));
	write_file(target, "old");
	fd = replace_begin(target, 0640, temporary);
	assert_true(fd >= 0);
	assert_int_equal(replace_end(fd, -EBADMSG, temporary, target, REPLACE_SYNC_FILE), -EBADMSG);
	assert_string_equal(read_back(), "old");
	assert_int_equal(count_files(), 1);
	/* there is no stream for it */
	int number = next_descriptor();

	fails.fdopen = ENOMEM;
	fails.close = EDQUOT; /* the first failure is returned */
	assert_int_equal(replace_by_stream(REPLACE_SYNC_FILE), -ENOMEM);
	memset(&fails, 0, sizeof(fails));
	assert_int_equal(next_descriptor(), number);
	assert_string_equal(read_back(), "old");
	assert_int_equal(count_files(), 1);
	/* the disk is full: it shows when the stream is flushed */
	write_file(temporary, "");
	FILE *f = fopen("/dev/full", "w");

	assert_non_null(f);
	fputs("lost", f);
	assert_int_equal(replace_end_stream(f, temporary, target, REPLACE_SYNC_FILE), -ENOSPC);
	assert_string_equal(read_back(), "old");
	assert_int_equal(count_files(), 1);
	/* it showed at an earlier write, and nothing is left to flush */
	write_file(temporary, "");
	f = fopen("/dev/full", "w");
	assert_non_null(f);
	assert_int_equal(setvbuf(f, NULL, _IONBF, 0), 0);
	assert_int_equal(fputs("lost", f), EOF);
	n_synced = 0;
	expected_synced = 1;
	assert_int_equal(replace_end_stream(f, temporary, target, REPLACE_SYNC_FILE), -EIO);
	assert_string_equal(read_back(), "old");
	assert_int_equal(count_files(), 1);
	/* the name is taken by a directory */
	unlink(target);
	assert_int_equal(mkdir(target, 0700), 0);
	n_synced = 0;
	expected_synced = 1;
	assert_int_equal(replace_by_stream(REPLACE_SYNC_FILE), -EISDIR);
	assert_int_equal(count_files(), 1);
}

static void a_temporary_file_is_new_whatever_has_its_name(void **state)
{
	char victim[100], usual[100], temporary[REPLACE_NAME_MAX];
	struct stat st;

	(void)state;
	memset(&fails, 0, sizeof(fails));
	snprintf(victim, sizeof(victim), "%s/victim", directory);
	snprintf(usual, sizeof(usual), "%s.new", target);
	write_file(victim, "precious");
	assert_int_equal(symlink(victim, usual), 0);
	FILE *f = replace_begin_stream(target, 0640, temporary);

	assert_non_null(f);
	assert_string_equal(temporary, usual);
	fputs("x", f);
	fclose(f);
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_size, 8);
	assert_int_equal(lstat(temporary, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0640);
	/* a name that cannot be freed: another one is used */
	unlink(usual);
	assert_int_equal(mkdir(usual, 0700), 0);
	int fd = replace_begin(target, 0600, temporary);

	assert_true(fd >= 0);
	assert_string_not_equal(temporary, usual);
	close(fd);
}

static void a_path_without_a_directory_is_one_here(void **state)
{
	char here[PATH_MAX], long_path[PATH_MAX + 32];
	struct stat st;

	(void)state;
	memset(&fails, 0, sizeof(fails));
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(directory), 0);
	n_synced = n_directories = 0;
	expected_synced = 1;
	int err = replace_file("here", 0640, "x", 1, REPLACE_SYNC_NAME), seen = stat("here", &st);

	assert_int_equal(chdir(here), 0);
	assert_int_equal(err, 0);
	assert_int_equal(seen, 0);
	assert_int_equal(n_directories, 1);
	memset(long_path, 'x', sizeof(long_path));
	for (size_t n = PATH_MAX - 7; n < sizeof(long_path); n += 7) {
		long_path[n] = '\0';
		assert_int_equal(replace_file(long_path, 0640, "x", 1, REPLACE_SYNC_FILE),
		                 -ENAMETOOLONG);
		long_path[n] = 'x';
	}
}

#define REPLACE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(replace)
{
	const struct CMUnitTest tests[] = {
		REPLACE_TEST(a_file_is_replaced_whole_or_not_at_all),
		REPLACE_TEST(as_much_is_synced_as_was_asked_for),
		REPLACE_TEST(a_writer_that_fails_leaves_nothing),
		REPLACE_TEST(a_temporary_file_is_new_whatever_has_its_name),
		REPLACE_TEST(a_path_without_a_directory_is_one_here),
	};

	answer_close = own_close;
	answer_fchmod = own_fchmod;
	answer_fdopen = own_fdopen;
	answer_fsync = own_fsync;
	answer_rename = own_rename;
	answer_write = own_write;
	return cmocka_run_group_tests_name("replace", tests, NULL, NULL);
}
