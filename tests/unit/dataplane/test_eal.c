/* SPDX-License-Identifier: BSD-2-Clause */
/* What DPDK is started with: CPUs, memory, pools. */
#include "eal_scene.h"
#include "tests/unit/suite.h"

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
	unsigned long long us;

	(void)state;
	set_cores(2, (const uint16_t[]){ 2, 5 });
	assert_int_equal(start_eal(1500, why), 0);
	assert_string_equal(why, "");
	assert_int_equal(sscanf(logged, "%*[^=]=%llu memory_mb=512 workers=2", &us), 1);
	assert_true(us < 60000000); /* not since the machine was started */
	assert_int_equal(eal_fake.argc, COUNT(expected));
	for (int i = 0; i < eal_fake.argc; i++)
		assert_string_equal(eal_fake.argv[i], expected[i]);
	assert_int_equal(eal_lcore(0), 1);
	assert_int_equal(eal_lcore(1), 2);
	assert_int_equal(eal_cpu(0), 2);
	assert_int_equal(eal_cpu(1), 5);
	assert_int_equal(start_eal(1500, why), 0); /* once a process */
	assert_int_equal(eal_fake.n_inits, 1);
	assert_true(eal_fake.hurried);
	assert_false(refuses_memfd());
	/* a thread of DPDK that took it would end the process at once, with its routes as they are */
	assert_true(sigismember(&eal_fake.blocked, SIGTERM) &&
	            sigismember(&eal_fake.blocked, SIGINT));
	assert_false(sigismember(&eal_fake.blocked, SIGBUS) ||
	             sigismember(&eal_fake.blocked, SIGSYS));
	pthread_sigmask(SIG_SETMASK, NULL, &eal_fake.blocked);
	assert_false(sigismember(&eal_fake.blocked, SIGTERM));
}

struct cores_case {
	uint32_t n;
	uint16_t cores[5];
	const char *lcores; /* NULL: refused */
};

static void name_cores(const void *arg)
{
	const struct cores_case *c = arg;
	char why[DRIVER_REASON_MAX], cpu[40];

	set_cores(c->n, c->cores);
	assert_int_equal(start_eal(1500, why), c->lcores ? 0 : -EINVAL);
	if (c->lcores) {
		assert_string_equal(eal_fake.argv[4], c->lcores);
		return;
	}
	assert_int_equal(eal_fake.n_inits, 0);
	assert_non_null(strstr(why, "which this process may not use"));
	snprintf(cpu, sizeof(cpu), "names CPU %u,", c->cores[c->n - 1]);
	assert_non_null(strstr(why, cpu));
}

static void cpus_are_those_that_are_named_and_this_process_may_use(void **state)
{
	static const struct cores_case cases[] = {
		{ 0, { 0 }, "--lcores=0@(2,3,4,5),1@6" },
		{ 1, { 4 }, "--lcores=0@(2,3,5,6),1@4" },
		/* no CPU is left for the rest: it shares them all */
		{ 5, { 2, 3, 4, 5, 6 }, "--lcores=0@(2,3,4,5,6),1@2,2@3,3@4,4@5,5@6" },
		{ 4, { 2, 3, 4, 5 }, "--lcores=0@(6),1@2,2@3,3@4,4@5" },
		{ 2, { 3, 7 }, NULL },
		{ 1, { 1 }, NULL },
		{ 1, { CPU_SETSIZE }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		run_apart(name_cores, &cases[i]);
}

/* 3 pages of 2 MiB and 1 of 1 GiB: 1,030 MiB. */
struct memory_case {
	enum model_hugepages hugepages;
	uint32_t memory_mb;
	int err;
	const char *argument, *why; /* a part of it; "": none */
};

static void ask_for_memory(const void *arg)
{
	const struct memory_case *c = arg;
	char why[DRIVER_REASON_MAX], memory[16];

	put_hugepages(2048, 3);
	put_hugepages(1048576, 1);
	dpdk.hugepages = c->hugepages;
	dpdk.memory_mb = c->memory_mb;
	assert_int_equal(start_eal(1500, why), c->err);
	assert_int_equal(!*why, !*c->why);
	assert_non_null(strstr(why, c->why));
	assert_int_equal(eal_fake.n_inits, !c->err);
	if (c->err)
		return;
	snprintf(memory, sizeof(memory), "%u", c->memory_mb);
	assert_string_equal(eal_fake.argv[1], c->argument);
	assert_string_equal(eal_fake.argv[3], memory);
}

static void memory_is_taken_as_configured_and_as_there_is(void **state)
{
	static const struct memory_case cases[] = {
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

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		run_apart(ask_for_memory, &cases[i]);
}

static void start_without_hugepages(const void *no_sysfs)
{
	char why[DRIVER_REASON_MAX];

	dpdk.hugepages = MODEL_HUGEPAGES_YES;
	edge.no_sysfs = *(const bool *)no_sysfs;
	assert_int_equal(start_eal(1500, why), -ENOMEM);
	assert_non_null(strstr(why, "0 MiB of hugepages are free, 512 are needed"));
}

static void without_hugepages_of_any_size_there_are_none(void **state)
{
	(void)state;
	run_apart(start_without_hugepages, &(bool){ false });
	run_apart(start_without_hugepages, &(bool){ true }); /* a kernel without them */
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
	eal_fake.affinity_errno = EFAULT;
	assert_int_equal(start_eal(1500, why), -EFAULT);
	assert_string_equal(why, "cannot read which CPUs may be used: Bad address");
	eal_fake.affinity_errno = 0;
	eal_fake.init_errno = ENODEV;
	struct driver_reason w;
	uint32_t n;

	assert_int_equal(eal_start(&dpdk, 1500, &n, &w), -ENODEV);
	assert_non_null(
	        strstr(w.text, "DPDK does not start (--lcores=0@(2,3,4,5),1@6): No such device"));
	eal_fake.init_errno = 0;
	assert_int_equal(start_eal(1500, why), 0);
	assert_int_equal(eal_fake.n_inits, 2);
	assert_string_equal(eal_fake.argv[0], "weir-dataplane"); /* nothing of the first try */
	assert_int_equal(eal_fake.argc, 10);
}

struct pool_case {
	uint16_t mtu;
	uint32_t memory_mb, n_workers;
	unsigned int n;
	uint16_t room;
};

static void ask_for_pool(const void *arg)
{
	const struct pool_case *c = arg;
	char why[DRIVER_REASON_MAX];

	dpdk.memory_mb = c->memory_mb;
	set_cores(c->n_workers, (const uint16_t[]){ 2, 3 });
	assert_int_equal(start_eal(c->mtu, why), 0);
	assert_non_null(eal_pool(0));
	assert_int_equal(eal_fake.pools[0].n, c->n);
	assert_int_equal(eal_fake.pools[0].room, c->room);
	assert_int_equal(eal_fake.pools[0].private, 0);
}

static void a_pool_has_frames_for_all_workers_in_half_of_the_memory(void **state)
{
	static const struct pool_case cases[] = {
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

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		run_apart(ask_for_pool, &cases[i]);
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
}

static void buffers_are_as_large_as_the_first_document_asks_for(void **state)
{
	char why[DRIVER_REASON_MAX];

	(void)state;
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
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rte_mempool *first = eal_pool(cases[i].asked);

		assert_ptr_equal(eal_pool(cases[i].asked), first);
		assert_int_equal(eal_fake.n_pools, i + 1);
		assert_string_equal(eal_fake.pools[i].name, cases[i].name);
		assert_int_equal(eal_fake.pools[i].socket, cases[i].socket);
	}
	assert_ptr_equal(eal_pool(-1), eal_pool(0)); /* any socket, and one beyond those we know */
	assert_ptr_equal(eal_pool(8), eal_pool(0));
	assert_int_equal(eal_fake.n_pools, 3);
}

static void a_device_without_a_socket_takes_memory_from_anywhere(void **state)
{
	char why[DRIVER_REASON_MAX];

	(void)state;
	assert_int_equal(start_eal(1500, why), 0);
	eal_fake.no_pool = true;
	assert_null(eal_pool(-1));
	eal_fake.no_pool = false; /* there may be memory later */
	assert_non_null(eal_pool(-1));
	assert_int_equal(eal_fake.pools[1].socket, SOCKET_ID_ANY);
}

static void start_with_pages(const void *bytes)
{
	char why[DRIVER_REASON_MAX];

	edge.page_bytes = *(const uint64_t *)bytes;
	assert_int_equal(start_eal(1500, why), 0);
	assert_int_equal(edge.n_advised, edge.page_bytes == 4096);
}

static void ordinary_memory_is_to_have_large_pages(void **state)
{
	(void)state;
	run_apart(start_with_pages, &(uint64_t){ 2u << 20 }); /* it has them */
	run_apart(start_with_pages, &(uint64_t){ 4096 });
}

SUITE(eal)
{
	const struct CMUnitTest tests[] = {
		APART(all_that_dpdk_is_told),
		cmocka_unit_test(cpus_are_those_that_are_named_and_this_process_may_use),
		cmocka_unit_test(memory_is_taken_as_configured_and_as_there_is),
		cmocka_unit_test(without_hugepages_of_any_size_there_are_none),
		APART(pages_that_are_taken_do_not_count_and_are_not_taken_away),
		APART(what_keeps_dpdk_from_starting_is_said_and_it_may_be_tried_again),
		cmocka_unit_test(a_pool_has_frames_for_all_workers_in_half_of_the_memory),
		APART(a_larger_mtu_needs_larger_buffers),
		APART(buffers_are_as_large_as_the_first_document_asks_for),
		APART(queues_do_not_get_the_buffers_that_packets_under_way_need),
		APART(each_socket_has_one_pool_made_when_it_is_asked_for),
		APART(a_device_without_a_socket_takes_memory_from_anywhere),
		cmocka_unit_test(ordinary_memory_is_to_have_large_pages),
	};

	answer_all();
	return cmocka_run_group_tests_name("eal", tests, NULL, NULL);
}
