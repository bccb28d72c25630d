/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The kernel's side of a port that DPDK drives: a persistent TAP with the port's name and the
 * device's MAC, with a queue for each worker. Addresses, routes and sessions of the host are on it
 * and outlive the process. Needs nothing of DPDK. Implemented in tap.c; the control thread calls
 * it.
 */
#ifndef WEIR_DATAPLANE_DPDK_TAP_H
#define WEIR_DATAPLANE_DPDK_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/driver.h"

struct tap_config {
	const char *name;
	uint8_t mac[6];
	uint16_t mtu;
	uint32_t n_queues;
};

/**
 * Make or take over the TAP, and bring it up.
 * @param fds      out: a queue each, non-blocking; close() them
 * @param ifindex  out
 * @return 0 or -errno with @p reason
 */
int tap_open(const struct tap_config *config, int *fds, uint32_t *ifindex,
             struct driver_reason *reason) MUST_CHECK;
/**
 * Hold the TAP @p name, which another process serves, by a queue that gets no frames: the TAP keeps
 * its carrier, and the kernel its next hops, from the other's last queue to our first. A TAP that
 * is not there cannot be held, and is not made.
 */
void tap_hold(const char *name);
/** No longer. To be called when our queues are open, or will not be; NULL: all TAPs. */
void tap_release(const char *name);
/** Set the TAP's carrier. */
void tap_carrier(int fd, bool up);
/** Make the TAP vanish when its last queue is closed. */
void tap_end(int fd);
/** Remove the TAP @p name that an earlier process left. */
void tap_remove(const char *name);

#endif
