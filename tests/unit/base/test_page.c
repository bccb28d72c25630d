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
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/page.h"

static char directory[64], path[80];

static int setup(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/weir-page-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/page", directory);
	return 0;
}

static int teardown(void **state)
{
	char lock_path[sizeof(path) + 8];

	(void)state;
	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	unlink(lock_path);
	unlink(path);
	return rmdir(directory);
}

static struct page *create(uint32_t layout, size_t size)
{
	struct page *p;

	assert_int_equal(page_create(path, "test", layout, size, &p), 0);
	return p;
}

static void what_is_no_page_is_refused(void **state)
{
	(void)state;
	struct page *p = NULL;

	assert_int_equal(page_open(path, "test", 1, &p), -ENOENT);
	int fd = open(path, O_CREAT | O_RDWR, 0600);

	assert_int_equal(page_open(path, "test", 1, &p), -EPROTO); /* empty */
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(page_open(path, "test", 1, &p), -EPROTO); /* zeros */
	close(fd);
	page_close(create(1, 128));
	assert_int_equal(page_open(path, "other", 1, &p), -EPROTO);
	assert_int_equal(page_open(path, "test", 2, &p), -EPROTO);
	assert_int_equal(truncate(path, 64 + 127), 0);
	assert_int_equal(page_open(path, "test", 1, &p), -EPROTO); /* cut short */
	assert_null(p);
}

static void a_page_has_one_writer(void **state)
{
	(void)state;
	struct page *first = create(1, 64), *second;

	assert_int_equal(page_create(path, "test", 1, 64, &second), -EBUSY);
	assert_int_equal(page_create(path, "test", 2, 64, &second), -EBUSY);
	page_close(first);
	page_close(create(1, 64));
}

static void the_next_writer_keeps_payload_and_epoch(void **state)
{
	(void)state;
	struct page *p = create(1, 64), *reader;

	assert_false(page_was_kept(p));
	assert_int_equal(page_size(p), 64);
	strcpy(page_payload(p), "kept");
	page_publish(p);
	page_publish(p);
	assert_int_equal(page_open(path, "test", 1, &reader), 0);
	page_close(p);
	p = create(1, 64);
	assert_true(page_was_kept(p));
	assert_string_equal(page_payload(p), "kept");
	assert_int_equal(page_epoch(p), 2);
	strcpy(page_payload(p), "anew");
	assert_string_equal(page_payload(reader), "anew"); /* the same memory */
	assert_false(page_is_replaced(reader));
	page_close(reader);
	page_close(p);
}

static void a_killed_writer_leaves_its_page_to_the_next(void **state)
{
	(void)state;
	pid_t pid = fork();

	if (pid == 0) {
		struct page *p = create(1, 64);

		strcpy(page_payload(p), "mine");
		raise(SIGKILL);
	}
	waitpid(pid, NULL, 0);
	struct page *p = create(1, 64);

	assert_true(page_was_kept(p));
	assert_string_equal(page_payload(p), "mine");
	assert_true(page_header(p)->writer_pid == (uint64_t)getpid());
	page_close(p);
}

static void another_size_replaces_the_file_and_readers_see_it(void **state)
{
	(void)state;
	struct page *p = create(1, 64), *reader;

	assert_int_equal(page_open(path, "test", 1, &reader), 0);
	uint32_t epoch = page_epoch(reader);

	page_close(p);
	p = create(1, 8192);
	assert_false(page_was_kept(p));
	assert_true(page_is_replaced(reader));
	assert_int_equal(page_wait(reader, epoch, 0), 0);
	page_close(reader);
	assert_int_equal(page_open(path, "test", 1, &reader), 0);
	assert_int_equal(page_size(reader), 8192);
	assert_false(page_is_replaced(reader));
	page_close(reader);
	page_close(p);
}

static void waiting_ends_by_publication_or_time(void **state)
{
	(void)state;
	struct page *p = create(1, 64);
	uint32_t epoch = page_epoch(p);

	assert_int_equal(page_wait(p, epoch, 5), -ETIMEDOUT);
	pid_t pid = fork();

	if (pid == 0) {
		struct page *reader;

		_exit(page_open(path, "test", 1, &reader) || page_wait(reader, epoch, 5000));
	}
	usleep(20000);
	page_publish(p);
	int status = -1;

	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(page_wait(p, epoch, 0), 0); /* it has passed already */
	page_alive(p, 1234);
	assert_true(page_header(p)->alive_ms == 1234);
	page_close(p);
}

static void anyone_may_read_and_only_the_owner_write(void **state)
{
	(void)state;
	struct stat st;

	page_close(create(1, 64));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	page_close(NULL);
}

static void who_may_only_read_cannot_keep_the_writer_out(void **state)
{
	(void)state;
	char lock_path[sizeof(path) + 8];
	struct stat st;

	page_close(create(1, 64));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	struct page *p = create(1, 64);
	assert_true(page_was_kept(p));
	page_close(p);
	close(fd);
	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	assert_int_equal(stat(lock_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_removed_page_leaves_nothing(void **state)
{
	(void)state;
	char lock_path[sizeof(path) + 8];
	struct page *p = create(1, 64), *reader;

	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	assert_int_equal(page_open(path, "test", 1, &reader), 0);
	page_remove(p, path);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(lock_path, F_OK), -1);
	assert_int_equal(page_size(reader), 64);
	page_close(reader);
	p = create(1, 64);
	assert_false(page_was_kept(p));
	page_close(p);
}

#define PAGE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAGE_TEST(what_is_no_page_is_refused),
		PAGE_TEST(a_page_has_one_writer),
		PAGE_TEST(the_next_writer_keeps_payload_and_epoch),
		PAGE_TEST(a_killed_writer_leaves_its_page_to_the_next),
		PAGE_TEST(another_size_replaces_the_file_and_readers_see_it),
		PAGE_TEST(waiting_ends_by_publication_or_time),
		PAGE_TEST(anyone_may_read_and_only_the_owner_write),
		PAGE_TEST(who_may_only_read_cannot_keep_the_writer_out),
		PAGE_TEST(a_removed_page_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
