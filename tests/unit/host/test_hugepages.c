/* SPDX-License-Identifier: BSD-2-Clause */
/* How many hugepages are free, and what is no hugetlbfs; the kernel's files are the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/calls.h"
#include "tests/unit/suite.h"
#include "weir/hugepages.h"

static char root[] = "/tmp/weir-hugepages.XXXXXX";

static void write_number(const char *size, const char *name, unsigned int n)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, size);
	(void)mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/%s", root, size, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%u\n", n);
	fclose(f);
}

static void pages_that_somebody_has_reserved_are_not_free(void **state)
{
	(void)state;
	assert_int_equal(hugepages_free("/nonexistent", 0), 0);
	write_number("hugepages-2048kB", "free_hugepages", 10);
	assert_int_equal(hugepages_free(root, 0), 10ull << 21);
	write_number("hugepages-2048kB", "resv_hugepages", 4);
	write_number("hugepages-1048576kB", "free_hugepages", 1);
	write_number("strange", "free_hugepages", 100);
	assert_int_equal(hugepages_free(root, 2 << 20), 6ull << 21);
	assert_int_equal(hugepages_free(root, 1 << 30), 1ull << 30);
	assert_int_equal(hugepages_free(root, 0), (6ull << 21) + (1ull << 30));
	write_number("hugepages-2048kB", "nr_hugepages", 12);
	assert_int_equal(hugepages_all(root, 2 << 20), 12ull << 21);
	assert_int_equal(hugepages_all(root, 0), 12ull << 21); /* no number is none */
	assert_int_equal(hugepages_lasting(root), 12ull << 21);
	write_number("hugepages-2048kB", "surplus_hugepages", 5);
	assert_int_equal(hugepages_all(root, 0), 12ull << 21);
	assert_int_equal(hugepages_lasting(root), 7ull << 21);
	write_number("hugepages-2048kB", "surplus_hugepages",
	             13); /* these, too, are read in turn */
	assert_int_equal(hugepages_lasting(root), 0);
	write_number("hugepages-2048kB", "resv_hugepages", 11); /* the two files are read in turn */
	assert_int_equal(hugepages_free(root, 2 << 20), 0);
}

static void only_a_hugetlbfs_is_one(void **state)
{
	struct hugepages_mount mount = { .page_bytes = 7 };
	char path[256];
	FILE *f;
	int fd;

	(void)state;
	assert_int_equal(hugepages_find("/nonexistent", &mount), -ENOENT);
	snprintf(path, sizeof(path), "%s/mounts", root);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f,
	        "proc /proc proc rw 0 0\nnone /nonexistent hugetlbfs rw 0 0\n"
	        "none %s hugetlbfs rw,pagesize=2M 0 0\n",
	        root);
	fclose(f);
	assert_int_equal(hugepages_find(path, &mount), -ENOENT); /* the kernel says what it is */
	assert_int_equal(mount.page_bytes, 7);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(hugepages_of_file(fd), 0);
	close(fd);
	assert_int_equal(hugepages_of_file(-1), 0);
}

static int find_mount(void)
{
	struct hugepages_mount mount = { .page_bytes = 7 };
	int err = hugepages_find("/proc/mounts", &mount);

	assert_int_equal(err ? 7 : 0, err ? mount.page_bytes : 0);
	return err;
}

static int count_free(void)
{
	return hugepages_free(root, 0) == (3ull << 21) + (1ull << 30) ? 0 : -ENODATA;
}

static int look_at_file(void)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t bytes = hugepages_of_file(fd);

	close(fd);
	return bytes ? -ENODATA : 0;
}

/* Each call of the kernel once, twice in turn: what could not be read is an error, or is none there; then it is read. */
static void what_cannot_be_read_now_is_read_the_next_time(void **state)
{
	static const struct {
		const char *call;
		int err;
		int (*caller)(void);
		int result;
	} cases[] = {
		{ "setmntent", EMFILE, find_mount, -EMFILE },
		{ "setmntent", EACCES, find_mount, -EACCES },
		{ "opendir", EMFILE, count_free, -ENODATA },
		{ "fopen", EMFILE, count_free, -ENODATA },
		{ "fstatfs", EIO, look_at_file, 0 },
	};

	(void)state;
	write_number("hugepages-2048kB", "free_hugepages", 3);
	write_number("hugepages-2048kB", "resv_hugepages", 0);
	write_number("hugepages-1048576kB", "free_hugepages", 1);
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const size_t k = i / 2;
		int usual = cases[k].caller();

		calls_fail(cases[k].call, 1, cases[k].err, false);
		assert_int_equal(cases[k].caller(), cases[k].result);
		assert_int_equal(calls_end(), 1);
		assert_int_equal(cases[k].caller(), usual);
	}
}

static int make_root(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

SUITE(hugepages)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_that_somebody_has_reserved_are_not_free),
		cmocka_unit_test(only_a_hugetlbfs_is_one),
		cmocka_unit_test(what_cannot_be_read_now_is_read_the_next_time),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
