/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir nic` (mgmt/cli/cmd_nic.c): what is said of devices in a tree like /sys, to which libc is led. */
#include "tests/unit/answers.h"
#include "tests/unit/host/devices_scene.h"

#include "cli_said.h"
#include "tests/unit/suite.h"

#include <dirent.h>
#include <limits.h>

static const char *place_of(const char *path)
{
	static char out[PATH_MAX];

	if (strncmp(path, NIC_SYSFS "/", 5) != 0)
		return path;
	snprintf(out, sizeof(out), "%s%s", root, path + 4);
	return out;
}

static DIR *own_opendir(const char *path)
{
	return __real_opendir(place_of(path));
}

static ssize_t own_readlink(const char *path, char *out, size_t size)
{
	return __real_readlink(place_of(path), out, size);
}

static FILE *own_fopen64(const char *path, const char *mode)
{
	return __real_fopen64(place_of(path), mode);
}

#define HEAD                                                                                       \
	"DEVICE        ID         DRIVER           INTERFACE       NUMA IOMMU  WHAT WEIR CAN DO\n"

static void devices_are_listed_and_the_first_that_can_be_bound_is_shown_how(void **state)
{
	(void)state;
	assert_int_equal(WEIR("nic"), CLI_OK);
	assert_string_equal(
	        shown, HEAD
	        "0000:01:00.0  8086:10d3  vfio-pci         -                  1     0  DPDK: device = \"0000:01:00.0\"\n"
	        "0000:02:00.0  8086:10d3  igb              eth2               1     8  XDP natively; DPDK once it is bound to vfio-pci\n"
	        "0000:03:00.0  8086:10d3  vfio-pci         -                  1     -  no XDP; no DPDK: no IOMMU group (boot with intel_iommu=on or amd_iommu=on)\n"
	        "0000:04:00.0  8086:10d3  mlx5_core        eth4               1     9  DPDK together with the kernel driver: device = \"0000:04:00.0\"; XDP natively\n"
	        "0000:05:00.0  8086:10d3  e1000e           eth5               1     -  XDP in its generic mode; no DPDK: no IOMMU group (boot with intel_iommu=on or amd_iommu=on)\n"
	        "0000:06:00.0  8086:10d3  strange          eth6               1    10  XDP in its generic mode; DPDK once it is bound to vfio-pci, if DPDK has a driver for it\n"
	        "-             -          -                veth0              -     -  XDP if its driver supports it; DPDK over AF_PACKET, for trials\n"
	        "\n"
	        "To give a device to DPDK, run as root (its addresses move to the port's TAP), here for 0000:02:00.0:\n"
	        "modprobe vfio-pci\n"
	        "echo vfio-pci > /sys/bus/pci/devices/0000:02:00.0/driver_override\n"
	        "echo 0000:02:00.0 > /sys/bus/pci/devices/0000:02:00.0/driver/unbind\n"
	        "echo 0000:02:00.0 > /sys/bus/pci/drivers_probe\n");
}

static void json_has_what_is_known(void **state)
{
	static const char *const parts[] = {
		"{\"devices\":[{\"address\":\"0000:01:00.0\",\"id\":\"8086:10d3\",\"driver\":\"vfio-pci\",\"interface\":\"\","
		"\"dpdk\":\"ready\",\"xdp\":false,\"what\":\"DPDK: device = \\\"0000:01:00.0\\\"\",\"numa\":0,\"iommu_group\":0},",
		",{\"address\":\"0000:02:00.0\",\"id\":\"8086:10d3\",\"driver\":\"igb\",\"interface\":\"eth2\","
		"\"dpdk\":\"bind\",\"xdp\":true,\"what\":\"XDP natively; DPDK once it is bound to vfio-pci\","
		"\"dpdk_driver\":\"net_e1000_igb\",\"numa\":1,\"iommu_group\":8,"
		"\"bind\":\"modprobe vfio-pci\\necho vfio-pci > /sys/bus/pci/devices/0000:02:00.0/driver_override\\n"
		"echo 0000:02:00.0 > /sys/bus/pci/devices/0000:02:00.0/driver/unbind\\n"
		"echo 0000:02:00.0 > /sys/bus/pci/drivers_probe\\n\"},",
		"\"dpdk\":\"no-iommu\"",
		"\"dpdk\":\"shared\"",
		"\"dpdk\":\"perhaps\"",
		",{\"address\":\"\",\"id\":\"\",\"driver\":\"\",\"interface\":\"veth0\",\"dpdk\":\"af_packet\",\"xdp\":false,"
		"\"what\":\"XDP if its driver supports it; DPDK over AF_PACKET, for trials\"}]}\n",
	};

	(void)state;
	run_shell("echo 0 >bus/pci/devices/0000:01:00.0/numa_node"); /* nodes count from 0 */
	assert_int_equal(WEIR("nic", "--json"), CLI_OK);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strstr(shown, parts[i]))
			fail_msg("%s is not in %s", parts[i], shown);
}

/* Nothing has to be unbound where no driver is. It is the last test: the tree loses its devices. */
static void an_unbound_device_is_bound_without_unbinding(void **state)
{
	(void)state;
	run_shell("rm -r bus/pci/devices/0000:02:00.0; rm bus/pci/devices/0000:06:00.0/driver");
	assert_int_equal(WEIR("nic"), CLI_OK);
	assert_non_null(strstr(shown,
	                       "here for 0000:06:00.0:\nmodprobe vfio-pci\n"
	                       "echo vfio-pci > /sys/bus/pci/devices/0000:06:00.0/driver_override\n"
	                       "echo 0000:06:00.0 > /sys/bus/pci/drivers_probe\n"));
	run_shell("rm -r bus/pci/devices/0000:06:00.0");
	assert_int_equal(WEIR("nic"), CLI_OK);
	assert_null(strstr(shown, "To give a device"));
	assert_int_equal(WEIR("nic", "--json"), CLI_OK);
	assert_null(strstr(shown, "\"bind\""));
	run_shell("rm -r bus class");
	assert_int_equal(WEIR("nic"), CLI_OK);
	assert_string_equal(shown, HEAD);
	assert_int_equal(WEIR("nic", "--json"), CLI_OK);
	assert_string_equal(shown, "{\"devices\":[]}\n");
}

SUITE(cli_nic)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_are_listed_and_the_first_that_can_be_bound_is_shown_how),
		cmocka_unit_test(json_has_what_is_known),
		cmocka_unit_test(an_unbound_device_is_bound_without_unbinding),
	};

	answer_fopen64 = own_fopen64;
	answer_opendir = own_opendir;
	answer_readlink = own_readlink;
	return cmocka_run_group_tests(tests, make_devices, remove_devices);
}
