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
	uint8_t next; /**< index of the next owner to look at the packet; n: the last one has it */
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

/** What this host knows of a connection. */
enum second_socket {
	SECOND_SOCKET_NONE,   /**< nothing */
	SECOND_SOCKET_LISTEN, /**< a listening socket alone */
	SECOND_SOCKET_OTHERS, /**< a half-open connection that the segment's number does not fit */
	SECOND_SOCKET_HELD, /**< the connection, in any other state, or a valid SYN cookie for it */
};

/**
 *     socket \ segment   SYN     any other
 *     none               on      on
 *     listening          here    on
 *     half-open, other   here    on
 *     held               here    here
 *
 * A half-open connection that does not fit is a SYN's that was repeated, or forged: were it
 * to take the segment it would answer by a reset.
 */
FWD_INLINE bool second_is_here(enum second_socket socket, bool is_syn)
{
	return socket == SECOND_SOCKET_HELD || (is_syn && socket != SECOND_SOCKET_NONE);
}

#endif
