/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What routers say of the way to an address: an MTU less than that of the next hop's link and route.
 *
 * RFC 1191 and 8201. Whoever can guess a backend's address can forge such words (tunnel_error.h says
 * which are believed), so they may do little: they lower, never raise; not faster than once in
 * PATH_STEP_MS; they end PATH_LIFE_MS after the last one, when what is configured is tried again; and
 * no inner packet of PATH_INNER_MIN bytes ever stops fitting for them, for less would silence IPv6.
 * Times are the caller's.
 */
#ifndef WEIR_DATAPLANE_PATH_H
#define WEIR_DATAPLANE_PATH_H

#include <stdbool.h>
#include <stdint.h>

#define PATH_LIFE_MS   600000u /**< RFC 1191, 6.3 */
#define PATH_STEP_MS   1000u
#define PATH_INNER_MIN 1280u /**< RFC 8200, 5 */

struct path {
	uint16_t mtu;   /**< as last told; 0: nothing was, or it is over */
	uint64_t at_ms; /**< when */
};

/**
 * A router says that packets of @p told bytes at most pass.
 *
 * @param carries  what the next hop's link and route carry
 * @return whether that is less than was known, and is now kept
 */
bool path_lower(struct path *p, uint16_t told, uint16_t carries, uint64_t now_ms);
/** End what was told if it is old. @return whether it just ended */
bool path_end(struct path *p, uint64_t now_ms);
/** The longest inner packet behind @p overhead bytes, on a way of which @p told was said (0: nothing). */
uint16_t path_inner_mtu(uint16_t carries, uint16_t told, uint32_t overhead);

#endif
