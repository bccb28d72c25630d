/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's hugepages and memory: a directory of the test's for a hugetlbfs, and numbers. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_HUGEPAGES_FAKE_H
#define WEIR_TESTS_UNIT_DATAPLANE_HUGEPAGES_FAKE_H

#include <dirent.h>
#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "tests/unit/answers.h"

#define PAGE_BYTES  (2ull << 20)
#define OTHER_BYTES (4ull << 10)

static struct {
	char dir[64], mount[96];
	int find_says; /* errno; 0: there is a mount */
	uint64_t free_bytes, free_other;
	bool one_file;       /* more than one has no room */
	const char *meminfo; /* NULL: the kernel's */
} machine;

/* Our directory in the hugetlbfs. */
static inline const char *huge_path(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/weir", machine.mount);
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

static FILE *own_setmntent(const char *path, const char *mode)
{
	static char text[160];

	assert_string_equal(path, "/proc/mounts");
	snprintf(text, sizeof(text), "none %s %s rw 0 0\n", machine.mount,
	         machine.find_says ? "tmpfs" : "hugetlbfs");
	errno = machine.find_says;
	return machine.find_says && machine.find_says != ENOENT
	               ? NULL
	               : fmemopen(text, strlen(text), mode);
}

static int own_statfs64(const char *path, struct statfs *out)
{
	assert_string_equal(path, machine.mount);
	*out = (struct statfs){ .f_type = HUGETLBFS_MAGIC, .f_bsize = PAGE_BYTES };
	return 0;
}

static int own_fstatfs64(int fd, struct statfs *out)
{
	char link[64], path[256];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	assert_true(n > 0);
	path[n] = 0;
	*out = (struct statfs){ .f_bsize = PAGE_BYTES };
	if (!strncmp(path, machine.mount, strlen(machine.mount)))
		out->f_type = HUGETLBFS_MAGIC;
	return 0;
}

/* The kernel has pages of two page_kinds; their numbers are in the files of these directories. */
#define SYSFS "/sys/kernel/mm/hugepages"
static const char *const page_kinds[] = { "hugepages-2048kB", "hugepages-4kB" };

static DIR *own_opendir(const char *path)
{
	char sysfs[80];

	snprintf(sysfs, sizeof(sysfs), "%s/sys", machine.dir);
	return __real_opendir(strcmp(path, SYSFS) ? path : sysfs);
}

static FILE *own_fopen64(const char *path, const char *mode)
{
	static __thread char text[32];
	uint64_t n = 0;

	if (machine.meminfo && !strcmp(path, "/proc/meminfo"))
		return fmemopen((void *)(uintptr_t)machine.meminfo, strlen(machine.meminfo), mode);
	if (strncmp(path, SYSFS, strlen(SYSFS)) != 0)
		return __real_fopen64(path, mode);
	if (!strcmp(path, SYSFS "/hugepages-2048kB/free_hugepages"))
		n = machine.one_file && count_files() ? 0 : machine.free_bytes / PAGE_BYTES;
	else if (!strcmp(path, SYSFS "/hugepages-4kB/free_hugepages"))
		n = machine.free_other / OTHER_BYTES;
	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)n);
	return fmemopen(text, strlen(text), mode);
}

/* A hugetlbfs in @p dir. @return 0 or -1 */
static int reset_pages(const char *dir)
{
	char path[160];

	memset(&machine, 0, sizeof(machine));
	snprintf(machine.dir, sizeof(machine.dir), "%s", dir);
	snprintf(machine.mount, sizeof(machine.mount), "%s/mount", dir);
	snprintf(path, sizeof(path), "%s/sys", dir);
	if (mkdir(machine.mount, 0755) || mkdir(path, 0755))
		return -1;
	for (size_t i = 0; i < sizeof(page_kinds) / sizeof(page_kinds[0]); i++) {
		snprintf(path, sizeof(path), "%s/sys/%s", dir, page_kinds[i]);
		if (mkdir(path, 0755))
			return -1;
	}
	return 0;
}

/* From now on these calls are answered here. */
static inline void answer_hugepages(void)
{
	answer_fopen64 = own_fopen64;
	answer_fstatfs64 = own_fstatfs64;
	answer_opendir = own_opendir;
	answer_setmntent = own_setmntent;
	answer_statfs64 = own_statfs64;
}

#endif
