/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DPDK only where every port can have it: a port without a device would be an AF_PACKET socket,
 * which is slower than XDP. What XDP cannot have (an interface of a device that is bound to
 * vfio-pci) shows itself when the port is attached.
 */
#include "dataplane/choose.h"

#include <stdio.h>

#include "dataplane/drivers.h"
#include "weir/nic.h"

/* @return whether DPDK can have the port; else @p why says why not */
static bool can_have(const struct model_port *port, const char *sysfs, struct driver_why *why)
{
	struct nic nic;

	if (!*port->device) {
		snprintf(why->text, sizeof(why->text), "auto: XDP, for port %s names no device",
		         port->interface);
		return false;
	}
	if (!model_device_is_pci(port->device))
		return true;
	if (nic_get(sysfs, port->device, &nic)) {
		snprintf(why->text, sizeof(why->text),
		         "auto: XDP, for port %s's device %s is not there", port->interface,
		         port->device);
		return false;
	}
	if (nic.dpdk == NIC_DPDK_READY || nic.dpdk == NIC_DPDK_SHARED)
		return true;
	snprintf(why->text, sizeof(why->text),
	         "auto: XDP, for port %s's device %s is driven by %s (weir nic): %s",
	         port->interface, port->device, *nic.driver ? nic.driver : "nothing", nic.why);
	return false;
}

static const struct driver_ops *choose_best(const struct model_node *node, const char *sysfs,
                                            struct driver_why *why)
{
	snprintf(why->text, sizeof(why->text), "auto: XDP, for this build has no DPDK");
	if (!drivers_dpdk)
		return &driver_xdp;
	for (size_t i = 0; i < node->n_ports; i++)
		if (!can_have(&node->ports[i], sysfs, why))
			return &driver_xdp;
	snprintf(why->text, sizeof(why->text), "auto: DPDK, for each port's device can be had");
	return drivers_dpdk;
}

const struct driver_ops *choose_driver(const struct model_node *node, const char *sysfs,
                                       struct driver_why *why)
{
	if (node->driver == MODEL_DRIVER_AUTO)
		return choose_best(node, sysfs, why);
	snprintf(why->text, sizeof(why->text), "as configured");
	if (node->driver == MODEL_DRIVER_XDP)
		return &driver_xdp;
	if (!drivers_dpdk)
		snprintf(why->text, sizeof(why->text),
		         "node %s: driver \"dpdk\" is not in this build; use \"xdp\" or \"auto\"",
		         node->name);
	return drivers_dpdk;
}
