/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables in hugepages: the hugetlbfs is a directory of the test's; the kernel's numbers and the choice
 * of a NUMA node are in the test's hands. Includes the sources.
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
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/mempolicy.h>

#include "base/log.h"
#include "weir/hugepages.h"

#define PAGE_BYTES (2ull << 20)
#define N_CPUS     2

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

static int edge_find(const char *mounts, struct hugepages_mount *out)
{
	assert_string_equal(mounts, "/proc/mounts");
	if (edge.find_says)
		return -edge.find_says;
	snprintf(out->path, sizeof(out->path), "%s", edge.mount);
	out->page_bytes = PAGE_BYTES;
	return 0;
}

static inline int count_files(void);

static uint64_t edge_free(const char *sysfs, uint64_t page_bytes)
{
	assert_string_equal(sysfs, "/sys/kernel/mm/hugepages");
	assert_true(!page_bytes || page_bytes == PAGE_BYTES);
	if (edge.one_file && count_files())
		return 0;
	return edge.free_bytes + (page_bytes ? 0 : edge.free_other);
}

static uint64_t edge_of_file(int fd)
{
	char link[64], path[256];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	assert_true(n > 0);
	path[n] = 0;
	return strncmp(path, edge.mount, strlen(edge.mount)) ? 0 : PAGE_BYTES;
}

/* set_mempolicy() alone */
static long edge_syscall(long number, ...)
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

static int edge_fallocate(int fd, int mode, off_t off, off_t len)
{
	edge.node_of_file = edge.node;
	errno = edge.fallocate_says;
	return errno ? -1 : fallocate(fd, mode, off, len);
}

static void edge_log(int level, const char *event, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static void edge_log(int level, const char *event, const char *format, ...)
{
	va_list list;

	(void)level;
	assert_string_equal(event, "tables-in-memory");
	va_start(list, format);
	vsnprintf(edge.logged, sizeof(edge.logged), format, list);
	va_end(list);
	edge.n_logged++;
}

#define log_at            edge_log
#define hugepages_find    edge_find
#define hugepages_free    edge_free
#define hugepages_of_file edge_of_file
#define syscall           edge_syscall
#define fallocate         edge_fallocate
#include "dataplane/dpdk/hugefile.c"
#undef fallocate
#include "dataplane/dpdk/tablefile.c"
#include "dataplane/dpdk/tables_dir.c"

static const struct driver_sizes small = { 4, 4, 2, 4, 64, 4 };

static int setup(void **state)
{
	(void)state;
	memset(&edge, 0, sizeof(edge));
	strcpy(edge.dir, "/tmp/weir-huge-XXXXXX");
	if (!mkdtemp(edge.dir))
		return -1;
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

	read_target(tables_path(), target);
	return target;
}

#endif
