/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Spreading frames over workers in software, where the device has too few queues. Pure.
 */
#ifndef WEIR_DATAPLANE_DPDK_SPREAD_H
#define WEIR_DATAPLANE_DPDK_SPREAD_H

#include <stddef.h>
#include <stdint.h>

/** A hash of addresses and ports: equal for all frames of a flow; of what is not IP, 0. */
uint32_t spread_hash(const uint8_t *frame, size_t n);

#endif
