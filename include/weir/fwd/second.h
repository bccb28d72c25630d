/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Second chance on the wire: GUE whose private data name the slot's earlier owners.
 *
 * docs/second-chance.md has the picture. The outer destination is the slot's current owner;
 * an agent that does not hold the connection sends the packet to the next owner of the list.
 * Written by the balancers' rewrite stage, read by the backends' agent (decap_second.h).
 */
#ifndef WEIR_FWD_SECOND_H
#define WEIR_FWD_SECOND_H

#include "weir/fwd/types.h"

#define SECOND_VERSION    1u
#define SECOND_OWNERS_MAX 3u /**< earlier owners in a list */
#define SECOND_HEAD_LEN   4u

/** What stands before the addresses; those are of the outer header's family. */
struct second_head {
	uint8_t version; /**< SECOND_VERSION */
	uint8_t n;       /**< owners in the list, 1..SECOND_OWNERS_MAX */
	uint8_t next;    /**< place of the one to be asked next; n: the packet is with the last */
	uint8_t reserved;
};
_Static_assert(sizeof(struct second_head) == SECOND_HEAD_LEN, "as on the wire");

/** Bytes of private data that @p n earlier owners take; 0 with none. A multiple of four. */
FWD_INLINE uint32_t second_len(uint32_t n, bool is4)
{
	return n == 0 ? 0 : SECOND_HEAD_LEN + n * (is4 ? 4u : 16u);
}

/** The most that a list can add to a packet: what a pool with agents has to leave room for. */
FWD_INLINE uint32_t second_len_max(bool is4)
{
	return second_len(SECOND_OWNERS_MAX, is4);
}

#endif
