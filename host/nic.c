/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads /sys only, and opens no device: the driver a PCI device is bound to, its IOMMU group and
 * NUMA node, and a table of kernel drivers with DPDK's for the same hardware, which is as much as
 * can be said without DPDK on the host.
 */
#include "weir/nic.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLASS_NETWORK 0x02u /* PCI base class of network controllers */

/*
 * Kernel drivers, DPDK's for the same devices (Debian's libdpdk 22.11), and whether XDP is
 * native.
 */
static const struct known {
	const char *driver, *pmd;
	bool xdp, shared;
} known[] = {
	{ "atlantic", "net_atlantic", true, false }, { "bnx2x", "net_bnx2x", false, false },
	{ "bnxt_en", "net_bnxt", true, false },      { "cxgb4", "net_cxgbe", false, false },
	{ "e1000", "net_e1000_em", false, false },   { "e1000e", "net_e1000_em", false, false },
	{ "ena", "net_ena", true, false },           { "enic", "net_enic", false, false },
	{ "i40e", "net_i40e", true, false },         { "iavf", "net_iavf", false, false },
	{ "ice", "net_ice", true, false },           { "igb", "net_e1000_igb", true, false },
	{ "igc", "net_igc", true, false },           { "ixgbe", "net_ixgbe", true, false },
	{ "ixgbevf", "net_ixgbe_vf", true, false },  { "mlx4_core", "net_mlx4", true, true },
	{ "mlx5_core", "mlx5_pci", true, true },     { "nfp", "net_nfp_pf", true, false },
	{ "qede", "net_qede", true, false },         { "sfc", "net_sfc_efx", true, false },
	{ "virtio-pci", "net_virtio", true, false }, { "vmxnet3", "net_vmxnet3", false, false },
};

static const char *const user_drivers[] = { "vfio-pci", "uio_pci_generic", "igb_uio" };

/* The last part of where a link leads, "" where there is none. */
static void link_name(const char *path, char *out, size_t size)
{
	char to[PATH_MAX];
	ssize_t n = readlink(path, to, sizeof(to) - 1);

	to[n > 0 ? n : 0] = 0;
	const char *slash = strrchr(to, '/');
	snprintf(out, size, "%.*s", (int)size - 1, slash ? slash + 1 : to);
}

static long read_sysfs_number(const char *dir, const char *name, long otherwise)
{
	char path[PATH_MAX], text[32];
	long value = otherwise;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f)
		return value;
	if (fgets(text, sizeof(text), f))
		value = strtol(text, NULL, 0);
	fclose(f);
	return value;
}

/* The first entry of a directory. @return whether there is one */
static bool first_entry(const char *path, char *out, size_t size)
{
	DIR *dir = opendir(path);
	struct dirent *e = NULL;

	while (dir && (e = readdir(dir)) && e->d_name[0] == '.')
		;
	if (e)
		snprintf(out, size, "%.*s", (int)size - 1, e->d_name);
	if (dir)
		closedir(dir);
	return e != NULL;
}

/* The kernel's interface of a device; virtio's lies one level deeper. */
static void find_interface(const char *device, struct nic *n)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/net", device);
	if (first_entry(path, n->interface, sizeof(n->interface)))
		return;
	for (int i = 0; i < 64 && !*n->interface; i++) {
		snprintf(path, sizeof(path), "%s/virtio%d/net", device, i);
		(void)first_entry(path, n->interface, sizeof(n->interface));
	}
}

static const struct known *find_known(const char *driver)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(known[i].driver, driver))
			return &known[i];
	return NULL;
}

static bool is_user_driver(const char *driver)
{
	for (size_t i = 0; i < sizeof(user_drivers) / sizeof(user_drivers[0]); i++)
		if (!strcmp(user_drivers[i], driver))
			return true;
	return false;
}

static enum nic_dpdk choose_dpdk_use(const struct nic *n, const struct known *k)
{
	if (k && k->shared)
		return NIC_DPDK_SHARED;
	if (!strcmp(n->driver, "vfio-pci"))
		return n->iommu_group < 0 ? NIC_DPDK_IOMMU : NIC_DPDK_READY;
	if (is_user_driver(n->driver))
		return NIC_DPDK_READY;
	if (n->iommu_group < 0)
		return NIC_DPDK_IOMMU;
	return k ? NIC_DPDK_BIND : NIC_DPDK_UNKNOWN;
}

/* One sentence for each case, with the setting or the boot option that the person needs next. */
static void describe_use(struct nic *n)
{
	const char *xdp = n->xdp          ? "XDP natively"
	                  : *n->interface ? "XDP in its generic mode"
	                                  : "no XDP";

	switch (n->dpdk) {
	case NIC_DPDK_READY:
		snprintf(n->use, sizeof(n->use), "DPDK: device = \"%s\"", n->address);
		break;
	case NIC_DPDK_SHARED:
		snprintf(n->use, sizeof(n->use),
		         "DPDK together with the kernel driver: device = \"%s\"; %s", n->address,
		         xdp);
		break;
	case NIC_DPDK_BIND:
	case NIC_DPDK_UNKNOWN:
		snprintf(n->use, sizeof(n->use), "%s; DPDK once it is bound to vfio-pci%s", xdp,
		         n->dpdk == NIC_DPDK_BIND ? "" : ", if DPDK has a driver for it");
		break;
	case NIC_DPDK_IOMMU:
		snprintf(n->use, sizeof(n->use),
		         "%s; no DPDK: no IOMMU group (boot with intel_iommu=on or amd_iommu=on)",
		         xdp);
		break;
	case NIC_DPDK_NO:
		snprintf(n->use, sizeof(n->use),
		         "XDP if its driver supports it; DPDK over AF_PACKET, for trials");
	}
}

/* Files that are absent leave their fields empty: virtual machines lack many of them. */
static void read_device(const char *sysfs, const char *address, struct nic *n)
{
	char device[PATH_MAX / 2], path[PATH_MAX], group[16];
	const struct known *k;

	*n = (struct nic){ .iommu_group = -1 };
	snprintf(n->address, sizeof(n->address), "%.15s", address);
	snprintf(device, sizeof(device), "%s/bus/pci/devices/%.15s", sysfs, address);
	snprintf(n->id, sizeof(n->id), "%04lx:%04lx",
	         read_sysfs_number(device, "vendor", 0) & 0xffff,
	         read_sysfs_number(device, "device", 0) & 0xffff);
	snprintf(path, sizeof(path), "%s/driver", device);
	link_name(path, n->driver, sizeof(n->driver));
	snprintf(path, sizeof(path), "%s/iommu_group", device);
	link_name(path, group, sizeof(group));
	if (*group)
		n->iommu_group = atoi(group);
	n->numa = (int)read_sysfs_number(device, "numa_node", -1);
	find_interface(device, n);
	k = find_known(n->driver);
	n->pmd = k ? k->pmd : NULL;
	n->xdp = k && k->xdp;
	n->dpdk = choose_dpdk_use(n, k);
	describe_use(n);
}

static bool is_network(const char *sysfs, const char *address)
{
	char device[PATH_MAX];

	snprintf(device, sizeof(device), "%s/bus/pci/devices/%s", sysfs, address);
	return (unsigned long)read_sysfs_number(device, "class", 0) >> 16 == CLASS_NETWORK;
}

static int by_address(const void *a, const void *b)
{
	const struct nic *x = a, *y = b;

	return strcmp(x->address, y->address);
}

static size_t list_pci(const char *sysfs, struct nic *out, size_t max)
{
	char path[PATH_MAX];
	struct dirent *e;
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/bus/pci/devices", sysfs);
	dir = opendir(path);
	while (dir && n < max && (e = readdir(dir)))
		if (e->d_name[0] != '.' && is_network(sysfs, e->d_name))
			read_device(sysfs, e->d_name, &out[n++]);
	if (dir)
		closedir(dir);
	qsort(out, n, sizeof(*out), by_address);
	return n;
}

static bool is_listed(const struct nic *nics, size_t n, const char *interface)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(nics[i].interface, interface))
			return true;
	return !strcmp(interface, "lo");
}

size_t nic_list(const char *sysfs, struct nic *out, size_t max)
{
	size_t n = list_pci(sysfs, out, max);
	char path[PATH_MAX];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/class/net", sysfs);
	dir = opendir(path);
	while (dir && n < max && (e = readdir(dir))) {
		if (e->d_name[0] == '.' || is_listed(out, n, e->d_name))
			continue;
		out[n] = (struct nic){ .numa = -1, .iommu_group = -1, .dpdk = NIC_DPDK_NO };
		snprintf(out[n].interface, sizeof(out[n].interface), "%.15s", e->d_name);
		describe_use(&out[n++]);
	}
	if (dir)
		closedir(dir);
	return n;
}

int nic_get(const char *sysfs, const char *address, struct nic *out)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s", sysfs, address);
	if (access(path, F_OK))
		return -ENODEV;
	read_device(sysfs, address, out);
	return 0;
}
