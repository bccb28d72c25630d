/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Path MTU of an address (RFC 1191, RFC 8201): routers on the way have reported less than the link
 * and the route of the next hop allow.
 *
 * Anyone who can guess a backend's address can forge such reports (tunnel_error.h says which are
 * believed). So their effect is bounded:
 *   - they lower the MTU and never raise it;
 *   - at most one takes effect in PATH_MTU_STEP_MS;
 *   - PATH_MTU_LIFE_MS after the last one the configured MTU is tried again;
 *   - inner packets of PATH_MTU_INNER_MIN bytes always fit, as IPv6 needs them.
 *
 * Implemented in tables/path_mtu.c. Pure: time is passed in; any thread may call.
 */
#ifndef WEIR_DATAPLANE_TABLES_PATH_MTU_H
#define WEIR_DATAPLANE_TABLES_PATH_MTU_H

#include <stdbool.h>
#include <stdint.h>

#define PATH_MTU_LIFE_MS   600000u /**< RFC 1191, 6.3 */
#define PATH_MTU_STEP_MS   1000u   /**< a flood of forged reports lowers it in few, slow steps */
#define PATH_MTU_INNER_MIN 1280u   /**< RFC 8200, 5 */

struct path_mtu {
	uint16_t mtu;   /**< as last reported, in bytes; 0: not lowered */
	uint64_t at_ms; /**< when it was reported */
};

/**
 * A router reports that packets of at most @p reported bytes pass.
 *
 * @param carries  the MTU of the next hop's link and route
 * @return whether the path MTU is lowered by it
 */
bool path_mtu_lower(struct path_mtu *p, uint16_t reported, uint16_t carries, uint64_t now_ms);
/** Forget a report that is older than PATH_MTU_LIFE_MS. @return whether it ended in this call */
bool path_mtu_expire(struct path_mtu *p, uint64_t now_ms);
/**
 * The longest inner packet behind outer headers of @p overhead bytes. @param reported  path MTU; 0:
 * not lowered
 */
uint16_t path_mtu_inner(uint16_t carries, uint16_t reported, uint32_t overhead);

#endif
