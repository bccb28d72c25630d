/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * DPDK's environment: memory, workers' threads, packet pools. It can be started once a
 * process; what it was started with stays until the process ends.
 */
#ifndef WEIR_DATAPLANE_DPDK_EAL_H
#define WEIR_DATAPLANE_DPDK_EAL_H

#include <stdint.h>

#include "weir/driver.h"
#include "weir/model.h"

struct rte_mempool;

/**
 * Start it, with a thread for each of dpdk->cores (or the last CPU).
 * @param n_workers  out
 * @return 0, also with @p why: a warning; or -errno with @p why
 */
int eal_start(const struct model_dpdk *dpdk, uint16_t mtu, uint32_t *n_workers,
              struct driver_why *why);
/** The thread of worker @p i, for rte_eal_remote_launch(), and its CPU. */
unsigned int eal_lcore(uint32_t i);
uint32_t eal_cpu(uint32_t i);
/** Packets near @p socket, made when first asked for. @return NULL: no memory */
struct rte_mempool *eal_pool(int socket);
#endif
