/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Two calls of libc that DPDK makes at its start, and finds in this program instead. Implemented in
 * eal_libc.c; the thread that starts DPDK calls this.
 */
#ifndef WEIR_DATAPLANE_DPDK_EAL_LIBC_H
#define WEIR_DATAPLANE_DPDK_EAL_LIBC_H

#include <stdbool.h>

/** DPDK measures the rate of a clock for so long, and then rounds it to 10 MHz. */
#define EAL_LIBC_DPDK_NS 100000000
/** We let it measure for so long. */
#define EAL_LIBC_NS 10000000

/** From now on (or no more) this thread starts DPDK, and the two calls are changed for it. */
void eal_libc_hurry(bool on);
#endif
