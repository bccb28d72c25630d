/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Log lines about next hops: one each while few change, one about all when many do.
 *
 *     next-hop address=10.0.0.7 state="known" ifindex=3 vlan=0 mtu=1500
 *     next-hops more_changes=990 known=988 no_route=2 no_port=0 no_neighbour=0
 *
 * Each start of a node with a thousand backends makes a thousand next hops known within seconds. Ten have lines of
 * their own at once, then one a second; the rest are counted and told in one line every ten seconds. What an operator
 * needs of a next hop that is missing stands in the conditions (conditions_paths.c), whatever is logged.
 *
 * Pure but for the writing of lines; time is passed in. The loop's thread calls all of this.
 */
#ifndef WEIR_DATAPLANE_HOP_LOG_H
#define WEIR_DATAPLANE_HOP_LOG_H

#include "dataplane/hops.h"

#define HOP_LOG_BURST     10u    /**< lines at once */
#define HOP_LOG_LINE_MS   1000u  /**< and one more after each such time */
#define HOP_LOG_REPORT_MS 10000u /**< how often the rest is told */
#define HOP_LOG_STATES    4u     /**< of enum hop_state */

/** Zeroed: nothing logged yet. */
struct hop_log {
	uint32_t used;        /**< lines written of the burst */
	uint64_t since_ms;    /**< when a line was last given back */
	uint64_t reported_ms; /**< when the rest was last told */
	uint32_t rest[HOP_LOG_STATES];
};

/** Log the change of one next hop, or count it. */
void hop_log_change(struct hop_log *l, const struct addr *address, const struct hop *hop,
                    uint64_t now_ms);
/** Tell the rest, when it is time; to be called about once a second. @return how many were told */
uint32_t hop_log_report(struct hop_log *l, uint64_t now_ms);

#endif
