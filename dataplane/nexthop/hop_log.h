/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Log lines about next hops: a line each while few change, one line about all when many do.
 *
 *     next-hop address=10.0.0.7 state="known" ifindex=3 vlan=0 mtu=1500
 *     next-hops more_changes=990 known=988 no_route=2 no_port=0 no_neighbour=0
 *
 * A node with a thousand backends resolves a thousand next hops within seconds of its start. Ten of
 * them have lines of their own at once, then one a second; the others are counted and logged in one
 * line every ten seconds. What an operator needs to know of a missing next hop is a condition
 * (conditions_paths.c), whatever is logged.
 *
 * Implemented in nexthop/hop_log.c. Pure, except that it writes lines; time is passed in. The loop's thread
 * calls all of this.
 */
#ifndef WEIR_DATAPLANE_NEXTHOP_HOP_LOG_H
#define WEIR_DATAPLANE_NEXTHOP_HOP_LOG_H

#include "dataplane/nexthop/hops.h"

#define HOP_LOG_BURST     10u    /**< lines at once */
#define HOP_LOG_LINE_MS   1000u  /**< one more line after so long */
#define HOP_LOG_REPORT_MS 10000u /**< how often the counted changes are logged */
#define HOP_LOG_STATES    4u     /**< of enum hop_state */

/** Zeroed: nothing logged yet. */
struct hop_log {
	uint32_t used;                     /**< lines of the burst that are used up */
	uint64_t since_ms;                 /**< when a line was last given back */
	uint64_t reported_ms;              /**< when the counted changes were last logged */
	uint32_t unlogged[HOP_LOG_STATES]; /**< changes without a line, by enum hop_state */
};

/** Log the change of one next hop, or count it. */
void hop_log_change(struct hop_log *l, const struct addr *address, const struct hop *hop,
                    uint64_t now_ms);
/**
 * Log the counted changes, if it is time; call it about once a second. @return how many there
 * were
 */
uint32_t hop_log_report(struct hop_log *l, uint64_t now_ms);

#endif
