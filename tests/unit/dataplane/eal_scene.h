/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The start of DPDK with DPDK itself, the CPUs and the hugepages in the test's hands. Includes the
 * source.
 */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_EAL_SCENE_H
#define WEIR_TESTS_UNIT_DATAPLANE_EAL_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_memory.h>

#include "dataplane/dpdk/eal_libc.h"
#include "weir/hugepages.h"

static struct {
	char dir[64];
	cpu_set_t cpus;
	int affinity_errno, init_says, init_errno;
	int n_inits, argc;
	uint8_t memory[3 * 4096];
	uint64_t page_bytes; /* of it */
	unsigned int n_advised;
	bool hurries, hurried; /* now; when DPDK was started */
	sigset_t blocked;      /* when DPDK was started, so in its threads */
	char argv[16][256];
	struct {
		char name[32];
		unsigned int n, cache;
		uint16_t private, room;
		int socket;
	} pools[16];
	unsigned int n_pools;
	bool no_pool;
} edge;

static inline int edge_affinity(pid_t pid, size_t size, cpu_set_t *out)
{
	(void)pid;
	assert_int_equal(size, sizeof(*out));
	*out = edge.cpus;
	errno = edge.affinity_errno;
	return errno ? -1 : 0;
}

static inline int edge_init(int argc, char **argv)
{
	assert_null(argv[argc]);
	edge.n_inits++;
	edge.hurried = edge.hurries;
	pthread_sigmask(SIG_SETMASK, NULL, &edge.blocked);
	edge.argc = argc;
	for (int i = 0; i < argc; i++)
		snprintf(edge.argv[i], sizeof(edge.argv[i]), "%s", argv[i]);
	return edge.init_says;
}

static struct rte_mempool *edge_pool(const char *name, unsigned int n, unsigned int cache,
                                     uint16_t private, uint16_t room, int socket)
{
	unsigned int i = edge.n_pools++;

	snprintf(edge.pools[i].name, sizeof(edge.pools[i].name), "%s", name);
	edge.pools[i].n = n;
	edge.pools[i].cache = cache;
	edge.pools[i].private = private;
	edge.pools[i].room = room;
	edge.pools[i].socket = socket;
	return edge.no_pool ? NULL : (struct rte_mempool *)(uintptr_t)(0x100 + i);
}

/* DPDK has two lists of memory: ours, and one of a device. */
static inline int edge_walk(rte_memseg_list_walk_t each, void *arg)
{
	struct rte_memseg_list lists[] = {
		{ .base_va = edge.memory, .page_sz = edge.page_bytes, .len = 8192 },
		{ .base_va = edge.memory + 8192, .page_sz = 4096, .len = 4096, .external = 1 }
	};

	for (size_t i = 0; i < 2; i++)
		assert_int_equal(each(&lists[i], arg), 0);
	return 0;
}

static inline int edge_madvise(void *at, size_t bytes, int advice)
{
	assert_ptr_equal(at, edge.memory);
	assert_int_equal(bytes, 8192);
	assert_int_equal(advice, MADV_HUGEPAGE);
	edge.n_advised++;
	return -1; /* a kernel without them: nothing is lost */
}

static inline unsigned int edge_socket(unsigned int lcore)
{
	(void)lcore;
	return 0;
}

/* The kernel's numbers are the test's. */
static inline const char *edge_sysfs(const char *path)
{
	assert_string_equal(path, "/sys/kernel/mm/hugepages");
	return edge.dir;
}

static inline FILE *edge_fopen(const char *path, const char *mode)
{
	char at[128];

	assert_string_equal(path, "/proc/meminfo");
	snprintf(at, sizeof(at), "%s/meminfo", edge.dir);
	return fopen(at, mode);
}

void eal_libc_hurry(bool on)
{
	edge.hurries = on;
}

static inline const char *edge_strerror(int err)
{
	return err == ENODEV ? "no such thing" : "?";
}

#undef rte_errno
#define rte_errno               (edge.init_errno)
#define rte_eal_init            edge_init
#define rte_strerror            edge_strerror
#define rte_pktmbuf_pool_create edge_pool
#define sched_getaffinity       edge_affinity
#define rte_lcore_to_socket_id  edge_socket
#define rte_memseg_list_walk    edge_walk
#define madvise                 edge_madvise
#define fopen                   edge_fopen
#define hugepages_free(path, n) hugepages_free(edge_sysfs(path), n)
#define hugepages_all(path, n)  hugepages_all(edge_sysfs(path), n)
#define hugepages_lasting(path) hugepages_lasting(edge_sysfs(path))
#include "dataplane/dpdk/eal.c"
#undef fopen

static struct model_dpdk dpdk;

static inline int setup(void **state)
{
	(void)state;
	memset(&edge, 0, sizeof(edge));
	memset(&eal, 0, sizeof(eal));
	strcpy(edge.dir, "/tmp/weir-eal-XXXXXX");
	if (!mkdtemp(edge.dir))
		return -1;
	for (int cpu = 2; cpu <= 6; cpu++)
		CPU_SET(cpu, &edge.cpus);
	dpdk = (struct model_dpdk){ .hugepages = MODEL_HUGEPAGES_NO, .memory_mb = 512 };
	return 0;
}

static inline int teardown(void **state)
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
	assert_int_equal(n_workers, err ? 0 : eal.n_workers);
	return err;
}

#endif
