/* SPDX-License-Identifier: BSD-2-Clause */
/* A document takes the old one's place whole, or not at all: each step of that failing in turn. */
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

#include "fixture.h"

/* The step that fails, and how; 0: none. */
static struct {
	int write, fchmod, fsync, fsync_directory, close, rename;
	int most;      /* bytes that a write takes; 0: all */
	int n_signals; /* come before it */
} fails;

static unsigned n_synced, n_directories;

static int answer(int error)
{
	errno = error;
	return error ? -1 : 0;
}

static ssize_t fake_write(int fd, const void *bytes, size_t n)
{
	if (fails.n_signals-- > 0)
		return answer(EINTR);
	if (fails.write)
		return answer(fails.write);
	return write(fd, bytes, fails.most && (size_t)fails.most < n ? (size_t)fails.most : n);
}

static int fake_fchmod(int fd, mode_t mode)
{
	return fails.fchmod ? answer(fails.fchmod) : fchmod(fd, mode);
}

static int fake_fsync(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	if (S_ISDIR(st.st_mode)) {
		n_directories++;
		return answer(fails.fsync_directory);
	}
	n_synced++;
	return answer(fails.fsync);
}

static int fake_close(int fd)
{
	struct stat st;
	bool file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

	close(fd);
	return answer(file ? fails.close : 0);
}

static int fake_rename(const char *from, const char *to)
{
	assert_int_equal(n_synced, 1); /* what takes the place is on the disk */
	return fails.rename ? answer(fails.rename) : rename(from, to);
}

/* The private parts too. */
#define write  fake_write
#define fchmod fake_fchmod
#define fsync  fake_fsync
#define close  fake_close
#define rename fake_rename
#include "model/write.c"
#undef write
#undef fchmod
#undef fsync
#undef close
#undef rename

static unsigned count_files(void)
{
	DIR *dir = opendir(fixture_path("there"));
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
	FILE *f = fopen(fixture_path("there/document"), "r");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static void a_document_is_replaced_whole_or_not_at_all(void **state)
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
	int number = dup(STDIN_FILENO);

	(void)state;
	close(number);
	mkdir(fixture_path("there"), 0700);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stat st;

		print_message("  %s\n", cases[i].why);
		fixture_write_text("there/document", "old");
		fails = cases[i].fails;
		n_synced = n_directories = 0;
		assert_int_equal(replace_file(fixture_path("there/document"), "newer", 5),
		                 cases[i].err);
		assert_string_equal(read_back(), cases[i].stays ? "old" : "newer");
		assert_int_equal(count_files(), 1); /* no draft is left */
		assert_int_equal(n_directories, cases[i].stays ? 0 : 1);
		assert_int_equal(stat(fixture_path("there/document"), &st), 0);
		assert_int_equal(st.st_mode & 0777, cases[i].stays ? st.st_mode & 0777 : 0640);
		int next = dup(STDIN_FILENO);
		close(next);
		assert_int_equal(next, number);
	}
}

static void a_path_without_a_directory_is_one_here(void **state)
{
	char here[PATH_MAX], long_path[PATH_MAX + 8];
	struct stat st;

	(void)state;
	memset(&fails, 0, sizeof(fails));
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(fixture_path("there")), 0);
	n_synced = n_directories = 0;
	int err = replace_file("here", "x", 1), seen = stat("here", &st);
	assert_int_equal(chdir(here), 0);
	assert_int_equal(err, 0);
	assert_int_equal(seen, 0);
	assert_int_equal(n_directories, 1);
	memset(long_path, 'x', sizeof(long_path));
	for (size_t n = PATH_MAX - 7; n <= PATH_MAX; n += 7) {
		long_path[n] = '\0';
		assert_int_equal(replace_file(long_path, "x", 1), -ENAMETOOLONG);
		long_path[n] = 'x';
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_is_replaced_whole_or_not_at_all),
		cmocka_unit_test(a_path_without_a_directory_is_one_here),
	};

	return cmocka_run_group_tests_name("replace", tests, fixture_setup, fixture_teardown);
}
