/* SPDX-License-Identifier: BSD-2-Clause */
/* The start of DPDK with DPDK itself, the CPUs and the kernel's numbers in the test's hands. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_EAL_SCENE_H
#define WEIR_TESTS_UNIT_DATAPLANE_EAL_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "dataplane/dpdk/eal.h"
#include "tests/unit/answers.h"
#include "tests/unit/dataplane/apart.h"
#include "tests/unit/dataplane/dpdk_answers.h"
#include "tests/unit/dataplane/eal_fake.h"
#include "tests/unit/logged.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SYSFS    "/sys/kernel/mm/hugepages"

static struct {
	char dir[64];
	bool no_sysfs;
	uint8_t memory[3 * 4096];
	uint64_t page_bytes; /* of it */
	unsigned int n_advised;
} edge;

/* DPDK has two lists of memory: ours, and one of a device. */
static int own_rte_memseg_list_walk(rte_memseg_list_walk_t each, void *arg)
{
	struct rte_memseg_list lists[] = {
		{ .base_va = edge.memory, .page_sz = edge.page_bytes, .len = 8192 },
		{ .base_va = edge.memory + 8192, .page_sz = 4096, .len = 4096, .external = 1 }
	};

	for (size_t i = 0; i < 2; i++)
		assert_int_equal(each(&lists[i], arg), 0);
	return 0;
}

static int own_madvise(void *at, size_t bytes, int advice)
{
	assert_ptr_equal(at, edge.memory);
	assert_int_equal(bytes, 8192);
	assert_int_equal(advice, MADV_HUGEPAGE);
	edge.n_advised++;
	return -1; /* a kernel without them: nothing is lost */
}

/* The kernel's numbers are the test's. */
static inline const char *at_edge(const char *path)
{
	static char at[256];

	if (!strncmp(path, SYSFS, strlen(SYSFS)))
		snprintf(at, sizeof(at), "%s%s", edge.dir, path + strlen(SYSFS));
	else if (!strcmp(path, "/proc/meminfo"))
		snprintf(at, sizeof(at), "%s/meminfo", edge.dir);
	else
		return path;
	return at;
}

static DIR *own_opendir(const char *path)
{
	return edge.no_sysfs ? NULL : __real_opendir(at_edge(path));
}

static FILE *own_fopen64(const char *path, const char *mode)
{
	return __real_fopen64(at_edge(path), mode);
}

static struct model_dpdk dpdk;

static int setup(void **state)
{
	(void)state;
	memset(&edge, 0, sizeof(edge));
	reset_eal();
	strcpy(edge.dir, "/tmp/weir-eal-XXXXXX");
	if (!mkdtemp(edge.dir))
		return -1;
	dpdk = (struct model_dpdk){ .hugepages = MODEL_HUGEPAGES_NO, .memory_mb = 512 };
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", edge.dir);
	return system(command);
}

static inline void put_file(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", edge.dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* @p n free pages of @p kb KiB, of @p all */
static inline void put_some_hugepages(unsigned int kb, unsigned int n, unsigned int all)
{
	char path[128], text[16];

	snprintf(path, sizeof(path), "%s/hugepages-%ukB", edge.dir, kb);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "hugepages-%ukB/free_hugepages", kb);
	snprintf(text, sizeof(text), "%u\n", n);
	put_file(path, text);
	snprintf(path, sizeof(path), "hugepages-%ukB/nr_hugepages", kb);
	snprintf(text, sizeof(text), "%u\n", all);
	put_file(path, text);
}

static inline void put_hugepages(unsigned int kb, unsigned int n)
{
	put_some_hugepages(kb, n, n);
}

static inline void set_cores(uint32_t n, const uint16_t *cores)
{
	dpdk.n_cores = n;
	memcpy(dpdk.cores, cores, n * sizeof(*cores));
}

static inline int start_eal(uint16_t mtu, char why[DRIVER_REASON_MAX])
{
	struct driver_reason w = { "" };
	uint32_t n_workers = 99;
	int err = eal_start(&dpdk, mtu, &n_workers, &w);

	strcpy(why, w.text);
	assert_int_equal(n_workers, err ? 0 : dpdk.n_cores ? dpdk.n_cores : 1);
	return err;
}

/* From now on these calls are answered here. */
static inline void answer_all(void)
{
	answer_eal();
	answer_fopen64 = own_fopen64;
	answer_madvise = own_madvise;
	answer_opendir = own_opendir;
	answer_rte_memseg_list_walk = own_rte_memseg_list_walk;
	logged_begin();
}

#endif
