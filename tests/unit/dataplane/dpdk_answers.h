/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of DPDK that a suite answers itself (tests/unit/answers.h): no EAL, no memory of its, no device. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_DPDK_ANSWERS_H
#define WEIR_TESTS_UNIT_DATAPLANE_DPDK_ANSWERS_H

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_launch.h>
#include <rte_mbuf.h>
#include <rte_memory.h>
#include <rte_ring.h>

#include "tests/unit/answers.h"

#define DPDK_ANSWERS(X)                                                                            \
	X(int, rte_eal_hotplug_add, (const char *bus, const char *name, const char *arguments),    \
	  (bus, name, arguments))                                                                  \
	X(int, rte_eal_hotplug_remove, (const char *bus, const char *name), (bus, name))           \
	X(int, rte_eal_init, (int argc, char **argv), (argc, argv))                                \
	X(int, rte_eal_remote_launch, (lcore_function_t * run, void *arg, unsigned int lcore),     \
	  (run, arg, lcore))                                                                       \
	X(int, rte_eal_wait_lcore, (unsigned int lcore), (lcore))                                  \
	X(int, rte_eth_allmulticast_enable, (uint16_t id), (id))                                   \
	X(int, rte_eth_dev_adjust_nb_rx_tx_desc, (uint16_t id, uint16_t * n_rx, uint16_t * n_tx),  \
	  (id, n_rx, n_tx))                                                                        \
	X(int, rte_eth_dev_configure,                                                              \
	  (uint16_t id, uint16_t n_rx, uint16_t n_tx, const struct rte_eth_conf *conf),            \
	  (id, n_rx, n_tx, conf))                                                                  \
	X(int, rte_eth_dev_default_mac_addr_set, (uint16_t id, struct rte_ether_addr * mac),       \
	  (id, mac))                                                                               \
	X(int, rte_eth_dev_get_port_by_name, (const char *name, uint16_t *id), (name, id))         \
	X(int, rte_eth_dev_info_get, (uint16_t id, struct rte_eth_dev_info * out), (id, out))      \
	X(int, rte_eth_dev_mac_addr_add,                                                           \
	  (uint16_t id, struct rte_ether_addr * mac, uint32_t group), (id, mac, group))            \
	X(int, rte_eth_dev_mac_addr_remove, (uint16_t id, struct rte_ether_addr * mac), (id, mac)) \
	X(int, rte_eth_dev_rss_hash_conf_get, (uint16_t id, struct rte_eth_rss_conf * out),        \
	  (id, out))                                                                               \
	X(int, rte_eth_dev_rss_reta_query,                                                         \
	  (uint16_t id, struct rte_eth_rss_reta_entry64 * t, uint16_t n), (id, t, n))              \
	X(int, rte_eth_dev_rss_reta_update,                                                        \
	  (uint16_t id, struct rte_eth_rss_reta_entry64 * t, uint16_t n), (id, t, n))              \
	X(int, rte_eth_dev_rx_intr_ctl_q_get_fd, (uint16_t id, uint16_t queue), (id, queue))       \
	X(int, rte_eth_dev_rx_intr_disable, (uint16_t id, uint16_t queue), (id, queue))            \
	X(int, rte_eth_dev_rx_intr_enable, (uint16_t id, uint16_t queue), (id, queue))             \
	X(int, rte_eth_dev_socket_id, (uint16_t id), (id))                                         \
	X(int, rte_eth_dev_start, (uint16_t id), (id))                                             \
	X(int, rte_eth_dev_stop, (uint16_t id), (id))                                              \
	X(int, rte_eth_dev_vlan_filter, (uint16_t id, uint16_t vlan, int on), (id, vlan, on))      \
	X(int, rte_eth_link_get_nowait, (uint16_t id, struct rte_eth_link * out), (id, out))       \
	X(int, rte_eth_macaddr_get, (uint16_t id, struct rte_ether_addr * out), (id, out))         \
	X(int, rte_eth_promiscuous_disable, (uint16_t id), (id))                                   \
	X(int, rte_eth_promiscuous_enable, (uint16_t id), (id))                                    \
	X(int, rte_eth_rx_queue_setup,                                                             \
	  (uint16_t id, uint16_t queue, uint16_t n, unsigned int socket,                           \
	   const struct rte_eth_rxconf *conf, struct rte_mempool *pool),                           \
	  (id, queue, n, socket, conf, pool))                                                      \
	X(int, rte_eth_stats_get, (uint16_t id, struct rte_eth_stats * out), (id, out))            \
	X(int, rte_eth_tx_queue_setup,                                                             \
	  (uint16_t id, uint16_t queue, uint16_t n, unsigned int socket,                           \
	   const struct rte_eth_txconf *conf),                                                     \
	  (id, queue, n, socket, conf))                                                            \
	X(uint64_t, rte_get_tsc_hz, (void), ())                                                    \
	X(unsigned int, rte_lcore_to_socket_id, (unsigned int lcore), (lcore))                     \
	X(int, rte_memseg_list_walk, (rte_memseg_list_walk_t each, void *arg), (each, arg))        \
	X(struct rte_mempool *, rte_pktmbuf_pool_create,                                           \
	  (const char *name, unsigned int n, unsigned int cache, uint16_t private, uint16_t room,  \
	   int socket),                                                                            \
	  (name, n, cache, private, room, socket))                                                 \
	X(struct rte_ring *, rte_ring_create,                                                      \
	  (const char *name, unsigned int n, int socket, unsigned int flags),                      \
	  (name, n, socket, flags))                                                                \
	X(unsigned int, rte_socket_count, (void), ())                                              \
	X(int, rte_socket_id_by_idx, (unsigned int i), (i))

DPDK_ANSWERS(ANSWER_DECLARE)
ANSWER_DECLARE(void, rte_ring_free, (struct rte_ring * ring), (ring))

#endif
