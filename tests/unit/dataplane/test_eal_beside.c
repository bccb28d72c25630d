/* SPDX-License-Identifier: BSD-2-Clause */
/* When DPDK is started beside the process that forwards, and what becomes of a start that fails. */
#include "eal_scene.h"
#include "tests/unit/suite.h"

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

	for (size_t i = 0; i < COUNT(cases); i++) {
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
		assert_int_equal(eal_fake.n_inits, 0);
	}
}

/* 512 MiB are needed: the start must fail while the other process forwards. */
static void memory_that_the_machine_never_has_is_not_waited_for(void **state)
{
	struct driver_reason why = { "" };

	(void)state;
	put_file("meminfo", "MemTotal: 523264 kB\nMemAvailable: 400000 kB\n");
	assert_true(eal_fits_beside(&dpdk, &why));
	put_file("meminfo", "MemTotal: 524288 kB\nMemAvailable: 400000 kB\n");
	assert_false(eal_fits_beside(&dpdk, &why));
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
	assert_int_equal(eal_fake.n_pools, 1);
	assert_int_equal(start_eal(1500, again), 0);
	assert_string_equal(again, why.text);
	assert_int_equal(eal_fake.n_inits, 1);
	assert_non_null(eal_pool(0));
	assert_int_equal(eal_fake.n_pools, 1);
	assert_true(eal_fits_beside(&dpdk, &why)); /* it is there */
}

static void what_cannot_be_prepared_is_said(void **state)
{
	struct driver_reason why = { "" };

	(void)state;
	eal_fake.no_pool = true;
	assert_int_equal(eal_prepare(&dpdk, 1500, &why), -ENOMEM);
	assert_string_equal(why.text, "no memory for packets: raise dpdk.memory");
}

static void what_cannot_be_started_is_said(void **state)
{
	struct driver_reason why = { "" };

	(void)state;
	eal_fake.init_errno = ENODEV;
	assert_int_equal(eal_prepare(&dpdk, 1500, &why), -ENODEV);
	assert_non_null(strstr(why.text, "DPDK does not start"));
}

/* What DPDK says the second time hides what is wrong. */
static void what_cannot_be_tried_again_is_told_with_the_first_reason(void **state)
{
	struct driver_reason first, why;
	uint32_t n;

	(void)state;
	eal_fake.init_errno = ENODEV;
	assert_int_equal(eal_start(&dpdk, 1500, &n, &first), -ENODEV);
	eal_fake.init_errno = EALREADY;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(eal_start(&dpdk, 1500, &n, &why), -ENOTRECOVERABLE);
		assert_string_equal(why.text, first.text);
	}
	assert_int_equal(eal_fake.n_inits, 2);
}

SUITE(eal_beside)
{
	const struct CMUnitTest tests[] = {
		APART(two_processes_fit_where_there_is_memory_for_both),
		APART(memory_that_the_machine_never_has_is_not_waited_for),
		APART(what_is_prepared_is_there_at_the_start_with_its_warning),
		APART(what_cannot_be_prepared_is_said),
		APART(what_cannot_be_started_is_said),
		APART(what_cannot_be_tried_again_is_told_with_the_first_reason),
	};

	answer_all();
	return cmocka_run_group_tests_name("eal beside", tests, NULL, NULL);
}
