/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DPDK driver of a process that is to take another's place: what it does while that one
 * forwards, and what it must not touch.
 */
#include "driver_scene.h"

static const struct model_port two_ports[] = { { .interface = "eth0", .device = "0000:01:00.0" },
	                                       { .interface = "eth1", .device = "" } };

static void prepared_is_what_needs_no_table_and_no_port(void **state)
{
	struct driver_reason why;

	(void)state;
	scene.self = (struct model_node){ .ports = two_ports, .n_ports = 2, .mtu = 1600 };
	scene.eal_says = "ordinary memory";
	assert_int_equal(ops->prepare(&scene.self, &why), 0);
	assert_string_equal(scene.log, "prepare; hold eth0; "); /* eth1 has no TAP */
	assert_string_equal(why.text, "ordinary memory");
	assert_int_equal(scene.n_opened, 0);
	assert_int_not_equal(access(scene.pins, F_OK), 0); /* neither a table nor a lock */
}

/* A TAP that keeps its carrier while nothing is forwarded draws packets. */
static void a_held_tap_is_let_go_when_the_port_is_there_or_cannot_be(void **state)
{
	struct driver_reason why;
	struct driver_port out;
	bool kept;

	(void)state;
	scene.holds = true;
	scene.eal_err = -ENOMEM;
	assert_int_equal(ops->open(&scene.config, &scene.d, &kept, &why), -ENOMEM);
	assert_string_equal(scene.log, "release all; ");
	scene.eal_err = 0;
	open_it();
	scene.log[0] = '\0';
	attach_port("eth0", "0000:01:00.0", "");
	assert_string_equal(scene.log, "tap eth0; carrier 1; release eth0; park; unpark; ");
	scene.log[0] = '\0';
	scene.device_err = -EBUSY;
	assert_int_equal(
	        ops->attach(scene.d,
	                    &(struct model_port){ .interface = "eth1", .device = "0000:02:00.0" },
	                    &out, &why),
	        -EBUSY);
	assert_string_equal(scene.log, "release eth1; ");
}

static void what_would_fail_later_is_said_before_anything_is_prepared(void **state)
{
	struct driver_reason why;

	(void)state;
	scene.self = (struct model_node){ .ports = two_ports, .n_ports = 2, .mtu = 1600 };
	scene.check_err = -ENODEV;
	assert_int_equal(ops->prepare(&scene.self, &why), -ENODEV);
	assert_string_equal(why.text, "0000:01:00.0 is not there");
	assert_string_equal(scene.log, "");
	scene.check_err = 0;
	scene.no_room = true; /* that is no failure: open() does it */
	assert_int_equal(ops->prepare(&scene.self, &why), DRIVER_ALONE);
	assert_string_equal(why.text, "no room");
	assert_string_equal(scene.log, "hold eth0; ");
	scene.no_room = false;
	scene.eal_err = -ENOMEM;
	scene.eal_says = "no hugepages";
	assert_int_equal(ops->prepare(&scene.self, &why), -ENOMEM);
	assert_string_equal(why.text, "no hugepages");
}

/* A successor has made its packets' pools before: what is free then is for tables. */
static void tables_of_a_successor_leave_nothing_to_packets_that_have_theirs(void **state)
{
	(void)state;
	scene.dpdk.hugepages = MODEL_HUGEPAGES_YES;
	scene.dpdk.memory_mb = 512;
	scene.is_prepared = true;
	kept_bytes = 99;
	open_it();
	assert_int_equal(kept_bytes, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(prepared_is_what_needs_no_table_and_no_port),
		T(a_held_tap_is_let_go_when_the_port_is_there_or_cannot_be),
		T(what_would_fail_later_is_said_before_anything_is_prepared),
		T(tables_of_a_successor_leave_nothing_to_packets_that_have_theirs),
	};

	return cmocka_run_group_tests_name("driver prepare", tests, NULL, NULL);
}
