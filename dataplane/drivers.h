/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Drivers that this build has besides driver_xdp. Implemented in dpdk/driver.c, or no_dpdk.c in a
 * build without libdpdk.
 */
#ifndef WEIR_DATAPLANE_DRIVERS_H
#define WEIR_DATAPLANE_DRIVERS_H

#include "weir/driver.h"

/**
 * DPDK, or NULL in a build without libdpdk. Its forwarding ends with the process; its tables stay,
 * and open() takes them over. driver_config.pin_dir is RUN/EFFECT_DPDK_DIR, which it makes if it is
 * missing.
 */
extern const struct driver_ops *const drivers_dpdk;

#endif
