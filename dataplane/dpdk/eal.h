/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * DPDK's environment: memory, workers' threads, packet pools. It can be started once in a process,
 * and keeps its configuration until the process ends. Implemented in eal.c; the control thread
 * calls it.
 */
#ifndef WEIR_DATAPLANE_DPDK_EAL_H
#define WEIR_DATAPLANE_DPDK_EAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/driver.h"
#include "weir/model.h"

struct rte_mempool;

/**
 * Start it, with a thread for each of dpdk->cores (none configured: on the last CPU). Later calls
 * have no effect.
 * @param n_workers  out
 * @return 0, perhaps with a warning in @p reason; or -errno with @p reason; -ENOTRECOVERABLE: this
 * process cannot start it any more, the next one may
 */
int eal_start(const struct model_dpdk *dpdk, uint16_t mtu, uint32_t *n_workers,
              struct driver_reason *reason) MUST_CHECK;
/**
 * Whether there is memory for a second process beside the one that forwards with the same @p dpdk.
 * @return false with @p reason: start it after the other has ended; true: eal_prepare() starts it,
 * or says why it cannot start at all
 */
bool eal_fits_beside(const struct model_dpdk *dpdk, struct driver_reason *reason) MUST_CHECK;
/**
 * eal_start(), and the workers' packet pools: all that needs no port and no table.
 * @return 0, perhaps with a warning in @p reason; or -errno with @p reason
 */
int eal_prepare(const struct model_dpdk *dpdk, uint16_t mtu,
                struct driver_reason *reason) MUST_CHECK;
/** @p mtu, or less: the longest IP packet that packets' buffers hold since DPDK was started. */
uint16_t eal_limit_mtu(uint16_t mtu);
/** What packets will take of the free hugepages at the start, in bytes; 0: they have theirs. */
uint64_t eal_count_needed(const struct model_dpdk *dpdk);
/** The thread of worker @p i, for rte_eal_remote_launch(), and its CPU. */
unsigned int eal_lcore(uint32_t i);
uint32_t eal_cpu(uint32_t i);
/** The packet pool near @p socket, made at the first call. @return NULL: no memory */
struct rte_mempool *eal_pool(int socket);
/**
 * Let a device's queues keep @p n buffers of a pool, for good. @return false: too few would be left for
 * packets under way
 */
bool eal_keep_in_rings(unsigned int n) MUST_CHECK;
void eal_free_rings(unsigned int n);
#endif
