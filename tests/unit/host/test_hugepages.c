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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_that_somebody_has_reserved_are_not_free),
		cmocka_unit_test(only_a_hugetlbfs_is_one),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
