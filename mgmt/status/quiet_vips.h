/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * VIPs that this node announces and that get no packets, while another node of the site gets some:
 * routers do not send to this node, or their packets do not arrive.
 *
 * Nodes say in the section "arrivals" of the exchange at which VIPs packets arrive (observe_arrivals()). A VIP is quiet
 * here once it has been announced and exported for a minute, and no packet has arrived for as long.
 *
 * Implemented in mgmt/status/quiet_vips.c.
 */
#ifndef WEIR_MGMT_STATUS_QUIET_VIPS_H
#define WEIR_MGMT_STATUS_QUIET_VIPS_H

#include "mgmt/core/core.h"
#include "mgmt/observe/observe.h"

#define QUIET_VIPS_MS       OBSERVE_ARRIVED_MS /**< without a packet */
#define QUIET_VIPS_EVERY_MS 10000u             /**< between two looks */
#define QUIET_VIPS_MAX      16u                /**< that are named; the others are not */

/** Quiet VIPs, and a node that gets packets for each. Under the core's lock. */
struct quiet_vips {
	struct quiet_vip {
		char vip[MODEL_NAME_MAX], node[MODEL_NAME_MAX];
	} found[QUIET_VIPS_MAX];
	size_t n;
	uint64_t looked_ms; /* the observer's thread's alone */
};

/** Look for them if that is due: the observer's thread, not under the lock. */
void quiet_vips_look(struct core *core, const struct model *m);
/** State the condition of each within a round (weir/condition.h). Under the lock. */
void quiet_vips_state(const struct core *core);

#endif
