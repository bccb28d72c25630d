/* SPDX-License-Identifier: BSD-2-Clause */
/* What DPDK is started with: CPUs, memory, pools. */
#include "eal_scene.h"

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
		/* much memory is for many ports: up to the queues of all */
		{ 1500, 1024, 1, 26214, 2048 + 128 },
		{ 1500, 2048, 1, 16 * 2048 + 512, 2048 + 128 },
		{ 1500, 1024, 2, 32766, 2048 + 128 },
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

/* 32 MiB by 9,064 + 512 bytes are 3,504 buffers, of which each worker has 512 for what is under way. */
static void queues_do_not_get_the_buffers_that_packets_under_way_need(void **state)
{
	char why[DRIVER_REASON_MAX];

	(void)state;
	dpdk.memory_mb = 64;
	set_cores(2, (const uint16_t[]){ 2, 3 });
	assert_int_equal(start_eal(9000, why), 0);
	assert_false(eal_keep_in_rings(3504 - 1024 + 1));
	assert_true(eal_keep_in_rings(3504 - 1024 - 100));
	assert_false(eal_keep_in_rings(101));
	assert_true(eal_keep_in_rings(100));
	assert_false(eal_keep_in_rings(1));
	eal_free_rings(100);
	assert_true(eal_keep_in_rings(100));
}

/* DPDK is started once in a process: what a later document asks for may not fit into its buffers. */
static void a_larger_mtu_needs_larger_buffers(void **state)
{
	char why[DRIVER_REASON_MAX];

	(void)state;
	assert_int_equal(start_eal(1500, why), 0);
	assert_int_equal(eal_limit_mtu(1500), 1500);
	assert_int_equal(eal_limit_mtu(1984), 1984);
	assert_int_equal(eal_limit_mtu(1985), 1984);
	assert_int_equal(start_eal(9000, why), 0);
	assert_int_equal(eal_limit_mtu(9000), 1984);
	teardown(state);
	setup(state);
	assert_int_equal(start_eal(9000, why), 0);
	assert_int_equal(eal_limit_mtu(9216), 9000);
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
		T(a_larger_mtu_needs_larger_buffers),
		T(queues_do_not_get_the_buffers_that_packets_under_way_need),
		T(each_socket_has_one_pool_made_when_it_is_asked_for),
		T(a_device_without_a_socket_takes_memory_from_anywhere),
		T(ordinary_memory_is_to_have_large_pages),
	};

	return cmocka_run_group_tests_name("eal", tests, NULL, NULL);
}
