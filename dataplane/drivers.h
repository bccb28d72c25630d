/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Drivers that this build has beside driver_xdp.
 */
#ifndef WEIR_DATAPLANE_DRIVERS_H
#define WEIR_DATAPLANE_DRIVERS_H

#include "weir/driver.h"

/** Below the run directory: where DPDK's tables are, its driver_config.pin_dir. */
#define DRIVERS_DPDK_DIR "tables"

/**
 * DPDK, or NULL in a build without libdpdk. Forwarding by it ends with the process;
 * the tables stay, and open() takes them over. It makes its directory if it is not there.
 */
extern const struct driver_ops *const drivers_dpdk;

#endif
