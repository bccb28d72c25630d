/* SPDX-License-Identifier: BSD-2-Clause */
/* Damage to mapped files: what is a page is guarded, and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/page.h"
#include "base/page_guard.h"
#include "tests/unit/suite.h"

static char directory[64], path[80];

static int setup(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/weir-guard-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/page", directory);
	return 0;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

static struct page *create_page(uint32_t layout, size_t size)
{
	struct page *p;

	assert_int_equal(page_create(path, "test", layout, size, &p), 0);
	return p;
}

/* A damaged file that is no page of ours ends the process as it would without us, and at once. */
static int touch_what_is_missing(void)
{
	char other[sizeof(path) + 8];
	struct page *p = create_page(1, 64), *reader;

	alarm(20);
	snprintf(other, sizeof(other), "%s.other", path);
	int fd = open(other, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	unlink(other);
	if (page_open(path, "test", 1, NULL, &reader) || ftruncate(fd, 4096))
		return 1;
	volatile char *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED || ftruncate(fd, 0))
		return 2;
	(void)at[7];
	(void)p;
	return 3;
}

static void damage_of_other_files_is_not_hidden(void **state)
{
	(void)state;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(SIGBUS, SIG_DFL);
		_exit(touch_what_is_missing());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGBUS : WEXITSTATUS(status) > 3);
}

/* A signal that somebody sends is no damage: it ends the process as it would without pages. */
static void a_signal_that_was_sent_is_not_taken_for_damage(void **state)
{
	(void)state;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(SIGBUS, SIG_DFL);
		(void)create_page(1, 64);
		alarm(20);
		kill(getpid(), SIGBUS);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

/* A page that cannot be guarded is none: damage to it would end the process. */
static void more_pages_than_can_be_guarded_are_refused(void **state)
{
	(void)state;
	static struct page *readers[PAGE_GUARDS_MAX + 1];
	size_t n = 0;
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < PAGE_GUARDS_MAX + 64)
		skip();
	rlim_t before = limit.rlim_cur;
	limit.rlim_cur = PAGE_GUARDS_MAX + 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	page_close(create_page(1, 64));
	int err = 0;
	while (n <= PAGE_GUARDS_MAX && !(err = page_open(path, "test", 1, NULL, &readers[n])))
		n++;
	assert_int_equal(n, PAGE_GUARDS_MAX);
	assert_int_equal(err, -ENFILE);
	page_close(readers[--n]);
	assert_int_equal(page_open(path, "test", 1, NULL, &readers[n]), 0); /* there is room */
	for (n++; n > 0;)
		page_close(readers[--n]);
	limit.rlim_cur = before;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

SUITE(page_guard)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(damage_of_other_files_is_not_hidden, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_signal_that_was_sent_is_not_taken_for_damage,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(more_pages_than_can_be_guarded_are_refused, setup,
		                                teardown),
	};

	return cmocka_run_group_tests_name("page guard", tests, NULL, NULL);
}
