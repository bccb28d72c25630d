/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nic: a table of what sysfs shows (weir/nic.h), and for the first device that could be bound the
 * commands that do it.
 */
#include <jansson.h>
#include <stdio.h>

#include "mgmt/cli/api.h"
#include "mgmt/cli/cli.h"
#include "weir/nic.h"

static const char *const dpdk_words[] = {
	[NIC_DPDK_READY] = "ready",    [NIC_DPDK_SHARED] = "shared",   [NIC_DPDK_BIND] = "bind",
	[NIC_DPDK_IOMMU] = "no-iommu", [NIC_DPDK_UNKNOWN] = "perhaps", [NIC_DPDK_NO] = "af_packet",
};

static bool can_be_bound(const struct nic *n)
{
	return n->dpdk == NIC_DPDK_BIND || n->dpdk == NIC_DPDK_UNKNOWN;
}

static void bind_lines(const struct nic *n, char *out, size_t size)
{
	int used = snprintf(out, size, "modprobe vfio-pci\n");

	used += snprintf(out + used, size - (size_t)used,
	                 "echo vfio-pci > /sys/bus/pci/devices/%s/driver_override\n", n->address);
	if (*n->driver)
		used += snprintf(out + used, size - (size_t)used,
		                 "echo %s > /sys/bus/pci/devices/%s/driver/unbind\n", n->address,
		                 n->address);
	snprintf(out + used, size - (size_t)used, "echo %s > /sys/bus/pci/drivers_probe\n",
	         n->address);
}

static json_t *nic_json(const struct nic *n)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s}", "address", n->address, "id",
	                      n->id, "driver", n->driver, "interface", n->interface, "dpdk",
	                      dpdk_words[n->dpdk], "xdp", (int)n->xdp, "what", n->use);
	char lines[512];

	if (o && n->pmd)
		json_object_set_new(o, "dpdk_driver", json_string(n->pmd));
	if (o && n->numa >= 0)
		json_object_set_new(o, "numa", json_integer(n->numa));
	if (o && n->iommu_group >= 0)
		json_object_set_new(o, "iommu_group", json_integer(n->iommu_group));
	if (o && can_be_bound(n)) {
		bind_lines(n, lines, sizeof(lines));
		json_object_set_new(o, "bind", json_string(lines));
	}
	return o;
}

static int print_json(const struct nic *nics, size_t n)
{
	json_t *list = json_array(), *body = json_pack("{s:o}", "devices", list);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, nic_json(&nics[i]));
	if (!body)
		return cli_fail(CLI_UNREACHABLE, "out of memory");
	api_print_own(body);
	return CLI_OK;
}

static const char *or_dash(const char *text)
{
	return *text ? text : "-";
}

static void print_bind(const struct nic *nics, size_t n)
{
	char lines[512];

	for (size_t i = 0; i < n; i++) {
		if (!can_be_bound(&nics[i]))
			continue;
		bind_lines(&nics[i], lines, sizeof(lines));
		printf("\nTo give a device to DPDK, run as root (its addresses move to the "
		       "port's TAP), here for %s:\n%s",
		       nics[i].address, lines);
		return;
	}
}

int cli_nic(struct cli *cli, const struct cli_args *args)
{
	static struct nic nics[NIC_MAX];
	size_t n = nic_list(NIC_SYSFS, nics, NIC_MAX);

	(void)args;
	if (cli->json)
		return print_json(nics, n);
	printf("%-13s %-10s %-16s %-15s %4s %5s  %s\n", "DEVICE", "ID", "DRIVER", "INTERFACE",
	       "NUMA", "IOMMU", "WHAT WEIR CAN DO");
	for (size_t i = 0; i < n; i++) {
		const struct nic *d = &nics[i];
		char numa[12] = "-", group[12] = "-";

		if (d->numa >= 0)
			snprintf(numa, sizeof(numa), "%d", d->numa);
		if (d->iommu_group >= 0)
			snprintf(group, sizeof(group), "%d", d->iommu_group);
		printf("%-13s %-10s %-16s %-15s %4s %5s  %s\n", or_dash(d->address), or_dash(d->id),
		       or_dash(d->driver), or_dash(d->interface), numa, group, d->use);
	}
	print_bind(nics, n);
	return CLI_OK;
}
