/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices of DPDK's, and what the kernel says of PCI devices, in the test's hands. Includes dataplane/dpdk/device.c. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_DEVICE_SCENE_H
#define WEIR_TESTS_UNIT_DATAPLANE_DEVICE_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>

#include "tests/unit/dataplane/noted.h"

#define DEVICES 12

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
	bool needs_no_interrupts, no_pool, keeps_table, any_length;
	unsigned int buffers;           /* that queues may keep */
	unsigned int n_sockets;         /* from first_socket on; the device is of socket 3 */
	int first_socket, queue_socket; /* queue_socket: what its queues are to be of */
	uint64_t hashed;
	uint16_t table[RTE_ETH_RSS_RETA_SIZE_512 * 4];
	struct rte_ether_addr kernels_mac;
	bool kernel_is_up;
	int mac_add_err_at;     /* of the address that ends in this */
	const char *pci_driver; /* NULL: none is bound */
	bool pci_missing, no_group;
	/* what was asked */
	char log[4096];
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

static int fake_add(const char *bus, const char *name, const char *arguments)
{
	note("add %s %s '%s'; ", bus, name, arguments);
	if (scene.plug_err || !fake_named(name))
		return scene.plug_err ? scene.plug_err : -ENODEV;
	fake_named(name)->is_plugged = true;
	return 0;
}

static int fake_remove(const char *bus, const char *name)
{
	note("remove %s %s; ", bus, name);
	fake_named(name)->is_plugged = false;
	return 0;
}

static int fake_find(const char *name, uint16_t *id)
{
	if (scene.find_err || !fake_named(name))
		return scene.find_err ? scene.find_err : -ENODEV;
	*id = (uint16_t)(fake_named(name) - scene.devices);
	return 0;
}

/* As DPDK's: who fails leaves zeros. */
static int fake_info(uint16_t id, struct rte_eth_dev_info *out)
{
	memset(out, 0, sizeof(*out));
	if (scene.info_err && (!scene.info_err_of || scene.info_err_of == id))
		return scene.info_err;
	*out = scene.devices[id].info;
	out->dev_flags = &scene.devices[id].flags;
	return 0;
}

static int fake_configure(uint16_t id, uint16_t n_rx, uint16_t n_tx,
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

static int fake_adjust(uint16_t id, uint16_t *n_rx, uint16_t *n_tx)
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

static int fake_rx_queue(uint16_t id, uint16_t queue, uint16_t n, unsigned int socket,
                         const struct rte_eth_rxconf *conf, struct rte_mempool *pool)
{
	(void)conf;
	assert_ptr_equal(pool, 0x5000);
	assert_int_equal((int)socket, scene.queue_socket);
	note("rx %u.%u %u; ", id, queue, n);
	return scene.queue_err;
}

static int fake_tx_queue(uint16_t id, uint16_t queue, uint16_t n, unsigned int socket,
                         const struct rte_eth_txconf *conf)
{
	(void)conf;
	assert_int_equal((int)socket, scene.queue_socket);
	note("tx %u.%u %u; ", id, queue, n);
	return 0;
}

static int fake_start(uint16_t id)
{
	note("start %u; ", id);
	return scene.start_err;
}

static int fake_stop(uint16_t id)
{
	note("stop %u; ", id);
	return 0;
}

static int fake_intr_on(uint16_t id, uint16_t queue)
{
	(void)id;
	(void)queue;
	scene.interrupts++;
	return scene.intr_err;
}

static int fake_intr_off(uint16_t id, uint16_t queue)
{
	(void)id;
	(void)queue;
	scene.interrupts--;
	return 0;
}

static int fake_multicast(uint16_t id)
{
	note("multicast %u; ", id);
	return 0;
}

static int fake_vlan(uint16_t id, uint16_t vlan, int on)
{
	(void)id;
	assert_int_equal(on, 1);
	assert_int_equal(vlan, scene.n_vlans);
	scene.n_vlans++;
	return scene.vlan_err_at && vlan == scene.vlan_err_at ? -ENOSPC : 0;
}

static int fake_mac(uint16_t id, struct rte_ether_addr *out)
{
	*out = scene.devices[id].mac;
	return scene.mac_err;
}

static int fake_set_mac(uint16_t id, struct rte_ether_addr *mac)
{
	note("mac %02x; ", mac->addr_bytes[5]);
	scene.devices[id].mac = *mac;
	return 0;
}

static int fake_mac_add(uint16_t id, struct rte_ether_addr *mac, uint32_t group)
{
	assert_int_equal(group, 0);
	note("add %u %02x; ", id, mac->addr_bytes[5]);
	return mac->addr_bytes[5] == scene.mac_add_err_at ? -ENOSPC : 0;
}

static int fake_mac_remove(uint16_t id, struct rte_ether_addr *mac)
{
	note("remove %u %02x; ", id, mac->addr_bytes[5]);
	return 0;
}

static int fake_promiscuous(uint16_t id)
{
	note("all %u; ", id);
	return 0;
}

static int fake_not_promiscuous(uint16_t id)
{
	note("ours %u; ", id);
	return 0;
}

static int fake_link(uint16_t id, struct rte_eth_link *out)
{
	out->link_status = scene.devices[id].is_up;
	return scene.link_err;
}

static int fake_table_set(uint16_t id, struct rte_eth_rss_reta_entry64 *t, uint16_t n)
{
	(void)id;
	for (uint16_t i = 0; i < n && !scene.keeps_table; i++) {
		assert_true(t[i / 64].mask >> (i % 64) & 1);
		scene.table[i] = t[i / 64].reta[i % 64];
	}
	return 0;
}

static int fake_table(uint16_t id, struct rte_eth_rss_reta_entry64 *t, uint16_t n)
{
	(void)id;
	for (uint16_t i = 0; i < n; i++) {
		assert_true(t[i / 64].mask >> (i % 64) & 1);
		t[i / 64].reta[i % 64] = scene.table[i];
	}
	return scene.reta_err;
}

static int fake_hash(uint16_t id, struct rte_eth_rss_conf *out)
{
	(void)id;
	out->rss_hf = scene.hashed;
	return scene.hash_err;
}

static int fake_stats(uint16_t id, struct rte_eth_stats *out)
{
	*out = (struct rte_eth_stats){
		.imissed = 100u + id, .rx_nombuf = 200u + id, .ierrors = 7, .ipackets = 8
	};
	return 0;
}

static int fake_intr_fd(uint16_t id, uint16_t queue)
{
	return 1000 + 10 * id + queue;
}

static int fake_access(const char *path, int mode)
{
	(void)mode;
	assert_non_null(strstr(path, "/sys/bus/pci/devices/0000:"));
	if (strstr(path, "/iommu_group") ? scene.no_group : scene.pci_missing)
		return -1;
	return 0;
}

static ssize_t fake_readlink(const char *path, char *out, size_t size)
{
	assert_non_null(strstr(path, "/driver"));
	if (!scene.pci_driver)
		return -1;
	return snprintf(out, size, "../../../bus/pci/drivers/%s", scene.pci_driver);
}

static char *fake_indextoname(unsigned int index, char *out)
{
	return index == 14 ? strcpy(out, "eth3") : NULL;
}

static int fake_ioctl(int fd, unsigned long request, struct ifreq *r)
{
	assert_true(fd >= 0);
	assert_string_equal(r->ifr_name, "eth3");
	if (request == SIOCGIFFLAGS) {
		r->ifr_flags = (short)(scene.kernel_is_up ? IFF_UP | IFF_RUNNING : IFF_UP);
		return scene.link_err;
	}
	assert_int_equal(request, SIOCGIFHWADDR);
	memcpy(r->ifr_hwaddr.sa_data, &scene.kernels_mac, 6);
	return 0;
}

#define rte_eal_hotplug_add              fake_add
#define rte_eal_hotplug_remove           fake_remove
#define rte_eth_dev_get_port_by_name     fake_find
#define rte_eth_dev_info_get             fake_info
#define rte_eth_dev_configure            fake_configure
#define rte_eth_dev_adjust_nb_rx_tx_desc fake_adjust
#define rte_eth_rx_queue_setup           fake_rx_queue
#define rte_eth_tx_queue_setup           fake_tx_queue
#define rte_eth_dev_socket_id(id)        ((void)(id), 3)
#define rte_eth_dev_start                fake_start
#define rte_eth_dev_stop                 fake_stop
#define rte_eth_dev_rx_intr_enable       fake_intr_on
#define rte_eth_dev_rx_intr_disable      fake_intr_off
#define rte_eth_allmulticast_enable      fake_multicast
#define rte_eth_dev_vlan_filter          fake_vlan
#define rte_eth_macaddr_get              fake_mac
#define rte_eth_dev_default_mac_addr_set fake_set_mac
#define rte_eth_dev_mac_addr_add         fake_mac_add
#define rte_eth_dev_mac_addr_remove      fake_mac_remove
#define rte_eth_promiscuous_enable       fake_promiscuous
#define rte_eth_promiscuous_disable      fake_not_promiscuous
#define rte_eth_link_get_nowait          fake_link
#define rte_eth_dev_rss_reta_update      fake_table_set
#define rte_eth_dev_rss_reta_query       fake_table
#define rte_eth_dev_rss_hash_conf_get    fake_hash
#define rte_eth_stats_get                fake_stats
#define rte_eth_dev_rx_intr_ctl_q_get_fd fake_intr_fd
#define rte_socket_count()               (scene.n_sockets)
#define rte_socket_id_by_idx(i)          (scene.first_socket + (int)(i))
#define access                           fake_access
#define readlink                         fake_readlink
#define if_indextoname                   fake_indextoname
#define ioctl                            fake_ioctl
#include "dataplane/dpdk/device.c"

struct rte_mempool *eal_pool(int socket)
{
	assert_int_equal((int)socket, scene.queue_socket);
	return scene.no_pool ? NULL : (struct rte_mempool *)(uintptr_t)0x5000;
}

bool eal_keep_in_rings(unsigned int n)
{
	if (n > scene.buffers)
		return false;
	scene.buffers -= n;
	return true;
}

void eal_free_rings(unsigned int n)
{
	scene.buffers += n;
}

#endif
