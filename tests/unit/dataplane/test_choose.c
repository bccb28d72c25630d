/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/choose.h"
#include "dataplane/drivers.h"
#include "weir/nic.h"

/* Both are asked for no more than their names here. */
const struct driver_ops driver_xdp = { .name = "xdp" };
static const struct driver_ops dpdk = { .name = "dpdk" };
const struct driver_ops *const drivers_dpdk = &dpdk;

static char root[] = "/tmp/weir-choose.XXXXXX";

static void run_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void run_shell(const char *format, ...)
{
	char script[2048], command[2300];
	va_list list;

	va_start(list, format);
	vsnprintf(script, sizeof(script), format, list);
	va_end(list);
	snprintf(command, sizeof(command), "set -e; cd %s; %s", root, script);
	assert_int_equal(system(command), 0);
}

/*
 * A PCI device of class @p class, bound to @p driver ("": nothing) and in IOMMU group @p group
 * ("": none).
 */
static void make_device(const char *address, const char *class, const char *driver,
                        const char *group, const char *interface)
{
	run_shell("mkdir -p bus/pci/devices/%s drivers groups; cd bus/pci/devices/%s; "
	          "echo %s >class; echo 0x8086 >vendor; echo 0x10d3 >device; echo 1 >numa_node; "
	          "[ -z '%s' ] || ln -s ../../../../drivers/%s driver; "
	          "[ -z '%s' ] || ln -s ../../../../groups/%s iommu_group; "
	          "[ -z '%s' ] || mkdir -p net/%s",
	          address, address, class, driver, driver, group, group, interface, interface);
}

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(root));
	make_device("0000:01:00.0", "0x020000", "vfio-pci", "7", "");
	make_device("0000:02:00.0", "0x020000", "igb", "8", "eth2");
	make_device("0000:03:00.0", "0x020000", "vfio-pci", "", "");
	make_device("0000:04:00.0", "0x020000", "mlx5_core", "9", "eth4");
	make_device("0000:05:00.0", "0x020000", "e1000e", "", "eth5");
	make_device("0000:06:00.0", "0x020000", "strange", "10", "eth6");
	make_device("0000:07:00.0", "0x010000", "ahci", "11", "");
	run_shell("mkdir -p class/net/lo class/net/eth2 class/net/veth0");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	run_shell("rm -rf %s", root);
	return 0;
}

static const struct {
	const char *device;
	enum nic_dpdk dpdk;
	bool xdp, taken;
	const char *says;
} devices[] = {
	{ "0000:01:00.0", NIC_DPDK_READY, false, true, "device = \"0000:01:00.0\"" },
	{ "0000:02:00.0", NIC_DPDK_BIND, true, false, "once it is bound to vfio-pci" },
	{ "0000:03:00.0", NIC_DPDK_IOMMU, false, false, "intel_iommu=on" },
	{ "0000:04:00.0", NIC_DPDK_SHARED, true, true, "together with the kernel" },
	{ "0000:05:00.0", NIC_DPDK_IOMMU, false, false, "XDP in its generic mode" },
	{ "0000:06:00.0", NIC_DPDK_UNKNOWN, false, false, "if DPDK has a driver for it" },
};
#define DEVICES (sizeof(devices) / sizeof(devices[0]))

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
		assert_non_null(strstr(nics[i].why, devices[i].says));
		assert_int_equal(nics[i].numa, 1);
	}
	assert_string_equal(nics[1].interface, "eth2");
	assert_string_equal(nics[n - 1].interface, "veth0");
	assert_int_equal(nics[n - 1].dpdk, NIC_DPDK_NO);
	assert_int_equal(nic_list(root, nics, 2), 2);
}

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
		                 devices[i].taken ? &dpdk : &driver_xdp);
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
	assert_ptr_equal(choose_with(MODEL_DRIVER_AUTO, good, 1, &why), &dpdk);
	assert_ptr_equal(choose_with(MODEL_DRIVER_AUTO, bad, 1, &why), &driver_xdp);
	assert_non_null(strstr(why.text, "device 0000:02:00.0 of port a is driven by igb"));
	assert_ptr_equal(choose_with(MODEL_DRIVER_AUTO, names, 1, &why), &dpdk);
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
	assert_ptr_equal(choose_with(MODEL_DRIVER_DPDK, ports, 1, &why), &dpdk);
	assert_string_equal(why.text, "as configured");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_device_is_listed_with_what_could_be_done),
		cmocka_unit_test(auto_takes_dpdk_only_where_each_port_can_have_it),
		cmocka_unit_test(a_bond_is_what_its_members_are),
		cmocka_unit_test(auto_takes_xdp_for_a_port_without_a_device),
		cmocka_unit_test(what_is_asked_for_is_taken),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
