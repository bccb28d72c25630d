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

SUITE(nic)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_device_is_listed_with_what_could_be_done),
	};

	return cmocka_run_group_tests(tests, make_devices, remove_devices);
}
