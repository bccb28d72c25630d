/* SPDX-License-Identifier: BSD-2-Clause */
/* A page, or its lock, whose file somebody removes while its writer runs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/lock.h"
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

/* Have @p writer keep its name. @return the events that it logs meanwhile, each with a blank behind it */
static const char *events_of_keeping(struct page *writer)
{
	static char events[256];
	char text[2048], *rest = NULL;
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	dup2(ends[1], STDERR_FILENO);
	page_keep_name(writer);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[1]);
	n = read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	text[n > 0 ? n : 0] = '\0';
	events[0] = '\0';
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *effect = strstr(line, "effect=\"");
		size_t used = strlen(events);

		snprintf(events + used, sizeof(events) - used, "%s:%.13s ",
		         strstr(line, "page-removed") ? "removed" : "other",
		         effect ? effect + 8 : "");
	}
	return events;
}

/* Each time that it is put back is said; that it cannot be is said once, until it could. */
static void what_becomes_of_a_removed_page_is_logged(void **state)
{
	(void)state;
	struct page *writer = create_page(1, 4096);
	FILE *f;

	assert_string_equal(events_of_keeping(writer), "");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(unlink(path), 0);
		assert_string_equal(events_of_keeping(writer), "removed:created again ");
		assert_string_equal(events_of_keeping(writer), "");
		assert_int_equal(unlink(path), 0);
		f = fopen(path, "w"); /* another's */
		assert_non_null(f);
		fclose(f);
		assert_string_equal(events_of_keeping(writer), "removed:other process ");
		assert_string_equal(events_of_keeping(writer), "");
		assert_int_equal(unlink(path), 0);
		assert_string_equal(events_of_keeping(writer), "removed:created again ");
	}
	page_close(writer);
}

/* Somebody empties the run directory while the process runs. */
static void a_page_that_was_removed_is_put_back(void **state)
{
	(void)state;
	struct page *writer = create_page(1, 4096), *before, *after, *other;
	uint64_t *words = page_payload(writer);
	char lock_path[sizeof(path) + 8];

	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	words[5] = 55;
	page_keep_name(writer); /* nothing happens to a page that is there */
	assert_int_equal(page_open(path, "test", 1, NULL, &before), 0);
	assert_false(page_is_replaced(before));
	assert_int_equal(unlink(path) | unlink(lock_path), 0);
	assert_false(page_repair(writer)); /* nothing was lost */
	assert_ptr_equal(page_payload(writer), words);
	words[6] = 66;
	assert_true(page_is_replaced(before));
	assert_int_equal(page_open(path, "test", 1, NULL, &after), 0);
	assert_int_equal(((uint64_t *)page_payload(after))[5], 55);
	assert_int_equal(((uint64_t *)page_payload(after))[6], 66);
	assert_false(page_is_replaced(after));
	assert_int_equal(page_create(path, "test", 1, 4096, &other), -EBUSY);
	assert_int_equal(truncate(path, 0), 0); /* the guard is of the new file */
	assert_true(page_repair(writer));
	words[7] = 77;
	assert_int_equal(((uint64_t *)page_payload(after))[7], 77);
	page_close(before);
	page_close(after);
	page_close(writer);
}

static void a_lock_that_was_removed_is_taken_again(void **state)
{
	(void)state;
	struct page *writer = create_page(1, 4096), *other;
	char lock_path[sizeof(path) + 8];

	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	assert_int_equal(unlink(lock_path), 0);
	page_keep_name(writer);
	assert_int_equal(page_create(path, "test", 1, 4096, &other), -EBUSY);
	page_close(writer);
}

/* Another has it: what the writer holds is not given up. */
static void a_lock_that_cannot_be_taken_again_is_no_loss(void **state)
{
	(void)state;
	struct page *writer = create_page(1, 4096), *other;
	char lock_path[sizeof(path) + 8];
	int held, another;

	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	held = open(lock_path, O_RDWR | O_CLOEXEC);
	assert_true(held >= 0);
	assert_int_equal(unlink(lock_path), 0);
	assert_int_equal(lock_acquire(lock_path, &another), 0);
	page_keep_name(writer);
	assert_int_equal(flock(held, LOCK_EX | LOCK_NB), -1); /* the writer's still */
	assert_int_equal(errno, EWOULDBLOCK);
	close(another);
	page_keep_name(writer);
	assert_int_equal(flock(held, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(page_create(path, "test", 1, 4096, &other), -EBUSY);
	close(held);
	page_close(writer);
}

/* What somebody else put there meanwhile is not removed. */
static void a_file_in_the_page_s_place_stays(void **state)
{
	(void)state;
	struct page *writer = create_page(1, 4096), *reader = NULL;
	FILE *f;

	assert_int_equal(unlink(path), 0);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	page_keep_name(writer);
	assert_int_equal(page_open(path, "test", 1, NULL, &reader), -EPROTO);
	assert_int_equal(unlink(path), 0);
	page_keep_name(writer);
	assert_int_equal(page_open(path, "test", 1, NULL, &reader), 0);
	page_close(reader);
	page_close(writer);
}

#define NAME_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(page_name)
{
	const struct CMUnitTest tests[] = {
		NAME_TEST(a_page_that_was_removed_is_put_back),
		NAME_TEST(what_becomes_of_a_removed_page_is_logged),
		NAME_TEST(a_lock_that_was_removed_is_taken_again),
		NAME_TEST(a_lock_that_cannot_be_taken_again_is_no_loss),
		NAME_TEST(a_file_in_the_page_s_place_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
