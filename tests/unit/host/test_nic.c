/* SPDX-License-Identifier: BSD-2-Clause */
/* Network devices as /sys shows them (host/nic.c). */
#include "tests/unit/host/devices_scene.h"
#include "tests/unit/suite.h"

static void each_device_is_listed_with_what_could_be_done(void **state)
{
	(void)state;
	struct nic nics[16];
	size_t n = nic_list(root, nics, 16);

	assert_int_equal(n, DEVICES + 1); /* and veth0; no disk, no loopback, eth2 once */
	for (size_t i = 0; i < DEVICES; i++) {
		assert_string_equal(nics[i].address, devices[i].device);
		assert_int_equal(nics[i].dpdk, devices[i].dpdk);
		assert_int_equal(nics[i].xdp, devices[i].xdp);
		assert_non_null(strstr(nics[i].use, devices[i].says));
		assert_int_equal(nics[i].numa, 1);
	}
	assert_string_equal(nics[1].interface, "eth2");
	assert_string_equal(nics[n - 1].interface, "veth0");
	assert_int_equal(nics[n - 1].dpdk, NIC_DPDK_NO);
	assert_int_equal(nic_list(root, nics, 2), 2);
}

/* The kernel counts its virtio devices from 0. */
static void the_interface_of_a_virtio_device_lies_one_level_deeper(void **state)
{
	static const struct {
		int number;
		const char *interface;
	} rows[] = { { 0, "ens3" }, { 1, "ens3" }, { 63, "ens3" }, { 64, "" } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct nic nic;

		run_shell("mkdir -p bus/pci/devices/0000:03:00.0/virtio%d/net/ens3",
		          rows[i].number);
		assert_int_equal(nic_get(root, "0000:03:00.0", &nic), 0);
		run_shell("rm -r bus/pci/devices/0000:03:00.0/virtio*");
		assert_string_equal(nic.interface, rows[i].interface);
	}
}

SUITE(nic)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_device_is_listed_with_what_could_be_done),
		cmocka_unit_test(the_interface_of_a_virtio_device_lies_one_level_deeper),
	};

	return cmocka_run_group_tests(tests, make_devices, remove_devices);
}
