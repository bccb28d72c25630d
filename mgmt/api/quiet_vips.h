/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * VIPs that this node announces and that get no packets, while another node of the site gets some:
 * routers do not send to this node, or their packets do not arrive.
 *
 * A thread looks every 10 s. Only while a VIP has been announced and exported for a minute, and no
 * packet has arrived for as long, are the nodes of the site asked. What they say is used once.
 *
 * Implemented in mgmt/api/quiet_vips.c. The main thread starts and stops it; quiet_vips_to_json() is
 * for handlers' threads, quiet_vips_state() is called under the core's lock.
 */
#ifndef WEIR_MGMT_API_QUIET_VIPS_H
#define WEIR_MGMT_API_QUIET_VIPS_H

#include <jansson.h>

#include "base/checked.h"
#include "mgmt/api/core.h"

#define QUIET_VIPS_MS         60000u            /**< ms without a packet */
#define QUIET_VIPS_EVERY_MS   10000u            /**< between two rounds */
#define QUIET_VIPS_TIMEOUT_MS 1000              /**< for a peer's answer */
#define QUIET_VIPS_ANSWER_MAX ((size_t)1 << 20) /**< bytes */
#define QUIET_VIPS_MAX        16u               /**< that are named; the others are not */

/** Start the thread. @return 0 or -errno */
int quiet_vips_start(struct core *core) MUST_CHECK;
/** End it; core->stopping is set. */
void quiet_vips_stop(struct core *core);

/**
 * At which VIPs packets have arrived here, for a peer: given; not under the lock. NULL: out of
 * memory.
 */
json_t *quiet_vips_to_json(struct core *core);
/** State the condition of each quiet VIP within a round (weir/condition.h). */
void quiet_vips_state(struct core *core);

#endif
