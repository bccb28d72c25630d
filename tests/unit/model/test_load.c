/* SPDX-License-Identifier: BSD-2-Clause */
/* Files read whole: short reads, signals, files that change meanwhile, and what is no file of ours. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "model/load.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What read() gives, call by call: a count of bytes, or -errno; the end behind the last. */
static int answers[8];
static unsigned n_calls;
static size_t n_given, n_allowed; /* what the reader may ask for in all */

static ssize_t own_read(int fd, void *bytes, size_t n)
{
	int answer = answers[n_calls++];

	(void)fd;
	assert_int_equal(n + n_given, n_allowed);
	if (answer < 0) {
		errno = -answer;
		return -1;
	}
	if ((size_t)answer > n)
		answer = (int)n;
	for (int i = 0; i < answer; i++)
		((char *)bytes)[i] = (char)('a' + n_given + (size_t)i);
	n_given += (size_t)answer;
	return answer;
}

static const struct {
	const char *why;
	int answers[6];
	int err;
	const char *text;
} reads[] = {
	{ "all at once", { 5 }, 0, "abcde" },
	{ "byte by byte", { 1, 1, 1, 1, 1 }, 0, "abcde" },
	{ "in two parts", { 2, 3 }, 0, "abcde" },
	{ "with signals between", { -EINTR, 2, -EINTR, 3, -EINTR }, 0, "abcde" },
	{ "it was cut short meanwhile", { 3 }, 0, "abc" },
	{ "it was emptied", { 0 }, 0, "" },
	{ "it grew", { 5, 1 }, -EFBIG, NULL },
	{ "it grew at once", { 6 }, -EFBIG, NULL },
	{ "the disk fails", { -EIO }, -EIO, NULL },
	{ "it fails later", { 2, -EIO }, -EIO, NULL },
};

static void a_file_is_read_whole_however_it_comes(void **state)
{
	int number = dup(STDIN_FILENO);

	(void)state;
	close(number);
	fixture_write_text("file", "12345");
	n_allowed = 6; /* one more than there is, to see that it grew */
	for (size_t i = 0; i < COUNT(reads); i++) {
		char *text = NULL;
		size_t n = 77;

		print_message("  %s\n", reads[i].why);
		memset(answers, 0, sizeof(answers));
		memcpy(answers, reads[i].answers, sizeof(reads[i].answers));
		n_calls = 0;
		n_given = 0;
		assert_int_equal(load_file(fixture_path("file"), 100, &text, &n), reads[i].err);
		if (reads[i].text) {
			assert_string_equal(text, reads[i].text);
			assert_int_equal(n, strlen(reads[i].text));
		} else {
			assert_null(text);
			assert_int_equal(n, 77);
		}
		free(text);
		int next = dup(STDIN_FILENO);
		close(next);
		assert_int_equal(next, number); /* nothing stays open */
	}
}

static void a_file_may_be_as_large_as_is_allowed(void **state)
{
	char *text = NULL;
	size_t n;

	(void)state;
	fixture_write_text("file", "12345");
	memset(answers, 0, sizeof(answers));
	answers[0] = 5;
	n_calls = 0;
	n_given = 0;
	n_allowed = 6;
	assert_int_equal(load_file(fixture_path("file"), 5, &text, &n), 0);
	assert_int_equal(n, 5);
	free(text);
	n_calls = 0;
	assert_int_equal(load_file(fixture_path("file"), 4, &text, &n), -EFBIG);
	assert_int_equal(n_calls, 0); /* it is not read at all */
}

static void what_is_no_file_is_refused_with_its_reason(void **state)
{
	char *text = NULL;
	size_t n;

	(void)state;
	mkfifo(fixture_path("fifo"), 0600);
	assert_int_equal(load_file(fixture_path("fifo"), 100, &text, &n), -EPERM);
	assert_int_equal(load_file("/dev/null", 100, &text, &n), -EPERM);
	assert_int_equal(load_file(fixture_path("."), 100, &text, &n), -EISDIR);
	assert_int_equal(load_file(fixture_path("none"), 100, &text, &n), -ENOENT);
	assert_int_equal(load_file(fixture_path("fifo/x"), 100, &text, &n), -ENOTDIR);
	assert_int_equal(load_owned(fixture_path("none"), 100, "mgmt", &text, &n), -ENOENT);
	assert_int_equal(load_owned(fixture_path("."), 100, "mgmt", &text, &n), -EISDIR);
	assert_null(text);
}

static void a_file_lies_below_a_directory_or_not(void **state)
{
	char dir[PATH_MAX], path[PATH_MAX + 32];

	(void)state;
	assert_non_null(realpath(fixture_path("."), dir));
	mkdir(fixture_path("conf"), 0700);
	mkdir(fixture_path("conf2"), 0700);
	fixture_write_text("conf/a", "");
	fixture_write_text("conf2/a", "");
	assert_int_equal(symlink("../conf2/a", fixture_path("conf/out")), 0);
	assert_int_equal(symlink("a", fixture_path("conf/in")), 0);
	snprintf(path, sizeof(path), "%s/conf", dir);
	assert_int_equal(load_check_below(fixture_path("conf/a"), path), 0);
	assert_int_equal(load_check_below(fixture_path("conf/in"), path), 0);
	assert_int_equal(load_check_below(fixture_path("conf/../conf/a"), path), 0);
	assert_int_equal(load_check_below(fixture_path("conf2/a"), path), -EXDEV);
	assert_int_equal(load_check_below(fixture_path("conf/out"), path), -EXDEV);
	assert_int_equal(load_check_below(fixture_path("conf/../conf2/a"), path), -EXDEV);
	assert_int_equal(load_check_below(path, path), -EXDEV);
	assert_int_equal(load_check_below(fixture_path("conf/none"), path), -ENOENT);
	assert_int_equal(load_check_below(fixture_path("conf/a"), fixture_path("no")), -ENOENT);
	assert_int_equal(load_check_below(fixture_path("conf/a"), "/"), 0);
}

static void each_reason_has_its_words(void **state)
{
	static const struct {
		int err;
		const char *text;
	} cases[] = {
		{ -EISDIR, "is a directory, expected a regular file" },
		{ -EPERM, "is not a regular file" },
		{ -EFBIG, "is too large" },
		{ -ENOENT, "does not exist" },
		{ -EXDEV, "leads out of the configuration's directory" },
		{ -EACCES, "may not be read by this user" },
		{ -EIO, "Input/output error" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(load_error(cases[i].err), cases[i].text);
	assert_non_null(strstr(load_error(-EOWNERDEAD), "is a link; find out who put it"));
}

SUITE(load)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read_whole_however_it_comes),
		cmocka_unit_test(a_file_may_be_as_large_as_is_allowed),
		cmocka_unit_test(what_is_no_file_is_refused_with_its_reason),
		cmocka_unit_test(a_file_lies_below_a_directory_or_not),
		cmocka_unit_test(each_reason_has_its_words),
	};

	answer_read = own_read;
	return cmocka_run_group_tests_name("load", tests, fixture_setup, fixture_teardown);
}
