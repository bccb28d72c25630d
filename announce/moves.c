/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each call makes at most one half of a move, from what is seen in the kernel and in the daemon, so
 * that a restart in between goes on where it was.
 */
#include "announce/decide.h"

struct announce_moves announce_next_moves(enum announce_table target,
                                          const struct announce_routes *routes)
{
	struct announce_moves moves = { 0 };

	for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++) {
		bool there = routes->in_kernel[t];

		if ((enum announce_table)t == target)
			moves.table[t] = there ? ANNOUNCE_MOVE_NONE : ANNOUNCE_MOVE_ADD;
		else if (there &&
		         (target == ANNOUNCE_NONE ||
		          (routes->in_kernel[target] && routes->imported[target] == ANNOUNCE_YES)))
			moves.table[t] = ANNOUNCE_MOVE_DELETE;
	}
	return moves;
}

enum announce_table announce_found_table(const struct announce_routes *routes)
{
	if (routes->in_kernel[ANNOUNCE_NORMAL])
		return ANNOUNCE_NORMAL;
	return routes->in_kernel[ANNOUNCE_SHUTDOWN] ? ANNOUNCE_SHUTDOWN : ANNOUNCE_NONE;
}
