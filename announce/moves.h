/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * How an address gets into the table that announce/decide.h gives, never without a route on the
 * way: add the route to the new table, wait until the routing daemon shows it there, delete the old
 * one. Pure; implemented in moves.c.
 *
 * While both routes are there, the daemon exports the normal one (its table is preferred), so on
 * the way to graceful shutdown the new route is imported but not exported yet. A daemon that is
 * away answers nothing: both routes stay until it does.
 */
#ifndef WEIR_ANNOUNCE_MOVES_H
#define WEIR_ANNOUNCE_MOVES_H

#include <stdbool.h>

#include "announce/decide.h"

/** One address's routes. */
struct announce_routes {
	/** in the kernel, by enum announce_table; [ANNOUNCE_NONE] is not used */
	bool in_kernel[3];
	enum announce_truth imported[3]; /**< shown by the routing daemon as there */
	enum announce_truth exported;    /**< to a neighbour, from either table */
};

/** What to do with one table. */
enum announce_move { ANNOUNCE_MOVE_NONE, ANNOUNCE_MOVE_ADD, ANNOUNCE_MOVE_DELETE };

/** By enum announce_table; [ANNOUNCE_NONE] is always ANNOUNCE_MOVE_NONE. */
struct announce_moves {
	enum announce_move table[3];
};

/**
 * The next moves towards @p target. After they are made, and after each look at the daemon, to be
 * called again; without any move the address is where it shall be, or waits for the daemon.
 */
struct announce_moves announce_next_moves(enum announce_table target,
                                          const struct announce_routes *routes);

/** Where an earlier process left an address: the table for announce_init(). */
enum announce_table announce_found_table(const struct announce_routes *routes);

#endif
