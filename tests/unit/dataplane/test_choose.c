/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/choose.h"
#include "dataplane/drivers.h"
#include "tests/unit/host/devices_scene.h"
#include "tests/unit/suite.h"

static const struct driver_ops *choose_with(enum model_driver driver,
                                            const struct model_port *ports, size_t n,
                                            struct driver_reason *why)
{
	struct model_node node = { .name = "n", .driver = driver, .ports = ports, .n_ports = n };

	why->text[0] = 0;
	return choose_driver(&node, root, why);
}

static void auto_takes_dpdk_only_where_each_port_can_have_it(void **state)
{
	(void)state;
	struct driver_reason why;

	for (size_t i = 0; i < DEVICES; i++) {
		const struct model_port both[] = { { .interface = "a", .device = "net_null0" },
			                           { .interface = "b",
			                             .device = devices[i].device } };

		assert_ptr_equal(choose_with(MODEL_DRIVER_AUTO, both, 2, &why),
		                 devices[i].taken ? drivers_dpdk : &driver_xdp);
		assert_int_equal(!strncmp(why.text, "auto: DPDK", 10), devices[i].taken);
		if (!devices[i].taken) /* it says which, and what to do */
			assert_non_null(strstr(why.text, devices[i].says));
	}
}

static void a_bond_is_what_its_members_are(void **state)
{
	const struct model_port good[] = {
		{ .interface = "a",
		  .device = "net_bonding0,mode=1,slave=0000:01:00.0,slave=0000:04:00.0" }
	};
	const struct model_port bad[] = {
		{ .interface = "a",
		  .device = "net_bonding0,slave=0000:01:00.0,slave=0000:02:00.0,mode=4" }
	};
	const struct model_port names[] = {
		{ .interface = "a", .device = "net_bonding0,slave=net_null0,slave=0000:02:00.00" }
	};
	struct driver_reason why;

	(void)state;
	assert_ptr_equal(choose_with(MODEL_DRIVER_AUTO, good, 1, &why), drivers_dpdk);
	assert_ptr_equal(choose_with(MODEL_DRIVER_AUTO, bad, 1, &why), &driver_xdp);
	assert_non_null(strstr(why.text, "device 0000:02:00.0 of port a is driven by igb"));
	assert_ptr_equal(choose_with(MODEL_DRIVER_AUTO, names, 1, &why), drivers_dpdk);
}

static void auto_takes_xdp_for_a_port_without_a_device(void **state)
{
	(void)state;
	const struct model_port ports[] = { { .interface = "a", .device = "net_null0" },
		                            { .interface = "eth2", .device = "" } };
	const struct model_port gone[] = { { .interface = "a", .device = "0000:99:00.0" } };
	struct driver_reason why;

	assert_ptr_equal(choose_with(MODEL_DRIVER_AUTO, ports, 2, &why), &driver_xdp);
	assert_non_null(strstr(why.text, "port eth2 names no device"));
	assert_ptr_equal(choose_with(MODEL_DRIVER_AUTO, gone, 1, &why), &driver_xdp);
	assert_non_null(strstr(why.text, "is not there"));
}

static void what_is_asked_for_is_taken(void **state)
{
	(void)state;
	const struct model_port ports[] = { { .interface = "eth2", .device = "0000:01:00.0" } };
	struct driver_reason why;

	assert_ptr_equal(choose_with(MODEL_DRIVER_XDP, ports, 1, &why), &driver_xdp);
	assert_ptr_equal(choose_with(MODEL_DRIVER_DPDK, ports, 1, &why), drivers_dpdk);
	assert_string_equal(why.text, "as configured");
}

static void tables_belong_to_the_node_of_the_first_nic_that_has_one(void **state)
{
	const struct model_port ports[] = { { .interface = "a", .device = "net_null0" },
		                            { .interface = "b", .device = "0000:99:00.0" },
		                            { .interface = "c",
		                              .device = "net_bonding0,slave=0000:01:00.0" } };
	const struct model_port bond = {
		.interface = "d", .device = "net_bonding0,slave=0000:03:00.0,slave=0000:01:00.0"
	};
	struct model_node node = { .name = "n", .ports = ports, .n_ports = 2 };

	(void)state;
	assert_int_equal(choose_numa_node(&node, root), -1);
	node.n_ports = 3;
	assert_int_equal(choose_numa_node(&node, root), 1);
	run_shell("echo -1 >bus/pci/devices/0000:03:00.0/numa_node"); /* the kernel knows none */
	node.ports = &bond;
	node.n_ports = 1;
	assert_int_equal(choose_numa_node(&node, root), 1);
}

SUITE(choose)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(auto_takes_dpdk_only_where_each_port_can_have_it),
		cmocka_unit_test(a_bond_is_what_its_members_are),
		cmocka_unit_test(auto_takes_xdp_for_a_port_without_a_device),
		cmocka_unit_test(what_is_asked_for_is_taken),
		cmocka_unit_test(tables_belong_to_the_node_of_the_first_nic_that_has_one),
	};

	return cmocka_run_group_tests(tests, make_devices, remove_devices);
}
