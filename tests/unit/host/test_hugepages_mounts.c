/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of several mounts is taken (host/hugepages.c): what the kernel says of a path is this file's. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/magic.h>

#include "tests/unit/answers.h"
#include "tests/unit/suite.h"
#include "weir/hugepages.h"

#define MIB UINT64_C(1048576)

static char root[] = "/tmp/weir-hugepages-mounts.XXXXXX";
static bool file_is_huge;

/* /2 is of 2 MiB, /1024 of 1 GiB, /0 of nothing; /x is gone, and all else is no hugetlbfs. */
static int own_statfs64(const char *path, struct statfs *out)
{
	unsigned mib = 0;

	*out = (struct statfs){ .f_type = TMPFS_MAGIC, .f_bsize = 4096 };
	if (!strcmp(path, "/x")) {
		errno = ENOENT;
		return -1;
	}
	if (sscanf(path, "/%u", &mib) == 1)
		*out = (struct statfs){ .f_type = HUGETLBFS_MAGIC, .f_bsize = (long)(mib * MIB) };
	return 0;
}

static int own_fstatfs64(int fd, struct statfs *out)
{
	*out = (struct statfs){ .f_type = file_is_huge ? HUGETLBFS_MAGIC : TMPFS_MAGIC,
		                .f_bsize = 4096 };
	return fd == 77 ? -1 : 0;
}

static int count_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

#define LINE(path) "none " path " hugetlbfs rw 0 0\n"

/* The smallest pages, and the first of two alike. */
static void the_smallest_pages_are_taken(void **state)
{
	static const struct {
		const char *mounts, *path; /* path NULL: none */
		uint64_t mib;
	} rows[] = {
		{ "", NULL, 0 },
		{ LINE("/2"), "/2", 2 },
		{ LINE("/1024") LINE("/2"), "/2", 2 },
		{ LINE("/2") LINE("/1024"), "/2", 2 },
		{ LINE("/2") LINE("/2/other"), "/2", 2 },
		{ LINE("/0") LINE("/x") LINE("/tmp") LINE("/1024"), "/1024", 1024 },
		{ LINE("/0") LINE("/x") LINE("/tmp"), NULL, 0 },
		{ "none /2 tmpfs rw 0 0\n" LINE("/1024"), "/1024", 1024 },
		{ "none /2 tmpfs rw 0 0\n", NULL, 0 },
		{ LINE("/2\\040a"), "/2 a", 2 },
	};
	char path[sizeof(root) + 8];
	int n_open = count_descriptors();

	(void)state;
	snprintf(path, sizeof(path), "%s/mounts", root);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hugepages_mount mount = { .path = "as before", .page_bytes = 7 };

		write_file(path, rows[i].mounts);
		assert_int_equal(hugepages_find(path, &mount), rows[i].path ? 0 : -ENOENT);
		assert_string_equal(mount.path, rows[i].path ? rows[i].path : "as before");
		assert_int_equal(mount.page_bytes, rows[i].path ? rows[i].mib * MIB : 7);
	}
	assert_int_equal(count_descriptors(), n_open);
}

/* A path for which there is no room is as none. */
static void a_long_path_is_passed_over(void **state)
{
	struct hugepages_mount mount = { .page_bytes = 7 };
	char path[sizeof(root) + 8], longest[sizeof(mount.path)], line[sizeof(mount.path) + 64];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	memcpy(longest, "/2", 2);
	longest[sizeof(longest) - 1] = '\0';
	snprintf(path, sizeof(path), "%s/mounts", root);
	snprintf(line, sizeof(line), "none %sx hugetlbfs rw 0 0\n", longest);
	write_file(path, line);
	assert_int_equal(hugepages_find(path, &mount), -ENOENT);
	snprintf(line, sizeof(line), "none %s hugetlbfs rw 0 0\n", longest);
	write_file(path, line);
	assert_int_equal(hugepages_find(path, &mount), 0);
	assert_string_equal(mount.path, longest);
}

static void a_file_has_the_pages_of_its_filesystem(void **state)
{
	(void)state;
	assert_int_equal(hugepages_of_file(3), 0);
	file_is_huge = true;
	assert_int_equal(hugepages_of_file(3), 4096);
	assert_int_equal(hugepages_of_file(77), 0);
}

/* What is no number is none; of pages as many as are reserved, none is free. */
static void nothing_stays_open_behind_a_count(void **state)
{
	static const struct {
		const char *free, *reserved;
		uint64_t n;
	} rows[] = { { "5", "0", 5 }, { "5", "4", 1 }, { "5", "5", 0 }, { "5", "6", 0 },
		     { "x", "0", 0 }, { "5", "x", 5 }, { "", "", 0 } };
	char dir[sizeof(root) + 32], path[sizeof(dir) + 32];
	int n_open = count_descriptors();

	(void)state;
	snprintf(dir, sizeof(dir), "%s/hugepages-2048kB", root);
	assert_int_equal(mkdir(dir, 0700), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(path, sizeof(path), "%s/free_hugepages", dir);
		write_file(path, rows[i].free);
		snprintf(path, sizeof(path), "%s/nr_hugepages", dir);
		write_file(path, rows[i].free);
		snprintf(path, sizeof(path), "%s/resv_hugepages", dir);
		write_file(path, rows[i].reserved);
		snprintf(path, sizeof(path), "%s/surplus_hugepages", dir);
		write_file(path, rows[i].reserved);
		assert_int_equal(hugepages_free(root, 0), rows[i].n * 2 * MIB);
		assert_int_equal(hugepages_free(root, 2 * MIB), rows[i].n * 2 * MIB);
		assert_int_equal(hugepages_free(root, 4 * MIB), 0);
		assert_int_equal(hugepages_lasting(root), rows[i].n * 2 * MIB);
	}
	assert_int_equal(count_descriptors(), n_open);
}

static int remove_files(void **state)
{
	char folder[sizeof(root) + 32];
	static const char *const names[] = { "mounts", "hugepages-2048kB/free_hugepages",
		                             "hugepages-2048kB/nr_hugepages",
		                             "hugepages-2048kB/resv_hugepages",
		                             "hugepages-2048kB/surplus_hugepages" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[sizeof(root) + 64];

		snprintf(path, sizeof(path), "%s/%s", root, names[i]);
		unlink(path);
	}
	snprintf(folder, sizeof(folder), "%s/hugepages-2048kB", root);
	rmdir(folder);
	return rmdir(root);
}

static int make_root(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

SUITE(hugepages_mounts)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smallest_pages_are_taken),
		cmocka_unit_test(a_long_path_is_passed_over),
		cmocka_unit_test(a_file_has_the_pages_of_its_filesystem),
		cmocka_unit_test(nothing_stays_open_behind_a_count),
	};

	answer_statfs64 = own_statfs64;
	answer_fstatfs64 = own_fstatfs64;
	return cmocka_run_group_tests_name("mounts of hugepages", tests, make_root, remove_files);
}
