/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A device that DPDK drives: a PCI address or a virtual device, its queues, its link. Implemented
 * in device.c. The control thread, which is the loop's, calls all of this.
 */
#ifndef WEIR_DATAPLANE_DPDK_DEVICE_H
#define WEIR_DATAPLANE_DPDK_DEVICE_H

#include <rte_ethdev.h>

#include "base/checked.h"
#include "weir/driver.h"
#include "weir/model.h"

/** The most members of a bond that can be opened. */
#define DEVICE_MEMBERS_MAX 8u
/** The most addresses that are asked of a device's filter. */
#define DEVICE_MACS_MAX 64u

struct device {
	char name[RTE_ETH_NAME_MAX_LEN];                        /**< "0000:01:00.0", "net_memif0" */
	const char *bus;                                        /**< "pci", "vdev" */
	char members[DEVICE_MEMBERS_MAX][RTE_ETH_NAME_MAX_LEN]; /**< of a bond: its PCI devices */
	uint32_t n_members;
	bool is_bond;
	uint16_t id;         /**< DPDK's */
	uint16_t mtu;        /**< the longest IP packet that it takes, at most as was wished */
	uint32_t ifindex;    /**< of the kernel's interface, if it is an AF_PACKET socket; else 0 */
	uint16_t n_rx, n_tx; /**< queues */
	uint16_t queue_len;  /**< frames that each was to have room for */
	unsigned int n_kept; /**< buffers of the pool that they may keep */
	/** What receive queues are chosen by (RTE_ETH_RSS_*); 0: one queue, or not our choice. */
	uint64_t rss;
	uint8_t mac[6];
	uint64_t macs[DEVICE_MACS_MAX]; /**< as device_accept_macs() got them */
	size_t n_macs;
	bool is_promiscuous; /**< its filter has no room for them */
	bool up;             /**< link, as last seen */
	bool filters_vlans;  /**< it drops frames of VLANs that are not in its filter */
	bool interrupts;     /**< its receive queues can raise some */
};

/**
 * Whether DPDK can have the PCI devices that @p port names, as far as that shows without opening
 * them.
 * @return 0 or -errno with @p reason
 */
int device_ready(const struct model_port *port, struct driver_reason *reason);
/**
 * Open the device that @p port names, with a queue for each of @p n_workers as far as it has them.
 * @return 0, perhaps with @p reason: what it lacks and what to do; or -errno with @p reason
 */
int device_open(struct device *d, const struct model_port *port, uint32_t n_workers, uint16_t mtu,
                struct driver_reason *reason) MUST_CHECK;
void device_close(struct device *d);
/**
 * Take frames for @p n unicast addresses, besides the device's own, which may be among them. Nothing is
 * done where they are those of the last call.
 * @param macs  the first byte of each is the lowest
 */
void device_accept_macs(struct device *d, const uint64_t *macs, size_t n);
/** Ask for the link's state. @return whether it changed */
bool device_link_changed(struct device *d);
/**
 * Frames that the device dropped because workers read too slowly (imissed) or buffers ran out
 * (rx_nombuf).
 */
void device_losses(const struct device *d, uint64_t *missed, uint64_t *no_memory);
/** The descriptor of a queue's receive interrupt, or -1. */
int device_interrupt(const struct device *d, uint16_t queue);

#endif
