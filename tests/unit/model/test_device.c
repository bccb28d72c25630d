/* SPDX-License-Identifier: BSD-2-Clause */
/* What DPDK is told to drive: devices and CPUs, as text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/device.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *interface, *device;
	const char *why; /* NULL: it can be meant */
} devices[] = {
	{ "eth1", "0000:01:00.0", NULL },
	{ "eth1", "ffff:af:1f.7", NULL },
	{ "eth1", "0000:01:00.8", "expected a PCI address" },
	{ "eth1", "0000:01:00./", "expected a PCI address" },
	{ "eth1", "0000:01:00.00", "expected a PCI address" },
	{ "eth1", "0000.01:00.0", "expected a PCI address" },
	{ "eth1", "0000:01.00.0", "expected a PCI address" },
	{ "eth1", "0000:01:00:0", "expected a PCI address" },
	{ "eth1", "000g:01:00.0", "expected a PCI address" },
	{ "eth1", "0000:0`:00.0", "expected a PCI address" },
	{ "eth1", "0000:01:0G.0", "found \"0000:01:0G.0\", expected a PCI address such as" },
	{ "eth1", "01:00.0", "found \"01:00.0\", expected it with its domain: \"0000:01:00.0\"" },
	{ "eth1", "af:1f.7", "expected it with its domain: \"0000:af:1f.7\"" },
	{ "eth1", "01:00.8", "expected a PCI address" },
	{ "eth1", "01.00.0", "expected a PCI address" },
	{ "eth1", "01:00:0", "expected a PCI address" },
	{ "eth1", "eth1", "found \"eth1\", expected a PCI address such as" },
	{ "eth1", "net", "expected a PCI address" },
	{ "eth1", "net_af_packet0,iface=eth1", NULL },
	{ "eth1", "net_af_packet0,qpairs=2,iface=eth1", NULL },
	{ "eth1", "net_af_packet17,iface=eth2", NULL },
	{ "eth1", "net_af_xdp0,iface=eth2", NULL },
	{ "eth1", "net_af_xdp0,iface=eth11", NULL },
	{ "eth1", "net_af_xdp0,iface=eth", NULL },
	{ "eth1", "net_af_xdp0,xiface=eth1", NULL },
	{ "eth1", "net_af_xdp0,xface=eth1", NULL },
	{ "eth1", "net_af_xdp0,iface_eth1", NULL },
	{ "eth1", "net_af_xdp0,iface1=eth1", NULL },
	{ "eth1", "net_af_xdp0,iface=eth1", "the port's TAP would be \"eth1\", but its device" },
	{ "eth1", "net_tap0,x=1,iface=eth1", "the port's TAP would be \"eth1\"" },
	{ "eth1", "net_bonding0,mode=4", NULL },
	{ "eth1", "net_failsafe0", NULL },
	{ "eth1", "net_null0", NULL },
	{ "eth1", "net_pcap1", NULL },
	{ "eth1", "net_ring9", NULL },
	{ "eth1", "net_vhost0", NULL },
	{ "eth1", "net_virtio_user0", NULL },
	{ "eth1", "net_memif",
	  "found \"net_memif\", expected a number after the driver: \"net_memif0\"" },
	{ "eth1", "net_memif,id=1", "expected a number after the driver: \"net_memif0,id=1\"" },
	{ "eth1", "net_memi0",
	  "there is no virtual device \"net_memi\" (did you mean \"net_memif\"?)" },
	{ "eth1", "net_memiff0", "there is no virtual device \"net_memiff\" (did you" },
	{ "eth1", "net_0", "there is no virtual device \"net_\"" },
};

static void each_device_that_can_be_meant_is_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(devices); i++) {
		const struct model_port port = { .interface = devices[i].interface,
			                         .device = devices[i].device };
		char why[DEVICE_REASON_MAX] = "";
		int err = device_check(&port, why);

		print_message("  %s: %s\n", devices[i].device, why);
		assert_int_equal(err, devices[i].why ? -EINVAL : 0);
		if (devices[i].why)
			assert_non_null(strstr(why, devices[i].why));
	}
}

static void the_pci_devices_of_a_port_are_its_own_or_its_bond_s(void **state)
{
	static const struct {
		const char *device;
		uint32_t i;
		const char *address; /* NULL: it has no more */
	} cases[] = {
		{ "0000:01:00.0", 0, "0000:01:00.0" },
		{ "0000:01:00.0", 1, NULL },
		{ "net_bonding0,mode=4,slave=0000:01:00.0,slave=0000:02:00.1", 0, "0000:01:00.0" },
		{ "net_bonding0,mode=4,slave=0000:01:00.0,slave=0000:02:00.1", 1, "0000:02:00.1" },
		{ "net_bonding0,mode=4,slave=0000:01:00.0,slave=0000:02:00.1", 2, NULL },
		{ "net_bonding0,slave=net_null0,slave=0000:02:00.1,x=1", 0, "0000:02:00.1" },
		{ "net_bonding0,slave=0000:02:00.11", 0, NULL },
		{ "net_bonding0,slave=0000:02:00.", 0, NULL },
		{ "net_bonding0,slave=0000:02:00-1", 0, NULL },
		{ "net_bonding0,primary=0000:02:00.1", 0, NULL },
		{ "net_null0", 0, NULL },
		{ "", 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char address[MODEL_PCI_MAX] = "";
		bool is = model_device_pci(cases[i].device, cases[i].i, address);

		print_message("  %s: %u\n", cases[i].device, cases[i].i);
		assert_int_equal(is, cases[i].address != NULL);
		if (is)
			assert_string_equal(address, cases[i].address);
	}
}

static void the_kernel_sees_a_port_of_af_packet_on_its_own_interface(void **state)
{
	static const struct {
		const char *device;
		bool shares;
	} cases[] = {
		{ "", true },
		{ "net_af_packet0,iface=eth1", true },
		{ "net_af_packet0,qpairs=1,iface=eth1,x=2", true },
		{ "net_af_packet0,iface=eth2", false },
		{ "net_af_packet0,iface=eth", false },
		{ "net_af_packet0,iface=eth10", false },
		{ "net_af_packet0", false },
		{ "net_af_xdp0,iface=eth1", false },
		{ "net_af_packets0,iface=eth1", false },
		{ "0000:01:00.0", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct model_port port = { .interface = "eth1", .device = cases[i].device };

		print_message("  %s\n", cases[i].device);
		assert_int_equal(model_port_shares_kernel(&port), cases[i].shares);
	}
}

static void two_devices_are_one_whatever_their_arguments(void **state)
{
	(void)state;
	assert_true(device_same("net_null0", "net_null0"));
	assert_true(device_same("net_null0,copy=0", "net_null0"));
	assert_true(device_same("net_null0", "net_null0,copy=0"));
	assert_true(device_same("net_null0,a", "net_null0,b"));
	assert_false(device_same("net_null0", "net_null1"));
	assert_false(device_same("net_null1", "net_null10"));
	assert_false(device_same("net_null10", "net_null1"));
	assert_true(device_same("0000:01:00.0", "0000:01:00.0"));
}

static const struct {
	const char *text;
	int n; /* -1: refused */
	uint16_t cores[4];
} lists[] = {
	{ "", 0, { 0 } },
	{ "0", 1, { 0 } },
	{ "1023", 1, { 1023 } },
	{ "1024", -1, { 0 } },
	{ "2-5", 4, { 2, 3, 4, 5 } },
	{ "2-2", 1, { 2 } },
	{ "2-4,9", 4, { 2, 3, 4, 9 } },
	{ "1,2", 2, { 1, 2 } },
	{ "1-2,3-4", 4, { 1, 2, 3, 4 } },
	{ "1-2,2", -1, { 0 } },
	{ "2,2", -1, { 0 } },
	{ "3,2", -1, { 0 } },
	{ "5-4", -1, { 0 } },
	{ "1,", -1, { 0 } },
	{ ",1", -1, { 0 } },
	{ "1,,2", -1, { 0 } },
	{ "1-", -1, { 0 } },
	{ "-1", -1, { 0 } },
	{ "1 2", -1, { 0 } },
	{ " 1", -1, { 0 } },
	{ "1;2", -1, { 0 } },
	{ "1-1024", -1, { 0 } },
	{ "x", -1, { 0 } },
	{ "99999999999999999999", -1, { 0 } },
	{ "0-32", -1, { 0 } },
	{ "0-1,2-32", -1, { 0 } },
};

static void lists_of_cpus_rise(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct model_dpdk dpdk = { .cores = { 77, 77, 77, 77 }, .n_cores = 7 };

		print_message("  \"%s\"\n", lists[i].text);
		assert_int_equal(device_read_cores(lists[i].text, &dpdk),
		                 lists[i].n < 0 ? -EINVAL : 0);
		assert_int_equal(dpdk.n_cores, lists[i].n < 0 ? 7 : lists[i].n);
		for (int k = 0; k < 4; k++)
			assert_int_equal(dpdk.cores[k], k < lists[i].n ? lists[i].cores[k] : 77);
	}
}

static void as_many_cpus_are_taken_as_workers_can_be(void **state)
{
	static const char *const texts[] = { "0-31", "0-30,40", "7,8-38" };

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct model_dpdk dpdk = { 0 };

		assert_int_equal(device_read_cores(texts[i], &dpdk), 0);
		assert_int_equal(dpdk.n_cores, 32);
		assert_int_equal(dpdk.cores[31], i == 0 ? 31 : i == 1 ? 40 : 38);
	}
	struct model_dpdk dpdk = { .n_cores = 5 };
	assert_int_equal(device_read_cores("0-31,32", &dpdk), -EINVAL);
	assert_int_equal(dpdk.n_cores, 5);
}

SUITE(device)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_device_that_can_be_meant_is_taken),
		cmocka_unit_test(the_pci_devices_of_a_port_are_its_own_or_its_bond_s),
		cmocka_unit_test(the_kernel_sees_a_port_of_af_packet_on_its_own_interface),
		cmocka_unit_test(two_devices_are_one_whatever_their_arguments),
		cmocka_unit_test(lists_of_cpus_rise),
		cmocka_unit_test(as_many_cpus_are_taken_as_workers_can_be),
	};

	return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
