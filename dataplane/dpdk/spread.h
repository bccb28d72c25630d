/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Spreading frames over workers in software, where the device has too few queues. Implemented in
 * spread.c. Pure; each worker's thread calls it.
 */
#ifndef WEIR_DATAPLANE_DPDK_SPREAD_H
#define WEIR_DATAPLANE_DPDK_SPREAD_H

#include <stddef.h>
#include <stdint.h>

/** A hash of addresses and ports: equal for all frames of a flow; 0 for a frame that is not IP. */
uint32_t spread_hash(const uint8_t *frame, size_t n);

#endif
