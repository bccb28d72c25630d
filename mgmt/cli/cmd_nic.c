/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nic: a table of what sysfs shows (weir/nic.h), and for the first device that could be bound the
 * commands that do it.
 */
#include <jansson.h>
#include <stdio.h>

#include "mgmt/cli/api.h"
#include "mgmt/json/row.h"
#include "record/fields.h"
#include "weir/nic.h"

static const char *const dpdk_words[] = {
	[NIC_DPDK_READY] = "ready",    [NIC_DPDK_SHARED] = "shared",   [NIC_DPDK_BIND] = "bind",
	[NIC_DPDK_IOMMU] = "no-iommu", [NIC_DPDK_UNKNOWN] = "perhaps", [NIC_DPDK_NO] = "af_packet",
};

/* The commands that bind a device; NULL: it needs none, or cannot be bound. */
static const char *bind_lines(const struct nic *n, char *out, size_t size)
{
	if (n->dpdk != NIC_DPDK_BIND && n->dpdk != NIC_DPDK_UNKNOWN)
		return NULL;
	int used = snprintf(out, size, "modprobe vfio-pci\n");

	used += snprintf(out + used, size - (size_t)used,
	                 "echo vfio-pci > /sys/bus/pci/devices/%s/driver_override\n", n->address);
	if (*n->driver)
		used += snprintf(out + used, size - (size_t)used,
		                 "echo %s > /sys/bus/pci/devices/%s/driver/unbind\n", n->address,
		                 n->address);
	snprintf(out + used, size - (size_t)used, "echo %s > /sys/bus/pci/drivers_probe\n",
	         n->address);
	return out;
}

struct nic_shown {
	struct nic nic;
	const char *dpdk, *bind;
	bool has_numa, has_group;
};

static const struct record_kind nic_record = RECORD_OF(
        struct nic_shown, "device", NULL, SHOW_AS(struct nic_shown, "address", nic.address),
        SHOW_AS(struct nic_shown, "id", nic.id), SHOW_AS(struct nic_shown, "driver", nic.driver),
        SHOW_AS(struct nic_shown, "interface", nic.interface), SHOW(struct nic_shown, dpdk),
        SHOW_AS(struct nic_shown, "xdp", nic.xdp), SHOW_AS(struct nic_shown, "what", nic.use),
        SHOW_AS(struct nic_shown, "dpdk_driver", nic.pmd, .spare = true),
        SHOW_KNOWN(struct nic_shown, "numa", nic.numa, has_numa, .spare = true),
        SHOW_KNOWN(struct nic_shown, "iommu_group", nic.iommu_group, has_group, .spare = true),
        SHOW(struct nic_shown, bind, .spare = true));

static json_t *nic_json(const struct nic *n)
{
	char lines[512];

	return record_shown(&nic_record,
	                    &(struct nic_shown){ .nic = *n,
	                                         .dpdk = dpdk_words[n->dpdk],
	                                         .bind = bind_lines(n, lines, sizeof(lines)),
	                                         .has_numa = n->numa >= 0,
	                                         .has_group = n->iommu_group >= 0 });
}

/* The devices, and for the first that could be bound the commands that do it. */
static const char nic_text[] =
        "DEVICE        ID         DRIVER           INTERFACE       NUMA IOMMU  WHAT WEIR CAN DO\n"
        "{*devices}[{-13 address}|{-13 |-}] [{-10 id}|{-10 |-}] [{-16 driver}|{-16 |-}] [{-15 interface}|{-15 |-}] {4 numa:n|-} "
        "{5 iommu_group:n|-}  {what}\n{/}";

static const char bind_text[] =
        "\nTo give a device to DPDK, run as root (its addresses move to the port's TAP), here for "
        "{address}:\n";

static void print_nics(const json_t *devices)
{
	const json_t *d;
	size_t i;

	json_array_foreach(devices, i, d)
	{
		if (!json_at(d, "bind"))
			continue;
		row_show(stdout, d, bind_text);
		row_put_lines(stdout, json_text_of(d, "bind"));
		return;
	}
}

int cli_nic(struct cli *cli, const struct cli_args *args)
{
	static struct nic nics[NIC_MAX];
	size_t n = nic_list(NIC_SYSFS, nics, NIC_MAX);
	json_t *list = json_array(), *body = json_with(json_object(), "devices", list);

	(void)args;
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, nic_json(&nics[i]));
	if (!body)
		return cli_fail(CLI_UNREACHABLE, "out of memory");
	api_print_text(cli, body, nic_text);
	if (!cli->json)
		print_nics(list);
	json_decref(body);
	return CLI_OK;
}
