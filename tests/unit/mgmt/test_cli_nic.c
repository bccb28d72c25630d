/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir nic` (mgmt/cli/cmd_nic.c): what is said of devices; the list is the test's. */
#include "shown.h"

#include <stdbool.h>

#include "mgmt/cli/api.h"
#include "weir/nic.h"

static struct nic given[5];
static size_t n_given;

static size_t fake_list(const char *sysfs, struct nic *out, size_t max)
{
	assert_string_equal(sysfs, "/sys");
	assert_true(max >= n_given);
	memcpy(out, given, n_given * sizeof(*given));
	return n_given;
}

#define nic_list fake_list
#include "mgmt/cli/cmd_nic.c" /* its edge is ours */

static const struct nic all[] = {
	{ "0000:01:00.0", "8086:1572", "i40e", "eth0", 0, 12, NIC_DPDK_READY, true, "net_i40e",
	  "ready" },
	{ "0000:02:00.0", "15b3:1017", "mlx5_core", "eth1", 1, 0, NIC_DPDK_SHARED, true, "mlx5_pci",
	  "shared" },
	{ "0000:03:00.0", "8086:10d3", "", "", -1, -1, NIC_DPDK_IOMMU, false, NULL, "no IOMMU" },
	{ "0000:04:00.0", "8086:10fb", "ixgbe", "eth2", -1, 7, NIC_DPDK_BIND, true, "net_ixgbe",
	  "bind it" },
	{ "", "", "veth", "v0", -1, -1, NIC_DPDK_NO, true, NULL, "for trials" },
};

static void show_nics(bool json)
{
	struct cli cli = { .json = json };
	const struct cli_args args = { 0 };

	shown_begin();
	assert_int_equal(cli_nic(&cli, &args), CLI_OK);
	shown_end();
}

static void give_nics(const struct nic *nics, size_t n)
{
	n_given = n;
	if (n)
		memcpy(given, nics, n * sizeof(*nics));
}

#define HEAD                                                                                       \
	"DEVICE        ID         DRIVER           INTERFACE       NUMA IOMMU  WHAT WEIR CAN DO\n"

static void devices_are_listed_and_the_first_that_can_be_bound_is_shown_how(void **state)
{
	(void)state;
	give_nics(all, 5);
	show_nics(false);
	assert_string_equal(
	        shown, HEAD
	        "0000:01:00.0  8086:1572  i40e             eth0               0    12  ready\n"
	        "0000:02:00.0  15b3:1017  mlx5_core        eth1               1     0  shared\n"
	        "0000:03:00.0  8086:10d3  -                -                  -     -  no IOMMU\n"
	        "0000:04:00.0  8086:10fb  ixgbe            eth2               -     7  bind it\n"
	        "-             -          veth             v0                 -     -  for trials\n"
	        "\n"
	        "To give a device to DPDK, run as root (its addresses move to the port's TAP), here for 0000:04:00.0:\n"
	        "modprobe vfio-pci\n"
	        "echo vfio-pci > /sys/bus/pci/devices/0000:04:00.0/driver_override\n"
	        "echo 0000:04:00.0 > /sys/bus/pci/devices/0000:04:00.0/driver/unbind\n"
	        "echo 0000:04:00.0 > /sys/bus/pci/drivers_probe\n");
	give_nics(all, 3);
	show_nics(false);
	assert_null(strstr(shown, "To give a device"));
	give_nics(all, 0);
	show_nics(false);
	assert_string_equal(shown, HEAD);
}

/* Nothing has to be unbound where no driver is. */
static void an_unbound_device_is_bound_without_unbinding(void **state)
{
	struct nic n = all[2];

	(void)state;
	n.dpdk = NIC_DPDK_UNKNOWN;
	give_nics(&n, 1);
	show_nics(false);
	assert_non_null(strstr(shown,
	                       "here for 0000:03:00.0:\nmodprobe vfio-pci\n"
	                       "echo vfio-pci > /sys/bus/pci/devices/0000:03:00.0/driver_override\n"
	                       "echo 0000:03:00.0 > /sys/bus/pci/drivers_probe\n"));
}

static void json_has_what_is_known(void **state)
{
	struct nic two[] = { all[3], all[4] };

	(void)state;
	two[0].numa = 0;
	two[0].iommu_group = 0;
	two[0].xdp = false;
	give_nics(two, 2);
	show_nics(true);
	assert_string_equal(
	        shown,
	        "{\"devices\":[{\"address\":\"0000:04:00.0\",\"id\":\"8086:10fb\",\"driver\":\"ixgbe\",\"interface\":\"eth2\","
	        "\"dpdk\":\"bind\",\"xdp\":false,\"what\":\"bind it\",\"dpdk_driver\":\"net_ixgbe\",\"numa\":0,\"iommu_group\":0,"
	        "\"bind\":\"modprobe vfio-pci\\necho vfio-pci > /sys/bus/pci/devices/0000:04:00.0/driver_override\\n"
	        "echo 0000:04:00.0 > /sys/bus/pci/devices/0000:04:00.0/driver/unbind\\n"
	        "echo 0000:04:00.0 > /sys/bus/pci/drivers_probe\\n\"},"
	        "{\"address\":\"\",\"id\":\"\",\"driver\":\"veth\",\"interface\":\"v0\",\"dpdk\":\"af_packet\",\"xdp\":true,"
	        "\"what\":\"for trials\"}]}\n");
	give_nics(all, 3);
	show_nics(true);
	assert_non_null(strstr(shown, "\"dpdk\":\"ready\""));
	assert_non_null(strstr(shown, "\"dpdk\":\"shared\""));
	assert_non_null(strstr(shown, "\"dpdk\":\"no-iommu\""));
	assert_null(strstr(shown, "\"bind\""));
	two[0].dpdk = NIC_DPDK_UNKNOWN;
	give_nics(two, 1);
	show_nics(true);
	assert_non_null(strstr(shown, "\"dpdk\":\"perhaps\""));
	give_nics(all, 0);
	show_nics(true);
	assert_string_equal(shown, "{\"devices\":[]}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_are_listed_and_the_first_that_can_be_bound_is_shown_how),
		cmocka_unit_test(an_unbound_device_is_bound_without_unbinding),
		cmocka_unit_test(json_has_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
