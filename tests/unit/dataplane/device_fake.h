/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices of DPDK's, what they are asked and what they say, and what the kernel says of PCI devices. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_DEVICE_FAKE_H
#define WEIR_TESTS_UNIT_DATAPLANE_DEVICE_FAKE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>

#include "dataplane/dpdk/eal.h"
#include "tests/unit/answers.h"
#include "tests/unit/dataplane/dpdk_answers.h"
#include "tests/unit/dataplane/noted.h"

#define DEVICES 40

/* A device; its number is its place. */
struct fake {
	const char *name; /* NULL: there is none */
	struct rte_eth_dev_info info;
	uint32_t flags;
	struct rte_ether_addr mac;
	bool is_plugged, is_up;
};

static struct {
	struct fake devices[DEVICES];
	/* what is answered; 0: fine */
	int plug_err, find_err, info_err, configure_err, queue_err, start_err, intr_err,
	        vlan_err_at, mac_err, link_err, reta_err, hash_err;
	uint16_t info_err_of; /* 0: of any device */
	bool needs_no_interrupts, keeps_table, any_length;
	unsigned int n_sockets; /* from first_socket on */
	int first_socket, device_socket,
	        queue_socket; /* queue_socket: what its queues are to be of */
	uint64_t hashed;
	uint16_t table[RTE_ETH_RSS_RETA_SIZE_512 * 4];
	int mac_add_err_at;     /* of the address that ends in this */
	const char *pci_driver; /* NULL: none is bound */
	bool pci_missing, no_group;
	/* the arguments of the calls */
	char log[16384];
	struct rte_eth_conf conf;
	unsigned int n_vlans, n_configures;
	int interrupts;
} scene;
static struct fake *fake_named(const char *name)
{
	for (int i = 0; i < DEVICES; i++)
		if (scene.devices[i].name && !strcmp(scene.devices[i].name, name))
			return &scene.devices[i];
	return NULL;
}

static int own_rte_eal_hotplug_add(const char *bus, const char *name, const char *arguments)
{
	note("add %s %s '%s'; ", bus, name, arguments);
	if (scene.plug_err || !fake_named(name))
		return scene.plug_err ? scene.plug_err : -ENODEV;
	fake_named(name)->is_plugged = true;
	return 0;
}

static int own_rte_eal_hotplug_remove(const char *bus, const char *name)
{
	note("remove %s %s; ", bus, name);
	fake_named(name)->is_plugged = false;
	return 0;
}

static int own_rte_eth_dev_get_port_by_name(const char *name, uint16_t *id)
{
	if (scene.find_err || !fake_named(name))
		return scene.find_err ? scene.find_err : -ENODEV;
	*id = (uint16_t)(fake_named(name) - scene.devices);
	return 0;
}

/* As DPDK's: who fails leaves zeros. */
static int own_rte_eth_dev_info_get(uint16_t id, struct rte_eth_dev_info *out)
{
	memset(out, 0, sizeof(*out));
	if (scene.info_err && (!scene.info_err_of || scene.info_err_of == id))
		return scene.info_err;
	*out = scene.devices[id].info;
	out->dev_flags = &scene.devices[id].flags;
	return 0;
}

static int own_rte_eth_dev_configure(uint16_t id, uint16_t n_rx, uint16_t n_tx,
                                     const struct rte_eth_conf *conf)
{
	(void)id;
	scene.n_configures++;
	scene.conf = *conf;
	note("configure %u %u; ", n_rx, n_tx);
	if (scene.needs_no_interrupts && conf->intr_conf.rxq)
		return -ENOTSUP;
	return scene.configure_err;
}

static int own_rte_eth_dev_adjust_nb_rx_tx_desc(uint16_t id, uint16_t *n_rx, uint16_t *n_tx)
{
	(void)id;
	if (scene.any_length)
		return 0;
	assert_int_equal(*n_rx, 1024);
	assert_int_equal(*n_tx, 1024);
	*n_rx = 512;
	*n_tx = 256;
	return 0;
}

static int own_rte_eth_rx_queue_setup(uint16_t id, uint16_t queue, uint16_t n, unsigned int socket,
                                      const struct rte_eth_rxconf *conf, struct rte_mempool *pool)
{
	(void)conf;
	assert_ptr_equal(pool, eal_pool(scene.queue_socket));
	assert_int_equal((int)socket, scene.queue_socket);
	note("rx %u.%u %u; ", id, queue, n);
	return scene.queue_err;
}

static int own_rte_eth_tx_queue_setup(uint16_t id, uint16_t queue, uint16_t n, unsigned int socket,
                                      const struct rte_eth_txconf *conf)
{
	(void)conf;
	assert_int_equal((int)socket, scene.queue_socket);
	note("tx %u.%u %u; ", id, queue, n);
	return 0;
}

static int own_rte_eth_dev_start(uint16_t id)
{
	note("start %u; ", id);
	return scene.start_err;
}

static int own_rte_eth_dev_stop(uint16_t id)
{
	note("stop %u; ", id);
	return 0;
}

static int own_rte_eth_dev_rx_intr_enable(uint16_t id, uint16_t queue)
{
	(void)id;
	(void)queue;
	__atomic_fetch_add(&scene.interrupts, 1, __ATOMIC_RELAXED); /* by all workers */
	return scene.intr_err;
}

static int own_rte_eth_dev_rx_intr_disable(uint16_t id, uint16_t queue)
{
	(void)id;
	(void)queue;
	__atomic_fetch_sub(&scene.interrupts, 1, __ATOMIC_RELAXED);
	return 0;
}

static int own_rte_eth_allmulticast_enable(uint16_t id)
{
	note("multicast %u; ", id);
	return 0;
}

static int own_rte_eth_dev_vlan_filter(uint16_t id, uint16_t vlan, int on)
{
	(void)id;
	assert_int_equal(on, 1);
	assert_int_equal(vlan, scene.n_vlans);
	scene.n_vlans++;
	return scene.vlan_err_at && vlan == scene.vlan_err_at ? -ENOSPC : 0;
}

static int own_rte_eth_macaddr_get(uint16_t id, struct rte_ether_addr *out)
{
	*out = scene.devices[id].mac;
	return scene.mac_err;
}

static int own_rte_eth_dev_default_mac_addr_set(uint16_t id, struct rte_ether_addr *mac)
{
	note("mac %02x; ", mac->addr_bytes[5]);
	scene.devices[id].mac = *mac;
	return 0;
}

static int own_rte_eth_dev_mac_addr_add(uint16_t id, struct rte_ether_addr *mac, uint32_t group)
{
	assert_int_equal(group, 0);
	note("add %u %02x; ", id, mac->addr_bytes[5]);
	return mac->addr_bytes[5] == scene.mac_add_err_at ? -ENOSPC : 0;
}

static int own_rte_eth_dev_mac_addr_remove(uint16_t id, struct rte_ether_addr *mac)
{
	note("remove %u %02x; ", id, mac->addr_bytes[5]);
	return 0;
}

static int own_rte_eth_promiscuous_enable(uint16_t id)
{
	note("all %u; ", id);
	return 0;
}

static int own_rte_eth_promiscuous_disable(uint16_t id)
{
	note("ours %u; ", id);
	return 0;
}

static int own_rte_eth_link_get_nowait(uint16_t id, struct rte_eth_link *out)
{
	out->link_status = scene.devices[id].is_up;
	return scene.link_err;
}

static int own_rte_eth_dev_rss_reta_update(uint16_t id, struct rte_eth_rss_reta_entry64 *t,
                                           uint16_t n)
{
	(void)id;
	for (uint16_t i = 0; i < n && !scene.keeps_table; i++) {
		assert_true(t[i / 64].mask >> (i % 64) & 1);
		scene.table[i] = t[i / 64].reta[i % 64];
	}
	return 0;
}

static int own_rte_eth_dev_rss_reta_query(uint16_t id, struct rte_eth_rss_reta_entry64 *t,
                                          uint16_t n)
{
	(void)id;
	for (uint16_t i = 0; i < n; i++) {
		assert_true(t[i / 64].mask >> (i % 64) & 1);
		t[i / 64].reta[i % 64] = scene.table[i];
	}
	return scene.reta_err;
}

static int own_rte_eth_dev_rss_hash_conf_get(uint16_t id, struct rte_eth_rss_conf *out)
{
	(void)id;
	out->rss_hf = scene.hashed;
	return scene.hash_err;
}

static int own_rte_eth_stats_get(uint16_t id, struct rte_eth_stats *out)
{
	*out = (struct rte_eth_stats){
		.imissed = 100u + id, .rx_nombuf = 200u + id, .ierrors = 7, .ipackets = 8
	};
	return 0;
}

static int own_rte_eth_dev_rx_intr_ctl_q_get_fd(uint16_t id, uint16_t queue)
{
	return 1000 + 10 * id + queue;
}

static int own_rte_eth_dev_socket_id(uint16_t id)
{
	(void)id;
	return scene.device_socket;
}

static unsigned int own_rte_socket_count(void)
{
	return scene.n_sockets;
}

static int own_rte_socket_id_by_idx(unsigned int i)
{
	return scene.first_socket + (int)i;
}

static int own_access(const char *path, int mode)
{
	if (!strstr(path, "/sys/bus/pci/devices/0000:"))
		return __real_access(path, mode);
	if (strstr(path, "/iommu_group") ? scene.no_group : scene.pci_missing)
		return -1;
	return 0;
}

static ssize_t own_readlink(const char *path, char *out, size_t size)
{
	if (!strstr(path, "/sys/bus/pci/devices/0000:"))
		return __real_readlink(path, out, size);
	assert_non_null(strstr(path, "/driver"));
	if (!scene.pci_driver)
		return -1;
	return snprintf(out, size, "../../../bus/pci/drivers/%s", scene.pci_driver);
}

#define HASHES    (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP)
#define FAST_FREE RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE

static inline struct fake *add_device(int id, const char *name, const char *driver)
{
	scene.devices[id] =
	        (struct fake){ .name = name,
		               .info = { .driver_name = driver,
		                         .max_rx_queues = 4,
		                         .max_tx_queues = 8,
		                         .max_mtu = 9000,
		                         .max_rx_pktlen = 9018,
		                         .flow_type_rss_offloads = HASHES | RTE_ETH_RSS_SCTP,
		                         .tx_offload_capa = FAST_FREE | RTE_ETH_TX_OFFLOAD_TCP_TSO,
		                         .rx_offload_capa = RTE_ETH_RX_OFFLOAD_VLAN_FILTER },
		               .mac = { { 2, 0, 0, 0, 0, (uint8_t)(id + 1) } },
		               .is_up = true };
	return &scene.devices[id];
}

/* No device is there yet. */
static inline void reset_devices(void)
{
	memset(&scene, 0, sizeof(scene));
	scene.n_sockets = 1;
	scene.first_socket = scene.device_socket = scene.queue_socket = 3;
	scene.pci_driver = "vfio-pci";
	scene.hashed = HASHES;
}

/* From now on these calls are answered here. */
static inline void answer_devices(void)
{
	answer_access = own_access;
	answer_readlink = own_readlink;
	answer_rte_eal_hotplug_add = own_rte_eal_hotplug_add;
	answer_rte_eal_hotplug_remove = own_rte_eal_hotplug_remove;
	answer_rte_eth_allmulticast_enable = own_rte_eth_allmulticast_enable;
	answer_rte_eth_dev_adjust_nb_rx_tx_desc = own_rte_eth_dev_adjust_nb_rx_tx_desc;
	answer_rte_eth_dev_configure = own_rte_eth_dev_configure;
	answer_rte_eth_dev_default_mac_addr_set = own_rte_eth_dev_default_mac_addr_set;
	answer_rte_eth_dev_get_port_by_name = own_rte_eth_dev_get_port_by_name;
	answer_rte_eth_dev_info_get = own_rte_eth_dev_info_get;
	answer_rte_eth_dev_mac_addr_add = own_rte_eth_dev_mac_addr_add;
	answer_rte_eth_dev_mac_addr_remove = own_rte_eth_dev_mac_addr_remove;
	answer_rte_eth_dev_rss_hash_conf_get = own_rte_eth_dev_rss_hash_conf_get;
	answer_rte_eth_dev_rss_reta_query = own_rte_eth_dev_rss_reta_query;
	answer_rte_eth_dev_rss_reta_update = own_rte_eth_dev_rss_reta_update;
	answer_rte_eth_dev_rx_intr_ctl_q_get_fd = own_rte_eth_dev_rx_intr_ctl_q_get_fd;
	answer_rte_eth_dev_rx_intr_disable = own_rte_eth_dev_rx_intr_disable;
	answer_rte_eth_dev_rx_intr_enable = own_rte_eth_dev_rx_intr_enable;
	answer_rte_eth_dev_socket_id = own_rte_eth_dev_socket_id;
	answer_rte_eth_dev_start = own_rte_eth_dev_start;
	answer_rte_eth_dev_stop = own_rte_eth_dev_stop;
	answer_rte_eth_dev_vlan_filter = own_rte_eth_dev_vlan_filter;
	answer_rte_eth_link_get_nowait = own_rte_eth_link_get_nowait;
	answer_rte_eth_macaddr_get = own_rte_eth_macaddr_get;
	answer_rte_eth_promiscuous_disable = own_rte_eth_promiscuous_disable;
	answer_rte_eth_promiscuous_enable = own_rte_eth_promiscuous_enable;
	answer_rte_eth_rx_queue_setup = own_rte_eth_rx_queue_setup;
	answer_rte_eth_stats_get = own_rte_eth_stats_get;
	answer_rte_eth_tx_queue_setup = own_rte_eth_tx_queue_setup;
	answer_rte_socket_count = own_rte_socket_count;
	answer_rte_socket_id_by_idx = own_rte_socket_id_by_idx;
}

#endif
