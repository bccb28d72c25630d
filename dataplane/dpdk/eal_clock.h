/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * How long DPDK measures the rate of the time stamp counter at its start. Implemented in
 * eal_clock.c; the thread that starts DPDK calls this.
 */
#ifndef WEIR_DATAPLANE_DPDK_EAL_CLOCK_H
#define WEIR_DATAPLANE_DPDK_EAL_CLOCK_H

#include <stdbool.h>

/** DPDK measures for so long, and then rounds the rate to 10 MHz. */
#define EAL_CLOCK_DPDK_NS 100000000
/** We let it measure for so long: see eal_clock.c. */
#define EAL_CLOCK_NS 10000000

/** From now on (or no more) a measurement of this thread takes EAL_CLOCK_NS. */
void eal_clock_hurry(bool on);
#endif
