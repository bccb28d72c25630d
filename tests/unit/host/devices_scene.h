/* SPDX-License-Identifier: BSD-2-Clause */
/* A tree like /sys with network devices of each kind, for tests of who looks at them. */
#ifndef WEIR_TESTS_UNIT_HOST_DEVICES_SCENE_H
#define WEIR_TESTS_UNIT_HOST_DEVICES_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "weir/nic.h"

static char root[] = "/tmp/weir-devices.XXXXXX";

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

static int make_devices(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(root));
	make_device("0000:01:00.0", "0x020000", "vfio-pci", "0", ""); /* groups count from 0 */
	make_device("0000:02:00.0", "0x020000", "igb", "8", "eth2");
	make_device("0000:03:00.0", "0x020000", "vfio-pci", "", "");
	make_device("0000:04:00.0", "0x020000", "mlx5_core", "9", "eth4");
	make_device("0000:05:00.0", "0x020000", "e1000e", "", "eth5");
	make_device("0000:06:00.0", "0x020000", "strange", "10", "eth6");
	make_device("0000:07:00.0", "0x010000", "ahci", "11", "");
	run_shell("mkdir -p class/net/lo class/net/eth2 class/net/veth0");
	return 0;
}

static int remove_devices(void **state)
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
	{ "0000:01:00.0", NIC_DPDK_READY, false, true, "DPDK: device = \"0000:01:00.0\"" },
	{ "0000:02:00.0", NIC_DPDK_BIND, true, false, "once it is bound to vfio-pci" },
	{ "0000:03:00.0", NIC_DPDK_IOMMU, false, false, "intel_iommu=on" },
	{ "0000:04:00.0", NIC_DPDK_SHARED, true, true, "together with the kernel" },
	{ "0000:05:00.0", NIC_DPDK_IOMMU, false, false, "XDP in its generic mode" },
	{ "0000:06:00.0", NIC_DPDK_UNKNOWN, false, false, "if DPDK has a driver for it" },
};
#define DEVICES (sizeof(devices) / sizeof(devices[0]))

#endif
