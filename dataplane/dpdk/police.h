/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Which frames may go to the kernel: a token bucket for each class of frames.
 *
 * Each class has a rate of its own, so a flood of one class takes nothing from the others. Frames
 * that open connections are classes of their own, so that SYNs to port 179 cost no BGP session. All
 * rates together cost a worker a few per cent of its core.
 *
 * Implemented in police.c. Pure: time is passed in. Each worker's thread has its own buckets.
 */
#ifndef WEIR_DATAPLANE_DPDK_POLICE_H
#define WEIR_DATAPLANE_DPDK_POLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * X(NAME, label, frames a second, frames at once), for each worker; docs/forwarding.md has the
 * table
 */
#define POLICE_CLASSES(X)                                                                          \
	X(BGP, "bgp", 20000, 4000)                                                                 \
	X(BFD, "bfd", 20000, 2000)                                                                 \
	X(NEIGHBOUR, "arp_nd", 2000, 1000)                                                         \
	X(BGP_OPEN, "bgp_open", 100, 50)                                                           \
	X(ICMP, "icmp", 1000, 200)                                                                 \
	X(TCP, "tcp", 20000, 2000)                                                                 \
	X(TCP_OPEN, "tcp_open", 1000, 200)                                                         \
	X(OTHER, "other", 5000, 1000)

#define POLICE_ENUM_(name, label, rate, burst) POLICE_##name,
enum police_class { POLICE_CLASSES(POLICE_ENUM_) POLICE_COUNT };
#undef POLICE_ENUM_

/** The buckets of a worker. */
struct police {
	uint64_t credit_ns[POLICE_COUNT]; /**< at most burst / rate */
	uint64_t last_ns[POLICE_COUNT];   /**< when credit was last added */
};

/** Full buckets. */
void police_init(struct police *p, uint64_t now_ns);
/** The class of an Ethernet frame of @p n bytes, untagged or with up to two VLAN tags. */
enum police_class police_class(const uint8_t *frame, size_t n);
/** Spend the credit of one frame. @return whether it may pass */
bool police_spend(struct police *p, enum police_class c, uint64_t now_ns);
/** "arp_nd", by enum police_class; NULL at the end. */
extern const char *const police_labels[POLICE_COUNT + 1];

#endif
