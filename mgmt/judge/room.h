/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Room in the list of reasons, where one problem that many things have must not hide the others.
 *
 * Implemented in mgmt/judge/room.c; any thread. Pure.
 */
#ifndef WEIR_MGMT_JUDGE_ROOM_H
#define WEIR_MGMT_JUDGE_ROOM_H

#include <stdbool.h>

#include "mgmt/judge/judge.h"

/**
 * Make room for one more reason of @p rule in a list that is full: the rule with the most reasons
 * gives up its last one, if it has more than @p rule would have. The others keep their order.
 * In any case one reason is left out, and counted.
 * @return whether there is room
 */
bool room_make(struct judge_verdict *v, enum judge_rule rule);

#endif
