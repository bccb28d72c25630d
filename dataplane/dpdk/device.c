/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening a device so that what it cannot do is known at once, and said with what to do about it.
 *
 * A PCI device is checked in /sys before DPDK sees it, as DPDK's errors do not tell the reason.
 * Then it is plugged in, configured for as many queues as there are workers, and its RSS is set and
 * read back: a device may accept the setting and not follow it (rss.c judges that). Receive
 * interrupts are tried, and given up if the device refuses them. The members of a bond are opened
 * before it.
 */
#include "dataplane/dpdk/device.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_lcore.h>

#include "base/log.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/rss.h"

#define QUEUE_LEN      1024u /* descriptors of a queue: about 70 us of 64-byte frames at 10 Gbit/s */
#define QUEUE_LEAST    64u
#define SOCKET_NAME    "net_af_packet_" /* of those that we open: the interface's follows */
#define SOCKET_MTU     1964u /* a frame of 2,048 bytes of AF_PACKET's ring has room for this */
#define RETA_MAX       2048u /* entries of a redirection table; larger ones are left as they are */
#define RSS_FLOWS_USED (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP)

static void pci_driver(const char *address, char out[64])
{
	char path[128], link[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.20s/driver", address);
	n = readlink(path, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = 0;
	snprintf(out, 64, "%.63s", strrchr(link, '/') ? strrchr(link, '/') + 1 : "");
}

/*
 * Check a PCI device for the usual errors. Some drivers (mlx) stay with the kernel and share
 * the device.
 */
static int check_pci(const char *address, struct driver_reason *reason)
{
	char path[128], driver[64];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.20s", address);
	if (access(path, F_OK))
		return driver_set_reason(reason, -ENODEV,
		                         "there is no PCI device %s: weir nic lists them", address);
	pci_driver(address, driver);
	if (!strcmp(driver, "mlx5_core") || !strcmp(driver, "mlx4_core") ||
	    !strcmp(driver, "uio_pci_generic") || !strcmp(driver, "igb_uio"))
		return 0;
	if (strcmp(driver, "vfio-pci") != 0)
		return driver_set_reason(
		        reason, -EBUSY,
		        "%s is driven by %s: bind it to vfio-pci (weir nic says how)", address,
		        *driver ? driver : "nothing");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.20s/iommu_group", address);
	if (access(path, F_OK))
		return driver_set_reason(
		        reason, -ENODEV,
		        "%s has no IOMMU group: boot with intel_iommu=on or amd_iommu=on, and enable "
		        "the IOMMU in the firmware",
		        address);
	return 0;
}

int device_ready(const struct model_port *port, struct driver_reason *reason)
{
	char address[MODEL_PCI_MAX];
	int err = 0;

	for (uint32_t i = 0; !err && model_device_pci(port->device, i, address); i++)
		err = check_pci(address, reason);
	return err;
}

static int plug_failed(const struct device *d, int err, struct driver_reason *reason)
{
	if (!strcmp(d->bus, "pci"))
		return driver_set_reason(
		        reason, err,
		        "%s cannot be opened: %s. Usual reasons: vfio_iommu_type1 is not loaded, "
		        "another device of its IOMMU group is still with a kernel driver, "
		        "/dev/vfio is not readable, or DPDK has no driver for it",
		        d->name, strerror(-err));
	return driver_set_reason(
	        reason, err, "%s cannot be opened: %s; check its arguments, CAP_NET_RAW and memory",
	        d->name, strerror(-err));
}

static int plug_device(struct device *d, const char *arguments, struct driver_reason *reason)
{
	int err = rte_eal_hotplug_add(d->bus, d->name, arguments);

	if (!err) {
		err = rte_eth_dev_get_port_by_name(d->name, &d->id);
		if (err)
			(void)rte_eal_hotplug_remove(d->bus, d->name);
	}
	return err ? plug_failed(d, err, reason) : 0;
}

static void unplug_members(struct device *d)
{
	while (d->n_members)
		(void)rte_eal_hotplug_remove("pci", d->members[--d->n_members]);
}

/*
 * A bond polls the link of members that say they have no link interrupts. DPDK's drivers of the
 * e1000 family say that they have them, but with MSI-X, which vfio gives them, none comes: the bond
 * would keep sending by a link that is gone. So the flag is cleared for them.
 */
static void poll_link(const char *name)
{
	struct rte_eth_dev_info info = { 0 };
	uint16_t id;

	if (rte_eth_dev_get_port_by_name(name, &id) || rte_eth_dev_info_get(id, &info) ||
	    strncmp(info.driver_name, "net_e1000", strlen("net_e1000")) != 0)
		return;
	*(uint32_t *)(uintptr_t)info.dev_flags &= ~RTE_ETH_DEV_INTR_LSC;
}

static int plug_member(struct device *d, const char *address, struct driver_reason *reason)
{
	int err;

	if (d->n_members == DEVICE_MEMBERS_MAX)
		return driver_set_reason(reason, -E2BIG, "%s has more than %u members", d->name,
		                         DEVICE_MEMBERS_MAX);
	err = check_pci(address, reason);
	if (err)
		return err;
	err = rte_eal_hotplug_add("pci", address, "");
	if (err)
		return driver_set_reason(reason, err, "%s, a member of %s, cannot be opened: %s",
		                         address, d->name, strerror(-err));
	poll_link(address);
	snprintf(d->members[d->n_members++], sizeof(d->members[0]), "%s", address);
	return 0;
}

/* The PCI devices that a bond's arguments name must be there before it. */
static int plug_members(struct device *d, const char *device, struct driver_reason *reason)
{
	char address[MODEL_PCI_MAX];
	int err = 0;

	for (uint32_t i = 0; !err && model_device_pci(device, i, address); i++)
		err = plug_member(d, address, reason);
	if (err)
		unplug_members(d);
	return err;
}

static uint16_t at_most(uint32_t a, uint16_t b)
{
	return a < b ? (uint16_t)a : b;
}

/*
 * How many receive queues are of use. A NIC with several queues that cannot hash puts all frames
 * into the first one (e1000e), so it counts as one. Virtual devices and virtio spread by rules of
 * their own.
 */
static uint16_t receive_queues(bool is_pci, const struct rte_eth_dev_info *info)
{
	bool hashes = (RSS_FLOWS_USED & info->flow_type_rss_offloads) != 0;

	if (hashes || !is_pci || !strcmp(info->driver_name, "net_virtio"))
		return info->max_rx_queues;
	return 1;
}

/*
 * What DPDK says about the device @p name. On failure @p info is not filled, not even the
 * driver's name.
 */
static int member_info(const char *name, struct rte_eth_dev_info *info)
{
	uint16_t id;
	int err = rte_eth_dev_get_port_by_name(name, &id);

	return err ? err : rte_eth_dev_info_get(id, info);
}

/*
 * A bond can do what all of its members can, but says so only after they have joined: so they are
 * asked.
 */
static int device_info(const struct device *d, struct rte_eth_dev_info *info)
{
	int err = rte_eth_dev_info_get(d->id, info);

	if (err)
		return err;
	info->max_rx_queues = receive_queues(!strcmp(d->bus, "pci"), info);
	for (uint32_t i = 0; i < d->n_members; i++) {
		struct rte_eth_dev_info member = { 0 };

		err = member_info(d->members[i], &member);
		if (err)
			return err;
		info->max_rx_queues = at_most(receive_queues(true, &member), info->max_rx_queues);
		info->max_tx_queues = at_most(member.max_tx_queues, info->max_tx_queues);
		info->flow_type_rss_offloads &= member.flow_type_rss_offloads;
		info->max_mtu = at_most(member.max_mtu, info->max_mtu);
	}
	return 0;
}

/*
 * The longest IP packet, up to @p mtu, that the device has frames for. A virtual one may say that it has
 * none and take them all the same, as an AF_PACKET socket does up to its framesz: the kernel cuts what
 * is longer.
 */
static void set_mtu(struct device *d, const struct rte_eth_dev_info *info, uint16_t mtu,
                    struct rte_eth_conf *conf)
{
	uint32_t longest = info->max_rx_pktlen - RTE_ETHER_HDR_LEN - RTE_ETHER_CRC_LEN;
	uint16_t said = at_most(longest, at_most(info->max_mtu, mtu));

	if (said > RTE_ETHER_MTU)
		conf->rxmode.mtu = said;
	d->mtu = strcmp(d->bus, "pci") && !d->is_bond ? mtu : said;
	if (!strncmp(d->name, SOCKET_NAME, strlen(SOCKET_NAME)))
		d->mtu = at_most(SOCKET_MTU, mtu);
}

/*
 * Fast free returns sent buffers to their pool all at once. It needs buffers of one pool with no
 * other owner. Ours are so on a machine with one socket; but a bond sends frames of its own, and
 * one frame by several members.
 */
static uint64_t send_offloads(const struct device *d, const struct rte_eth_dev_info *info)
{
	if (d->is_bond || rte_socket_count() != 1)
		return 0;
	return info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
}

/* Configure the device by what it can do, first with receive interrupts, then without. */
static int configure_device(struct device *d, uint32_t n_workers, uint16_t mtu)
{
	struct rte_eth_conf conf = { 0 };
	struct rte_eth_dev_info info;
	int err = device_info(d, &info);

	if (err)
		return err;
	if (!strcmp(info.driver_name, "net_af_packet"))
		d->ifindex = info.if_index;
	d->n_rx = at_most(n_workers, info.max_rx_queues);
	d->n_tx = at_most(n_workers, info.max_tx_queues);
	conf.rx_adv_conf.rss_conf.rss_hf = RSS_FLOWS_USED & info.flow_type_rss_offloads;
	d->rss = d->n_rx > 1 ? conf.rx_adv_conf.rss_conf.rss_hf : 0;
	if (d->rss)
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	set_mtu(d, &info, mtu, &conf);
	if (!strcmp(info.driver_name, "net_virtio"))
		conf.rxmode.offloads |= info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	d->filters_vlans = conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	conf.txmode.offloads = send_offloads(d, &info);
	conf.intr_conf.rxq = 1;
	d->interrupts = true;
	err = rte_eth_dev_configure(d->id, d->n_rx, d->n_tx, &conf);
	if (!err)
		return 0;
	conf.intr_conf.rxq = 0;
	d->interrupts = false;
	return rte_eth_dev_configure(d->id, d->n_rx, d->n_tx, &conf);
}

/*
 * The NUMA node whose memory the queues take: the device's; any, where DPDK has no memory of that
 * node because none of its CPUs runs.
 */
static int queue_socket(const struct device *d)
{
	int socket = rte_eth_dev_socket_id(d->id);

	for (unsigned int i = 0; i < rte_socket_count(); i++)
		if (rte_socket_id_by_idx(i) == socket)
			return socket;
	return SOCKET_ID_ANY;
}

/*
 * A bond gives each of its members as many queues; an AF_PACKET socket copies at once. @return buffers that the queues may
 * keep
 */
static unsigned int count_kept(const struct device *d, uint16_t n_rx, uint16_t n_tx)
{
	if (d->ifindex)
		return 0;
	return (unsigned int)(d->n_rx * n_rx + d->n_tx * n_tx) * (d->n_members ? d->n_members : 1);
}

/* How long the queues are: shorter ones where the pool has not enough buffers for all. */
static int size_queues(struct device *d, uint16_t *n_rx, uint16_t *n_tx)
{
	for (d->queue_len = QUEUE_LEN; d->queue_len >= QUEUE_LEAST; d->queue_len /= 2) {
		unsigned int n;
		int err;

		*n_rx = *n_tx = d->queue_len;
		err = rte_eth_dev_adjust_nb_rx_tx_desc(d->id, n_rx, n_tx);
		if (err)
			return err;
		n = count_kept(d, *n_rx, *n_tx);
		if (n && !eal_keep_in_rings(n))
			continue;
		d->n_kept = n;
		return 0;
	}
	return -ENOMEM;
}

static int set_up_queues(struct device *d)
{
	int socket = queue_socket(d), err;
	struct rte_mempool *pool = eal_pool(socket);
	uint16_t n_rx, n_tx;

	if (!pool)
		return -ENOMEM;
	err = size_queues(d, &n_rx, &n_tx);
	for (uint16_t q = 0; !err && q < d->n_rx; q++)
		err = rte_eth_rx_queue_setup(d->id, q, n_rx, (unsigned int)socket, NULL, pool);
	for (uint16_t q = 0; !err && q < d->n_tx; q++)
		err = rte_eth_tx_queue_setup(d->id, q, n_tx, (unsigned int)socket, NULL);
	return err;
}

/*
 * The host of a virtio NIC drops frames of VLANs that are not in its filter (virtio 1.2,
 * 5.1.6.5.3), so all VLANs are added. Promiscuous mode would also give us frames that a switch
 * floods for others.
 */
static void add_vlan_filters(struct device *d)
{
	for (uint16_t vlan = 0; d->filters_vlans && vlan < RTE_ETHER_MAX_VLAN_ID; vlan++)
		if (rte_eth_dev_vlan_filter(d->id, vlan, 1)) {
			log_warn("vlans-not-taken", "device=%s vlan=%u", d->name, vlan);
			return;
		}
}

/* Ask the kernel about its interface @p ifindex. @return 0 or -errno */
static int query_kernel(uint32_t ifindex, unsigned long what, struct ifreq *r)
{
	int s, err;

	if (!if_indextoname(ifindex, r->ifr_name))
		return -errno;
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -errno;
	err = ioctl(s, what, r) ? -errno : 0;
	close(s);
	return err;
}

/*
 * DPDK starts a device with the MAC address that it had when it was opened. For an AF_PACKET socket
 * that would set the address of the kernel's interface back, if udev or a network manager has
 * changed it meanwhile: neighbours would send to the new one in vain. So the current address is set
 * before the start.
 */
static int sync_mac(const struct device *d)
{
	struct rte_ether_addr has, was;
	struct ifreq r = { 0 };
	int err;

	if (!d->ifindex)
		return 0;
	err = query_kernel(d->ifindex, SIOCGIFHWADDR, &r);
	memcpy(has.addr_bytes, r.ifr_hwaddr.sa_data, sizeof(has.addr_bytes));
	if (!err)
		err = rte_eth_macaddr_get(d->id, &was);
	if (err || rte_is_same_ether_addr(&has, &was))
		return err;
	return rte_eth_dev_default_mac_addr_set(d->id, &has);
}

/*
 * Interrupts count only if the first queue can turn them on: some drivers accept the setting and
 * have none.
 */
static int start_device(struct device *d, uint32_t n_workers, uint16_t mtu)
{
	struct rte_ether_addr mac;
	int err = configure_device(d, n_workers, mtu);

	if (!err)
		err = set_up_queues(d);
	if (!err)
		err = sync_mac(d);
	if (!err)
		err = rte_eth_dev_start(d->id);
	if (err)
		return err;
	if (d->interrupts && rte_eth_dev_rx_intr_enable(d->id, 0))
		d->interrupts = false;
	if (d->interrupts)
		(void)rte_eth_dev_rx_intr_disable(d->id, 0);
	(void)rte_eth_allmulticast_enable(d->id); /* neighbour discovery */
	add_vlan_filters(d);
	err = rte_eth_macaddr_get(d->id, &mac);
	memcpy(d->mac, mac.addr_bytes, sizeof(d->mac));
	(void)device_link_changed(d);
	return err;
}

/*
 * Give each receive queue the same number of entries, where the device lets us; then read the
 * table back.
 */
static void spread_table(const struct device *d, uint16_t n_entries, struct rss_seen *seen)
{
	struct rte_eth_rss_reta_entry64 table[RETA_MAX / RTE_ETH_RETA_GROUP_SIZE];

	if (!n_entries || n_entries > RETA_MAX)
		return;
	for (uint16_t i = 0; i < n_entries; i++)
		table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] = i % d->n_rx;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		table[i].mask = UINT64_MAX;
	(void)rte_eth_dev_rss_reta_update(d->id, table, n_entries);
	if (rte_eth_dev_rss_reta_query(d->id, table, n_entries))
		return;
	for (uint16_t i = 0; i < n_entries; i++)
		rss_entry(seen,
		          table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE]);
}

static uint32_t flows_of(uint64_t rss)
{
	static const uint64_t flags[RSS_FLOW_COUNT] = {
		[RSS_TCP4] = RTE_ETH_RSS_NONFRAG_IPV4_TCP,
		[RSS_TCP6] = RTE_ETH_RSS_NONFRAG_IPV6_TCP,
		[RSS_UDP4] = RTE_ETH_RSS_NONFRAG_IPV4_UDP,
		[RSS_UDP6] = RTE_ETH_RSS_NONFRAG_IPV6_UDP,
		[RSS_IP4] = RTE_ETH_RSS_IPV4,
		[RSS_IP6] = RTE_ETH_RSS_IPV6,
	};
	uint32_t flows = 0;

	for (uint32_t i = 0; i < RSS_FLOW_COUNT; i++)
		flows |= (uint32_t)((rss & flags[i]) != 0) << i;
	return flows;
}

/* Read back what RSS does, as the device says, and let rss.c judge it. */
static void check_rss(const struct device *d, struct driver_reason *reason)
{
	struct rss_seen seen = { .requested = flows_of(d->rss), .n_queues = d->n_rx };
	struct rte_eth_rss_conf conf = { 0 };
	struct rte_eth_dev_info info;
	char wrong[DRIVER_REASON_MAX / 2];

	if (!d->rss || rte_eth_dev_info_get(d->id, &info))
		return;
	spread_table(d, info.reta_size, &seen);
	seen.hash_known = !rte_eth_dev_rss_hash_conf_get(d->id, &conf);
	seen.got = flows_of(conf.rss_hf);
	log_note("rss-read-back", "device=%s queues=%u requested=%#x hashed=%#x entries=%u",
	         d->name, seen.n_queues, seen.requested, seen.got, seen.n_entries);
	rss_judge(&seen, wrong, sizeof(wrong));
	if (*wrong)
		driver_set_reason(reason, 0, "%s: %s", d->name, wrong);
}

/* Report what a working device lacks. */
static void report_lacks(const struct device *d, uint32_t n_workers, struct driver_reason *reason)
{
	check_rss(d, reason);
	if (d->n_rx < n_workers)
		driver_set_reason(
		        reason, 0,
		        "%s has %u receive queues for %u workers: workers hand frames over, which costs "
		        "time; name fewer dpdk.cores, or use a NIC with more queues",
		        d->name, d->n_rx, n_workers);
	if (d->queue_len < QUEUE_LEN)
		driver_set_reason(
		        reason, 0,
		        "%s has queues of %u frames instead of %u, for want of buffers, so "
		        "it loses bursts sooner: raise dpdk.memory, or use fewer ports",
		        d->name, d->queue_len, QUEUE_LEN);
}

static void split_device_name(struct device *d, const struct model_port *port, uint32_t n_workers,
                              char *arguments, size_t size)
{
	const char *comma = strchr(port->device, ',');

	d->bus = model_device_is_pci(port->device) ? "pci" : "vdev";
	if (!*port->device) {
		snprintf(d->name, sizeof(d->name), SOCKET_NAME "%s", port->interface);
		snprintf(arguments, size, "iface=%s,qpairs=%u", port->interface, n_workers);
		return;
	}
	snprintf(d->name, sizeof(d->name), "%.*s", (int)strcspn(port->device, ","), port->device);
	snprintf(arguments, size, "%s", comma ? comma + 1 : "");
}

int device_open(struct device *d, const struct model_port *port, uint32_t n_workers, uint16_t mtu,
                struct driver_reason *reason)
{
	char arguments[512];
	int err = 0;

	memset(d, 0, sizeof(*d));
	split_device_name(d, port, n_workers, arguments, sizeof(arguments));
	if (!strcmp(d->bus, "pci"))
		err = check_pci(d->name, reason);
	d->is_bond = !strncmp(d->name, "net_bonding", strlen("net_bonding"));
	if (!err && d->is_bond)
		err = plug_members(d, port->device, reason);
	if (!err)
		err = plug_device(d, arguments, reason);
	if (err) {
		unplug_members(d);
		return err;
	}
	err = start_device(d, n_workers, mtu);
	if (!err) {
		report_lacks(d, n_workers, reason);
		return 0;
	}
	driver_set_reason(reason, err, "%s cannot be started: %s%s", d->name, strerror(-err),
	                  err == -ENOMEM ? " (raise dpdk.memory)" : "");
	device_close(d);
	return err;
}

void device_close(struct device *d)
{
	(void)rte_eth_dev_stop(d->id);
	(void)rte_eal_hotplug_remove(d->bus, d->name); /* closes it */
	unplug_members(d);
	eal_free_rings(d->n_kept);
	d->n_kept = 0;
}

static bool has_mac(const uint64_t *macs, size_t n, uint64_t mac)
{
	for (size_t i = 0; i < n; i++)
		if (macs[i] == mac)
			return true;
	return false;
}

static struct rte_ether_addr make_ether(uint64_t mac)
{
	struct rte_ether_addr a;

	memcpy(a.addr_bytes, &mac, sizeof(a.addr_bytes));
	return a;
}

/* Make the device's filter that of @p macs. @return whether all of them are in it */
static bool set_filter(struct device *d, const uint64_t *macs, size_t n)
{
	bool all = true;

	for (size_t i = 0; i < d->n_macs; i++) {
		struct rte_ether_addr a = make_ether(d->macs[i]);

		if (!has_mac(macs, n, d->macs[i]))
			(void)rte_eth_dev_mac_addr_remove(d->id, &a);
	}
	for (size_t i = 0; i < n; i++) {
		struct rte_ether_addr a = make_ether(macs[i]);

		if (memcmp(a.addr_bytes, d->mac, sizeof(d->mac)) != 0)
			all &= !rte_eth_dev_mac_addr_add(d->id, &a, 0);
	}
	memcpy(d->macs, macs, n * sizeof(*macs));
	d->n_macs = n;
	return all;
}

/*
 * A NIC drops frames for addresses that are not in its filter. Where it has no room for all, it is to
 * take every frame, as it would of the kernel's driver; the tables tell which are ours. An AF_PACKET
 * socket leaves the filter to the kernel.
 */
void device_accept_macs(struct device *d, const uint64_t *macs, size_t n)
{
	bool fits = n <= DEVICE_MACS_MAX;
	int err;

	n = fits ? n : DEVICE_MACS_MAX;
	if (d->ifindex || (n == d->n_macs && !memcmp(d->macs, macs, n * sizeof(*macs))))
		return;
	fits &= set_filter(d, macs, n);
	if (fits == !d->is_promiscuous)
		return;
	d->is_promiscuous = !fits;
	err = fits ? rte_eth_promiscuous_disable(d->id) : rte_eth_promiscuous_enable(d->id);
	log_warn("device-filter", "device=%s macs=%zu promiscuous=%d error=%d", d->name, n, !fits,
	         err);
}

/* DPDK's driver for AF_PACKET sockets says that the link is up, always: so the kernel is asked. */
bool device_link_changed(struct device *d)
{
	struct rte_eth_link link = { 0 };
	struct ifreq r = { 0 };
	bool was = d->up;

	if (d->ifindex) {
		if (!query_kernel(d->ifindex, SIOCGIFFLAGS, &r))
			d->up = r.ifr_flags & IFF_RUNNING;
	} else if (!rte_eth_link_get_nowait(d->id, &link)) {
		d->up = link.link_status == RTE_ETH_LINK_UP;
	}
	return d->up != was;
}

void device_losses(const struct device *d, uint64_t *missed, uint64_t *no_memory)
{
	struct rte_eth_stats stats = { 0 };

	(void)rte_eth_stats_get(d->id, &stats);
	*missed = stats.imissed;
	*no_memory = stats.rx_nombuf;
}

int device_interrupt(const struct device *d, uint16_t queue)
{
	return d->interrupts ? rte_eth_dev_rx_intr_ctl_q_get_fd(d->id, queue) : -1;
}
