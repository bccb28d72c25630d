/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Network devices of this machine, as sysfs shows them: PCI devices with their drivers, and
 * the kernel's other interfaces. Nothing is changed. Implemented in host/nic.c; any thread.
 */
#ifndef WEIR_NIC_H
#define WEIR_NIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

#define NIC_SYSFS   "/sys"
#define NIC_MAX     256u
#define NIC_USE_MAX 256u

/** What DPDK could do with it now. */
enum nic_dpdk {
	NIC_DPDK_READY,   /**< take it */
	NIC_DPDK_SHARED,  /**< take it beside the kernel's driver (bifurcated) */
	NIC_DPDK_BIND,    /**< take it once it is bound to vfio-pci */
	NIC_DPDK_IOMMU,   /**< nothing: it has no IOMMU group */
	NIC_DPDK_UNKNOWN, /**< perhaps, once bound: its kernel driver is none that Weir knows */
	NIC_DPDK_NO,      /**< no PCI device: AF_PACKET, for trials */
};

struct nic {
	char address[16]; /**< "0000:01:00.0"; "": no PCI device */
	char id[16];      /**< "8086:10d3" */
	char driver[32];  /**< bound to it; "": none */
	char interface[16];
	int numa;        /**< -1: not known */
	int iommu_group; /**< -1: none */
	enum nic_dpdk dpdk;
	bool xdp;        /**< its kernel driver runs XDP natively */
	const char *pmd; /**< DPDK's driver for it; NULL: not known */
	/** what Weir can do with it, in a sentence, and what to do for more */
	char use[NIC_USE_MAX];
};

/** List devices below @p sysfs (NIC_SYSFS), PCI first. @return how many, at most @p max */
size_t nic_list(const char *sysfs, struct nic *out, size_t max);
/** Look at the one at PCI address @p address. @return 0 or -ENODEV */
MUST_CHECK int nic_get(const char *sysfs, const char *address, struct nic *out);

#endif
