/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables in hugepages: the hugetlbfs is a directory of the test's; mounts, the kernel's numbers and the choice
 * of a NUMA node are in the test's hands.
 */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_HUGEFILE_SCENE_H
#define WEIR_TESTS_UNIT_DATAPLANE_HUGEFILE_SCENE_H

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
#include <dirent.h>
#include <limits.h>
#include <mntent.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/magic.h>
#include <linux/mempolicy.h>

#include "dataplane/dpdk/tables_dir.h"
#include "weir/hugepages.h"
#include "weir/layout.h"

#define PAGE_BYTES  (2ull << 20)
#define OTHER_BYTES (4ull << 10)
#define N_CPUS      2

static struct {
	char dir[64], mount[96], pins[96];
	int find_says; /* errno; 0: there is a mount */
	uint64_t free_bytes, free_other;
	bool one_file; /* more than one has no room */
	int n_logged;
	char logged[512];       /* the last one */
	int node, node_of_file; /* that memory is taken from now; when the file was filled */
	int fallocate_says;     /* errno; 0: it does its work */
} edge;

static inline int count_files(void);

FILE *__wrap_setmntent(const char *path, const char *mode);
FILE *__wrap_setmntent(const char *path, const char *mode)
{
	static char text[160];

	assert_string_equal(path, "/proc/mounts");
	snprintf(text, sizeof(text), "none %s %s rw 0 0\n", edge.mount,
	         edge.find_says ? "tmpfs" : "hugetlbfs");
	errno = edge.find_says;
	return edge.find_says && edge.find_says != ENOENT ? NULL
	                                                  : fmemopen(text, strlen(text), mode);
}

int __wrap_statfs64(const char *path, struct statfs *out);
int __wrap_statfs64(const char *path, struct statfs *out)
{
	assert_string_equal(path, edge.mount);
	*out = (struct statfs){ .f_type = HUGETLBFS_MAGIC, .f_bsize = PAGE_BYTES };
	return 0;
}

int __wrap_fstatfs64(int fd, struct statfs *out);
int __wrap_fstatfs64(int fd, struct statfs *out)
{
	char link[64], path[256];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	assert_true(n > 0);
	path[n] = 0;
	*out = (struct statfs){ .f_bsize = PAGE_BYTES };
	if (!strncmp(path, edge.mount, strlen(edge.mount)))
		out->f_type = HUGETLBFS_MAGIC;
	return 0;
}

/* The kernel has pages of two sizes; their numbers are in the files of these directories. */
#define SYSFS "/sys/kernel/mm/hugepages"
static const char *const sizes[] = { "hugepages-2048kB", "hugepages-4kB" };

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path)
{
	char sysfs[80];

	snprintf(sysfs, sizeof(sysfs), "%s/sys", edge.dir);
	return __real_opendir(strcmp(path, SYSFS) ? path : sysfs);
}

FILE *__real_fopen64(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode)
{
	static char text[32];
	uint64_t n = 0;

	if (strncmp(path, SYSFS, strlen(SYSFS)) != 0)
		return __real_fopen64(path, mode);
	if (!strcmp(path, SYSFS "/hugepages-2048kB/free_hugepages"))
		n = edge.one_file && count_files() ? 0 : edge.free_bytes / PAGE_BYTES;
	else if (!strcmp(path, SYSFS "/hugepages-4kB/free_hugepages"))
		n = edge.free_other / OTHER_BYTES;
	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)n);
	return fmemopen(text, strlen(text), mode);
}

/* set_mempolicy() alone */
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	const unsigned long *mask;
	va_list list;
	int mode;

	assert_int_equal(number, SYS_set_mempolicy);
	va_start(list, number);
	mode = va_arg(list, int);
	mask = va_arg(list, const unsigned long *);
	va_end(list);
	edge.node = -1;
	for (int i = 0; mode == MPOL_PREFERRED && i < 1024; i++)
		if (mask[i / 64] >> i % 64 & 1)
			edge.node = i;
	return 0;
}

int __real_fallocate64(int fd, int mode, off_t off, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t off, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t off, off_t len)
{
	edge.node_of_file = edge.node;
	errno = edge.fallocate_says;
	return errno ? -1 : __real_fallocate64(fd, mode, off, len);
}

/* Lines of the log. */
ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
	if (fd != STDERR_FILENO)
		return __real_write(fd, bytes, n);
	snprintf(edge.logged, sizeof(edge.logged), "%.*s", (int)n, (const char *)bytes);
	edge.n_logged++;
	return (ssize_t)n;
}

static const struct driver_sizes small = { 4, 4, 2, 4, 64, 4 };

static int setup(void **state)
{
	char sysfs[160];

	(void)state;
	memset(&edge, 0, sizeof(edge));
	strcpy(edge.dir, "/tmp/weir-huge-XXXXXX");
	if (!mkdtemp(edge.dir))
		return -1;
	snprintf(sysfs, sizeof(sysfs), "%s/sys", edge.dir);
	if (mkdir(sysfs, 0755))
		return -1;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(sysfs, sizeof(sysfs), "%s/sys/%s", edge.dir, sizes[i]);
		if (mkdir(sysfs, 0755))
			return -1;
	}
	snprintf(edge.mount, sizeof(edge.mount), "%s/mount", edge.dir);
	snprintf(edge.pins, sizeof(edge.pins), "%s/pins", edge.dir);
	edge.free_bytes = 64 * PAGE_BYTES;
	edge.node = edge.node_of_file = -2;
	return mkdir(edge.mount, 0755) || mkdir(edge.pins, 0750);
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", edge.dir);
	return system(command);
}

static inline const char *tables_path(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/tables", edge.pins);
	return path;
}

/* Our directory in the hugetlbfs. */
static inline const char *huge_path(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/weir", edge.mount);
	return path;
}

/* How many files there are in the hugetlbfs. */
static inline int count_files(void)
{
	struct dirent *e;
	int n = 0;
	DIR *dir = opendir(huge_path());

	while (dir && (e = readdir(dir)))
		n += e->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

static inline bool open_tables(struct tablefile *f, struct hugefile_request *request)
{
	struct driver_reason why;
	bool kept;

	assert_int_equal(tables_dir_open(edge.pins, &small, N_CPUS, request, f, &kept, &why), 0);
	return kept;
}

static inline void expect_mark(uint64_t mark)
{
	struct driver_reason why;
	struct tablefile f;

	assert_int_equal(tablefile_open(&f, tables_path(), false, &why), 0);
	assert_int_equal(f.tables.exceptions[3].word[7], mark);
	assert_int_equal(f.tables.root->hash_key[1], mark);
	tablefile_unmap(&f.tables);
}

/* Where the tables' link leads. */
static inline const char *read_tables_link(void)
{
	static char target[PATH_MAX];
	ssize_t n = readlink(tables_path(), target, sizeof(target) - 1);

	target[n > 0 ? n : 0] = 0;
	return target;
}

#endif
