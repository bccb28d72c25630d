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
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/mempolicy.h>

#include "dataplane/dpdk/tables_dir.h"
#include "tests/unit/answers.h"
#include "tests/unit/dataplane/hugepages_fake.h"
#include "tests/unit/logged.h"
#include "weir/hugepages.h"
#include "weir/layout.h"

#define N_CPUS 2

static struct {
	char dir[64], pins[96];
	int node, node_of_file; /* that memory is taken from now; when the file was filled */
	int fallocate_says;     /* errno; 0: it does its work */
} edge;

/* set_mempolicy() alone */
static long own_syscall(long number, const long a[6])
{
	const unsigned long *mask = (const unsigned long *)(uintptr_t)a[1];
	int mode = (int)a[0];

	assert_int_equal(number, SYS_set_mempolicy);
	edge.node = -1;
	for (int i = 0; mode == MPOL_PREFERRED && i < 1024; i++)
		if (mask[i / 64] >> i % 64 & 1)
			edge.node = i;
	return 0;
}

static int own_fallocate64(int fd, int mode, off_t off, off_t len)
{
	edge.node_of_file = edge.node;
	errno = edge.fallocate_says;
	return errno ? -1 : __real_fallocate64(fd, mode, off, len);
}

static const struct driver_sizes small = { 4, 4, 2, 4, 64, 4 };

static int setup(void **state)
{
	(void)state;
	memset(&edge, 0, sizeof(edge));
	strcpy(edge.dir, "/tmp/weir-huge-XXXXXX");
	if (!mkdtemp(edge.dir) || reset_pages(edge.dir))
		return -1;
	snprintf(edge.pins, sizeof(edge.pins), "%s/pins", edge.dir);
	machine.free_bytes = 64 * PAGE_BYTES;
	edge.node = edge.node_of_file = -2;
	return mkdir(edge.pins, 0750);
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

/* From now on these calls are answered here. */
static inline void answer_all(void)
{
	answer_hugepages();
	answer_fallocate64 = own_fallocate64;
	answer_syscall = own_syscall;
	logged_begin();
}

#endif
