/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Drivers that this build has beside driver_xdp.
 */
#ifndef WEIR_DATAPLANE_DRIVERS_H
#define WEIR_DATAPLANE_DRIVERS_H

#include "weir/driver.h"

/**
 * DPDK, or NULL in a build without libdpdk. Forwarding by it ends with the process;
 * the tables stay, and open() takes them over. driver_config.pin_dir is RUN/EFFECT_DPDK_DIR. It makes its directory if it is not there.
 */
extern const struct driver_ops *const drivers_dpdk;

#endif
