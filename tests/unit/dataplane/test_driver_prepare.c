/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DPDK driver of a process that is to take another's place: what it does while that one
 * forwards, and what it must not touch.
 */
#include "driver_scene.h"
#include "tests/unit/suite.h"

static const struct model_port two_ports[] = { { .interface = "eth0", .device = "0000:01:00.0" },
	                                       { .interface = "eth1", .device = "" } };

/* @p says  a part; "": nothing is said */
static int prepare_ports(const char *says)
{
	struct driver_reason why;
	int err;

	put_device(9, "0000:01:00.0", WORKERS, WORKERS);
	run.self = (struct model_node){ .ports = two_ports, .n_ports = 2, .mtu = 1600 };
	run.self.dpdk = run.dpdk;
	err = drivers_dpdk->prepare(&run.self, &why);
	expect_text(why.text, says);
	return err;
}

static void prepared_is_what_needs_no_table_and_no_port(void **state)
{
	(void)state;
	run.dpdk.hugepages = MODEL_HUGEPAGES_AUTO;
	assert_int_equal(prepare_ports("ordinary memory"), 0);
	assert_string_equal(scene.log, "hold eth0; "); /* eth1 has no TAP */
	assert_int_equal(eal_fake.n_inits, 1);
	assert_true(eal_fake.n_pools > 0);
	assert_int_not_equal(access(run.pins, F_OK), 0); /* neither a table nor a lock */
}

/* A TAP that keeps its carrier while nothing is forwarded draws packets. */
static void a_held_tap_is_let_go_when_the_port_is_there_or_cannot_be(void **state)
{
	struct driver_reason why;
	bool kept;

	(void)state;
	assert_int_equal(prepare_ports(""), 0);
	assert_true(is_held());
	lcores_fake.launch_err = -EBUSY;
	assert_int_equal(drivers_dpdk->open(&run.config, &run.d, &kept, &why), -EBUSY);
	assert_false(is_held());
	lcores_fake.launch_err = 0;
	open_it();
	for (int fails = 0; fails < 2; fails++) {
		assert_int_equal(prepare_ports(""), 0);
		assert_true(is_held());
		scene.log[0] = 0;
		scene.plug_err = fails ? -EBUSY : 0;
		assert_int_equal(try_port("eth0", "0000:01:00.0", fails ? "cannot be opened" : ""),
		                 scene.plug_err);
		assert_int_equal(strstr(scene.log, "eth0 carrier 1 held; ") != NULL, !fails);
		assert_false(is_held());
		detach_port("eth0");
	}
}

static void a_device_that_is_not_there_is_said_before_anything_is_prepared(void **state)
{
	(void)state;
	scene.pci_missing = true;
	assert_int_equal(prepare_ports("there is no PCI device 0000:01:00.0"), -ENODEV);
	assert_string_equal(scene.log, "");
	assert_int_equal(eal_fake.n_inits, 0);
}

static void without_room_for_two_it_is_started_alone(void **state)
{
	(void)state;
	machine.meminfo = "MemTotal: 99999999 kB\nMemAvailable: 1024 kB\n";
	assert_int_equal(prepare_ports("1 MiB of memory are available"), DRIVER_ALONE);
	assert_string_equal(scene.log, "hold eth0; "); /* that is no failure: open() does it */
	assert_int_equal(eal_fake.n_inits, 0);
}

static void a_start_that_would_fail_is_said(void **state)
{
	(void)state;
	run.dpdk.hugepages = MODEL_HUGEPAGES_YES;
	assert_int_equal(prepare_ports("0 MiB of hugepages are free, 4096 are needed"), -ENOMEM);
	assert_string_equal(scene.log, "");
}

/* A successor has made its packets' pools before: what is free then is for tables. */
static void tables_of_a_successor_leave_nothing_to_packets_that_have_theirs(void **state)
{
	(void)state;
	run.dpdk.hugepages = MODEL_HUGEPAGES_YES;
	run.dpdk.memory_mb = 512;
	machine.free_bytes = 512ull << 20;
	assert_int_equal(prepare_ports(""), 0);
	machine.free_bytes = 8 * PAGE_BYTES;
	open_it();
	assert_int_equal(drivers_dpdk->page_bytes(run.d), PAGE_BYTES);
}

SUITE(driver_prepare)
{
	const struct CMUnitTest tests[] = {
		APART(prepared_is_what_needs_no_table_and_no_port),
		APART(a_held_tap_is_let_go_when_the_port_is_there_or_cannot_be),
		APART(a_device_that_is_not_there_is_said_before_anything_is_prepared),
		APART(without_room_for_two_it_is_started_alone),
		APART(a_start_that_would_fail_is_said),
		APART(tables_of_a_successor_leave_nothing_to_packets_that_have_theirs),
	};

	answer_all();
	return cmocka_run_group_tests_name("driver prepare", tests, NULL, NULL);
}
