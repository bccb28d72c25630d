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
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/owner.h"
#include "base/page.h"
#include "tests/unit/suite.h"

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

static struct page *create_page(uint32_t layout, size_t size)
{
	struct page *p;

	assert_int_equal(page_create(path, "test", layout, size, &p), 0);
	return p;
}

static void what_is_no_page_is_refused(void **state)
{
	(void)state;
	struct page *p = NULL;

	assert_int_equal(page_open(path, "test", 1, NULL, &p), -ENOENT);
	int fd = open(path, O_CREAT | O_RDWR, 0600);

	assert_int_equal(page_open(path, "test", 1, NULL, &p), -EPROTO); /* empty */
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(page_open(path, "test", 1, NULL, &p), -EPROTO); /* zeros */
	close(fd);
	page_close(create_page(1, 128));
	assert_int_equal(page_open(path, "other", 1, NULL, &p), -EPROTO);
	assert_int_equal(page_open(path, "test", 2, NULL, &p), -EPROTO);
	assert_int_equal(truncate(path, 64 + 127), 0);
	assert_int_equal(page_open(path, "test", 1, NULL, &p), -EPROTO); /* cut short */
	assert_null(p);
}

static void a_page_of_the_run_directory_is_opened_by_its_form(void **state)
{
	struct page_form form = { "page", "test", 1, 128, NULL };
	char dir[PATH_MAX];
	struct page *p = NULL;

	(void)state;
	assert_int_equal(page_open_in(directory, &form, &p), -ENOENT);
	page_close(create_page(1, 128));
	form.least_bytes = 129;
	assert_int_equal(page_open_in(directory, &form, &p), -EPROTO); /* it is too small */
	form.least_bytes = 128;
	form.layout = 2;
	assert_int_equal(page_open_in(directory, &form, &p), -EPROTO);
	form.layout = 1;
	memset(dir, 'd', sizeof(dir) - 1);
	dir[sizeof(dir) - 1] = '\0';
	assert_int_equal(page_open_in(dir, &form, &p), -ENAMETOOLONG);
	assert_null(p);
	assert_int_equal(page_open_in(directory, &form, &p), 0);
	assert_int_equal(page_size(p), 128);
	page_close(p);
}

/* A reader knows rows in the making by their number, also those of a writer that died within. */
static void rows_are_whole_if_nobody_wrote_meanwhile(void **state)
{
	uint32_t seq = 7, began; /* odd: left by a writer that died */

	(void)state;
	assert_false(page_rows_whole(&seq, page_rows_seq(&seq)));
	began = page_rows_begin(&seq);
	assert_false(page_rows_whole(&seq, page_rows_seq(&seq)));
	page_rows_end(&seq, began);
	began = page_rows_seq(&seq);
	assert_true(page_rows_whole(&seq, began));
	page_rows_end(&seq, page_rows_begin(&seq));
	assert_false(page_rows_whole(&seq, began));
	assert_true(page_rows_whole(&seq, page_rows_seq(&seq)));
}

static void a_page_has_one_writer(void **state)
{
	(void)state;
	struct page *first = create_page(1, 64), *second;

	assert_int_equal(page_create(path, "test", 1, 64, &second), -EBUSY);
	assert_int_equal(page_create(path, "test", 2, 64, &second), -EBUSY);
	page_close(first);
	page_close(create_page(1, 64));
}

static void the_next_writer_keeps_payload_and_epoch(void **state)
{
	(void)state;
	uint64_t from_ms = clock_mono_ms();
	struct page *p = create_page(1, 64), *reader;

	assert_false(page_was_kept(p));
	assert_true(page_header(p)->alive_ms >= from_ms); /* it lives from its first moment on */
	assert_int_equal(page_size(p), 64);
	strcpy(page_payload(p), "kept");
	page_publish(p);
	page_publish(p);
	assert_int_equal(page_open(path, "test", 1, NULL, &reader), 0);
	page_close(p);
	p = create_page(1, 64);
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
		struct page *p = create_page(1, 64);

		strcpy(page_payload(p), "mine");
		raise(SIGKILL);
	}
	waitpid(pid, NULL, 0);
	struct page *p = create_page(1, 64);

	assert_true(page_was_kept(p));
	assert_string_equal(page_payload(p), "mine");
	assert_true(page_header(p)->writer_pid == (uint64_t)getpid());
	page_close(p);
}

static void another_size_replaces_the_file_and_readers_see_it(void **state)
{
	(void)state;
	struct page *p = create_page(1, 64), *reader;

	assert_int_equal(page_open(path, "test", 1, NULL, &reader), 0);
	uint32_t epoch = page_epoch(reader);

	page_close(p);
	p = create_page(1, 8192);
	assert_false(page_was_kept(p));
	assert_true(page_is_replaced(reader));
	assert_int_equal(page_wait(reader, epoch, 0), 0);
	page_close(reader);
	assert_int_equal(page_open(path, "test", 1, NULL, &reader), 0);
	assert_int_equal(page_size(reader), 8192);
	assert_false(page_is_replaced(reader));
	page_close(reader);
	page_close(p);
}

/* Its readers were sent away: they would not look at what a writer puts there. */
static void a_replaced_file_that_is_put_back_is_not_kept(void **state)
{
	(void)state;
	struct page *p = create_page(1, 64), *reader;
	char aside[sizeof(path) + 8];

	snprintf(aside, sizeof(aside), "%s.aside", path);
	strcpy(page_payload(p), "old");
	page_close(p);
	assert_int_equal(link(path, aside), 0);
	page_close(create_page(1, 8192));
	assert_int_equal(rename(aside, path), 0);
	p = create_page(1, 64);
	assert_false(page_was_kept(p));
	assert_string_equal(page_payload(p), "");
	assert_int_equal(page_open(path, "test", 1, NULL, &reader), 0);
	assert_false(page_is_replaced(reader));
	page_close(reader);
	page_close(p);
}

/* Its length is right, and its head says less: what readers were to see of it is not known. */
static void a_file_whose_head_says_another_size_is_not_kept(void **state)
{
	(void)state;
	struct page *p = create_page(1, 64);
	struct page_header h;
	int fd;

	strcpy(page_payload(p), "old");
	page_close(p);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &h, sizeof(h), 0), sizeof(h));
	h.size_bytes = 56;
	assert_int_equal(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
	close(fd);
	p = create_page(1, 64);
	assert_false(page_was_kept(p));
	assert_int_equal(page_size(p), 64);
	assert_string_equal(page_payload(p), "");
	page_close(p);
}

static void waiting_ends_by_publication_or_time(void **state)
{
	(void)state;
	struct page *p = create_page(1, 64);
	uint32_t epoch = page_epoch(p);

	assert_int_equal(page_wait(p, epoch, 5), -ETIMEDOUT);
	pid_t pid = fork();

	if (pid == 0) {
		struct page *reader;

		_exit(page_open(path, "test", 1, NULL, &reader) || page_wait(reader, epoch, 5000));
	}
	usleep(20000); /* the reader waits by then */
	page_publish(p);
	int status = -1;

	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(page_wait(p, epoch, 0), 0); /* it has passed already */
	page_alive(p, 1234);
	assert_true(page_header(p)->alive_ms == 1234);
	page_close(p);
}

/* Nothing else would tell a reader that waits: nobody writes its page any more. */
static void waiting_ends_when_another_file_takes_the_page_s_place(void **state)
{
	(void)state;
	struct page *reader;
	int status = -1;

	page_close(create_page(1, 64));
	assert_int_equal(page_open(path, "test", 1, NULL, &reader), 0);
	uint32_t epoch = page_epoch(reader);
	pid_t pid = fork();

	if (pid == 0)
		_exit(page_wait(reader, epoch, 5000) || !page_is_replaced(reader));
	usleep(20000); /* the reader waits by then */
	page_close(create_page(1, 8192));
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	page_close(reader);
}

static void anyone_may_read_and_only_the_owner_write(void **state)
{
	(void)state;
	struct stat st;

	page_close(create_page(1, 64));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	page_close(NULL);
}

static void who_may_only_read_cannot_keep_the_writer_out(void **state)
{
	(void)state;
	char lock_path[sizeof(path) + 8];
	struct stat st;

	page_close(create_page(1, 64));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	struct page *p = create_page(1, 64);
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
	struct page *p = create_page(1, 64), *reader;

	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	assert_int_equal(page_open(path, "test", 1, NULL, &reader), 0);
	page_remove(p, path);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(lock_path, F_OK), -1);
	assert_int_equal(page_size(reader), 64);
	page_close(reader);
	p = create_page(1, 64);
	assert_false(page_was_kept(p));
	page_close(p);
}

/* Nobody marks it: the next writer does not find it, so its readers would see old words for ever. */
static void a_page_that_was_removed_while_nobody_wrote_is_opened_again(void **state)
{
	(void)state;
	struct page *reader, *p = create_page(1, 64);

	assert_int_equal(page_open(path, "test", 1, NULL, &reader), 0);
	assert_int_equal(unlink(path), 0);
	page_alive(p, clock_mono_ms());
	assert_false(page_is_replaced(reader)); /* its writer lives, and is heard */
	page_alive(p, clock_mono_ms() - 60000);
	page_close(p);
	p = create_page(1, 64);
	assert_true(page_is_replaced(reader));
	assert_true(page_is_sound(reader));
	page_close(reader);
	assert_int_equal(page_open(path, "test", 1, NULL, &reader), 0);
	page_alive(p, clock_mono_ms() - 60000);
	assert_false(page_is_replaced(reader)); /* silent, but nobody has another */
	page_close(reader);
	page_close(p);
}

#define PAGE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* A page of several memory pages, whose words have the values of their indexes. */
#define WORDS ((size_t)4096)

static struct page *create_words(void)
{
	struct page *p = create_page(1, WORDS * sizeof(uint64_t));
	uint64_t *words = page_payload(p);

	for (size_t i = 0; i < WORDS; i++)
		words[i] = i;
	return p;
}

static uint64_t sum_of(struct page *p)
{
	const volatile uint64_t *words = page_payload(p);
	uint64_t sum = 0;

	for (size_t i = 0; i < WORDS; i++)
		sum += words[i];
	return sum;
}

static void a_page_that_is_cut_short_kills_no_reader_and_is_not_believed(void **state)
{
	(void)state;
	static const off_t lengths[] = { 0, 64, 4096, 4096 * 3 + 5 };
	struct page *reader;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct page *writer = create_words();

		assert_int_equal(page_open(path, "test", 1, NULL, &reader), 0);
		assert_true(page_is_sound(reader));
		assert_int_equal(sum_of(reader), WORDS * (WORDS - 1) / 2);
		assert_int_equal(truncate(path, lengths[i]), 0);
		(void)sum_of(reader); /* was the end of the process: SIGBUS */
		assert_false(page_is_sound(reader));
		assert_true(page_is_replaced(reader));
		struct page *again;
		assert_int_equal(page_open(path, "test", 1, NULL, &again), -EPROTO);
		page_close(reader);
		page_close(writer);
		unlink(path);
	}
}

static void a_page_of_zeros_is_not_believed(void **state)
{
	(void)state;
	struct page *writer = create_words(), *reader;

	assert_int_equal(page_open(path, "test", 1, NULL, &reader), 0);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, (off_t)(WORDS * 8 + 64)), 0);
	assert_int_equal(sum_of(reader), 0);
	assert_false(page_is_sound(reader));
	page_close(reader);
	page_close(writer);
}

static void a_writer_outlives_a_damaged_page_and_mends_it(void **state)
{
	(void)state;
	struct page *writer = create_words(), *reader;
	uint64_t *words = page_payload(writer);

	assert_false(page_repair(writer));
	assert_int_equal(words[7], 7);
	assert_int_equal(truncate(path, 0), 0);
	words[WORDS - 1] = 5; /* the file has its length again */
	assert_true(page_repair(writer));
	assert_false(page_repair(writer));
	words[0] = 9;
	assert_int_equal(page_open(path, "test", 1, NULL, &reader), 0);
	assert_int_equal(sum_of(reader), 9);
	assert_true(page_is_sound(reader));
	page_close(reader);
	page_close(writer);
}

static void a_link_is_no_page_for_its_writer(void **state)
{
	(void)state;
	struct owner_trouble list[OWNER_TROUBLES_MAX];
	struct page *writer;

	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(page_create(path, "test", 1, 64, &writer), -EPERM);
	assert_int_equal(owner_troubles(list), 1);
	assert_string_equal(list[0].path, path);
	assert_int_equal(unlink(path), 0);
	page_close(create_page(1, 64));
}

static void a_page_of_another_user_is_not_believed(void **state)
{
	(void)state;
	struct page *reader;

	if (geteuid() != 0)
		skip();
	page_close(create_page(1, 64));
	assert_int_equal(chown(path, 54321, 54321), 0);
	assert_int_equal(page_open(path, "test", 1, "health", &reader), -EPERM);
	/* nor goes its writer on with it */
	struct page *writer = create_page(1, 64);
	assert_false(page_was_kept(writer));
	assert_int_equal(page_open(path, "test", 1, "health", &reader), 0);
	page_close(reader);
	page_close(writer);
}

/* A file system of our own with room for @p pages; seen by this process alone. */
static bool mount_small(unsigned pages)
{
	char options[64];

	snprintf(options, sizeof(options), "size=%u", pages * 4096);
	return unshare(CLONE_NEWNS) == 0 && mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", directory, "tmpfs", 0, options) == 0;
}

/* Take all the room that is left. */
static void fill_up(void)
{
	char other[sizeof(path) + 8], zeros[4096] = "";

	snprintf(other, sizeof(other), "%s.fill", path);
	int fd = open(other, O_CREAT | O_WRONLY, 0600);
	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	close(fd);
}

/* What a process does whose run directory is full; it says how far it came. */
static int write_without_room(void)
{
	struct page *writer, *large;

	alarm(20); /* an access that is repeated for ever */
	if (!mount_small(12))
		return 77;
	if (page_create(path, "test", 1, (size_t)16 * 4096, &large) != -ENOSPC)
		return 1; /* better no page than one that cannot be written */
	if (access(path, F_OK) == 0)
		return 6;
	page_close(create_page(1, 64));
	if (page_open(path, "test", 1, NULL, &large))
		return 7;
	if (page_create(path, "test", 1, (size_t)16 * 4096, &writer) != -ENOSPC ||
	    page_is_replaced(large))
		return 8; /* nothing has come in its place */
	page_close(large);
	if (page_create(path, "test", 1, (size_t)8 * 4096, &writer))
		return 2;
	uint64_t *words = page_payload(writer);
	if (truncate(path, 0))
		return 3;
	fill_up();
	words[WORDS - 1] = 5;
	words[0] = 9;
	if (words[WORDS - 1] != 5 || words[0] != 9)
		return 4;
	(void)page_repair(writer);
	words[1] = 7;
	return words[1] == 7 ? 0 : 5;
}

static void a_writer_without_room_goes_on(void **state)
{
	(void)state;
#ifdef __SANITIZE_THREAD__
	skip(); /* the guard meets a SIGBUS within a SIGBUS, which that sanitizer's own handler cannot */
#endif
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(write_without_room());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static unsigned count_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void only_a_file_of_just_that_size_is_kept(void **state)
{
	(void)state;
	struct page *p, *reader;
	unsigned n_fds = count_fds();

	page_close(create_page(1, 8192));
	assert_int_equal(page_open(path, "test", 1, NULL, &reader), 0);
	p = create_page(1, 64); /* less is another layout as well as more */
	assert_false(page_was_kept(p));
	assert_int_equal(page_size(p), 64);
	assert_true(page_is_replaced(reader));
	page_close(reader);
	page_close(p);
	assert_int_equal(truncate(path, 64 + (off_t)sizeof(struct page_header) + 8), 0);
	p = create_page(1, 64); /* somebody has appended to it */
	assert_false(page_was_kept(p));
	assert_int_equal(page_size(p), 64);
	page_close(p);
	assert_int_equal(count_fds(), n_fds); /* nor do the files before stay open */
}

static void a_draft_of_a_process_that_died_is_in_nobodys_way(void **state)
{
	(void)state;
	char draft[sizeof(path) + 16];

	snprintf(draft, sizeof(draft), "%s.new", path);
	int fd = open(draft, O_CREAT | O_WRONLY, 0600);

	assert_true(fd >= 0);
	close(fd);
	page_close(create_page(1, 64));
	assert_int_equal(access(draft, F_OK), -1);
}

static void a_kind_is_compared_whole(void **state)
{
	(void)state;
	struct page *p;

	assert_int_equal(page_create(path, "tests", 1, 64, &p), 0);
	page_close(p);
	assert_int_equal(page_open(path, "test", 1, NULL, &p), -EPROTO);
	assert_int_equal(page_create(path, "0123456789abcdef", 1, 64, &p), -EINVAL);
	assert_int_equal(page_create(path, "0123456789abcde", 1, 64, &p), 0);
	page_close(p);
	assert_int_equal(page_open(path, "0123456789abcde", 1, NULL, &p), 0);
	page_close(p);
}

static void waiting_takes_its_time(void **state)
{
	(void)state;
	struct page *p = create_page(1, 64);
	uint64_t from_ms = clock_mono_ms();

	assert_int_equal(page_wait(p, page_epoch(p), 60), -ETIMEDOUT);
	assert_true(clock_mono_ms() - from_ms >= 55);
	page_close(p);
}

/* The header may have stayed: what was behind it is gone all the same. */
static void a_page_that_lost_its_end_is_whole_for_nobody(void **state)
{
	(void)state;
	struct page *writer = create_words(), *reader, *other;
	uint64_t *words = page_payload(writer);

	assert_int_equal(page_open(path, "test", 1, NULL, &reader), 0);
	assert_int_equal(truncate(path, 4096), 0);
	words[WORDS - 1] = 5; /* the file has its length again */
	assert_false(page_is_sound(writer));
	assert_false(page_is_sound(reader));
	assert_int_equal(page_open(path, "test", 1, NULL, &other), -EPROTO);
	assert_true(page_repair(writer));
	assert_true(page_is_sound(writer));
	assert_int_equal(words[7], 0);
	assert_int_equal(page_open(path, "test", 1, NULL, &other), 0);
	page_close(other);
	page_close(reader);
	page_close(writer);
}

/* Whoever looks at what he has read must see it without touching the part that is missing. */
static void damage_is_seen_wherever_it_is(void **state)
{
	(void)state;
	struct page *writer = create_words(), *reader;
	uint32_t layout = 9;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_int_equal(page_open(path, "test", 1, NULL, &reader), 0);
	assert_int_equal(truncate(path, 4096), 0); /* its header is whole */
	assert_false(page_is_sound(reader));
	assert_int_equal(truncate(path, (off_t)(WORDS * 8 + sizeof(struct page_header))), 0);
	assert_true(page_is_sound(reader));
	assert_int_equal(pwrite(fd, &layout, 4, offsetof(struct page_header, layout)), 4);
	assert_false(page_is_sound(reader));
	close(fd);
	page_close(reader);
	page_close(writer);
}

static void a_mended_page_is_its_writers_and_wakes_readers(void **state)
{
	(void)state;
	pid_t pid = fork();

	if (pid == 0) {
		page_close(create_page(1, 64));
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	struct page *p = create_page(1, 64);

	assert_true(page_was_kept(p)); /* of another process */
	page_alive(p, 1);
	uint32_t epoch = page_epoch(p);
	uint64_t from_ms = clock_mono_ms();

	assert_int_equal(truncate(path, 0), 0);
	assert_true(page_repair(p));
	assert_true(page_header(p)->writer_pid == (uint64_t)getpid());
	assert_true(page_header(p)->alive_ms >= from_ms);
	assert_int_equal(page_wait(p, epoch, 0), 0);
	page_close(p);
}

SUITE(page)
{
	const struct CMUnitTest tests[] = {
		PAGE_TEST(what_is_no_page_is_refused),
		PAGE_TEST(a_page_has_one_writer),
		PAGE_TEST(the_next_writer_keeps_payload_and_epoch),
		PAGE_TEST(a_killed_writer_leaves_its_page_to_the_next),
		PAGE_TEST(another_size_replaces_the_file_and_readers_see_it),
		PAGE_TEST(a_replaced_file_that_is_put_back_is_not_kept),
		PAGE_TEST(a_file_whose_head_says_another_size_is_not_kept),
		PAGE_TEST(waiting_ends_by_publication_or_time),
		PAGE_TEST(waiting_ends_when_another_file_takes_the_page_s_place),
		PAGE_TEST(anyone_may_read_and_only_the_owner_write),
		PAGE_TEST(who_may_only_read_cannot_keep_the_writer_out),
		PAGE_TEST(a_removed_page_leaves_nothing),
		PAGE_TEST(a_page_that_was_removed_while_nobody_wrote_is_opened_again),
		cmocka_unit_test(rows_are_whole_if_nobody_wrote_meanwhile),
		PAGE_TEST(a_page_of_the_run_directory_is_opened_by_its_form),
		cmocka_unit_test_setup_teardown(
		        a_page_that_is_cut_short_kills_no_reader_and_is_not_believed, setup,
		        teardown),
		cmocka_unit_test_setup_teardown(a_page_of_zeros_is_not_believed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_writer_outlives_a_damaged_page_and_mends_it,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_page_of_another_user_is_not_believed, setup,
		                                teardown),
		PAGE_TEST(a_writer_without_room_goes_on),
		PAGE_TEST(a_link_is_no_page_for_its_writer),
		PAGE_TEST(only_a_file_of_just_that_size_is_kept),
		PAGE_TEST(a_draft_of_a_process_that_died_is_in_nobodys_way),
		PAGE_TEST(a_kind_is_compared_whole),
		PAGE_TEST(waiting_takes_its_time),
		PAGE_TEST(damage_is_seen_wherever_it_is),
		PAGE_TEST(a_mended_page_is_its_writers_and_wakes_readers),
		PAGE_TEST(a_page_that_lost_its_end_is_whole_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
