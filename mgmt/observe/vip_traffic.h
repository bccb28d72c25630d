/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Packets of clients that this node forwards for each VIP that it announces: the counters of the
 * VIP's services. Counted from the first look on.
 *
 * Implemented in mgmt/observe/vip_traffic.c. The observer's thread measures; reading is for any thread
 * under the core's lock.
 */
#ifndef WEIR_MGMT_OBSERVE_VIP_TRAFFIC_H
#define WEIR_MGMT_OBSERVE_VIP_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"

struct model;
struct vip_traffic;

/** What is known of one VIP's packets. */
struct vip_traffic_row {
	uint64_t vip;        /**< hash_text() of its name */
	uint64_t packets;    /**< since since_ms */
	uint64_t since_ms;   /**< monotonic: the first look */
	uint64_t arrived_ms; /**< monotonic: when packets were last seen to arrive; 0: never */
	uint64_t counted;    /**< the counters' sum at the last look */
	uint64_t known_ms;   /**< monotonic: when the counters were last read */
};

/** @return NULL: out of memory */
MUST_CHECK struct vip_traffic *vip_traffic_new(void);
/** NULL is fine. */
void vip_traffic_free(struct vip_traffic *t);

/** When the next look is due, ms: many services take long. */
bool vip_traffic_is_due(const struct vip_traffic *t, uint64_t now_ms);
/**
 * Read the counters of the VIPs that @p m makes this node announce, into a table of its own; not
 * under the lock. Without a running weir-dataplane nothing is read.
 */
void vip_traffic_look(struct vip_traffic *t, const char *run_dir, const struct model *m,
                      uint64_t now_ms);
/** Publish what was read last, under the lock. */
void vip_traffic_publish(struct vip_traffic *t);
/** The row of VIP @p name, under the lock. @return false: its packets are not known at @p now_ms */
bool vip_traffic_find(const struct vip_traffic *t, const char *name, uint64_t now_ms,
                      struct vip_traffic_row *out);

#endif
