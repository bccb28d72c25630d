/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What DPDK is started with: CPUs, memory, pools. DPDK itself, the CPUs and the hugepages are in
 * the test's hands.
 */
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

static int edge_affinity(pid_t pid, size_t size, cpu_set_t *out)
{
	(void)pid;
	assert_int_equal(size, sizeof(*out));
	*out = edge.cpus;
	errno = edge.affinity_errno;
	return errno ? -1 : 0;
}

static int edge_init(int argc, char **argv)
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
static int edge_walk(rte_memseg_list_walk_t each, void *arg)
{
	struct rte_memseg_list lists[] = {
		{ .base_va = edge.memory, .page_sz = edge.page_bytes, .len = 8192 },
		{ .base_va = edge.memory + 8192, .page_sz = 4096, .len = 4096, .external = 1 }
	};

	for (size_t i = 0; i < 2; i++)
		assert_int_equal(each(&lists[i], arg), 0);
	return 0;
}

static int edge_madvise(void *at, size_t bytes, int advice)
{
	assert_ptr_equal(at, edge.memory);
	assert_int_equal(bytes, 8192);
	assert_int_equal(advice, MADV_HUGEPAGE);
	edge.n_advised++;
	return -1; /* a kernel without them: nothing is lost */
}

static unsigned int edge_socket(unsigned int lcore)
{
	(void)lcore;
	return 0;
}

/* The kernel's numbers are the test's. */
static const char *edge_sysfs(const char *path)
{
	assert_string_equal(path, "/sys/kernel/mm/hugepages");
	return edge.dir;
}

static FILE *edge_fopen(const char *path, const char *mode)
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

static const char *edge_strerror(int err)
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

static int setup(void **state)
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

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", edge.dir);
	return system(command);
}

static void put_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", edge.dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* @p n free pages of @p kb KiB, of @p all */
static void put_some_hugepages(unsigned int kb, unsigned int n, unsigned int all)
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

static void put_hugepages(unsigned int kb, unsigned int n)
{
	put_some_hugepages(kb, n, n);
}

static void set_cores(uint32_t n, const uint16_t *cores)
{
	dpdk.n_cores = n;
	memcpy(dpdk.cores, cores, n * sizeof(*cores));
}

static int start_eal(uint16_t mtu, char why[DRIVER_REASON_MAX])
{
	struct driver_reason w = { "" };
	uint32_t n_workers = 99;
	int err = eal_start(&dpdk, mtu, &n_workers, &w);

	strcpy(why, w.text);
	assert_int_equal(n_workers, err ? 0 : eal.n_workers);
	return err;
}

static void all_that_dpdk_is_told(void **state)
{
	static const char *const expected[] = { "weir-dataplane",
		                                "--no-huge",
		                                "-m",
		                                "512",
		                                "--lcores=0@(3,4,6),1@2,2@5",
		                                "--no-shconf",
		                                "--no-telemetry",
		                                "--log-level=error",
		                                "-a",
		                                "0000:00:00.0" };
	char why[DRIVER_REASON_MAX];

	(void)state;
	set_cores(2, (const uint16_t[]){ 2, 5 });
	assert_int_equal(start_eal(1500, why), 0);
	assert_string_equal(why, "");
	assert_int_equal(edge.argc, sizeof(expected) / sizeof(expected[0]));
	for (int i = 0; i < edge.argc; i++)
		assert_string_equal(edge.argv[i], expected[i]);
	assert_int_equal(eal.n_workers, 2);
	assert_int_equal(eal_lcore(0), 1);
	assert_int_equal(eal_lcore(1), 2);
	assert_int_equal(eal_cpu(0), 2);
	assert_int_equal(eal_cpu(1), 5);
	assert_int_equal(start_eal(1500, why), 0); /* once a process */
	assert_int_equal(edge.n_inits, 1);
	assert_true(edge.hurried);
	assert_false(edge.hurries);
	/* a thread of DPDK that took it would end the process at once, with its routes as they are */
	assert_true(sigismember(&edge.blocked, SIGTERM) && sigismember(&edge.blocked, SIGINT));
	assert_false(sigismember(&edge.blocked, SIGBUS) || sigismember(&edge.blocked, SIGSYS));
	pthread_sigmask(SIG_SETMASK, NULL, &edge.blocked);
	assert_false(sigismember(&edge.blocked, SIGTERM));
}

static void cpus_are_those_that_are_named_and_this_process_may_use(void **state)
{
	static const struct {
		uint32_t n;
		uint16_t cores[5];
		const char *lcores; /* NULL: refused */
	} cases[] = {
		{ 0, { 0 }, "--lcores=0@(2,3,4,5),1@6" },
		{ 1, { 4 }, "--lcores=0@(2,3,5,6),1@4" },
		/* no CPU is left for the rest: it shares them all */
		{ 5, { 2, 3, 4, 5, 6 }, "--lcores=0@(2,3,4,5,6),1@2,2@3,3@4,4@5,5@6" },
		{ 4, { 2, 3, 4, 5 }, "--lcores=0@(6),1@2,2@3,3@4,4@5" },
		{ 2, { 3, 7 }, NULL },
		{ 1, { 1 }, NULL },
		{ 1, { CPU_SETSIZE }, NULL },
	};
	char why[DRIVER_REASON_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (i) {
			teardown(state);
			setup(state);
		}
		set_cores(cases[i].n, cases[i].cores);
		assert_int_equal(start_eal(1500, why), cases[i].lcores ? 0 : -EINVAL);
		if (cases[i].lcores) {
			assert_string_equal(edge.argv[4], cases[i].lcores);
			continue;
		}
		assert_int_equal(edge.n_inits, 0);
		assert_non_null(strstr(why, "which this process may not use"));
		char cpu[40];
		snprintf(cpu, sizeof(cpu), "names CPU %u,", cases[i].cores[cases[i].n - 1]);
		assert_non_null(strstr(why, cpu));
	}
}

/* 3 pages of 2 MiB and 1 of 1 GiB: 1,030 MiB. */
static void memory_is_taken_as_configured_and_as_there_is(void **state)
{
	static const struct {
		enum model_hugepages hugepages;
		uint32_t memory_mb;
		int err;
		const char *argument, *why; /* a part of it; "": none */
	} cases[] = {
		{ MODEL_HUGEPAGES_YES, 1030, 0, "--in-memory", "" },
		{ MODEL_HUGEPAGES_YES, 1031, -ENOMEM, "",
		  "1030 MiB of hugepages are free, 1031 are needed (dpdk.memory): echo 4 > "
		  "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages" },
		{ MODEL_HUGEPAGES_AUTO, 1030, 0, "--in-memory", "" },
		{ MODEL_HUGEPAGES_AUTO, 1031, 0, "--no-huge",
		  "ordinary memory, for trials: 1030 MiB of hugepages are free, 1031 are wanted" },
		{ MODEL_HUGEPAGES_NO, 1030, 0, "--no-huge", "" },
		{ MODEL_HUGEPAGES_NO, 4000, 0, "--no-huge", "" },
	};
	char why[DRIVER_REASON_MAX], memory[16];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (i) {
			teardown(state);
			setup(state);
		}
		put_hugepages(2048, 3);
		put_hugepages(1048576, 1);
		dpdk.hugepages = cases[i].hugepages;
		dpdk.memory_mb = cases[i].memory_mb;
		assert_int_equal(start_eal(1500, why), cases[i].err);
		assert_int_equal(!*why, !*cases[i].why);
		assert_non_null(strstr(why, cases[i].why));
		assert_int_equal(edge.n_inits, !cases[i].err);
		if (cases[i].err)
			continue;
		snprintf(memory, sizeof(memory), "%u", cases[i].memory_mb);
		assert_string_equal(edge.argv[1], cases[i].argument);
		assert_string_equal(edge.argv[3], memory);
	}
}

static void without_hugepages_of_any_size_there_are_none(void **state)
{
	char why[DRIVER_REASON_MAX];

	dpdk.hugepages = MODEL_HUGEPAGES_YES;
	assert_int_equal(start_eal(1500, why), -ENOMEM);
	assert_non_null(strstr(why, "0 MiB of hugepages are free, 512 are needed"));
	teardown(state);
	edge.dir[0] = 0; /* a kernel without them */
	assert_int_equal(free_hugepages_mb(), 0);
	setup(state);
}

/* Of 300 pages the tables have 100, and 20 more are reserved for another process. */
static void pages_that_are_taken_do_not_count_and_are_not_taken_away(void **state)
{
	char why[DRIVER_REASON_MAX];

	(void)state;
	dpdk.hugepages = MODEL_HUGEPAGES_YES;
	put_some_hugepages(2048, 200, 300);
	put_file("hugepages-2048kB/resv_hugepages", "20\n");
	assert_int_equal(start_eal(1500, why), -ENOMEM);
	assert_non_null(strstr(why, "360 MiB of hugepages are free, 512 are needed"));
	assert_non_null(strstr(why, "echo 376 >"));
	dpdk.memory_mb = 360;
	assert_int_equal(start_eal(1500, why), 0);
}

static void what_keeps_dpdk_from_starting_is_said_and_it_may_be_tried_again(void **state)
{
	char why[DRIVER_REASON_MAX];

	(void)state;
	edge.affinity_errno = EFAULT;
	assert_int_equal(start_eal(1500, why), -EFAULT);
	assert_string_equal(why, "cannot read which CPUs may be used: Bad address");
	edge.affinity_errno = 0;
	edge.init_says = -1;
	edge.init_errno = ENODEV;
	struct driver_reason w;
	uint32_t n;

	assert_int_equal(eal_start(&dpdk, 1500, &n, &w), -ENODEV);
	assert_non_null(
	        strstr(w.text, "DPDK does not start (--lcores=0@(2,3,4,5),1@6): no such thing"));
	edge.init_says = 0;
	assert_int_equal(start_eal(1500, why), 0);
	assert_int_equal(edge.n_inits, 2);
	assert_string_equal(edge.argv[0], "weir-dataplane"); /* nothing of the first try */
	assert_int_equal(edge.argc, 10);
}

static void a_pool_has_frames_for_all_workers_in_half_of_the_memory(void **state)
{
	static const struct {
		uint16_t mtu;
		uint32_t memory_mb, n_workers;
		unsigned int n;
		uint16_t room;
	} cases[] = {
		/* 16,383 each; a frame's room is DPDK's least one or the MTU and its headers */
		{ 1500, 512, 2, 32766, 2048 + 128 },
		{ 1984, 512, 1, 16383, 2048 + 128 },
		{ 1985, 512, 1, 16383, 2049 + 128 },
		{ 9000, 512, 1, 16383, 9064 + 128 },
		/* 32 MiB by 9,064 + 512 bytes */
		{ 9000, 64, 1, 3504, 9064 + 128 },
		{ 1500, 64, 1, 13107, 2048 + 128 },
	};
	char why[DRIVER_REASON_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (i) {
			teardown(state);
			setup(state);
		}
		dpdk.memory_mb = cases[i].memory_mb;
		set_cores(cases[i].n_workers, (const uint16_t[]){ 2, 3 });
		assert_int_equal(start_eal(cases[i].mtu, why), 0);
		assert_non_null(eal_pool(0));
		assert_int_equal(edge.pools[0].n, cases[i].n);
		assert_int_equal(edge.pools[0].room, cases[i].room);
		assert_int_equal(edge.pools[0].private, 0);
	}
}

static void each_socket_has_one_pool_made_when_it_is_asked_for(void **state)
{
	static const struct {
		int asked, socket;
		const char *name;
	} cases[] = {
		{ 1, 1, "weir-1" },
		{ 7, 7, "weir-7" },
		{ 0, 0, "weir-0" },
	};
	char why[DRIVER_REASON_MAX];

	(void)state;
	assert_int_equal(start_eal(1500, why), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rte_mempool *first = eal_pool(cases[i].asked);

		assert_ptr_equal(eal_pool(cases[i].asked), first);
		assert_int_equal(edge.n_pools, i + 1);
		assert_string_equal(edge.pools[i].name, cases[i].name);
		assert_int_equal(edge.pools[i].socket, cases[i].socket);
	}
	assert_ptr_equal(eal_pool(-1), eal_pool(0)); /* any socket, and one beyond those we know */
	assert_ptr_equal(eal_pool(8), eal_pool(0));
	assert_int_equal(edge.n_pools, 3);
}

static void a_device_without_a_socket_takes_memory_from_anywhere(void **state)
{
	char why[DRIVER_REASON_MAX];

	(void)state;
	assert_int_equal(start_eal(1500, why), 0);
	edge.no_pool = true;
	assert_null(eal_pool(-1));
	edge.no_pool = false; /* there may be memory later */
	assert_non_null(eal_pool(-1));
	assert_int_equal(edge.pools[1].socket, SOCKET_ID_ANY);
}

static void ordinary_memory_is_to_have_large_pages(void **state)
{
	char why[DRIVER_REASON_MAX];

	(void)state;
	edge.page_bytes = 2u << 20; /* it has them */
	assert_int_equal(start_eal(1500, why), 0);
	assert_int_equal(edge.n_advised, 0);
	memset(&eal, 0, sizeof(eal));
	edge.page_bytes = 4096;
	assert_int_equal(start_eal(1500, why), 0);
	assert_int_equal(edge.n_advised, 1);
}

/* 512 MiB are needed, and of ordinary memory 256 more to spare. */
static void two_processes_fit_where_there_is_memory_for_both(void **state)
{
	static const struct {
		enum model_hugepages hugepages;
		unsigned int free_2mb, all_2mb, surplus_2mb, available_mb;
		bool fits;
		const char *why; /* a part of it; "": none */
	} cases[] = {
		{ MODEL_HUGEPAGES_YES, 256, 512, 0, 0, true, "" },
		{ MODEL_HUGEPAGES_YES, 255, 511, 0, 9999, false,
		  "510 MiB of hugepages are free, 512 are needed" },
		/* the other's go with it: the start fails, and must do so while the other forwards */
		{ MODEL_HUGEPAGES_YES, 0, 256, 256, 9999, true, "" },
		{ MODEL_HUGEPAGES_YES, 0, 300, 45, 0, true, "" },
		{ MODEL_HUGEPAGES_YES, 0, 300, 44, 0, false, "0 MiB of hugepages are free" },
		{ MODEL_HUGEPAGES_YES, 0, 255, 0, 0, true, "" },
		{ MODEL_HUGEPAGES_AUTO, 256, 512, 0, 0, true, "" },
		/* ordinary memory in their place would be slower for good */
		{ MODEL_HUGEPAGES_AUTO, 0, 256, 0, 9999, false, "0 MiB of hugepages are free" },
		/* it will be ordinary memory, whatever the process before has */
		{ MODEL_HUGEPAGES_AUTO, 0, 256, 256, 768, true, "" },
		{ MODEL_HUGEPAGES_AUTO, 0, 255, 0, 768, true, "" },
		{ MODEL_HUGEPAGES_AUTO, 0, 255, 0, 767, false,
		  "767 MiB of memory are available, 768 are" },
		{ MODEL_HUGEPAGES_NO, 512, 512, 0, 767, false,
		  "767 MiB of memory are available, 768 are" },
		{ MODEL_HUGEPAGES_NO, 0, 0, 0, 768, true, "" },
		{ MODEL_HUGEPAGES_NO, 0, 0, 0, 0, false, "0 MiB of memory are available" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct driver_reason why = { "" };
		char text[128];

		if (i) {
			teardown(state);
			setup(state);
		}
		put_some_hugepages(2048, cases[i].free_2mb, cases[i].all_2mb);
		snprintf(text, sizeof(text), "%u\n", cases[i].surplus_2mb);
		put_file("hugepages-2048kB/surplus_hugepages", text);
		snprintf(text, sizeof(text), "MemFree: 1 kB\nMemAvailable: %u kB\n",
		         cases[i].available_mb * 1024);
		if (cases[i].available_mb)
			put_file("meminfo", text);
		dpdk.hugepages = cases[i].hugepages;
		assert_int_equal(eal_fits_beside(&dpdk, &why), cases[i].fits);
		assert_int_equal(!*why.text, !*cases[i].why);
		assert_non_null(strstr(why.text, cases[i].why));
		assert_int_equal(edge.n_inits, 0);
	}
}

static void what_is_prepared_is_there_at_the_start_with_its_warning(void **state)
{
	struct driver_reason why = { "" };
	char again[DRIVER_REASON_MAX];

	(void)state;
	dpdk.hugepages = MODEL_HUGEPAGES_AUTO; /* and there are none */
	set_cores(2, (const uint16_t[]){ 2, 5 });
	assert_int_equal(eal_count_needed(&dpdk), 512ull << 20);
	assert_int_equal(eal_prepare(&dpdk, 1500, &why), 0);
	assert_int_equal(eal_count_needed(&dpdk), 0);
	assert_non_null(strstr(why.text, "ordinary memory, for trials"));
	assert_int_equal(edge.n_pools, 1);
	assert_int_equal(start_eal(1500, again), 0);
	assert_string_equal(again, why.text);
	assert_int_equal(edge.n_inits, 1);
	assert_non_null(eal_pool(0));
	assert_int_equal(edge.n_pools, 1);
	assert_true(eal_fits_beside(&dpdk, &why)); /* it is there */
}

static void what_cannot_be_prepared_is_said(void **state)
{
	struct driver_reason why = { "" };

	(void)state;
	edge.no_pool = true;
	assert_int_equal(eal_prepare(&dpdk, 1500, &why), -ENOMEM);
	assert_string_equal(why.text, "no memory for packets: raise dpdk.memory");
	memset(&eal, 0, sizeof(eal));
	edge.init_says = -1;
	edge.init_errno = ENODEV;
	assert_int_equal(eal_prepare(&dpdk, 1500, &why), -ENODEV);
	assert_non_null(strstr(why.text, "DPDK does not start"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(all_that_dpdk_is_told),
		T(cpus_are_those_that_are_named_and_this_process_may_use),
		T(memory_is_taken_as_configured_and_as_there_is),
		T(without_hugepages_of_any_size_there_are_none),
		T(pages_that_are_taken_do_not_count_and_are_not_taken_away),
		T(what_keeps_dpdk_from_starting_is_said_and_it_may_be_tried_again),
		T(a_pool_has_frames_for_all_workers_in_half_of_the_memory),
		T(each_socket_has_one_pool_made_when_it_is_asked_for),
		T(a_device_without_a_socket_takes_memory_from_anywhere),
		T(ordinary_memory_is_to_have_large_pages),
		T(two_processes_fit_where_there_is_memory_for_both),
		T(what_is_prepared_is_there_at_the_start_with_its_warning),
		T(what_cannot_be_prepared_is_said),
	};

	return cmocka_run_group_tests_name("eal", tests, NULL, NULL);
}
