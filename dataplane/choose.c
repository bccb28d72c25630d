/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `auto` takes DPDK only where every port can have it: a port without a device would be an
 * AF_PACKET socket, which is slower than XDP. Whether XDP can have a port shows when the port is
 * attached.
 */
#include "dataplane/choose.h"

#include <stdio.h>

#include "dataplane/drivers.h"
#include "weir/nic.h"

/*
 * @return whether DPDK can have the port's PCI device @p address; otherwise @p reason has the reason
 */
static bool can_have_pci(const struct model_port *port, const char *address, const char *sysfs,
                         struct driver_reason *reason)
{
	struct nic nic;

	if (nic_get(sysfs, address, &nic)) {
		snprintf(reason->text, sizeof(reason->text),
		         "auto: XDP, because the device %s of port %s is not there", address,
		         port->interface);
		return false;
	}
	if (nic.dpdk == NIC_DPDK_READY || nic.dpdk == NIC_DPDK_SHARED)
		return true;
	snprintf(reason->text, sizeof(reason->text),
	         "auto: XDP, because the device %s of port %s is driven by %s (see weir nic): %s",
	         address, port->interface, *nic.driver ? nic.driver : "no driver", nic.use);
	return false;
}

/* The same for all PCI devices that the port's device names: a bond has several. */
static bool can_have(const struct model_port *port, const char *sysfs, struct driver_reason *reason)
{
	char address[MODEL_PCI_MAX];

	if (!*port->device) {
		snprintf(reason->text, sizeof(reason->text),
		         "auto: XDP, because port %s names no device", port->interface);
		return false;
	}
	for (uint32_t i = 0; model_device_pci(port->device, i, address); i++)
		if (!can_have_pci(port, address, sysfs, reason))
			return false;
	return true;
}

static const struct driver_ops *choose_best(const struct model_node *node, const char *sysfs,
                                            struct driver_reason *reason)
{
	snprintf(reason->text, sizeof(reason->text), "auto: XDP, because this build has no DPDK");
	if (!drivers_dpdk)
		return &driver_xdp;
	for (size_t i = 0; i < node->n_ports; i++)
		if (!can_have(&node->ports[i], sysfs, reason))
			return &driver_xdp;
	snprintf(reason->text, sizeof(reason->text),
	         "auto: DPDK, because it can drive the device of each port");
	return drivers_dpdk;
}

const struct driver_ops *choose_driver(const struct model_node *node, const char *sysfs,
                                       struct driver_reason *reason)
{
	if (node->driver == MODEL_DRIVER_AUTO)
		return choose_best(node, sysfs, reason);
	snprintf(reason->text, sizeof(reason->text), "as configured");
	if (node->driver == MODEL_DRIVER_XDP)
		return &driver_xdp;
	if (!drivers_dpdk)
		snprintf(reason->text, sizeof(reason->text),
		         "node %s: driver \"dpdk\" is not in this build; use \"xdp\" or \"auto\"",
		         node->name);
	return drivers_dpdk;
}

int choose_numa_node(const struct model_node *node, const char *sysfs)
{
	char address[MODEL_PCI_MAX];
	struct nic nic;

	for (size_t i = 0; i < node->n_ports; i++)
		for (uint32_t k = 0; model_device_pci(node->ports[i].device, k, address); k++)
			if (!nic_get(sysfs, address, &nic) && nic.numa >= 0)
				return nic.numa;
	return -1;
}
